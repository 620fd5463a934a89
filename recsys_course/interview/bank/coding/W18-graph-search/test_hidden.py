"""Tests that are run when an answer is handed in."""

import math
import random

from answer import search

from recsys_course.interview.expect import Growth, edge, equal, raises, safety, true


class _Counted:
    """Distances of points in a plane to a query; remembers what was asked."""

    def __init__(self, points, query):
        self.points, self.query, self.asked = points, query, []

    def __call__(self, node):
        self.asked.append(node)
        return math.dist(self.points[node], self.query)


def _world(seed, n=60, degree=5):
    """Points, each linked with its nearest ones, in both directions, and with a random one."""
    rng = random.Random(seed)
    points = [(rng.random(), rng.random()) for _ in range(n)]
    links = [set(sorted(range(n), key=lambda j: math.dist(p, points[j]))[1 : degree + 1]) for p in points]
    for node in range(n):
        for other in [*links[node], rng.randrange(n)]:
            links[other].add(node)
            links[node].add(other)
    links = [sorted(each) for each in links]
    for each in links:
        rng.shuffle(each)
    return _Counted(points, (rng.random(), rng.random())), links


def _by_hand(distance, links, entry, k, ef, deleted=frozenset()):
    """The walk with sorted lists."""
    ef, seen = max(k, ef), [entry]
    queue = [(math.dist(distance.points[entry], distance.query), entry)]
    best = [pair for pair in queue if pair[1] not in deleted]
    while queue:
        queue.sort()
        away, node = queue.pop(0)
        if len(best) >= ef and away > best[-1][0]:
            break
        for other in links[node]:
            if other not in seen:
                seen.append(other)
                pair = (math.dist(distance.points[other], distance.query), other)
                if len(best) < ef or pair < best[-1]:
                    queue.append(pair)
                    best = sorted([*best, pair] if other not in deleted else best)[:ef]
    return best[:k], seen


def _compare(seed, k, ef, deleted=frozenset(), entry=0):
    distance, links = _world(seed)
    want, seen = _by_hand(distance, links, entry, k, ef, deleted)
    call = f"search in random graph {seed}, entry={entry}, k={k}, ef={ef}, {len(deleted)} deleted"
    equal(search(distance, links, entry, k, ef, deleted), want, call)
    return distance, seen, call


def test_a_wide_beam_is_exact():
    """A beam as wide as the graph finds the exact neighbours."""
    for seed in range(3):
        distance, links = _world(seed)
        want = sorted((math.dist(p, distance.query), node) for node, p in enumerate(distance.points))[:10]
        equal(search(distance, links, 0, 10, 60), want, f"search in random graph {seed}, k=10, ef=60")


def test_narrow_beams():
    """Narrow beams find what the rule says."""
    for seed in range(6):
        _compare(seed, k=3, ef=4 + seed)


@edge("stop")
def test_the_walk_goes_on_past_a_dead_end():
    """The walk leaves a local minimum as long as the beam has room, and stops when it may."""
    links, away = [[1, 2], [0], [0, 3], [2, 4], [3]], [3.0, 2.0, 4.0, 5.0, 1.0]
    equal(search(away.__getitem__, links, 0, 1, 4), [(1.0, 4)], "search past a local minimum, ef=4")
    equal(search(away.__getitem__, links, 0, 1, 1), [(2.0, 1)], "the same with ef=1")
    for seed in range(4):
        distance, seen, call = _compare(seed, k=2, ef=5)
        true(len(distance.asked) <= len(seen), f"{call}: {len(distance.asked)} distances where {len(seen)} are enough")


@edge("visited")
def test_each_distance_once():
    """No distance is computed twice, in a graph of cycles, self-loops and repeated links."""
    distance, links = _world(7)
    links = [[*each, node, *each] for node, each in enumerate(links)]
    search(distance, links, 3, 5, 20)
    true(
        len(distance.asked) == len(set(distance.asked)),
        f"{len(distance.asked)} distances of {len(set(distance.asked))}",
    )


@edge("small-ef")
def test_ef_below_k():
    """An ef below k still returns k."""
    for ef in (0, 1, 4):
        _compare(8, k=5, ef=ef)


@edge("unreachable")
def test_an_island():
    """What no path reaches is not returned."""
    links = [[1], [0], [3], [2]]
    equal(search(lambda n: float(3 - n), links, 0, 4, 4), [(2.0, 1), (3.0, 0)], "search of 4 with an island of 2")
    equal(search(lambda n: 1.0, [[], [0]], 0, 2, 2), [(1.0, 0)], "search where the entry has no links")


@edge("deleted")
def test_deleted_nodes():
    """Deleted nodes are walked through, never returned, and take no place."""
    links = [[1], [0, 2], [1, 3], [2]]
    away = [3.0, 0.5, 0.4, 1.0]
    equal(search(away.__getitem__, links, 0, 1, 1, {1, 2}), [(1.0, 3)], "search behind two deleted nodes")
    far = [1.0, 5.0, 2.0].__getitem__
    equal(search(far, [[1], [2], []], 0, 2, 2, {1}), [(1.0, 0), (2.0, 2)], "search behind a far deleted node")
    for seed in range(4):
        _compare(seed, k=4, ef=6, deleted=frozenset(range(0, 60, 3)), entry=1)


@edge("deleted-entry")
def test_a_deleted_entry():
    """A deleted entry is where the walk starts, no more."""
    equal(search(lambda n: float(n), [[1], [0]], 0, 2, 2, [0]), [(1.0, 1)], "search from a deleted entry")
    equal(search(lambda n: 1.0, [[]], 0, 2, 2, {0}), [], "search where all is deleted")


@edge("ties")
def test_equal_distances():
    """Equal distances are ordered by the node."""
    star = [[3, 1, 4, 2, 5], [0], [0], [0], [0], [0]]
    want = [(1.0, node) for node in (0, 1, 2)]
    equal(search(lambda n: 1.0, star, 0, 3, 3), want, "search of 3 among six at one distance")
    equal(search(lambda n: 1.0, star, 0, 3, 6), want, "the same with ef=6")


@safety
def test_wrong_arguments_and_inputs():
    """A k below 1 is refused, and the graph stays as it is."""
    raises(ValueError, lambda: search(lambda n: 1.0, [[]], 0, 0, 5), "search with k=0")
    links, deleted = [[1, 0, 1], [0]], {1}
    equal(search(lambda n: float(n), links, 0, 2, 2, deleted), [(0.0, 0)], "search of two nodes, one deleted")
    equal((links, deleted), ([[1, 0, 1], [0]], {1}), "the graph and the deleted nodes afterwards")


@safety
def test_infinite_distances_and_other_containers():
    """Infinite distances are distances, and links may be tuples or a dictionary of them."""
    away = {7: math.inf, 8: math.inf, 9: 0.0}
    got = search(away.__getitem__, {7: (8,), 8: (7, 9), 9: (8,)}, 7, 2, 3)
    equal(got, [(0.0, 9), (math.inf, 7)], "search with infinite distances")


def _prepare(n):
    """A ring with links of every power of two: from anywhere to anywhere in few steps."""
    steps = [2**power for power in range(n.bit_length() - 1)]
    links = [[(node + sign * step) % n for step in steps for sign in (1, -1)] for node in range(n)]

    def count():
        asked = []

        def distance(node):
            asked.append(node)
            gap = abs(node - n // 3)
            return float(min(gap, n - gap))

        search(distance, links, 0, 5, 10)
        return len(asked)

    return count


GROWTH = Growth(_prepare, exponent=0, start=1024, counted=True)
