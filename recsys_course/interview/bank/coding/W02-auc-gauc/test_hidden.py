"""Tests that are run when an answer is handed in."""

import math
import random

from answer import auc, gauc

from recsys_course.interview.expect import Growth, close, edge, equal, raises, safety


def _by_hand(labels, scores):
    good = [s for label, s in zip(labels, scores, strict=True) if label]
    bad = [s for label, s in zip(labels, scores, strict=True) if not label]
    wins = sum((g > b) + (g == b) / 2 for g in good for b in bad)
    return wins / (len(good) * len(bad)) if good and bad else math.nan


def _gauc_by_hand(users, labels, scores):
    total = weight = skipped = 0
    for user in set(users):
        mine = [i for i, other in enumerate(users) if other == user]
        value = _by_hand([labels[i] for i in mine], [scores[i] for i in mine])
        if math.isnan(value):
            skipped += 1
        else:
            total, weight = total + len(mine) * value, weight + len(mine)
    return (total / weight if weight else math.nan), skipped


def _compare(labels, scores):
    close(auc(labels, scores), _by_hand(labels, scores), f"auc({labels}, {scores})")


def _compare_gauc(users, labels, scores):
    want, got = _gauc_by_hand(users, labels, scores), gauc(users, labels, scores)
    close(got[0], want[0], f"the value of gauc({users}, {labels}, {scores})")
    equal(got[1], want[1], f"the users left out by gauc({users}, {labels}, {scores})")


def test_random_rows():
    """Random rows without ties agree with all pairs."""
    rng = random.Random(2)
    for n in (2, 3, 10, 60):
        _compare([1, 0] + [rng.randrange(2) for _ in range(n - 2)], [rng.random() for _ in range(n)])


def test_many_negatives():
    """One positive among many negatives."""
    rng = random.Random(3)
    _compare([0] * 30 + [1] + [0] * 30, [rng.random() for _ in range(61)])


def test_random_groups():
    """Random users agree with all pairs within each user."""
    rng = random.Random(4)
    for n in (12, 40):
        users = [rng.randrange(4) for _ in range(n)]
        _compare_gauc(users, [rng.randrange(2) for _ in users], [rng.random() for _ in users])


@edge("ties")
def test_ties():
    """Equal scores count one half, wherever they stand."""
    rng = random.Random(5)
    for _ in range(6):
        n = rng.randint(4, 20)
        _compare([1, 0] + [rng.randrange(2) for _ in range(n - 2)], [rng.randrange(3) for _ in range(n)])


@edge("ties")
def test_a_constant_score():
    """A constant score has 0.5, whatever the order of the rows."""
    close(auc([1, 1, 0, 0], [7, 7, 7, 7]), 0.5, "auc([1, 1, 0, 0], [7, 7, 7, 7])")
    close(auc([0, 0, 0, 1], [7, 7, 7, 7]), 0.5, "auc([0, 0, 0, 1], [7, 7, 7, 7])")


@edge("one-class")
def test_one_class():
    """One class only: NaN."""
    close(auc([1, 1], [0.1, 0.2]), math.nan, "auc([1, 1], [0.1, 0.2])")
    close(auc([0, 0], [0.1, 0.2]), math.nan, "auc([0, 0], [0.1, 0.2])")


@edge("skipped-users")
def test_users_with_one_class():
    """Users with one class are left out and counted."""
    _compare_gauc(["a", "a", "b", "c", "c"], [1, 0, 1, 0, 0], [0.2, 0.3, 0.9, 0.5, 0.4])
    value, skipped = gauc(["a", "b"], [1, 0], [0.1, 0.2])
    close(value, math.nan, "the value where every user is left out")
    equal(skipped, 2, "the users left out")


@edge("weights")
def test_heavy_users_weigh_more():
    """A user with more rows weighs more."""
    users = ["a"] * 2 + ["b"] * 8
    _compare_gauc(users, [1, 0] + [1, 0] * 4, [0.1, 0.9, 8, 7, 6, 5, 4, 3, 2, 1])


@edge("empty")
def test_no_row():
    """No row: NaN, and nobody left out."""
    close(auc([], []), math.nan, "auc([], [])")
    value, skipped = gauc([], [], [])
    close(value, math.nan, "the value of gauc([], [], [])")
    equal(skipped, 0, "the users left out")


@safety
def test_scores_that_nearly_tie():
    """Scores that differ in the twelfth place are not equal, infinite ones are in order."""
    _compare([1, 0], [1.0 + 1e-12, 1.0])
    _compare([1, 0, 1], [math.inf, 0.0, -math.inf])


@safety
def test_truth_values_and_rows_between_users():
    """Labels may be True and False, and a user's rows need not be adjacent."""
    close(auc([True, False], [2, 1]), 1.0, "auc([True, False], [2, 1])")
    _compare_gauc([1, 2, 1, 2, 1], [True, True, False, False, True], [5, 1, 4, 2, 3])


@safety
def test_lengths_that_differ_and_inputs():
    """Lists of different length are refused, and the lists given stay as they are."""
    raises(ValueError, lambda: auc([1, 0], [0.1]), "auc([1, 0], [0.1])")
    raises(ValueError, lambda: gauc([1], [1, 0], [0.1, 0.2]), "gauc([1], [1, 0], [0.1, 0.2])")
    labels, scores = [1, 0, 1], [0.3, 0.2, 0.1]
    close(auc(labels, scores), 0.5, "auc([1, 0, 1], [0.3, 0.2, 0.1])")
    equal((labels, scores), ([1, 0, 1], [0.3, 0.2, 0.1]), "the inputs afterwards")


def _prepare(n):
    rng = random.Random(n)
    labels, scores = [rng.randrange(2) for _ in range(n)], [rng.randrange(n) for _ in range(n)]
    users = [rng.randrange(n // 4) for _ in range(n)]
    return lambda: (auc(labels, scores), gauc(users, labels, scores))


GROWTH = Growth(_prepare, exponent=1, start=1000)
