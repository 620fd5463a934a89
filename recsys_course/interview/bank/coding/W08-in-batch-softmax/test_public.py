"""Tests that a candidate sees and runs at once."""

import math

import numpy as np
from answer import in_batch_loss

from recsys_course.interview.expect import close


def test_equal_scores():
    """With equal scores the loss is log B."""
    got = in_batch_loss(np.zeros((4, 3)), np.zeros((4, 3)), np.arange(4))
    close(got, math.log(4), "in_batch_loss with all vectors 0 and four items")


def test_two_rows():
    """Two orthogonal rows: log(1 + 1/e)."""
    got = in_batch_loss(np.eye(2), np.eye(2), np.array([7, 8]))
    close(got, math.log1p(math.exp(-1)), "in_batch_loss of two orthogonal rows")


def test_the_temperature():
    """Half the temperature doubles the inner products."""
    got = in_batch_loss(np.eye(2), np.eye(2), np.array([7, 8]), temperature=0.5)
    close(got, math.log1p(math.exp(-2)), "in_batch_loss of two orthogonal rows, temperature=0.5")
