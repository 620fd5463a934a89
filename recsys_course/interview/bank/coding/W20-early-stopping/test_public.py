"""Tests that a candidate sees and runs at once."""

from answer import EarlyStopping

from recsys_course.interview.expect import equal


def test_two_steps_without_improvement():
    """With a patience of 2 it stops at the second step that brings nothing."""
    stopper = EarlyStopping(patience=2)
    equal([stopper.step(v) for v in (0.9, 0.8, 0.85, 0.8)], [False, False, False, True], "steps of 0.9 0.8 0.85 0.8")


def test_the_best():
    """The best value and its step."""
    stopper = EarlyStopping(patience=3)
    for value in (0.9, 0.7, 0.8):
        stopper.step(value)
    equal((stopper.best, stopper.best_step), (0.7, 1), "best and best_step after 0.9 0.7 0.8")


def test_higher_is_better():
    """With mode max a higher value improves."""
    stopper = EarlyStopping(patience=1, mode="max")
    equal([stopper.step(v) for v in (0.1, 0.2, 0.2)], [False, False, True], "steps of 0.1 0.2 0.2, mode max")
