"""What the answer to F06 (measure and repair calibration) states."""

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score

from recsys_course import claim


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def logit(p):
    return np.log(p / (1 - p))


def ece(p, clicked, bins=10, equal_mass=True):
    """Expected calibration error: gap between mean prediction and click rate by bin, weighted by rows."""
    inner = np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1]) if equal_mass else np.linspace(0, 1, bins + 1)[1:-1]
    at = np.searchsorted(inner, p)
    n, predicted, seen = (np.bincount(at, w, minlength=bins) for w in (np.ones(len(p)), p, clicked))
    return float(np.abs(predicted - seen).sum() / n.sum())


@pytest.fixture(scope="module")
def world():
    """True click rates around 3 %, clicks, and a model that orders well and doubles every logit's distance."""
    draw = np.random.default_rng(0)
    score = draw.normal(-3.5, 1, size=120_000)
    clicked = draw.random(len(score)) < sigmoid(score)
    return sigmoid(score), sigmoid(2 * score + 3.5), clicked.astype(float)


def test_auc_sees_no_calibration(world):
    truth, wrong, clicked = world
    claim(
        "F06.auc",
        "Logits stretched by two and shifted: the same AUC as the true rates, a calibration error of 0.055 "
        "instead of under 0.002",
        abs(roc_auc_score(clicked, truth) - roc_auc_score(clicked, wrong)) < 1e-12
        and ece(truth, clicked) < 0.002
        and abs(ece(wrong, clicked) - 0.055) < 0.003,
    )


def test_one_global_ratio_can_be_right_and_every_slice_wrong():
    draw = np.random.default_rng(1)
    late, p = draw.random(200_000) < 0.5, np.full(200_000, 0.02)
    clicked = draw.random(200_000) < np.where(late, 0.03, 0.01)
    ratio = [clicked[s].sum() / p[s].sum() for s in (late | ~late, late, ~late)]
    claim(
        "F06.slices",
        "Rates of 3 % and 1 % in two slices of one size, 2 % predicted for all: observed over predicted 1.0 overall, "
        "1.5 and 0.5 in the slices; global calibration error under 0.001",
        np.allclose(ratio, [1, 1.5, 0.5], atol=0.04) and ece(p, clicked.astype(float)) < 0.001,
    )


def test_a_perfect_model_has_an_error_by_chance():
    draw, found = np.random.default_rng(2), {}
    for n in (1_000, 100_000):
        runs = []
        for _ in range(30):
            p = sigmoid(draw.normal(-3.5, 1, size=n))
            runs.append(ece(p, (draw.random(n) < p).astype(float)))
        found[n] = np.mean(runs)
    claim(
        "F06.chance",
        "True rates around 4.5 %, ten bins of equal size: a calibration error of 0.015 on 1,000 rows and 0.0014 "
        "on 100,000 by chance alone",
        abs(found[1_000] - 0.0154) < 0.002 and abs(found[100_000] - 0.0014) < 0.0002,
    )


def test_bins_of_equal_width_hold_nearly_all_rows_in_one(world):
    truth, _, _ = world
    share = (truth < 0.1).mean()
    claim("F06.width", "Of these rates 90 % lie in the first of ten bins of equal width", abs(share - 0.904) < 0.005)


def repaired(world, n, seed):
    """Log loss on 40,000 new rows: as it is, by Platt's two numbers, by isotonic steps fitted on ``n`` rows."""
    _, wrong, clicked = world
    rows = np.random.default_rng(seed).choice(80_000, n, replace=False)
    new = slice(80_000, None)
    x = logit(wrong)[:, None]
    platt = LogisticRegression(C=1e6).fit(x[rows], clicked[rows]).predict_proba(x[new])[:, 1]
    steps = IsotonicRegression(out_of_bounds="clip").fit(wrong[rows], clicked[rows]).predict(wrong[new]).clip(1e-4, 1)
    return [log_loss(clicked[new], p) for p in (wrong[new], platt, steps)], (platt, steps)


