"""Profiles: interests that fade, tiers without a cliff, and whole places by share."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import tensor

from recsys_course.profiles import (
    DAY,
    Signals,
    centres,
    deal,
    decay,
    exploration,
    group,
    places,
    quantile_tiers,
    signals,
    tiers,
)

# Interest 0 was shown on two days, interest 1 once, today.
LABELS = tensor([0, 0, 1])
TIMES = tensor([0, 10, 20]) * DAY
TODAY = 20 * DAY


def memberships(labels, times, now, **options):
    return tiers(signals(labels, times, now, **options))


def test_a_like_is_worth_half_after_each_half_life():
    assert decay(tensor([0.0, 10.0, 20.0, 30.0]), half_life=10).tolist() == [1, 0.5, 0.25, 0.125]


def test_a_like_from_the_future_and_a_half_life_of_nothing_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match="leave out what happened after"):
        decay(tensor([3.0, -1.0]), half_life=10)
    for nothing in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="half_life must be above 0"):
            decay(tensor([1.0]), half_life=nothing)


def test_likes_that_point_the_same_way_are_one_interest_whatever_their_length():
    vectors = tensor([[1.0, 0], [5, 0.1], [0, 1], [0.1, 7]])
    labels = group(vectors, spread=1.0)
    assert labels[0] == labels[1] and labels[2] == labels[3] and labels[0] != labels[2]


def test_the_number_of_interests_follows_how_far_apart_the_likes_are():
    near, three = tensor([[1.0, 0, 0], [1, 0.1, 0], [1, 0, 0.1]]), torch.eye(3)
    assert group(near, spread=1.0).unique().tolist() == [0]
    assert group(three, spread=1.0).unique().tolist() == [0, 1, 2]
    uneven = tensor([[1.0, 0], [1, 0.1], [-1, 0.3]])
    assert [len(group(uneven, n).unique()) for n in (1, 2, 3, 9)] == [1, 2, 3, 3]


def test_one_like_is_one_interest_and_no_like_is_none():
    assert group(torch.ones(1, 2)).tolist() == [0]
    assert group(torch.ones(0, 2)).tolist() == []
    with pytest.raises(ValueError, match="n_interests must be at least 1, got 0"):
        group(torch.ones(3, 2), n_interests=0)


@settings(deadline=None, max_examples=50)
@given(st.permutations(range(6)))
def test_the_order_of_the_likes_does_not_change_who_belongs_together(order):
    vectors = tensor([[1.0, 0], [1, 0.2], [1, 0.5], [0, 1], [0.3, 1], [-1, 0.1]])
    together = lambda labels: labels.unsqueeze(1) == labels  # noqa: E731
    plain = together(group(vectors, 3))
    assert torch.equal(together(group(vectors[list(order)], 3)), plain[list(order)][:, list(order)])


def test_centres_are_the_weighted_means_and_shares_of_the_weight():
    vectors, weights = tensor([[0.0, 2], [4, 2], [1, 1]]), tensor([3.0, 1.0, 4.0])
    means, shares = centres(vectors, LABELS, weights)
    assert means.tolist() == [[1, 2], [1, 1]] and shares.tolist() == [0.5, 0.5]
    means, shares = centres(vectors, torch.zeros(3, dtype=torch.int64))
    torch.testing.assert_close(means, vectors.mean(0, keepdim=True))
    assert shares.tolist() == [1]


def test_signals_by_hand():
    found = signals(LABELS, TIMES, TODAY, half_life=10, recent=5)
    torch.testing.assert_close(found.activity, tensor([0.25 + 0.5, 1.0]))
    torch.testing.assert_close(found.stability, tensor([1 - (1 / 9 + 4 / 9), 0.0]))  # days weigh 1/3 and 2/3
    torch.testing.assert_close(found.recency, tensor([(1 / 16 + 1 / 4) / 0.75, 1.0]))


def test_tiers_by_hand():
    found = tiers(Signals(tensor([3.0, 3.0, 1.0]), tensor([0.5, 0.0, 0.0]), tensor([0.2, 1.0, 0.0])), evidence=3.0)
    expected = [[0.25, 0.05, 0.7], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]]
    torch.testing.assert_close(found, tensor(expected))


def test_an_old_habit_is_core_a_new_burst_emerging_and_a_burst_long_over_exploratory():
    habit, burst = torch.arange(0, 100, 5) * DAY, torch.full((20,), 99 * DAY)
    labels = torch.arange(2).repeat_interleave(20)
    at = lambda day: memberships(labels, torch.cat([habit, burst]), day * DAY).argmax(dim=1).tolist()  # noqa: E731
    assert at(99) == [0, 1]
    assert at(160) == [0, 2]
    assert at(1000) == [2, 2]


EVENTS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 400)), min_size=1, max_size=30)


@settings(deadline=None, max_examples=50)
@given(EVENTS, st.integers(0, 1000))
def test_memberships_are_shares_and_change_by_less_than_a_twentieth_in_six_hours_of_waiting(events, later):
    labels, days = tensor(events).T
    labels = labels.unique(return_inverse=True)[1]
    now = (400 + later) * DAY
    before, after = (memberships(labels, days * DAY, moment) for moment in (now, now + DAY // 4))
    torch.testing.assert_close(before.sum(dim=1), torch.ones(len(before)))
    assert before.min() >= -1e-6
    assert (after - before).abs().max() < 0.05


def test_all_is_forgotten_in_the_end_without_a_nan():
    found = memberships(LABELS, TIMES, 10**6 * DAY)
    torch.testing.assert_close(found, tensor([[0.0, 0, 1], [0, 0, 1]]))


def test_a_sum_that_fades_needs_no_history():
    """Fade the old sum and add the new like: the same as the weighted sum over all events."""
    likes, days, total, last = torch.randn(5, 3, generator=torch.Generator().manual_seed(3)), [0, 4, 4, 9, 30], 0, 0
    for like, day in zip(likes, days, strict=True):
        total, last = total * decay(tensor(day - last), 10) + like, day
    torch.testing.assert_close(total, decay(30 - tensor(days), 10) @ likes)


def test_exploration_mixes_the_rates_of_the_tiers():
    found = exploration(tensor([[1.0, 0, 0], [0.5, 0, 0.5]]), rates=(0.1, 0.2, 0.5))
    torch.testing.assert_close(found, tensor([0.1, 0.3]))


def test_places_by_hand():
    assert places(tensor([0.5, 0.3, 0.2]), 10).tolist() == [5, 3, 2]
    assert places(tensor([0.9, 0.05, 0.05]), 10, offset=0.0).tolist() == [9, 0, 1]
    assert places(tensor([0.9, 0.05, 0.05]), 10, offset=0.5).tolist() == [9, 1, 0]
    assert places(tensor([1.0]), 3).tolist() == [3]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.integers(1, 30), st.floats(0, 0.999))
def test_places_add_up_and_nobody_is_a_whole_place_away_from_its_share(parts, k, offset):
    shares = tensor(parts, dtype=torch.float64) / sum(parts)
    found = places(shares, k, offset)
    assert found.sum() == k and found.min() >= 0
    assert ((found - k * shares).abs() < 1 + 1e-6).all()


def test_on_average_over_offsets_places_are_the_exact_shares():
    shares = tensor([0.62, 0.33, 0.05])
    mean = torch.stack([places(shares, 7, offset / 1000) for offset in range(1000)]).double().mean(0)
    torch.testing.assert_close(mean, 7 * shares.double(), atol=0.005, rtol=0)


def test_lists_are_mixed_evenly_by_share_and_no_item_comes_twice():
    queues = [[1, 2, 3, 4, 5], [2, 9, 8, 7], [6]]
    assert deal(queues, tensor([0.75, 0.25, 0.0]), 4) == [1, 2, 9, 3]
    assert deal(queues, tensor([0.0, 1.0, 0.0]), 2) == [2, 9]
    with pytest.raises(ValueError, match="queue 2 has no item left: give each at least k = 2"):
        deal(queues, tensor([0.0, 0.0, 1.0]), 2)


def test_quantile_tiers_by_hand():
    assert quantile_tiers(tensor([10.0, 40, 20, 30]), (0.25, 0.5, 0.75)).tolist() == [0, 3, 1, 2]
    assert quantile_tiers(tensor([1.0, 1, 1, 5]), (0.5,)).tolist() == [0, 0, 0, 1]
    assert quantile_tiers(tensor([7.0]), (0.5,)).tolist() == [0]
    assert quantile_tiers(tensor([]), (0.5,)).tolist() == []


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(-5, 5), min_size=1, max_size=40))
def test_quantile_tiers_ignore_order_and_unit_and_keep_equal_values_together(values):
    values = tensor(values, dtype=torch.float32)
    found = quantile_tiers(values, (0.25, 0.5, 0.75))
    assert torch.equal(quantile_tiers(values.flip(0), (0.25, 0.5, 0.75)), found.flip(0))
    assert torch.equal(quantile_tiers(values.exp(), (0.25, 0.5, 0.75)), found)
    assert all(found[values == value].unique().numel() == 1 for value in values)
    assert [float((values < v).double().mean() >= 0.5) for v in values] == (found >= 2).float().tolist()


def test_values_without_a_rank_and_cuts_that_do_not_ascend_are_refused():
    with pytest.raises(ValueError, match="NaN and has no rank"):
        quantile_tiers(tensor([1.0, torch.nan]), (0.5,))
    for cuts in ((0.5, 0.25), (0.0,), (1.0,)):
        with pytest.raises(ValueError, match="cuts must ascend between 0 and 1"):
            quantile_tiers(tensor([1.0]), cuts)
