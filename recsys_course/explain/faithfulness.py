"""Is an explanation true of the model? Take away what it names and see."""

from collections.abc import Callable

import torch
from torch import Tensor

from recsys_course.base import Recommender
from recsys_course.explain.counterfactual import history_scores

Kept = Callable[[Tensor], Tensor]  # which parts are kept, bool [m, n], to the score, float [m]


def order_by(attribution: Tensor) -> Tensor:
    """The parts from the most to the least important, of equals the later first: float ``[n]`` to int64 ``[n]``."""
    return len(attribution) - 1 - attribution.flip(0).argsort(descending=True, stable=True)


def random_orders(n: int, n_orders: int, seed: int) -> Tensor:
    """The explanation to beat: orders without any reason, int64 ``[n_orders, n]``."""
    return torch.rand(n_orders, n, generator=torch.Generator().manual_seed(seed)).argsort(dim=1)


def kept_score(model: Recommender, items: Tensor, target: int) -> Kept:
    """Log-probability of an item when only some of a history is kept, by softmax over all items.

    What is not kept is gone: the model reads a shorter history. Nothing kept is no input to a sequence model, which
    then falls back on popularity: leave that point out of a comparison.

    Args:
        model: any recommender that scores a ``history``.
        items: liked items, oldest first, int64 ``[n]``.
        target: the item that is explained.
    """

    def score(kept: Tensor) -> Tensor:
        return history_scores(model, [items[row] for row in kept]).log_softmax(dim=1)[:, target]

    return score


def greedy_order(score: Kept, n: int) -> Tensor:
    """Each time the part whose loss costs most is taken away: int64 ``[n]``, an order hard to beat at deletion."""
    kept, order = torch.ones(n, dtype=torch.bool), []
    for _ in range(n):
        left = kept.nonzero()[:, 0]
        tried = kept.repeat(len(left), 1)  # [left, n], each without one part more
        tried[torch.arange(len(left)), left] = False
        order.append(int(left[score(tried).argmin()]))
        kept[order[-1]] = False
    return torch.tensor(order)


def deletion_curve(score: Kept, order: Tensor) -> Tensor:
    """Scores while the parts are taken away in this order: a faithful explanation makes it fall early.

    Source: Petsiuk, Das and Saenko, RISE, BMVC 2018, arXiv:1806.07421, section 4.2.

    Args:
        score: of the input with some parts kept, bool ``[m, n]`` to float ``[m]``; all curves are asked in one call.
        order: one or several, int64 ``[..., n]``.

    Returns:
        Float ``[..., n + 1]``: first with all parts, last with none.

    >>> parts = torch.tensor([1.0, 4.0])
    >>> deletion_curve(lambda kept: (kept * parts).sum(dim=1), torch.tensor([1, 0]))
    tensor([5., 1., 0.])
    """
    named = _named(order)
    return score(~named.flatten(0, -2)).view(named.shape[:-1])


def insertion_curve(score: Kept, order: Tensor) -> Tensor:
    """Scores while the parts are put in, first of all none: a faithful explanation makes it rise early.

    As ``deletion_curve``; float ``[..., n + 1]``, last with all parts.
    """
    named = _named(order)
    return score(named.flatten(0, -2)).view(named.shape[:-1])


def area(curve: Tensor) -> Tensor:
    r"""Mean height of curves whose points stand equally far apart, straight lines between them.

    .. math:: \frac{1}{n} \sum_{s=0}^{n-1} \frac{c_s + c_{s+1}}{2}

    Args:
        curve: float ``[..., n + 1]``, two points or more.

    Returns:
        Float ``[...]``.

    Raises:
        ValueError: there are fewer than two points.
    """
    if curve.shape[-1] < 2:
        raise ValueError(f"a curve needs two points or more, got {curve.shape[-1]}")
    return (curve[..., :-1] + curve[..., 1:]).mean(dim=-1) / 2


def _named(order: Tensor) -> Tensor:
    """Which parts are among the first 0, 1, ... n of each order: ``[..., n]`` to bool ``[..., n + 1, n]``."""
    rank = order.argsort(dim=-1).unsqueeze(-2)  # [..., 1, n]
    return rank < torch.arange(order.shape[-1] + 1).unsqueeze(1)
