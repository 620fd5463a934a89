"""The feed: what is logged follows the truth that stands beside it, and nothing logged knows the future."""

from dataclasses import replace

import pytest
import torch
from torch import tensor

from recsys_course.metrics import auc, gauc
from recsys_course.ranking import arrived, examination
from recsys_course.simulate import Feed, Impressions

GENRES = torch.eye(6, dtype=torch.bool).repeat(10, 1)  # 60 films, one genre each
FEED = Feed(GENRES, n_users=300)
LOG = FEED.log(30)
N_POSITIONS = 8


def surprise(happened, chance) -> float:
    """Distance of a sum of coin tosses from its expectation, in standard deviations."""
    chance = chance.double()
    return abs(float((happened.double() - chance).sum() / (chance * (1 - chance)).sum().sqrt()))


def test_a_log_has_a_row_for_each_user_day_and_position_in_the_order_of_time():
    assert isinstance(LOG, Impressions) and len(LOG) == 300 * 30 * N_POSITIONS
    assert (LOG.times.diff() >= 0).all() and LOG.times.unique().tolist() == list(range(30))
    assert LOG.positions[:10].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 0, 1]
    assert LOG.sizes == (300, 60, 6, 4) and (LOG.fields.amax(0) < tensor(LOG.sizes)).all()
    lists = LOG.items.view(-1, N_POSITIONS)
    assert all(len(films.unique()) == N_POSITIONS for films in lists[:500]), "a film stands twice in a list"


def test_world_and_log_are_decided_by_their_seeds_and_by_nothing_else():
    torch.manual_seed(7)
    same, other = Feed(GENRES, n_users=300).log(3), Feed(GENRES, n_users=300).log(3, seed=1)
    first = LOG[: len(same)]
    assert torch.equal(same.fields, first.fields) and torch.equal(same.clicks, first.clicks)
    assert torch.equal(same.delays, first.delays)
    assert not torch.equal(other.clicks, same.clicks)
    assert not torch.equal(Feed(GENRES, n_users=300, seed=1).draw, FEED.draw)


def test_clicks_happen_as_often_as_look_times_appeal_says_at_every_position():
    for place in range(N_POSITIONS):
        rows = LOG[LOG.positions == place]
        assert surprise(rows.clicks, rows.appeal * rows.examined) < 4
    assert surprise(LOG.liked, LOG.appeal) < 4
    assert (LOG.clicks <= LOG.liked).all(), "a click without liking"


def test_the_look_depends_on_the_position_alone():
    assert FEED.examination[0] == 1 and FEED.examination[1] == pytest.approx(2**-0.8)
    assert torch.equal(LOG.examined, FEED.examination[LOG.positions])


def test_purchases_follow_clicks_at_their_true_rate_and_arrive_four_days_later_on_average():
    clicked = LOG[LOG.clicks > 0]
    assert surprise(clicked.conversions, clicked.worth) < 4
    assert not LOG.conversions[LOG.clicks == 0].any()
    assert torch.equal(LOG.delays.isfinite(), LOG.conversions > 0)
    delays = LOG.delays[LOG.conversions > 0]
    assert abs(float(delays.mean()) - 4) < 4 * 4 / len(delays) ** 0.5


def test_a_fifth_of_the_lists_is_in_random_order_and_the_rest_is_led_by_promoted_films():
    random = LOG.shuffled.view(-1, N_POSITIONS)
    assert (random == random[:, :1]).all() and abs(float(random.float().mean()) - 0.2) < 0.02
    top, bottom = ((LOG.positions == place) for place in (0, N_POSITIONS - 1))
    lead = [
        float(FEED.promoted[LOG.items[rows & top]].mean() - FEED.promoted[LOG.items[rows & bottom]].mean())
        for rows in (~LOG.shuffled, LOG.shuffled)
    ]
    assert lead[0] > 1 and abs(lead[1]) < 0.1


