"""The references of the coding tasks against brute force and other libraries, on whatever hypothesis comes up with."""

import importlib.util
import math
from itertools import permutations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score, roc_auc_score

from recsys_course import losses
from recsys_course.interview import coding

check = settings(max_examples=60, deadline=None)
GRADES = st.lists(st.integers(0, 3), min_size=1, max_size=7)
SEEDS = st.integers(0, 10_000)


def reference(task):
    """The reference of a task as a module."""
    path = coding.load(task).folder / "reference.py"
    spec = importlib.util.spec_from_file_location(f"reference_{task}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


W = {task.id: reference(task.id) for task in coding.all_tasks()}


@check
@given(st.data(), GRADES, st.integers(1, 9), st.sampled_from(["linear", "exponential"]))
def test_ndcg_is_the_mean_over_the_orders_of_ties_and_sklearns(data, grades, k, gain):
    scores = data.draw(st.lists(st.integers(0, 3), min_size=len(grades), max_size=len(grades)))
    gains = grades if gain == "linear" else [2**g - 1 for g in grades]
    got = W["W01"].ndcg_at_k(grades, scores, k, gain)
    if not any(gains):
        assert math.isnan(got)
        return
    lists = [order for order in permutations(range(len(grades))) if sorted(order, key=lambda i: -scores[i]) == [*order]]

    def discounted(order):
        return sum(gains[i] / math.log2(rank + 2) for rank, i in enumerate(order[:k]))

    best = discounted(sorted(range(len(gains)), key=lambda i: -gains[i]))
    assert got == pytest.approx(np.mean([discounted(order) for order in lists]) / best)
    if len(grades) > 1:
        assert got == pytest.approx(ndcg_score([gains], [scores], k=k))


@check
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=40))
def test_auc_is_sklearns(rows):
    labels, scores = zip(*rows, strict=True)
    assume(len(set(labels)) == 2)
    assert W["W02"].auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores))


@check
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 4)), max_size=40))
def test_gauc_is_the_weighted_mean_over_users_with_both_classes(rows):
    value, skipped = W["W02"].gauc(*(zip(*rows, strict=True) if rows else ([], [], [])))
    users = {user: [(y, s) for u, y, s in rows if u == user] for user, _, _ in rows}
    both = [mine for mine in users.values() if len({y for y, _ in mine}) == 2]
    assert skipped == len(users) - len(both)
    if not both:
        assert math.isnan(value)
    else:
        each = [roc_auc_score(*zip(*mine, strict=True)) for mine in both]
        assert value == pytest.approx(np.average(each, weights=[len(mine) for mine in both]))


@check
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6)), max_size=50), st.integers(1, 7))
def test_item_similarities_are_a_product_of_matrices(events, cap):
    matrix = np.zeros((6, 7))
    for user, item in events:
        matrix[user, item] = 1
    matrix[matrix.sum(axis=1) > cap] = 0
    weights = np.array([1 / math.log(1 + n) if n else 0 for n in matrix.sum(axis=1)])
    counts = matrix.sum(axis=0)
    similar = W["W03"].similar_items(events, k=7, cap=cap)
    assert sorted(similar) == [item for item in range(7) if counts[item]]
    dense = (matrix * weights[:, None]).T @ matrix
    for item, near in similar.items():
        want = {
            j: dense[item, j] / math.sqrt(counts[item] * counts[j]) for j in range(7) if j != item and dense[item, j]
        }
        assert dict(near) == pytest.approx(want)
        assert near == sorted(near, key=lambda pair: (-pair[1], pair[0]))


@check
@given(SEEDS, st.floats(0, 1), st.floats(1, 5))
def test_a_step_of_factorisation_is_the_gradient_of_half_the_squared_error(seed, reg, rating):
    model = W["W05"].BiasedMF(3, 3, 2, lr=0.1, reg=reg, seed=seed)
    rng = np.random.default_rng(seed)
    model.mean_ = 3.0
    tables = model.user_bias, model.item_bias, model.user_factors, model.item_factors
    for table in tables:
        table[...] = rng.normal(size=table.shape)
    leaves = [torch.tensor(table[1], requires_grad=True) for table in tables]
    error = rating - (3.0 + leaves[0] + leaves[1] + leaves[2] @ leaves[3])
    (0.5 * error**2 + 0.5 * reg * sum((leaf**2).sum() for leaf in leaves)).backward()
    want = [(leaf - 0.1 * leaf.grad).detach().numpy() for leaf in leaves]
    assert model.update(1, 1, rating) == pytest.approx(error.item())
    for table, row in zip(tables, want, strict=True):
        assert table[1] == pytest.approx(row)


@check
@given(SEEDS, st.floats(0, 1), st.floats(-50, 50))
def test_a_bpr_step_is_the_gradient_of_the_courses_loss(seed, reg, shift):
    rng = np.random.default_rng(seed)
    users, items = rng.normal(size=(2, 3)), rng.normal(size=(3, 3)) + shift
    leaves = [torch.tensor(row, requires_grad=True) for row in (users[1], items[0], items[2])]
    loss = losses.bpr_loss((leaves[0] @ leaves[1])[None], (leaves[0] @ leaves[2])[None])
    (loss + reg / 2 * sum((leaf**2).sum() for leaf in leaves)).backward()
    assert W["W07"].bpr_update(users, items, 1, 0, 2, lr=0.1, reg=reg) == pytest.approx(loss.item(), abs=1e-12)
    for leaf, row in zip(leaves, (users[1], items[0], items[2]), strict=True):
        assert row == pytest.approx((leaf - 0.1 * leaf.grad).detach().numpy(), abs=1e-9)


