"""Tests that are run when an answer is handed in."""

import math

import numpy as np
from answer import in_batch_loss

from recsys_course.interview.expect import Growth, close, edge, raises, safety, true


def _by_hand(users, items, ids, log_q=None, temperature=1.0, known=None):
    total = 0.0
    for i in range(len(users)):
        score = [sum(float(a) * float(b) for a, b in zip(users[i], v, strict=True)) / temperature for v in items]
        if log_q is not None:
            score = [s - q for s, q in zip(score, log_q, strict=True)]
        free = [j for j in range(len(ids)) if j == i or not (ids[j] == ids[i] or (known is not None and known[i][j]))]
        most = max(score[j] for j in free)
        total += most + math.log(sum(math.exp(score[j] - most) for j in free)) - score[i]
    return total / len(users)


def _batch(seed, n=7, dim=4, n_items=100):
    rng = np.random.default_rng(seed)
    log_q = np.log(rng.dirichlet(np.ones(n)))
    return rng.normal(size=(n, dim)), rng.normal(size=(n, dim)), rng.permutation(n_items)[:n], log_q, rng


def _compare(call, *arguments, **options):
    close(in_batch_loss(*arguments, **options), _by_hand(*arguments, **options), f"in_batch_loss of {call}")


def test_random_batches():
    """Random batches without duplicates agree with the definition."""
    for seed in range(3):
        users, items, ids, _, _ = _batch(seed)
        _compare(f"7 random rows, seed {seed}", users, items, ids, temperature=0.3)


def test_users_against_items():
    """Each user meets all items, not each item all users."""
    users, items, ids, _, _ = _batch(3)
    _compare("rows with long item vectors", users, items * np.arange(1, 8)[:, None], ids)


def test_a_shared_shift_of_log_q_changes_nothing():
    """The same constant on every log q changes nothing."""
    users, items, ids, log_q, _ = _batch(4)
    want = in_batch_loss(users, items, ids, log_q)
    close(in_batch_loss(users, items, ids, log_q + 5.0), want, "in_batch_loss with 5 added to each log_q")


@edge("log-q-sign")
def test_log_q_is_subtracted():
    """Log q is subtracted from every column, the own one too."""
    for seed in range(3):
        users, items, ids, log_q, _ = _batch(seed)
        _compare(f"random rows with log_q, seed {seed}", users, items, ids, log_q)


@edge("temperature")
def test_the_temperature_leaves_log_q_alone():
    """The temperature divides the inner product, not log q; 0 and below are refused."""
    users, items, ids, log_q, _ = _batch(5)
    _compare("rows with log_q and temperature 0.2", users, items, ids, log_q, 0.2)
    for wrong in (0.0, -1.0):
        raises(ValueError, lambda t=wrong: in_batch_loss(users, items, ids, None, t), f"temperature={wrong}")


@edge("duplicates")
def test_the_same_item_in_other_rows():
    """The same item in another row is no negative, in whichever row."""
    users, items, _, log_q, _ = _batch(6)
    _compare("ids [1, 2, 1, 3, 2, 1, 4]", users, items, np.array([1, 2, 1, 3, 2, 1, 4]), log_q)


@edge("duplicates")
def test_known_positives():
    """A known positive of the user is no negative; the table need not be symmetric."""
    users, items, ids, log_q, rng = _batch(7)
    _compare("rows with known positives", users, items, ids, log_q, 0.5, known=rng.random((7, 7)) < 0.3)


@edge("diagonal")
def test_the_own_item_stays():
    """The own item stays, even where the table of known positives names it."""
    users, items, ids, _, _ = _batch(8)
    _compare("rows whose known table has a full diagonal", users, items, ids, known=np.eye(7, dtype=bool))


@edge("one-row")
def test_one_row():
    """A batch of one row has a loss of 0."""
    close(in_batch_loss(np.ones((1, 3)), np.ones((1, 3)), np.array([4])), 0.0, "in_batch_loss of one row")


@edge("nothing-left")
def test_all_rows_hold_one_item():
    """Where every other column is masked, the loss is 0."""
    users, items, _, log_q, _ = _batch(9)
    close(in_batch_loss(users, items, np.full(7, 3), log_q), 0.0, "in_batch_loss where all rows hold item 3")


@edge("overflow")
@safety
def test_huge_scores():
    """Scores of a million neither overflow nor vanish."""
    users, items, ids, log_q, _ = _batch(10)
    with np.errstate(all="ignore"):
        _compare("rows with scores around 1e6", 1e3 * users, 1e3 * items, ids, log_q)
        _compare("rows at temperature 1e-4", users, items, ids, log_q, 1e-4)


@edge("masked-maximum")
@safety
def test_a_masked_score_that_is_the_largest():
    """A masked score that towers over the rest, and scores far below any fill value."""
    users = np.array([[1.0], [1.0], [1.0]])
    items, ids = np.array([[-2e9], [3000.0], [-3e9]]), np.array([5, 5, 6])
    _compare("scores -2e9, 3000 (masked for row 0), -3e9", users, items, ids)


@safety
def test_single_precision_and_inputs():
    """Single precision is enough, the inputs stay, and the result is a plain number."""
    users, items, ids, log_q, rng = _batch(11)
    known, ids[3] = rng.random((7, 7)) < 0.2, ids[0]
    copies = [array.copy() for array in (users, items, ids, log_q, known)]
    got = in_batch_loss(users, items, ids, log_q, 0.5, known)
    names = ("users", "items", "item_ids", "log_q", "known")
    for name, now, before in zip(names, (users, items, ids, log_q, known), copies, strict=True):
        true((now == before).all(), f"it changed its input `{name}`")
    true(isinstance(got, float), f"expected a float, got a {type(got).__name__}")
    small = in_batch_loss(users.astype(np.float32), items.astype(np.float32), ids, log_q.astype(np.float32), 0.5, known)
    close(small, got, "in_batch_loss in single precision", tolerance=1e-4)


@safety
def test_a_log_q_of_the_wrong_shape():
    """A log q that is no row of length B is refused: broadcasting would hide the mistake."""
    users, items, ids, log_q, _ = _batch(12)
    for wrong in (log_q[:1], log_q[:, None], np.float64(0.3)):
        raises(ValueError, lambda q=wrong: in_batch_loss(users, items, ids, q), f"log_q of shape {wrong.shape}, B = 7")


def _prepare(n):
    rng = np.random.default_rng(n)
    users, items, ids = rng.normal(size=(n, 4)), rng.normal(size=(n, 4)), rng.integers(0, n, n)
    log_q = np.full(n, -math.log(n))
    return lambda: in_batch_loss(users, items, ids, log_q, 0.5)


GROWTH = Growth(_prepare, exponent=2, start=64)
