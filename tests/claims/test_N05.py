"""What the answer to N05 (test edges must not pass messages) states."""

import numpy as np
import pytest
import torch
from scipy import sparse

from recsys_course import claim, metrics
from recsys_course.base import Recommender
from recsys_course.data import Interactions, cold_user_split


def normalised(likes):
    """Likes, CSR ``[n_users, n_items]``, each over the root of both degrees."""
    by_user, by_item = (np.asarray(likes.sum(axis)).ravel() for axis in (1, 0))
    root = [sparse.diags(np.where(d > 0, d.clip(1) ** -0.5, 0)) for d in (by_user, by_item)]
    return (root[0] @ likes @ root[1]).tocsr()


class Paths(Recommender):
    """Three layers from one-hot starts, nothing trained: weighted paths user - film - user - film."""

    def __init__(self, edges):
        self.edges = edges

    def fit(self, train):
        self.train_, step = train, normalised(self.edges)
        self.table_ = torch.from_numpy((step @ (step.T @ step)).toarray().astype(np.float32))
        return self

    def scores(self, users, history=None):
        return self.table_[users]


class Random(Paths):
    """Two layers from a random start of 256 numbers, nothing trained."""

    def fit(self, train):
        self.train_, step = train, normalised(self.edges)
        draw = np.random.default_rng(0)
        users, items = (draw.normal(size=(n, 256)) for n in step.shape)
        layers = [(users, items)]
        for _ in range(2):
            layers.append((step @ layers[-1][1], step.T @ layers[-1][0]))
        users, items = (sum(part) for part in zip(*layers, strict=True))
        self.table_ = torch.from_numpy((users @ items.T).astype(np.float32))
        return self


@pytest.fixture(scope="module")
def graphs(random_splits):
    """Likes of training, and those with the held-out ones among them."""
    split = random_splits[0]
    clean = split.train.positives().matrix()
    return split, clean, ((clean + split.test.matrix()) > 0).astype(np.float32)


def ndcg(model, split):
    return metrics.evaluate(model.fit(split.train), split.test).mean("ndcg")


def test_test_edges_in_the_propagation(graphs):
    split, clean, leaky = graphs
    found = [ndcg(Paths(edges), split) for edges in (clean, leaky)]
    noise = [ndcg(Random(edges), split) for edges in (clean, leaky)]
    claim(
        "N05.leak",
        "Weighted paths of length three, NDCG@10 on one random split: 0.33 with training edges, 0.71 if the test edges "
        "pass messages as well",
        np.allclose(found, [0.329, 0.707], atol=0.01),
    )
    claim(
        "N05.untrained",
        "Random vectors, two layers, nothing trained: NDCG@10 of 0.01 with training edges, over 0.05 with test edges",
        noise[0] < 0.02 and noise[1] > 0.05,
    )


def test_the_edge_to_be_predicted_is_a_message(graphs):
    """The score of a training pair, with its own edge among the messages and without it."""
    _, clean, _ = graphs
    draw, table = np.random.default_rng(0), clean.tocoo()
    rows = draw.choice(table.nnz, 200, replace=False)
    step = normalised(clean)
    full = (step @ (step.T @ step)).toarray()
    kept = np.ones(table.nnz)
    kept[rows] = 0
    without = sparse.csr_matrix((kept, (table.row, table.col)), shape=table.shape)
    without.eliminate_zeros()
    step = normalised(without)
    removed = (step @ (step.T @ step)).toarray()
    users, items = table.row[rows], table.col[rows]
    ranks = [np.median(1 + (t[users] > t[users, items][:, None]).sum(1)) for t in (full, removed)]
    claim(
        "N05.supervision",
        "200 training likes, ranked among all films by paths: median place 38 with their own edge among the messages, "
        "109 without",
        abs(ranks[0] - 37.5) <= 3 and abs(ranks[1] - 109) <= 8,
    )


def test_a_check_that_finds_the_leak(graphs):
    split, clean, leaky = graphs
    hidden = split.test.matrix()
    common = [int(edges.multiply(hidden).nnz) for edges in (clean, leaky)]
    claim(
        "N05.detector",
        "Messages and held-out likes have no pair in common with training edges, and all of them with the leak",
        common == [0, hidden.nnz],
    )


def test_a_new_user_is_attached_without_training(ratings, ndcg_at_ten):
    rows = []
    for seed in (0, 1, 2):
        split = cold_user_split(ratings, share=0.2, seed=seed)
        step = normalised(split.train.positives().matrix())
        items = (step.T @ step).toarray()
        liked = split.held_out.positives().matrix().toarray() > 0
        liked = liked[liked.sum(1) >= 10]
        given = liked & (np.random.default_rng(seed).random(liked.shape) < 0.5)
        root = np.sqrt(split.train.positives().item_counts().numpy().clip(1))
        attached = (given / root) @ items
        fame = np.broadcast_to(root**2, liked.shape)
        rows.append([np.nanmean(ndcg_at_ten(table, liked & ~given, ~given)) for table in (attached, fame)])
    claim(
        "N05.new-user",
        "New users whose half of the likes are attached as edges, nothing trained: NDCG@10 of 0.42 on the other half, "
        "popularity 0.28; mean of three draws, the same order in each",
        np.allclose(np.mean(rows, 0), [0.415, 0.279], atol=0.012) and all(a > b for a, b in rows),
    )


def test_an_item_without_edges_is_zero():
    events = Interactions.from_events([0, 1], [0, 0], n_users=2, n_items=2)
    model = Paths(events.matrix()).fit(events)
    claim(
        "N05.isolated",
        "A film without edges has the score 0 for everybody, whatever the number of layers",
        bool((model.table_[:, 1] == 0).all()) and bool((model.table_[:, 0] > 0).all()),
    )
