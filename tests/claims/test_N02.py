"""What the answer to N02 (PinSage and billions of nodes) states."""

import numpy as np
import pytest
from scipy import sparse

from recsys_course import claim


@pytest.fixture(scope="module")
def likes(random_splits):
    return random_splits[0].train.positives().matrix().astype(float)


def test_hops_reach_everything(likes):
    """Films within 2 and 4 hops of a film, of those with a like."""
    together = (likes.T @ likes > 0).astype(float)
    two = np.asarray((together > 0).sum(1)).ravel()
    known = two > 0
    four = np.asarray(((together @ together) > 0).sum(1)).ravel()
    share = [np.median(hops[known]) / known.sum() for hops in (two, four)]
    claim(
        "N02.hops",
        "MovieLens, median film: 39 % of all liked films lie within two hops, over 99 % within four",
        abs(share[0] - 0.39) < 0.02 and share[1] > 0.99,
    )


def walk_shares(likes, start, n_walks, draw, stop=0.5):
    """How often each film is visited by walks film - user - film that end with probability ``stop`` after a step."""
    by_film, by_user = likes.T.tocsr(), likes.tocsr()
    visits = np.zeros(likes.shape[1])
    for _ in range(n_walks):
        film = start
        while True:
            fans = by_film.indices[by_film.indptr[film] : by_film.indptr[film + 1]]
            user = draw.choice(fans)
            liked = by_user.indices[by_user.indptr[user] : by_user.indptr[user + 1]]
            film = draw.choice(liked)
            visits[film] += 1
            if draw.random() < stop:
                break
    visits[start] = 0
    return visits / visits.sum()


def exact_shares(likes, start, stop=0.5):
    """The same without chance: a sum of powers of the step matrix."""
    fans, count = (np.asarray(likes.sum(axis)).ravel().clip(1) for axis in (0, 1))
    step = sparse.diags(1 / fans) @ likes.T @ sparse.diags(1 / count) @ likes
    row, total = np.eye(1, likes.shape[1], start), 0
    for _ in range(30):
        row = row @ step
        total = total + row
        row = row * (1 - stop)
    total = np.asarray(total).ravel()
    total[start] = 0
    return total / total.sum()


def test_walks_find_the_important_neighbours(likes):
    draw, fans = np.random.default_rng(0), np.asarray(likes.sum(0)).ravel()
    starts = draw.choice(np.flatnonzero((fans >= 20) & (fans <= 100)), 10, replace=False)
    met, mass = {200: [], 2_000: []}, []
    for start in starts:
        exact = exact_shares(likes, start)
        best = np.argsort(-exact)[:50]
        mass.append(exact[best].sum())
        for n in met:
            found = np.argsort(-walk_shares(likes, start, n, draw))[:50]
            met[n].append(np.isin(found, best).mean())
    claim(
        "N02.walks",
        "Ten films with 20 to 100 fans: 200 short walks name 42 % of the fifty most visited, 2,000 walks 75 %",
        abs(np.mean(met[200]) - 0.42) < 0.06 and abs(np.mean(met[2_000]) - 0.754) < 0.06,
    )
    claim("N02.mass", "The fifty hold 24 % of all visits", abs(np.mean(mass) - 0.245) < 0.02)


def test_layer_by_layer_instead_of_node_by_node():
    fan = 50
    node_by_node = 1 + fan + fan**2
    claim(
        "N02.layers",
        "Two layers with 50 neighbours: 2,551 vectors for one node on its own, of which 51 are convolutions; layer by "
        "layer 2 convolutions a node, 25 times fewer",
        node_by_node == 2_551 and abs((1 + fan) / 2 - 25.5) < 1e-9,
    )


def test_random_negatives_are_too_easy():
    n_items, n_negatives = 2_000_000, 500
    spacing = n_items / n_negatives
    chance = 1 - (1 - 1_000 / n_items) ** n_negatives
    claim(
        "N02.resolution",
        "500 random negatives out of 2 million items: one of them stands for 4,000 places, and in 78 % of the cases "
        "none is among the best 1,000",
        spacing == 4_000 and abs(1 - chance - 0.78) < 0.005,
    )


def test_memory():
    claim(
        "N02.bytes",
        "3 billion vectors of 256 numbers in fp16 are 1.5 TB; 18 billion edges as pairs of 8-byte ids 288 GB",
        3e9 * 256 * 2 == 1.536e12 and 18e9 * 16 == 288e9,
    )
