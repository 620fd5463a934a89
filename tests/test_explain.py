"""Attributions against the libraries' and against sums by hand: gradients, Shapley values, importances, removals."""

import captum.attr
import pytest
import shap
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from torch import Tensor, nn, tensor

from recsys_course import metrics
from recsys_course.data import Interactions
from recsys_course.explain import (
    COLUMNS,
    coalition_value,
    completeness_gap,
    drop_column_importance,
    effects,
    fidelity,
    first_choice,
    gradient_times_input,
    history_scores,
    integrated_gradients,
    item_score,
    permutation_importance,
    rankers,
    shapley_values,
    smallest_removal,
    without_each,
)
from recsys_course.models import EASE, ItemKNN, SASRec
from recsys_course.ranking import Trees
from recsys_course.simulate import Feed


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def likes() -> Interactions:
    """Twenty users who like eight of twelve items each, in some order."""
    generator = torch.Generator().manual_seed(3)
    items = torch.stack([torch.randperm(12, generator=generator)[:8] for _ in range(20)])
    return Interactions.from_events(torch.arange(20).repeat_interleave(8), items.flatten())


@pytest.fixture(scope="module")
def reader(likes) -> SASRec:
    return SASRec(dim=8, n_heads=2, length=6, epochs=2, seed=1).fit(likes)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 1), nn.Flatten(0))


# --- gradients


def test_on_the_square_integrated_gradients_give_the_square_and_gradient_times_input_twice_that():
    def square(x: Tensor) -> Tensor:
        return x.square().sum(dim=(1, 2))

    x = tensor([[1.0, -3.0]])
    assert torch.allclose(integrated_gradients(square, x, n_steps=7), tensor([[1.0, 9.0]]))
    assert torch.allclose(gradient_times_input(square, x), tensor([[2.0, 18.0]]))
    baseline = tensor([[1.0, 1.0]])  # from 1 to 1 nothing happens, from 1 to 9 there are 8
    assert torch.allclose(integrated_gradients(square, x, baseline), tensor([[0.0, 8.0]]), atol=1e-6)


def test_integrated_gradients_equal_captums(network):
    x, baseline = draw(3, 2), draw(3, 2, seed=1)
    theirs = captum.attr.IntegratedGradients(network)
    for start in (torch.zeros(3, 2), baseline):
        same = theirs.attribute(x[None], start[None], n_steps=20, method="riemann_middle")[0]
        assert torch.allclose(integrated_gradients(network, x, start, n_steps=20), same.float(), atol=1e-6)


def test_gradient_times_input_equals_captums(network):
    x = draw(3, 2)
    theirs = captum.attr.InputXGradient(network).attribute(x[None])[0]
    assert torch.allclose(gradient_times_input(network, x), theirs, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_integrated_gradients_are_complete(network, seed):
    x, baseline = draw(3, 2, seed=seed), draw(3, 2, seed=seed + 1)
    found = integrated_gradients(network, x, baseline, n_steps=200)
    assert abs(completeness_gap(network, x, found, baseline)) < 2e-3
    assert abs(completeness_gap(network, x, found + 1, baseline) - 6) < 2e-3


def test_integrated_gradients_leave_the_weights_without_gradient_and_the_input_alone(network):
    x = draw(3, 2)
    before = x.clone()
    with torch.no_grad():
        integrated_gradients(network, x)
    assert torch.equal(x, before)
    assert not x.requires_grad
    assert all(weight.grad is None for weight in network.parameters())


def test_integrated_gradients_need_a_step(network):
    with pytest.raises(ValueError, match="n_steps must be at least 1, got 0"):
        integrated_gradients(network, draw(3, 2), n_steps=0)


def test_the_score_of_vectors_is_the_models_own_score(reader):
    for items in (tensor([3]), tensor([3, 5, 7]), tensor([1, 0, 3, 2, 4, 5, 8, 9])):
        vectors, score = item_score(reader, items, 6)
        assert vectors.shape == (min(len(items), 6), 8)
        with torch.no_grad():
            found = score(vectors[None]).cpu()
        assert torch.allclose(found, history_scores(reader, [items])[:, 6], atol=1e-5)
    with pytest.raises(ValueError, match="history is empty"):
        item_score(reader, tensor([], dtype=torch.int64), 6)


def test_integrated_gradients_of_a_history_are_complete(reader):
    vectors, score = item_score(reader, tensor([3, 5, 7]), 6)
    found = integrated_gradients(score, vectors, n_steps=2000)
    assert abs(completeness_gap(score, vectors, found)) < 1e-2 * float(found.abs().sum())


# --- Shapley values


def test_shapley_values_of_three_glove_makers():
    """One has a left glove, two a right one; a pair is worth 1. The left one gets 4/6, each other 1/6."""
    found = shapley_values(lambda s: (s[:, 0] & (s[:, 1] | s[:, 2])).float(), 3)
    assert torch.allclose(found, tensor([4 / 6, 1 / 6, 1 / 6]))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 6), st.integers(0, 1000))
