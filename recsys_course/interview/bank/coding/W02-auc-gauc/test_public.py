"""Tests that a candidate sees and runs at once."""

from answer import auc, gauc

from recsys_course.interview.expect import close, equal


def test_four_rows():
    """Three of four pairs are in the right order."""
    close(auc([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]), 0.75, "auc([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])")


def test_a_perfect_order():
    """Every positive above every negative is 1, the reverse 0."""
    close(auc([0, 1, 1], [0.1, 0.2, 0.3]), 1.0, "auc([0, 1, 1], [0.1, 0.2, 0.3])")
    close(auc([1, 0, 0], [0.1, 0.2, 0.3]), 0.0, "auc([1, 0, 0], [0.1, 0.2, 0.3])")


def test_two_users():
    """Users are compared with themselves only."""
    value, skipped = gauc([1, 1, 2, 2], [1, 0, 1, 0], [0.2, 0.1, 0.9, 0.8])
    close(value, 1.0, "gauc of two users in perfect order")
    equal(skipped, 0, "users left out")
