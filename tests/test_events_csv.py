"""A learner's own CSV: what is accepted, and the sentence for each thing that is not."""

import re
from pathlib import Path

import pytest

from recsys_course.data import Dataset, read_csv

HEADER = "user,item,rating,timestamp\n"
GOOD = HEADER + "ann,tea,4,1000\nbob,tea,5,3000\nann,jam,3,2000\n"


@pytest.fixture
def load(tmp_path):
    def load(text: str | bytes, **options) -> Dataset:
        path = tmp_path / "my.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_csv(path, **options)

    return load


@pytest.fixture
def refused(load):
    def refused(text: str | bytes, *sentence: str, **options) -> None:
        with pytest.raises(ValueError, match=r".*".join(map(re.escape, sentence))) as caught:
            load(text, **options)
        assert "my.csv" in str(caught.value)
        assert "\n" not in str(caught.value)

    return refused


def rows(data: Dataset) -> list[tuple]:
    r = data.ratings
    who, what = data.users["user_id"].tolist(), data.items["item_id"].tolist()
    columns = (r.users.tolist(), r.items.tolist(), r.ratings.tolist(), r.times.tolist())
    return [(who[u], what[i], rating, t) for u, i, rating, t in zip(*columns, strict=True)]


# ---- what is accepted


def test_events_are_sorted_and_ids_numbered_in_order(load):
    data = load(GOOD)
    assert rows(data) == [("ann", "tea", 4, 1000), ("ann", "jam", 3, 2000), ("bob", "tea", 5, 3000)]
    assert data.items["item_id"].tolist() == ["jam", "tea"]
    assert data.titles == ["jam", "tea"]
    assert data.name == "my"


def test_whole_numbers_are_ordered_as_numbers_and_anything_else_as_text(load):
    assert load(HEADER + "10,1,4,0\n9,2,4,0\n").users["user_id"].tolist() == [9, 10]
    assert load(HEADER + "010,1,4,0\n9,2,4,0\n").users["user_id"].tolist() == ["010", "9"]


def test_columns_may_have_any_name_and_separator(load):
    text = 'Kunde;Artikel;Note;Wann;Name\n1;7;4;1000;Tee\n2;8;5;2000;"Salz; grob"\n3;9;5;2000;\n'
    data = load(text, user="Kunde", item="Artikel", rating="Note", time="Wann", title="Name", sep=";")
    assert rows(data) == [(1, 7, 4, 1000), (2, 8, 5, 2000), (3, 9, 5, 2000)]
    assert data.titles == ["Tee", "Salz; grob", "9"]  # without a title the id stands in


def test_without_ratings_every_event_is_a_positive(load):
    data = load("user,item,timestamp\n1,7,10\n2,7,20\n", rating=None)
    assert rows(data.__class__(data.name, data.ratings.positives(), data.users, data.items)) == rows(data)


def test_without_times_the_order_of_the_lines_is_the_order_in_time(load):
    data = load("user,item\nann,z\nbob,z\nann,a\n", rating=None, time=None)
    assert [(who, what) for who, what, _, _ in rows(data)] == [("ann", "z"), ("ann", "a"), ("bob", "z")]


def test_blank_lines_a_byte_order_mark_and_spaces_do_no_harm(load):
    assert rows(
        load(b"\xef\xbb\xbf user , item,rating,timestamp\r\n\r\n ann ,tea, 4 ,1000\r\nbob,tea,5,3000\r\n\r\n")
    ) == [
        ("ann", "tea", 4, 1000),
        ("bob", "tea", 5, 3000),
    ]


def test_milliseconds_are_read_when_named(load):
    data = load(HEADER + "1,7,4,1700000000999\n2,7,4,1700000001000\n", time_unit="ms")
    assert data.ratings.times.tolist() == [1700000000, 1700000001]


def test_another_encoding_is_read_when_named(load):
    data = load((HEADER + "1,thé,4,1\n2,thé,4,1\n").encode("latin-1"), encoding="latin-1")
    assert data.titles == ["thé"]


# ---- what is refused


def test_a_missing_column_is_named_with_those_that_are_there(refused):
    refused("uid,item,rating,timestamp\n1,2,3,4\n", "line 1: there is no column 'user', only uid, item,", "user='...'")
    refused("user,item,timestamp\n1,2,3\n", "no column 'rating'", "rating=None")
    refused("user,item,rating\n1,2,3\n", "no column 'timestamp'", "time=None")
    refused(GOOD, "no column 'name'", title="name")


@pytest.mark.parametrize("column", ["rating", "timestamp"])
def test_what_is_not_a_number_is_named_with_its_line(column, refused):
    wrong = {"rating": "good,1", "timestamp": "4,2024-05-01"}[column]
    shown = {"rating": "good", "timestamp": "2024-05-01"}[column]
    refused(HEADER + f"1,7,4,10\n\n2,7,{wrong}\n", f"line 4: {column} '{shown}' is not a number")