def test_few_rows_are_for_two_numbers(world):
    few = np.mean([repaired(world, 500, seed)[0] for seed in range(5)], axis=0)
    many = np.mean([repaired(world, 50_000, seed)[0] for seed in range(2)], axis=0)
    claim(
        "F06.platt",
        "Log loss on new rows: 0.200 as it is; fitted on 500 rows 0.165 by Platt and 0.229 by isotonic regression, on "
        "50,000 rows 0.161 and 0.161; the true rates have 0.161",
        np.allclose(few, [0.1998, 0.165, 0.229], atol=0.01)
        and np.allclose(many, [0.1998, 0.1609, 0.1611], atol=0.002)
        and abs(log_loss(world[2][80_000:], world[0][80_000:]) - 0.1609) < 0.001,
    )


def test_isotonic_steps_make_ties(world):
    _, wrong, clicked = world
    _, (platt, steps) = repaired(world, 500, 0)
    auc = [roc_auc_score(clicked[80_000:], p) for p in (wrong[80_000:], platt, steps)]
    claim(
        "F06.ties",
        "Held-out AUC: 0.761 before, the same after Platt, 0.744 after isotonic regression on 500 rows, which leaves "
        "fewer than 300 different values among 40,000 rows",
        auc[0] == auc[1] and np.allclose(auc[1:], [0.7613, 0.7436], atol=0.004) and len(np.unique(steps)) < 300,
    )


def test_a_map_for_each_slice_changes_the_order():
    draw = np.random.default_rng(3)
    ad, score = draw.random(100_000) < 0.5, draw.normal(-3, 1, size=100_000)
    clicked = draw.random(100_000) < sigmoid(score + np.where(ad, 1.0, -1.0))
    p = sigmoid(score)
    mapped = sigmoid(score + np.where(ad, 1.0, -1.0))  # the right map of each slice
    auc = [roc_auc_score(clicked, x) for x in (p, mapped)]
    within = [roc_auc_score(clicked[s], x[s]) for s in (ad, ~ad) for x in (p, mapped)]
    claim(
        "F06.by-slice",
        "Two slices, each with its own strictly increasing map: AUC from 0.73 to 0.82, unchanged within each slice",
        np.allclose(auc, [0.735, 0.820], atol=0.006) and within[0] == within[1] and within[2] == within[3],
    )


def test_small_slices_need_shrinkage():
    draw = np.random.default_rng(4)
    true = draw.gamma(25, 1 / 25, size=4_000)  # true ratio of each advertiser, mean 1, standard deviation 0.2
    expected = np.full(4_000, 5.0)  # 5 predicted clicks each
    seen = draw.poisson(true * expected)
    raw, shrunk = seen / expected, (seen + 25) / (expected + 25)
    error = [np.sqrt(((x - true) ** 2).mean()) for x in (np.ones(4_000), raw, shrunk)]
    claim(
        "F06.shrink",
        "Advertisers with 5 predicted clicks each and true ratios that spread by 0.2: the root of the mean squared "
        "error is 0.20 with no correction, 0.44 with each one's own ratio, 0.18 with 25 clicks at ratio 1 added",
        np.allclose(error, [0.198, 0.445, 0.178], atol=0.012),
    )


def test_the_best_by_an_unbiased_estimate_is_over_predicted():
    draw = np.random.default_rng(5)
    true = np.exp(draw.normal(-3.5, 0.5, size=(5_000, 100)))
    guess = true * np.exp(draw.normal(-0.045, 0.3, size=true.shape))  # right on average
    first = guess.argmax(1)[:, None]
    ratio = np.take_along_axis(guess, first, 1).sum() / np.take_along_axis(true, first, 1).sum()
    claim(
        "F06.winner",
        "100 candidates, true rates with a spread of 0.5 on the logarithm, unbiased estimates with one of 0.3: "
        "predicted over true is 1.0 over all and 1.39 for the winners",
        abs(guess.sum() / true.sum() - 1) < 0.005 and abs(ratio - 1.39) < 0.02,
    )
