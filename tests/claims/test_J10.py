"""What the answer to J10 (generating codes or searching vectors) states."""

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from recsys_course import claim

CODES = 16


@pytest.fixture(scope="module")
def codes(content):
    """Two codes for each film by residual k-means: the first, and the pair as one number."""
    left, found = content - content.mean(0), []
    for level in range(2):
        fitted = KMeans(CODES, n_init=1, random_state=level).fit(left)
        left = left - fitted.cluster_centers_[fitted.labels_]
        found.append(fitted.labels_)
    return found[0], found[0] * CODES + found[1]


@pytest.fixture(scope="module")
def chances(random_splits, ease):
    """A perfect model: what 200 users like next, ``[200, 1682]``, a softmax of EASE's scores, by temperature."""
    users = np.random.default_rng(0).permutation(943)[:200]
    seen = random_splits[0].train.matrix().toarray()[users] > 0
    scores = np.where(seen, -np.inf, ease[0].scores(torch.from_numpy(users)).numpy())
    found = {}
    for temperature in (0.05, 0.1, 0.2):
        powers = np.exp((scores - scores.max(1, keepdims=True)) / temperature)
        found[temperature] = powers / powers.sum(1, keepdims=True)
    return found


def beam(first, pair, chances, width):
    """The ten films that a beam of this width finds: first code, second code, film; a chance is exact at each step."""
    level = np.bincount(first, chances, minlength=CODES)
    kept = level.argsort(kind="stable")[::-1][:width]
    level = np.where(np.isin(np.arange(CODES**2) // CODES, kept), np.bincount(pair, chances, minlength=CODES**2), -1.0)
    kept = level.argsort(kind="stable")[::-1][:width]
    return np.where(np.isin(pair, kept), chances, -1.0).argsort(kind="stable")[::-1][:10]


def test_a_perfect_model_still_loses_by_its_beam(codes, chances):
    def found(temperature, width):
        best = [p.argsort(kind="stable")[::-1][:10] for p in chances[temperature]]
        lists = [beam(*codes, p, width) for p in chances[temperature]]
        return np.mean([len(set(one) & set(other)) / 10 for one, other in zip(lists, best, strict=True)])

    claim(
        "J10.beam",
        "1,682 films as two codes of 16 and a film, EASE's scores as exact chances, 200 users: a beam of 10 finds 49 % "
        "of the ten likeliest films, 20 finds 74 %, 50 finds 92 %, 256 all",
        np.allclose([found(0.1, width) for width in (10, 20, 50)], [0.494, 0.743, 0.92], atol=0.02)
        and found(0.1, 256) == 1.0,
    )
    claim(
        "J10.sharp",
        "At half of the temperature a beam of 10 finds 78 %, at twice the temperature 28 %",
        np.allclose([found(0.05, 10), found(0.2, 10)], [0.775, 0.28], atol=0.02),
    )


def test_what_is_not_in_stock(codes, chances):
    chances = chances[0.1]
    stock = np.random.default_rng(1).random(chances.shape) < 0.5
    after = [left[beam(*codes, p, 50)].sum() for p, left in zip(chances, stock, strict=True)]
    inside = [left[beam(*codes, p * left, 50)].sum() for p, left in zip(chances, stock, strict=True)]
    claim(
        "J10.stock",
        "Half of the films out of stock: a filter after the beam leaves 5 of 10 on average, a mask in the trie 10",
        abs(np.mean(after) - 5) < 0.3 and np.min(inside) == 10,
    )


def test_tuples_that_are_no_film(codes):
    pair = codes[1]
    sizes = np.bincount(pair, minlength=CODES**2)
    claim(
        "J10.invalid",
        "Of the 256 pairs of codes about 160 belong to a film; with the last token, which counts to 193, 3 % of the "
        "tuples do",
        abs((sizes > 0).sum() - 159) < 12 and abs(len(pair) / (CODES**2 * sizes.max()) - 0.034) < 0.008,
    )


def test_the_bill():
    parameters, history, width, levels = 1e9, 512, 256, 3
    generate = 2 * parameters * (history + width * (levels - 1))
    card = 0.288 * 989e12
    claim(
        "J10.generate",
        "1 billion parameters, 512 tokens of history, 256 beams, three codes: 2.05 TFLOP a request; 10,000 a second "
        "are 72 cards of 989 TFLOP/s at 28.8 %",
        abs(generate / 2.048e12 - 1) < 1e-9 and abs(1e4 * generate / card - 72) < 0.5,
    )
    scan = 2 * 64 * 1e8
    claim(
        "J10.scan",
        "Dot products with all of 100 million vectors of 64 numbers: 12.8 GFLOP, 160 times less, and 12.8 GB in fp16 "
        "read in 3.8 ms at 3.35 TB/s",
        scan == 12.8e9 and generate / scan == 160 and abs(12.8e9 / 3.35e12 - 3.8e-3) < 0.05e-3,
    )
    claim(
        "J10.trie",
        "A trie of 100 million items at 24 bytes each is 2.4 GB",
        abs(100e6 * 24 - 2.4e9) < 1,
    )
