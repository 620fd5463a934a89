"""Position bias of a judge that reads a list: measured by moving the candidates, removed by adding the orders up."""

import torch
from torch import Tensor


def cyclic_orders(n: int) -> Tensor:
    """The ``n`` turns of a list: every candidate stands once in every slot.

    Args:
        n: number of candidates.

    Returns:
        The candidate in each slot of each order, int64 ``[n, n]``.

    Raises:
        ValueError: there is no candidate.

    >>> cyclic_orders(3)
    tensor([[0, 1, 2],
            [1, 2, 0],
            [2, 0, 1]])
    """
    if n < 1:
        raise ValueError(f"orders need at least one candidate, got {n}")
    slots = torch.arange(n)
    return (slots + slots.unsqueeze(1)) % n


def debias(scores: Tensor, orders: Tensor) -> Tensor:
    r"""Mean score of each candidate over the orders, :math:`R` of them.

    .. math:: \bar{s}_c = \frac{1}{R} \sum_{r=1}^{R} s_{r, \text{slot of } c \text{ in } r}

    Where a score is the candidate's worth plus something for its slot, and every candidate stands equally often in
    every slot (``cyclic_orders``), the same constant is left on all: the ranking is exactly that of the worth.

    Args:
        scores: of the candidate in each slot, float ``[n_orders, n_slots]``.
        orders: which candidate that is; each row a permutation, int64 ``[n_orders, n_slots]``.

    Returns:
        Float ``[n_candidates]``.

    Raises:
        ValueError: the shapes differ, or an order is no permutation.
    """
    _check(scores, orders)
    return scores.gather(1, orders.argsort(dim=1)).mean(dim=0)


def position_effect(scores: Tensor, orders: Tensor) -> Tensor:
    """What each slot adds, above the mean slot: float ``[n_orders, n_slots]`` to ``[n_slots]``, which adds up to 0.

    The mean worth of the candidates that stood in a slot is taken off, so that the orders need not be balanced.

    Raises:
        ValueError: the shapes differ, or an order is no permutation.
    """
    _check(scores, orders)
    rest = scores - debias(scores, orders)[orders]
    return rest.mean(dim=0) - rest.mean()


def _check(scores: Tensor, orders: Tensor) -> None:
    if scores.shape != orders.shape:
        raise ValueError(f"scores {list(scores.shape)} and orders {list(orders.shape)} differ: one score for each slot")
    if not torch.equal(orders.sort(dim=1).values, torch.arange(orders.shape[1]).expand_as(orders)):
        raise ValueError("an order names a candidate twice or not at all: each row must be a permutation")
