"""BPR: its gradient, its triples, what it finds, and the logistic regression that folds in."""

import numpy as np
import pytest
import torch
from torch import tensor

from contract import checkerboard, folds_in, uneven
from recsys_course.data import Interactions
from recsys_course.models.bpr import BPR
from recsys_course.training import Diverged

TestBPR = folds_in(BPR, dim=4, epochs=60, learning_rate=0.1)


def planted(seed: int = 0) -> tuple[Interactions, Interactions]:
    """Two groups of 40 users; each likes about 12 of its own 20 items and one of the others. A tenth is held out."""
    rng = np.random.default_rng(seed)
    own = np.arange(80)[:, None] // 40 == np.arange(40) // 20
    users, items = (rng.random(own.shape) < np.where(own, 0.6, 0.05)).nonzero()
    held = rng.random(len(users)) < 0.1
    parts = ((users[kept], items[kept]) for kept in (~held, held))
    return tuple(Interactions.from_events(*part, n_users=80, n_items=40) for part in parts)


def mean_auc(scores: torch.Tensor, train: Interactions, held: Interactions) -> float:
    """Share of pairs in the right order, a held-out like above an item that the user never liked, over all users."""
    likes, never = held.dense(torch.arange(80)), ~(train.dense(torch.arange(80)) | held.dense(torch.arange(80)))
    found = []
    for row, wanted, other in zip(scores, likes, never, strict=True):
        found += [(row[item] > row[other]).double().mean().item() for item in wanted.nonzero().flatten()]
    return float(np.mean(found))


def loss_of(tables: list[np.ndarray], triples: list[tuple[int, int, int]], reg: float) -> float:
    """The formula of the docstring, triple by triple, in float64."""
    p, q, b = tables
    total = 0.0
    for u, i, j in triples:
        total += np.log1p(np.exp(-(p[u] @ q[i] + b[i] - p[u] @ q[j] - b[j])))
        total += reg / 2 * (p[u] @ p[u] + q[i] @ q[i] + q[j] @ q[j] + b[i] ** 2 + b[j] ** 2)
    return total


def tables_of(model: BPR) -> list[np.ndarray]:
    return [t.double().numpy().copy() for t in (model.user_factors_, model.item_factors_, model.item_bias_)]


def triples_seen(monkeypatch, model: BPR, train: Interactions) -> torch.Tensor:
    """Every triple that the fit steps on, int64 ``[n, 3]``."""
    seen, step = [], BPR._step
    monkeypatch.setattr(
        BPR, "_step", lambda self, *triple: (seen.append(torch.stack(triple, 1)), step(self, *triple))[1]
    )
    model.fit(train)
    return torch.cat(seen)


# --- the step


def test_a_step_goes_down_the_gradient_of_the_loss():
    """User 0 and item 1 occur twice, item 2 as a liked and as another item: all from the old values."""
    model, triples, rate, reg = (
        BPR(dim=2, epochs=2, learning_rate=0.01, reg=0.3),
        [(0, 1, 2), (0, 2, 3), (4, 1, 0)],
        0.01,
        0.3,
    )
    before = tables_of(model.fit(uneven()))
    loss = model._step(*tensor(triples).T)
    for table, after, number in zip(before, tables_of(model), range(3), strict=True):
        expected = np.zeros_like(table)
        for at in np.ndindex(table.shape):
            ends = []
            for move in (1e-5, -1e-5):
                moved = [t.copy() for t in before]
                moved[number][at] += move
                ends.append(loss_of(moved, triples, reg))
            expected[at] = (ends[0] - ends[1]) / 2e-5
        np.testing.assert_allclose((after - table) / rate, -expected, atol=1e-4)
    assert float(loss) * 3 == pytest.approx(loss_of(before, triples, 0.0), rel=1e-5)


# --- the triples


def test_each_like_comes_once_an_epoch_against_an_item_that_the_user_does_not_like(monkeypatch):
    train, _ = planted()
    triples = triples_seen(monkeypatch, BPR(epochs=3, dim=2, batch_size=50), train)
    for epoch in triples.split(len(train)):
        assert torch.equal((epoch[:, 0] * 40 + epoch[:, 1]).sort().values, train.keys)
    others = triples[:, 0] * 40 + triples[:, 2]
    assert not torch.isin(others, train.keys).any()
    assert set(triples[:, 2].tolist()) == set(range(40))  # and any other item may come
    assert not torch.equal(others[: len(train)].sort().values, others[-len(train) :].sort().values)


