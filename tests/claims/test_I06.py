"""What the answer to I06 (design of an A/B test) states."""

import numpy as np
from scipy.stats import chisquare, norm

from recsys_course import claim


def power(p, lift, n):
    """Chance that a two-sided z-test with ``n`` users in each arm finds the lift at 5 %."""
    error = np.sqrt((p * (1 - p) + (p + lift) * (1 - p - lift)) / n)
    return float(norm.sf(1.96 - lift / error))


def test_the_rule_of_sixteen_gives_four_chances_in_five():
    n = 16 * 0.05 * 0.95 / 0.001**2
    claim(
        "I06.rule-of-16",
        "From 5.0 % to 5.1 % the rule asks for 760,000 users in each arm, and they find the lift with 80 % power",
        abs(n - 760_000) < 1e-3 and abs(power(0.05, 0.001, n) - 0.80) < 0.01,
    )
    claim(
        "I06.half-the-lift",
        "Half the lift takes four times the users: 760,000 find a lift of 0.05 points with a power near 29 %",
        abs(power(0.05, 0.0005, 4 * n) - 0.80) < 0.01 and abs(power(0.05, 0.0005, n) - 0.29) < 0.02,
    )


def test_ten_looks_at_nothing_find_something_in_one_test_of_five():
    """A test statistic without an effect is a random walk; it stops at the first look beyond 1.96."""
    steps = np.random.default_rng(0).normal(size=(50_000, 10))
    z = steps.cumsum(axis=1) / np.sqrt(np.arange(1, 11))
    alarms = (abs(z) > 1.96).any(axis=1).mean()
    claim(
        "I06.ten-looks",
        "Without an effect, ten looks that stop at p < 0.05 raise a false alarm in 19 % of tests, one look in 5 %",
        abs(alarms - 0.19) < 0.01 and abs((abs(z[:, -1]) > 1.96).mean() - 0.05) < 0.005,
    )


def test_a_covariate_from_before_removes_its_squared_correlation():
    draw = np.random.default_rng(0)
    before = draw.normal(size=200_000)
    after = 0.7 * before + np.sqrt(1 - 0.7**2) * draw.normal(size=200_000)
    theta = np.cov(before, after)[0, 1] / before.var(ddof=1)
    left = (after - theta * before).var() / after.var()
    claim(
        "I06.cuped",
        "A pre-period metric that correlates at 0.7 leaves 51 % of the variance, and so halves the users needed",
        abs(left - 0.51) < 0.01,
    )


def test_a_split_that_looks_even_is_not():
    p = chisquare([502_000, 498_000]).pvalue
    claim(
        "I06.srm",
        "502,000 against 498,000 users in a 50:50 test has a p-value below 0.0001: stop and find the cause",
        p < 0.0001 and chisquare([500_500, 499_500]).pvalue > 0.05,
    )


def false_alarms(by_user, n_tests=1_000, n_users=1_000):
    """Share of A/A tests on clicks per impression with p < 0.05, by the delta method over users or by impressions.

    Each user has a click rate, 10 % on average, and 1 to 100 impressions.
    """
    draw = np.random.default_rng(0)
    views = draw.integers(1, 101, size=(2, n_tests, n_users))
    clicks = draw.binomial(views, draw.beta(1, 9, size=views.shape))
    rate = clicks.sum(2) / views.sum(2)  # [2, n_tests]
    spread = (clicks - rate[..., None] * views).var(axis=2, ddof=1) / n_users / views.mean(2) ** 2
    variance = spread if by_user else rate * (1 - rate) / views.sum(2)
    z = (rate[0] - rate[1]) / np.sqrt(variance.sum(0))
    return float((abs(z) > 1.96).mean())


def test_impressions_of_one_user_are_not_independent():
    claim(
        "I06.impressions",
        "With users of different click rates, over 30 % of A/A tests on impressions raise a false alarm",
        false_alarms(by_user=False) > 0.3,
    )
    claim(
        "I06.delta-method",
        "The delta method over users brings the false alarms of the same tests back to about 5 %",
        abs(false_alarms(by_user=True) - 0.05) < 0.02,
    )
