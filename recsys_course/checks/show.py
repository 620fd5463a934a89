"""Plain values in a few words: what a failed check says about inputs and results."""

from collections.abc import Iterable

import numpy as np

from recsys_course.checks.plain import Opaque, Record, one_line

FEW = 16  # numbers that are shown in full


def show(value: object, digits: int = 4, width: int = 120) -> str:
    """A plain value on one line.

    Args:
        value: as ``plain`` returns it.
        digits: significant digits of a number that is not whole.
        width: characters at most.
    """
    return one_line(_text(value, digits), width)


def _text(value: object, digits: int) -> str:
    if isinstance(value, np.ndarray):
        return _array(value, digits)
    if isinstance(value, np.generic):
        return _number(value, digits)
    if isinstance(value, list):
        return _items([_text(item, digits) for item in value[: FEW + 1]], "[", "]")
    if isinstance(value, frozenset):
        return _items(sorted(_key(item) for item in list(value)[: FEW + 1]), "{", "}") if value else "an empty set"
    if isinstance(value, dict):
        items = list(value.items())[: FEW + 1]
        return _items([f"{_key(key)}: {_text(item, digits)}" for key, item in items], "{", "}")
    if isinstance(value, Record):
        return f"{value.kind}({', '.join(f'{name}={_text(item, digits)}' for name, item in value.fields.items())})"
    return value.kind if isinstance(value, Opaque) else repr(value[:500] if value else value)


def show_keys(keys: Iterable) -> str:
    """Keys of a dict, or names of columns, on one line."""
    texts = [_key(key) for key in keys]
    return one_line(", ".join(texts[:FEW]) + (", …" if len(texts) > FEW else "")) or "none"


def _items(texts: list[str], left: str, right: str) -> str:
    return left + ", ".join(texts[:FEW]) + (", …" if len(texts) > FEW else "") + right


def _key(key: object) -> str:
    return repr(key) if isinstance(key, str | int | float | tuple) else type(key).__name__


def _array(value: np.ndarray, digits: int) -> str:
    if value.ndim == 0:
        return _number(value[()], digits)
    if value.size > FEW:
        first = ", ".join(_number(number, digits) for number in value.flat[:3])
        return f"{_kind(value)} {list(value.shape)} of {first}, …"
    if value.size == 0 and value.ndim > 1:
        return f"{_kind(value)} {list(value.shape)}"
    return "[" + ", ".join(_array(row, digits) for row in value) + "]"


def _kind(value: np.ndarray) -> str:
    return value.dtype.name.rstrip("0123456789")


def _number(number: np.generic, digits: int) -> str:
    if number.dtype.kind != "f":
        return str(number)
    if number.is_integer() and abs(number) < 1e15:
        return f"{number:.1f}"
    return f"{number:.{digits}g}"
