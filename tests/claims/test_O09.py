"""What the answer to O09 (counterfactual against causal, and for whom) states."""

import numpy as np
import pytest
import torch

from recsys_course import claim, models
from recsys_course.data.interactions import Interactions


class Lists:
    """EASE on one random split, users with five likes or more."""

    def __init__(self, model, train):
        likes = torch.from_numpy(train.positives().matrix().toarray()).float()
        self.users = (likes.sum(1) >= 5).nonzero()[:, 0]
        self.likes, self.weights = likes[self.users], model.weights_
        self.seen = torch.from_numpy(train.matrix().toarray() > 0)[self.users]
        self.first = (self.likes @ self.weights).masked_fill(self.seen, -9).argmax(1)

    def smallest(self, row):
        """Likes to take away, the one that speaks most for the first against its rival at a time, until it is not."""
        likes, first = self.likes[row].clone(), self.first[row]
        for taken in range(len(likes)):
            scores = (likes @ self.weights).masked_fill(self.seen[row], -9)
            if scores.argmax() != first:
                return taken
            scores[first] = -9
            lead = (likes * (self.weights[:, first] - self.weights[:, scores.argmax()])).masked_fill(likes == 0, -9)
            likes[lead.argmax()] = 0


@pytest.fixture(scope="module")
def lists(ease, random_splits):
    return Lists(ease[0], random_splits[0].train)


def test_how_many_likes_it_takes(lists):
    sizes = torch.tensor([float(lists.smallest(row)) for row in range(len(lists.users))])
    share = sizes / lists.likes.sum(1)
    claim(
        "O09.smallest",
        "EASE, one random split, 931 users: taking away one like is enough for another film to come first for 61 %, "
        "three for 91 %; the median is 5 % of the likes",
        len(sizes) == 931
        and abs(float((sizes <= 1).float().mean()) - 0.607) < 0.03
        and abs(float((sizes <= 3).float().mean()) - 0.914) < 0.03
        and abs(float(share.median()) - 0.048) < 0.01,
    )


def without(train, user, item):
    """The events without one."""
    return train.select(~((train.users == user) & (train.items == item)))


def test_taken_from_the_history_or_from_the_training(lists, ease, random_splits):
    ratios = []
    for row in range(0, len(lists.users), 155):
        user, first = int(lists.users[row]), int(lists.first[row])
        parts = lists.likes[row] * lists.weights[:, first]
        again = models.EASE().fit(without(random_splits[0].train, user, int(parts.argmax())))
        before, after = (float(model.scores(torch.tensor([user]))[0, first]) for model in (ease[0], again))
        ratios.append((before - after) / float(parts.max()))
    claim(
        "O09.refit",
        "Seven users' strongest like taken out of the training and EASE fitted again: the score falls by 0.6 to 1 "
        "times as much as with the like taken from the history alone",
        len(ratios) == 7 and min(ratios) > 0.6 and max(ratios) < 1 and min(ratios) < 0.9,
    )


SHARE, LIKES, OTHERS = 0.5, 0.6, 0.1  # who has the taste; like rates of both films with it and without


def test_the_films_go_together_and_neither_makes_the_other():
    like = SHARE * LIKES + (1 - SHARE) * OTHERS
    both = SHARE * LIKES**2 + (1 - SHARE) * OTHERS**2
    given, given_not = both / like, (like - both) / (1 - like)
    draw = np.random.default_rng(0)
    rate = np.where(draw.random(200_000) < SHARE, LIKES, OTHERS)
    second = draw.random(200_000) < rate  # the first film is withheld from all: nothing else changes
    claim(
        "O09.confounded",
        "A taste behind two films, liked by 60 % with it and 10 % without: whoever likes the first likes the second "
        "with 53 %, who does not with 25 %; if nobody is shown the first, 35 % like the second, as before",
        abs(given - 0.529) < 0.001
        and abs(given_not - 0.254) < 0.001
        and abs(like - 0.35) < 1e-9
        and abs(second.mean() - like) < 0.004,
    )


def test_the_model_says_because_all_the_same():
    draw = np.random.default_rng(0)
    rate = np.where(draw.random((3000, 1)) < SHARE, LIKES, OTHERS)
    likes = np.c_[draw.random((3000, 2)) < rate, draw.random((3000, 2)) < 0.3]  # two films of the taste, two others
    users, items = likes.nonzero()
    model = models.EASE(reg=10).fit(Interactions.from_events(users.tolist(), items.tolist()))
    weights = model.weights_
    claim(
        "O09.because",
        "EASE on 3,000 users of that world: the first film's weight for the second is over 0.2, those of two films "
        "without the taste are below it by more than half",
        float(weights[0, 1]) > 0.2 and float(weights[2:, 1].abs().max()) < 0.5 * float(weights[0, 1]),
    )


def test_a_promise_that_the_reason_does_not_hold(lists):
    top = (lists.likes * lists.weights[:, lists.first].T).masked_fill(lists.likes == 0, -9).argmax(1)
    likes = lists.likes.clone()
    likes[torch.arange(len(top)), top] = 0
    after = (likes @ lists.weights).masked_fill(lists.seen, -9).argmax(1)
    claim(
        "O09.because-you-liked",
        "EASE: without the like that adds most to its score the film still comes first for 46 % of the users",
        abs(float((after == lists.first).double().mean()) - 0.458) < 0.03,
    )
