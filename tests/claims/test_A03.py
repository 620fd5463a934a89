"""What the answer to A03 (train for retention) states, in toy worlds with known truth."""

import numpy as np

from recsys_course import claim


def visits(click_rate, satisfied_rate, n_users=200_000, seed=0):
    """Click rate and return rate: a good click brings 70 % back, a regretted one 30 %, no click 50 %."""
    draw = np.random.default_rng(seed)
    clicked = draw.random(n_users) < click_rate
    satisfied = draw.random(n_users) < satisfied_rate
    chance = np.where(clicked, np.where(satisfied, 0.7, 0.3), 0.5)
    return clicked.mean(), (draw.random(n_users) < chance).mean()


def test_bait_doubles_clicks_and_loses_visitors():
    solid_clicks, solid_returns = visits(click_rate=0.15, satisfied_rate=0.8)
    bait_clicks, bait_returns = visits(click_rate=0.30, satisfied_rate=0.2, seed=1)
    claim(
        "A03.bait",
        "Where four of five baited clicks are regretted, bait doubles clicks and lowers returns from 52 % to 46 %",
        1.9 < bait_clicks / solid_clicks < 2.1 and abs(solid_returns - 0.52) < 0.01 and abs(bait_returns - 0.46) < 0.01,
    )


def test_users_who_click_more_return_more_although_more_clicking_drives_them_away():
    """Interest raises clicks and returns; a push for clicks raises clicks alone and costs returns."""
    draw = np.random.default_rng(0)
    interest, pushed = draw.normal(size=20_000), draw.random(20_000) < 0.5
    clicks = interest + 0.5 * pushed + draw.normal(size=20_000)
    returns = interest - 0.2 * pushed + draw.normal(size=20_000)
    correlation = np.corrcoef(clicks, returns)[0, 1]
    effect = lambda y: y[pushed].mean() - y[~pushed].mean()  # noqa: E731
    claim(
        "A03.confounded-proxy",
        "Clicks and returns can correlate at 0.4 or more over users while the change that raises clicks lowers returns",
        correlation > 0.4 and effect(clicks) > 0.4 and effect(returns) < -0.1,
    )