def test_shapley_values_share_all_there_is_and_give_nothing_for_nothing(n, seed):
    worth = draw(1 << n, seed=seed)

    def value(coalitions: Tensor) -> Tensor:  # feature n adds nothing to anybody
        return worth[(coalitions[:, :n] * (1 << torch.arange(n))).sum(dim=1)]

    found = shapley_values(value, n + 1)
    assert torch.isclose(found.sum(), worth[-1] - worth[0], atol=1e-4)
    assert abs(found[-1]) < 1e-6


def test_shapley_values_equal_shaps_on_boosted_trees():
    x = draw(300, 5)
    labels = (x[:, 0] * x[:, 1] + x[:, 2] > 0).long()
    trees = GradientBoostingClassifier(n_estimators=20, max_depth=3, random_state=0).fit(x.numpy(), labels.numpy())

    def logit(rows: Tensor) -> Tensor:
        return torch.from_numpy(trees.decision_function(rows.numpy())).float()

    theirs = shap.TreeExplainer(trees, x[:40].numpy(), feature_perturbation="interventional").shap_values(
        x[50:53].numpy()
    )
    ours = torch.stack([shapley_values(coalition_value(logit, row, x[:40]), 5) for row in x[50:53]])
    assert torch.allclose(ours, torch.from_numpy(theirs).float(), atol=1e-4)


def test_shapley_values_of_a_line_are_weight_times_distance_from_the_mean():
    weights, background = tensor([2.0, -1.0, 0.0]), draw(10, 3)
    row = tensor([1.0, 1.0, 1.0])
    found = shapley_values(coalition_value(lambda rows: rows @ weights, row, background), 3)
    assert torch.allclose(found, weights * (row - background.mean(dim=0)), atol=1e-5)


def test_too_many_features_are_refused():
    with pytest.raises(ValueError, match="17 features: every coalition can be counted for 1 to 16"):
        shapley_values(lambda s: s.sum(dim=1), 17)


def test_fidelity_is_one_for_a_copy_and_zero_for_the_mean():
    said = tensor([1.0, 2.0, 6.0])
    assert fidelity(said, said) == 1
    assert fidelity(said, tensor([3.0, 3.0, 3.0])) == 0
    assert fidelity(said, tensor([6.0, 2.0, 1.0])) == pytest.approx(1 - 50 / 14)
    with pytest.raises(ValueError, match="that differ among rows"):
        fidelity(tensor([1.0, 1.0]), tensor([1.0, 2.0]))


# --- importances


def quality(said: Tensor, labels: Tensor) -> float:
    return metrics.auc(said, labels > 0)


def test_permutation_importance_is_zero_for_what_is_not_used_and_all_for_what_alone_is():
    x = draw(400, 3)
    before, labels = x.clone(), (x[:, 1] > 0).float()
    drops = permutation_importance(lambda rows: rows[:, 1], x, labels, quality, n_repeats=3)
    assert drops.shape == (3, 3)
    assert torch.equal(drops[:, [0, 2]], torch.zeros(3, 2))
    assert (drops[:, 1] - 0.5).abs().max() < 0.1  # from 1 to chance
    assert torch.equal(x, before)
    again = permutation_importance(lambda rows: rows[:, 1], x, labels, quality, n_repeats=3)
    assert torch.equal(drops, again)
    with pytest.raises(ValueError, match="n_repeats must be at least 1"):
        permutation_importance(lambda rows: rows[:, 1], x, labels, quality, n_repeats=0)


def test_of_two_twins_neither_is_missed():
    """A column and its copy: dropped, each is worth nothing; together they are worth everything."""
    x = draw(400, 2)
    x, labels = torch.cat([x, x[:, :1]], dim=1), (x[:, 0] > 0).float()

    def fit(rows: Tensor, said: Tensor):
        model = GradientBoostingRegressor(n_estimators=20, random_state=0).fit(rows.numpy(), said.numpy())
        return lambda other: torch.from_numpy(model.predict(other.numpy())).float()

    halves = (x[:200], labels[:200]), (x[200:], labels[200:])
    assert drop_column_importance(fit, *halves, quality).abs().max() < 0.02
    alone = [(rows[:, :2], said) for rows, said in halves]
    found = drop_column_importance(fit, *alone, quality)
    assert found[0] > 0.4
    assert abs(found[1]) < 0.05


