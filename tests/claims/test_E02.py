"""What the answer to E02 (DIN, and how it differs from a Transformer layer) states."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import roc_auc_score
from torch import nn

from recsys_course import attention, claim
from recsys_course.training import seeded

TOPICS, PLACES, DIM = 20, 20, 8


class Unit(nn.Module):
    """DIN's activation unit: a weight for each event from a small network on ``[q, k, q - k, q * k]``."""

    def __init__(self, softmax):
        super().__init__()
        self.softmax = softmax
        self.net = nn.Sequential(nn.Linear(4 * DIM, 36), nn.PReLU(), nn.Linear(36, 1))

    def forward(self, query, keys, there):
        query = query[:, None].expand_as(keys)
        weight = self.net(torch.cat([query, keys, query - keys, query * keys], 2)).squeeze(2)
        if self.softmax:
            weight = weight.masked_fill(~there, -1e9).softmax(1) * there
        return ((weight * there)[..., None] * keys).sum(1)


class Mean(nn.Module):
    def forward(self, query, keys, there):
        return (keys * there[..., None]).sum(1) / there.sum(1, keepdim=True).clamp(min=1)


class Ranker(nn.Module):
    def __init__(self, pool):
        super().__init__()
        self.items, self.pool = nn.Embedding(TOPICS, DIM), pool
        self.top = nn.Sequential(nn.Linear(3 * DIM, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, candidate, events, there):
        query = self.items(candidate)
        interest = self.pool(query, self.items(events), there)
        return self.top(torch.cat([query, interest, query * interest], 1)).squeeze(1)


def impressions(n, seed):
    """Clicks whose log odds rise by 0.7 for each event of the candidate's topic, in histories of 1 to 20 events."""
    draw = torch.Generator().manual_seed(seed)
    candidate = torch.randint(TOPICS, (n,), generator=draw)
    favourite = torch.randint(TOPICS, (n, 4), generator=draw)  # events come from four topics
    favourite[: n // 2, 0] = candidate[: n // 2]
    events = favourite.gather(1, torch.randint(4, (n, PLACES), generator=draw))
    there = torch.arange(PLACES) < torch.randint(1, PLACES + 1, (n, 1), generator=draw)
    count = ((events == candidate[:, None]) & there).sum(1)
    clicked = torch.rand(n, generator=draw) < torch.sigmoid(-2.5 + 0.7 * count)
    return (candidate, events, there), clicked.float(), torch.sigmoid(-2.5 + 0.7 * count)


def auc(make, steps=400):
    data, clicked, _ = impressions(20_000, 0)
    test, labels, truth = impressions(10_000, 1)
    with seeded(0):
        ranker = Ranker(make())
    adam, draw = torch.optim.Adam(ranker.parameters(), lr=0.01), torch.Generator().manual_seed(0)
    for _ in range(steps):
        rows = torch.randint(20_000, (256,), generator=draw)
        loss = F.binary_cross_entropy_with_logits(ranker(*(x[rows] for x in data)), clicked[rows])
        adam.zero_grad()
        loss.backward()
        adam.step()
    with torch.no_grad():
        return roc_auc_score(labels, ranker(*test)), roc_auc_score(labels, truth)


def test_the_candidate_as_the_query():
    mean, plain, soft = (auc(make) for make in (Mean, lambda: Unit(False), lambda: Unit(True)))
    claim(
        "E02.auc",
        "Simulated clicks whose log odds rise with the number of events of the candidate's topic, histories of 1 to 20 "
        "events, vectors of 8 numbers, one seed, AUC: mean pooling 0.76, activation unit with softmax 0.78, without "
        "0.84, the true rates 0.844",
        np.allclose([mean[0], soft[0], plain[0], plain[1]], [0.760, 0.781, 0.838, 0.8435], atol=0.012)
        and mean[0] < soft[0] < plain[0],
    )


@pytest.fixture
def unit():
    with seeded(0):
        return Unit(softmax=False), Unit(softmax=True)


@torch.no_grad()
def test_softmax_forgets_how_many(unit):
    query, key = torch.randn(2, 1, DIM, generator=torch.Generator().manual_seed(0))
    repeated = {n: (key[:, None].expand(1, n, DIM), torch.ones(1, n, dtype=torch.bool)) for n in (1, 9)}
    out = {n: [u(query, *history) for u in unit] for n, history in repeated.items()}
    claim(
        "E02.intensity",
        "One event or nine of the same: with softmax the pooled vector is the same, without it nine times as long",
        torch.allclose(out[9][0], 9 * out[1][0], rtol=1e-4) and torch.allclose(out[9][1], out[1][1], rtol=1e-4),
    )


@torch.no_grad()
def test_padding_needs_a_mask_even_without_softmax(unit):
    draw = torch.Generator().manual_seed(0)
    query, keys = torch.randn(1, DIM, generator=draw), torch.randn(1, 8, DIM, generator=draw)
    there = torch.arange(8)[None] < 5
    masked, short = unit[0](query, keys, there), unit[0](query, keys[:, :5], there[:, :5])
    unmasked = unit[0](query, keys, torch.ones_like(there))
    zero = keys.clone()
    zero[:, 5:] = 0
    weight = unit[0].net(torch.cat([query, 0 * query, query, 0 * query], 1))
    claim(
        "E02.padding",
        "Three padded places whose vectors are not 0 change the sum unless they are masked; the network gives a vector "
        "of zeros a weight that is not 0, which adds nothing to a sum of vectors",
        torch.allclose(masked, short, atol=1e-6)
        and float((unmasked - short).abs().max()) > 0.01
        and float(weight.abs()) > 0.01
        and torch.allclose(unit[0](query, zero, torch.ones_like(there)), short, atol=1e-6),
    )
    empty = [u(query, keys, torch.zeros_like(there)) for u in unit]
    claim(
        "E02.empty",
        "A history without any event: zeros, with and without softmax, if the mask is applied after it as well",
        all(bool((x == 0).all()) for x in empty),
    )


@torch.no_grad()
def test_order_means_nothing_to_it(unit):
    draw = torch.Generator().manual_seed(0)
    query, keys = torch.randn(1, DIM, generator=draw), torch.randn(1, 8, DIM, generator=draw)
    there, order = torch.ones(1, 8, dtype=torch.bool), torch.randperm(8, generator=draw)
    claim(
        "E02.order",
        "A shuffled history gives the same pooled vector, with and without softmax",
        all(torch.allclose(u(query, keys, there), u(query, keys[:, order], there), atol=1e-5) for u in unit),
    )


def test_what_a_request_costs():
    d, events, candidates = 64, 200, 500
    din = 2 * candidates * events * (4 * d * 36 + 36)
    layer = 2 * (events * 12 * d * d + 2 * events * events * d)
    block = sum(p.numel() for p in attention.Block(d, 1).parameters() if p.ndim == 2)
    claim(
        "E02.cost",
        "Dimension 64, 200 events, 500 candidates, a hidden layer of 36: target attention 1.85 GFLOP a request; one "
        "Transformer layer over the history, once for all candidates, 0.03 GFLOP",
        abs(din / 1.853e9 - 1) < 0.01 and abs(layer / 0.03e9 - 1) < 0.03 and block == 12 * d * d,
    )
