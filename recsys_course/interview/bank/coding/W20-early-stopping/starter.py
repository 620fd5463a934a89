"""W20: early stopping."""

from typing import Self

import numpy as np


class EarlyStopping:
    """Stops a training that no longer improves, and keeps the best weights.

    Attributes:
        best: the best value so far, or None.
        best_step: its step, counted from 0, or None.
        best_weights: the weights of that step, or None.
    """

    def __init__(self, patience: int, mode: str = "min", min_delta: float = 0.0) -> None:
        raise NotImplementedError

    def step(self, value: float, weights: dict[str, np.ndarray] | None = None) -> bool:
        """Take in the value of one validation; True when training should stop."""
        raise NotImplementedError

    def state(self) -> dict:
        """Everything that `resume` needs."""
        raise NotImplementedError

    @classmethod
    def resume(cls, state: dict) -> Self:
        """Go on from a state."""
        raise NotImplementedError
