"""What the answer to P02 (CTR +8 %, artist diversity -22 %) states."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from recsys_course import claim
from recsys_course.data.movielens import movielens
from recsys_course.models import ItemKNN


@dataclass(frozen=True)
class Lists:
    """Ten films for each user of one split, from the old model, the new one and the new one with a penalty."""

    hits: dict[str, np.ndarray]  # hits of each judged user
    films: dict[str, float]  # as many films, each with the same share, would be as varied: exp of the entropy
    shown: dict[str, int]  # different films in all lists
    kinds: dict[str, float]  # different genres in a list, a film counted by its rarest


def compare(split, ease):
    """ItemKNN is the old model, EASE the new one."""
    users = torch.arange(split.train.n_users)
    seen, liked = (part.matrix().toarray() > 0 for part in (split.train, split.test))
    scores = {"old": ItemKNN().fit(split.train).scores(users).numpy(), "new": ease.scores(users).numpy()}
    popular = np.log1p(seen.sum(0))
    scores |= {"mild": scores["new"] - 0.02 * popular, "strong": scores["new"] - 0.05 * popular}
    genres = sorted({name for row in movielens().items["genres"] for name in row})
    table = np.array([[name in row for name in genres] for row in movielens().items["genres"]])
    rarest = np.where(table, table.sum(0), np.inf).argmin(1)
    judged, hits, films, shown, kinds = liked.any(1), {}, {}, {}, {}
    for name, table in scores.items():
        ten = np.argsort(-np.where(seen, -np.inf, table), axis=1, kind="stable")[:, :10]
        share = np.bincount(ten.ravel()) / ten.size
        hits[name] = np.take_along_axis(liked, ten, 1).sum(1)[judged]
        films[name] = np.exp(-(share[share > 0] * np.log(share[share > 0])).sum())
        shown[name] = np.count_nonzero(share)
        kinds[name] = np.mean([len(set(row)) for row in rarest[ten]])
    return Lists(hits, films, shown, kinds)


@pytest.fixture(scope="module")
def lists(random_splits, ease):
    return [compare(split, model) for split, model in zip(random_splits, ease, strict=True)]


def change(lists, name, value):
    """By how much a value of the named lists differs from the old model's, one number for each split."""
    return np.array([value(found, name) / value(found, "old") - 1 for found in lists])


def mean_hits(found, name):
    return found.hits[name].mean()


def test_more_hits_and_fewer_films(lists):
    claim(
        "P02.trade",
        "MovieLens, ItemKNN replaced by EASE: hits in the ten +13 %, films shown -30 %, effective films -24 %, "
        "genres in a list +2 %; three splits, within 3 points each",
        np.allclose(change(lists, "new", mean_hits), 0.13, atol=0.03)
        and np.allclose(change(lists, "new", lambda f, n: f.shown[n]), -0.30, atol=0.03)
        and np.allclose(change(lists, "new", lambda f, n: f.films[n]), -0.24, atol=0.03)
        and np.allclose(change(lists, "new", lambda f, n: f.kinds[n]), 0.02, atol=0.03)
        and change(lists, "new", lambda f, n: f.kinds[n]).min() > 0,
    )
    kept = change(lists, "mild", mean_hits) / change(lists, "new", mean_hits)
    claim(
        "P02.penalty",
        "A penalty of 0.02 times the logarithm of the popularity keeps 85 % of the gain and halves the loss of "
        "effective films, to -11 %; 0.05 loses 15 % of the hits against the old model and 63 % of the films",
        np.allclose(kept, 0.85, atol=0.06)
        and np.allclose(change(lists, "mild", lambda f, n: f.films[n]), -0.11, atol=0.02)
        and np.allclose(change(lists, "strong", mean_hits), -0.15, atol=0.03)
        and np.allclose(change(lists, "strong", lambda f, n: f.films[n]), -0.63, atol=0.02),
    )
    gaps = np.concatenate([found.hits["new"] - found.hits["old"] for found in lists])
    claim(
        "P02.losers",
        "Under these +13 % there are 36 % of the users with more hits, 16 % with fewer and 48 % with as many",
        np.allclose([(gaps > 0).mean(), (gaps < 0).mean(), (gaps == 0).mean()], [0.365, 0.16, 0.475], atol=0.015),
    )


def test_a_mean_of_eight_from_a_fifth_of_the_users():
    claim(
        "P02.cohorts",
        "A fifth of the users make 60 % of the impressions and gain 15 %, the others lose 2.5 %: +8 % in total, with "
        "four of five users worse off",
        np.isclose(0.6 * 0.15 - 0.4 * 0.025, 0.08),
    )


def test_how_much_retention_eats_the_gain():
    weeks = {share: 1 / (1 - share) for share in (0.95, 0.946, 0.945)}
    claim(
        "P02.retention",
        "95 % return each week, 20 weeks on average; 94.6 % are 18.5, and 8 % more clicks a week make up for just "
        "that; at 94.5 % the clicks of a lifetime fall by 2 %",
        np.isclose(weeks[0.95], 20)
        and abs(weeks[0.946] - 18.5) < 0.05
        and abs(1.08 * weeks[0.946] / weeks[0.95] - 1) < 0.001
        and abs(1.08 * weeks[0.945] / weeks[0.95] - 0.982) < 0.001,
    )
    claim(
        "P02.size",
        "Sixteen times the variance over the squared difference: 47,500 users in each arm for 95 against 94.6 %, "
        "190,000 for a difference of 0.2 points",
        [round(16 * 0.95 * 0.05 / gap**2) for gap in (0.004, 0.002)] == [47_500, 190_000],
    )


def test_an_effect_that_wears_off():
    days = 3 + 13.5 * np.exp(-np.arange(60) / 5)
    claim(
        "P02.novelty",
        "An effect of 3 % plus 13.5 % that fades with a time constant of five days: 16.5 % on the first day, 8 % as "
        "the mean of two weeks, 4 % on the last of them, 3 % after two months",
        np.isclose(days[0], 16.5)
        and abs(days[:14].mean() - 8) < 0.05
        and abs(days[13] - 4.0) < 0.05
        and abs(days[59] - 3) < 0.01,
    )


def test_which_diversity():
    """Four users and four artists, two places each; the old lists and two new ones."""
    old = np.array([[0, 1], [0, 1], [0, 1], [0, 1]])
    own = np.array([[0, 0], [1, 1], [2, 2], [3, 3]])

    def within(lists):
        return np.mean([len(set(row)) for row in lists.tolist()])

    claim(
        "P02.which",
        "All four users get artists A and B; then each gets one artist of his own twice: artists in a list fall from 2 "
        "to 1, artists in all lists rise from 2 to 4",
        (within(old), len(np.unique(old)), within(own), len(np.unique(own))) == (2, 2, 1, 4),
    )
