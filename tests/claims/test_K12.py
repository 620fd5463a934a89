"""What the answer to K12 (two processes against one on the same global batch) states; shards by hand, one process."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DistributedSampler

from recsys_course import claim

BATCH, DIM = 8, 6


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def network(norm=None):
    """A small regression network, the same at each call."""
    state = torch.random.get_rng_state()
    torch.manual_seed(0)
    layers = [nn.Linear(DIM, 8), *([norm(8)] if norm else []), nn.ReLU(), nn.Linear(8, 1)]
    torch.random.set_rng_state(state)
    return nn.Sequential(*layers)


def gradients(model, x, y):
    """Of the mean squared error."""
    model.zero_grad()
    F.mse_loss(model(x)[:, 0], y).backward()
    return [p.grad.clone() for p in model.parameters()]


def together(model, x, y, sizes, weights):
    """Weighted sum of the gradients of the shards: what an all-reduce leaves on each process."""
    parts = [gradients(model, *shard) for shard in zip(x.split(sizes), y.split(sizes), strict=True)]
    return [sum(w * g for w, g in zip(weights, per, strict=True)) for per in zip(*parts, strict=True)]


def train(sizes, weights, make, steps=10):
    """Parameters after some steps, each on another global batch of 8."""
    model = network()
    optimiser = make(model.parameters())
    for step in range(steps):
        x = normal(BATCH, DIM, seed=step)
        for p, g in zip(model.parameters(), together(model, x, x.sum(1), sizes, weights), strict=True):
            p.grad = g
        optimiser.step()
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def sgd(rate):
    return lambda parameters: torch.optim.SGD(parameters, lr=rate)


def adam(rate):
    return lambda parameters: torch.optim.Adam(parameters, lr=rate)


def apart(one, other):
    return float((one - other).abs().max())


def test_equal_shards_and_a_mean_loss_are_one_big_batch():
    one, two = train([8], [1], sgd(0.05)), train([4, 4], [0.5, 0.5], sgd(0.05))
    claim(
        "K12.equal",
        "Shards of 4 and 4, mean loss, gradients averaged: after ten steps of SGD the weights of one process on all 8 "
        "to 1e-6",
        apart(one, two) < 1e-6,
    )
    claim("K12.bits", "Not bit for bit: the sums are taken in another order", apart(one, two) > 0)


def test_summed_gradients_under_two_optimisers():
    right, summed = train([4, 4], [0.5, 0.5], sgd(0.05)), train([4, 4], [1, 1], sgd(0.05))
    double = train([4, 4], [0.5, 0.5], sgd(0.10))
    adams = [train([4, 4], weights, adam(0.05)) for weights in ([0.5, 0.5], [1, 1])]
    claim(
        "K12.summed",
        "Summed instead of averaged over two: SGD makes the steps of twice the rate, off by more than 0.1 after ten "
        "steps; under Adam the weights stay within 1e-4",
        apart(summed, double) < 1e-5 and apart(right, summed) > 0.1 and apart(*adams) < 1e-4,
    )


def test_unequal_shards():
    x, model = normal(BATCH, DIM, seed=3), network()
    y = x.sum(1)
    whole = torch.cat([g.flatten() for g in gradients(model, x, y)])
    mean, weighted = (
        torch.cat([g.flatten() for g in together(model, x, y, [6, 2], w)]) for w in ([0.5, 0.5], [6 / 8, 2 / 8])
    )
    share = float((mean - whole).norm() / whole.norm())
    claim(
        "K12.unequal",
        "Shards of 6 and 2: the mean of the two means counts an example of the small shard three times as much "
        "as one of the large, here a gradient off by 32 %; weighted by size it is the big batch again",
        abs(share - 0.32) < 0.02 and torch.allclose(weighted, whole, atol=1e-6) and (0.5 / 2) / (0.5 / 6) == 3,
    )


def test_divided_twice():
    once, twice = train([4, 4], [0.5, 0.5], sgd(0.05)), train([4, 4], [0.25, 0.25], sgd(0.05))
    half = train([4, 4], [0.5, 0.5], sgd(0.025))
    claim(
        "K12.divided",
        "The loss divided by the two processes although the gradients are averaged: the steps of half the rate; a "
        "global batch of 256 given as 256 // 8 to a call that divides it again leaves 4 a device instead of 32",
        apart(twice, half) < 1e-6 and apart(once, twice) > 0.01 and (256 // 8 // 8, 256 // 8) == (4, 32),
    )


def order(epoch=None, **options):
    sampler = DistributedSampler(range(options.pop("n", 1000)), num_replicas=2, **options)
    if epoch is not None:
        sampler.set_epoch(epoch)
    return list(sampler)


def test_who_reads_what():
    shards = [order(rank=rank) for rank in (0, 1)]
    claim(
        "K12.set-epoch",
        "DistributedSampler: the shards are disjoint and cover all; without set_epoch every epoch has the same order, "
        "with it another",
        sorted(shards[0] + shards[1]) == list(range(1000))
        and order(rank=0) == order(rank=0)
        and order(epoch=0, rank=0) != order(epoch=1, rank=0),
    )
    own = order(rank=0, seed=0), order(rank=1, seed=1)
    missed = 1 - len(set(own[0]) | set(own[1])) / 1000
    claim(
        "K12.own-seed",
        "If each of two processes shuffles with a seed of its own, a quarter of the examples is read by nobody in an "
        "epoch, and as many twice",
        abs(missed - 0.25) < 0.03 and len(set(own[0]) & set(own[1])) / 1000 == pytest.approx(missed),
    )
    seven = sorted(order(n=7, rank=0, shuffle=False) + order(n=7, rank=1, shuffle=False))
    claim(
        "K12.padding",
        "Seven examples for two processes are made eight: the first is read twice, also in an evaluation",
        seven == [0, 0, 1, 2, 3, 4, 5, 6],
    )


def test_layers_that_look_at_the_batch():
    x = normal(BATCH, DIM, seed=5)
    gap = {}
    for norm in (nn.BatchNorm1d, nn.LayerNorm):
        one, two = network(norm), network(norm)
        whole = gradients(one, x, x.sum(1))
        parts = together(two, x, x.sum(1), [4, 4], [0.5, 0.5])
        gap[norm.__name__] = max(apart(a, b) for a, b in zip(whole, parts, strict=True))
    claim(
        "K12.batch-norm",
        "Shards of 4 and 4: with layer norm the gradient is that of the big batch to 1e-6, with batch norm it is off "
        "by more than 0.05",
        gap["LayerNorm"] < 1e-6 and gap["BatchNorm1d"] > 0.05,
    )


def in_batch(users, items):
    """Softmax of each user over the items of the batch."""
    return F.cross_entropy(users @ items.T, torch.arange(len(users)))


def test_in_batch_negatives_are_not_a_mean_over_examples():
    zero = torch.zeros(BATCH, DIM)
    whole, half = (float(in_batch(zero[:n], zero[:n])) for n in (8, 4))
    users, items = normal(BATCH, DIM, seed=6).requires_grad_(), normal(BATCH, DIM, seed=7)
    items.requires_grad_()
    big, big_items = torch.autograd.grad(in_batch(users, items), (users, items))
    shards = sum(in_batch(u, i) for u, i in zip(users.split(4), items.split(4), strict=True)) / 2
    small = torch.autograd.grad(shards, users)[0]
    place = torch.arange(4)
    gathered = sum(F.cross_entropy(u @ items.T, place + 4 * n) for n, u in enumerate(users.split(4))) / 2
    same, same_items = torch.autograd.grad(gathered, (users, items))
    others = [torch.cat([items[:4], items[4:].detach()]), torch.cat([items[:4].detach(), items[4:]])]
    cut = (
        sum(
            F.cross_entropy(u @ o.T, place + 4 * n) for n, (u, o) in enumerate(zip(users.split(4), others, strict=True))
        )
        / 2
    )
    cut_items = torch.autograd.grad(cut, items)[0]
    share = float((small - big).norm() / big.norm())
    claim(
        "K12.in-batch",
        "In-batch softmax, 8 examples: 7 negatives in one process, 3 in each of two, and the first loss is log 8 "
        "against log 4; the gradients differ by 63 %, and are the same once the items are gathered; if what is "
        "gathered from the other process carries no gradient, that of the items is still wrong",
        abs(whole - torch.tensor(8.0).log()) < 1e-6
        and abs(half - torch.tensor(4.0).log()) < 1e-6
        and abs(share - 0.63) < 0.03
        and torch.allclose(same, big, atol=1e-6)
        and torch.allclose(same_items, big_items, atol=1e-6)
        and float((cut_items - big_items).norm() / big_items.norm()) > 0.1,
    )


def test_the_last_piece_of_an_accumulated_batch():
    x, model = normal(BATCH, DIM, seed=8), network()
    y, pieces = x.sum(1), [3, 3, 2]
    whole = gradients(copy.deepcopy(model), x, y)
    naive = together(model, x, y, pieces, [1 / 3] * 3)
    right = together(model, x, y, pieces, [n / 8 for n in pieces])
    claim(
        "K12.accumulate",
        "Eight examples accumulated as 3, 3 and 2: a third of each mean is not the mean of all, n/8 of each is",
        max(apart(a, b) for a, b in zip(naive, whole, strict=True)) > 1e-3
        and max(apart(a, b) for a, b in zip(right, whole, strict=True)) < 1e-6,
    )
