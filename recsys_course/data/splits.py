"""Splits: which ratings a model may learn from, and which it is judged on.

The protocol that every lesson follows is frozen here, in one place:

- a positive is a rating of 4 or more (``POSITIVE``); only positives count as right answers;
- every item is ranked, and what the user rated in training is left out of the list;
- ties in time are broken by item number;
- users without a positive in the test part are left out of the means and counted.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from recsys_course.data.interactions import Interactions


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """One way to cut a table of ratings in two.

    Attributes:
        name: ``random``, ``last``, ``time``, ``cold-users`` or ``cold-items``.
        train: every rating the model may learn from.
        held_out: every rating that was taken away, whatever its value.
    """

    name: str
    train: Interactions
    held_out: Interactions

    @cached_property
    def test(self) -> Interactions:
        """The positives among the held-out ratings: what a good list contains."""
        return self.held_out.positives()

    def __repr__(self) -> str:
        judged = len(self.test.users.unique())
        return (
            f"Split({self.name}: {len(self.train):,} ratings to learn from, {len(self.held_out):,} held out, "
            f"{len(self.test):,} of them positive, {judged:,} of {self.train.n_users:,} users judged)"
        )


def frozen_split(ratings: Interactions, name: str, seed: int = 0) -> Split:
    """One of the course's three splits: ``random`` (20 %), ``last`` (5 of each user) or ``time`` (last 20 %).

    The seed changes the random split alone.
    """
    makers = {
        "random": lambda: random_split(ratings, share=0.2, seed=seed),
        "last": lambda: last_split(ratings, n=5),
        "time": lambda: time_split(ratings, share=0.2),
    }
    if name not in makers:
        raise ValueError(f"no split is called {name!r}: choose one of {', '.join(makers)}")
    return makers[name]()


def random_split(ratings: Interactions, share: float = 0.2, seed: int = 0) -> Split:
    """Hold out a random share of all ratings, whoever gave them and whenever."""
    n_held = round(_fraction(share) * len(ratings))
    held = torch.zeros(len(ratings), dtype=torch.bool)
    held[torch.randperm(len(ratings), generator=torch.Generator().manual_seed(seed))[:n_held]] = True
    return _cut("random", ratings, held)


def last_split(ratings: Interactions, n: int = 5, tie_seed: int | None = None) -> Split:
    """Hold out the last ``n`` ratings of each user that has more than ``n``.

    Args:
        ratings: what to split.
        n: how many of each user.
        tie_seed: order ratings of the same second at random instead of by item, to see what the tie rule decides.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    order = torch.arange(len(ratings)) if tie_seed is None else _shuffle_ties(ratings, tie_seed)
    from_end = ratings.ptr[ratings.users + 1] - torch.arange(len(ratings))  # 1 = the user's last place
    many = (ratings.ptr.diff() > n)[ratings.users]
    held = torch.zeros(len(ratings), dtype=torch.bool)
    held[order] = (from_end <= n) & many
    return _cut("last", ratings, held)


def time_split(ratings: Interactions, share: float = 0.2) -> Split:
    """Hold out everything from one moment on, so that about ``share`` of the ratings come after it.

    Ratings of the same second stay together: the last training rating is older than the first held-out one.
    """
    if not len(ratings):
        raise ValueError("there is no rating to split by time")
    times = ratings.times.sort().values
    moment = times[min(round((1 - _fraction(share)) * len(times)), len(times) - 1)]
    return _cut("time", ratings, ratings.times >= moment)


def cold_user_split(ratings: Interactions, share: float = 0.1, seed: int = 0) -> Split:
    """Hold out every rating of a random share of the users: the model has never met them."""
    return _cut("cold-users", ratings, _some(ratings.n_users, share, seed)[ratings.users])


def cold_item_split(ratings: Interactions, share: float = 0.1, seed: int = 0) -> Split:
    """Hold out every rating of a random share of the items: nobody has rated them in training."""
    return _cut("cold-items", ratings, _some(ratings.n_items, share, seed)[ratings.items])


def k_core(ratings: Interactions, k: int) -> Interactions:
    """Drop users and items with fewer than ``k`` ratings until none is left; numbers of users and items stay."""
    while len(ratings):
        per_user, per_item = ratings.ptr.diff(), ratings.item_counts()
        keep = (per_user[ratings.users] >= k) & (per_item[ratings.items] >= k)
        if keep.all():
            break
        ratings = ratings.select(keep)
    return ratings


def _cut(name: str, ratings: Interactions, held: Tensor) -> Split:
    return Split(name, ratings.select(~held), ratings.select(held))


def _fraction(share: float) -> float:
    if not 0 < share < 1:
        raise ValueError(f"share must lie between 0 and 1, got {share}")
    return share


def _some(n: int, share: float, seed: int) -> Tensor:
    """Mark a random share of ``n`` things, at least one: bool ``[n]``."""
    chosen = torch.zeros(n, dtype=torch.bool)
    n_chosen = max(1, round(_fraction(share) * n))
    chosen[torch.randperm(n, generator=torch.Generator().manual_seed(seed))[:n_chosen]] = True
    return chosen


def _shuffle_ties(ratings: Interactions, seed: int) -> Tensor:
    """Rows by user and time, and in random order within one second, int64 ``[n_events]``."""
    noise = np.random.default_rng(seed).random(len(ratings))
    return torch.from_numpy(np.lexsort((noise, ratings.times.numpy(), ratings.users.numpy())))
