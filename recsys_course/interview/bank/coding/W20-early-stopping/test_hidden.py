"""Tests that are run when an answer is handed in."""

import math
import random

import numpy as np
from answer import EarlyStopping

from recsys_course.interview.expect import Growth, close, edge, equal, raises, safety, true


def _by_hand(values, patience, mode="min", min_delta=0.0):
    """Best, its step and the answers, with the whole history looked at each time."""
    best, at, answers = None, -1, []
    for step, value in enumerate(values):
        better = best is None or (best - value if mode == "min" else value - best) > min_delta
        if math.isfinite(value) and better:
            best, at = value, step
        answers.append(step - at >= patience)
    return best, (None if best is None else at), answers


def _compare(values, patience, mode="min", min_delta=0.0):
    stopper = EarlyStopping(patience, mode, min_delta)
    answers = [stopper.step(value) for value in values]
    call = f"EarlyStopping({patience}, {mode!r}, {min_delta}) after {values}"
    equal((stopper.best, stopper.best_step, answers), _by_hand(values, patience, mode, min_delta), call)


def test_random_values():
    """Random curves, both modes."""
    rng = random.Random(1)
    for patience in (1, 2, 5):
        for mode in ("min", "max"):
            _compare([rng.randrange(20) / 4 for _ in range(15)], patience, mode)


def test_the_best_weights():
    """The weights of the best step are kept, not the last ones."""
    stopper = EarlyStopping(5)
    for value in (3.0, 1.0, 2.0):
        stopper.step(value, {"w": np.full(2, value)})
    close(stopper.best_weights["w"], [1.0, 1.0], "best_weights after 3, 1, 2")


@edge("patience")
def test_the_counter_starts_again():
    """Each improvement starts the counter again, and the last step counts."""
    _compare([5, 6, 6, 4, 5, 5, 3, 4, 4, 4], 3)
    _compare([1.0, 1.0], 1)


@edge("mode")
def test_falling_and_rising():
    """A falling curve never improves in mode max, nor a rising one in mode min."""
    _compare([5, 4, 3, 2], 2, "max")
    _compare([2, 3, 4, 5], 2, "min")
    _compare([1.0, 1.4, 1.6, 2.0], 2, "max", 0.5)


@edge("min-delta")
def test_min_delta():
    """Exactly min_delta better is not enough, and slow progress is measured from the best."""
    _compare([4.0, 3.5], 5, "min", 0.5)
    _compare([4.0, 3.5, 3.0], 5, "min", 0.5)
    _compare([4.0, 3.75, 3.5, 3.25, 3.0], 9, "min", 0.625)
    _compare([-1.0, -1.25, -2.0], 9, "min", 0.5)


@edge("nan")
def test_not_a_number():
    """NaN and infinite values never improve and count as waiting."""
    _compare([1.0, math.nan, math.nan, 0.5], 3)
    _compare([1.0, -math.inf, 0.5], 3)
    _compare([1.0, math.inf, 2.0], 3, "max")


@edge("first-step")
def test_the_first_value():
    """The first finite value is the best; without one there is none, and it stops all the same."""
    _compare([1e9], 1)
    _compare([-5.0, -4.0], 2, "max")
    _compare([math.nan, math.nan, math.nan], 2)
    _compare([math.nan, 7.0, 8.0], 2)
    equal(EarlyStopping(2).best, None, "best before the first step")


@edge("aliasing")
def test_weights_that_change_in_place():
    """Weights that training changes in place do not change the best ones."""
    stopper, weights = EarlyStopping(5), {"w": np.ones(3)}
    stopper.step(1.0, weights)
    weights["w"] += 41.0
    weights["new"] = np.zeros(1)
    close(stopper.best_weights["w"], [1.0, 1.0, 1.0], "best_weights after the weights have moved on")
    equal(sorted(stopper.best_weights), ["w"], "the names in best_weights")


@edge("resume")
def test_a_restart_changes_nothing():
    """A restart at any step changes nothing afterwards."""
    values = [5.0, 4.0, math.nan, 4.5, 3.0, 3.0, 3.5, 3.2]
    for cut in range(len(values)):
        stopper = EarlyStopping(3, "min", 0.25)
        answers = [stopper.step(value, {"w": np.array([value])}) for value in values[:cut]]
        stopper = EarlyStopping.resume(stopper.state())
        answers += [stopper.step(value, {"w": np.array([value])}) for value in values[cut:]]
        want = _by_hand(values, 3, "min", 0.25)
        equal((stopper.best, stopper.best_step, answers), want, f"after a restart before step {cut} of {values}")
        close(stopper.best_weights["w"], [3.0], f"best_weights after a restart before step {cut}")


@edge("resume")
def test_a_state_is_a_snapshot():
    """A state does not change when the training goes on, nor when it is resumed."""
    stopper = EarlyStopping(4)
    stopper.step(2.0, {"w": np.array([2.0])})
    state = stopper.state()
    stopper.step(1.0, {"w": np.array([1.0])})
    stopper.best_weights["w"] += 9
    resumed = EarlyStopping.resume(state)
    equal((resumed.best, resumed.best_step), (2.0, 0), "best and best_step of an old state")
    resumed.best_weights["w"] += 9
    close(EarlyStopping.resume(state).best_weights["w"], [2.0], "best_weights of a state resumed twice")


@safety
def test_wrong_arguments():
    """Patience 0, a negative min_delta and an unknown mode are refused."""
    for wrong in ({"patience": 0}, {"patience": 2, "min_delta": -0.1}, {"patience": 2, "mode": "up"}):
        raises(ValueError, lambda options=wrong: EarlyStopping(**options), f"EarlyStopping(**{wrong})")


@safety
def test_types():
    """It answers with plain True and False, also for NumPy's numbers, and without weights."""
    stopper = EarlyStopping(1)
    answers = [stopper.step(np.float32(1.0)), stopper.step(np.float64(1.0))]
    true(answers[0] is False and answers[1] is True, f"expected [False, True], got {answers}")
    equal(stopper.best_weights, None, "best_weights where none were given")


def _prepare(n):
    rng = random.Random(n)
    values = [2.0, 1.0, *(1.0 + rng.random() for _ in range(n))]

    def train():
        stopper = EarlyStopping(2 * n)
        for value in values:
            stopper.step(value)

    return train


GROWTH = Growth(_prepare, exponent=1, start=1000)
