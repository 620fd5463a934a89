"""For whom does it help? Means by group, with intervals, and without groups too small to speak of."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from recsys_course.metrics.intervals import bootstrap


def stratified_report(values, strata, min_users: int = 30) -> pd.DataFrame:
    r"""Mean and 95 % interval of a per-user value in each stratum, and over all.

    Strata with fewer than ``min_users`` users are merged into one row, ``other: ...`` with their names; while that is
    still too small, the smallest stratum left joins it. So no small group is shown, none can be had by subtracting the
    others from the total, and the rows still add up: :math:`\bar x = \sum_g \frac{n_g}{n} \bar x_g`.

    Give it a difference of two models, user by user, and the intervals are paired ones.

    Args:
        values: one number a user, array-like ``[n_users]``; NaN is left out.
        strata: the stratum of each user, array-like ``[n_users]``.
        min_users: the least number of users in a row.

    Returns:
        One row a stratum in order of their names, ``other`` after them and ``all`` last: ``users``, ``share``,
        ``mean``, ``low``, ``high``.

    Raises:
        ValueError: the lengths differ, or there are fewer than ``min_users`` users in all.
    """
    values, strata = np.asarray(values, dtype=np.float64), np.asarray(strata)
    if values.shape != strata.shape or values.ndim != 1:
        raise ValueError(f"values and strata must name the same users, got shapes {values.shape} and {strata.shape}")
    known = ~np.isnan(values)
    values, strata = values[known], strata[known]
    if len(values) < max(min_users, 1):
        raise ValueError(f"{len(values)} users are fewer than min_users = {min_users}: there is nothing to report")
    parts = {name: values[strata == name] for name in np.unique(strata).tolist()}
    rows = {str(name): _row(part, len(values)) for name, part in _merged(parts, min_users).items()}
    return pd.DataFrame(rows | {"all": _row(values, len(values))}).T.astype({"users": int})


def _merged(parts: Mapping, min_users: int) -> dict:
    """Strata of ``min_users`` or more, and one of the rest."""
    by_size = sorted(parts, key=lambda name: len(parts[name]))  # stable: equal sizes in order of their names
    small = [name for name in by_size if len(parts[name]) < min_users]
    if not small:
        return dict(parts)
    while sum(len(parts[name]) for name in small) < min_users:
        small.append(by_size[len(small)])
    rest = {name: part for name, part in parts.items() if name not in small}
    label = f"other: {', '.join(str(name) for name in parts if name in small)}"
    return rest | {label: np.concatenate([parts[name] for name in small])}


def _row(values: np.ndarray, n_users: int) -> dict[str, float]:
    return {"users": len(values), "share": len(values) / n_users, **bootstrap(values)._asdict()}
