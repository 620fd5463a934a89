"""What the answer to B11 (best RMSE, bad lists) states."""

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.sparse.linalg import svds

from recsys_course import claim, metrics
from recsys_course.base import Recommender
from recsys_course.models.mf import MF


class Table(Recommender):
    """Scores that were computed already, float ``[n_users, n_items]``."""

    def __init__(self, scores):
        self.table = scores

    def fit(self, train):
        self.train_ = train
        return self

    def scores(self, users, history=None):
        return self.table[users]


def rmse(scores, events):
    return float((scores[events.users, events.items].clamp(1, 5) - events.ratings).square().mean().sqrt())


def bias_table(train, shrink=5):
    """Mean plus item bias plus user bias for every pair."""
    users, items, left = train.users, train.items, train.ratings - train.ratings.mean()
    total = lambda ids, n, x: torch.zeros(n).index_add(0, ids, x)  # noqa: E731
    of_item = total(items, train.n_items, left) / (train.item_counts() + shrink)
    left = left - of_item[items]
    of_user = total(users, train.n_users, left) / (torch.bincount(users, minlength=train.n_users) + shrink)
    return train.ratings.mean() + of_user[:, None] + of_item


def zero_filled_svd(train, dim=32):
    """Truncated SVD of the table of ratings with 0 in every empty cell."""
    cells = (train.users.numpy(), train.items.numpy())
    table = sparse.csr_matrix((train.ratings.double().numpy(), cells), shape=(train.n_users, train.n_items))
    left, values, right = svds(table, k=dim, random_state=0)
    return torch.from_numpy((left * values) @ right).float()


@pytest.fixture(scope="module")
def tables(random_splits, ease):
    """Scores of every pair by each model, one dictionary for each random split."""
    found = []
    for split, linear in zip(random_splits, ease, strict=True):
        everybody = torch.arange(split.train.n_users)
        factors = MF(dim=32, epochs=30, learning_rate=0.02, reg=0.1).fit(split.train)
        found.append(
            {
                "mf": factors.scores(everybody),
                "bias": bias_table(split.train),
                "zero svd": zero_filled_svd(split.train),
                "ease": linear.scores(everybody),
                "popular": split.train.item_counts().float().expand(split.train.n_users, -1),
            }
        )
    return found


def over_splits(random_splits, tables, measure):
    return float(np.mean([measure(split, scores) for split, scores in zip(random_splits, tables, strict=True)]))


def ndcg(split, scores):
    return metrics.evaluate(Table(scores).fit(split.train), split.test).mean("ndcg")


def test_the_best_rmse_makes_the_worst_lists(random_splits, tables, popular_results):
    error = {m: over_splits(random_splits, tables, lambda s, t: rmse(t[m], s.held_out)) for m in ("mf", "bias")}  # noqa: B023
    found = {m: over_splits(random_splits, tables, lambda s, t: ndcg(s, t[m])) for m in ("mf", "ease")}  # noqa: B023
    popular = np.mean([result.mean("ndcg") for result in popular_results])
    claim(
        "B11.rmse",
        "Random split: matrix factorisation with 32 dimensions has an RMSE of 0.91, biases alone 0.94",
        abs(error["mf"] - 0.912) < 0.005 and abs(error["bias"] - 0.94) < 0.005,
    )
    claim(
        "B11.ndcg",
        "The same factorisation ranks all films with NDCG@10 0.05, popularity with 0.17, EASE with 0.37",
        abs(found["mf"] - 0.05) < 0.007 and abs(popular - 0.175) < 0.007 and abs(found["ease"] - 0.37) < 0.007,
    )


def test_its_lists_are_full_of_films_that_hardly_anybody_rated(random_splits, tables):
    def rare(split, scores):
        lists = Table(scores["mf"]).fit(split.train).recommend(torch.arange(split.train.n_users))
        return float((split.train.item_counts()[lists] < 20).double().mean())

    def share_of_likes(split, _):
        return float((split.train.item_counts()[split.test.items] < 20).double().mean())

    claim(
        "B11.rare",
        "43 % of the places in its lists go to films with fewer than 20 training ratings, which hold 4 % of the "
        "test likes",
        abs(over_splits(random_splits, tables, rare) - 0.43) < 0.02
        and abs(over_splits(random_splits, tables, share_of_likes) - 0.043) < 0.01,
    )


def auc_among_rated(split, scores):
    """How well scores separate liked from disliked among the held-out ratings of a user, averaged over users."""
    held, found = split.held_out, []
    for user in range(held.n_users):
        rows = slice(int(held.ptr[user]), int(held.ptr[user + 1]))
        liked = held.ratings[rows] >= 4
        if liked.any() and not liked.all():
            found.append(metrics.auc(scores[user, held.items[rows]], liked))
    return float(np.mean(found))


def test_on_what_it_was_asked_it_is_the_best(random_splits, tables):
    found = {
        m: over_splits(random_splits, tables, lambda s, t: auc_among_rated(s, t[m]))  # noqa: B023
        for m in ("mf", "ease", "popular")
    }
    claim(
        "B11.among-rated",
        "Among the held-out films that a user rated, AUC of liked against not liked: 0.73 for the factorisation, 0.69 "
        "for EASE, 0.59 for popularity",
        all(abs(found[m] - stated) < 0.01 for m, stated in (("mf", 0.73), ("ease", 0.69), ("popular", 0.59))),
    )


def test_filling_the_empty_cells_with_zero_ruins_rmse_and_saves_the_lists(random_splits, tables):
    error = over_splits(random_splits, tables, lambda s, t: rmse(t["zero svd"], s.held_out))
    found = over_splits(random_splits, tables, lambda s, t: ndcg(s, t["zero svd"]))
    claim(
        "B11.zero-svd",
        "A plain SVD with 0 in the empty cells: RMSE 2.4, NDCG@10 0.345",
        abs(error - 2.4) < 0.05 and abs(found - 0.345) < 0.01,
    )


def test_adding_popularity_repairs_most_of_it(random_splits, tables):
    with_counts = over_splits(
        random_splits, tables, lambda s, t: ndcg(s, t["mf"] + torch.log1p(s.train.item_counts().float()))
    )
    popular_hundred = over_splits(
        random_splits,
        tables,
        lambda s, t: ndcg(s, t["mf"].index_fill(1, s.train.item_counts().argsort(descending=True)[100:], -1e9)),
    )
    claim(
        "B11.add-popularity",
        "Predicted rating plus the logarithm of the count: NDCG@10 0.19; predicted rating among the 100 most rated "
        "films: 0.155",
        abs(with_counts - 0.19) < 0.007 and abs(popular_hundred - 0.155) < 0.007,
    )
