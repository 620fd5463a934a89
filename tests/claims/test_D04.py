"""What the answer to D04 (negatives that are positives) states."""

import numpy as np
import torch

from recsys_course import claim, losses, metrics
from recsys_course.base import Recommender


def test_how_often_a_uniform_draw_hits_a_positive():
    draw = torch.Generator().manual_seed(0)
    hit = torch.randint(10_000, (200_000, 4), generator=draw) < 500  # the first 500 items are the user's
    claim(
        "D04.collision-rate",
        "500 positives of 10,000 items: 5 % of the uniform draws hit one, and 18.5 % of the examples with four "
        "negatives hold at least one",
        abs(float(hit.double().mean()) - 0.05) < 0.001 and abs(float(hit.any(1).double().mean()) - 0.185) < 0.003,
    )


def test_popular_negatives_collide_more_often(random_splits):
    """Chance that a negative for a training like is another like of this user, without rejection."""
    uniform, popular = [], []
    for split in random_splits:
        likes = split.train.positives()
        table, n = torch.from_numpy(likes.matrix().toarray()).double(), torch.bincount(likes.users).double()
        share = likes.item_counts().double() / len(likes)
        uniform.append(float((n * n).sum() / len(likes) / likes.n_items))
        popular.append(float((n[: len(table)] * (table @ share)).sum() / len(likes)))
    claim(
        "D04.movielens",
        "Training likes of the random split: a uniform negative is another like of the same user in 5 % of the draws, "
        "one drawn by popularity in 19 %",
        max(abs(u - 0.052) for u in uniform) < 0.005 and max(abs(p - 0.186) for p in popular) < 0.005,
    )


class LeastDrawn(Recommender):
    """Knows nothing but how often each item was drawn as the user's negative; ties by chance."""

    def __init__(self, test=None, draws=50):
        self.test, self.draws = test, draws

    def fit(self, train):
        self.train_ = train
        generator, users = torch.Generator().manual_seed(0), torch.arange(train.n_users)
        banned = train.positives().dense(users)
        if self.test is not None:
            banned |= self.test.dense(users)
        n = torch.bincount(train.positives().users, minlength=train.n_users) * self.draws
        self.drawn_ = torch.zeros(train.n_users, train.n_items)
        for user in users.tolist():
            free = (~banned[user]).nonzero()[:, 0]
            picked = free[torch.randint(len(free), (int(n[user]),), generator=generator)]
            self.drawn_[user] = torch.bincount(picked, minlength=train.n_items)
        return self

    def scores(self, users, history=None):
        noise = torch.rand(len(users), self.train_.n_items, generator=torch.Generator().manual_seed(1))
        return noise / 2 - self.drawn_[users]


def test_keeping_test_positives_out_of_the_negatives_leaks_them(random_splits):
    split = random_splits[0]
    honest, leaky = (metrics.evaluate(LeastDrawn(t).fit(split.train), split.test) for t in (None, split.test))
    claim(
        "D04.leak",
        "A score made of nothing but how seldom an item was drawn as a negative, 50 draws a like, random split: "
        "NDCG@10 0.01 when training likes are rejected, 0.11 when test likes are rejected as well",
        abs(honest.mean("ndcg") - 0.01) < 0.005 and abs(leaky.mean("ndcg") - 0.115) < 0.01,
    )


def best_scores(positive, noise, n_negatives=4, steps=40_000):
    """Minimise the expected cross-entropy of one positive and ``n_negatives`` from ``noise``, one score an item."""
    scores = np.zeros(4)
    for _ in range(steps):
        chance = 1 / (1 + np.exp(-scores))
        scores += positive * (1 - chance) - n_negatives * noise * chance  # minus the gradient
    return scores


def test_collisions_keep_the_order_and_rejection_forgets_it():
    positive = np.array([0.5, 0.3, 0.15, 0.05])  # how often this user picks each item
    kept = best_scores(positive, np.full(4, 0.25))
    rejected = best_scores(np.array([0.6, 0.4, 0, 0]), np.array([0, 0, 0.5, 0.5]))  # two seen items, two others
    claim(
        "D04.order",
        "One free score an item: without rejection the best score is log(p / (n q)), in the order of p; with it the "
        "score of every seen item grows without bound and that of every other one falls",
        np.allclose(kept, np.log(positive / (4 * 0.25)), atol=1e-6)
        and min(rejected[:2]) > 8
        and max(rejected[2:]) < -8,
    )


def test_a_duplicate_in_the_batch_is_no_negative():
    users, items = torch.eye(3) * 8, torch.eye(3)
    items[2] = items[0]  # rows 0 and 2 hold the same item
    users[2] = users[0]
    masked = losses.in_batch_softmax_loss(users, items, torch.tensor([5, 6, 5]))
    unmasked = losses.in_batch_softmax_loss(users, items, torch.tensor([5, 6, 7]))
    claim(
        "D04.batch-duplicate",
        "Three perfect rows of which two hold the same item: the loss is under 0.001 with the duplicate masked and "
        "0.46 without",
        float(masked) < 0.001 and abs(float(unmasked) - 0.46) < 0.01,
    )


def test_draws_until_a_negative_is_accepted():
    draw = torch.Generator().manual_seed(0)
    accepted = torch.rand(100_000, 40, generator=draw) >= 0.05
    tries = accepted.double().argmax(1) + 1
    claim(
        "D04.tries",
        "At a collision rate of 5 % rejection needs 1.05 draws on average",
        abs(float(tries.double().mean()) - 1 / 0.95) < 0.005,
    )