@check
@given(st.integers(1, 30), st.data(), SEEDS)
def test_a_negative_is_never_a_positive(n_items, data, seed):
    positives = data.draw(st.sets(st.integers(0, n_items - 1)))
    rng = np.random.default_rng(seed)
    if len(positives) == n_items:
        with pytest.raises(ValueError, match="no negative"):
            W["W07"].sample_negative(rng, positives, n_items)
    else:
        assert W["W07"].sample_negative(rng, positives, n_items) in set(range(n_items)) - positives


@check
@given(SEEDS, st.integers(1, 8), st.integers(1, 9), st.floats(0.05, 5), st.booleans(), st.booleans())
def test_the_in_batch_loss_is_the_courses(seed, batch, n_items, temperature, with_log_q, with_known):
    rng = np.random.default_rng(seed)
    users, items, ids = rng.normal(size=(batch, 4)), rng.normal(size=(batch, 4)), rng.integers(0, n_items, batch)
    log_q = np.log(rng.dirichlet(np.ones(batch))) if with_log_q else None
    known = rng.random((batch, batch)) < 0.3 if with_known else None
    arguments = users, items, ids, log_q
    tensors = [None if a is None else torch.as_tensor(a) for a in (*arguments, known)]
    want = losses.in_batch_softmax_loss(*tensors[:4], temperature, tensors[4])
    got = W["W08"].in_batch_loss(*arguments, temperature, known)
    assert got == pytest.approx(want.item(), rel=1e-4, abs=1e-5)


@check
@given(SEEDS, st.integers(1, 3), st.integers(1, 6), st.sampled_from([1, 2, 4]), st.booleans())
def test_attention_is_torchs(seed, batch, length, n_heads, causal):
    rng = np.random.default_rng(seed)
    x, weights = rng.normal(size=(batch, length, 8)), {name: rng.normal(size=(8, 8)) for name in "qkvo"}
    keep = rng.random((batch, length)) < 0.7
    keep[:, 0] = True
    split = [torch.tensor(x @ weights[n]).view(batch, length, n_heads, -1).transpose(1, 2) for n in "qkv"]
    mask = torch.tensor(keep)[:, None, None, :]
    if causal:
        mask = mask & torch.ones(length, length, dtype=torch.bool).tril()
    heads = F.scaled_dot_product_attention(*split, attn_mask=mask)
    want = heads.transpose(1, 2).reshape(batch, length, 8).numpy() @ weights["o"]
    assert W["W11"].multi_head_attention(x, weights, n_heads, keep, causal) == pytest.approx(want, abs=1e-8)


@check
@given(SEEDS, st.integers(1, 20), st.integers(1, 8), st.sets(st.integers(0, 19)))
def test_a_beam_as_wide_as_a_connected_graph_is_exact(seed, n, k, deleted):
    rng = np.random.default_rng(seed)
    away = rng.integers(0, 9, n).astype(float)
    links = [[int(rng.integers(n)), (node + 1) % n, (node - 1) % n] for node in range(n)]
    got = W["W18"].search(lambda node: float(away[node]), links, int(rng.integers(n)), k, n, deleted)
    assert got == sorted((away[node], node) for node in range(n) if node not in deleted)[:k]


@check
@given(
    st.lists(st.one_of(st.integers(0, 8).map(float), st.just(math.nan), st.just(math.inf)), max_size=20),
    st.integers(1, 4),
    st.sampled_from(["min", "max"]),
    st.sampled_from([0.0, 1.0, 2.5]),
    st.integers(0, 20),
)
def test_early_stopping_is_a_look_at_the_whole_history_restarted_anywhere(values, patience, mode, min_delta, cut):
    stopper, best, at = W["W20"].EarlyStopping(patience, mode, min_delta), None, -1
    for step, value in enumerate(values):
        if step == cut:
            stopper = W["W20"].EarlyStopping.resume(stopper.state())
        gain = math.inf if best is None else best - value if mode == "min" else value - best
        if math.isfinite(value) and gain > min_delta:
            best, at = value, step
        assert stopper.step(value) is (step - at >= patience)
    assert (stopper.best, stopper.best_step) == (best, None if best is None else at)


@check
@given(SEEDS, st.integers(1, 30), st.floats(0.1, 10))
def test_off_policy_estimates_agree_with_each_other_where_they_must(seed, n, clip):
    rng, estimate = np.random.default_rng(seed), W["W25"]
    rewards, values = rng.normal(size=n), rng.normal(size=n)
    log = rng.uniform(0.05, 1, n), rng.uniform(0, 1, n)
    weights = np.minimum(log[1] / log[0], clip)
    assert estimate.ips(rewards, *log, clip) == pytest.approx((weights * rewards).mean())
    assert estimate.snips(rewards, *log, clip) == pytest.approx(np.average(rewards, weights=weights))
    zero = np.zeros(n)
    assert estimate.doubly_robust(rewards, *log, zero, zero, clip) == pytest.approx(estimate.ips(rewards, *log, clip))
    assert estimate.doubly_robust(rewards, *log, rewards, values, clip) == pytest.approx(values.mean())
    assert 0 < estimate.effective_size(*log) <= n + 1e-9
