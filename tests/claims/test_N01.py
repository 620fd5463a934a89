"""What the answer to N01 (a graph neural recommender on users and items) states."""

import numpy as np
import pytest
import torch
from scipy import sparse

from recsys_course import claim, metrics
from recsys_course.base import Recommender


def adjacency(likes):
    """Symmetrically normalised, users before items, from likes, CSR ``[n_users, n_items]``."""
    table = sparse.bmat([[None, likes], [likes.T, None]]).tocsr()
    degree = np.asarray(table.sum(1)).ravel()
    root = sparse.diags(np.where(degree > 0, degree.clip(1) ** -0.5, 0))
    return (root @ table @ root).astype(np.float32).tocsr()


class Product(torch.autograd.Function):
    """A symmetric matrix times vectors; its backward is the same product."""

    @staticmethod
    def forward(ctx, vectors, matrix):
        ctx.matrix = matrix
        return torch.from_numpy(matrix @ vectors.numpy())

    @staticmethod
    def backward(ctx, gradient):
        return torch.from_numpy(ctx.matrix @ gradient.numpy()), None


def propagate(vectors, matrix, n_layers):
    """Mean of the vectors after 0 to ``n_layers`` products."""
    total = vectors
    for _ in range(n_layers):
        vectors = Product.apply(vectors, matrix)
        total = total + vectors
    return total / (n_layers + 1)


class Graph(Recommender):
    """LightGCN with BPR and one negative; without layers it is matrix factorisation."""

    def __init__(self, n_layers, epochs=15):
        self.n_layers, self.epochs = n_layers, epochs

    def fit(self, train):
        self.train_, likes = train, train.positives()
        draw, n = torch.Generator().manual_seed(0), train.n_users
        matrix = adjacency(likes.matrix())
        start = (0.1 * torch.randn(n + train.n_items, 32, generator=draw)).requires_grad_()
        optimiser = torch.optim.Adam([start], lr=0.02)
        for _ in range(self.epochs):
            for rows in torch.randperm(len(likes), generator=draw).split(2048):
                users, liked = likes.users[rows], likes.items[rows] + n
                others = torch.randint(n, n + train.n_items, (len(rows),), generator=draw)
                z = propagate(start, matrix, self.n_layers)
                margin = (z[users] * (z[liked] - z[others])).sum(1)
                size = (start[users].square().sum() + start[liked].square().sum()) / len(rows)
                loss = -torch.nn.functional.logsigmoid(margin).mean() + 1e-3 * size
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        self.users_, self.items_ = propagate(start.detach(), matrix, self.n_layers).split([n, train.n_items])
        return self

    def scores(self, users, history=None):
        return self.users_[users] @ self.items_.T


@pytest.mark.parametrize("n_layers", [0, 2])
def test_the_same_training_with_and_without_layers(random_splits, ease_results, popular_results, n_layers):
    split = random_splits[0]
    found = metrics.evaluate(Graph(n_layers).fit(split.train), split.test).mean("ndcg")
    if n_layers:
        claim(
            "N01.layers",
            "One random split, 32 dimensions, 15 epochs, NDCG@10: two layers 0.31, EASE 0.36, popularity 0.17",
            abs(found - 0.314) < 0.015
            and abs(ease_results[0].mean("ndcg") - 0.365) < 0.01
            and abs(popular_results[0].mean("ndcg") - 0.17) < 0.007,
        )
    else:
        claim("N01.no-layers", "The same training without layers: NDCG@10 of 0.23", abs(found - 0.231) < 0.015)


def test_propagation_is_a_mean_of_matrix_powers(random_splits):
    matrix = adjacency(random_splits[0].train.positives().matrix())
    start = torch.randn(matrix.shape[0], 4, generator=torch.Generator().manual_seed(0))
    dense = torch.from_numpy(matrix.toarray())
    powers = (start + dense @ start + dense @ (dense @ start)) / 3
    claim(
        "N01.powers",
        "Two layers without weights are the mean of the adjacency to the power 0, 1 and 2, times the vectors",
        torch.allclose(propagate(start, matrix, 2), powers, atol=1e-5),
    )


def test_more_layers_make_all_items_alike(random_splits):
    likes = random_splits[0].train.positives().matrix()
    matrix, n = adjacency(likes), likes.shape[0]
    liked = torch.from_numpy(np.asarray(likes.sum(0)).ravel() > 0)
    start = torch.randn(matrix.shape[0], 32, generator=torch.Generator().manual_seed(0))

    def alike(vectors):
        unit = torch.nn.functional.normalize(vectors[n:][liked], dim=1)
        return float((unit.sum(0).square().sum() - len(unit)) / (len(unit) * (len(unit) - 1)))

    last, layers = start, {}
    for n_layers in range(1, 9):
        last = torch.from_numpy(matrix @ last.numpy())
        layers[n_layers] = alike(last)
    claim(
        "N01.smooth",
        "Mean cosine of two films, random start, last layer alone: 0.03 after 1 layer, 0.23 after 2, 0.84 after 4, over"
        " 0.99 after 8; the mean over layers 0 to 8 has 0.02",
        np.allclose([layers[k] for k in (1, 2, 4)], [0.035, 0.226, 0.835], atol=0.03)
        and layers[8] > 0.99
        and alike(propagate(start, matrix, 8)) < 0.03,
    )


def test_pooling_the_graph_and_counts_as_sizes(ratings):
    from torch_geometric.nn import global_mean_pool

    n = ratings.n_users + ratings.n_items
    pooled = global_mean_pool(torch.randn(n, 8), torch.zeros(n, dtype=torch.int64))
    wide = torch.nn.Embedding(ratings.n_users, ratings.n_items)
    with pytest.raises(IndexError):
        wide(torch.tensor([ratings.n_users + 5]))
    claim(
        "N01.pooled",
        "Pooling the graph of 943 users and 1,682 films gives one vector, so nothing is left to be ranked",
        pooled.shape == (1, 8) and n == 943 + 1_682,
    )
    claim(
        "N01.sizes",
        "An embedding of 943 by 1,682 has 1.6 million weights, no row for a film behind the users, and raises",
        wide.weight.numel() == 1_586_126 and wide.num_embeddings == 943,
    )


def test_a_film_without_edges_receives_nothing():
    likes = sparse.csr_matrix(np.array([[1.0, 1, 0], [0, 1, 0]]))  # two users, three films, nobody likes the last
    matrix = adjacency(likes)
    start = torch.ones(5, 2)
    first = torch.from_numpy(matrix @ start.numpy())
    claim(
        "N01.isolated",
        "A node without edges receives the vector 0 in every layer: only its untrained start is left",
        bool((first[4] == 0).all()) and bool((first[:4] > 0).all()) and np.isfinite(matrix.data).all(),
    )


def test_what_a_step_costs():
    dim, n_layers, edges = 64, 2, 2 * 810_128
    products = 2 * n_layers * edges * dim  # forward and backward, one multiplication an edge and dimension
    claim(
        "N01.cost",
        "Gowalla's 810,128 interactions as 1.6 million directed edges, two layers, 64 dimensions: 0.41 billion "
        "multiplications for a step forward and back, whatever the batch",
        abs(products / 0.415e9 - 1) < 0.01,
    )
