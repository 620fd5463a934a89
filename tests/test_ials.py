"""Implicit ALS: the short cut over the shared matrix against the definition over all cells."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import tensor

from contract import N_USERS, personalised, uneven
from recsys_course.data import Interactions
from recsys_course.models.ials import IALS

TestIALS = personalised(IALS, dim=4, reg=0.1)


def table_of(train: Interactions) -> np.ndarray:
    """One where the user likes the item, zero elsewhere, ``[n_users, n_items]``."""
    table = np.zeros((train.n_users, train.n_items))
    likes = train.ratings >= 4
    table[train.users[likes], train.items[likes]] = 1
    return table


def all_cells(model: IALS, train: Interactions) -> float:
    """The objective of the docstring, cell by cell."""
    x, p, q = table_of(train), model.user_factors_.double().numpy(), model.item_factors_.double().numpy()
    return ((1 + model.alpha * x) * (x - p @ q.T) ** 2).sum() + model.reg * ((p**2).sum() + (q**2).sum())


def likes_at_random(n_users: int = 40, n_items: int = 30, seed: int = 0) -> Interactions:
    """From nobody's to nearly everybody's item, and users alike."""
    chance = np.linspace(0, 0.9, n_users)[:, None] * np.linspace(0.1, 1, n_items)
    users, items = (np.random.default_rng(seed).random(chance.shape) < chance).nonzero()
    return Interactions.from_events(users, items, n_users=n_users, n_items=n_items)


@pytest.mark.parametrize("dim", [1, 3, 8, 40])
@pytest.mark.parametrize("alpha", [0.0, 0.5, 20.0])
def test_a_half_step_equals_the_regression_over_all_cells_of_each_user(dim, alpha):
    """With dim 40 all users have fewer likes than that, with dim 1 hardly any: both ways to solve are met."""
    train = likes_at_random()
    model, table = IALS(dim, alpha=alpha, reg=0.3).fit(train), table_of(train)
    q = model.item_factors_.double().numpy()
    for user in range(train.n_users):
        weights = np.diag(1 + alpha * table[user])
        expected = np.linalg.solve(q.T @ weights @ q + 0.3 * np.eye(dim), q.T @ weights @ table[user])
        np.testing.assert_allclose(model.user_factors_[user], expected, atol=2e-4)


def test_the_objective_over_all_cells_never_goes_up():
    train = likes_at_random()
    found = [all_cells(IALS(5, epochs, alpha=3, reg=0.5).fit(train), train) for epochs in range(1, 8)]
    assert all(after <= before * (1 + 1e-6) for before, after in pairwise(found))


def test_the_cheap_start_is_worth_more_than_an_epoch(monkeypatch):
    """Random vectors and two epochs end above the start in which all cells weigh the same and one epoch."""
    train = likes_at_random()
    with_start = all_cells(IALS(5, epochs=1, alpha=3, reg=0.5).fit(train), train)
    monkeypatch.setattr("recsys_course.models.ials.START", 0)
    assert all_cells(IALS(5, epochs=2, alpha=3, reg=0.5).fit(train), train) > 1.1 * with_start


def test_a_user_folded_in_from_the_training_likes_gets_the_training_vector():
    train = likes_at_random()
    model, users = IALS(6, alpha=10, reg=0.1).fit(train), torch.arange(40)
    torch.testing.assert_close(model.scores(users, history=train), model.scores(users), rtol=1e-4, atol=1e-5)


def test_whoever_has_no_like_has_no_vector():
    train = Interactions.from_events([0, 0, 1, 2], [0, 2, 0, 1], [5, 5, 5, 2], n_users=4, n_items=4)
    model = IALS(2, reg=0.1).fit(train)
    assert (model.user_factors_[[2, 3]] == 0).all() and (model.item_factors_[[1, 3]] == 0).all()
    assert model.user_factors_[[0, 1]].any() and model.item_factors_[[0, 2]].any()


def test_a_pair_that_occurs_twice_and_a_low_rating_change_nothing():
    once = Interactions.from_events([0, 0, 1, 2], [0, 1, 1, 0])
    twice = Interactions.from_events([0, 0, 0, 1, 1, 2], [0, 1, 1, 1, 0, 0], [5, 4, 5, 5, 1, 5])
    one, two = (IALS(2, reg=0.1).fit(train) for train in (once, twice))
    assert torch.equal(one.user_factors_, two.user_factors_) and torch.equal(one.item_factors_, two.item_factors_)


def test_no_like_at_all_gives_everybody_the_same_scores():
    scores = IALS().fit(Interactions.from_events([0, 1], [0, 1], [1, 2])).scores(tensor([0, 1]))
    assert (scores == 0).all()


@pytest.mark.parametrize(("reg", "alpha"), [(0, 1), (-1, 1), (1, -0.5), (float("nan"), 1), (1, float("nan"))])
def test_weights_that_make_no_sense_are_refused_in_a_sentence(reg, alpha):
    with pytest.raises(ValueError, match="reg must be above 0 and alpha not negative, got"):
        IALS(reg=reg, alpha=alpha).fit(uneven())


def test_a_new_user_is_solved_without_touching_the_items():
    model = IALS(4, reg=0.1).fit(uneven())
    before = model.item_factors_.clone(), model.user_factors_.clone()
    history = Interactions.from_events([0, 0], [1, 2], n_users=N_USERS, n_items=8)
    assert model.scores(tensor([0]), history).any()
    assert torch.equal(model.item_factors_, before[0]) and torch.equal(model.user_factors_, before[1])
