"""Tests that are run when an answer is handed in."""

import math

import numpy as np
from answer import attention, multi_head_attention

from recsys_course.interview.expect import Growth, close, edge, equal, raises, safety, true


def _one(query, keys, values, allowed):
    """One query in plain Python."""
    places = [place for place in range(len(keys)) if allowed[place]]
    scores = {j: sum(a * b for a, b in zip(query, keys[j], strict=True)) / math.sqrt(len(query)) for j in places}
    most = max(scores.values(), default=0.0)
    weights = {place: math.exp(score - most) for place, score in scores.items()}
    total = sum(weights.values())
    return [sum(weights[j] * values[j][c] for j in places) / total if places else 0.0 for c in range(len(values[0]))]


def _by_hand(x, weights, n_heads, keep=None, causal=False):
    batch, length, dim = x.shape
    width, joined = dim // n_heads, np.zeros(x.shape)
    for b in range(batch):
        q, k, v = (x[b].astype(float) @ weights[name] for name in "qkv")
        for h in range(n_heads):
            columns = slice(h * width, (h + 1) * width)
            for t in range(length):
                free = [(keep is None or keep[b, s]) and (s <= t or not causal) for s in range(length)]
                joined[b, t, columns] = _one(q[t, columns], k[:, columns], v[:, columns], free)
    return joined @ weights["o"]


def _case(seed, batch=2, length=5, dim=6):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(batch, length, dim)), {name: rng.normal(size=(dim, dim)) for name in "qkvo"}


def _compare(call, *arguments, **options):
    got = multi_head_attention(*arguments, **options)
    close(got, _by_hand(*arguments, **options), f"multi_head_attention of {call}", tolerance=1e-7)


def test_one_head():
    """One head agrees with plain Python."""
    _compare("a random batch, 1 head", *_case(1), 1)


def test_queries_and_keys_of_other_lengths():
    """Queries and keys of different number, with axes in front."""
    rng = np.random.default_rng(2)
    q, k, v = rng.normal(size=(2, 3, 2, 4)), rng.normal(size=(2, 3, 5, 4)), rng.normal(size=(2, 3, 5, 7))
    want = [[[_one(query, k[a, b], v[a, b], [1] * 5) for query in q[a, b]] for b in range(3)] for a in range(2)]
    close(attention(q, k, v), np.array(want), "attention of shapes [2, 3, 2, 4], [2, 3, 5, 4], [2, 3, 5, 7]")


@edge("scale")
def test_the_scale():
    """The scores are divided by the root of the head's width."""
    q, k = np.array([[3.0, 0, 0, 0]]), np.array([[1.0, 0, 0, 0], [0, 0, 0, 0]])
    got = attention(q, k, np.array([[1.0], [0.0]]))
    close(got, [[1 / (1 + math.exp(-1.5))]], "attention with head_dim 4 and scores 3 and 0")


@edge("heads")
def test_several_heads():
    """Two, three and six heads agree with plain Python; 4 heads of a dim of 6 are refused."""
    for n_heads in (2, 3, 6):
        _compare(f"a random batch, {n_heads} heads", *_case(3), n_heads)
    raises(ValueError, lambda: multi_head_attention(*_case(3), 4), "multi_head_attention with dim 6 and 4 heads")


@edge("padding-axis")
def test_padding():
    """Nobody looks at padding, in each row of the batch its own."""
    keep = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 0]], dtype=bool)
    x, weights = _case(4)
    _compare("rows with 2 and 1 padded positions", x, weights, 2, keep)
    changed = np.where(keep[:, :, None], x, 99.0)
    got, want = (multi_head_attention(each, weights, 2, keep) for each in (changed, x))
    close(got[keep], want[keep], "the kept positions where the padding holds 99")


