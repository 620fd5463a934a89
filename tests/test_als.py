"""Alternating least squares: each half-step solves its side, and the objective never goes up."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from contract import personalised, rates, uneven
from recsys_course.data import Interactions
from recsys_course.models.als import ALS
from recsys_course.models.mf import MF
from test_mf import planted, rmse, slopes, tables_of

TestALS = rates(personalised(ALS, dim=3, epochs=20, reg=0.05))


def test_after_the_last_half_step_no_user_can_be_improved():
    """The users' finite differences are 0; the items', which were solved for older users, are not."""
    train = uneven()
    model = ALS(dim=2, epochs=2, reg=0.1).fit(train)
    found = slopes(train, model.mean_, tables_of(model), 0.1)
    for users in ("p", "b"):
        np.testing.assert_allclose(found[users], 0, atol=1e-4)
    assert np.abs(found["q"]).max() > 1e-2


def test_a_half_step_is_the_dense_ridge_regression_of_each_user():
    train, reg = uneven(), 0.2
    model = ALS(dim=3, epochs=3, reg=reg).fit(train)
    known = np.column_stack([model.item_factors_.numpy(), np.ones(train.n_items)])
    for user in range(12):
        mine = (train.users == user).numpy()
        x, y = known[train.items[mine]], (train.ratings - model.mean_ - model.item_bias_[train.items]).numpy()[mine]
        expected = np.linalg.solve(x.T @ x + reg * mine.sum() * np.eye(4), x.T @ y)
        np.testing.assert_allclose(model.user_factors_[user], expected[:3], atol=1e-4)
        np.testing.assert_allclose(model.user_bias_[user], expected[3], atol=1e-4)


def test_the_objective_never_goes_up():
    train, _ = planted()
    history = ALS(dim=4, epochs=15).fit(train).history_
    losses = [history.first_loss, *history.loss]
    assert len(losses) == 16
    assert all(after <= before * (1 + 1e-6) for before, after in pairwise(losses))


def test_it_minimises_the_objective_of_gradient_descent():
    train, _ = planted()
    by_hand = MF(dim=2, epochs=150, learning_rate=0.03, reg=0.05).fit(train)
    solved = ALS(dim=2, epochs=30, reg=0.05).fit(train)
    assert solved.objective() == pytest.approx(by_hand.objective(), rel=0.03)


def test_what_was_planted_is_found():
    """The noise is 0.3; biases alone leave two tastes unexplained."""
    train, held = planted()
    assert rmse(ALS(dim=0, reg=0.02).fit(train), held) > 1
    assert rmse(ALS(dim=2, reg=0.02).fit(train), held) < 0.45


def test_a_user_folded_in_from_the_training_ratings_gets_the_training_vector():
    train, _ = planted()
    model, users = ALS(dim=5).fit(train), torch.arange(80)
    torch.testing.assert_close(model.scores(users, history=train), model.scores(users), rtol=1e-4, atol=1e-4)


def test_whoever_has_no_rating_has_no_bias_and_no_vector():
    train = Interactions.from_events([0, 2], [0, 2], [5, 1], n_users=4, n_items=4)
    model = ALS(dim=2).fit(train)
    for bias, vectors in ((model.user_bias_, model.user_factors_), (model.item_bias_, model.item_factors_)):
        assert (vectors[[1, 3]] == 0).all() and (bias[[1, 3]] == 0).all() and bias[[0, 2]].all()


@pytest.mark.parametrize("reg", [0.0, -1.0, float("nan")])
def test_a_regression_without_a_penalty_is_refused_in_a_sentence(reg):
    with pytest.raises(ValueError, match=r"reg must be above 0, got .*: without it a user with few ratings"):
        ALS(reg=reg).fit(uneven())


def test_no_rating_at_all_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="ALS has no rating to learn from: the training events are empty"):
        ALS().fit(Interactions.from_events([], [], n_users=2, n_items=2))
