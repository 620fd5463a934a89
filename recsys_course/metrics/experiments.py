"""A/B tests: how many users one needs, and what looking early does to the error that was promised."""

from math import ceil, sqrt
from statistics import NormalDist

import numpy as np


def ab_sample_size(p: float, lift: float, alpha: float = 0.05, power: float = 0.8) -> int:
    r"""Users per arm to find a change of a click rate from ``p`` to ``p + lift`` in a two-sided test.

    .. math:: n = \left( \frac{z_{1 - \alpha / 2} \sqrt{2 \bar p (1 - \bar p)}
        + z_{\text{power}} \sqrt{p_1 (1 - p_1) + p_2 (1 - p_2)}}{p_2 - p_1} \right)^2

    with :math:`\bar p` the mean of both rates; each user counts once. With the usual 5 % and 80 % it is close to
    :math:`16 \sigma^2 / \delta^2`. Source: Fleiss, Levin and Paik, Statistical Methods for Rates and Proportions,
    3rd edition, 2003, chapter 4.

    Args:
        p: click rate of the control arm.
        lift: smallest absolute difference worth finding: 0.001 for 5.0 % to 5.1 %.
        alpha: chance of a false alarm when nothing changed.
        power: chance of a finding when the lift is real.

    Raises:
        ValueError: a rate lies outside 0 to 1, or there is no lift.

    >>> ab_sample_size(0.5, 0.1)
    388
    """
    if not (0 < p < 1 and 0 < p + lift < 1 and lift):
        raise ValueError(f"p and p + lift must lie between 0 and 1 and differ, got {p} and {p + lift}")
    z = NormalDist().inv_cdf
    mean, variance = p + lift / 2, p * (1 - p) + (p + lift) * (1 - p - lift)
    root = z(1 - alpha / 2) * sqrt(2 * mean * (1 - mean)) + z(power) * sqrt(variance)
    return ceil((root / lift) ** 2)


def z_score(clicks_a, clicks_b, n):
    r"""How many standard errors arm B is ahead of arm A, both with ``n`` users; beyond 1.96 lies p < .05.

    .. math:: z = \frac{\hat p_B - \hat p_A}{\sqrt{2 \bar p (1 - \bar p) / n}}

    Numbers or arrays that broadcast; 0 where nobody or everybody clicked.
    """
    mean = (clicks_a + clicks_b) / (2 * n)
    error = np.sqrt(2 * mean * (1 - mean) / n)
    return (clicks_b - clicks_a) / n / np.where(error > 0, error, np.inf)


def peek(
    n_per_arm: int, n_looks: int, n_experiments: int = 2000, seed: int = 0, *, p: float = 0.05, lift: float = 0.0
) -> float:
    """Share of simulated A/B tests that are stopped as a success or a harm at one of several equally spaced looks.

    Without a lift it is the rate of false alarms: 5 % with one look, about 19 % with ten (Armitage, McPherson and
    Rowe, JRSS A 132(2), 1969). With a lift and one look it is the power.

    Args:
        n_per_arm: users in each arm at the last look.
        n_looks: how often the result is looked at; the test stops as soon as p < .05.
        n_experiments: how many tests are simulated.
        seed: of the simulation.
        p: click rate of arm A.
        lift: what arm B has more.

    Raises:
        ValueError: there is less than one look, or fewer users than looks.
    """
    if not 1 <= n_looks <= n_per_arm:
        raise ValueError(f"n_looks must lie between 1 and n_per_arm = {n_per_arm}, got {n_looks}")
    n = np.arange(1, n_looks + 1) * n_per_arm // n_looks  # [n_looks], users in each arm at each look
    new, generator = np.diff(n, prepend=0), np.random.default_rng(seed)
    a, b = (generator.binomial(new, rate, (n_experiments, n_looks)).cumsum(axis=1) for rate in (p, p + lift))
    return float((abs(z_score(a, b, n)) > 1.96).any(axis=1).mean())
