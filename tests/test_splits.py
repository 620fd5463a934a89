"""Splits: what each one promises, on random tables and on the real ratings."""

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_course import data
from recsys_course.data import Interactions, Split, find_leaks

QUICK = settings(max_examples=60, deadline=None, derandomize=True)
N_USERS, N_ITEMS = 5, 6
PAIRS = st.tuples(st.integers(0, N_USERS - 1), st.integers(0, N_ITEMS - 1))
TABLES = st.dictionaries(PAIRS, st.tuples(st.sampled_from([2.0, 4.0]), st.integers(0, 4)), min_size=1)  # one of a pair
SEEDS = st.integers(0, 1000)
MAKERS = {
    "random": data.random_split,
    "last": lambda ratings: data.last_split(ratings, n=2),
    "time": lambda ratings: data.time_split(ratings, share=0.3),
    "cold-users": lambda ratings: data.cold_user_split(ratings, share=0.3),
    "cold-items": lambda ratings: data.cold_item_split(ratings, share=0.3),
}


def build(table) -> Interactions:
    rows = [(u, i, rating, time) for (u, i), (rating, time) in table.items()]
    return events(*rows)


def events(*rows) -> Interactions:
    """Rows of user, item, rating, time."""
    columns = zip(*rows, strict=True) if rows else ([], [], [], [])
    return Interactions.from_events(*columns, N_USERS, N_ITEMS)


def rows(table: Interactions) -> list[tuple]:
    columns = (table.users, table.items, table.ratings, table.times)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@pytest.fixture(scope="module")
def large() -> Interactions:
    """300 users with 1 to 40 ratings each, several in the same second."""
    generator = torch.Generator().manual_seed(0)
    counts = torch.randint(1, 41, (300,), generator=generator)
    users = torch.arange(300).repeat_interleave(counts)
    items = torch.cat([torch.randperm(80, generator=generator)[:n] for n in counts.tolist()])
    ratings = torch.randint(1, 6, (len(users),), generator=generator)
    times = torch.randint(0, 500, (len(users),), generator=generator) // 10 * 10
    return Interactions.from_events(users, items, ratings, times)


# --- every split


@pytest.mark.parametrize("name", MAKERS)
@QUICK
@given(TABLES)
def test_a_split_loses_nothing_overlaps_nowhere_and_has_no_leak(name, table):
    ratings = build(table)
    split = MAKERS[name](ratings)
    assert split.name == name
    assert sorted(rows(split.train) + rows(split.held_out)) == sorted(rows(ratings))
    assert not set(split.train.keys.tolist()) & set(split.held_out.keys.tolist())
    assert find_leaks(split) == []
    for part in (split.train, split.held_out, split.test):
        assert (part.n_users, part.n_items) == (N_USERS, N_ITEMS)


@pytest.mark.parametrize("name", ["random", "cold-users", "cold-items"])
def test_the_seed_decides_a_random_split_and_nothing_else_does(name, large):
    maker = {"random": data.random_split, "cold-users": data.cold_user_split, "cold-items": data.cold_item_split}[name]
    torch.manual_seed(1)
    first = maker(large, seed=3)
    torch.manual_seed(2)
    assert maker(large, seed=3).held_out.equals(first.held_out)
    assert not maker(large, seed=4).held_out.equals(first.held_out)


@pytest.mark.parametrize("name", ["random", "last", "time"])
def test_the_frozen_protocol_is_the_one_that_the_docstring_states(name, large):
    frozen = data.frozen_split(large, name, seed=7)
    stated = {
        "random": data.random_split(large, 0.2, seed=7),
        "last": data.last_split(large, 5),
        "time": data.time_split(large, 0.2),
    }[name]
    assert frozen.train.equals(stated.train) and frozen.held_out.equals(stated.held_out)
    assert find_leaks(frozen) == []


