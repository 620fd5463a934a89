"""Tests that a candidate sees and runs at once."""

from answer import doubly_robust, effective_size, ips, snips

from recsys_course.interview.expect import close

LOG = [1, 0, 1, 0], [0.5, 0.5, 0.25, 0.25], [0.5, 0.5, 0.5, 0.5]


def test_ips():
    """Weights 1, 1, 2, 2: three quarters."""
    close(ips(*LOG), 0.75, "ips of rewards 1 0 1 0 with weights 1 1 2 2")


def test_snips():
    """Divided by the weights' sum: one half."""
    close(snips(*LOG), 0.5, "snips of rewards 1 0 1 0 with weights 1 1 2 2")


def test_equal_weights():
    """Equal weights are worth every event, and a model that knows nothing changes nothing."""
    close(effective_size([0.5] * 4, [0.5] * 4), 4.0, "effective_size of four equal weights")
    close(doubly_robust(*LOG, [0] * 4, [0] * 4), 0.75, "doubly_robust with guesses and values of 0")
