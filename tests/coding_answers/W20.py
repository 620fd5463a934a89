"""With a signed value, so that lower is always better."""

import math


class EarlyStopping:
    def __init__(self, patience, mode="min", min_delta=0.0):
        if patience <= 0 or mode not in {"min", "max"} or min_delta < 0:
            raise ValueError("wrong arguments")
        self.settings = (patience, mode, min_delta)
        self.best = self.best_step = self.best_weights = None
        self.count, self.last = 0, -1

    def step(self, value, weights=None):
        sign = 1.0 if self.settings[1] == "min" else -1.0
        limit = math.inf if self.best is None else sign * self.best - self.settings[2]
        if math.isfinite(value) and sign * value < limit:
            self.best, self.best_step, self.last = float(value), self.count, self.count
            self.best_weights = _copied(weights)
        self.count += 1
        return self.count - 1 - self.last >= self.settings[0]

    def state(self):
        return {**self.__dict__, "best_weights": _copied(self.best_weights)}

    @classmethod
    def resume(cls, state):
        stopper = cls(*state["settings"])
        vars(stopper).update(state, best_weights=_copied(state["best_weights"]))
        return stopper


def _copied(weights):
    return None if weights is None else {name: array.copy() for name, array in weights.items()}