@pytest.mark.parametrize("text", ["", "nan", "NaN", "NA", "null"])
def test_nan_is_missing_and_named_with_its_line(text, refused):
    refused(HEADER + f"1,7,4,10\n2,7,{text},10\n", "line 3: rating", "is missing (NaN)")
    refused(HEADER + f"1,7,4,{text}\n2,7,4,10\n", "line 2: timestamp", "is missing (NaN)")


def test_infinity_is_refused(refused):
    refused(HEADER + "1,7,4,10\n2,7,-inf,10\n", "line 3: rating '-inf' is not a finite number")


@pytest.mark.parametrize("column", ["user", "item"])
def test_an_event_without_user_or_item_is_refused(column, refused):
    bad = {"user": ",7,4,10", "item": "1, ,4,10"}[column]
    refused(HEADER + f"1,7,4,10\n{bad}\n", f"line 3: {column} is missing")


def test_a_rating_out_of_range_is_named_with_the_range(refused, load):
    refused(HEADER + "1,7,4,10\n2,7,8,10\n2,8,9,10\n", "line 3: rating 8 is outside 0 to 5 (and 1 more")
    refused(HEADER + "1,7,4,10\n2,7,0.5,10\n", "line 3: rating 0.5 is outside 1 to 5", rating_range=(1, 5))
    assert len(load(HEADER + "1,7,4,10\n2,7,-80,10\n", rating_range=None).ratings) == 2


def test_a_negative_time_is_refused(refused):
    refused(HEADER + "1,7,4,10\n2,7,4,-1\n", "line 3: timestamp '-1' is negative")


def test_milliseconds_are_recognised_and_said(refused):
    text = HEADER + "1,7,4,1700000000000\n2,7,4,1700000000001\n"
    refused(
        text, "line 2: timestamp '1700000000000'", "beyond the year 2100", "look like milliseconds", "time_unit='ms'"
    )


def test_one_absurd_time_among_good_ones_is_to_be_corrected(refused):
    text = HEADER + "1,7,4,1700000000\n2,7,4,1700000001\n3,7,4,4102444800\n"
    refused(text, "line 4: timestamp '4102444800'", "beyond the year 2100: correct it")


@pytest.mark.parametrize("text", ["", "\n\n", HEADER, HEADER + "\n,,,\n"])
def test_an_empty_file_is_said_to_be_empty(text, refused):
    refused(text, "my.csv is empty")


def test_a_wrong_encoding_is_named_with_line_and_byte(refused):
    text = (HEADER + "1,tea,4,10\n2,thé,4,10\n").encode("latin-1")
    refused(text, "line 3: byte 0xe9 is not utf-8", "encoding='latin-1'")
    refused((HEADER + "1,茶,4,10\n").encode("utf-16"), "line 1: byte 0xff is not utf-8")


def test_a_single_user_is_refused(refused):
    refused(HEADER + "1,7,4,10\n1,8,4,20\n", "lines 2 to 3: every event is of one user, '1'", "'user'")


@pytest.mark.parametrize("line", [2, 3, 4])
def test_a_line_with_too_many_fields_is_named(line, refused):
    lines = ["1,7,4,10", "2,7,4,10", "3,7,4,10"]
    lines[line - 2] = "1,salt, coarse,4,10"
    refused(HEADER + "\n".join(lines), f"line {line}: 5 fields where the header has 4", "quotation marks")


def test_a_line_with_too_few_fields_is_named(refused):
    refused(HEADER + "1,7,4,10\n2,7,4\n", "line 3: timestamp is missing")


def test_an_open_quotation_mark_is_named(refused):
    refused(HEADER + '1,7,4,10\n2,"tea,4,10\n3,7,4,10\n', "line 3: a quotation mark is never closed")


def test_a_file_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*gone.csv"):
        read_csv(tmp_path / "gone.csv")


def test_an_unknown_time_unit_is_refused(load):
    with pytest.raises(ValueError, match="time_unit must be one of s, ms, us, ns, not 'h'"):
        load(GOOD, time_unit="h")


# ---- duplicates


def test_of_repeated_events_the_latest_is_kept_and_the_rest_reported(load):
    text = HEADER + "1,7,4,10\n2,7,3,10\n1,7,1,30\n1,7,2,20\n"
    with pytest.warns(UserWarning, match=r"my.csv: 2 events are repeated later \(same .*first in line 2: the last"):
        data = load(text)
    assert rows(data) == [(1, 7, 1, 30), (2, 7, 3, 10)]


def test_of_events_repeated_in_the_same_second_the_lowest_line_is_kept(load):
    with pytest.warns(UserWarning, match="an event is repeated later"):
        assert rows(load(HEADER + "1,7,4,10\n1,7,2,10\n2,7,3,10\n"))[0] == (1, 7, 2, 10)


def test_the_warning_points_at_the_callers_line(load):
    with pytest.warns(UserWarning) as caught:
        load(HEADER + "1,7,4,10\n1,7,2,10\n2,7,3,10\n")
    assert Path(caught[0].filename).name == "test_events_csv.py"
