"""Leak detectors: each sees the leak that it is there for, and no other."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_course import data
from recsys_course.data import Interactions, Split, find_leaks

N_USERS, N_ITEMS = 5, 6
PAIRS = st.lists(st.tuples(st.integers(0, N_USERS - 1), st.integers(0, N_ITEMS - 1)), min_size=2, unique=True)


def events(*rows) -> Interactions:
    """Rows of user, item, rating, time."""
    columns = zip(*rows, strict=True) if rows else ([], [], [], [])
    return Interactions.from_events(*columns, N_USERS, N_ITEMS)


KNOWN = {"overlap", "user future", "global future", "known users", "known items"}


def alarms(name: str, train: Interactions, held_out: Interactions) -> set[str]:
    """Which detectors of all promises together speak; those of this split's promise must agree."""
    detectors = {detector for promise in data.PROMISES.values() for detector in promise}
    spoken = {leak.split(":")[0] for d in detectors if (leak := d(train, held_out))}
    promised = {d.__name__.replace("_", " ") for d in data.PROMISES[name]}
    assert {leak.split(":")[0] for leak in find_leaks(Split(name, train, held_out))} == spoken & promised
    assert spoken <= KNOWN
    return spoken & promised


CLEAN = {  # user 0 and item 0 learn; the held-out rating of user 1 is last of all
    "random": [(1, 1, 5, 9)],
    "last": [(1, 1, 5, 9)],
    "time": [(1, 1, 5, 9)],
    "cold-users": [(4, 0, 5, 9)],
    "cold-items": [(0, 5, 5, 9)],
}
TRAIN = [(0, 0, 5, 1), (0, 1, 5, 2), (1, 0, 5, 3)]
PLANTED = [
    ("random", (1, 1, 2, 9), "overlap"),  # the held-out pair itself
    ("last", (1, 1, 5, 9), "overlap"),
    ("last", (1, 2, 5, 10), "user future"),  # user 1, one second after the held-out rating
    ("time", (0, 2, 5, 9), "global future"),  # another user, in the very second of the first held-out rating
    ("cold-users", (4, 3, 5, 1), "known users"),  # user 4 is not cold any more
    ("cold-items", (3, 5, 5, 1), "known items"),  # nor is item 5
]


@pytest.mark.parametrize("name", CLEAN)
def test_a_clean_split_is_silent(name):
    assert alarms(name, events(*TRAIN), events(*CLEAN[name])) == set()


@pytest.mark.parametrize(("name", "leak", "detector"), PLANTED)
def test_a_planted_leak_is_seen_by_its_detector_and_by_no_other(name, leak, detector):
    assert alarms(name, events(*TRAIN, leak), events(*CLEAN[name])) == {detector}


def test_a_users_future_in_a_time_split_breaks_both_promises_about_time():
    assert alarms("time", events(*TRAIN, (1, 2, 5, 10)), events(*CLEAN["time"])) == {"user future", "global future"}


def test_ratings_of_the_same_second_are_no_future_of_the_user():
    assert alarms("last", events(*TRAIN, (1, 2, 5, 9)), events(*CLEAN["last"])) == set()


def test_another_users_future_is_none_of_the_last_splits_business():
    assert alarms("last", events(*TRAIN, (0, 2, 5, 99)), events(*CLEAN["last"])) == set()


def test_a_low_rating_leaks_as_well_as_a_high_one():
    assert alarms("last", events(*TRAIN, (1, 2, 1, 10)), events(*CLEAN["last"])) == {"user future"}
    assert alarms("last", events(*TRAIN, (1, 2, 5, 10)), events((1, 1, 1, 9))) == {"user future"}


def test_the_sentences_say_how_many_and_who():
    train = events(*TRAIN, (1, 1, 2, 9), (1, 2, 5, 10))
    overlap, future = find_leaks(Split("last", train, events(*CLEAN["last"])))
    assert overlap == "overlap: 1 user-item pairs are on both sides, the first is user 1, item 1"
    assert future == "user future: 1 training ratings are younger than a held-out one of user 1"


def test_a_rating_given_twice_can_land_on_both_sides_and_is_then_reported():
    ratings = events(*[(0, 0, 5, time) for time in range(4)])
    assert find_leaks(data.last_split(ratings, 2))[0].startswith("overlap: 2 user-item pairs")


def test_an_empty_side_leaks_nothing():
    for name in data.PROMISES:
        assert alarms(name, events(), events(*TRAIN)) == set()
        assert alarms(name, events(*TRAIN), events()) == set()


def test_a_split_without_a_promise_is_refused():
    with pytest.raises(ValueError, match="no promise is known for a split called 'mine': choose one of random, last"):
        find_leaks(Split("mine", events(), events()))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(PAIRS, st.integers(0, 10))
def test_any_held_out_rating_put_back_into_training_is_an_overlap(pairs, which):
    split = data.random_split(events(*((u, i, 5, 0) for u, i in pairs)), 0.5)
    held = list(zip(split.held_out.users.tolist(), split.held_out.items.tolist(), strict=True))
    user, item = held[which % len(held)]
    train = [(u, i, 5, 0) for u, i in pairs if (u, i) not in held]
    (leak,) = find_leaks(Split("random", events(*train, (user, item, 5, 0)), split.held_out))
    assert leak == f"overlap: 1 user-item pairs are on both sides, the first is user {user}, item {item}"
