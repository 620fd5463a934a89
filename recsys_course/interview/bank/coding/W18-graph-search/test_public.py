"""Tests that a candidate sees and runs at once."""

from answer import search

from recsys_course.interview.expect import close, equal

LINE = [[1], [0, 2], [1, 3], [2, 4], [3]]


def test_along_a_line():
    """A walk along a line ends at the nearest node."""
    found = search(lambda node: abs(node - 3.2), LINE, entry=0, k=1, ef=1)
    equal([node for _, node in found], [3], "the nearest of 0 to 4 to 3.2")


def test_distances_are_returned():
    """Distances are returned, nearest first."""
    found = search(lambda node: abs(node - 3.2), LINE, entry=0, k=3, ef=3)
    equal([node for _, node in found], [3, 4, 2], "the three nearest of 0 to 4 to 3.2")
    close([away for away, _ in found], [0.2, 0.8, 1.2], "their distances")


def test_a_single_node():
    """A graph of one node."""
    equal(search(lambda node: 0.5, [[]], entry=0, k=3, ef=3), [(0.5, 0)], "search in a graph of one node")
