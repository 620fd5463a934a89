"""The honest baselines: one rate an item, a straight line, and trees on features made by hand."""

from typing import Self

import numpy as np
import torch
from scipy.sparse import csr_matrix, hstack
from torch import Tensor

from recsys_course.ranking.base import Ranker
from recsys_course.simulate.clicks import Impressions


class ItemRate(Ranker):
    """Popularity among rankers: the item's click rate in training, drawn towards the mean where there is little.

    Args:
        strength: how many impressions the mean counts for.
    """

    def __init__(self, strength: float = 20.0) -> None:
        self.strength = strength

    def fit(self, rows: Impressions, labels: Tensor | None = None) -> Self:
        """Count; see ``Ranker.fit``."""
        labels, n_items = self._check(labels, rows), rows.sizes[1]
        shown = torch.bincount(rows.items, minlength=n_items)
        clicked = torch.bincount(rows.items, labels, minlength=n_items)
        self.rates_ = (clicked + self.strength * labels.mean()) / (shown + self.strength)  # [n_items]
        return self

    def predict(self, rows: Impressions) -> Tensor:
        """The rate of each row's item."""
        return self._learnt("rates_")[rows.items].float()


class Logistic(Ranker):
    """Logistic regression on one column for each value of each field, and on the logged numbers: no crosses.

    Args:
        reg: strength of the penalty on squared weights.
        positions: whether the position is one more field.
    """

    def __init__(self, reg: float = 10.0, positions: bool = False) -> None:
        self.reg = reg
        self.positions = positions

    def fit(self, rows: Impressions, labels: Tensor | None = None) -> Self:
        """Fit by scikit-learn; see ``Ranker.fit``.

        Raises:
            ValueError: a label is neither 0 nor 1.
        """
        from sklearn.linear_model import LogisticRegression

        labels = _binary(self._check(labels, rows), self)
        self.scale_ = rows.numbers.mean(0), rows.numbers.std(0).clamp(min=1e-6)
        self.model_ = LogisticRegression(C=1 / self.reg, max_iter=100, tol=1e-3).fit(self._columns(rows), labels)
        return self

    def predict(self, rows: Impressions) -> Tensor:
        """See ``Ranker.predict``."""
        model = self._learnt("model_")
        return torch.from_numpy(model.predict_proba(self._columns(rows))[:, 1]).float()

    def _columns(self, rows: Impressions) -> csr_matrix:
        """A 1 for each row's value in each field, and the numbers, scaled: ``[n, n_columns]``."""
        fields, sizes = rows.fields, rows.sizes
        if self.positions:
            fields, sizes = torch.cat([fields, rows.positions.unsqueeze(1)], dim=1), (*sizes, MOST_POSITIONS)
        columns = (fields + offsets(sizes)).numpy()  # [n, n_fields]
        start = np.arange(0, columns.size + 1, columns.shape[1])
        ones = csr_matrix((np.ones(columns.size), columns.ravel(), start), shape=(len(rows), sum(sizes)))
        mean, deviation = self.scale_
        return hstack([ones, csr_matrix(((rows.numbers - mean) / deviation).numpy())], format="csr")


MOST_POSITIONS = 100  # a list is no longer


class Trees(Ranker):
    """Gradient-boosted trees on the logged numbers, genre, time of day and, if wanted, position.

    Trees cannot use an id with a thousand values; the numbers stand for user and item.

    Args:
        n_trees: how many, each correcting those before it.
        learning_rate: how much of its correction each one makes.
        positions: whether the position is one more feature.
        seed: of scikit-learn's draws.
    """

    def __init__(self, n_trees: int = 100, learning_rate: float = 0.1, positions: bool = False, seed: int = 0) -> None:
        self.n_trees = n_trees
        self.learning_rate = learning_rate
        self.positions = positions
        self.seed = seed

    def fit(self, rows: Impressions, labels: Tensor | None = None) -> Self:
        """Fit by scikit-learn; see ``Ranker.fit``.

        Raises:
            ValueError: a label is neither 0 nor 1.
        """
        from sklearn.ensemble import HistGradientBoostingClassifier

        labels = _binary(self._check(labels, rows), self)
        self.model_ = HistGradientBoostingClassifier(
            max_iter=self.n_trees,
            learning_rate=self.learning_rate,
            categorical_features=[0, 1],
            early_stopping=False,
            random_state=self.seed,
        ).fit(self._columns(rows), labels)
        return self

    def predict(self, rows: Impressions) -> Tensor:
        """See ``Ranker.predict``."""
        model = self._learnt("model_")
        return torch.from_numpy(model.predict_proba(self._columns(rows))[:, 1]).float()

    def _columns(self, rows: Impressions) -> np.ndarray:
        parts = [rows.fields[:, 2:], rows.numbers]
        parts += [rows.positions.unsqueeze(1)] if self.positions else []
        return torch.cat(parts, dim=1).numpy()


def offsets(sizes: tuple[int, ...]) -> Tensor:
    """Where each field's values begin if all fields share one table: int64 ``[n_fields]``.

    >>> offsets((3, 4, 2))
    tensor([0, 3, 7])
    """
    return torch.tensor((0, *sizes[:-1])).cumsum(0)


def _binary(labels: Tensor, ranker: Ranker) -> np.ndarray:
    if not ((labels == 0) | (labels == 1)).all():
        raise ValueError(f"{type(ranker).__name__} takes labels 0 and 1 alone: use a network for weighted ones")
    return labels.numpy()
