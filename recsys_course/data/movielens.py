"""MovieLens: ratings, films and users, the same from each source and each of its file formats."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd

from recsys_course.assets import fetch
from recsys_course.data.interactions import Interactions

_EVENTS = ["user_id", "item_id", "rating", "time"]
_PEOPLE = ["user_id", "age", "gender", "occupation", "zip_code"]
_YEAR = re.compile(r"\s*\((\d{4})(?:[-–]\d{0,4})?\)")
_NO_GENRE = {"unknown", "(no genres listed)"}
_FLAGS = [  # the order of the archive's 19 genre columns
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
]
_OCCUPATIONS = [  # the codes 0 to 20 of MovieLens 1M; 4 and 10 are college and school
    *("other", "educator", "artist", "clerical", "student", "customer service", "doctor", "executive", "farmer"),
    *("homemaker", "student", "lawyer", "programmer", "retired", "sales", "scientist", "self-employed"),
    *("engineer", "tradesman", "none", "writer"),
]


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Events with what is known about their users and items.

    Attributes:
        name: such as ``100k``.
        ratings: the events; its user and item indices are row numbers of the two tables.
        users: one row per user index: ``user_id`` as in the source, and ``age``, ``gender``, ``occupation`` and
            ``zip_code`` where the source has them, ``[n_users]``.
        items: one row per item index: ``item_id`` as in the source, ``title`` without the year, ``year`` (``<NA>``
            if unknown), ``genres`` (a tuple of names in alphabetical order, empty if unknown), ``[n_items]``.
    """

    name: str
    ratings: Interactions
    users: pd.DataFrame
    items: pd.DataFrame

    @property
    def titles(self) -> list[str]:
        """What to print for each item index, such as ``Toy Story (1995)``; ``[n_items]``."""
        pairs = zip(self.items["title"], self.items["year"], strict=True)
        return [title if pd.isna(year) else f"{title} ({year})" for title, year in pairs]

    def __repr__(self) -> str:
        r = self.ratings
        first, last = (datetime.fromtimestamp(int(t), UTC).date() for t in (r.times.min(), r.times.max()))
        density = len(r) / (r.n_users * r.n_items)
        counts = f"{len(r):,} ratings of {r.n_items:,} items by {r.n_users:,} users"
        return f"Dataset({self.name!r}: {counts}, {density:.2%} dense, {first} to {last})"


def movielens(name: str = "100k", folder: Path | str | None = None) -> Dataset:
    """Load a MovieLens set, fetching it the first time; the same object on every later call.

    Titles are as GroupLens writes them, article last: ``Godfather, The``. Films that nobody rated keep an index.

    Args:
        name: ``100k``, or ``latest-small``, ``1m``, ``20m``, ``25m``, ``32m``.
        folder: where the unpacked files are; by default the cache.

    Raises:
        AssetError: no such set, or it cannot be fetched.
        FileNotFoundError: ``folder`` holds none of the known formats.

    >>> movielens("100k")
    Dataset('100k': 100,000 ratings of 1,682 items by 943 users, 6.30% dense, 1997-09-20 to 1998-04-22)
    """
    return _load(name, Path(folder) if folder else fetch(f"ml-{name}"))


@cache
def _load(name: str, folder: Path) -> Dataset:
    for marker, read in _FORMATS.items():
        found = next(iter(sorted(folder.glob(marker))), None)
        if found:
            return build_dataset(name, *read(found))
    raise FileNotFoundError(f"{folder} holds no MovieLens ratings ({', '.join(_FORMATS)})")


def build_dataset(name: str, events: pd.DataFrame, users: pd.DataFrame, items: pd.DataFrame) -> Dataset:
    """Number users and items by their ids, ascending, and join what is known about them.

    Args:
        name: of the data set.
        events: ``user_id``, ``item_id``, ``rating``, ``time`` (Unix seconds).
        users: ``user_id`` and more; users without a row here get an empty one.
        items: ``item_id``, ``title``, ``year``, ``genres``; items without a row get their id as title.
    """
    users, items = _complete(users, events["user_id"]), _complete(items, events["item_id"])
    lost = items["title"].isna()
    if lost.any():
        items.loc[lost, "title"] = items.loc[lost, "item_id"].astype(str)
        items["genres"] = items["genres"].map(lambda genres: genres if isinstance(genres, tuple) else ())
    who = pd.Index(users["user_id"]).get_indexer(events["user_id"])  # [n_events]
    what = pd.Index(items["item_id"]).get_indexer(events["item_id"])
    ratings = Interactions.from_events(who, what, events["rating"], events["time"], len(users), len(items))
    return Dataset(name, ratings, users, items)


