"""Tests that are run when an answer is handed in."""

import math
import random

from answer import recommend, similar_items

from recsys_course.interview.expect import Growth, close, edge, equal, safety


def _by_hand(events, k, cap=500):
    users = {user: {i for u, i in events if u == user} for user, _ in events}
    users = {user: items for user, items in users.items() if len(items) <= cap}
    items = sorted({item for basket in users.values() for item in basket})
    having = {item: {user for user, basket in users.items() if item in basket} for item in items}
    found = {}
    for i in items:
        pairs = [
            (j, sum(1 / math.log(1 + len(users[u])) for u in both) / math.sqrt(len(having[i]) * len(having[j])))
            for j in items
            if j != i and (both := having[i] & having[j])
        ]
        found[i] = sorted(pairs, key=lambda pair: (-round(pair[1], 9), pair[0]))[:k]
    return found


def _compare(events, k, cap=500):
    want, got = _by_hand(events, k, cap), similar_items(events, k, cap)
    call = f"similar_items({events}, k={k}, cap={cap})"
    equal(sorted(got), sorted(want), f"the items of {call}")
    for item in want:
        close([s for _, s in got[item]], [s for _, s in want[item]], f"similarities of {item} in {call}")
    return got, want


def _compare_order(events, k, cap=500):
    got, want = _compare(events, k, cap)
    for item in want:
        equal([other for other, _ in got[item]], [other for other, _ in want[item]], f"neighbours of {item}, {events}")


def test_random_events():
    """Random events agree with the definition."""
    rng = random.Random(3)
    for n in (5, 20, 60):
        _compare([(rng.randrange(8), rng.randrange(10)) for _ in range(n)], k=4)


def test_popular_items_are_held_down():
    """The divisor holds an item down that everybody has."""
    events = [(u, 0) for u in range(6)] + [(0, 1), (1, 1), (0, 2), (1, 2)]
    _compare_order(events, k=3)


def test_similarity_is_symmetric():
    """Similarity is the same in both directions."""
    rng = random.Random(4)
    found = similar_items([(rng.randrange(9), rng.randrange(7)) for _ in range(40)], k=10)
    for item, pairs in found.items():
        for other, similarity in pairs:
            close(dict(found[other]).get(item, math.nan), similarity, f"similarity of {other} and {item}")


def test_sums_over_the_history():
    """Similarities to all items of the history are added."""
    similar = {1: [(9, 0.5), (8, 0.45)], 2: [(8, 0.45)], 3: [(7, 0.89)]}
    equal(recommend([1, 2, 3], similar, 2), [8, 7], "recommend([1, 2, 3], ..., 2)")


@edge("repeats")
def test_repeated_events():
    """The same event again changes nothing."""
    _compare_order([(1, 1), (1, 2), (1, 2), (1, 2), (2, 2), (2, 3), (2, 3)], k=3)
    equal(recommend([1, 1, 1, 2], {1: [(3, 0.3)], 2: [(4, 0.5)]}, 2), [4, 3], "recommend([1, 1, 1, 2], ...)")


@edge("heavy-users")
def test_heavy_users():
    """A user above the cap counts neither in pairs nor in counts, one at the cap does."""
    events = [(0, item) for item in range(6)] + [(1, 0), (1, 1), (2, 1), (2, 2), (2, 3)]
    _compare_order(events, k=5, cap=3)
    _compare_order(events, k=5, cap=6)


@edge("lone-users")
def test_users_with_one_item():
    """A user with one item counts in the divisor, and the item has a list, perhaps an empty one."""
    _compare_order([(1, 1), (1, 2), (2, 1), (3, 3)], k=3)
    equal(similar_items([(1, "a")], k=3), {"a": []}, "similar_items([(1, 'a')], k=3)")


@edge("unknown-item")
def test_unknown_items():
    """An unknown item of the history contributes nothing, and so does an empty history."""
    equal(recommend([99, 1], {1: [(2, 0.5)], 2: [(1, 0.5)]}, 3), [2], "recommend([99, 1], ..., 3)")
    equal(recommend([], {1: [(2, 0.5)]}, 3), [], "recommend([], ..., 3)")
    equal(similar_items([], k=3), {}, "similar_items([], k=3)")


@edge("already-seen")
def test_nothing_of_the_history():
    """What the history holds is never recommended."""
    similar = {1: [(2, 0.9), (3, 0.1)], 2: [(1, 0.9), (3, 0.1)], 3: [(1, 0.1), (2, 0.1)]}
    equal(recommend([1, 2], similar, 3), [3], "recommend([1, 2], ..., 3)")
    equal(recommend([1, 2, 3], similar, 3), [], "recommend([1, 2, 3], ..., 3)")


@edge("ties")
def test_equal_similarities():
    """Equal similarities are broken by the lower id, in the neighbours and in the list."""
    events = [(1, item) for item in (5, 4, 3, 2, 1)]
    equal([item for item, _ in similar_items(events, k=3)[3]], [1, 2, 4], "neighbours of 3 among equals")
    similar = {0: [(9, 0.5), (7, 0.5), (8, 0.5)]}
    equal(recommend([0], similar, 2), [7, 8], "recommend([0], ..., 2)")


@edge("short-list")
def test_fewer_than_asked_for():
    """Fewer neighbours or candidates than asked for: what there is."""
    equal(len(similar_items([(1, 1), (1, 2)], k=9)[1]), 1, "neighbours of the one pair with k=9")
    equal(recommend([0], {0: [(1, 0.5)]}, 9), [1], "recommend([0], ..., 9)")


@safety
def test_any_iterable_and_any_id():
    """Events may be a generator, and ids may be texts."""
    found = similar_items(((u, i) for u, i in [("ann", "x"), ("ann", "y"), ("bob", "y")]), k=2)
    close(found["x"][0][1], 1 / math.log(3) / math.sqrt(2), "similarity of x and y")


@safety
def test_the_index_stays_as_it_is():
    """Recommending changes neither the index nor the history."""
    similar, history = {1: [(2, 0.5)], 2: [(1, 0.5)]}, [1, 7]
    equal(recommend(history, similar, 2), [2], "recommend([1, 7], ..., 2)")
    equal(similar, {1: [(2, 0.5)], 2: [(1, 0.5)]}, "the index afterwards")
    equal(history, [1, 7], "the history afterwards")


def _prepare(n):
    rng = random.Random(n)
    events = [(user, rng.randrange(n)) for user in range(n) for _ in range(4)]
    history = list(range(20))
    return lambda: recommend(history, similar_items(events, 10), 10)


GROWTH = Growth(_prepare, exponent=1, start=400)
