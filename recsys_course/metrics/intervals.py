"""How sure a mean is: the bootstrap over users, alone and paired."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd


class Interval(NamedTuple):
    """A mean and the ends of its 95 % interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def bootstrap(values, n_resamples: int = 1000, seed: int = 0) -> Interval:
    """Percentile interval of the mean over users; NaN values are left out.

    Args:
        values: one number per user, array-like ``[n_users]``.
        n_resamples: how often the users are drawn again, with replacement.
        seed: of the draws.

    Raises:
        ValueError: no value is left.
    """
    values = np.asarray(values, dtype=np.float64)
    values = values[~np.isnan(values)]
    if not len(values):
        raise ValueError("there is no user with a value to average")
    means = [values[rows].mean() for rows in _draws(len(values), n_resamples, seed)]
    return Interval(float(values.mean()), *map(float, np.quantile(means, [0.025, 0.975])))


def paired_bootstrap(a, b, n_resamples: int = 1000, seed: int = 0) -> Interval:
    """Interval of the mean of ``a - b`` over the same users, both ``[n_users]``.

    A user is drawn with both of its values, so what makes a user easy for both models cancels out. The difference is
    called significant at 5 % when the interval leaves out 0.

    Raises:
        ValueError: the lengths or, in columns of a table, the users differ, or no user has both values.
    """
    if isinstance(a, pd.Series) and isinstance(b, pd.Series) and not a.index.equals(b.index):
        raise ValueError("a and b must hold the same users in the same order: compare a[common] with b[common]")
    a, b = (np.asarray(x, dtype=np.float64) for x in (a, b))
    if a.shape != b.shape:
        raise ValueError(f"a and b must hold the same users, got shapes {a.shape} and {b.shape}")
    return bootstrap(a - b, n_resamples, seed)


def _draws(n: int, n_resamples: int, seed: int) -> Iterator[np.ndarray]:
    generator = np.random.default_rng(seed)
    return (generator.integers(0, n, n) for _ in range(n_resamples))
