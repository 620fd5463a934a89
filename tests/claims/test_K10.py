"""What the answer to K10 (dropout, L1, L2: what each changes) states."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Lasso, Ridge
from torch import nn

from recsys_course import claim


def test_dropout_keeps_the_mean_and_is_off_in_evaluation():
    state = torch.random.get_rng_state()
    torch.manual_seed(0)
    layer, x = nn.Dropout(0.5), torch.full((1_000_000,), 2.0)
    noisy, calm = layer.train()(x), layer.eval()(x)
    torch.random.set_rng_state(state)
    claim(
        "K10.mean",
        "Dropout of a half on the value 2: 0 or 4 in training, mean 2.00 and variance 4.0; 2 in evaluation",
        set(noisy.unique().tolist()) == {0.0, 4.0}
        and abs(float(noisy.mean()) - 2) < 0.01
        and abs(float(noisy.var()) - 4) < 0.02
        and bool((calm == 2).all()),
    )


def test_in_linear_regression_dropout_is_a_ridge_scaled_by_the_data():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(100, 5)) * [3, 2, 1, 0.5, 0.2]
    y = x @ np.ones(5) + draw.normal(size=100)
    p = 0.3
    masks = (draw.random((20_000, 100, 5)) > p) / (1 - p)
    noisy = masks * x
    gram = np.einsum("mni,mnj->ij", noisy, noisy) / len(masks)
    cross = np.einsum("mni,n->i", noisy, y) / len(masks)
    dropout = np.linalg.solve(gram, cross)
    ridge = np.linalg.solve(x.T @ x + p / (1 - p) * np.diag((x**2).sum(0)), x.T @ y)
    plain = np.linalg.lstsq(x, y, rcond=None)[0]
    claim(
        "K10.dropout-is-ridge",
        "Least squares with dropout p on the inputs: the solution of ridge with penalty p / (1 - p) times each "
        "column's sum of squares, and shorter than without",
        np.abs(dropout - ridge).max() < 0.02 and np.linalg.norm(dropout) < 0.9 * np.linalg.norm(plain),
    )


@pytest.fixture(scope="module")
def star_wars(random_splits):
    """Likes of 300 well-known films, and of Star Wars, for all users: what its neighbours are."""
    likes = random_splits[0].train.positives().matrix().toarray()
    order = np.argsort(-likes.sum(0))[:301]
    return likes[:, order[1:]], likes[:, order[0]]


def test_l1_sets_weights_to_zero_and_l2_does_not(star_wars):
    x, y = star_wars
    lasso = Lasso(alpha=0.01).fit(x, y).coef_
    ridge = Ridge(alpha=300).fit(x, y).coef_
    claim(
        "K10.zeros",
        "Likes of the best-known film from those of 300 others: with penalties of 0.01 and 300 L1 leaves 25 weights, "
        "L2 all 300",
        abs((lasso != 0).sum() - 25) <= 1 and (ridge != 0).sum() == 300,
    )


def test_two_twins_share_with_l2_and_fight_with_l1():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(500, 1))
    twins = np.hstack([x, x + 0.01 * draw.normal(size=(500, 1))])
    y = x[:, 0] + 0.1 * draw.normal(size=500)
    ridge, lasso = Ridge(alpha=10).fit(twins, y).coef_, Lasso(alpha=0.1).fit(twins, y).coef_
    claim(
        "K10.twins",
        "Two nearly equal features: L2 gives both about half, L1 all to one",
        abs(ridge[0] - ridge[1]) < 0.05 and min(ridge) > 0.4 and min(lasso) == 0 and max(lasso) > 0.8,
    )


def test_a_gradient_step_on_l1_never_lands_on_zero():
    weights = {"gradient": np.array([0.05, 1.0]), "prox": np.array([0.05, 1.0])}
    for _ in range(1_000):
        weights["gradient"] -= 0.007 * np.sign(weights["gradient"]) + 0.007 * (weights["gradient"] - [0, 2])
        w = weights["prox"] - 0.007 * (weights["prox"] - [0, 2])
        weights["prox"] = np.sign(w) * np.maximum(abs(w) - 0.007, 0)
    claim(
        "K10.prox",
        "L1 of 1 with optima 0 and 2 without it: steps along the sign jump around zero and stay off it, the prox step "
        "gives exactly 0 and 1",
        0 < abs(weights["gradient"][0]) < 0.01 and weights["prox"][0] == 0 and abs(weights["prox"][1] - 1) < 0.01,
    )


def test_under_adam_an_l2_penalty_is_not_weight_decay():
    """Two weights whose gradients are pure noise, one a hundred times louder."""
    loud, left = torch.tensor([1.0, 100.0]), {}
    for name, make in (("l2", torch.optim.Adam), ("decay", torch.optim.AdamW)):
        weight = torch.ones(2, requires_grad=True)
        optimizer, draw = make([weight], lr=0.001, weight_decay=0.1), torch.Generator().manual_seed(0)
        for _ in range(2_000):
            weight.grad = loud * (torch.rand(2, generator=draw) - 0.5)
            optimizer.step()
        left[name] = weight.detach().numpy()
    claim(
        "K10.adamw",
        "Two weights with gradients of noise, one a hundred times louder, decay 0.1, 2,000 steps of 0.001: Adam's L2 "
        "leaves 0.53 of the quiet one and 1.03 of the loud one, AdamW 0.85 and 0.86",
        np.allclose(left["l2"], [0.53, 1.03], atol=0.02) and np.allclose(left["decay"], [0.85, 0.86], atol=0.02),
    )


def test_decay_of_a_whole_table_wears_down_rows_nobody_visits():
    table = nn.Embedding(3, 4)
    nn.init.ones_(table.weight)
    sgd = torch.optim.SGD(table.parameters(), lr=0.1, weight_decay=0.1)
    for _ in range(100):
        sgd.zero_grad()
        table(torch.tensor([0])).sum().mul(0).backward()
        sgd.step()
    claim(
        "K10.unseen-rows",
        "An embedding table with weight decay 0.1 and rate 0.1: after 100 steps a row that never occurred keeps 37 %",
        abs(float(table.weight[2].detach().mean()) - 0.366) < 0.001,
    )
