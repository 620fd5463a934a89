"""Attribution by gradients: along the slope at the input, or along the whole way from a baseline to it."""

from collections.abc import Callable

import torch
from torch import Tensor

from recsys_course.models.sasrec import SASRec

Score = Callable[[Tensor], Tensor]  # float [batch, n, dim] to float [batch]


def item_score(model: SASRec, items: Tensor, target: int) -> tuple[Tensor, Score]:
    """A SASRec's score of one item as a function of the vectors of a history.

    Args:
        model: it has learnt.
        items: the history, oldest first, without filler, int64 ``[n]``; the newest ``model.length`` are read.
        target: the item that is scored; its own vector stays as it is.

    Returns:
        The history's vectors, float ``[n, dim]``, and a function from such vectors, ``[batch, n, dim]``, to scores
        ``[batch]``, both on the model's device.

    Raises:
        ValueError: the history is empty.
    """
    if not len(items):
        raise ValueError("the history is empty: a score can be traced back to one item or more")
    network = model.network_
    table = network.items.weight.detach()
    vectors, goal = table[items[-model.length :].to(table.device)], table[target]
    return vectors, lambda inputs: network.blocks(inputs)[:, -1] @ goal


def gradient_times_input(score: Score, inputs: Tensor) -> Tensor:
    """What each part would add if the score were a straight line: float ``[n, dim]`` to the same.

    Source: Shrikumar et al., 2016, arXiv:1605.01713, where it is the simple rival.
    """
    return _gradients(score, inputs.unsqueeze(0))[0] * inputs


def integrated_gradients(score: Score, inputs: Tensor, baseline: Tensor | None = None, n_steps: int = 64) -> Tensor:
    r"""What each part adds on the straight way from a baseline to the input.

    .. math:: (x - x') \int_0^1 \nabla f\left(x' + \alpha (x - x')\right) d\alpha

    The integral is the mean over the middles of ``n_steps`` equal pieces. All parts together give
    :math:`f(x) - f(x')`, the *completeness* axiom. Source: Sundararajan, Taly and Yan, ICML 2017, arXiv:1703.01365,
    section 3.

    Args:
        score: :math:`f`, for a batch of inputs.
        inputs: :math:`x`, float ``[n, dim]``.
        baseline: :math:`x'`, the "nothing" that everything is compared with; without it zeros.
        n_steps: pieces of the way, at least 1.

    Returns:
        Float ``[n, dim]``; sum over ``dim`` for one number a part.

    Raises:
        ValueError: ``n_steps`` is below 1.
    """
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1, got {n_steps}")
    baseline = torch.zeros_like(inputs) if baseline is None else baseline
    middles = (torch.arange(n_steps, dtype=inputs.dtype, device=inputs.device) + 0.5) / n_steps  # [n_steps]
    way = baseline + middles.view(-1, *[1] * inputs.dim()) * (inputs - baseline)  # [n_steps, n, dim]
    return (inputs - baseline) * _gradients(score, way).mean(dim=0)


@torch.no_grad()
def completeness_gap(score: Score, inputs: Tensor, attribution: Tensor, baseline: Tensor | None = None) -> float:
    """How far an attribution's sum is from what it should explain, the score minus that of the baseline."""
    baseline = torch.zeros_like(inputs) if baseline is None else baseline
    there, here = score(torch.stack([inputs, baseline]))
    return float(attribution.sum() - (there - here))


def _gradients(score: Score, inputs: Tensor) -> Tensor:
    """Of each row's score by this row alone: ``[batch, n, dim]`` to the same."""
    inputs = inputs.detach().requires_grad_(True)
    with torch.enable_grad():
        return torch.autograd.grad(score(inputs).sum(), inputs)[0]
