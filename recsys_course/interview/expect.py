"""What the test files of a task are written with; they run beside the answer, in the process of `worker`.

A test is a function ``test_...`` without arguments. Its docstring is what the learner reads about it, so it says what
must hold and never how the answer should do it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

SHOWN = 160  # characters of a value in a message


@dataclass(frozen=True)
class Growth:
    """How the work of an answer may grow.

    Attributes:
        prepare: takes a size ``n`` and returns what is measured: a function that can be called again and again.
        exponent: the work may grow like ``n ** exponent``, logarithms on top.
        start: the smallest size.
        counted: the measured function returns its own count of the work, so that nothing else is measured.
    """

    prepare: Callable[[int], Callable[[], object]]
    exponent: float
    start: int
    counted: bool = False


def edge(name: str) -> Callable[[Callable], Callable]:
    """Mark a test as that of the edge case ``name`` of the task."""
    return lambda test: test


def safety(test: Callable) -> Callable:
    """Mark a test as one of numerical or shape safety, which has points of its own."""
    return test


def close(got: object, want: object, call: str, tolerance: float = 1e-9) -> None:
    """Fail unless two numbers, or two arrays of one shape, are equal up to a tolerance; NaN equals NaN.

    Args:
        got: what the answer returned.
        want: what is right.
        call: what was asked, for the message.
        tolerance: absolute, and relative to ``want``.
    """
    if isinstance(want, int | float):
        try:
            number = float(got)
        except (TypeError, ValueError):
            _fail(call, want, got)
        same = (
            math.isnan(number) if math.isnan(want) else math.isclose(number, want, rel_tol=tolerance, abs_tol=tolerance)
        )
    else:
        import numpy as np

        try:
            array = np.asarray(_plain(got), dtype=float)
        except (TypeError, ValueError):
            _fail(call, want, got)
        want = _plain(want)
        same = array.shape == np.shape(want) and np.allclose(array, want, tolerance, tolerance, equal_nan=True)
    if not same:
        _fail(call, want, got)


def equal(got: object, want: object, call: str) -> None:
    """Fail unless the two are equal."""
    if not (isinstance(got, type(want)) or isinstance(want, int | float)) or got != want:
        _fail(call, want, got)


def true(holds: object, said: str) -> None:
    """Fail with that sentence unless it holds."""
    if not holds:
        raise AssertionError(said)


def raises(kind: type[Exception], function: Callable[[], object], call: str) -> None:
    """Fail unless the function raises that kind of exception."""
    try:
        got = function()
    except kind:
        return
    raise AssertionError(f"{call}: expected a {kind.__name__}, got {_short(got)}")


def _fail(call: str, want: object, got: object) -> None:
    shown, found = _short(want), _short(got)
    if shown == found:
        shown, found = repr(want)[:SHOWN], repr(got)[:SHOWN]
    raise AssertionError(f"{call}: expected {shown}, got {found}")


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    value = _plain(value)
    if hasattr(value, "tolist") and hasattr(value, "round"):
        value = value.round(4).tolist()
    text = " ".join(repr(value).split())
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 2]} …"


def _plain(value: object) -> object:
    """A tensor of torch as an array; everything else as it is."""
    return value.detach().cpu().numpy() if hasattr(value, "detach") else value
