"""Tests that a candidate sees and runs at once."""

import numpy as np
from answer import attention, multi_head_attention

from recsys_course.interview.expect import close, equal


def test_equal_keys():
    """Equal keys: the mean of the values."""
    ones = np.ones((2, 1))
    close(attention(ones, ones, np.array([[1.0], [3.0]])), [[2.0], [2.0]], "attention with equal keys")


def test_a_mask():
    """A key that is masked takes no part."""
    ones, mask = np.ones((2, 1)), np.array([[True, False], [True, True]])
    close(attention(ones, ones, np.array([[1.0], [3.0]]), mask), [[1.0], [2.0]], "attention with a mask")


def test_the_shape():
    """The result has the shape of the input."""
    weights = {name: np.eye(6) for name in "qkvo"}
    equal(multi_head_attention(np.ones((2, 5, 6)), weights, 3).shape, (2, 5, 6), "the shape for 3 heads")
