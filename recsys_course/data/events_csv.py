"""A user's own events from a CSV file, with one clear error for each kind of bad row."""

import csv
import io
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from recsys_course.data.movielens import Dataset, build_dataset

YEAR_2100 = 4_102_444_800  # in Unix seconds
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


def read_csv(
    path: Path | str,
    user: str = "user",
    item: str = "item",
    rating: str | None = "rating",
    time: str | None = "timestamp",
    title: str | None = None,
    *,
    rating_range: tuple[float, float] | None = (0, 5),
    time_unit: str = "s",
    sep: str = ",",
    encoding: str = "utf-8",
) -> Dataset:
    """Load events from a CSV file with a header, whatever its columns are called.

    Of several events of one user with one item the last is kept (the latest; the lowest line where times are
    equal or missing), and a warning says so. Nothing else is repaired: the first bad row is an error that names
    its line. Users and items are numbered by their ids, ascending: as numbers if all are whole numbers, otherwise
    as text.

    Args:
        path: the file.
        user: column with the user's id.
        item: column with the item's id.
        rating: column with the rating; ``None`` for clicks or purchases, which count as rating 5.
        time: column with the time; ``None`` if the order of the lines is the order in time.
        title: column with the item's title; where it is empty or missing the id stands in.
        rating_range: lowest and highest rating allowed; ``None`` allows any. A positive is a rating of 4 or more
            everywhere in the course: rescale other scales to 1 to 5 first.
        time_unit: of Unix time: ``s``, ``ms``, ``us`` or ``ns``.
        sep: what separates the columns.
        encoding: of the text.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: anything else, as one sentence with the file and, where there is one, the line (the header is
            line 1; a line break inside quotation marks does not count).
    """
    if time_unit not in _PER_SECOND:
        raise ValueError(f"time_unit must be one of {', '.join(_PER_SECOND)}, not {time_unit!r}")
    path = Path(path)
    names = {"user": user, "item": item, "rating": rating, "time": time, "title": title}
    names = {role: column for role, column in names.items() if column is not None}
    table = _table(path, _text(path, encoding), sep)
    _check_columns(path, table, names)
    events = pd.DataFrame({"user_id": _ids(path, table, user), "item_id": _ids(path, table, item)})
    events["rating"] = _ratings(path, table, rating, rating_range) if rating else 5.0
    events["time"] = _times(path, table, time, time_unit) if time else np.arange(len(table))
    _refuse_one_user(path, events, user)
    events["title"] = table[title].str.strip().replace("", None) if title else None
    return _dataset(path, _without_duplicates(path, events))


def _dataset(path: Path, events: pd.DataFrame) -> Dataset:
    items = events.drop_duplicates("item_id", keep="last")[["item_id", "title"]]
    items = items.assign(year=pd.array([None] * len(items), dtype="Int64"), genres=[()] * len(items))
    return build_dataset(path.stem, events, events[["user_id"]].drop_duplicates(), items)


def _text(path: Path, encoding: str) -> str:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    content = path.read_bytes()
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line, byte = content[: error.start].count(b"\n") + 1, content[error.start]
        advice = "save the file as UTF-8, or pass its encoding, such as encoding='latin-1' or 'gb18030'"
        raise ValueError(f"{path}, line {line}: byte 0x{byte:02x} is not {encoding}: {advice}") from None


def _table(path: Path, text: str, sep: str) -> pd.DataFrame:
    """Every cell as text, indexed by line number; blank lines left out."""
    options = {"dtype": str, "keep_default_na": False, "skip_blank_lines": False, "index_col": False}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # a first line that is longer than the header
            table = pd.read_csv(io.StringIO(text), sep=sep, **options).fillna("")
    except pd.errors.EmptyDataError:
        raise ValueError(f"{path} is empty: it needs a header and one event a line") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise ValueError(f"{path}, {_shape_problem(text, sep, str(error))}") from None
    table.index = pd.RangeIndex(2, len(table) + 2)
    table.columns = table.columns.str.strip()
    table = table[(table != "").any(axis=1)]
    if table.empty:
        raise ValueError(f"{path} is empty: it has a header but no events")
    return table


def _shape_problem(text: str, sep: str, otherwise: str) -> str:
    lines = csv.reader(io.StringIO(text), delimiter=sep)
    header = next(lines)
    for row in lines:
        if len(row) > len(header):
            advice = "put a text that holds the separator between quotation marks"
            return f"line {lines.line_num}: {len(row)} fields where the header has {len(header)}: {advice}"
    opened = re.search(r"EOF inside string starting at row (\d+)", otherwise)
    return f"line {int(opened[1]) + 1}: a quotation mark is never closed" if opened else otherwise


