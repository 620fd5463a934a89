"""What the answer to E11 (does order matter here?) states: a first-order Markov chain on MovieLens 100K."""

import numpy as np
import torch
from torch import nn

from recsys_course import claim, claim_value, data, metrics, models
from recsys_course.base import Recommender


class Follows(Recommender):
    """What came right after the user's last item in other histories, with a little popularity.

    ``order`` is ``real``, ``reversed`` (counts from the later to the earlier), ``ties`` (at random within one second)
    or ``shuffled`` (each history in random order, the last item included).
    """

    def __init__(self, order="real", seed=0):
        self.order, self.seed = order, seed

    def fit(self, train):
        self.train_ = train
        users, items = self.history(train)
        same = users[1:] == users[:-1]
        before, after = items[:-1][same], items[1:][same]
        if self.order == "reversed":
            before, after = after, before
        counts = torch.bincount(before * train.n_items + after, minlength=train.n_items**2).view(train.n_items, -1)
        share = torch.bincount(items, minlength=train.n_items) / len(items)
        self.next_ = (counts + 5 * share) / (counts.sum(1, keepdim=True) + 5)
        self.last_ = items[train.ptr[1:] - 1]
        return self

    def history(self, train):
        noise = np.random.default_rng(self.seed).random(len(train))
        times = train.times.numpy() if self.order == "ties" else np.zeros(len(train))
        order = np.lexsort((noise, times, train.users.numpy()))
        if self.order in ("real", "reversed"):
            return train.users, train.items
        return train.users[torch.from_numpy(order)], train.items[torch.from_numpy(order)]

    def scores(self, users, history=None):
        return self.next_[self.last_[users]]


def hit_rate(model, split):
    """Share of users whose last rating, whatever its value, is in the top ten."""
    return metrics.evaluate(model.fit(split.train), split.held_out).mean("hit_rate")


def test_how_much_order_the_clock_of_movielens_has(ratings):
    span = ratings.times[ratings.ptr[1:] - 1] - ratings.times[ratings.ptr[:-1]]
    same = ratings.users[1:] == ratings.users[:-1]
    gap = ratings.times.diff()[same]
    claim_value(
        "E11.one-day",
        (span < 86_400).double().mean(),
        0.68,
        0.005,
        "MovieLens 100K: users whose first and last rating lie within 24 hours",
    )
    claim(
        "E11.ties",
        "MovieLens 100K: 51 % of the neighbours in a history share their second, 86 % are less than a minute apart",
        abs(float((gap == 0).double().mean()) - 0.51) < 0.005
        and abs(float((gap < 60).double().mean()) - 0.857) < 0.005,
    )


def test_the_neighbour_matters_and_its_side_less(ratings):
    split = data.last_split(ratings, 1)
    real, turned = (hit_rate(Follows(order), split) for order in ("real", "reversed"))
    shuffled = np.mean([hit_rate(Follows("shuffled", seed), split) for seed in (0, 1, 2)])
    popular = hit_rate(models.Popularity(), split)
    claim(
        "E11.shuffled",
        "Last rating of each user, HR@10: Markov chain 0.15, on shuffled histories 0.037 (three shuffles), popularity "
        "0.038",
        abs(real - 0.1485) < 0.006 and abs(shuffled - 0.037) < 0.006 and abs(popular - 0.038) < 0.003,
    )
    claim("E11.reversed", "The same chain counted backwards: 0.10", abs(turned - 0.0986) < 0.006)


def test_the_tie_rule_is_worth_something_too(ratings):
    split = data.last_split(ratings, 1)
    random = np.mean([hit_rate(Follows("ties", seed), split) for seed in (0, 1, 2)])
    both = np.mean([hit_rate(Follows("ties", seed), data.last_split(ratings, 1, tie_seed=seed)) for seed in (0, 1)])
    claim(
        "E11.tie-rule",
        "The chain with the ties of its training histories at random: 0.11 on the last rating by film number, 0.14 "
        "where the held-out rating is also drawn at random among the last second's",
        abs(random - 0.112) < 0.012 and abs(both - 0.143) < 0.012,
    )


def test_a_model_without_order_stands_between(ratings):
    split = data.last_split(ratings, 1)
    mixed = Follows("shuffled").fit(split.train)
    mixed.last_ = split.train.items[split.train.ptr[1:] - 1]
    found = hit_rate(models.EASE(), split), metrics.evaluate(mixed, split.held_out).mean("hit_rate")
    claim(
        "E11.ease",
        "The same users: EASE, which knows no order, 0.075; the chain with shuffled training histories and the true "
        "last item 0.06",
        abs(found[0] - 0.0753) < 0.005 and abs(found[1] - 0.0615) < 0.008,
    )


def worlds(strength, seed, n=4_000, length=21, n_items=100):
    """Histories in which an item is followed by the next number with probability ``strength``, else by any."""
    draw = np.random.default_rng(seed)
    events = draw.integers(n_items, size=(n, length))
    for t in range(1, length):
        events[:, t] = np.where(draw.random(n) < strength, (events[:, t - 1] + 1) % n_items, events[:, t])
    return events


def chain_hit_rate(train, test, k):
    counts = np.zeros((100, 100))
    np.add.at(counts, (train[:, :-1].ravel(), train[:, 1:].ravel()), 1)
    top = np.argsort(-counts, axis=1, kind="stable")[:, :k]
    return (top[test[:, -2]] == test[:, -1:]).any(1).mean()


def test_the_shuffle_test_in_worlds_with_known_order():
    draw, found = np.random.default_rng(9), {}
    for strength in (0.0, 0.5):
        train, test = worlds(strength, 0), worlds(strength, 1)
        histories = train, draw.permuted(train, axis=1)
        found[strength] = {k: [chain_hit_rate(rows, test, k) for rows in histories] for k in (1, 10)}
    claim(
        "E11.nothing",
        "Planted world of 100 items where order says nothing, HR@10 of a chain on real and on shuffled training "
        "histories: 0.10 and 0.10",
        np.allclose(found[0.0][10], 0.1, atol=0.01),
    )
    claim(
        "E11.half",
        "Planted world where half of the steps are fixed: HR@1 0.50 on real and 0.26 on shuffled training histories, "
        "HR@10 0.55 and 0.54",
        np.allclose(found[0.5][1], [0.496, 0.259], atol=0.02)
        and np.allclose(found[0.5][10], [0.545, 0.54], atol=0.015),
    )


def test_the_size_of_an_lstm():
    lstm, table = nn.LSTM(64, 64), nn.Embedding(10_000, 64)
    size = {name: sum(p.numel() for p in part.parameters()) for name, part in (("lstm", lstm), ("table", table))}
    claim(
        "E11.lstm",
        "An LSTM with 64 units on embeddings of 64 has 33,280 weights; the embeddings of 10,000 items have 640,000",
        size == {"lstm": 33_280, "table": 640_000},
    )
