"""What the answer to K09 (optimisers for sparse embeddings) states."""

import pytest
import torch
from torch import nn

from recsys_course import claim

RATE = 0.01


def walk(make, steps, touched, sparse=False):
    """Places of row 0 of two after each step; its gradient is 0 but at the steps ``touched``."""
    table = nn.Embedding(2, 1, sparse=sparse)
    nn.init.zeros_(table.weight)
    optimiser, places = make(table.parameters()), [0.0]
    for step in range(steps):
        optimiser.zero_grad(set_to_none=True)
        table(torch.tensor([0 if step in touched else 1])).sum().backward()
        optimiser.step()
        places.append(float(table.weight[0, 0].detach()))
    return places


def adam(parameters):
    return torch.optim.Adam(parameters, lr=RATE)


def lazy(parameters):
    return torch.optim.SparseAdam(list(parameters), lr=RATE)


def adagrad(parameters):
    return torch.optim.Adagrad(parameters, lr=RATE)


def test_dense_adam_moves_rows_that_nobody_read():
    dense, sparse = walk(adam, 100, {0}), walk(lazy, 100, {0}, sparse=True)
    others = [walk(make, 100, {0}) for make in (adagrad, lambda p: torch.optim.SGD(p, lr=RATE))]
    ratio = dense[-1] / dense[1]
    claim(
        "K09.moves",
        "A row with one gradient and 99 steps without: dense Adam carries it 6.0 times as far as the first step; "
        "SparseAdam, Adagrad and SGD leave it where it was",
        abs(ratio - 6.0) < 0.1 and all(places[-1] == places[1] for places in (sparse, *others)),
    )


def test_a_row_that_comes_late():
    early = -walk(adam, 1, {0})[1]
    late = [-walk(adam, 1000, {999})[-1], -walk(lazy, 1000, {999}, sparse=True)[-1]]
    claim(
        "K09.late",
        "A row read for the first time at step 1,000 takes a step 2.5 times that of a row read at the first step, with "
        "dense and with lazy Adam; after many steps the factor is 0.1 / sqrt(0.001) = 3.2",
        abs(early / RATE - 1) < 0.01
        and all(abs(step / early - 2.51) < 0.03 for step in late)
        and abs(0.1 / 0.001**0.5 - 3.16) < 0.01,
    )


def test_decay_shrinks_rows_that_nobody_read():
    weight = nn.Parameter(torch.ones(2, 1))
    optimiser = torch.optim.AdamW([weight], lr=1e-3, weight_decay=0.1)
    for _ in range(1000):
        weight.grad = torch.tensor([[1.0], [0.0]])
        optimiser.step()
    claim(
        "K09.decay",
        "AdamW, rate 1e-3, decay 0.1: a row that is never read loses 10 % in 1,000 steps",
        abs(float(weight[1].detach()) - 0.905) < 0.001,
    )


def test_dense_adam_takes_no_sparse_gradient():
    with pytest.raises(RuntimeError, match="does not support sparse gradients"):
        walk(adam, 1, {0}, sparse=True)
    claim("K09.refuses", "torch's Adam raises on a sparse gradient", True)


def test_what_the_state_costs():
    rows, dim = 10**9, 64
    claim(
        "K09.state",
        "A billion rows of 64 numbers in float32 are 256 GB; Adam's state is 512 GB more, Adagrad's 256, row-wise "
        "Adagrad's 4",
        [4 * rows * n / 1e9 for n in (dim, 2 * dim, dim, 1)] == [256, 512, 256, 4],
    )


def row_wise(table, rows, gradient, state, rate):
    """One step of row-wise Adagrad: the state of a row is its sum of mean squared gradients."""
    state[rows] += gradient.square().mean(1)
    table[rows] -= rate * gradient / (state[rows].sqrt() + 1e-10)[:, None]


def test_row_wise_adagrad():
    draw = torch.Generator().manual_seed(0)
    gradient = torch.linspace(-1, 1, 16) + torch.randn(50, 1, 16, generator=draw)
    table, state = torch.zeros(3, 16), torch.zeros(3)
    plain = nn.Parameter(torch.zeros(3, 16))
    optimiser = torch.optim.Adagrad([plain], lr=RATE)
    for g in gradient:
        row_wise(table, torch.tensor([1]), g, state, RATE)
        plain.grad = torch.zeros(3, 16).index_put((torch.tensor([1]),), g)
        optimiser.step()
    cosine = float(torch.cosine_similarity(table[1], plain.detach()[1], dim=0))
    claim(
        "K09.row-wise",
        "Row-wise Adagrad keeps one number a row and, on 50 noisy gradients of one drift, goes nearly the way of "
        "Adagrad: cosine 0.97; rows that were not read stay 0",
        state.shape == (3,) and abs(cosine - 0.974) < 0.01 and bool((table[[0, 2]] == 0).all()),
    )
    steps = {n: RATE / n**0.5 for n in (1, 100, 10_000)}  # the sum of n squares of equal size
    last = walk(adagrad, 100, set(range(100)))
    claim(
        "K09.rates",
        "Adagrad, gradients of equal size: the 100th step of a row is a tenth of its first, the 10,000th a hundredth",
        abs((last[-2] - last[-1]) / steps[100] - 1) < 0.01 and abs(steps[10_000] / steps[1] - 0.01) < 1e-9,
    )


def test_dense_gradients_write_the_whole_table():
    dense, sparse = (nn.Embedding(10_000, 16, sparse=s) for s in (False, True))
    ids = torch.arange(0, 640, 10)
    for table in (dense, sparse):
        table(ids).sum().backward()
    rows = 100_000_000
    claim(
        "K09.gradient",
        "A batch that reads 64 of 10,000 rows: the dense gradient has 10,000 rows, the sparse one 64; for 100 million "
        "rows of 64 numbers the dense one is 25.6 GB a step",
        len(dense.weight.grad) == 10_000 and sparse.weight.grad._nnz() == 64 and 4 * 64 * rows / 1e9 == 25.6,
    )


def ftrl(gradients, l1, alpha=0.1, beta=1.0):
    """The weights after FTRL-proximal steps, one coordinate a column, float ``[steps, dim]`` to ``[dim]``."""
    z = n = weight = torch.zeros(gradients.shape[1])
    for g in gradients:
        sigma = ((n + g**2).sqrt() - n.sqrt()) / alpha
        z, n = z + g - sigma * weight, n + g**2
        weight = torch.where(z.abs() <= l1, 0.0, -(z - z.sign() * l1) / ((beta + n.sqrt()) / alpha))
    return weight


def test_ftrl_leaves_rare_ids_at_zero():
    draw = torch.Generator().manual_seed(0)
    noise = torch.randn(1000, 500, generator=draw)
    reads = torch.rand(1000, 500, generator=draw) < torch.tensor([0.002] * 250 + [0.5] * 250)  # 250 rare, 250 frequent
    drift = torch.tensor([0.0] * 250 + [0.3] * 250)  # only the frequent ones mean something
    weights = ftrl((noise - drift) * reads, l1=5.0)
    shares = [float((part == 0).double().mean()) for part in weights.split(250)]
    claim(
        "K09.ftrl",
        "FTRL with an L1 of 5: of 250 ids read twice in 1,000 steps, pure noise, over 95 % are exactly 0, of 250 read "
        "every other time, with a signal, none",
        shares[0] > 0.95 and shares[1] == 0,
    )