@edge("padding-axis")
def test_a_batch_as_long_as_the_sequence():
    """A batch of 5 rows of length 5 hides a mask on the wrong axis."""
    keep = np.arange(5) < np.array([[5], [4], [3], [2], [1]])
    _compare("5 rows of length 5 with padding", *_case(5, batch=5), 2, keep)


@edge("causal")
def test_causal():
    """A position sees itself and what is before it."""
    x, weights = _case(6)
    _compare("a random batch, causal", x, weights, 2, causal=True)
    later = x.copy()
    later[:, 3:] = 7.0
    got, want = (multi_head_attention(each, weights, 2, causal=True)[:, :3] for each in (later, x))
    close(got, want, "positions 0 to 2 where positions 3 and 4 have changed")


@edge("both-masks")
def test_left_padding_and_causal():
    """Padding on the left and causal together."""
    keep = np.array([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]], dtype=bool)
    with np.errstate(all="ignore"):
        _compare("left padding, causal", *_case(7), 3, keep, causal=True)


@edge("fully-masked")
def test_a_query_that_may_look_nowhere():
    """A query that may look nowhere gets zeros."""
    mask = np.array([[True, True], [False, False]])
    with np.errstate(all="ignore"):
        got = attention(np.ones((2, 1)), np.ones((2, 1)), np.array([[1.0], [3.0]]), mask)
    close(got, [[2.0], [0.0]], "attention whose second query is fully masked")


@edge("mask-before-softmax")
def test_the_weights_of_what_is_left_sum_to_one():
    """What may be seen shares the whole weight."""
    mask = np.array([[True, False, True]])
    got = attention(np.array([[1.0]]), np.array([[0.0], [9.0], [0.0]]), np.array([[2.0], [8.0], [4.0]]), mask)
    close(got, [[3.0]], "attention over the values 2 and 4, with 8 masked")


@edge("overflow")
@safety
def test_huge_scores():
    """Scores of 10,000 do not overflow."""
    with np.errstate(all="ignore"):
        got = attention(np.array([[100.0]]), np.array([[100.0], [99.0]]), np.array([[1.0], [2.0]]))
        close(got, [[1.0]], "attention with scores of 10,000 and 9,900")
        got = attention(np.array([[-100.0]]), np.array([[100.0], [101.0]]), np.array([[1.0], [2.0]]))
        close(got, [[1.0]], "attention with scores of -10,000 and -10,100")


@edge("overflow")
@safety
def test_half_precision():
    """Half precision: no overflow, and the dtype stays."""
    x, weights = _case(8)
    x, weights = (3 * x).astype(np.float16), {name: w.astype(np.float16) for name, w in weights.items()}
    with np.errstate(all="ignore"):
        got = multi_head_attention(x, weights, 2, causal=True)
    true(got.dtype == np.float16, f"expected float16, got {got.dtype}")
    true(np.isfinite(got).all(), "the result in float16 is not finite")
    close(got[:, 0], (x[:, 0] @ weights["v"] @ weights["o"]).astype(float), "the first position", tolerance=0.05)


@safety
def test_the_dtype_and_the_inputs():
    """Single precision stays single precision, the inputs stay as they are."""
    x, weights = _case(9)
    x, weights, keep = x.astype(np.float32), {n: w.astype(np.float32) for n, w in weights.items()}, np.eye(2, 5) == 0
    before = x.copy(), keep.copy()
    got = multi_head_attention(x, weights, 2, keep, causal=True)
    true(got.dtype == np.float32, f"expected float32, got {got.dtype}")
    true((x == before[0]).all() and (keep == before[1]).all(), "an input was changed")
    equal(got.shape, (2, 5, 6), "the shape")


def _prepare(n):
    rng = np.random.default_rng(n)
    x, weights = rng.normal(size=(1, n, 8)), {name: np.eye(8) for name in "qkvo"}
    return lambda: multi_head_attention(x, weights, 1, np.ones((1, n), dtype=bool), causal=True)


GROWTH = Growth(_prepare, exponent=2, start=64)
