"""What the answer to I01 (position bias in a ranker) states; position k is looked at with chance ``k ** -0.8``."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import expit
from scipy.stats import rankdata

from recsys_course import claim
from recsys_course.data.movielens import movielens
from recsys_course.ranking import Logistic, Trees
from recsys_course.simulate import Feed

LOOK = np.arange(1, 11) ** -0.8
N_ITEMS, N_LISTS = 300, 20_000


class Lists:
    """Lists of ten out of 300 items, ordered by an old score that knows half of the truth, and the clicks."""

    def __init__(self, seed=0):
        world, draw = np.random.default_rng(7), np.random.default_rng(seed)
        self.appeal = expit(world.normal(-1.5, 0.8, N_ITEMS))
        self.old = np.log(self.appeal / (1 - self.appeal)) + world.normal(size=N_ITEMS)
        some = np.argsort(draw.random((N_LISTS, N_ITEMS)), 1)[:, :10]
        order = np.argsort(-self.old[some] - 0.3 * draw.normal(size=some.shape), 1)
        self.items = np.take_along_axis(some, order, 1)  # [n_lists, 10], best place first
        self.clicks = draw.random(some.shape) < LOOK * self.appeal[self.items]

    def mean(self, values):
        """Mean of a value of each impression, by item."""
        n = np.bincount(self.items.ravel(), minlength=N_ITEMS).clip(min=1)
        return np.bincount(self.items.ravel(), values.ravel(), N_ITEMS) / n


@pytest.fixture(scope="module")
def lists():
    return Lists()


def alike(a, b):
    """Rank correlation."""
    return np.corrcoef(rankdata(a), rankdata(b))[0, 1]


def test_a_better_item_in_a_worse_place_looks_worse():
    claim(
        "I01.example",
        "A draws 10 % of those who look and stands first, B draws 20 % and stands fifth, where 28 % look: click rates "
        "of 10.0 % and 5.5 %",
        np.isclose(0.10 * LOOK[0], 0.10) and abs(0.20 * LOOK[4] - 0.055) < 0.0005 and abs(LOOK[4] - 0.28) < 0.005,
    )


def test_the_raw_click_rate_repeats_the_old_order(lists):
    raw, weighted = lists.mean(lists.clicks), lists.mean(lists.clicks / LOOK)
    claim(
        "I01.raw",
        "Lists ordered by an old score: the raw click rate of the items correlates with their appeal at 0.86 and with "
        "the old score at 0.86; clicks divided by the look at 0.94 and 0.53; the appeal itself with the old score 0.57",
        np.allclose([alike(raw, x) for x in (lists.appeal, lists.old)], [0.863, 0.857], atol=0.01)
        and np.allclose([alike(weighted, x) for x in (lists.appeal, lists.old)], [0.937, 0.531], atol=0.01)
        and abs(alike(lists.appeal, lists.old) - 0.571) < 0.005,
    )


def test_click_rates_by_place_blame_the_place_for_the_items(lists):
    naive = lists.clicks.mean(0) / lists.clicks[:, 0].mean()
    claim(
        "I01.naive-look",
        "Click rate at place ten over place one: 0.06 in lists ordered by an old score, where the look is 0.16; every "
        "place below the first comes out too low",
        abs(naive[9] - 0.059) < 0.004 and abs(LOOK[9] - 0.158) < 0.001 and (naive[1:] < LOOK[1:]).all(),
    )


def factorised(lists, n_rounds=50):
    """Look of each place and appeal of each item from clicks alone, by turns; the first place is 1."""
    look = np.ones(10)
    for _ in range(n_rounds):
        looks = lists.mean(np.broadcast_to(look, lists.items.shape))  # 0 for an item that is in no list
        appeal = lists.mean(lists.clicks) / np.where(looks > 0, looks, 1)
        look = lists.clicks.sum(0) / appeal[lists.items].sum(0)
        look /= look[0]
    return look, appeal


def test_look_times_appeal_can_be_taken_apart_if_items_change_places(lists):
    look, appeal = factorised(lists)
    claim(
        "I01.factors",
        "From the same lists look and appeal fitted together: every look within 0.04 of the truth, appeal correlates "
        "at 0.94",
        np.abs(look - LOOK).max() < 0.04 and abs(alike(appeal, lists.appeal) - 0.941) < 0.006,
    )
    fixed = Lists()
    fixed.items = np.tile(np.arange(10), (1_000, 1))
    fixed.clicks = np.tile(0.2 * LOOK, (1_000, 1))  # what ten equal items, each at its own place, get on average
    look, appeal = factorised(fixed)
    claim(
        "I01.unidentified",
        "Ten equal items, each always at the same place: the fit finds a flat look and items of which the last is six "
        "times worse than the first, with the very same click rates",
        np.allclose(look, 1) and abs(appeal[0] / appeal[9] - 6.3) < 0.05 and np.allclose(appeal[:10], 0.2 * LOOK),
    )


def test_swapping_neighbours_is_a_cheap_experiment(lists):
    appeal = lists.appeal[lists.items]  # [n_lists, 10]
    now = (LOOK * appeal).sum(1).mean()
    shuffled = (LOOK * appeal.mean(1, keepdims=True)).sum(1).mean() / now - 1
    swapped, draw, look = [], np.random.default_rng(5), [1.0]
    for k in range(9):
        pair, places = appeal[:, [k, k + 1]], LOOK[[k, k + 1]]
        swapped.append(0.5 * ((pair[:, ::-1] - pair) * places).sum(1).mean() / now)
        flip = draw.random(N_LISTS) < 0.5
        clicks = draw.random(pair.shape) < places * np.where(flip[:, None], pair[:, ::-1], pair)
        look.append(look[-1] * clicks[:, 1].sum() / clicks[:, 0].sum())
    claim(
        "I01.swap",
        "Shuffling a list of ten costs 13 % of its clicks, exchanging one pair of neighbours in half of the cases 0.15 "
        "%; the ratios of clicks in the exchanged pairs give every look within 0.04",
        abs(shuffled + 0.133) < 0.005
        and abs(np.mean(swapped) + 0.0015) < 0.0003
        and np.abs(np.array(look) - LOOK).max() < 0.04,
    )


def test_weights_make_noise_and_carry_every_mistake():
    """Clicks at random places have the look as their distribution over places; each is weighted by one over it."""
    places, weights = LOOK / LOOK.sum(), 1 / LOOK
    effective = (places @ weights) ** 2 / (places @ weights**2)
    halved = (LOOK / 0.5 ** np.arange(10)).mean()
    claim(
        "I01.weights",
        "Clicks at ten places with weights of 1 to 6.3 are worth 74 % of their number; with a look that is taken to "
        "halve from place to place the estimated appeal is 18 times too high",
        abs(weights.max() - 6.3) < 0.05 and abs(effective - 0.74) < 0.005 and abs(halved - 18.2) < 0.1,
    )


@pytest.fixture(scope="module")
def days():
    """The log of a feed with lists of eight: 25 days to learn from, five to ask about."""
    rows = movielens().items["genres"][:300]
    names = sorted({name for row in rows for name in row})
    log = Feed(torch.tensor([[name in row for name in names] for row in rows]), n_users=500).log(30)
    return log[log.times < 25], log[log.times >= 25]


def test_the_place_that_is_served_must_not_decide_the_order(days):
    train, test = days
    first = {}
    for ranker in (Logistic(positions=True), Trees(positions=True)):
        ranker.fit(train)
        best = [
            ranker.predict(replace(test, positions=torch.full_like(test.positions, place))).view(-1, 8).argmax(1)
            for place in (0, 7)
        ]
        first[type(ranker).__name__] = float((best[0] != best[1]).double().mean())
    claim(
        "I01.default-place",
        "A ranker is told the place and asked for all eight candidates at place 0, then at place 7: logistic "
        "regression, where the place only adds, puts the same one first; boosted trees, where it may cross, put "
        "another one first in about half of the lists",
        first["Logistic"] == 0 and 0.4 < first["Trees"] < 0.65,
    )
