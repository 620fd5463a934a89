"""Tests that are red on the code as it was found, and green once it is mended."""

import numpy as np
from answer import auc, train_with_early_stopping

from recsys_course.interview.expect import close, true


def _draw(rng, logits):
    return (rng.random(len(logits)) < 1 / (1 + np.exp(-logits))).astype(int)


def test_a_coin_promises_nothing():
    """Where clicks are drawn by a coin, about one half is promised."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(1_500, 300)), rng.integers(2, size=1_500)
    _, promised = train_with_early_stopping(x, y)
    true(0.4 < promised < 0.6, f"an AUC of {promised:.2f} is promised for clicks that were drawn by a coin")


def test_the_promise_is_kept():
    """Where every week has campaigns of its own, the promise holds for the campaigns to come."""
    rng = np.random.default_rng(2)
    campaign = np.arange(2_500) // 20
    x = np.column_stack([rng.normal(size=2_500), 20.0 * (campaign[:, None] == np.arange(125))])
    y = _draw(rng, x[:, 0] + 2 * rng.normal(size=125)[campaign])
    model, promised = train_with_early_stopping(x[:2_000], y[:2_000])
    kept = auc(y[2_000:], model.predict(x[2_000:]))
    true(promised < kept + 0.1, f"an AUC of {promised:.2f} is promised; on the rows that follow it is {kept:.2f}")


def test_the_model_is_not_overfitted():
    """On features that invite overfitting, the model is nearly as good on new rows as the best that can be had."""
    rng = np.random.default_rng(3)
    weights = np.repeat([0.15, 0.0], [4, 296])
    x = rng.normal(size=(3_300, 300)) * np.repeat([6.0, 1.5], [4, 296])
    y = _draw(rng, x @ weights)
    model, _ = train_with_early_stopping(x[:300], y[:300])
    found = auc(y[300:], model.predict(x[300:]))
    true(found > 0.805, f"on 3,000 new rows the model has an AUC of {found:.3f}; 0.84 can be had by stopping in time")


def test_signal_is_found():
    """Where one feature tells all, the model finds it and the promise is high."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(1_000, 3))
    y = (x[:, 0] > 0).astype(int)
    model, promised = train_with_early_stopping(x[:500], y[:500])
    true(promised > 0.95, f"an AUC of {promised:.2f} is promised where one feature tells all")
    true(auc(y[500:], model.predict(x[500:])) > 0.95, "one feature tells all, and the model does not use it")


def test_the_area_under_the_curve():
    """AUC counts pairs; equal scores count half."""
    close(auc(np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])), 0.75, "auc of scores .1 .4 .35 .8")
    close(auc(np.array([0, 1, 1]), np.ones(3)), 0.5, "auc of equal scores")
