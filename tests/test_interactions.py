"""Interactions: what construction refuses, and every view against brute force."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import tensor

from recsys_course.data import Interactions

QUICK = settings(max_examples=60, deadline=None, derandomize=True)
N_USERS, N_ITEMS = 5, 4
EVENT = st.tuples(
    st.integers(0, N_USERS - 1), st.integers(0, N_ITEMS - 1), st.sampled_from([1.0, 3.5, 4.0, 5.0]), st.integers(0, 3)
)
EVENTS = st.lists(EVENT, max_size=25)


def build(events) -> Interactions:
    users, items, ratings, times = zip(*events, strict=True) if events else ([], [], [], [])
    return Interactions.from_events(users, items, ratings, times, N_USERS, N_ITEMS)


def valid_columns() -> dict:
    """User 0 rates item 1 then item 0; user 2 rates item 1. User 1 does nothing."""
    columns = {"users": tensor([0, 0, 2]), "items": tensor([1, 0, 1]), "times": tensor([5, 6, 2])}
    return columns | {"ratings": tensor([4.0, 1.0, 5.0]), "n_users": 3, "n_items": 2}


def small() -> Interactions:
    return Interactions(**valid_columns())


# --- construction


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        ({"users": tensor([0, 0, 2], dtype=torch.int32)}, r"users must be a torch.int64 tensor of shape \[3\]"),
        ({"users": [0, 0, 2]}, "users must be a torch.int64 tensor"),
        ({"items": tensor([1.0, 0.0, 1.0])}, "items must be a torch.int64 tensor"),
        ({"ratings": tensor([4, 1, 5])}, "ratings must be a torch.float32 tensor"),
        ({"ratings": tensor([4.0, 1.0, 5.0], dtype=torch.float64)}, "ratings must be a torch.float32 tensor"),
        ({"times": tensor([5.0, 6.0, 2.0])}, "times must be a torch.int64 tensor"),
        ({"items": tensor([1, 0])}, r"items must be a torch.int64 tensor of shape \[3\]"),
        ({"ratings": torch.ones(4)}, r"ratings must be a torch.float32 tensor of shape \[3\]"),
        ({"times": tensor([[5, 6, 2]])}, r"times must be a torch.int64 tensor of shape \[3\]"),
        ({"n_users": 2}, "users must lie in 0 to 1; found 0 to 2"),
        ({"users": tensor([-1, 0, 2])}, "users must lie in 0 to 2; found -1 to 2"),
        ({"n_items": 1}, "items must lie in 0 to 0; found 0 to 1"),
        ({"items": tensor([1, 0, -2])}, "items must lie in 0 to 1; found -2 to 1"),
        ({"ratings": tensor([4.0, float("nan"), 5.0])}, "rating of event 1 is not a finite number"),
        ({"ratings": tensor([4.0, 1.0, float("inf")])}, "rating of event 2 is not a finite number"),
        ({"times": tensor([-5, 6, 2])}, r"time of event 0 is negative \(-5\)"),
        ({"users": tensor([0, 2, 0])}, "sorted by user, time and item: build with Interactions.from_events"),
        ({"times": tensor([6, 5, 2])}, "sorted by user, time and item"),
        ({"times": tensor([5, 5, 2])}, "sorted by user, time and item"),
    ],
)
def test_each_broken_invariant_is_refused_with_its_own_sentence(broken, sentence):
    small()
    with pytest.raises(ValueError, match=sentence):
        Interactions(**valid_columns() | broken)


def test_the_same_user_time_and_item_may_occur_twice():
    assert len(Interactions(tensor([0, 0]), tensor([1, 1]), torch.ones(2), tensor([3, 3]), 1, 2)) == 2


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (([0, 1], [0, 1, 2]), "columns differ in length: users 2, items 3, ratings 2, times 2"),
        (([0, 1], [0, 1], [5.0]), "ratings 1"),
        (([0, 1], [0, 1], None, [1]), "times 1"),
        (([0.5, 1], [0, 1]), "users must be one column of whole numbers"),
        ((["Alice", "Bob"], [0, 1]), "users must be one column of whole numbers"),
        (([0, 1], [0, float("nan")]), "items must be one column of whole numbers"),
        (([0, 1], [0, float("inf")]), "items must be"),
        (([0, 1], [0, 1], None, [1.5, 2]), "times must be one column of whole numbers"),
        (([[0], [1]], [0, 1]), "users must be one column"),
    ],
)
def test_from_events_refuses_what_it_would_have_to_guess(columns, sentence):
    with pytest.raises(ValueError, match=sentence):
        Interactions.from_events(*columns)


def test_from_events_sorts_by_user_then_time_then_item():
    events = Interactions.from_events([1, 0, 0, 0], [0, 2, 1, 0], [1, 2, 3, 4], [9, 7, 7, 8])
    assert events.users.tolist() == [0, 0, 0, 1]
    assert events.items.tolist() == [1, 2, 0, 0]
    assert events.ratings.tolist() == [3, 2, 4, 1]
    assert events.times.tolist() == [7, 7, 8, 9]


@QUICK
@given(EVENTS, st.randoms(use_true_random=False))
def test_from_events_does_not_depend_on_the_order_given(events, random):
    shuffled = random.sample(events, len(events))
    assert build(events).equals(build(shuffled))


def test_from_events_fills_in_what_is_missing():
    events = Interactions.from_events([1, 1, 0], [3, 0, 2])
    assert (events.n_users, events.n_items) == (2, 4)
    assert events.ratings.tolist() == [5, 5, 5]
    assert events.items.tolist() == [2, 3, 0] and events.times.tolist() == [2, 0, 1]
    empty = Interactions.from_events([], [])
    assert (len(empty), empty.n_users, empty.n_items) == (0, 0, 0)


def test_from_events_takes_frames_arrays_lists_and_whole_floats_and_copies_them():
    frame = pd.DataFrame({"user": [0, 1], "item": [1, 0], "rating": [4, 5], "time": [3, 4]})
    read_only = [frame[column].to_numpy() for column in frame]
    array = np.array([0, 1])
    from_array = Interactions.from_events(array, array[::-1], np.float64([4, 5]), [3.0, 4.0])
    array[:] = 7
    for events in (
        from_array,
        Interactions.from_events(*read_only),
        Interactions.from_events(*frame.to_dict("list").values()),
    ):
        assert events.users.tolist() == [0, 1] and events.items.tolist() == [1, 0]
        assert events.ratings.tolist() == [4, 5] and events.times.tolist() == [3, 4]


# --- views against brute force


@QUICK
@given(EVENTS)
def test_ptr_gives_the_slice_of_each_user(events):
    table = build(events)
    assert len(table.ptr) == N_USERS + 1
    for user in range(N_USERS):
        mine = table.users[table.ptr[user] : table.ptr[user + 1]].tolist()
        assert mine == [user] * sum(u == user for u, *_ in events)


@QUICK
@given(EVENTS, st.lists(st.integers(0, N_USERS - 1), max_size=7))
def test_rows_lists_the_events_of_a_batch_even_with_repeated_users(events, batch):
    table = build(events)
    place, row = table.rows(tensor(batch, dtype=torch.int64))
    expected = [(p, r) for p, user in enumerate(batch) for r in range(len(table)) if table.users[r] == user]
    assert list(zip(place.tolist(), row.tolist(), strict=True)) == expected


@QUICK
@given(EVENTS)
def test_dense_matrix_keys_and_item_counts_equal_brute_force(events):
    table = build(events)
    pairs = {(u, i) for u, i, *_ in events}
    expected = [[(u, i) in pairs for i in range(N_ITEMS)] for u in range(N_USERS)]
    assert table.dense(torch.arange(N_USERS)).tolist() == expected
    matrix = table.matrix()
    assert matrix.toarray().tolist() == expected and matrix.dtype == np.float32 and matrix.format == "csr"
    assert matrix.nnz == len(pairs)
    assert table.keys.tolist() == sorted(u * N_ITEMS + i for u, i, *_ in events)
    assert table.item_counts().tolist() == [sum(i == item for _, i, *_ in events) for item in range(N_ITEMS)]


@QUICK
@given(EVENTS)
def test_positives_are_the_events_rated_four_or_more(events):
    table = build(events)
    assert table.positives().equals(build([e for e in events if e[2] >= 4]))
    assert table.positives(3.5).equals(build([e for e in events if e[2] >= 3.5]))
    assert (table.positives().n_users, table.positives().n_items) == (N_USERS, N_ITEMS)


def test_selecting_every_event_copies_nothing():
    events = small()
    assert events.select(torch.ones(3, dtype=torch.bool)) is events


def test_select_keeps_the_marked_events_and_the_numbers_of_users_and_items():
    kept = small().select(tensor([True, False, True]))
    assert kept.users.tolist() == [0, 2] and kept.items.tolist() == [1, 1] and kept.times.tolist() == [5, 2]
    assert (kept.n_users, kept.n_items) == (3, 2)


@pytest.mark.parametrize(
    "change",
    [
        {"items": tensor([0, 1, 1])},
        {"ratings": tensor([4.0, 1.0, 4.0])},
        {"times": tensor([5, 7, 2])},
        {"users": tensor([0, 0, 1])},
        {"n_users": 4},
        {"n_items": 3},
    ],
)
def test_equals_sees_a_change_of_every_column_and_size(change):
    assert small().equals(small())
    assert not small().equals(Interactions(**valid_columns() | change))


def test_equals_sees_a_missing_event():
    assert not small().equals(small().select(tensor([True, True, False])))


def test_repr_says_how_many_how_dense_and_which_ratings():
    assert repr(small()) == "Interactions(3 events, 3 users, 2 items, 50.00% dense, ratings 1 to 5)"
    assert repr(Interactions.from_events([], [])) == "Interactions(0 events, 0 users, 0 items, 0.00% dense)"


def test_columns_cannot_be_replaced():
    with pytest.raises(AttributeError):
        small().users = tensor([0, 1, 2])


def test_memory_grows_with_the_batch_and_the_events_and_never_with_users_times_items():
    n_users, n_items = 2_000_000, 5_000_000  # a table of all pairs would take 10 terabytes
    events = Interactions.from_events([0, 1_999_999], [4_999_999, 3], n_users=n_users, n_items=n_items)
    seen = events.dense(tensor([1_999_999, 5]))
    assert seen.shape == (2, n_items) and seen.nonzero().tolist() == [[0, 3]]
    matrix = events.matrix()
    assert matrix.shape == (n_users, n_items)
    assert matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes < 10 * n_users
    assert events.keys.tolist() == [4_999_999, 1_999_999 * n_items + 3]


def test_the_matrix_of_some_users_is_those_rows_of_the_whole_in_their_order():
    events = Interactions.from_events([0, 0, 2, 2, 2], [1, 3, 0, 1, 1], n_users=4, n_items=5)
    users = torch.tensor([2, 3, 0, 2])
    assert (events.matrix(users).toarray() == events.matrix().toarray()[users.numpy()]).all()
    assert events.matrix(users[:0]).shape == (0, 5)
