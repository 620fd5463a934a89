"""What the answer to C01 (why two towers) states."""

import numpy as np
import torch
from torch import nn

from recsys_course import claim


def test_a_network_on_each_pair_costs_a_thousand_times_a_dot_product():
    layers = [nn.Linear(128, 256), nn.Linear(256, 128), nn.Linear(128, 1)]  # user and item vectors of 64, side by side
    pair = sum(layer.weight.numel() for layer in layers)
    claim(
        "C01.cost",
        "A network of 128-256-128-1 takes 65,664 multiplications a pair, a dot product of 64 numbers 64: 1,026 times",
        pair == 65_664 and pair // 64 == 1_026,
    )


def test_a_dot_product_is_an_interaction():
    signs = np.array([1.0, -1.0])
    users, items = signs[:, None], signs[:, None]  # one dimension each
    wanted = np.array([[1, -1], [-1, 1]])  # likes it where the two signs agree: exclusive or
    claim(
        "C01.xor",
        "Exclusive or of a user's and an item's feature is a dot product of one dimension",
        np.array_equal(users @ items.T, wanted),
    )


def test_what_a_table_of_scores_needs_in_dimensions():
    follows = np.eye(100)  # user u follows creator u
    left, values, right = np.linalg.svd(follows)
    best = (left[:, :8] * values[:8]) @ right[:8]  # no product of 8 dimensions comes closer (Eckart and Young)
    exact = np.eye(100) @ np.eye(100).T
    claim(
        "C01.rank",
        "100 users who each follow another of 100 creators: 8 dimensions leave 92 % of the squared table unexplained, "
        "100 none",
        abs(((follows - best) ** 2).sum() / (follows**2).sum() - 0.92) < 1e-9 and np.array_equal(exact, follows),
    )
    angle = 2 * np.pi * np.arange(100) / 100
    circle = np.stack([np.cos(angle), np.sin(angle)], 1)
    claim(
        "C01.circle",
        "Two dimensions are enough to put each of these users' creator first",
        np.array_equal((circle @ circle.T).argmax(1), np.arange(100)),
    )


def test_few_dimensions_can_serve_few_of_the_possible_lists():
    angle = 2 * np.pi * np.arange(12) / 12
    items = np.stack([np.cos(angle), np.sin(angle)], 1)
    draw = np.random.default_rng(0)
    queries = draw.normal(size=(100_000, 2))
    pairs = {tuple(pair) for pair in np.sort(np.argsort(-queries @ items.T, axis=1)[:, :2], axis=1).tolist()}
    claim(
        "C01.few-lists",
        "Of the 66 pairs of 12 items on a circle only 12 are the top two of some user with two dimensions",
        len(pairs) == 12 and all((second - first) % 12 in (1, 11) for first, second in pairs),
    )


def test_a_history_that_holds_the_target_makes_random_vectors_look_clever(random_splits):
    """Untrained: a user's vector is the sum of random vectors of the likes, each like in turn the target."""
    likes = random_splits[0].train.positives()
    vectors = torch.randn(likes.n_items, 128, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    sums = torch.zeros(likes.n_users, 128, dtype=torch.float64).index_add(0, likes.users, vectors[likes.items])
    picked = torch.randperm(len(likes), generator=torch.Generator().manual_seed(1))[:5_000]
    users, targets = likes.users[picked], likes.items[picked]
    hits = {}
    for name, queries in (("leak", sums[users]), ("honest", sums[users] - vectors[targets])):
        scores = queries @ vectors.T
        own = scores.gather(1, targets[:, None])
        others = likes.dense(users).scatter(1, targets[:, None], False)  # the rest of the history is not ranked
        hits[name] = float((((scores > own) & ~others).sum(1) < 10).double().mean())
    claim(
        "C01.target-in-history",
        "Random vectors of 128 dimensions, nothing learnt, likes of the training part: HR@10 is 0.19 with the target "
        "in the summed history and under 0.01 without",
        abs(hits["leak"] - 0.19) < 0.01 and hits["honest"] < 0.01,
    )
