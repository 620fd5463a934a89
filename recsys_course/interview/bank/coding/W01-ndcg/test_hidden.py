"""Tests that are run when an answer is handed in."""

import math
import random
from itertools import groupby, permutations

from answer import ndcg_at_k

from recsys_course.interview.expect import Growth, close, edge, equal, raises, safety, true


def ordered(gains, k):
    """Discounted gain of a list in this order."""
    return sum(g / math.log2(rank + 2) for rank, g in enumerate(gains[:k]))


def by_hand(relevance, scores, k, gain="exponential"):
    """The mean over every order that the scores allow."""
    gains = [2**g - 1 if gain == "exponential" else g for g in relevance]
    best = ordered(sorted(gains, reverse=True), k)
    pairs = sorted(zip(scores, gains, strict=True), reverse=True)
    orders = [[]]
    for _, block in groupby(pairs, key=lambda pair: pair[0]):
        orders = [start + list(end) for end in permutations([g for _, g in block]) for start in orders]
    return sum(ordered(order, k) for order in orders) / len(orders) / best if best else math.nan


def compare(relevance, scores, k, gain="exponential"):
    """Hold one call against the mean over all orders."""
    call = f"ndcg_at_k({relevance}, {scores}, {k}, {gain!r})"
    close(ndcg_at_k(relevance, scores, k, gain), by_hand(relevance, scores, k, gain), call)


def test_random_lists():
    """Lists without ties, both gains, any k."""
    rng = random.Random(1)
    for n in (1, 2, 5, 6, 30):
        for gain in ("exponential", "linear"):
            grades = [3] + [rng.randrange(4) for _ in range(n - 1)]
            compare(grades, rng.sample(range(100), n), rng.randint(1, n), gain)


def test_the_worst_order():
    """The relevant item comes last."""
    compare([0, 0, 0, 2], [4.0, 3.0, 2.0, 1.0], 4)


def test_nothing_found():
    """No relevant item within the first k is 0, since there was one to find."""
    compare([0, 0, 1], [3.0, 2.0, 1.0], 2)


@edge("ideal-cut")
def test_more_relevant_items_than_k():
    """More relevant items than k: a perfect list still has 1, a worse one less."""
    compare([1, 1, 1, 1], [4.0, 3.0, 2.0, 1.0], 2)
    compare([0, 3, 2, 3, 1], [5.0, 4.0, 3.0, 2.0, 1.0], 2)


@edge("none-relevant")
def test_no_relevant_item():
    """No relevant item: NaN."""
    close(ndcg_at_k([0, 0], [0.5, 0.1], 2), math.nan, "ndcg_at_k([0, 0], [0.5, 0.1], 2)")


@edge("empty")
def test_no_item():
    """No item at all: NaN."""
    close(ndcg_at_k([], [], 3), math.nan, "ndcg_at_k([], [], 3)")


@edge("ties")
def test_ties():
    """Equal scores: the expected value over the orders of the tied items."""
    compare([1, 0], [0.5, 0.5], 1)
    compare([0, 2, 1, 3], [0.5, 0.5, 0.5, 0.5], 4)
    compare([3, 0, 2, 0, 1, 1], [0.9, 0.9, 0.4, 0.4, 0.4, 0.1], 3)


@edge("ties")
def test_a_tie_across_the_cut():
    """A tied block that k cuts in two."""
    compare([0, 0, 3, 0, 1], [0.9, 0.5, 0.5, 0.5, 0.1], 2)


@edge("short-list")
def test_k_beyond_the_end():
    """K larger than the number of items."""
    compare([0, 2, 1], [0.3, 0.2, 0.1], 10)


@edge("negative-grade")
def test_a_negative_grade():
    """A negative grade is refused."""
    raises(ValueError, lambda: ndcg_at_k([1, -1], [0.2, 0.1], 2), "ndcg_at_k([1, -1], [0.2, 0.1], 2)")


@safety
def test_wrong_arguments():
    """Lists of different length, k = 0 and an unknown gain are refused."""
    raises(ValueError, lambda: ndcg_at_k([1, 0], [0.2], 2), "ndcg_at_k([1, 0], [0.2], 2)")
    raises(ValueError, lambda: ndcg_at_k([1, 0], [0.2, 0.1], 0), "ndcg_at_k([1, 0], [0.2, 0.1], 0)")
    raises(ValueError, lambda: ndcg_at_k([1, 0], [2, 1], 1, "cubic"), "ndcg_at_k([1, 0], [2, 1], 1, 'cubic')")


@safety
def test_inputs_stay_as_they_are():
    """The lists that it is given stay as they are."""
    relevance, scores = [0, 2, 1], [0.1, 0.3, 0.2]
    close(ndcg_at_k(relevance, scores, 3), 1.0, "ndcg_at_k([0, 2, 1], [0.1, 0.3, 0.2], 3)")
    equal((relevance, scores), ([0, 2, 1], [0.1, 0.3, 0.2]), "the inputs afterwards")


@safety
def test_large_and_negative_scores():
    """Scores of any size, also negative ones and infinity."""
    compare([1, 0, 2], [-1e300, -math.inf, 1e300], 3)
    got = ndcg_at_k((1, 0), (-2.0, -1.0), 2)
    true(isinstance(got, float), f"expected a float, got a {type(got).__name__}")


def prepare(n):
    """One long list with some ties."""
    rng = random.Random(n)
    relevance, scores = [rng.randrange(4) for _ in range(n)], [rng.randrange(2 * n) / n for _ in range(n)]
    return lambda: ndcg_at_k(relevance, scores, n)


GROWTH = Growth(prepare, exponent=1, start=2000)
