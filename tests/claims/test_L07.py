"""What the answer to L07 (training-serving skew) states."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import rankdata

from recsys_course import claim


def auc(labels, scores):
    """Chance that a positive has the higher score, ties counting half."""
    n = labels.sum()
    return (rankdata(scores)[labels > 0].sum() - n * (n + 1) / 2) / (n * (len(labels) - n))


@pytest.fixture(scope="module")
def in_time(ratings):
    """Film and label (4 stars or more) of each rating, in the order of time."""
    order = np.lexsort((np.arange(len(ratings)), ratings.times.numpy()))
    return ratings.items.numpy()[order], (ratings.ratings.numpy()[order] >= 4).astype(float)


def smoothed(likes, n):
    return (likes + 5 * 0.55) / (n + 5)


def over_the_log(films, labels):
    """Each film's share of likes in the whole log."""
    return smoothed(np.bincount(films, labels), np.bincount(films))[films]


def as_of(films, labels):
    """Each film's share of likes before the rating."""
    order = np.argsort(films, kind="stable")
    first = np.searchsorted(films[order], films[order])  # [n], where each row's film begins
    sums = np.cumsum(labels[order]) - labels[order]
    shares = np.empty(len(films))
    shares[order] = smoothed(sums - sums[first], np.arange(len(films)) - first)
    return shares


def test_a_rate_over_the_whole_log_knows_its_own_label(in_time):
    films, liked = in_time
    rare = np.bincount(films)[films] < 20
    late, known = over_the_log(films, liked), as_of(films, liked)
    claim(
        "L07.whole-log",
        "A film's share of likes and whether this rating is one: AUC 0.727 over the whole log, 0.698 as of the "
        "rating; for films with fewer than 20 ratings, 5 % of all ratings, 0.77 and 0.61",
        abs(auc(liked, late) - 0.727) < 0.002
        and abs(auc(liked, known) - 0.698) < 0.002
        and abs(auc(liked[rare], late[rare]) - 0.773) < 0.005
        and abs(auc(liked[rare], known[rare]) - 0.608) < 0.005
        and abs(rare.mean() - 0.05) < 0.002,
    )
    found = []
    for seed in (0, 1, 2):
        lot = np.random.default_rng(seed).permutation(liked)
        found.append([auc(lot, over_the_log(films, lot)), auc(lot, as_of(films, lot))])
    claim(
        "L07.noise",
        "Labels by lot: the share over the whole log has AUC 0.56, as of the rating 0.50; three draws",
        np.allclose(found, [0.563, 0.5], atol=0.004),
    )


def fit_line(x, labels):
    """Two numbers of a logistic regression, by Newton's method."""
    columns, weights = np.stack([np.ones_like(x), x], 1), np.zeros(2)
    for _ in range(15):
        p = expit(columns @ weights)
        weights += np.linalg.solve((columns * (p * (1 - p))[:, None]).T @ columns, columns.T @ (labels - p))
    return lambda x: expit(weights[0] + weights[1] * x)


def test_two_defaults_for_a_missing_rate():
    """Training fills a missing click rate with the average 0.05, serving with 0.001."""
    draw = np.random.default_rng(0)
    merit, missing = draw.normal(size=200_000), draw.random(200_000) < 0.1
    clicks = draw.random(200_000) < expit(-2 + merit)
    rate = 0.05 * np.exp(0.7 * merit)
    trained, served = (np.log(np.where(missing, default, rate)) for default in (0.05, 0.001))
    model = fit_line(trained, clicks)
    before, after = model(trained), model(served)

    def half(scores):
        """Share of items without a rate among the upper 50 of 100."""
        order = np.argsort(-scores.reshape(-1, 100), axis=1)[:, :50]
        return np.take_along_axis(missing.reshape(-1, 100), order, 1).mean()

    claim(
        "L07.default",
        "One item in ten has no click rate; training fills in 0.05, serving 0.001: their predicted rate falls from "
        "0.12 to under 0.001 where 0.16 is true, their share of the upper half from 10 % to none, AUC from 0.73 to "
        "0.70, while the mean prediction falls by 8 % only",
        abs(before[missing].mean() - 0.123) < 0.004
        and after[missing].mean() < 0.001
        and abs(clicks[missing].mean() - 0.159) < 0.005
        and abs(half(before) - 0.10) < 0.01
        and half(after) == 0
        and abs(auc(clicks, before) - 0.731) < 0.003
        and abs(auc(clicks, after) - 0.698) < 0.003
        and abs(after.mean() / before.mean() - 0.92) < 0.01,
    )


def stability_index(expected, found, n_bins=10):
    """Population stability index on bins with equally many expected values."""
    edges = np.quantile(expected, np.linspace(0, 1, n_bins + 1)[1:-1])
    p, q = (np.bincount(np.searchsorted(edges, x), minlength=n_bins) / len(x) for x in (expected, found))
    return float(((p - q) * np.log(p / q)).sum())


def test_a_distribution_looks_right_when_every_row_is_wrong():
    right, wrong, index, lost = [], [], [], []
    for seed in (0, 1, 2):
        draw = np.random.default_rng(seed)
        rates = draw.lognormal(size=100_000)
        clicks = draw.random(100_000) < expit(np.log(rates) - 2)
        shifted = np.roll(rates, 1)
        assert (rates != shifted).all()
        right.append(auc(clicks, rates))
        wrong.append(auc(clicks, shifted))
        index.append(stability_index(rates, shifted))
        lost.append(stability_index(rates, np.where(draw.random(100_000) < 0.01, 0, rates)))
    claim(
        "L07.shifted",
        "A feature joined to the next row: its distribution is the same, stability index 0, every value is wrong, and "
        "its AUC falls from 0.75 to 0.50; 1 % of the values set to 0 give an index under 0.002; three draws",
        max(index) < 1e-12
        and abs(np.mean(right) - 0.748) < 0.004
        and abs(np.mean(wrong) - 0.5) < 0.005
        and 0 < max(lost) < 0.002,
    )


def test_how_many_rows_to_compare():
    claim(
        "L07.rows",
        "If 1 % of the rows differ, 459 compared rows show one with a chance of 99 %, 458 do not",
        1 - 0.99**459 >= 0.99 > 1 - 0.99**458,
    )


def test_a_hash_that_changes_with_the_process():
    code = "import json; print(json.dumps([hash(f'film{i}') % 1000 for i in range(1000)]))"
    buckets = []
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"PYTHONHASHSEED": seed},
        )
        buckets.append(json.loads(run.stdout))
    same = np.mean([a == b for a, b in zip(*buckets, strict=True)])
    claim(
        "L07.hash",
        "Python's hash of a thousand strings into 1,000 buckets, in two processes with other seeds: under 1 % of the "
        "strings fall into the same bucket",
        same < 0.01,
    )


def test_how_much_there_is_to_log():
    requests, candidates, shown, features, size = 10_000, 500, 10, 300, 4
    second = requests * candidates * features * size
    claim(
        "L07.volume",
        "10,000 requests a second with 500 candidates of 300 features of 4 bytes are 6 GB a second, 518 TB a day; the "
        "ten that are shown are 10.4 TB a day",
        second == 6e9
        and round(second * 86_400 / 1e12) == 518
        and round(second * 86_400 / 1e12 * shown / candidates, 1) == 10.4,
    )
