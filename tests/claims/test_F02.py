"""What the answer to F02 (ESMM and what it leaves unsolved) states."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from recsys_course import claim


def test_with_a_free_rate_for_each_cell_both_are_the_same_number():
    draw = np.random.default_rng(0)
    cell = draw.integers(20, size=200_000)
    clicked = draw.random(200_000) < np.linspace(0.02, 0.4, 20)[cell]
    bought = clicked & (draw.random(200_000) < np.linspace(0.3, 0.1, 20)[cell])
    shown, clicks, buys = (np.bincount(cell, x, minlength=20) for x in (np.ones(200_000), clicked, bought))
    claim(
        "F02.table",
        "A free rate for each of 20 cells: conversions over clicks and the ratio of the two full-space rates are equal",
        np.allclose(buys / clicks, (buys / shown) / (clicks / shown)),
    )


def test_what_nobody_observed_stays_in_both():
    draw = np.random.default_rng(1)
    n = 1_000_000
    keen = draw.random(n) < 0.5  # not a feature
    chance = np.where(keen, 0.2, 0.02)
    clicked = draw.random(n) < chance
    would_buy = draw.random(n) < np.where(keen, 0.3, 0.05)
    bought = clicked & would_buy
    clicks_only, full_space = bought.sum() / clicked.sum(), bought.mean() / clicked.mean()
    weighted = (bought / chance).sum() / (clicked / chance).sum()
    claim(
        "F02.hidden",
        "Half of the users are keen and nobody knows who: they click 20 % and would convert 30 %, the others 2 % and "
        "5 %. Conversion of all 17.5 %; by clicks alone and by ESMM's ratio 28 %; clicks weighted by the true chance "
        "of a click 17.5 %",
        abs(clicks_only - 0.277) < 0.005
        and abs(full_space - clicks_only) < 1e-12
        and abs(weighted - 0.175) < 0.006
        and abs(would_buy.mean() - 0.175) < 0.002,
    )


@pytest.fixture(scope="module")
def curve():
    """Impressions over one feature: clicks rise with it, the conversion rate rises and falls again."""
    x = torch.linspace(-2, 2, 401, dtype=torch.float64)
    click, convert = torch.sigmoid(-3 + 1.5 * x), 0.05 + 0.3 * torch.exp(-((x + 0.5) ** 2))
    return x, click, convert


def fitted(loss, x):
    """Rates of a straight line on the logit with the lowest expected loss."""
    line = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    solver = torch.optim.LBFGS([line], max_iter=500, line_search_fn="strong_wolfe")

    def closure():
        solver.zero_grad()
        value = loss(torch.sigmoid(line[0] + line[1] * x))
        value.backward()
        return value

    solver.step(closure)
    return torch.sigmoid(line[0] + line[1] * x).detach()


def cross_entropy(rate, truth, weight):
    return -(weight * (truth * rate.log() + (1 - truth) * (1 - rate).log())).mean()


def test_the_full_space_counts_an_impression_by_its_click_rate(curve):
    x, click, convert = curve
    everything = fitted(lambda v: cross_entropy(v, convert, torch.ones_like(x)), x)
    clicks_only = fitted(lambda v: cross_entropy(v, convert, click), x)
    full_space = fitted(lambda v: cross_entropy(click * v, click * convert, torch.ones_like(x)), x)
    error = [float((v - convert).square().mean().sqrt()) for v in (clicks_only, full_space, everything)]
    claim(
        "F02.misspecified",
        "A straight line for a conversion rate that rises and falls, exact expectations and click rates: root mean "
        "squared error over all impressions 0.17 when fitted on clicks, 0.19 by ESMM's product, 0.10 when every "
        "impression counts alike",
        np.allclose(error, [0.170, 0.187, 0.0955], atol=0.004),
    )


def test_the_push_on_the_conversion_head_is_scaled_by_the_click_rate():
    logit = torch.tensor(-2.197225, requires_grad=True)  # a conversion rate of 0.1
    F.binary_cross_entropy(0.01 * torch.sigmoid(logit), torch.tensor(0.0)).backward()
    full = float(logit.grad)
    logit.grad = None
    F.binary_cross_entropy_with_logits(logit, torch.tensor(0.0)).backward()
    claim(
        "F02.gradient",
        "An impression without conversion, click rate 0.01, conversion rate 0.1: through the product the conversion "
        "head gets 0.9 % of the push that a click without conversion gives it",
        abs(full / float(logit.grad) - 0.009) < 0.0002,
    )


def test_dividing_two_estimates():
    draw = np.random.default_rng(2)
    both, click = (rate * np.exp(draw.normal(-0.045, 0.3, size=1_000_000)) for rate in (0.01, 0.02))
    ratio = both / click
    claim(
        "F02.ratio",
        "Click rate 0.02 and product 0.01, each estimated without bias and with an independent spread of about 30 %: "
        "the ratio is 9 % too high on average and above 1 in 5 % of the cases",
        abs(ratio.mean() / 0.5 - 1.094) < 0.01 and abs((ratio > 1).mean() - 0.051) < 0.004,
    )


def test_weights_by_the_click_rate_are_noisy():
    draw = np.random.default_rng(3)
    chance = 1 / (1 + np.exp(4 - 1.5 * draw.normal(size=1_000_000)))
    weight = 1 / chance[draw.random(1_000_000) < chance]
    effective = weight.sum() ** 2 / (weight**2).sum() / len(weight)
    claim(
        "F02.effective",
        "Click rates of 4.4 % on average with a spread of 1.5 on the logit: weights of one over the rate leave an "
        "effective 15 % of the clicks",
        abs(effective - 0.148) < 0.03 and abs(chance.mean() - 0.044) < 0.002,
    )