def _check_columns(path: Path, table: pd.DataFrame, names: dict[str, str]) -> None:
    for role, column in names.items():
        if column not in table.columns:
            advice = f"name the column with {role}='...'"
            advice += f", or pass {role}=None" if role in ("rating", "time") else ""
            there = ", ".join(table.columns)
            raise ValueError(f"{path}, line 1: there is no column {column!r}, only {there}: {advice}")


def _ids(path: Path, table: pd.DataFrame, column: str) -> pd.Series:
    ids = table[column].str.strip()
    _refuse(path, column, ids, ids == "", "is missing")
    return ids.astype("int64") if ids.str.fullmatch(r"-?(0|[1-9]\d{0,17})").all() else ids


def _numbers(path: Path, table: pd.DataFrame, column: str, advice: str = "") -> pd.Series:
    texts = table[column].str.strip()
    numbers = pd.to_numeric(texts, errors="coerce").astype("float64")
    _refuse(path, column, texts, texts.str.lower().isin(["", "nan", "na", "null", "none"]), "is missing (NaN)")
    _refuse(path, column, texts, numbers.isna(), "is not a number", advice)
    _refuse(path, column, texts, np.isinf(numbers), "is not a finite number")
    return numbers


def _ratings(path: Path, table: pd.DataFrame, column: str, allowed: tuple[float, float] | None) -> pd.Series:
    ratings = _numbers(path, table, column)
    if allowed is not None:
        low, high = allowed
        advice = "correct it, or pass rating_range=(lowest, highest)"
        _refuse(path, column, ratings, ~ratings.between(low, high), f"is outside {low:g} to {high:g}", advice)
    return ratings


def _times(path: Path, table: pd.DataFrame, column: str, unit: str) -> pd.Series:
    times = _numbers(path, table, column, "Unix time is wanted; pandas.to_datetime reads dates")
    _refuse(path, column, table[column], times < 0, "is negative: a time is Unix time, counted from 1970")
    seconds = (times // _PER_SECOND[unit]).astype("int64")
    _refuse(path, column, table[column], seconds >= YEAR_2100, *_beyond_2100(times.median(), unit))
    return seconds


def _beyond_2100(typical: float, unit: str) -> tuple[str, str]:
    fitting = [u for u, n in _PER_SECOND.items() if u != unit and YEAR_2100 / 100 <= typical / n < YEAR_2100]
    advice = f"these look like {_UNITS[fitting[0]]}: pass time_unit={fitting[0]!r}" if fitting else "correct it"
    return f"as Unix time in {_UNITS[unit]} is beyond the year 2100", advice


def _refuse(path: Path, column: str, values: pd.Series, bad: pd.Series, problem: str, advice: str = "") -> None:
    """Name the first bad line, if there is one, and how many more there are."""
    if bad.any():
        line = bad.idxmax()
        value = values[line]
        shown = f" {value!r}" if value and isinstance(value, str) else f" {value:g}" if value != "" else ""
        more = f" (and {bad.sum() - 1} more such lines)" if bad.sum() > 1 else ""
        raise ValueError(f"{path}, line {line}: {column}{shown} {problem}{more}{advice and ': ' + advice}")


def _refuse_one_user(path: Path, events: pd.DataFrame, column: str) -> None:
    if events["user_id"].nunique() == 1:
        lines = f"lines {events.index[0]} to {events.index[-1]}" if len(events) > 1 else f"line {events.index[0]}"
        only = str(events["user_id"].iloc[0])
        raise ValueError(
            f"{path}, {lines}: every event is of one user, {only!r}, and nobody can be recommended what others "
            f"liked: is {column!r} the column with the user's id?"
        )


def _without_duplicates(path: Path, events: pd.DataFrame) -> pd.DataFrame:
    ordered = events.sort_values("time", kind="stable")
    repeated = ordered.duplicated(["user_id", "item_id"], keep="last")
    if repeated.any():
        first = ordered.index[repeated].min()
        what = "an event is repeated" if repeated.sum() == 1 else f"{repeated.sum():,} events are repeated"
        message = f"{path}: {what} later (same user and item), first in line {first}: the last of each is kept"
        warnings.warn(message, stacklevel=3)
    return ordered[~repeated]
