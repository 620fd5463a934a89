"""Tests that are red on the code as it was found, and green once it is mended."""

import math

import torch
from answer import mix_history, pool_history, recency

from recsys_course.interview.expect import close, true


def _case(batch, length, dim, seed):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, dim, generator=generator), torch.randn(batch, length, dim, generator=generator)


def _padded(items, padding, fill):
    batch, length, dim = items.shape
    longer = torch.cat([items, torch.full((batch, padding, dim), fill)], dim=1)
    return longer, (torch.arange(length + padding) < length).expand(batch, -1)


def test_padding_changes_no_pooled_history():
    """A pooled history is the same whatever is appended as padding."""
    query, items = _case(2, 3, 4, seed=1)
    want = pool_history(query, items, torch.ones(2, 3, dtype=torch.bool))
    for padding, fill in ((1, 0.0), (7, 0.0), (2, 9.0)):
        got = pool_history(query, *_padded(items, padding, fill))
        close(got, want, f"pool_history with {padding} padded items of {fill}", tolerance=1e-5)


def test_padding_changes_no_mixed_history():
    """The items that are kept are mixed the same whatever is appended as padding."""
    _, items = _case(2, 3, 4, seed=2)
    want = mix_history(items, torch.ones(2, 3, dtype=torch.bool))
    for padding, fill in ((1, 0.0), (4, 9.0)):
        got = mix_history(*_padded(items, padding, fill))[:, :3]
        close(got, want, f"mix_history with {padding} padded items of {fill}", tolerance=1e-5)


def test_shares_sum_to_one():
    """The shares of what is kept sum to one and follow the ages; padding has none."""
    ages, keep = torch.tensor([[0.0, 10.0, 0.0]]), torch.tensor([[True, True, False]])
    first = 1 / (1 + math.exp(-1))
    close(recency(ages, torch.tensor(0.1), keep), [[first, 1 - first, 0.0]], "recency at ages 0 and 10", tolerance=1e-5)


def test_a_user_without_history_gets_zeros():
    """Without history everything is zero, whatever the padding holds, and no other user notices."""
    query, items = _case(2, 3, 4, seed=3)
    keep = torch.tensor([[False] * 3, [True] * 3])
    pooled, mixed = pool_history(query, items, keep), mix_history(items, keep)
    close(pooled[0], [0.0] * 4, "pool_history of no items")
    close(mixed[0], [[0.0] * 4] * 3, "mix_history of no items")
    close(recency(items[:, :, 0], torch.tensor(0.1), keep)[0], [0.0] * 3, "recency of no items")
    close(mixed[1:], mix_history(items[1:], keep[1:]), "mix_history of the other user", tolerance=1e-5)


def test_training_reaches_every_parameter():
    """Gradients exist and are finite, also with padding and with a user without history."""
    query, items = (each.requires_grad_() for each in _case(2, 3, 4, seed=4))
    rate, keep = torch.tensor(0.1, requires_grad=True), torch.tensor([[True, True, False], [False] * 3])
    shares = recency(torch.tensor([[1.0, 5.0, 0.0], [0.0, 0.0, 0.0]]), rate, keep)
    loss = (shares**2).sum() + (pool_history(query, items, keep) ** 2).sum() + (mix_history(items, keep) ** 2).sum()
    loss.backward()
    for name, leaf in (("query", query), ("items", items), ("rate", rate)):
        true(leaf.grad is not None and torch.isfinite(leaf.grad).all(), f"the gradient of {name} is not finite")
    true(rate.grad.abs() > 1e-3, "the rate of recency gets no gradient")


def test_half_precision_is_finite():
    """In half precision nothing raises and nothing becomes NaN."""
    query, items = (each.half() for each in _case(2, 3, 4, seed=5))
    keep = torch.tensor([[True, True, False], [False] * 3])
    for name, got in (("pool_history", pool_history(query, items, keep)), ("mix_history", mix_history(items, keep))):
        true(torch.isfinite(got).all(), f"{name} of half precision is not finite")
