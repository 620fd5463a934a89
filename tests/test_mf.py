"""Matrix factorisation of ratings by gradient descent: its gradients, its stop, and the regression that folds in."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import tensor

from contract import N_ITEMS, N_USERS, folds_in, rates, uneven
from recsys_course.data import Interactions
from recsys_course.models.mf import MF, add_rows, ridge, similar_lengths
from recsys_course.training import Diverged

TestMF = rates(folds_in(MF, dim=3, epochs=100, learning_rate=0.1, reg=0.02))


def planted(noise: float = 0.3, seed: int = 0) -> tuple[Interactions, Interactions]:
    """80 users and 60 items with two tastes and biases, 40 % of the cells rated: nine tenths of them and the rest."""
    rng = np.random.default_rng(seed)
    taste, features = rng.normal(size=(80, 2)), rng.normal(size=(60, 2))
    truth = 3 + rng.normal(0, 0.5, (80, 1)) + rng.normal(0, 0.5, (1, 60)) + taste @ features.T
    users, items = (rng.random(truth.shape) < 0.4).nonzero()
    ratings = truth[users, items] + rng.normal(0, noise, len(users))
    held = rng.random(len(users)) < 0.1
    parts = ((users[kept], items[kept], ratings[kept]) for kept in (~held, held))
    return tuple(Interactions.from_events(*part, n_users=80, n_items=60) for part in parts)


def rmse(model: MF, ratings: Interactions) -> float:
    return float((model.predict(ratings.users, ratings.items) - ratings.ratings).square().mean().sqrt())


def objective(train: Interactions, mean: float, tables: dict[str, np.ndarray], reg: float) -> float:
    """The formula of the docstring, term by term, in float64."""
    total = 0.0
    for u, i, r in zip(train.users.tolist(), train.items.tolist(), train.ratings.tolist(), strict=True):
        p, q, b, c = (tables[name][at] for name, at in (("p", u), ("q", i), ("b", u), ("c", i)))
        total += (r - mean - b - c - p @ q) ** 2 + reg * (b**2 + c**2 + p @ p + q @ q)
    return total


def tables_of(model: MF) -> dict[str, np.ndarray]:
    names = {"p": "user_factors_", "q": "item_factors_", "b": "user_bias_", "c": "item_bias_"}
    return {short: getattr(model, name).double().numpy().copy() for short, name in names.items()}


def slopes(train: Interactions, mean: float, tables: dict[str, np.ndarray], reg: float) -> dict[str, np.ndarray]:
    """Central differences of the objective with respect to every number."""
    found = {}
    for name, table in tables.items():
        found[name] = np.zeros_like(table)
        for at in np.ndindex(table.shape):
            ends = []
            for step in (1e-5, -1e-5):
                moved = {**tables, name: table.copy()}
                moved[name][at] += step
                ends.append(objective(train, mean, moved, reg))
            found[name][at] = (ends[0] - ends[1]) / 2e-5
    return found


# --- the step


def test_a_step_goes_down_the_gradient_of_the_objective():
    """One batch with everything: each number moves by minus half its finite difference times the learning rate."""
    train, rate, reg = uneven(), 0.01, 0.3
    model = MF(dim=2, epochs=3, learning_rate=rate, reg=reg, batch_size=16).fit(train)
    before = tables_of(model)
    loss = model._step(torch.arange(len(train)))
    expected = slopes(train, model.mean_, before, reg)
    for name, after in tables_of(model).items():
        np.testing.assert_allclose((after - before[name]) / rate, -expected[name] / 2, atol=1e-3)
    assert float(loss) * len(train) == pytest.approx(objective(train, model.mean_, before, reg), rel=1e-5)


def test_both_sides_of_a_rating_move_along_their_old_values():
    """Ratings 5 and 3: mean 4, error 5 - 4 - 0.5 * 0.4 = 0.8; with the new p, q would go to 0.42056."""
    model = MF(dim=1, epochs=0, learning_rate=0.1, reg=0.5).fit(Interactions.from_events([0, 1], [0, 0], [5, 3]))
    model.user_factors_[0], model.item_factors_[0] = 0.5, 0.4
    model._step(tensor([0]))
    assert model.user_factors_[0].item() == pytest.approx(0.5 + 0.1 * (0.8 * 0.4 - 0.5 * 0.5))
    assert model.item_factors_[0].item() == pytest.approx(0.4 + 0.1 * (0.8 * 0.5 - 0.5 * 0.4), abs=1e-6)
    assert model.user_bias_.tolist() == pytest.approx([0.08, 0])
    assert model.item_bias_.tolist() == pytest.approx([0.08])


def test_a_row_that_occurs_twice_in_a_batch_gets_both_changes():
    table = torch.zeros(3, 2)
    add_rows(table, tensor([2, 0, 2]), tensor([[1.0, 2], [3, 4], [10, 20]]))
    assert table.tolist() == [[3, 4], [0, 0], [11, 22]]


# --- the fit


def test_each_epoch_goes_through_every_rating_once():
    seen = []

    class Spy(MF):
        def _step(self, rows):
            seen.extend(rows.tolist())
            return super()._step(rows)

    Spy(epochs=2, batch_size=7).fit(train := uneven())
    n = len(train)
    assert sorted(seen[:n]) == sorted(seen[n:]) == list(range(n))
    assert seen[:n] != seen[n:]


def test_the_objective_is_the_formula_and_falls():
    train = uneven()
    model = MF(dim=3, epochs=40, learning_rate=0.05, reg=0.1).fit(train)
    assert model.objective() == pytest.approx(objective(train, model.mean_, tables_of(model), 0.1), rel=1e-5)
    losses = model.history_.loss
    assert len(losses) == 40 and losses[0] > losses[10] > losses[39]


def test_what_was_planted_is_found():
    """The noise is 0.3; biases alone leave two tastes unexplained."""
    train, held = planted()
    biases, model = (MF(dim=dim, epochs=60, learning_rate=0.03, reg=0.02, batch_size=128) for dim in (0, 2))
    assert rmse(biases.fit(train), held) > 1
    assert rmse(model.fit(train), held) < 0.5


def test_predictions_are_scores_clipped_to_the_ratings_seen():
    train = uneven()  # 2 to 5
    model = MF(dim=4, epochs=200, learning_rate=0.1, reg=0.0).fit(train)
    users, items = torch.arange(N_USERS).repeat_interleave(N_ITEMS), torch.arange(N_ITEMS).repeat(N_USERS)
    scores = model.scores(torch.arange(N_USERS)).flatten()
    assert scores.max() > 5 and scores.min() < 2
    torch.testing.assert_close(model.predict(users, items), scores.clamp(2, 5))


def test_whoever_has_no_rating_has_no_bias_and_no_vector():
    train = Interactions.from_events([0, 2], [0, 2], [5, 1], n_users=4, n_items=4)
    model = MF(dim=2, epochs=20).fit(train)
    for bias, vectors in ((model.user_bias_, model.user_factors_), (model.item_bias_, model.item_factors_)):
        assert (vectors[[1, 3]] == 0).all() and (bias[[1, 3]] == 0).all() and bias[[0, 2]].all()
    assert model.predict(tensor([1]), tensor([3])).item() == pytest.approx(3)  # the mean


# --- bad input


def test_a_learning_rate_that_diverges_is_named_and_the_weights_before_it_are_kept():
    train, _ = planted()
    model, start = MF(learning_rate=30.0), MF(epochs=0).fit(train)
    with pytest.raises(Diverged, match="learning rate 30 is too high"):
        model.fit(train)
    torch.testing.assert_close(model.user_factors_, start.user_factors_)
    assert model.predict(train.users, train.items).isfinite().all()


def test_no_rating_at_all_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="MF has no rating to learn from: the training events are empty"):
        MF().fit(Interactions.from_events([], [], n_users=2, n_items=2))


def test_a_pair_that_was_rated_twice_counts_twice():
    """One user, one item: without penalty the prediction is the mean of all three ratings, 4 and not 3.5."""
    train = Interactions.from_events([0, 0, 0], [0, 0, 0], [5, 5, 2])
    assert MF(reg=0).fit(train).predict(tensor([0]), tensor([0])).item() == pytest.approx(4, abs=0.01)


# --- one ridge regression a row


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.integers(1, 12))
def test_blocks_hold_each_event_once_and_no_more_cells_than_asked_for(counts, n_cells):
    ends, found = np.cumsum(counts), {}
    for rows, events in similar_lengths(tensor(counts), n_cells):
        assert len(rows) == 1 or events.numel() <= n_cells
        for row, its in zip(rows.tolist(), events.tolist(), strict=True):
            found[row] = [event for event in its if event < ends[-1]]
    assert found == {row: [*range(end - n, end)] for row, (end, n) in enumerate(zip(ends, counts, strict=True)) if n}


def test_ridge_equals_the_dense_solution_of_each_row():
    rng = np.random.default_rng(0)
    counts, table = [3, 0, 7, 1], rng.normal(size=(6, 4)).astype(np.float32)
    columns, targets = rng.integers(0, 6, sum(counts)), rng.normal(size=sum(counts)).astype(np.float32)
    found = ridge(tensor(counts), *map(torch.from_numpy, (columns, targets, table)), reg=0.5).numpy()
    start = 0
    for row, n in zip(found, counts, strict=True):
        x, y = table[columns[start : start + n]], targets[start : start + n]
        np.testing.assert_allclose(row, np.linalg.solve(x.T @ x + 0.5 * max(n, 1) * np.eye(4), x.T @ y), atol=1e-5)
        start += n


def test_folding_in_finds_the_minimum_of_the_users_part_of_the_objective():
    train, _ = planted()
    model = MF(dim=2, epochs=20).fit(train)
    user, mine = tensor([7]), train.users == 7
    scores = model.scores(user, history=train)[0, train.items[mine]]
    x = torch.cat([model.item_factors_[train.items[mine]], torch.ones(int(mine.sum()), 1)], dim=1).double()
    rest = (train.ratings[mine] - model.mean_ - model.item_bias_[train.items[mine]]).double()
    best = torch.linalg.solve(x.T @ x + model.reg * len(x) * torch.eye(3), x.T @ rest)
    torch.testing.assert_close(
        scores.double(), model.mean_ + model.item_bias_[train.items[mine]] + x @ best, rtol=1e-4, atol=1e-4
    )
