"""Tests that a candidate sees and runs at once."""

import math

import numpy as np
from answer import bpr_loss, bpr_update, sample_negative

from recsys_course.interview.expect import close, equal, true


def test_equal_scores():
    """Equal scores cost log 2."""
    close(bpr_loss(np.zeros(3), np.zeros(3)), math.log(2), "bpr_loss of three pairs of zeros")


def test_a_negative():
    """The one item that is left is drawn."""
    equal(int(sample_negative(np.random.default_rng(0), {0, 2}, 3)), 1, "sample_negative(rng, {0, 2}, 3)")


def test_the_loss_falls():
    """A hundred steps bring the target above the negative."""
    users, items = np.full((1, 2), 0.1), np.array([[0.1, 0.0], [0.1, 0.1]])
    losses = [bpr_update(users, items, 0, 0, 1, lr=0.5, reg=0.0) for _ in range(100)]
    true(losses[-1] < 0.1 < losses[0], f"the loss went from {losses[0]:.3f} to {losses[-1]:.3f}")
