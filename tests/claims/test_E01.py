"""What the answer to E01 (Wide & Deep, DeepFM, DCN-v2: who makes the crosses?) states."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from recsys_course import claim
from recsys_course.training import seeded


class Cross(nn.Module):
    """DCN-v2's layers: ``x0 * (W x + b) + x``, full or of low rank."""

    def __init__(self, dim, n_layers, rank=None):
        super().__init__()
        full = lambda: nn.Linear(dim, dim)  # noqa: E731
        low = lambda: nn.Sequential(nn.Linear(dim, rank, bias=False), nn.Linear(rank, dim))  # noqa: E731
        self.layers = nn.ModuleList((low if rank else full)() for _ in range(n_layers))

    def forward(self, first):
        x = first
        for layer in self.layers:
            x = first * layer(x) + x
        return x


@torch.no_grad()
def test_each_layer_adds_one_degree():
    degree = {}
    for n_layers in (1, 2, 3):
        with seeded(0):
            cross = Cross(6, n_layers).double()
        x = torch.randn(6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        t = np.linspace(-1, 1, 12)
        y = np.array([float(cross(s * x).sum()) for s in t])
        errors = [np.abs(np.polyval(np.polyfit(t, y, d), t) - y).max() for d in range(6)]
        degree[n_layers] = int(np.argmax(np.array(errors) < 1e-9))
    claim(
        "E01.degree",
        "Along a line through 0 the output of 1, 2 and 3 cross layers is a polynomial of degree 2, 3 and 4",
        degree == {1: 2, 2: 3, 3: 4},
    )


def test_low_rank_saves_weights():
    size = {rank: sum(p.numel() for p in Cross(1_024, 1, rank).parameters()) for rank in (None, 64)}
    claim(
        "E01.rank",
        "A cross layer on 1,024 numbers has 1,049,600 weights, one of rank 64 has 132,096",
        size == {None: 1_049_600, 64: 132_096},
    )


def train(model, data, steps, rate=0.01):
    adam, draw = torch.optim.Adam(model.parameters(), lr=rate), torch.Generator().manual_seed(0)
    inputs, target = data
    for _ in range(steps):
        rows = torch.randint(len(target), (256,), generator=draw)
        loss = F.mse_loss(model(inputs[rows]), target[rows])
        adam.zero_grad()
        loss.backward()
        adam.step()
    return model


@torch.no_grad()
def explained(model, data):
    inputs, target = data
    return float(1 - F.mse_loss(model(inputs), target) / target.var())


class Readout(nn.Module):
    def __init__(self, body, dim):
        super().__init__()
        self.body, self.out = body, nn.Linear(dim, 1)

    def forward(self, x):
        return self.out(self.body(x)).squeeze(1)


def products(n, seed, dim=20):
    """The sum of ten products of two inputs each; ``[n, dim]`` and ``[n]``."""
    x = torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))
    return x, (x[:, : dim // 2] * x[:, dim // 2 :]).sum(1)


def test_a_perceptron_learns_products_slowly():
    def make(kind):
        with seeded(0):
            if kind == "cross":
                return Readout(Cross(20, 1), 20)
            return Readout(nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU()), 64)

    test, found, size = products(5_000, 1), {}, {}
    for kind in ("cross", "mlp"):
        model = make(kind)
        size[kind] = sum(p.numel() for p in model.parameters())
        found[kind] = {}
        for n in (1_000, 20_000):
            found[kind][n] = explained(train(make(kind), products(n, 0), 600), test)
    claim(
        "E01.products",
        "A sum of ten products of 20 inputs, 600 steps, one seed, explained variance on new rows: one cross layer with "
        "441 weights 1.00 from 1,000 and from 20,000 rows, a perceptron with 5,569 weights 0.88 and 0.95",
        size == {"cross": 441, "mlp": 5_569}
        and min(found["cross"].values()) > 0.999
        and abs(found["mlp"][1_000] - 0.878) < 0.03
        and abs(found["mlp"][20_000] - 0.948) < 0.02,
    )


@pytest.fixture(scope="module")
def pairs():
    """Values of 60 x 60 pairs of a hidden dimension of 3 and noise; four fifths are seen, the others new."""
    draw = torch.Generator().manual_seed(0)
    left, right = torch.randn(60, 3, generator=draw), torch.randn(60, 3, generator=draw)
    truth = left @ right.T
    i, j = (x.flatten() for x in torch.meshgrid(torch.arange(60), torch.arange(60), indexing="ij"))
    seen = torch.rand(3_600, generator=draw) < 0.8
    value = truth.flatten() + 0.3 * torch.randn(3_600, generator=draw)
    rows = torch.stack([i, j], 1)
    return (rows[seen], value[seen]), (rows[~seen], truth.flatten()[~seen])


class Wide(nn.Module):
    """A weight for each single feature and each pair."""

    def __init__(self):
        super().__init__()
        self.single, self.pair = nn.Embedding(120, 1), nn.Embedding(3_600, 1)
        for table in (self.single, self.pair):
            nn.init.zeros_(table.weight)

    def forward(self, rows):
        return (self.single(rows[:, 0]) + self.single(60 + rows[:, 1]) + self.pair(rows[:, 0] * 60 + rows[:, 1]))[:, 0]


class Factors(nn.Module):
    """An FM of two fields."""

    def __init__(self, dim=3):
        super().__init__()
        self.single, self.factors = nn.Embedding(120, 1), nn.Embedding(120, dim)
        nn.init.zeros_(self.single.weight)
        nn.init.normal_(self.factors.weight, std=0.1)

    def forward(self, rows):
        rows = rows + torch.tensor([0, 60])
        return self.single(rows).sum((1, 2)) + self.factors(rows).prod(1).sum(1)


def test_a_weight_for_each_pair_says_nothing_of_a_new_pair(pairs):
    seen, new = pairs
    found = {}
    for make in (Wide, Factors):
        with seeded(0):
            model = make()
        model = train(model, seen, 800, rate=0.02)
        found[make.__name__] = explained(model, seen), explained(model, new)
    claim(
        "E01.new-pairs",
        "60 x 60 pairs with three hidden factors, a fifth of the pairs new: a weight for each pair explains 97 % of "
        "what it saw and nothing of the new pairs, two vectors of 3 numbers explain 97 % and 99 % (of the truth there)",
        abs(found["Wide"][0] - 0.965) < 0.02
        and found["Wide"][1] < 0.02
        and abs(found["Factors"][0] - 0.974) < 0.01
        and abs(found["Factors"][1] - 0.99) < 0.01,
    )


def test_how_many_columns_a_product_of_ids_has():
    claim(
        "E01.columns",
        "10,000 items times 1,000 categories are 10 million columns; vectors of 16 numbers for both 176,000 weights",
        10_000 * 1_000 == 10**7 and (10_000 + 1_000) * 16 == 176_000,
    )
