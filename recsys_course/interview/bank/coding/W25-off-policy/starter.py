"""W25: off-policy estimates."""

import numpy as np
from numpy.typing import ArrayLike


def ips(rewards: ArrayLike, propensities: ArrayLike, chances: ArrayLike, clip: float = np.inf) -> float:
    """Mean reward of the new policy by inverse propensity scores.

    Args:
        rewards: of each event, ``[n]``.
        propensities: how likely the old policy was to show what it showed, ``[n]``.
        chances: how likely the new policy is to show the same, ``[n]``.
        clip: the largest weight.
    """
    raise NotImplementedError


def snips(rewards: ArrayLike, propensities: ArrayLike, chances: ArrayLike, clip: float = np.inf) -> float:
    """The same, divided by the mean weight; NaN if all weights are 0."""
    raise NotImplementedError


def doubly_robust(
    rewards: ArrayLike,
    propensities: ArrayLike,
    chances: ArrayLike,
    guesses: ArrayLike,
    values: ArrayLike,
    clip: float = np.inf,
) -> float:
    """A model's value, corrected by the weighted error of its guesses.

    Args:
        rewards: of each event, ``[n]``.
        propensities: as for `ips`.
        chances: as for `ips`.
        guesses: the model's reward for the action that was shown, ``[n]``.
        values: the model's mean reward under the new policy, ``[n]``.
        clip: the largest weight.
    """
    raise NotImplementedError


def effective_size(propensities: ArrayLike, chances: ArrayLike) -> float:
    """How many equally weighted events the weighted ones are worth; 0 if all weights are 0."""
    raise NotImplementedError
