"""Tests that are red on the code as it was found, and green once it is mended."""

import numpy as np
import pandas as pd
from answer import FEATURES, add_features, auc, later_scores

from recsys_course.interview.expect import true


def _log(rows, users, items, seed):
    """Impressions whose clicks are drawn by a coin."""
    draw = np.random.default_rng(seed)
    user, item = draw.integers(users, size=rows), draw.integers(items, size=rows)
    return pd.DataFrame(
        {"time": 60 * np.arange(rows), "user": user, "item": item, "click": draw.integers(2, size=rows)}
    )


def _features(log):
    return add_features(log.copy()).sort_values("time")[FEATURES].to_numpy(dtype=float)


def test_a_click_is_unknown_until_it_has_happened():
    """Whether a row was clicked changes no feature of this row, nor of a row before it."""
    log = _log(60, 4, 5, seed=0)
    before = _features(log)
    for row in (0, 7, 30, 59):
        other = log.copy()
        other.loc[row, "click"] = 1 - other.loc[row, "click"]
        changed = (_features(other) != before).any(axis=1)
        true(not changed[row], f"a click in row {row} of 60 changes the features of this row")
        true(not changed[:row].any(), f"a click in row {row} of 60 changes the features of earlier rows")


def test_views_to_come_are_unknown():
    """The features of a row are the same when the log ends with it."""
    log = _log(60, 4, 5, seed=1)
    whole = _features(log)
    for rows in (1, 8, 31):
        same = np.array_equal(_features(log[:rows]), whole[:rows])
        true(same, f"the first {rows} of 60 rows get other features when the log ends with them")


def test_clicks_that_have_happened_count():
    """An item, and a user, whose past views were clicked has a higher rate than one whose were not."""
    for key, other in (("item", "user"), ("user", "item")):
        column, clicks = f"{key}_ctr", [1, 0] * 20 + [0, 0]
        log = pd.DataFrame({"time": 86_400 * np.arange(42), key: [1, 2] * 21, other: range(42), "click": clicks})
        last = add_features(log).sort_values("time")[column].to_numpy()[-2:]
        true(
            last[0] > last[1] + 0.05, f"{column} after 20 clicked views is {last[0]:.2f}, after 20 others {last[1]:.2f}"
        )


def test_new_items_and_users():
    """The first view of an item by a user has numbers for features."""
    true(np.isfinite(_features(_log(60, 50, 50, seed=2))).all(), "a feature is not a number")


def test_the_order_of_the_file():
    """Rows that come in another order get the same features."""
    log = _log(60, 4, 5, seed=4)
    same = np.allclose(_features(log.sample(frac=1, random_state=0)), _features(log))
    true(same, "the features change when the rows of the log come in another order")


def test_a_coin_cannot_be_predicted():
    """Where clicks are drawn by a coin, the check finds an AUC of about one half."""
    table = add_features(_log(20_000, 2_000, 4_000, seed=3))
    scores = later_scores(table, FEATURES)
    found = auc(table["click"][scores.index], scores)
    true(0.46 < found < 0.54, f"clicks drawn by a coin are predicted with an AUC of {found:.2f}")
