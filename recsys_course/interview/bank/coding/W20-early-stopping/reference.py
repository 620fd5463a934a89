"""One way to write W20: the best and a counter, and copies of all arrays."""

import copy
import math
from typing import Self

import numpy as np


class EarlyStopping:
    """Stops a training that no longer improves, and keeps the best weights."""

    def __init__(self, patience: int, mode: str = "min", min_delta: float = 0.0) -> None:
        if patience < 1 or mode not in ("min", "max") or not min_delta >= 0:
            raise ValueError(f"patience >= 1, mode min or max, min_delta >= 0: got {patience}, {mode!r}, {min_delta}")
        self.patience, self.mode, self.min_delta = patience, mode, min_delta
        self.best = self.best_step = self.best_weights = None
        self.steps = self.waited = 0

    def step(self, value: float, weights: dict[str, np.ndarray] | None = None) -> bool:
        """Take in the value of one validation; True when training should stop."""
        if self._improves(value):
            self.best, self.best_step = float(value), self.steps
            self.best_weights = copy.deepcopy(weights)
            self.waited = 0
        else:
            self.waited += 1
        self.steps += 1
        return self.waited >= self.patience

    def _improves(self, value: float) -> bool:
        if not math.isfinite(value):
            return False
        if self.best is None:
            return True
        gain = self.best - value if self.mode == "min" else value - self.best
        return gain > self.min_delta

    def state(self) -> dict:
        """Everything that `resume` needs."""
        return copy.deepcopy(self.__dict__)

    @classmethod
    def resume(cls, state: dict) -> Self:
        """Go on from a state."""
        stopper = cls(state["patience"], state["mode"], state["min_delta"])
        stopper.__dict__.update(copy.deepcopy(state))
        return stopper
