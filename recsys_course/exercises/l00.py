"""Exercises of lesson 00, start here."""

import torch
from torch import Tensor

from recsys_course.checks import Exercise, bind
from recsys_course.review import Review


def liked_share(ratings: Tensor) -> float:
    """Share of the ratings that are 4 or 5: float ``[n]`` to a number, NaN for no rating."""
    return float((ratings >= 4).float().mean())


FIVE = (torch.tensor([5.0, 4.0, 3.0, 4.0, 1.0]),)
LIKED_SHARE = Exercise(
    id="00.liked_share",
    points=1,
    level="easy",
    minutes=4,
    reference=liked_share,
    cases=(
        FIVE,
        (torch.tensor([4.0]),),
        (torch.tensor([2.0, 3.0]),),
        (torch.tensor([5.0, 5.0, 4.0, 1.0]),),
        (torch.tensor([4.0, 1.0, 1.0]),),
    ),
    hidden=((torch.arange(1.0, 6.0).repeat(7),),),
    hints=(
        "`ratings >= 4` is a tensor of True and False. What is the mean of it, once it holds numbers?",
        "`(ratings >= 4).float()` holds 1 for every like. The mean of that is the share.",
        "Write `return float((ratings >= 4).float().mean())` in place of the `raise` line.",
    ),
    mistakes=(
        (
            lambda ratings: float((ratings > 4).float().mean()),
            "You kept only the 5s (> 4 drops every 4). A like is a rating of 4 or more: >=.",
        ),
        (
            lambda ratings: float((ratings >= 4).sum()),
            "You counted the likes. Divide by how many ratings there are to get their share.",
        ),
        (
            lambda ratings: (ratings >= 4).mean(),
            "True and False have no mean yet. Turn them into 1 and 0 first: (ratings >= 4).float().mean().",
        ),
        (lambda ratings: float((ratings >= 3).float().mean()), "You count a 3 as a like. A like is 4 or more."),
        (
            lambda ratings: float((ratings == (4 or 5)).float().mean()),  # noqa: SIM222
            "`4 or 5` is 4 in Python, so every 5 is lost. Write ratings >= 4.",
        ),
        (
            lambda ratings: round(float((ratings >= 4).float().mean()), 2),
            "You rounded. Return the share itself, and round only when you print.",
        ),
        (lambda ratings: float(ratings.mean()), "You averaged the ratings. Compare them with 4 first."),
        (
            lambda ratings: float((ratings < 4).float().mean()),
            "This is the share of the others, below 4. Turn the comparison around.",
        ),
        (
            lambda ratings: float(100 * (ratings >= 4).float().mean()),
            "This is a percentage. A share lies between 0 and 1.",
        ),
    ),
)

check, hint, solution = bind((LIKED_SHARE,))

review = Review(
    id="00.review",
    faults={
        "ratings -= 1": "`-=` changes the caller's own ratings, and again each time the cell runs. Write ratings - 1.",
        "ratings /= 4": "`/=` writes into the caller's tensor as well. Return (ratings - 1) / 4 instead.",
    },
    fine={"return ratings": "Returning the result is right; that the caller's tensor is the result is the trouble."},
)
