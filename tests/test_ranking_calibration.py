"""Calibration: what was said against what happened, and how to repair it."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from torch import tensor

from recsys_course.metrics import auc
from recsys_course.ranking import calibration_error, log_loss, prior_shift, reliability


def test_prior_shift_by_hand():
    """2 clicks and 8 other rows, of which one in ten was kept: 2 in 82."""
    assert prior_shift(tensor([0.2]), 0.1).item() == pytest.approx(2 / 82)
    assert prior_shift(tensor([0.0, 0.3, 1.0]), 1.0).tolist() == pytest.approx([0, 0.3, 1])
    for keep in (0, -1, 1.5, math.nan):
        with pytest.raises(ValueError, match="keep must be above 0 and at most 1"):
            prior_shift(tensor([0.5]), keep)


@settings(deadline=None)
@given(st.floats(0.01, 0.99), st.floats(0.01, 1.0))
def test_prior_shift_inverts_the_sampling(chance, keep):
    sampled = chance / (chance + (1 - chance) * keep)
    assert prior_shift(tensor([sampled], dtype=torch.float64), keep).item() == pytest.approx(chance)


@settings(deadline=None)
@given(st.integers(0, 1000), st.floats(0.01, 1.0))
def test_prior_shift_changes_no_order(seed, keep):
    generator = torch.Generator().manual_seed(seed)
    p, y = torch.rand(50, generator=generator, dtype=torch.float64), torch.rand(50, generator=generator) < 0.4
    assert auc(prior_shift(p, keep), y) == pytest.approx(auc(p, y), nan_ok=True)


def test_isotonic_regression_makes_ties_and_changes_auc():
    generator = torch.Generator().manual_seed(0)
    p = torch.rand(600, generator=generator, dtype=torch.float64)
    y = torch.bernoulli(p * 0.5, generator=generator)
    early, late = slice(0, 300), slice(300, 600)
    mapped = IsotonicRegression(out_of_bounds="clip").fit(p[early], y[early]).predict(p[late])
    assert len(tensor(mapped).unique()) < 40
    assert auc(tensor(mapped), y[late] > 0) != pytest.approx(auc(p[late], y[late] > 0), abs=1e-3)


def test_reliability_by_hand():
    """Four rows in two bins: 0.1 and 0.3 said, one of two happened; 0.6 and 1.0 said, both happened."""
    found = reliability(tensor([0.6, 0.1, 1.0, 0.3]), tensor([1.0, 0.0, 1.0, 1.0]), n_bins=2)
    assert found.predicted.tolist() == pytest.approx([0.2, 0.8])
    assert found.happened.tolist() == [0.5, 1.0] and found.n.tolist() == [2, 2]
    error = calibration_error(tensor([0.6, 0.1, 1.0, 0.3]), tensor([1.0, 0.0, 1.0, 1.0]), n_bins=2)
    assert error == pytest.approx((0.3 + 0.2) / 2)
    with pytest.raises(ValueError, match="4 rows do not fill 10 bins"):
        reliability(torch.ones(4), torch.ones(4))


def test_bins_of_unequal_size_count_by_their_rows():
    """Three rows in two bins, two and one: distances 0 and 0.9 weigh 2 to 1."""
    p, y = tensor([0.0, 0.0, 0.1]), tensor([0.0, 0.0, 1.0])
    assert calibration_error(p, y, n_bins=2) == pytest.approx(0.9 / 3)


def test_the_truth_is_calibrated_and_its_double_is_not():
    p = torch.rand(100_000, generator=torch.Generator().manual_seed(0)) / 2
    y = torch.bernoulli(p, generator=torch.Generator().manual_seed(1))
    assert calibration_error(p, y) < 0.01
    assert calibration_error(2 * p, y) == pytest.approx(0.25, abs=0.01)
    assert calibration_error(p.mean().expand(len(p)), y) < 0.01, "a constant is calibrated and useless"


def test_log_loss_by_hand_at_the_ends_and_against_a_true_chance():
    assert log_loss(tensor([0.5, 0.25]), tensor([1.0, 0.0])) == pytest.approx((math.log(2) - math.log(0.75)) / 2)
    assert log_loss(tensor([0.0]), tensor([1.0])) == pytest.approx(math.log(1e6))
    assert log_loss(tensor([0.3]), tensor([0.3])) == pytest.approx(-0.3 * math.log(0.3) - 0.7 * math.log(0.7))
    assert log_loss(tensor([0.3]), tensor([0.3])) < log_loss(tensor([0.31]), tensor([0.3]))
