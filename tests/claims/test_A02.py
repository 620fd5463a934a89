"""What the answer to A02 (recommendation, search, ads) states."""

import numpy as np
import torch
from scipy.special import xlogy

from recsys_course import claim
from recsys_course.base import top_k


def test_an_inflated_score_changes_no_list_but_every_probability():
    draw = np.random.default_rng(0)
    truth = draw.uniform(0.01, 0.3, size=(500, 40))
    clicks = draw.random(truth.shape) < truth
    log_loss = lambda p: float(-(xlogy(clicks, p) + xlogy(~clicks, 1 - p)).mean())  # noqa: E731
    same_lists = torch.equal(top_k(torch.from_numpy(truth), 10), top_k(torch.from_numpy(1.2 * truth), 10))
    claim(
        "A02.scale-order",
        "Multiplying every score by 1.2 changes no list of ten, and makes the log loss worse",
        same_lists and log_loss(1.2 * truth) > log_loss(truth),
    )


def test_a_factor_on_one_of_two_heads_moves_the_list():
    """A score that adds a click and a finish probability with equal weights."""
    click, finish = np.random.default_rng(0).uniform(0.01, 0.3, size=(2, 500, 40))
    before, after = (top_k(torch.from_numpy(factor * click + finish), 10) for factor in (1.0, 1.2))
    moved = float((before != after).any(dim=1).double().mean())
    claim(
        "A02.scale-one-head",
        "Where two heads are added up, multiplying one by 1.2 changes the list of ten for nearly every user",
        moved > 0.9,
    )


def rank_and_price(bids, click_rates):
    """Generalised second price: sort by bid times click rate, the winner pays the least that keeps the place."""
    value = np.asarray(bids) * click_rates
    first, second = np.argsort(-value)[:2]
    return int(first), float(value[second] / click_rates[first])


def test_a_common_factor_cancels_while_every_ad_pays_per_click():
    bids, rates = (2.0, 1.5, 1.0), np.array([0.05, 0.06, 0.04])
    winner, price = rank_and_price(bids, rates)
    inflated_winner, inflated_price = rank_and_price(bids, 1.2 * rates)
    claim(
        "A02.scale-pure-cpc",
        "If all ads pay by the click in a second-price auction, a common factor of 1.2 moves neither winner nor price",
        winner == inflated_winner and abs(price - inflated_price) < 1e-9 and abs(price - 1.8) < 1e-9,
    )


def test_a_common_factor_gives_the_place_to_the_wrong_ad_when_payments_mix():
    per_click_bid, click_rate, per_thousand_bid = 1.00, 0.040, 45.0
    earned_by_click_ad = 1000 * per_click_bid * click_rate
    believed = 1.2 * earned_by_click_ad
    claim(
        "A02.scale-mixed-auction",
        "An ad worth 40 dollars per thousand views beats one that pays 45 if its click rate is believed 20 % too high",
        earned_by_click_ad < per_thousand_bid < believed and abs(earned_by_click_ad - 40) < 1e-9,
    )
