"""W02: AUC and grouped AUC."""

from collections.abc import Hashable, Sequence


def auc(labels: Sequence[int], scores: Sequence[float]) -> float:
    """The chance that a positive scores above a negative; an equal score counts one half.

    Args:
        labels: 1 or 0 (or True and False).
        scores: the model's score of each row.

    Returns:
        A float from 0 to 1, NaN with one class only.
    """
    raise NotImplementedError


def gauc(users: Sequence[Hashable], labels: Sequence[int], scores: Sequence[float]) -> tuple[float, int]:
    """The mean AUC of the users, weighted by their rows, and the number of users left out."""
    raise NotImplementedError
