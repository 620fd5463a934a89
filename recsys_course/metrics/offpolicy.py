"""What would another policy have earned? Estimates from a log that the present policy wrote.

Each event of the log has a reward :math:`r`, the probability :math:`p` with which the logging policy showed that item
(its propensity), and the probability :math:`q` with which the new policy would have shown it; :math:`w = q / p`.
"""

from typing import NamedTuple

from torch import Tensor


class Estimate(NamedTuple):
    """A value, the ends of its 95 % interval, and how many events of the new policy the log is worth."""

    value: float
    low: float
    high: float
    n_effective: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}], worth {self.n_effective:,.0f} events"


def ips(rewards: Tensor, propensities: Tensor, target: Tensor) -> Estimate:
    r"""Inverse propensity scoring: right on average, and unsure where weights are large.

    .. math:: \hat V = \frac{1}{n} \sum_j w_j r_j

    It is unbiased only if the logging policy shows, at least now and then, everything that the new one shows: what
    never happened has no event to be weighted, and no estimate from this log can see it. Source: Horvitz and
    Thompson, JASA 47(260), 1952.

    Args:
        rewards: what each event earned, for example 1 for a click, ``[n_events]``.
        propensities: of the logging policy, ``[n_events]``.
        target: the new policy's probability of the same item for the same user, ``[n_events]``.

    Raises:
        ValueError: there is no event, the lengths differ, a propensity is not in (0, 1] or a target not in [0, 1].
    """
    weights = importance_weights(propensities, target)  # [n_events]
    return _estimate(weights * _same_length(rewards, weights), weights)


def snips(rewards: Tensor, propensities: Tensor, target: Tensor) -> Estimate:
    r"""Self-normalised IPS: a slightly biased value that varies less, and never leaves the range of the rewards.

    .. math:: \hat V = \frac{\sum_j w_j r_j}{\sum_j w_j}

    The interval linearises the ratio. Source: Swaminathan and Joachims, NeurIPS 2015. Arguments and errors are those
    of ``ips``; NaN if the new policy would have shown nothing of what the log shows.
    """
    weights = importance_weights(propensities, target)  # [n_events]
    rewards = _same_length(rewards, weights)
    value = (weights * rewards).sum() / weights.sum()
    return _estimate(value + weights * (rewards - value) / weights.mean(), weights)


def importance_weights(propensities: Tensor, target: Tensor) -> Tensor:
    """How much more often than the logging policy the new one shows each item: two ``[n_events]`` to float64.

    Raises:
        ValueError: as ``ips``.
    """
    p, q = propensities.double(), _same_length(target, propensities)
    impossible = ~((p > 0) & (p <= 1))
    if impossible.any():
        event = int(impossible.nonzero()[0])
        raise ValueError(
            f"event {event} has propensity {p[event]:g}: what was shown had a chance above 0 and at most 1, "
            "so log the probability at the moment of showing"
        )
    if not ((q >= 0) & (q <= 1)).all():
        raise ValueError("target must hold probabilities from 0 to 1: the new policy's chance of showing each item")
    return q / p


def effective_sample_size(weights: Tensor) -> float:
    r"""Number of equally weighted events that are as informative, :math:`(\sum_j w_j)^2 / \sum_j w_j^2`.

    Source: Kish, Survey Sampling, 1965.

    Args:
        weights: not negative, ``[n_events]``.

    >>> import torch
    >>> effective_sample_size(torch.tensor([1.0, 1.0, 0.0, 0.0]))
    2.0
    """
    return float(weights.sum() ** 2 / weights.square().sum())


def _estimate(contributions: Tensor, weights: Tensor) -> Estimate:
    """The mean of what each event contributes, with its normal 95 % interval."""
    value, error = float(contributions.mean()), float(contributions.std()) / len(contributions) ** 0.5
    return Estimate(value, value - 1.96 * error, value + 1.96 * error, effective_sample_size(weights))


def _same_length(values: Tensor, others: Tensor) -> Tensor:
    if values.shape != others.shape or not len(values):
        raise ValueError(f"give one number an event: got shapes {list(values.shape)} and {list(others.shape)}")
    return values.double()