def split_title(text: str) -> tuple[str, int | None]:
    """Title and year, the last four digits in brackets.

    >>> split_title("Land Before Time III: The Time of the Great Giving (1995) (V)")
    ('Land Before Time III: The Time of the Great Giving', 1995)
    >>> split_title("unknown")
    ('unknown', None)
    """
    found = list(_YEAR.finditer(text))
    return (text[: found[-1].start()].strip(), int(found[-1][1])) if found else (text.strip(), None)


def _complete(table: pd.DataFrame, ids: pd.Series) -> pd.DataFrame:
    key = table.columns[0]
    everyone = np.union1d(table[key], ids.unique())
    return table.set_index(key).reindex(pd.Index(everyone, name=key)).reset_index()


def _item_table(ids, texts, genres) -> pd.DataFrame:
    titles, years = zip(*map(split_title, texts), strict=True)
    known = [tuple(sorted(set(names) - _NO_GENRE)) for names in genres]
    columns = {"item_id": ids, "title": titles, "year": pd.array(years, dtype="Int64"), "genres": known}
    return pd.DataFrame(columns)


def _read(path: Path, names: list[str], **more) -> pd.DataFrame:
    """A table without surprises: a title may be ``NA`` or hold a lone quotation mark."""
    texts = dict.fromkeys(("title", "year", "genres", "zip_code"), str)
    dtype = {name: kind for name, kind in texts.items() if name in names}
    return pd.read_csv(path, names=names, dtype=dtype, keep_default_na=False, **({"quoting": 3} | more))


def _read_wheel(inter: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    form = {"sep": "\t", "encoding": "utf-8", "header": 0}
    raw = _read(inter.with_suffix(".item"), ["item_id", "title", "year", "genres"], **form)
    texts = raw["title"] + " (" + raw["year"] + ")"  # the wheel took what stood in the last brackets for the year
    texts = texts.replace("unkonwn (unkonwn)", "unknown")  # its spelling of the one film without title and year
    items = _item_table(raw["item_id"], texts, raw["genres"].str.split(" "))
    return _read(inter, _EVENTS, **form), _read(inter.with_suffix(".user"), _PEOPLE, **form), items


def _read_archive(data: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    form = {"sep": "|", "encoding": "latin-1"}
    columns = ["item_id", "title", "date", "video_date", "url", *_FLAGS]
    raw = _read(data.with_suffix(".item"), columns, **form)
    flags = raw[_FLAGS].to_numpy(dtype=bool)  # [n_items, 19]
    items = _item_table(raw["item_id"], raw["title"], (np.array(_FLAGS)[row] for row in flags))
    return _read(data, _EVENTS, sep="\t"), _read(data.with_suffix(".user"), _PEOPLE, **form), items


def _read_dat(ratings: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    def table(name: str, names: list[str]) -> pd.DataFrame:
        content = ratings.with_name(name).read_bytes().replace(b"::", b"\t")  # pandas reads one-byte separators fast
        return _read(BytesIO(content), names, sep="\t", encoding="latin-1")

    raw = table("movies.dat", ["item_id", "title", "genres"])
    users = table("users.dat", ["user_id", "gender", "age", "occupation", "zip_code"])
    users["occupation"] = users["occupation"].map(dict(enumerate(_OCCUPATIONS)))
    items = _item_table(raw["item_id"], raw["title"], raw["genres"].str.split("|"))
    return table("ratings.dat", _EVENTS), users[_PEOPLE], items


def _read_csv(ratings: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    form = {"sep": ",", "encoding": "utf-8", "header": 0, "quoting": 0}
    raw = _read(ratings.with_name("movies.csv"), ["item_id", "title", "genres"], **form)
    events = _read(ratings, _EVENTS, **form)
    users = pd.DataFrame({"user_id": np.unique(events["user_id"])})
    return events, users, _item_table(raw["item_id"], raw["title"], raw["genres"].str.split("|"))


_FORMATS: dict[str, Callable[[Path], tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]]] = {
    "*.inter": _read_wheel,
    "u.data": _read_archive,
    "ratings.dat": _read_dat,
    "ratings.csv": _read_csv,
}
