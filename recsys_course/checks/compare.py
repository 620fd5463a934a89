"""Where two plain values differ, in words for a learner."""

from typing import NamedTuple

import numpy as np

from recsys_course.checks.plain import WHOLE, Opaque, Record, as_array
from recsys_course.checks.show import FEW, show, show_keys


class Problem(NamedTuple):
    """What is wrong with an answer, and what may have led to it."""

    text: str
    advice: str = ""


RETURNED_INSTEAD = {
    "a generator": "`yield` makes a generator: collect the values and `return` them.",
    "a coroutine": "`async def` makes a coroutine: write `def`.",
    "a function": "Are the parentheses of a call missing?",
    "a map": "Wrap it in list(...).",
    "a filter": "Wrap it in list(...).",
    "a zip": "Wrap it in list(...).",
}


def difference(want: object, got: object, tolerance: float) -> Problem | None:
    """Compare two plain values.

    Numbers are compared by value, whatever holds them: an array of floats may answer for a list of bools. Whole
    numbers differ from others by ``tolerance`` at most, all others also by that share of themselves.

    Args:
        want: the expected value.
        got: the other one.
        tolerance: absolute and relative.

    Returns:
        None where they agree.
    """
    if isinstance(want, np.ndarray):
        got = as_array(got)
        return _numbers(want, got, tolerance) if isinstance(got, np.ndarray) else _other_type(want, got)
    if isinstance(want, list):
        got = [np.asarray(row) for row in got] if isinstance(got, np.ndarray) and got.ndim else got
        return _lists(want, got, tolerance) if isinstance(got, list) else _other_type(want, got)
    if isinstance(want, dict):
        return _fields(want, got, tolerance, "key") if isinstance(got, dict) else _other_type(want, got)
    if isinstance(want, Record):
        if not isinstance(got, Record):
            return _other_type(want, got)
        return _fields(want.fields, got.fields, tolerance, "column" if want.kind == "DataFrame" else "field")
    if type(want) is not type(got) or (isinstance(want, Opaque) and want.kind != got.kind):
        return _other_type(want, got)
    same = want.value == got.value if isinstance(want, Opaque) else want == got
    return None if same else Problem(f"expected {show(want)}, got {show(got)}")


def _other_type(want: object, got: object) -> Problem:
    if got is None:
        return Problem(f"expected {show(want)}, got None", "Is a `return` missing?")
    advice = RETURNED_INSTEAD.get(got.kind, "") if isinstance(got, Opaque) else ""
    shown = "" if isinstance(got, Opaque) else f": {show(got)}"
    return Problem(f"expected {describe(want)}, got {describe(got)}{shown}", advice)


def describe(value: object) -> str:
    """The kind of a plain value, in words."""
    if isinstance(value, np.ndarray):
        return f"numbers of shape {list(value.shape)}" if value.ndim else "a number"
    if isinstance(value, Opaque):
        return value.kind
    if isinstance(value, Record):
        return f"one {value.kind}"
    if isinstance(value, list):
        return f"{len(value)} values"
    return "None" if value is None else f"a {type(value).__name__}".replace("frozenset", "set")


def _numbers(want: np.ndarray, got: np.ndarray, tolerance: float) -> Problem | None:
    if want.shape != got.shape:
        return Problem(f"expected {_shape(want)}, got {_shape(got)}")
    wrong = ~_close(want, got, tolerance)
    if not wrong.any():
        return None
    first = tuple(int(place) for place in np.argwhere(wrong)[0])
    advice = _advice(want[first], got[first])
    if want.size <= FEW:
        return Problem(_expected(want, got), advice)
    where = f"at {list(first)}: {_expected(want[first], got[first])}"
    return Problem(f"{where} ({wrong.sum()} of {want.size} differ)", advice)


def _close(want: np.ndarray, got: np.ndarray, tolerance: float) -> np.ndarray:
    whole = want.dtype.kind in WHOLE
    if whole and got.dtype.kind in WHOLE:
        return want == got
    return np.isclose(got, want, rtol=0 if whole else tolerance, atol=tolerance, equal_nan=True)


def _shape(value: np.ndarray) -> str:
    return f"shape {list(value.shape)}" if value.ndim else f"a single number ({show(value)})"


def _expected(want: object, got: object) -> str:
    """Both values with as many digits as it takes to see that they differ."""
    for digits in (4, 8, 17):
        shown = show(want, digits), show(got, digits)
        if shown[0] != shown[1]:
            break
    return f"expected {shown[0]}, got {shown[1]}"


def _advice(want: np.generic, got: np.generic) -> str:
    if np.isnan(got):
        return "nan is not a number: was 0 divided by 0?"
    if np.isinf(got):
        return "inf is beyond all numbers: was something divided by 0, or the log of 0 taken?"
    return "Where the value is not defined, nan is expected." if np.isnan(want) else ""


def _lists(want: list, got: list, tolerance: float) -> Problem | None:
    if len(want) != len(got):
        return Problem(f"expected {len(want)} values, got {len(got)}: {show(got)}")
    for position, (left, right) in enumerate(zip(want, got, strict=True)):
        if problem := difference(left, right, tolerance):
            return Problem(f"at position {position}: {problem.text}", problem.advice)
    return None


def _fields(want: dict, got: dict, tolerance: float, word: str) -> Problem | None:
    if missing := [key for key in want if key not in got]:
        return Problem(f"the {word} {show_keys(missing[:1])} is missing; got {show_keys(got)}")
    if extra := [key for key in got if key not in want]:
        return Problem(f"unexpected {word} {show_keys(extra[:1])}; expected {show_keys(want)}")
    for key, value in want.items():
        if problem := difference(value, got[key], tolerance):
            return Problem(f"{word} {show_keys([key])}: {problem.text}", problem.advice)
    return None
