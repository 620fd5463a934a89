"""Whether a predicted 3 % happens 3 times in 100, and how to repair it."""

from typing import NamedTuple

import torch
from torch import Tensor


class Reliability(NamedTuple):
    """Rows in bins of like predictions: mean prediction, share that happened, and number of rows, ``[n_bins]`` each."""

    predicted: Tensor
    happened: Tensor
    n: Tensor


def reliability(predictions: Tensor, labels: Tensor, n_bins: int = 10) -> Reliability:
    """Sort rows by prediction, cut them into bins of equal size, and compare what was said with what happened.

    Args:
        predictions: float ``[n]``.
        labels: 1 or 0, or a true probability, ``[n]``.
        n_bins: how many.

    Raises:
        ValueError: there are fewer rows than bins.
    """
    if len(predictions) < n_bins:
        raise ValueError(f"{len(predictions)} rows do not fill {n_bins} bins: use fewer")
    order = predictions.argsort(stable=True)
    bins = [part.tensor_split(n_bins) for part in (predictions.double()[order], labels.double()[order])]
    means = [torch.stack([part.mean() for part in parts]) for parts in bins]
    return Reliability(*means, torch.tensor([len(part) for part in bins[0]]))


def calibration_error(predictions: Tensor, labels: Tensor, n_bins: int = 10) -> float:
    r"""Mean distance between what was said and what happened, over bins of equal size (ECE); 0 is best.

    .. math:: \sum_b \frac{n_b}{n} \, | \bar p_b - \bar y_b |

    Noise alone keeps it above 0, and errors that cancel within a bin are not seen: look at slices as well. Source:
    Naeini, Cooper and Hauskrecht, AAAI 2015.
    """
    predicted, happened, n = reliability(predictions, labels, n_bins)
    return float(((predicted - happened).abs() * n).sum() / n.sum())


def log_loss(predictions: Tensor, labels: Tensor) -> float:
    """Mean cross-entropy of probabilities, in nats; lower is better.

    Args:
        predictions: float ``[n]``; 0 and 1 are taken as a millionth and its opposite.
        labels: 1 or 0, or a true probability, ``[n]``.
    """
    p, y = predictions.double().clamp(1e-6, 1 - 1e-6), labels.double()
    return float(-(y * p.log() + (1 - y) * (1 - p).log()).mean())


def prior_shift(predictions: Tensor, keep: float) -> Tensor:
    r"""Undo the sampling of negatives: probabilities learnt on a sample to those of the whole.

    .. math:: q = \frac{p}{p + (1 - p) / w}

    The odds of a model that saw each negative with chance :math:`w` are :math:`1 / w` times too high. Exact where the
    model is, and only if the chance was the same for all. Source: He et al., Practical Lessons from Predicting Clicks
    on Ads at Facebook, ADKDD 2014, section 6.3.

    Args:
        predictions: :math:`p`, float ``[n]``.
        keep: :math:`w`, the share of negatives that was kept.

    Raises:
        ValueError: ``keep`` is not in (0, 1].

    >>> prior_shift(torch.tensor([0.2]), keep=0.1)
    tensor([0.0244])
    """
    if not 0 < keep <= 1:
        raise ValueError(f"keep must be above 0 and at most 1: the share of negatives that was kept, got {keep}")
    return predictions / (predictions + (1 - predictions) / keep)