def test_a_low_rating_is_no_like_and_may_be_a_negative(monkeypatch):
    train = Interactions.from_events([0, 0], [0, 1], [5, 3], n_items=2)
    assert set(map(tuple, triples_seen(monkeypatch, BPR(dim=2), train).tolist())) == {(0, 0, 1)}


def test_a_pair_that_occurs_twice_counts_once(monkeypatch):
    train = Interactions.from_events([0, 0], [0, 0], n_items=3)
    assert len(triples_seen(monkeypatch, BPR(dim=2, epochs=5), train)) == 5


# --- what it finds


def test_held_out_likes_stand_above_the_other_groups_items():
    train, held = planted()
    model, users = BPR(dim=8, epochs=60, learning_rate=0.1).fit(train), torch.arange(80)
    chance = BPR(dim=8, epochs=0).fit(train)
    assert mean_auc(chance.scores(users), train, held) == pytest.approx(0.5, abs=0.07)
    assert mean_auc(model.scores(users), train, held) > 0.75
    assert mean_auc(model.scores(users, history=train), train, held) > 0.75


def test_the_loss_begins_at_the_logarithm_of_2_and_falls():
    history = BPR(dim=8, epochs=30, learning_rate=0.1).fit(planted()[0]).history_
    assert history.first_loss == pytest.approx(np.log(2), abs=0.05)
    assert history.loss[0] > history.loss[10] > history.loss[29]


# --- folding in


def test_a_folded_in_vector_is_the_minimum_for_its_triples():
    """A user with one like of three items meets the other two in turn, 128 times each: no slope is left."""
    model = BPR(dim=2, epochs=50, learning_rate=0.1, reg=0.1).fit(uneven())
    history = Interactions.from_events([0], [3], n_users=1, n_items=8)
    q, b = model.item_factors_.double(), model.item_bias_.double()
    p = model._fold_in(history, tensor([0]))[0].double().requires_grad_()
    others = [i for i in range(8) if i != 3]
    times = torch.bincount((torch.arange(256) + 0.5).mul(7 / 256).long())
    apart = (q[3] - q[others]) @ p + b[3] - b[others]
    (-(times * torch.nn.functional.logsigmoid(apart)).sum() + 256 * 0.1 / 2 * p @ p).backward()
    assert p.abs().max() > 0.01
    assert p.grad.abs().max() < 0.01 * 256 * 0.1 * p.abs().max()


def test_a_history_of_nothing_or_of_everything_has_no_vector():
    model = BPR(dim=3, epochs=5).fit(uneven())
    history = Interactions.from_events([1] * 8, range(8), n_users=2, n_items=8)
    torch.testing.assert_close(model.scores(tensor([0, 1]), history), model.item_bias_.expand(2, -1))


# --- bad input


def test_users_without_a_like_or_with_nothing_else_get_the_biases_alone():
    train = Interactions.from_events([0, 0, 1, 2], [0, 1, 0, 1], [5, 5, 5, 2], n_users=4, n_items=2)
    model = BPR(dim=3, epochs=20).fit(train)
    torch.testing.assert_close(model.scores(tensor([0, 2, 3])), model.item_bias_.expand(3, -1))
    assert model.user_factors_[1].any()


def test_no_triple_at_all_leaves_the_start_as_it_is():
    for train in (checkerboard(rating=1.0), Interactions.from_events([0], [0])):
        model = BPR(dim=2).fit(train)
        assert not len(model.history_) and not model.user_factors_.any() and not model.item_bias_.any()


def test_a_learning_rate_that_diverges_is_named_and_finite_weights_are_kept():
    train, _ = planted()
    model = BPR(learning_rate=1e4, reg=0.1)
    with pytest.raises(Diverged, match="learning rate 10000 is too high"):
        model.fit(train)
    assert torch.equal(model.user_factors_, BPR(epochs=0).fit(train).user_factors_)
    assert model.scores(torch.arange(80)).isfinite().all()
