"""One way to write W25: one function checks the columns and makes the weights."""

import numpy as np
from numpy.typing import ArrayLike


def ips(rewards: ArrayLike, propensities: ArrayLike, chances: ArrayLike, clip: float = np.inf) -> float:
    """Mean reward of the new policy by inverse propensity scores."""
    weights, rewards = _weights(propensities, chances, clip, rewards)
    return float((weights * rewards).mean())


def snips(rewards: ArrayLike, propensities: ArrayLike, chances: ArrayLike, clip: float = np.inf) -> float:
    """The same, divided by the mean weight; NaN if all weights are 0."""
    weights, rewards = _weights(propensities, chances, clip, rewards)
    return float((weights * rewards).sum() / weights.sum()) if weights.any() else float("nan")


def doubly_robust(
    rewards: ArrayLike,
    propensities: ArrayLike,
    chances: ArrayLike,
    guesses: ArrayLike,
    values: ArrayLike,
    clip: float = np.inf,
) -> float:
    """A model's value, corrected by the weighted error of its guesses."""
    weights, rewards, guesses, values = _weights(propensities, chances, clip, rewards, guesses, values)
    return float((values + weights * (rewards - guesses)).mean())


def effective_size(propensities: ArrayLike, chances: ArrayLike) -> float:
    """How many equally weighted events the weighted ones are worth; 0 if all weights are 0."""
    (weights,) = _weights(propensities, chances, np.inf)
    return float(weights.sum() ** 2 / (weights**2).sum()) if weights.any() else 0.0


def _weights(propensities: ArrayLike, chances: ArrayLike, clip: float, *others: ArrayLike) -> list[np.ndarray]:
    """The weights, and the other columns as arrays."""
    columns = [np.asarray(column, dtype=float) for column in (propensities, chances, *others)]
    if any(column.ndim != 1 or column.shape != columns[0].shape for column in columns) or not columns[0].size:
        raise ValueError(f"columns of one length and at least one event, got {[c.shape for c in columns]}")
    propensities, chances = columns[:2]
    if wrong := int((~((propensities > 0) & (propensities <= 1))).sum()):
        raise ValueError(f"{wrong} of {len(propensities)} propensities are not above 0 and at most 1")
    if wrong := int((~((chances >= 0) & (chances <= 1))).sum()):
        raise ValueError(f"{wrong} of {len(chances)} chances are not between 0 and 1")
    return [np.minimum(chances / propensities, clip), *columns[2:]]
