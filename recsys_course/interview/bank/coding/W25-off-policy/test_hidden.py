"""Tests that are run when an answer is handed in."""

import math

import numpy as np
from answer import doubly_robust, effective_size, ips, snips

from recsys_course.interview.expect import Growth, close, edge, raises, safety, true


def _log(seed, n=40):
    rng = np.random.default_rng(seed)
    return rng.normal(size=n), rng.uniform(0.05, 1, n), rng.uniform(0, 1, n), rng.normal(size=n), rng.normal(size=n)


def _weights(propensities, chances, clip=math.inf):
    return [min(c / p, clip) for p, c in zip(propensities, chances, strict=True)]


def _simulate(seed, n=4000):
    """Two actions; the old policy shows the better one seldom, the new one often."""
    rng = np.random.default_rng(seed)
    shown = rng.random(n) < 0.2
    rewards = (rng.random(n) < np.where(shown, 0.6, 0.1)).astype(float)
    return shown, rewards, np.where(shown, 0.2, 0.8), np.where(shown, 0.7, 0.3)


def test_ips_by_hand():
    """IPS agrees with a sum by hand."""
    rewards, propensities, chances, _, _ = _log(1)
    pairs = zip(_weights(propensities, chances), rewards, strict=True)
    close(ips(rewards, propensities, chances), sum(w * r for w, r in pairs) / 40, "ips of 40 random events")


def test_doubly_robust_by_hand():
    """Doubly robust agrees with a sum by hand."""
    rewards, propensities, chances, guesses, values = _log(2)
    rows = zip(_weights(propensities, chances, 3.0), rewards, guesses, values, strict=True)
    want = sum(v + w * (r - g) for w, r, g, v in rows) / 40
    close(doubly_robust(rewards, propensities, chances, guesses, values, 3.0), want, "doubly_robust, 40 events, clip 3")


def test_the_effective_size():
    """One heavy weight makes many events worth few."""
    close(
        effective_size([0.01] + [1.0] * 9, [1.0] + [0.1] * 9),
        100.9**2 / 10000.09,
        "effective_size, weights 100, 0.1 x 9",
    )


def test_all_three_find_the_truth():
    """In a simulated log all three come near 0.45, though the log's own mean is 0.2."""
    estimates = []
    for seed in range(20):
        shown, rewards, propensities, chances = _simulate(seed)
        guesses = np.where(shown, 0.5, 0.2)
        log = rewards, propensities, chances
        estimates.append((ips(*log), snips(*log), doubly_robust(*log, guesses, np.full(len(shown), 0.41))))
    for name, got in zip(("ips", "snips", "doubly_robust"), np.mean(estimates, axis=0), strict=True):
        close(float(got), 0.45, f"the mean of {name} over 20 logs of 4,000 events", tolerance=0.02)


@edge("clipping")
def test_clipping():
    """Weights above the clip count as the clip, in all three; the others stay."""
    rewards, propensities, chances, guesses, values = _log(3)
    weights = np.array(_weights(propensities, chances, 1.5))
    close(ips(rewards, propensities, chances, 1.5), float((weights * rewards).mean()), "ips with clip=1.5")
    want = float((weights * rewards).sum() / weights.sum())
    close(snips(rewards, propensities, chances, clip=1.5), want, "snips with clip=1.5")
    want = float((values + weights * (rewards - guesses)).mean())
    close(doubly_robust(rewards, propensities, chances, guesses, values, clip=1.5), want, "doubly_robust, clip=1.5")


@edge("self-normalised")
def test_a_constant_reward():
    """A constant reward is returned by SNIPS exactly, and a shift of all rewards shifts it."""
    rewards, propensities, chances, _, _ = _log(4)
    close(snips(np.full(40, 0.7), propensities, chances), 0.7, "snips of a constant reward of 0.7")
    want = snips(rewards, propensities, chances) + 5
    close(snips(rewards + 5, propensities, chances), want, "snips with 5 added to each reward")


