"""What the answer to D06 (a tenth of the negatives kept) states."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from recsys_course import claim


def undo(p, rate):
    return p / (p + (1 - p) / rate)


def test_the_formula_in_numbers():
    claim(
        "D06.example",
        "One negative in ten kept: a prediction of 0.2 means 0.0244, not 0.02; 0.5 means 0.091, 0.9 means 0.474",
        np.allclose([undo(p, 0.1) for p in (0.2, 0.5, 0.9)], [0.0244, 0.0909, 0.4737], atol=1e-4),
    )
    odds = np.array([0.01, 0.2, 0.7])
    claim(
        "D06.logit",
        "The correction adds the logarithm of the rate to the logit, -2.30 for a tenth",
        np.allclose(np.log(undo(odds, 0.1) / (1 - undo(odds, 0.1))), np.log(odds / (1 - odds)) + np.log(0.1))
        and abs(np.log(0.1) + 2.3026) < 1e-4,
    )
    rows, clicks = 1e10, 1.5e8
    claim(
        "D06.rows",
        "10 billion impressions with a click rate of 1.5 %, a tenth of the negatives kept: 1.14 billion rows",
        abs(clicks + 0.1 * (rows - clicks) - 1.135e9) < 1e6,
    )


@pytest.fixture(scope="module")
def impressions():
    """Two features, a click rate of about 2 %; train and test of 200,000 rows each, and the true rate."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(400_000, 2))
    rate = 1 / (1 + np.exp(4.3 - x[:, 0] - 0.5 * x[:, 1]))
    return x, draw.random(len(x)) < rate, rate, draw.random(len(x))


def halves(impressions):
    x, clicked, rate, coin = impressions
    return (x[:200_000], clicked[:200_000], coin[:200_000]), (x[200_000:], clicked[200_000:], rate[200_000:])


def logistic(x, clicked, weights=None):
    return LogisticRegression(C=1e6).fit(x, clicked, sample_weight=weights)


def test_auc_hides_it_and_the_sum_shows_it(impressions):
    (x, clicked, coin), (new, new_clicks, _) = halves(impressions)
    kept = clicked | (coin < 0.1)
    raw = logistic(x[kept], clicked[kept]).predict_proba(new)[:, 1]
    fixed = undo(raw, 0.1)
    claim(
        "D06.ratio",
        "Logistic regression on clicks and a tenth of the negatives, new impressions at the full rate: predicted over "
        "observed clicks 6.9 raw, 1.0 after the correction; the AUC is the same",
        abs(raw.sum() / new_clicks.sum() - 6.93) < 0.2
        and abs(fixed.sum() / new_clicks.sum() - 1) < 0.05
        and roc_auc_score(new_clicks, raw) == roc_auc_score(new_clicks, fixed),
    )


def test_a_rate_that_depends_on_the_user_needs_each_rows_own_rate(impressions):
    (x, clicked, coin), (new, new_clicks, _) = halves(impressions)
    rate = lambda x: np.where(x[:, 0] > 0, 0.5, 0.05)  # noqa: E731  heavy users keep more
    kept = clicked | (coin < rate(x))
    step = lambda x: np.column_stack([x, x[:, 0] > 0])  # noqa: E731
    raw = logistic(step(x[kept]), clicked[kept]).predict_proba(step(new))[:, 1]
    average = (kept & ~clicked).sum() / (~clicked).sum()
    single, own = undo(raw, average), undo(raw, rate(new))
    auc = [roc_auc_score(new_clicks, p) for p in (single, own)]
    heavy = new[:, 0] > 0
    ratios = [(p[s].sum() / new_clicks[s].sum()) for p in (single, own) for s in (heavy, ~heavy)]
    claim(
        "D06.by-user",
        "Half of the negatives kept for one half of the users and a twentieth for the other: with one average rate "
        "predicted over observed clicks is 0.55 and 5.3 in the two halves, AUC 0.62; with each row's own rate both "
        "ratios are 1.0 within 5 % and the AUC is 0.78",
        np.allclose(ratios, [0.55, 5.3, 1, 1], rtol=0.05) and np.allclose(auc, [0.62, 0.782], atol=0.01),
    )


def test_weights_instead_of_a_correction(impressions):
    (x, clicked, coin), (new, new_clicks, _) = halves(impressions)
    kept = clicked | (coin < 0.1)
    weighted = logistic(x[kept], clicked[kept], np.where(clicked[kept], 1, 10)).predict_proba(new)[:, 1]
    claim(
        "D06.weights",
        "Kept negatives with weight 10 instead of the correction: predicted over observed clicks 1.0 within 5 %",
        abs(weighted.sum() / new_clicks.sum() - 1) < 0.05,
    )


def test_what_the_thrown_away_rows_were_worth():
    draw = np.random.default_rng(0)
    clicks = draw.binomial(10_000, 0.015, size=20_000)
    others = 10_000 - clicks
    full = np.log(clicks / others)
    down = np.log(clicks / (draw.binomial(others, 0.1) / 0.1))
    spread = down.std() / full.std()
    claim(
        "D06.noise",
        "Click rate 1.5 %, a tenth of the negatives: the estimated log odds spread 7 % wider, on 11 % of the rows",
        abs(spread - 1.065) < 0.015 and abs(0.015 + 0.1 * 0.985 - 0.1135) < 1e-9,
    )


def test_a_head_off_by_eight_turns_the_order():
    like, share = np.array([0.02, 0.01]), np.array([0.001, 0.05])
    value = lambda like: like + share  # noqa: E731
    raw = np.array([p / (p + 0.1 * (1 - p)) for p in like])  # what the model says in the sampled world
    claim(
        "D06.sum",
        "Two items, click 0.02 and 0.01, share 0.001 and 0.05: their sum prefers the second, and the first once the "
        "clicks are left in the sampled world, where they are 0.17 and 0.09",
        value(like).argmax() == 1 and value(raw).argmax() == 0 and np.allclose(raw, [0.169, 0.092], atol=0.001),
    )
