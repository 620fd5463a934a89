"""Histories: oldest first, filled up in front, no target in the input; and orders that were shuffled."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import tensor

from recsys_course.data import Interactions
from recsys_course.data.sequences import histories, shuffle_order

FILLER = 9  # there are 9 items, 0 to 8


def liked() -> Interactions:
    """User 0 takes 7, 3, 5 and 1 in this order; user 1 takes 4; user 2 nothing."""
    return Interactions.from_events([0, 1, 0, 0, 0], [3, 4, 7, 1, 5], None, [20, 5, 10, 40, 30], 3, 9)


logs = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 4)), max_size=25, unique_by=lambda e: e[:2]
)


def events(rows: list[tuple[int, int, int]]) -> Interactions:
    users, items, times = zip(*rows, strict=True) if rows else ((), (), ())
    return Interactions.from_events(users, items, None, times, 4, 6)


def test_the_newest_items_stand_last_and_filler_stands_in_front():
    expected = [[3, 5, 1], [FILLER, FILLER, 4], [FILLER, FILLER, FILLER]]
    assert histories(liked(), tensor([0, 1, 2]), 3).tolist() == expected


def test_users_may_come_in_any_order_and_more_than_once():
    assert histories(liked(), tensor([1, 0, 1]), 2).tolist() == [[FILLER, 4], [5, 1], [FILLER, 4]]
    empty = histories(liked(), tensor([], dtype=torch.int64), 2)
    assert empty.shape == (0, 2) and empty.dtype == torch.int64


def test_the_newest_events_can_be_skipped():
    assert histories(liked(), tensor([0, 0, 0, 1]), 2, skip=tensor([0, 1, 3, 1])).tolist() == [
        [5, 1],
        [3, 5],
        [FILLER, 7],
        [FILLER, FILLER],
    ]


def test_events_of_one_second_stand_by_item_number():
    tied = Interactions.from_events([0, 0, 0], [2, 0, 1], None, [7, 7, 3])
    assert histories(tied, tensor([0]), 3).tolist() == [[1, 0, 2]]


def test_a_length_of_nothing_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="length must be at least 1, got 0"):
        histories(liked(), tensor([0]), 0)


@given(logs, st.integers(1, 8))
def test_every_row_is_the_end_of_that_users_events(rows, length):
    log = events(rows)
    found = histories(log, torch.arange(4), length)
    for user, row in enumerate(found.tolist()):
        mine = log.items[log.users == user].tolist()
        assert row == [6] * max(length - len(mine), 0) + mine[-length:]


@given(logs, st.integers(1, 8))
def test_no_target_stands_in_its_own_input(rows, length):
    """One window gives what is read and what is guessed: at each place, the past alone has been read."""
    window = histories(events(rows), torch.arange(4), length + 1)
    read, target = window[:, :-1], window[:, 1:]
    for place in range(length):
        real = target[:, place] != 6
        assert (read[real, : place + 1] != target[real, place].unsqueeze(1)).all()


@given(logs, st.booleans(), st.integers(0, 5))
def test_a_shuffled_order_holds_the_same_events(rows, ties_only, seed):
    log = events(rows)
    other = shuffle_order(log, seed, ties_only)
    assert torch.equal(log.keys, other.keys) and (log.n_users, log.n_items) == (other.n_users, other.n_items)
    assert other.equals(shuffle_order(log, seed, ties_only))
    for user in range(4):
        assert other.times[other.users == user].tolist() == list(range(int((log.users == user).sum())))


@given(logs, st.integers(0, 5))
def test_shuffled_ties_leave_every_other_order_as_it_was(rows, seed):
    log, moment = events(rows), {row[:2]: row[2] for row in rows}
    other = shuffle_order(log, seed, ties_only=True)
    times = [moment[pair] for pair in zip(other.users.tolist(), other.items.tolist(), strict=True)]
    for user in range(4):
        mine = [time for time, who in zip(times, other.users.tolist(), strict=True) if who == user]
        assert mine == sorted(mine)


def test_ratings_move_with_their_items():
    log = Interactions.from_events([0] * 5, [0, 1, 2, 3, 4], [1, 2, 3, 4, 5])
    other = shuffle_order(log, seed=3)
    assert torch.equal(other.ratings, other.items + 1.0) and not torch.equal(other.items, log.items)


def test_every_order_of_ties_occurs():
    tied = Interactions.from_events([0, 0, 0, 0], [0, 1, 2, 3], None, [5, 5, 5, 9])
    orders = {tuple(shuffle_order(tied, seed, ties_only=True).items.tolist()) for seed in range(60)}
    assert len(orders) == 6 and {order[3] for order in orders} == {3}
    assert len({tuple(shuffle_order(tied, seed).items.tolist()) for seed in range(200)}) == 24