@edge("wrong-model")
def test_perfect_and_useless_guesses():
    """Perfect guesses make the weights irrelevant, useless ones give IPS."""
    rewards, propensities, chances, _, values = _log(5)
    close(doubly_robust(rewards, propensities, chances, rewards, values), float(values.mean()), "perfect guesses")
    zero = np.zeros(40)
    want = ips(rewards, propensities, chances)
    close(doubly_robust(rewards, propensities, chances, zero, zero), want, "guesses and values of 0")


@edge("no-weight")
def test_a_policy_that_never_agrees():
    """All weights 0: IPS is 0, SNIPS is NaN, the effective size 0."""
    with np.errstate(all="ignore"):
        close(ips([1, 1], [0.5, 0.5], [0, 0]), 0.0, "ips where all chances are 0")
        close(snips([1, 1], [0.5, 0.5], [0, 0]), math.nan, "snips where all chances are 0")
        close(effective_size([0.5, 0.5], [0, 0]), 0.0, "effective_size where all chances are 0")


def _calls(propensities, chances):
    n = len(propensities)
    ones = [1.0] * n
    yield "ips", lambda: ips(ones, propensities, chances)
    yield "snips", lambda: snips(ones, propensities, chances)
    yield "doubly_robust", lambda: doubly_robust(ones, propensities, chances, ones, ones)
    yield "effective_size", lambda: effective_size(propensities, chances)


@edge("zero-propensity")
def test_a_propensity_of_zero():
    """A propensity of 0 is refused, even where the chance is 0 too; a clip does not excuse it."""
    for name, call in [*_calls([0.5, 0.0], [0.5, 0.5]), *_calls([0.5, 0.0], [0.5, 0.0])]:
        raises(ValueError, call, f"{name} with propensities 0.5 and 0")
    raises(ValueError, lambda: ips([1, 1], [0.5, 0.0], [0.5, 0.5], clip=2.0), "ips with a propensity of 0 and clip=2")


@edge("bad-probability")
def test_no_probabilities():
    """Propensities or chances that are NaN, negative or above 1 are refused."""
    for bad in (1.5, -0.1, math.nan):
        for name, call in [*_calls([0.5, bad], [0.5, 0.5]), *_calls([0.5, 0.5], [0.5, bad])]:
            raises(ValueError, call, f"{name} with a probability of {bad}")


@edge("empty")
def test_no_event():
    """No event is refused."""
    for name, call in _calls([], []):
        raises(ValueError, call, f"{name} of no event")


@safety
def test_columns_of_different_length():
    """Columns of different length, which broadcasting would hide, are refused."""
    raises(ValueError, lambda: ips([1.0], [0.5, 0.5], [0.5, 0.5]), "ips of 1 reward and 2 propensities")
    raises(ValueError, lambda: ips([1, 0], [[0.5], [0.5]], [0.5, 0.5]), "ips with propensities of shape [2, 1]")
    raises(ValueError, lambda: doubly_robust([1, 0], [1, 1], [1, 1], [0.5], [0.5, 0.5]), "doubly_robust with 1 guess")


@safety
def test_integers_and_inputs():
    """Integer columns are not divided as integers, single precision is summed safely, inputs stay."""
    close(ips(np.array([1, 0]), np.array([1, 1]), np.array([1, 0])), 0.5, "ips of integer columns")
    n = 200_000
    column = np.full(n, 0.1, dtype=np.float32)
    close(snips(column, np.ones(n, dtype=np.float32), column), 0.1, "snips of 200,000 small weights", 1e-6)
    propensities, chances = np.array([0.5, 0.25]), np.array([0.5, 1.0])
    got = ips(np.array([1.0, 1.0]), propensities, chances, clip=2.0)
    true(isinstance(got, float), f"expected a float, got a {type(got).__name__}")
    close(propensities, [0.5, 0.25], "the propensities afterwards")
    close(chances, [0.5, 1.0], "the chances afterwards")


def _prepare(n):
    rewards, propensities, chances, guesses, values = _log(0, n)
    log = rewards, propensities, chances
    return lambda: (ips(*log), snips(*log), doubly_robust(*log, guesses, values), effective_size(*log[1:]))


GROWTH = Growth(_prepare, exponent=1, start=2000)
