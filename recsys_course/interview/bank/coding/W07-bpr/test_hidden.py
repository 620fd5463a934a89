"""Tests that are run when an answer is handed in."""

import math
from collections import Counter

import numpy as np
from answer import bpr_loss, bpr_update, sample_negative

from recsys_course.interview.expect import Growth, close, edge, raises, safety, true


def _tables(seed, n=6, k=4):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, k)), rng.normal(size=(n, k))


def _penalised(users, items, user, target, negative, reg):
    """The loss of one triple with its penalty, from the definition."""
    p, i, j = users[user], items[target], items[negative]
    return math.log1p(math.exp(-(p @ (i - j)))) + reg / 2 * (p @ p + i @ i + j @ j)


def test_random_pairs():
    """Random pairs agree with the definition."""
    rng = np.random.default_rng(1)
    targets, negatives = rng.normal(size=50), rng.normal(size=50)
    want = float(np.mean(-np.log(1 / (1 + np.exp(-(targets - negatives))))))
    close(bpr_loss(targets, negatives), want, "bpr_loss of 50 random pairs")


def test_the_order_matters():
    """A target above its negative costs less than one below."""
    close(bpr_loss(np.array([2.0]), np.array([-1.0])), math.log1p(math.exp(-3)), "bpr_loss([2], [-1])")
    close(bpr_loss(np.array([-1.0]), np.array([2.0])), math.log1p(math.exp(3)), "bpr_loss([-1], [2])")


def test_the_loss_before_the_step():
    """The update returns the loss before the step, without the penalty."""
    users, items = _tables(2)
    want = _penalised(users, items, 1, 2, 3, 0.0)
    close(bpr_update(users, items, 1, 2, 3, lr=0.5, reg=0.7), want, "what bpr_update returns")


@edge("old-values")
def test_the_step_is_the_gradient():
    """All three vectors move along the gradient at the old values."""
    (users, items), eps = _tables(3), 1e-6
    old_users, old_items = users.copy(), items.copy()
    bpr_update(users, items, 1, 2, 3, lr=0.1, reg=0.7)
    for name, table, old, row in (("user", users, 0, 1), ("target", items, 1, 2), ("negative", items, 1, 3)):
        slope = []
        for place in range(4):
            ends = []
            for sign in (1, -1):
                both = [old_users.copy(), old_items.copy()]
                both[old][row, place] += sign * eps
                ends.append(_penalised(*both, 1, 2, 3, 0.7))
            slope.append((ends[0] - ends[1]) / (2 * eps))
        moved = table[row] - (old_users, old_items)[old][row]
        close(moved, -0.1 * np.array(slope), f"how far the {name} vector moved", tolerance=1e-6)


@edge("touched-rows")
def test_the_other_rows_stay():
    """Rows that take no part keep every bit."""
    users, items = _tables(4)
    old_users, old_items = users.copy(), items.copy()
    bpr_update(users, items, 1, 2, 3, lr=0.1, reg=0.7)
    close(users[[0, 2, 3, 4, 5]], old_users[[0, 2, 3, 4, 5]], "the other users' vectors", tolerance=0.0)
    close(items[[0, 1, 4, 5]], old_items[[0, 1, 4, 5]], "the other items' vectors", tolerance=0.0)


@edge("stability")
@safety
def test_large_differences():
    """Differences of a thousand neither overflow nor vanish, in the loss and in the step."""
    got = bpr_loss(np.array([-1000.0, 1000.0]), np.array([0.0, 0.0]))
    close(got, 500.0, "bpr_loss([-1000, 1000], [0, 0])")
    users, items = np.array([[100.0]]), np.array([[-10.0], [10.0]])
    with np.errstate(all="ignore"):
        close(bpr_update(users, items, 0, 0, 1, lr=0.1, reg=0.0), 2000.0, "the loss at a difference of -2000")
        close(users[0], [98.0], "the user's vector afterwards")
        close(
            bpr_update(np.array([[100.0]]), np.array([[10.0], [-10.0]]), 0, 0, 1),
            0.0,
            "the loss at a difference of 2000",
        )


@edge("positives")
def test_no_positive_is_drawn():
    """No positive is ever drawn, and all others are equally likely."""
    rng = np.random.default_rng(5)
    drawn = Counter(int(sample_negative(rng, {1, 3, 4}, 6)) for _ in range(6000))
    true(set(drawn) == {0, 2, 5}, f"from 6 items without 1, 3 and 4 it drew {sorted(drawn)}")
    true(max(abs(count - 2000) for count in drawn.values()) < 190, f"6,000 draws from three items: {dict(drawn)}")


@edge("no-negative")
def test_nothing_to_draw():
    """Where every item is a positive, or there is no item, a ValueError."""
    rng = np.random.default_rng(6)
    raises(ValueError, lambda: sample_negative(rng, {0, 1, 2}, 3), "sample_negative(rng, {0, 1, 2}, 3)")
    raises(ValueError, lambda: sample_negative(rng, {1, 2, 0, 9}, 3), "sample_negative(rng, {0, 1, 2, 9}, 3)")


@edge("nearly-all")
def test_one_item_left():
    """One item left of 100,000, and two left equally likely."""
    rng, n = np.random.default_rng(7), 100_000
    true(sample_negative(rng, set(range(n)) - {777}, n) == 777, "it did not draw 777, the only item left")
    drawn = Counter(int(sample_negative(rng, set(range(300)) - {5, 250}, 300)) for _ in range(400))
    true(set(drawn) == {5, 250} and min(drawn.values()) > 140, f"400 draws from 5 and 250: {dict(drawn)}")


@safety
def test_the_same_item_twice():
    """The same item as target and as negative is refused."""
    users, items = _tables(8)
    raises(ValueError, lambda: bpr_update(users, items, 0, 1, 1), "bpr_update(users, items, 0, 1, 1)")


@safety
def test_types_and_inputs():
    """Single precision stays, inputs of the loss stay, the positives stay, and results are plain numbers."""
    users, items = (table.astype(np.float32) for table in _tables(9))
    loss = bpr_update(users, items, 0, 1, 2)
    true(users.dtype == np.float32, f"the users' table became {users.dtype}")
    targets, positives = np.array([1, 2]), {0, 1}
    close(bpr_loss(targets, np.array([0, 0])), 0.220095, "bpr_loss([1, 2], [0, 0])", 1e-4)
    true(targets.tolist() == [1, 2] and isinstance(loss, float), "the targets changed, or the loss is no float")
    sample_negative(np.random.default_rng(0), positives, 9)
    true(positives == {0, 1}, "the set of positives changed")


def _prepare(n):
    rng = np.random.default_rng(0)
    users, items = np.zeros((300, 8)), rng.normal(size=(n, 8))
    triples = [(u, 2 * u, 2 * u + 1) for u in range(300)]
    return lambda: [bpr_update(users, items, *triple) for triple in triples]


GROWTH = Growth(_prepare, exponent=0, start=20_000)
