"""The world of series: what its strength promises is what its logs hold."""

import pytest
import torch

from recsys_course.data.sequences import histories
from recsys_course.simulate import OrderWorld


def follows(world: OrderWorld, n_events: int = 20) -> float:
    """Share of events that are the successor of the event before."""
    items = histories(world.log(n_events), torch.arange(world.n_users), n_events)
    return float((world.successor[items[:, :-1]] == items[:, 1:]).float().mean())


def test_the_series_of_a_genre_is_one_ring_through_all_its_items():
    world = OrderWorld(n_items=30, n_genres=3)
    assert (world.genre[world.successor] == world.genre).all()
    for start in range(30):
        ring, item = [], start
        while item not in ring:
            ring.append(item)
            item = int(world.successor[item])
        assert len(ring) == 10 and item == start


def test_everybody_takes_as_many_items_as_asked_and_none_twice():
    log = OrderWorld(n_users=40, strength=0.7).log(200)
    assert (log.ptr.diff() == 200).all() and len(log.keys.unique()) == 40 * 200


@pytest.mark.parametrize("strength", [0.3, 0.6])
def test_the_next_item_is_the_successor_as_often_as_the_strength_says(strength):
    """But for chance, which finds a successor now and then, and for series that run into what was taken."""
    assert follows(OrderWorld(2000, 1000, 10, strength)) == pytest.approx(strength, abs=0.03)


def test_at_full_strength_the_last_item_tells_the_next():
    assert follows(OrderWorld(500, 1000, 10, 1.0)) > 0.99


def test_without_strength_every_order_of_a_users_items_is_equally_likely():
    """Three items of three, all loved: the six orders, each in a sixth of 6,000 users, give or take 4.5 deviations."""
    log = OrderWorld(6000, 3, 1, 0.0).log(3)
    counts = (histories(log, torch.arange(6000), 3) @ torch.tensor([9, 3, 1])).unique(return_counts=True)[1]
    assert len(counts) == 6 and (counts - 1000).abs().max() < 4.5 * (6000 * 5 / 36) ** 0.5


def test_three_of_four_items_are_from_the_favourite_genre_while_it_lasts():
    world = OrderWorld(2000, 1000, 10, strength=0.0)
    log = world.log(10)
    assert (world.genre[log.items] == world.favourite[log.users]).float().mean() == pytest.approx(0.75, abs=0.02)


def test_the_seed_of_the_log_changes_the_log_and_that_of_the_world_the_world():
    world = OrderWorld(seed=1)
    assert world.log(10, seed=2).equals(OrderWorld(seed=1).log(10, seed=2))
    assert not world.log(10, seed=2).equals(world.log(10, seed=3))
    assert not torch.equal(world.successor, OrderWorld(seed=2).successor)


def test_worlds_that_cannot_be_are_refused_in_a_sentence():
    with pytest.raises(ValueError, match=r"strength must lie in 0 to 1, got 1\.2"):
        OrderWorld(strength=1.2)
    with pytest.raises(ValueError, match="3 genres cannot share 10 items evenly: take a multiple"):
        OrderWorld(n_items=10, n_genres=3)
    with pytest.raises(ValueError, match="n_events must lie in 1 to 200, every item is taken once, got 201"):
        OrderWorld().log(201)
