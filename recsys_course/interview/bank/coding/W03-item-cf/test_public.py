"""Tests that a candidate sees and runs at once."""

import math

from answer import recommend, similar_items

from recsys_course.interview.expect import close, equal


def test_one_user_with_two_items():
    """Two items of one user: 1 / log 3, divided by 1."""
    found = similar_items([(1, "a"), (1, "b")], k=3)
    equal([item for item, _ in found["a"]], ["b"], "neighbours of a")
    close(found["a"][0][1], 1 / math.log(3), "similarity of a and b")


def test_neighbours_in_order():
    """The neighbour that shares more users comes first."""
    events = [(1, 10), (1, 11), (2, 10), (2, 11), (3, 10), (3, 12), (4, 12), (4, 13)]
    equal([item for item, _ in similar_items(events, k=5)[10]], [11, 12], "neighbours of 10")


def test_a_recommendation():
    """The items with the highest sums, without the history."""
    similar = {1: [(2, 0.5), (3, 0.4)], 4: [(3, 0.3), (1, 0.9)]}
    equal(recommend([1, 4], similar, 5), [3, 2], "recommend([1, 4], ..., 5)")
