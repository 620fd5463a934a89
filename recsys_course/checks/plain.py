"""Whatever a function may return, as a few plain kinds of value that can be compared and shown.

Plain values are: numbers and tables of numbers as numpy arrays, list, dict, frozenset, str, bytes, None, ``Record``
for what has named fields, and ``Opaque`` for the rest.
"""

import dataclasses
import inspect
import numbers
from collections import deque
from collections.abc import Callable, KeysView, Mapping, ValuesView
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy import sparse

NUMERIC = "biufc"  # numpy's letters for bool, int, unsigned int, float and complex
WHOLE = "biu"
LARGE = 10_000_000  # arrays beyond this size are looked at in place: one may be a small array seen as gigabytes


class Record(NamedTuple):
    """A dataclass or a data frame: its type's name, and plain values by field."""

    kind: str
    fields: dict[str, object]


class Opaque(NamedTuple):
    """Something without a plain form: its kind in words, and itself."""

    kind: str
    value: object


def plain(value: object, *, opaque: bool = True) -> object:
    """Return a plain copy of a value.

    Args:
        value: anything.
        opaque: keep what has no plain form, not only its kind.

    Raises:
        Exception: the value is of a learner's own making and defends itself, or contains itself.
    """

    def inner(item: object) -> object:
        return plain(item, opaque=opaque)

    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    for convert in (_numbers, _record, _collection):
        result = convert(value, inner)
        if result is not None:
            return result
    if inspect.iscoroutine(value):
        value.close()  # it would complain later that nobody awaited it
    return Opaque(_kind(value), value if opaque else None)


def _numbers(value: object, inner: Callable) -> object:
    if isinstance(value, torch.Tensor):
        value = _from_torch(value)
    elif sparse.issparse(value) and np.prod(value.shape, dtype=float) <= LARGE:
        value = value.toarray()
    elif value is pd.NA or value is pd.NaT:
        value = np.nan
    if isinstance(value, numbers.Number):
        value = np.asarray(value)
        value = value if value.dtype.kind in NUMERIC else value.astype(float)  # a fraction, a huge integer
    if not isinstance(value, np.ndarray | np.generic):
        return None
    value = np.asarray(value)
    if value.dtype.kind == "M":
        value = value.astype("datetime64[ns]").astype(np.int64)
    if value.dtype.kind not in NUMERIC:
        return inner(value.tolist())
    return value.copy() if value.size <= LARGE else value


def _from_torch(value: torch.Tensor) -> object:
    value = value.detach().cpu()
    if value.layout is not torch.strided:
        if value.numel() > LARGE:
            return value
        value = value.to_dense()
    value = value.float() if value.dtype is torch.bfloat16 else value
    return value.resolve_conj().resolve_neg().numpy()


def _record(value: object, inner: Callable) -> object:
    if isinstance(value, pd.Index | pd.api.extensions.ExtensionArray):
        return inner(np.asarray(value))
    if isinstance(value, pd.Series):
        if _counts(value.index):
            return inner(value.to_numpy())
        return Record("Series", {"index": inner(list(value.index)), "values": inner(value.to_numpy())})
    if isinstance(value, pd.DataFrame):
        index = {} if _counts(value.index) else {"index": inner(list(value.index))}
        return Record("DataFrame", index | {str(name): inner(value[name].to_numpy()) for name in value.columns})
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        return Record(type(value).__name__, {name: inner(getattr(value, name)) for name in names})
    return None


def _counts(index: pd.Index) -> bool:
    """Whether the index only counts rows: 0, 1, 2, ..."""
    return isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1


def _collection(value: object, inner: Callable) -> object:
    if isinstance(value, Mapping):
        return {_key(key): inner(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return frozenset(_key(item) for item in value)
    if isinstance(value, list | tuple | range | deque | KeysView | ValuesView):
        return _rows(list(value), inner)
    return None


def _key(key: object) -> object:
    return key.item() if isinstance(key, torch.Tensor | np.ndarray | np.generic) and key.ndim == 0 else key


def _rows(items: list, inner: Callable) -> object:
    """One array where the items are of one shape and one kind (whole or not); otherwise a list."""
    types = {type(item) for item in items}
    if types <= {bool, int} or types == {float}:
        array = np.array(items)
        if array.dtype.kind in NUMERIC:
            return array
    items = [inner(item) for item in items]
    kinds = {isinstance(item, np.ndarray) and ("i" if item.dtype.kind in WHOLE else item.dtype.kind) for item in items}
    return as_array(items) if len(kinds) == 1 else items


def as_array(value: object) -> object:
    """A list of plain rows of one shape as one array; anything else as it is."""
    if not isinstance(value, list):
        return value
    items = [as_array(item) for item in value]
    if all(isinstance(item, np.ndarray) for item in items) and len({item.shape for item in items}) == 1:
        return np.stack(items)
    return value


def _kind(value: object) -> str:
    if isinstance(value, type):
        return "a class"
    if inspect.isroutine(value):
        return "a function"
    name = type(value).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"


def one_line(text: str, width: int = 120) -> str:
    """The text on one line, cut where it is long."""
    text = " ".join(text[: 4 * width].split())
    return text if len(text) <= width else text[: width - 1] + "…"