def test_histories_hold_the_last_clicks_oldest_first_with_filler_in_front():
    one = LOG[LOG.users == 5]
    clicked: list[int] = []
    for day in range(30):
        today = one[one.times == day]
        expected = ([60] * 10 + clicked)[-10:]
        assert today.history.tolist() == [expected] * N_POSITIONS, f"day {day} sees its own clicks or forgets some"
        clicked += today.items[today.clicks > 0].tolist()


def test_logged_click_rates_count_what_happened_until_yesterday():
    """The film's rate: its clicks and 10 times the mean, over its impressions and 10."""
    day = LOG[LOG.times == 12]
    past = LOG[LOG.times < 12]
    mean = (past.clicks.sum() + 1) / (len(past) + 10)
    for row in (0, 100, 2000):
        own = past.items == day.items[row]
        film = (past.clicks[own].sum() + 10 * mean) / (own.sum() + 10)
        pair = (past.users == day.users[row]) & (past.fields[:, 2] == day.fields[row, 2])
        genre = (past.clicks[pair].sum() + 10 * mean) / (pair.sum() + 10)
        assert day.numbers[row, 0] == pytest.approx(float(film), rel=1e-4)
        assert day.numbers[row, 2] == pytest.approx(float(genre), rel=1e-4)


def test_in_a_world_of_noise_nothing_that_was_logged_orders_anything():
    noise = Feed(GENRES, n_users=300, interest=0.0, spread=0.0).log(30)
    assert noise.appeal.min() == noise.appeal.max()
    for number in noise.numbers.T[[0, 2, 3]]:
        assert abs(auc(number, noise.liked > 0) - 0.5) < 0.02


def test_the_truth_orders_better_than_any_logged_number():
    best = gauc(LOG.users, LOG.appeal, LOG.liked > 0).value
    assert best > 0.7
    assert all(gauc(LOG.users, number, LOG.liked > 0).value < best - 0.05 for number in LOG.numbers.T)


def test_rows_are_taken_by_slice_mask_or_number_and_keep_the_sizes():
    few = LOG[LOG.times == 3]
    assert len(few) == 300 * N_POSITIONS and few.sizes == LOG.sizes
    assert torch.equal(LOG[tensor([7, 2])].items, LOG.items[tensor([7, 2])])
    assert len(LOG[10:13]) == 3
    assert LOG[10:13].at_top().positions.tolist() == [0, 0, 0] and LOG[10:13].positions.tolist() == [2, 3, 4]


def test_a_feed_without_enough_films_says_so():
    with pytest.raises(ValueError, match="5 films cannot fill lists of 8: give more films"):
        Feed(GENRES[:5]).log(1)


# --- what a log hides


def test_examination_is_read_off_the_lists_in_random_order():
    long = FEED.log(120, seed=3)
    assert (examination(long) - FEED.examination).abs().max() < 0.06
    every = torch.bincount(long.positions, long.clicks)
    assert ((every / every[0])[1:] < FEED.examination[1:] - 0.02).sum() >= 5, "all lists would do as well"


def test_examination_by_hand_reads_no_list_but_the_random_ones():
    """A random list clicked at the top and below it, and an ordered one clicked at the top and at the bottom."""
    rows, first = LOG[: 2 * N_POSITIONS], torch.arange(16) < 8
    clicks = tensor([1.0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1])
    assert examination(replace(rows, shuffled=first, clicks=clicks)).tolist() == [1, 1, 0, 0, 0, 0, 0, 0]
    with pytest.raises(ValueError, match="there are none"):
        examination(replace(rows, shuffled=torch.zeros(16).bool()))


def test_a_purchase_has_arrived_once_its_delay_is_over():
    rows = LOG[:4]
    late = replace(
        rows,
        conversions=tensor([1.0, 1, 0, 1]),
        times=tensor([3, 3, 3, 9]),
        delays=tensor([2.0, 2.5, torch.inf, 0.5]),
    )
    assert arrived(late, today=5).tolist() == [1, 0, 0, 0]
    assert arrived(late, today=9.5).tolist() == [1, 1, 0, 1]