def test_test_holds_the_positives_of_what_was_held_out_and_repr_counts_the_judged():
    split = Split("last", events((0, 0, 5, 1), (1, 0, 5, 1)), events((0, 1, 4, 2), (0, 2, 3.5, 3), (1, 1, 1, 2)))
    assert rows(split.test) == [(0, 1, 4.0, 2)]
    said = "Split(last: 2 ratings to learn from, 3 held out, 1 of them positive, 1 of 5 users judged)"
    assert repr(split) == said


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan")])
def test_a_share_outside_0_to_1_is_refused(share, large):
    for maker in (data.random_split, data.time_split, data.cold_user_split, data.cold_item_split):
        with pytest.raises(ValueError, match="share must lie between 0 and 1"):
            maker(large, share)


def test_other_impossible_requests_are_refused(large):
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        data.last_split(large, 0)
    with pytest.raises(ValueError, match="no split is called 'temporal': choose one of random, last, time"):
        data.frozen_split(large, "temporal")
    with pytest.raises(ValueError, match="there is no rating to split by time"):
        data.time_split(events())


# --- each split's own promise


@pytest.mark.parametrize("share", [0.05, 0.2, 0.5])
def test_a_random_split_holds_out_exactly_its_share(share, large):
    assert len(data.random_split(large, share).held_out) == round(share * len(large))


@QUICK
@given(TABLES, st.integers(1, 4))
def test_a_last_split_holds_out_the_last_n_of_each_user_with_more_than_n(table, n):
    split = data.last_split(build(table), n)
    for user in range(N_USERS):
        mine = sorted((time, item) for (u, item), (_, time) in table.items() if u == user)  # ties by item number
        expected = mine[-n:] if len(mine) > n else []
        assert [(t, i) for u, i, _, t in rows(split.held_out) if u == user] == expected


@QUICK
@given(TABLES, st.integers(1, 4), SEEDS)
def test_a_tie_seed_changes_only_which_rating_of_the_same_second_is_held_out(table, n, seed):
    ratings = build(table)
    plain, shuffled = data.last_split(ratings, n), data.last_split(ratings, n, tie_seed=seed)
    user_times = lambda part: [(u, t) for u, _, _, t in rows(part)]  # noqa: E731
    assert user_times(shuffled.held_out) == user_times(plain.held_out)
    assert find_leaks(shuffled) == []
    moved = set(rows(plain.held_out)) ^ set(rows(shuffled.held_out))
    tied = Counter((u, t) for u, _, _, t in rows(ratings))
    assert all(tied[u, t] > 1 for u, _, _, t in moved)


def test_tie_seeds_reach_every_one_of_the_tied_ratings():
    ratings = events((0, 0, 5, 9), (0, 1, 5, 9), (0, 2, 5, 9), (0, 3, 5, 1))
    held = {data.last_split(ratings, 1, tie_seed=seed).held_out.items.item() for seed in range(30)}
    assert held == {0, 1, 2}
    assert data.last_split(ratings, 1).held_out.items.item() == 2
    assert data.last_split(ratings, 1, tie_seed=5).held_out.equals(data.last_split(ratings, 1, tie_seed=5).held_out)


@QUICK
@given(TABLES, st.floats(0.05, 0.95))
def test_a_time_split_straddles_no_second_and_holds_out_no_more_than_it_must(table, share):
    ratings = build(table)
    split = data.time_split(ratings, share)
    if len(split.train):
        assert split.train.times.max() < split.held_out.times.min()
    wanted = max(len(ratings) - round((1 - share) * len(ratings)), 1)
    in_first_second = int((split.held_out.times == split.held_out.times.min()).sum())
    assert len(split.held_out) >= wanted > len(split.held_out) - in_first_second  # and not one second more


def test_a_time_split_cuts_at_the_moment_that_a_reader_would_choose():
    ratings = events(*((0, item, 5, time) for item, time in enumerate([10, 20, 30, 40, 40, 50])))
    assert data.time_split(ratings, 0.2).held_out.times.tolist() == [50]
    assert data.time_split(ratings, 0.4).held_out.times.tolist() == [40, 40, 50]


