# ruff: noqa: E501
"""Wrong answers to W20: what is replaced in the reference, by what is wrong about it."""

MUTANTS = {
    "the weights are kept by reference": [
        ("self.best_weights = copy.deepcopy(weights)", "self.best_weights = weights")
    ],
    "a shallow copy": [("self.best_weights = copy.deepcopy(weights)", "self.best_weights = copy.copy(weights)")],
    "exactly min_delta improves": [("gain > self.min_delta", "gain >= self.min_delta")],
    "min_delta is ignored": [("gain > self.min_delta", "gain > 0")],
    "NaN becomes the best": [("if not math.isfinite(value):", "if False:")],
    "only NaN is refused": [("not math.isfinite(value)", "math.isnan(value)")],
    "one step too late": [("self.waited >= self.patience", "self.waited > self.patience")],
    "the counter never starts again": [("            self.waited = 0\n", "")],
    "lower is better in both modes": [('if self.mode == "min" else value - self.best', "if self.mode else 0.0")],
    "the best is the last": [
        (
            "        else:\n            self.waited += 1",
            "        else:\n            self.best = value if math.isfinite(value) else self.best\n            self.waited += 1",
        )
    ],
    "NaN is no step": [
        (
            "        if self._improves(value):",
            "        if not math.isfinite(value):\n            return False\n        if self._improves(value):",
        )
    ],
    "the state is shared": [("return copy.deepcopy(self.__dict__)", "return self.__dict__")],
    "the resumed one shares its arrays": [("copy.deepcopy(state))", "state)")],
    "the counter is lost at a restart": [
        ("stopper.__dict__.update(copy.deepcopy(state))", "stopper.__dict__.update(copy.deepcopy(state), waited=0)")
    ],
    "any mode": [('mode not in ("min", "max") or ', "")],
}

SLOW = {
    "the whole history is searched": [
        (
            "        if self._improves(value):",
            "        self.__dict__.setdefault('history', []).append(value)\n        sorted(self.history, key=lambda v: v)\n        if self._improves(value):",
        )
    ],
}
