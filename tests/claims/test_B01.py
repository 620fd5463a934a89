"""What the answer to B01 (user-based or item-based neighbours) states."""

import numpy as np
import pytest
import torch

from recsys_course import claim, data, metrics
from recsys_course.base import Recommender
from recsys_course.models.knn import ItemKNN


class UserNeighbours(Recommender):
    """Sum over the ``k`` users whose likes have the largest cosine with this user's."""

    def __init__(self, k=50):
        self.k = k

    def fit(self, train):
        self.train_, self.table_ = train, torch.from_numpy(train.positives().matrix().toarray())
        size = self.table_.sum(1).clamp(min=1)
        similar = self.table_ @ self.table_.T / (size[:, None] * size).sqrt()
        similar.fill_diagonal_(0)
        self.near_ = similar * (similar >= similar.topk(self.k, dim=1).values[:, -1:])
        return self

    def scores(self, users, history=None):
        return self.near_[users] @ self.table_


def mean_of(splits, make, metric):
    return float(np.mean([metrics.evaluate(make().fit(s.train), s.test).mean(metric) for s in splits]))


def test_on_movielens_both_sides_are_about_as_good(random_splits, ratings, popular_results):
    last = [data.frozen_split(ratings, "last")]
    makers = {"user": UserNeighbours, "item": lambda: ItemKNN(k=50), "wide item": lambda: ItemKNN(k=200)}
    found = {name: mean_of(random_splits, make, "ndcg") for name, make in makers.items()}
    popular = np.mean([result.mean("ndcg") for result in popular_results])
    claim(
        "B01.ndcg",
        "Likes, random split, NDCG@10: 0.34 for 50 nearest users, 0.32 for 50 nearest items, 0.34 for 200, 0.17 for "
        "popularity",
        abs(found["user"] - 0.339) < 0.006
        and abs(found["item"] - 0.321) < 0.006
        and abs(found["wide item"] - 0.338) < 0.006
        and abs(popular - 0.175) < 0.007,
    )
    on_last = [mean_of(last, makers[name], "ndcg") for name in ("user", "item")]
    claim(
        "B01.last",
        "On the last five of each user both have 0.10",
        all(abs(value - 0.098) < 0.005 for value in on_last),
    )


def test_nearest_users_show_less_of_the_catalogue(random_splits):
    user, item = (mean_of(random_splits, make, "coverage") for make in (UserNeighbours, lambda: ItemKNN(k=50)))
    claim(
        "B01.coverage",
        "Coverage at ten, random split: 14 % of the films for 50 nearest users, 26 % for 50 nearest items",
        abs(user - 0.14) < 0.01 and abs(item - 0.264) < 0.01,
    )


def nearest(table, k=10):
    """The ``k`` nearest columns of each column by cosine, and the columns' sizes."""
    size = table.sum(0)
    similar = table.T @ table / np.sqrt(np.outer(size.clip(1), size.clip(1)))
    np.fill_diagonal(similar, -1)
    return np.argsort(-similar, axis=1, kind="stable")[:, :k], size


def test_lists_of_items_repeat_more_than_lists_of_users(random_splits):
    found = {"items": [], "users": []}
    for seed, split in enumerate(random_splits):
        likes = split.train.positives()
        half = torch.rand(len(likes), generator=torch.Generator().manual_seed(seed)) < 0.5
        tables = [likes.select(part).matrix().toarray().astype(float) for part in (half, ~half)]
        for name, sides in (("items", tables), ("users", [table.T for table in tables])):
            (one, size), (other, size_too) = map(nearest, sides)
            enough = (size >= 20) & (size_too >= 20)
            pairs = zip(one[enough], other[enough], strict=True)
            found[name].append(np.mean([len(set(a) & set(b)) / 10 for a, b in pairs]))
    claim(
        "B01.stability",
        "Ten nearest computed from two halves of the likes, 20 likes or more in each: 10 % of the neighbours agree for "
        "items, 7 % for users",
        abs(np.mean(found["items"]) - 0.103) < 0.01 and abs(np.mean(found["users"]) - 0.067) < 0.01,
    )


def test_a_new_item_is_nobodys_neighbour():
    events = data.Interactions.from_events([0, 0, 1, 1, 2], [0, 1, 0, 1, 0], n_users=3, n_items=3)  # item 2 is new
    model = ItemKNN(k=2).fit(events)
    claim(
        "B01.new-item",
        "An item without an event has no neighbour and the score 0 for everybody, in item- and user-based lists",
        not model.scores(torch.arange(3))[:, 2].any()
        and not UserNeighbours(k=2).fit(events).scores(torch.arange(3))[:, 2].any(),
    )


def test_a_new_user_is_served_from_one_click():
    events = data.Interactions.from_events([0, 0, 1, 1, 2], [0, 1, 0, 1, 2], n_users=4, n_items=3)  # user 3 is new
    model = ItemKNN(k=2).fit(events)
    click = data.Interactions.from_events([3], [0], n_users=4, n_items=3)
    scores = model.scores(torch.tensor([3]), history=click)[0]
    claim(
        "B01.new-user",
        "One click is enough for item neighbours, without training again: the item that goes with it leads",
        int(scores.argmax()) == 1 and scores[1] == pytest.approx(1.0),
    )


def swing(both, alpha=1.0):
    """Similarity of two items from the users of both: pairs who share little else count more."""
    users = [u for u, items in both.items() if {"a", "b"} <= items]
    pairs = [(u, v) for n, u in enumerate(users) for v in users[n + 1 :]]
    return sum(1 / (alpha + len(both[u] & both[v])) for u, v in pairs)


def test_swing_trusts_users_who_share_nothing_else():
    alike = {u: {"a", "b", *range(10)} for u in ("u", "v")}  # two users who clicked the same ten other items
    apart = {"u": {"a", "b", 1, 2}, "v": {"a", "b", 3, 4}}
    claim(
        "B01.swing",
        "Two items clicked by two users: Swing gives 1/13 if these share twelve items and 1/3 if only the two; the "
        "count is 2 in both cases",
        swing(alike) == pytest.approx(1 / 13) and swing(apart) == pytest.approx(1 / 3),
    )
