"""Is a concept such as a genre a direction among vectors? With the control that any such claim needs."""

import torch
import torch.nn.functional as F
from torch import Tensor

from recsys_course.metrics import auc


def concept_direction(vectors: Tensor, labels: Tensor) -> Tensor:
    """From the mean of what lacks a concept to the mean of what has it, of length 1.

    The idea of a concept as a direction, found from labelled examples: Kim et al., TCAV, ICML 2018, arXiv:1711.11279
    (there across the border of a linear classifier).

    Args:
        vectors: float ``[n, dim]``.
        labels: which have the concept, bool ``[n]``.

    Returns:
        Float ``[dim]``.

    Raises:
        ValueError: all or none have it.

    >>> concept_direction(torch.tensor([[0.0, 5.0], [2.0, 5.0]]), torch.tensor([False, True]))
    tensor([1., 0.])
    """
    if labels.all() or not labels.any():
        raise ValueError(f"a direction needs examples with and without the concept, got {int(labels.sum())} with it")
    return F.normalize(vectors[labels].mean(dim=0) - vectors[~labels].mean(dim=0), dim=0)


def concept_auc(vectors: Tensor, labels: Tensor, n_folds: int = 5, seed: int = 0) -> float:
    """How well a direction found on some vectors tells the concept in others: held-out AUC, 0.5 is chance.

    With as many dimensions as examples some direction fits any labels, so it is judged on vectors that had no part in
    it, and beside ``shuffled_labels``. The control: Hewitt and Liang, EMNLP 2019, arXiv:1909.03368.

    Args:
        vectors: float ``[n, dim]``.
        labels: bool ``[n]``.
        n_folds: parts, each judged by a direction from the others.
        seed: of the parts.

    Raises:
        ValueError: a part's rest has no example with, or none without the concept.
    """
    fold = torch.randperm(len(vectors), generator=torch.Generator().manual_seed(seed)) % n_folds  # [n]
    said = torch.empty(len(vectors))
    for part in range(n_folds):
        learnt = fold != part
        direction = concept_direction(vectors[learnt], labels[learnt])
        middle = (vectors[learnt] @ direction).mean()
        said[~learnt] = vectors[~learnt] @ direction - middle
    return auc(said, labels)


def shuffled_labels(labels: Tensor, seed: int) -> Tensor:
    """The same labels on other examples: a concept that does not exist, bool ``[n]``."""
    return labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))]