@QUICK
@given(TABLES, SEEDS, st.sampled_from([0.2, 0.5, 0.9]))
def test_cold_users_and_items_are_really_absent_from_training(table, seed, share):
    ratings = build(table)
    users, items = data.cold_user_split(ratings, share, seed), data.cold_item_split(ratings, share, seed)
    assert not set(users.train.users.tolist()) & set(users.held_out.users.tolist())
    assert not set(items.train.items.tolist()) & set(items.held_out.items.tolist())


def test_a_cold_split_holds_out_its_share_of_users_or_items(large):
    assert len(data.cold_user_split(large, 0.1).held_out.users.unique()) == 30
    assert len(data.cold_item_split(large, 0.25).held_out.items.unique()) == 20


# --- k-core


def brute_force_k_core(table: dict, k: int) -> dict:
    while True:
        users, items = Counter(u for u, _ in table), Counter(i for _, i in table)
        kept = {(u, i): value for (u, i), value in table.items() if users[u] >= k and items[i] >= k}
        if kept == table:
            return table
        table = kept


@QUICK
@given(TABLES, st.integers(1, 4))
def test_k_core_is_the_fixpoint_of_dropping_the_rare(table, k):
    assert data.k_core(build(table), k).equals(build(brute_force_k_core(table, k)))


def test_k_core_goes_on_when_a_dropped_user_makes_an_item_rare():
    chain = events((0, 0, 5, 0), (0, 1, 5, 0), (1, 1, 5, 0), (1, 2, 5, 0), (2, 2, 5, 0))  # 2 falls, then item 2, ...
    assert len(data.k_core(chain, 2)) == 0


# --- what the lessons say about MovieLens 100K


@pytest.fixture(scope="module")
def films() -> Interactions:
    return data.movielens("100k").ratings


def test_movielens_is_6_30_percent_dense(films):
    assert (len(films), films.n_users, films.n_items) == (100_000, 943, 1682)
    assert "6.30% dense" in repr(films) and len(films.keys.unique()) == 100_000


def test_44_percent_of_users_have_several_ratings_in_their_last_second(films):
    last_second = films.times[films.ptr[1:] - 1]  # [n_users]
    in_it = torch.bincount(films.users[films.times == last_second[films.users]])
    assert int((in_it > 1).sum()) == 415 and round(415 / 943, 2) == 0.44


def test_76_percent_of_ratings_share_user_and_second_with_another(films):
    _, counts = torch.stack([films.users, films.times]).unique(dim=1, return_counts=True)
    assert counts[counts > 1].sum() / 100_000 == pytest.approx(0.758, abs=0.0005)


@pytest.mark.parametrize(
    ("name", "n_held_out", "n_positive", "n_judged", "n_left_out"),
    [("random", 20_000, 11_005, 920, 23), ("last", 4_715, 2_497, 812, 131), ("time", 20_001, 11_303, 290, 653)],
)
def test_each_frozen_split_has_the_size_that_the_lessons_state_and_no_leak(
    name, n_held_out, n_positive, n_judged, n_left_out, films
):
    split = data.frozen_split(films, name)
    assert (len(split.held_out), len(split.test)) == (n_held_out, n_positive)
    judged = len(split.test.users.unique())
    assert (judged, films.n_users - judged) == (n_judged, n_left_out)
    assert find_leaks(split) == []


def test_most_users_of_the_time_split_have_liked_nothing_in_training(films):
    split = data.frozen_split(films, "time")
    likes = split.train.positives().ptr.diff()[split.test.users.unique()]
    assert (len(likes), int((likes == 0).sum()), int((likes < 5).sum())) == (290, 193, 194)


def test_the_tie_rule_decides_a_tenth_of_what_the_last_split_holds_out(films):
    plain, shuffled = data.last_split(films), data.last_split(films, tie_seed=0)
    assert 1 - torch.isin(shuffled.held_out.keys, plain.held_out.keys).float().mean() == pytest.approx(0.10, abs=0.01)
