"""Tests that a candidate sees and runs at once."""

from answer import ndcg_at_k

from recsys_course.interview.expect import close


def test_a_perfect_list():
    """A perfect order has 1."""
    close(ndcg_at_k([3, 2, 0], [0.9, 0.5, 0.1], 3), 1.0, "ndcg_at_k([3, 2, 0], [0.9, 0.5, 0.1], 3)")


def test_one_swap():
    """One swap costs what the discount says."""
    close(ndcg_at_k([3, 0, 2], [0.9, 0.8, 0.1], 3), 0.95583, "ndcg_at_k([3, 0, 2], [0.9, 0.8, 0.1], 3)", 1e-4)


def test_the_linear_gain():
    """The linear gain of a grade is the grade."""
    got = ndcg_at_k([1, 3], [0.9, 0.1], 2, gain="linear")
    close(got, 0.79671, "ndcg_at_k([1, 3], [0.9, 0.1], 2, gain='linear')", 1e-4)
