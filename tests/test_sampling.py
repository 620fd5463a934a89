"""Negatives: never a positive of that user, and distributed as promised."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import tensor

from contract import N_ITEMS, N_USERS, uneven
from recsys_course.data import Interactions
from recsys_course.sampling import AliasTable, Negatives, popularity_negatives, uniform_negatives

LIKES = Interactions.from_events([0, 0, 1, 1, 1], [1, 3, 0, 2, 4], n_users=3, n_items=5)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def shares(items: torch.Tensor, n_items: int = 5) -> list[float]:
    return (torch.bincount(items.flatten(), minlength=n_items) / items.numel()).tolist()


# --- uniform


def test_every_item_that_is_no_positive_is_equally_likely():
    drawn = uniform_negatives(tensor([0, 1, 2]), LIKES, 60_000, seeded())
    assert drawn.shape == (3, 60_000) and drawn.dtype == torch.int64
    assert shares(drawn[0]) == pytest.approx([1 / 3, 0, 1 / 3, 0, 1 / 3], abs=0.01)
    assert shares(drawn[1]) == pytest.approx([0, 1 / 2, 0, 1 / 2, 0], abs=0.01)
    assert shares(drawn[2]) == pytest.approx([1 / 5] * 5, abs=0.01)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_negative_is_never_a_positive_of_that_user_and_every_other_item_comes(data):
    n_items = data.draw(st.integers(2, 6))
    sets = data.draw(st.lists(st.sets(st.integers(0, n_items - 1), max_size=n_items - 1), min_size=1, max_size=5))
    pairs = [(user, item) for user, liked in enumerate(sets) for item in liked]
    likes = Interactions.from_events(*(zip(*pairs, strict=True) if pairs else ([], [])), None, None, len(sets), n_items)
    users = torch.arange(len(sets))
    for drawn in (uniform_negatives(users, likes, 400, seeded()), draw_all(popularity_negatives, users, likes)):
        for liked, items in zip(sets, drawn.tolist(), strict=True):
            assert set(items) == set(range(n_items)) - liked


def draw_all(draw, users, likes):
    return draw(users, likes, 400, seeded(), power=0)


def test_a_user_may_occur_more_than_once_and_in_any_order():
    users = tensor([1, 0, 1])
    drawn = uniform_negatives(users, LIKES, 100, seeded())
    assert [set(items) for items in drawn.tolist()] == [{1, 3}, {0, 2, 4}, {1, 3}]
    assert uniform_negatives(users[:0], LIKES, 4, seeded()).shape == (0, 4)


def test_a_positive_that_occurs_twice_counts_once():
    twice = Interactions.from_events([0, 0, 0, 1], [1, 1, 3, 0], n_users=2, n_items=5)
    assert Negatives(twice).left.tolist() == [3, 4]
    assert shares(uniform_negatives(tensor([0]), twice, 60_000, seeded())) == pytest.approx(
        [1 / 3, 0, 1 / 3, 0, 1 / 3], abs=0.01
    )


@pytest.mark.parametrize("draw", [uniform_negatives, popularity_negatives])
def test_the_seed_decides(draw):
    users = tensor([0, 1])
    first, again, other = (draw(users, LIKES, 50, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


@pytest.mark.parametrize("draw", [uniform_negatives, popularity_negatives])
def test_a_user_who_likes_everything_is_refused_in_a_sentence(draw):
    likes = Interactions.from_events([0, 1, 1], [0, 0, 1], n_users=2, n_items=2)
    assert (draw(tensor([0]), likes, 20, seeded()) == 1).all()
    with pytest.raises(ValueError, match=r"(of|for) user 1"):
        draw(tensor([0, 1]), likes, 1, seeded())


# --- the alias table


@pytest.mark.parametrize("weights", [[1], [1, 1], [3, 1], [0, 1, 0, 3], [6, 5, 1, 1, 0.5, 0], [1e-12, 1, 1e12]])
def test_the_columns_and_aliases_add_up_to_the_weights(weights):
    """Not a sample but the table itself: item i gets its share of column i and the rest of the columns it fills up."""
    table = AliasTable(tensor(weights, dtype=torch.float64))
    n = len(weights)
    odds = [float(table.share[i]) for i in range(n)]
    for column in range(n):
        odds[int(table.alias[column])] += 1 - float(table.share[column])
    assert [p / n for p in odds] == pytest.approx([w / sum(weights) for w in weights], abs=1e-12)


def test_draws_follow_the_weights_and_have_the_shape_asked_for():
    drawn = AliasTable(tensor([1.0, 0.0, 3.0, 6.0])).draw((100, 600), seeded())
    assert drawn.shape == (100, 600) and drawn.dtype == torch.int64
    assert shares(drawn, 4) == pytest.approx([0.1, 0, 0.3, 0.6], abs=0.01)
    assert AliasTable(tensor([1.0])).draw(3, seeded()).tolist() == [0, 0, 0]


@pytest.mark.parametrize("weights", [[], [0.0, 0.0], [1.0, -1.0], [1.0, float("nan")], [float("inf")], [[1.0]]])
def test_weights_that_are_no_distribution_are_refused_in_a_sentence(weights):
    with pytest.raises(ValueError, match="weights must be one column of finite numbers"):
        AliasTable(tensor(weights))


# --- by popularity


def test_popular_items_are_drawn_by_the_power_of_their_counts():
    """Counts 16, 1, 1, 0, 1: to the power 0.5 weights 4, 1, 1, 0, 1; user 16 likes item 4."""
    likes = Interactions.from_events([*range(16), 0, 1, 16], [0] * 16 + [1, 2, 4], n_users=18, n_items=5)
    drawn = popularity_negatives(tensor([16, 17, 0]), likes, 60_000, seeded(), power=0.5)
    assert shares(drawn[0]) == pytest.approx([4 / 6, 1 / 6, 1 / 6, 0, 0], abs=0.01)
    assert shares(drawn[1]) == pytest.approx([4 / 7, 1 / 7, 1 / 7, 0, 1 / 7], abs=0.01)
    assert shares(drawn[2]) == pytest.approx([0, 0, 1 / 2, 0, 1 / 2], abs=0.01)  # 0 and 1 are this user's own


def test_somebody_who_likes_nearly_all_that_is_popular_gets_what_is_left():
    """Item 0 has 10,000 likes and item 1 one: to draw again and again would hardly ever end."""
    n = 10_000
    likes = Interactions.from_events([*range(n), n], [0] * n + [1], n_users=n + 1, n_items=3)
    assert (popularity_negatives(tensor([5]), likes, 100, seeded(), power=1) == 1).all()


def test_no_negative_is_a_positive_in_a_table_with_full_and_empty_rows():
    train = uneven()
    users = torch.arange(1, N_USERS).repeat(50)  # user 0 has rated everything
    for drawn in (
        uniform_negatives(users, train, 3, seeded()),
        popularity_negatives(users, train, 3, seeded(), power=0),
    ):
        pairs = set((users.unsqueeze(1) * N_ITEMS + drawn).flatten().tolist())
        assert not pairs & set(train.keys.tolist())
