"""What the answer to H01 (which metrics) states."""

import numpy as np
import torch
from scipy.special import xlogy

from recsys_course import claim, metrics


def clicks_of_users(n_users=400, n_views=50, seed=0):
    """Each user has a click rate, and every view of a user has the same chance: there is nothing to order."""
    draw = np.random.default_rng(seed)
    rates = np.repeat(draw.beta(1, 9, n_users).clip(max=0.49), n_views)
    users = np.repeat(np.arange(n_users), n_views)
    return users, rates, draw.random(len(rates)) < rates


def auc(scores, labels):
    return metrics.auc(torch.from_numpy(scores), torch.from_numpy(labels))


def test_knowing_who_clicks_a_lot_buys_auc_and_orders_nothing():
    users, rates, clicks = clicks_of_users()
    per_user = metrics.gauc(*map(torch.from_numpy, (users, rates, clicks))).value
    claim(
        "H01.auc-between-users",
        "A model that knows only each user's click rate has an AUC above 0.7 and a per-user AUC of exactly 0.5",
        auc(rates, clicks) > 0.7 and abs(per_user - 0.5) < 1e-9,
    )


def test_doubling_every_probability_leaves_auc_alone():
    _, rates, clicks = clicks_of_users()
    log_loss = lambda p: float(-(xlogy(clicks, p) + xlogy(~clicks, 1 - p)).mean())  # noqa: E731
    claim(
        "H01.auc-ignores-scale",
        "Doubling every predicted probability leaves AUC as it was and makes the log loss worse",
        abs(auc(2 * rates, clicks) - auc(rates, clicks)) < 1e-12 and log_loss(2 * rates) > log_loss(rates),
    )


def test_never_predicting_a_click_is_99_percent_accurate():
    clicks = torch.arange(10_000) < 100
    never = torch.zeros(10_000)
    accuracy = float((never.bool() == clicks).float().mean())
    claim(
        "H01.accuracy",
        "At a click rate of 1 %, predicting no click ever is 99 % accurate and has an AUC of 0.5",
        abs(accuracy - 0.99) < 1e-6 and metrics.auc(never, clicks) == 0.5,
    )


def test_average_precision_cannot_see_that_the_favourite_came_last():
    """Two liked items, rated 5 and 4, at ranks 1 and 3 in either order."""
    hits, n = torch.tensor([[True, False, True]]), torch.tensor([2])
    ap = float(metrics.average_precision(hits, n))
    discount = 1 / np.log2([2, 3, 4])
    graded = [float((np.array(gains) * discount).sum()) for gains in ([5, 0, 4], [4, 0, 5])]
    claim(
        "H01.graded",
        "Swapping a film rated 5 at rank 1 with one rated 4 at rank 3 lowers DCG and leaves average precision at 0.83",
        abs(ap - 5 / 6) < 1e-6 and graded[0] > graded[1],
    )
