"""EASE against one ridge regression for each item, and what it refuses."""

import numpy as np
import psutil
import pytest
import torch
from torch import tensor

from contract import N_USERS, personalised, uneven
from recsys_course.base import check_memory, device
from recsys_course.data import Interactions
from recsys_course.models import EASE, Popularity

TestEASE = personalised(EASE, reg=1.0)


def ridge_by_item(table: np.ndarray, reg: float) -> np.ndarray:
    """``[n_items, n_items]``: column j is the ridge regression of item j on all the others."""
    n_items = table.shape[1]
    weights = np.zeros((n_items, n_items))
    for item in range(n_items):
        others = np.arange(n_items) != item
        x, y = table[:, others], table[:, item]
        weights[others, item] = np.linalg.solve(x.T @ x + reg * np.eye(n_items - 1), x.T @ y)
    return weights


@pytest.mark.parametrize("reg", [0.1, 1.0, 200.0])
def test_ease_equals_one_ridge_regression_for_each_item(reg):
    model = EASE(reg).fit(uneven())
    table = model.likes_.matrix().toarray()
    np.testing.assert_allclose(model.weights_, ridge_by_item(table, reg), atol=1e-5)
    np.testing.assert_allclose(model.scores(torch.arange(N_USERS)), table @ ridge_by_item(table, reg), atol=1e-5)


def test_a_tiny_penalty_is_computed_in_double_precision():
    """Items 2n and 2n + 1 are liked by the same users: with this penalty the matrix has no inverse in float32."""
    random = np.random.default_rng(0)
    pairs = [(user, 2 * twin + side) for user in range(400) for twin in random.permutation(10)[:4] for side in (0, 1)]
    model = EASE(reg=1e-5).fit(Interactions.from_events(*zip(*pairs, strict=True)))
    expected = ridge_by_item(model.likes_.matrix().toarray().astype(np.float64), 1e-5)
    np.testing.assert_allclose(model.weights_, expected, atol=1e-4)
    with pytest.raises(ValueError, match="EASE with reg 1e-18 has no inverse on these events: take a larger reg"):
        EASE(reg=1e-18).fit(model.train_)


@pytest.mark.parametrize("reg", [0.0, -1.0, float("nan")])
def test_a_penalty_that_leaves_no_inverse_is_refused(reg):
    with pytest.raises(ValueError, match=f"EASE needs reg above 0, got {reg}"):
        EASE(reg).fit(uneven())


def test_what_does_not_fit_in_memory_is_refused_before_it_starts_and_says_what_it_needs():
    train = Interactions.from_events([0], [0], n_users=1, n_items=10_000_000)
    with pytest.raises(ValueError, match=r"EASE on 10,000,000 items needs 1,200,000\.0 GB of memory and .* are free"):
        EASE().fit(train)


def test_memory_is_refused_just_above_what_is_free():
    if device().type == "cuda":
        pytest.skip("measures the memory of the processor")
    check_memory(psutil.virtual_memory().available // 2, "half of it")
    with pytest.raises(ValueError, match="twice as much needs"):
        check_memory(psutil.virtual_memory().available * 2, "twice as much")


def test_a_model_without_ratings_says_so():
    with pytest.raises(ValueError, match="Popularity predicts no ratings: use scores or recommend"):
        Popularity().fit(uneven()).predict(tensor([0]), tensor([0]))