def test_the_table_of_a_feed_is_what_its_trees_read():
    genres = torch.arange(30).unsqueeze(1) % 5 == torch.arange(5)
    found = rankers(genres, n_users=20, n_days=12)
    assert found.train.shape == (20 * 8 * 5, len(COLUMNS))  # days 4 to 8
    assert found.test.shape == (20 * 8 * 3, len(COLUMNS))
    assert found.test[:8, -1].tolist() == list(range(8))  # one list, from its top
    assert set(found.train[:, 0].tolist()) <= set(range(5))
    assert found.trees.n_features_in_ == len(COLUMNS)
    assert found.network.shape == found.clicks.shape
    assert found.network_test.min() >= 0
    assert found.network_test.max() <= 1
    again = Trees(positions=True).fit(log_of(genres))
    log = log_of(genres, test=True)
    said = torch.from_numpy(found.trees.predict_proba(found.test.numpy())[:, 1]).float()
    assert torch.allclose(said, again.predict(log))


def log_of(genres: Tensor, test: bool = False):
    log = Feed(genres, n_users=20).log(12)
    return log[log.times >= 9] if test else log[(log.times >= 4) & (log.times < 9)]


# --- what would be said without a film


def test_without_each_leaves_out_one_after_the_other():
    assert [kept.tolist() for kept in without_each(tensor([7, 3, 5]))] == [[3, 5], [7, 5], [7, 3]]


def test_effects_are_the_exact_parts_of_an_item_knn_score(likes):
    model = ItemKNN(k=6).fit(likes)
    mine = likes.items[likes.users == 4]
    target = next(item for item in range(12) if item not in mine.tolist())
    found = effects(model, mine, target)
    films, parts = model.explain(4, target)
    told = dict(zip(films.tolist(), parts.tolist(), strict=True))
    assert found.tolist() == pytest.approx([told.get(film, 0) for film in mine.tolist()], abs=1e-6)
    assert float(found.sum()) == pytest.approx(float(model.scores(tensor([4]))[0, target]), abs=1e-5)


def test_effects_of_a_sequence_model_need_not_add_up(likes, reader):
    mine = likes.items[likes.users == 4]
    found, whole = effects(reader, mine, 2), history_scores(reader, [mine])[0, 2]
    assert found[0] == pytest.approx(0, abs=1e-6)  # eight likes, of which the newest six are read: no; seven are left
    assert abs(found.sum() - whole) > 1e-3


def test_the_order_of_a_history_is_kept(reader):
    forth, back = history_scores(reader, [tensor([1, 2, 3]), tensor([3, 2, 1])])
    assert not torch.allclose(forth, back, atol=1e-4)
    one = history_scores(reader, [tensor([1, 2, 3])])[0]
    assert torch.allclose(forth, one, atol=1e-5)


@pytest.mark.parametrize("kind", [lambda: ItemKNN(k=6), lambda: EASE(reg=5), lambda: SASRec(dim=8, epochs=2)])
def test_a_removal_changes_the_recommendation_and_nothing_less_in_its_order_does(likes, kind):
    model = kind().fit(likes)
    found = 0
    for user in range(12):
        mine = likes.items[likes.users == user]
        removal = smallest_removal(model, mine, most=7)
        if removal is None:
            continue
        found += 1
        firsts = []
        for n in range(len(removal.removed) + 1):
            kept = mine[~torch.isin(mine, tensor(removal.removed[:n], dtype=torch.int64))]
            firsts.append(int(history_scores(model, [kept])[0].index_fill(0, mine, -torch.inf).argmax()))
        assert firsts[-1] == removal.instead != removal.target
        assert set(firsts[:-1]) == {removal.target}
        assert removal.instead not in mine.tolist()
    assert found > 3


def test_what_was_seen_is_neither_first_nor_instead(likes):
    model = ItemKNN(k=6).fit(likes)
    mine = likes.items[likes.users == 4]
    open_ = [item for item in range(12) if item not in mine.tolist()]
    scores = model.scores(tensor([4]))[0]
    ranked = sorted(open_, key=lambda item: -float(scores[item]))
    seen = torch.zeros(12, dtype=torch.bool)
    assert first_choice(model, mine) == ranked[0]
    seen[ranked[0]] = True
    assert first_choice(model, mine, seen) == ranked[1]
    assert not seen[mine].any()  # the mask that was handed in is left alone
    removal = smallest_removal(model, mine, seen, most=7)
    assert removal.target == ranked[1]
    assert removal.instead in set(open_) - set(ranked[:2])


def test_no_removal_where_too_few_may_go(likes):
    model = ItemKNN(k=6).fit(likes)
    assert smallest_removal(model, likes.items[likes.users == 0], most=0) is None
    assert smallest_removal(model, likes.items[:1]) is None  # nothing would be left to go by
