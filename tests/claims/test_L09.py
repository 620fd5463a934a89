"""What the answer to L09 (catching a broken embedding push in five minutes) states."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.sparse.linalg import svds
from scipy.special import expit
from scipy.stats import norm, rankdata

from recsys_course import claim


def trained(likes, seed):
    """User and item vectors of 32 numbers; each training ends turned in a way of its own, which no loss sees."""
    left, sizes, right = svds(likes, k=32, v0=np.ones(min(likes.shape)))
    signs = np.sign(right[np.arange(32), np.abs(right).argmax(1)])  # the same on every machine
    left, right = left * signs, right * signs[:, None]
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(32, 32)))[0]
    return left * sizes @ turn, right.T @ turn


def stability_index(expected, found, n_bins=10):
    """Population stability index on bins with equally many expected values, fewer where many values are equal."""
    edges = np.unique(np.quantile(expected, np.linspace(0, 1, n_bins + 1)[1:-1]))
    p, q = (np.bincount(np.searchsorted(edges, x), minlength=len(edges) + 1) / len(x) for x in (expected, found))
    return float(((p - q) * np.log(p / q)).sum())


@dataclass(frozen=True)
class Reading:
    """What the instruments show after a push, against the version before."""

    overlap: np.ndarray  # share of the old ten in the new ten, [n_users]
    index: float  # stability index of the scores of all pairs
    level: float  # mean score of the lists over the old one
    shard: float  # share of the places that go to one shard of 20
    recall: float


def read(split, seed):
    """A good push and four broken ones, ``{name: Reading}``, and what vector drift says about the good one."""
    likes = split.train.positives().matrix().toarray().astype(float)
    seen, liked = (part.matrix().toarray() > 0 for part in (split.train, split.test))
    old = trained(likes * (np.random.default_rng(seed).random(likes.shape) < 0.97), 1)
    users, items = trained(likes, 2)
    shard = np.arange(len(items)) % 20 == 3
    pushes = {
        "before": old,
        "good": (users, items),
        "shifted": (users, np.roll(items, 1, axis=0)),
        "old items": (users, old[1]),
        "shard": (users, np.where(shard[:, None], 0, items)),
        "scale": (users, 2 * items),
    }
    scores = {name: np.where(seen, np.nan, left @ right.T) for name, (left, right) in pushes.items()}
    lists = {name: np.argsort(-np.nan_to_num(s, nan=-np.inf), axis=1)[:, :10] for name, s in scores.items()}
    level = {name: np.take_along_axis(scores[name], lists[name], 1).mean() for name in lists}
    was, judged, found = np.zeros(seen.shape, dtype=bool), liked.any(1), {}
    np.put_along_axis(was, lists["before"], True, 1)
    for name, ten in lists.items():
        found[name] = Reading(
            np.take_along_axis(was, ten, 1).mean(1),
            stability_index(scores["before"][~seen], scores[name][~seen]),
            level[name] / level["before"],
            shard[ten].mean(),
            (np.take_along_axis(liked, ten, 1).sum(1)[judged] / liked.sum(1)[judged]).mean(),
        )
    lengths = np.linalg.norm(old[1], axis=1) * np.linalg.norm(items, axis=1)
    there = lengths > 1e-9
    return found, np.abs((old[1] * items).sum(1)[there] / lengths[there]).mean()


@pytest.fixture(scope="module")
def readings(random_splits):
    return [read(split, seed) for seed, split in enumerate(random_splits)]


def every(readings, name, value):
    return np.array([value(found[name]) for found, _ in readings])


def test_each_instrument_is_blind_to_something(readings):
    overlap = {name: every(readings, name, lambda r: r.overlap.mean()) for name in readings[0][0]}
    recall = {name: every(readings, name, lambda r: r.recall) for name in readings[0][0]}
    claim(
        "L09.overlap",
        "MovieLens, factors of 32 numbers, 3 % of the likes new: a good push keeps 76 % of each list on average and "
        "at least 6 of 10 for 90 % of the users; rows moved by one keep 6 %, users against the items of the version "
        "before 7 %; recall@10 is 0.25, 0.04 and 0.05; three splits",
        abs(overlap["good"].mean() - 0.76) < 0.015
        and every(readings, "good", lambda r: np.quantile(r.overlap, 0.1)).min() > 0.59
        and abs(overlap["shifted"].mean() - 0.06) < 0.01
        and abs(overlap["old items"].mean() - 0.072) < 0.01
        and abs(recall["good"].mean() - 0.25) < 0.01
        and abs(recall["shifted"].mean() - 0.043) < 0.006
        and abs(recall["old items"].mean() - 0.048) < 0.006,
    )
    claim(
        "L09.index",
        "The stability index of all scores is under 0.01 for the rows moved by one; it is above 0.13 for the old items "
        "and as well for doubled vectors, which change no list",
        every(readings, "shifted", lambda r: r.index).max() < 0.01
        and every(readings, "old items", lambda r: r.index).min() > 0.13
        and every(readings, "scale", lambda r: r.index).min() > 0.13,
    )
    claim(
        "L09.level",
        "The mean score of the lists rises by 68 % with the rows moved by one, and stays within 6 % with the old items",
        np.allclose(every(readings, "shifted", lambda r: r.level), 1.68, atol=0.02)
        and np.allclose(every(readings, "old items", lambda r: r.level), 1, atol=0.06),
    )
    places = every(readings, "good", lambda r: r.shard)
    claim(
        "L09.shard",
        "One shard of 20 left empty: overlap 0.75 instead of 0.76, recall within 0.005, and its share of the places "
        "falls from 3.2 % to 0.01 %; in 100 requests of a good push the chance to see none of it is below 1e-12",
        (overlap["good"] - overlap["shard"] < 0.015).all()
        and (recall["good"] - recall["shard"] < 0.005).all()
        and every(readings, "shard", lambda r: r.shard).max() < 0.0002
        and abs(places.mean() - 0.032) < 0.003
        and ((1 - places) ** 1000).max() < 1e-12,
    )
    claim(
        "L09.scale",
        "All item vectors doubled: the same lists, and scores of twice the size, which the level shows",
        all((found["scale"].overlap == found["good"].overlap).all() for found, _ in readings)
        and np.allclose(every(readings, "scale", lambda r: r.level) / every(readings, "good", lambda r: r.level), 2)
        and (abs(every(readings, "good", lambda r: r.level) - 1) < 0.05).all(),
    )
    claim(
        "L09.drift",
        "The cosine between an item's vector before and after a good push, without its sign, is 0.14 on average",
        all(abs(cosine - 0.14) < 0.01 for _, cosine in readings),
    )


def test_how_many_requests_the_overlap_needs(readings):
    good = readings[0][0]["good"].overlap
    bad = readings[0][0]["old items"].overlap
    draw = np.random.default_rng(0)
    means = [np.mean(draw.choice(x, (10_000, 20)), axis=1) for x in (good, bad)]
    claim(
        "L09.twenty",
        "Twenty requests, alarm below half of the list in common on average: no false alarm and none missed in 10,000 "
        "draws each",
        means[0].min() > 0.5 > means[1].max(),
    )


def auc(labels, scores):
    """Chance that a positive has the higher score, ties counting half."""
    n = labels.sum()
    return (rankdata(scores)[labels > 0].sum() - n * (n + 1) / 2) / (n * (len(labels) - n))


def test_five_minutes_do_not_show_in_a_daily_metric():
    draw = np.random.default_rng(0)
    merit = draw.normal(size=1_000_000)
    clicks, found = draw.random(len(merit)) < expit(-3.3 + merit), {}
    for minutes in (0, 5, 60):
        broken, scores = int(len(merit) * minutes / 1440), merit.copy()
        scores[:broken] = draw.permutation(scores[:broken])
        found[minutes] = auc(clicks, scores)
    claim(
        "L09.daily",
        "A million impressions a day, AUC 0.755; scores without any meaning for five minutes cost 0.001 of the day's "
        "AUC, for an hour 0.011",
        abs(found[0] - 0.755) < 0.003
        and 0.0003 < found[0] - found[5] < 0.0015
        and abs(found[0] - found[60] - 0.011) < 0.002,
    )


def test_what_five_minutes_of_clicks_can_show():
    clicks = 1000 * 300 * 10 * 0.05
    claim(
        "L09.calibration",
        "1,000 requests a second with ten items and a click rate of 5 %: 150,000 clicks in five minutes, predicted "
        "over observed clicks to 0.5 % with 95 % confidence",
        np.isclose(clicks, 150_000) and abs(1.96 / clicks**0.5 - 0.005) < 0.0001,
    )
    swing = 0.2 / 2**0.5
    claim(
        "L09.control",
        "A rate that swings by 20 % over the day has a spread of 14 %, so a fall by 5 % is a third of it; against the "
        "old version in the same minute, with a noise of 1 %, it is five times the spread",
        abs(swing - 0.14) < 0.002 and abs(0.05 / swing - 0.35) < 0.01 and np.isclose(0.05 / 0.01, 5),
    )


def test_alarms_that_nobody_reads():
    beyond = 2 * norm.sf(3)
    draw, days, metrics = np.random.default_rng(0), 20, 200
    value, runs, starts = draw.normal(size=metrics), np.zeros(metrics, dtype=int), 0
    for _ in range(days * 1440):
        value = 0.9 * value + 0.19**0.5 * draw.normal(size=metrics)
        runs = np.where(abs(value) > 3, runs + 1, 0)
        starts += (runs == 3).sum()
    claim(
        "L09.fatigue",
        "200 healthy metrics a minute, alarm beyond three standard deviations: 778 alarms a day; three minutes in a "
        "row 0.006 if minutes are independent, about 80 if neighbouring minutes correlate at 0.9",
        round(metrics * 1440 * beyond) == 778
        and abs(metrics * 1440 * beyond**3 - 0.0057) < 0.0002
        and abs(starts / days - 80) < 10,
    )
