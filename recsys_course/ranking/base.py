"""The one protocol of the rankers: rows of impressions in, probabilities out."""

from abc import ABC, abstractmethod
from typing import Self

from torch import Tensor

from recsys_course.simulate.clicks import Impressions


class Ranker(ABC):
    """Learn from impressions how likely a click is.

    A recommender scores all items for a user; a ranker is asked about the few hundred rows that retrieval left, with
    everything that is known about user, item and moment together. Hyper-parameters are stored untouched; what ``fit``
    learns ends in an underscore.
    """

    @abstractmethod
    def fit(self, rows: Impressions, labels: Tensor | None = None) -> Self:
        """Learn and return ``self``.

        Args:
            rows: the impressions to learn from; of their truth nothing is read.
            labels: what happened, if not ``rows.clicks``: float ``[n]``.
        """

    @abstractmethod
    def predict(self, rows: Impressions) -> Tensor:
        """Chance of a click on each row, in 0 to 1: float ``[n]``."""

    def _check(self, labels: Tensor | None, rows: Impressions) -> Tensor:
        """The labels, or the clicks without them."""
        labels = rows.clicks if labels is None else labels
        if len(labels) != len(rows):
            raise ValueError(f"labels must be one a row, got {len(labels)} for {len(rows)} rows")
        if not len(rows) or not labels.isfinite().all():
            raise ValueError(f"there must be rows and finite labels, got {len(rows)} rows: drop what has no label yet")
        return labels.float()

    def _learnt(self, name: str) -> object:
        if not hasattr(self, name):
            raise ValueError(f"{type(self).__name__} has not learnt yet: call fit(rows) first")
        return getattr(self, name)
