"""GF-CF against its formula on dense matrices."""

import numpy as np
import pytest
import torch
from torch import tensor

from contract import N_USERS, personalised, uneven
from recsys_course.data import Interactions
from recsys_course.models import GFCF

TestGFCF = personalised(GFCF, rank=2)


def dense_scores(likes: np.ndarray, rank: int, alpha: float) -> np.ndarray:
    """The paper's formula in float64, ``[n_users, n_items]``; degrees of 0 count as 1."""
    users, items = (np.diag(np.maximum(likes.sum(axis=side), 1.0) ** -0.5) for side in (1, 0))
    normalised = users @ likes @ items
    right = np.linalg.svd(normalised)[2][:rank].T
    return likes @ (normalised.T @ normalised + alpha * items @ right @ right.T @ np.linalg.inv(items))


@pytest.mark.parametrize(("rank", "alpha"), [(1, 0.3), (3, 2.0), (100, 1.0), (4, 0.0)])
def test_scores_equal_the_formula_on_dense_matrices(rank, alpha):
    likes = uneven().positives().matrix().toarray().astype(np.float64)
    scores = GFCF(rank, alpha).fit(uneven()).scores(torch.arange(N_USERS))
    np.testing.assert_allclose(scores, dense_scores(likes, min(rank, 8), alpha), atol=1e-5)


def test_the_first_patterns_of_a_larger_table_are_those_of_the_whole_decomposition():
    rng = np.random.default_rng(0)
    taste = rng.normal(size=(300, 6)) @ rng.normal(size=(6, 200)) + rng.normal(size=200)
    likes = (taste > 2.5).astype(np.float64)
    model = GFCF(rank=6, alpha=0.5).fit(Interactions.from_events(*likes.nonzero(), n_users=300, n_items=200))
    np.testing.assert_allclose(model.scores(torch.arange(300)), dense_scores(likes, 6, 0.5), atol=1e-3)


def test_one_step_by_hand():
    """Users 0 and 1 like items 0 and 1; item 2 is user 1's alone. Without patterns user 0 reaches item 2 through
    user 1: 1/3 over the roots of the degrees of both ends, 2 and 1, from each of its two likes."""
    train = Interactions.from_events([0, 0, 1, 1, 1], [0, 1, 0, 1, 2], n_items=4)
    scores = GFCF(rank=1, alpha=0.0).fit(train).scores(tensor([0]))[0]
    assert scores[2].item() == pytest.approx(2 / 3 / 2**0.5) and scores[3].item() == 0


def test_without_a_like_every_score_is_0():
    nothing = Interactions.from_events([], [], n_users=1, n_items=8)
    model = GFCF().fit(uneven())
    assert not model.scores(tensor([0]), nothing).any()
    assert model.recommend(tensor([12]), 3).tolist() == [[0, 1, 2]]


def test_a_rank_below_1_is_refused():
    with pytest.raises(ValueError, match="rank must be at least 1, got 0"):
        GFCF(rank=0).fit(uneven())
