"""A world with known truth, what can be estimated from its logs, and A/B tests in it."""

import math

import numpy as np
import pytest
import torch
from torch import tensor

from recsys_course.metrics.experiments import ab_sample_size, peek, z_score
from recsys_course.metrics.offpolicy import effective_sample_size, importance_weights, ips, snips
from recsys_course.simulate import Log, World, softmax_policy

WORLD = World(n_users=40, n_items=12)
LOGGING = WORLD.popular_policy()
TARGET = WORLD.personal_policy(temperature=0.5)
N_EVENTS, N_LOGS = 4000, 300


def target_of(log: Log, policy: torch.Tensor = TARGET) -> torch.Tensor:
    return policy[log.users, log.items]


@pytest.fixture(scope="module")
def logs() -> list[Log]:
    return [WORLD.log(LOGGING, N_EVENTS, seed) for seed in range(N_LOGS)]


@pytest.fixture(scope="module")
def values(logs) -> dict[str, np.ndarray]:
    """Four estimates of the target's value from each log; two of them are wrong on purpose."""
    columns = {"ips": [], "snips": [], "no weights": [], "target as weight": []}
    for log in logs:
        target = target_of(log)
        columns["ips"].append(ips(log.clicks, log.propensities, target).value)
        columns["snips"].append(snips(log.clicks, log.propensities, target).value)
        columns["no weights"].append(float(log.clicks.mean()))
        columns["target as weight"].append(float((target * log.clicks).sum() / target.sum()))
    return {name: np.array(column) for name, column in columns.items()}


def errors_from_truth(estimates: np.ndarray, truth: float) -> float:
    """Distance of the mean estimate from the truth, in standard errors of that mean."""
    return abs(estimates.mean() - truth) / (estimates.std(ddof=1) / math.sqrt(len(estimates)))


# --- the world


def test_a_world_and_its_logs_are_decided_by_their_seeds_and_by_nothing_else():
    torch.manual_seed(1)
    same, other = World(40, 12), World(40, 12, seed=1)
    assert torch.equal(same.click_rates, WORLD.click_rates) and not torch.equal(other.click_rates, WORLD.click_rates)
    first, again, third = (WORLD.log(LOGGING, 100, seed=s) for s in (5, 5, 6))
    assert torch.equal(first.items, again.items) and torch.equal(first.clicks, again.clicks)
    assert not torch.equal(first.items, third.items)


def test_policies_are_probabilities():
    for policy in (LOGGING, TARGET, WORLD.popular_policy(0.1)):
        assert policy.shape == (40, 12) and (policy > 0).all()
        torch.testing.assert_close(policy.sum(dim=1), torch.ones(40, dtype=torch.float64))
    assert LOGGING.unique(dim=0).shape[0] == 1 and TARGET.unique(dim=0).shape[0] == 40


def test_softmax_policy_by_hand_and_from_greedy_to_uniform():
    scores = tensor([0.0, math.log(3.0)])
    torch.testing.assert_close(softmax_policy(scores), tensor([0.25, 0.75], dtype=torch.float64))
    torch.testing.assert_close(softmax_policy(scores, 1e-3), tensor([0.0, 1.0], dtype=torch.float64))
    torch.testing.assert_close(softmax_policy(scores, 1e9), tensor([0.5, 0.5], dtype=torch.float64))
    with pytest.raises(ValueError, match="temperature must be above 0, got 0"):
        softmax_policy(scores, 0)


def test_the_value_of_a_policy_is_the_sum_over_all_pairs():
    expected = sum(float(TARGET[u, i]) * float(WORLD.click_rates[u, i]) for u in range(40) for i in range(12)) / 40
    assert WORLD.value(TARGET) == pytest.approx(expected)
    best = torch.nn.functional.one_hot(WORLD.click_rates.argmax(dim=1), 12).double()
    assert WORLD.value(best) == pytest.approx(float(WORLD.click_rates.amax(dim=1).mean()))
    assert WORLD.value(best) > WORLD.value(TARGET) > 1.5 * WORLD.value(LOGGING)


def test_a_log_shows_items_as_often_as_its_policy_says_to_users_drawn_evenly():
    log = WORLD.log(TARGET, 200_000)
    shown = torch.bincount(log.users * 12 + log.items, minlength=40 * 12).reshape(40, 12)
    expected = 200_000 / 40 * TARGET
    assert ((shown - expected).abs() < 5 * expected.sqrt() + 1).all()
    assert torch.equal(log.propensities, TARGET[log.users, log.items])


def test_clicks_happen_at_the_true_rate():
    log = WORLD.log(TARGET, 200_000)
    assert set(log.clicks.tolist()) == {0.0, 1.0}
    surprise = (log.clicks - WORLD.click_rates[log.users, log.items]).sum()
    assert abs(surprise) < 4 * (200_000 * 0.25) ** 0.5
    assert abs(log.clicks.mean() - WORLD.value(TARGET)) < 4 * (0.25 / 200_000) ** 0.5


def test_under_the_uniform_policy_an_item_is_as_popular_as_its_true_click_rate():
    policy = WORLD.uniform_policy()
    assert (policy == 1 / 12).all() and policy.shape == (40, 12)
    likes = WORLD.likes(WORLD.log(policy, 200_000))
    expected = 200_000 / 12 * WORLD.click_rates.mean(0)
    assert ((likes.item_counts() - expected).abs() < 5 * expected.sqrt()).all()


def test_likes_are_the_clicked_events_in_their_order_and_of_the_whole_world():
    log = Log(tensor([3, 0, 3, 3]), tensor([5, 1, 2, 0]), tensor([1.0, 0.0, 0.0, 1.0]), torch.full((4,), 0.1))
    likes = WORLD.likes(log)
    assert (likes.users.tolist(), likes.items.tolist(), likes.ratings.tolist()) == ([3, 3], [5, 0], [5, 5])
    assert (likes.n_users, likes.n_items) == (40, 12)


def test_a_wider_spread_of_appeal_makes_items_more_unequal_and_changes_no_taste():
    flat, steep = (World(40, 12, spread=s).click_rates.logit() for s in (0.0, 2.0))
    assert steep.mean(0).std() > 3 * flat.mean(0).std()
    torch.testing.assert_close(steep - steep[:1], flat - flat[:1])
    torch.testing.assert_close(World(40, 12, spread=0.5).click_rates, WORLD.click_rates)


# --- off-policy estimates


def test_ips_and_snips_by_hand():
    """Weights 2, 1 / 2 and 0 on rewards 1, 1, 0: IPS (2 + 1 / 2) / 3, SNIPS 2.5 / 2.5, worth 6.25 / 4.25 events."""
    rewards, shown, target = tensor([1.0, 1.0, 0.0]), tensor([0.25, 0.5, 0.5]), tensor([0.5, 0.25, 0.0])
    assert ips(rewards, shown, target).value == pytest.approx(2.5 / 3)
    assert snips(rewards, shown, target).value == pytest.approx(1)
    assert ips(rewards, shown, target).n_effective == pytest.approx(6.25 / 4.25)
    assert effective_sample_size(tensor([3.0, 3.0, 3.0])) == pytest.approx(3)
    assert str(ips(rewards, shown, target)).startswith("0.8333 [-0.")


def test_a_policys_own_log_gives_its_plain_mean_and_counts_every_event():
    log = WORLD.log(LOGGING, 1000)
    for estimator in (ips, snips):
        own = estimator(log.clicks, log.propensities, log.propensities)
        assert own.value == pytest.approx(float(log.clicks.mean())) and own.n_effective == pytest.approx(1000)


def test_ips_is_unbiased(values):
    assert errors_from_truth(values["ips"], WORLD.value(TARGET)) < 3


@pytest.mark.parametrize("wrong", ["no weights", "target as weight"])
def test_an_estimate_that_forgets_the_propensity_is_biased(values, wrong):
    assert errors_from_truth(values[wrong], WORLD.value(TARGET)) > 10


def test_snips_varies_less_than_ips_here_and_is_biased_by_less_than_it_varies(values):
    assert values["snips"].std() < 0.95 * values["ips"].std()
    assert abs(values["snips"].mean() - WORLD.value(TARGET)) < 0.2 * values["snips"].std()


def test_snips_follows_a_shift_of_all_rewards_and_ips_does_not(logs):
    log, target = logs[0], target_of(logs[0])
    moved = [
        e(log.clicks + 10, log.propensities, target).value - e(log.clicks, log.propensities, target).value
        for e in (snips, ips)
    ]
    assert moved[0] == pytest.approx(10) and abs(moved[1] - 10) > 0.01


@pytest.mark.parametrize("estimator", [ips, snips])
def test_the_interval_covers_the_truth_about_95_times_in_100(estimator, logs):
    estimates = [estimator(log.clicks, log.propensities, target_of(log)) for log in logs]
    covered = np.mean([e.low <= WORLD.value(TARGET) <= e.high for e in estimates])
    assert 0.91 <= covered <= 0.985


def test_a_target_further_from_the_log_is_worth_fewer_events_and_less_certain(logs):
    log = logs[0]
    near, far = (ips(log.clicks, log.propensities, target_of(log, WORLD.personal_policy(t))) for t in (2.0, 0.2))
    assert near.n_effective > 2 * far.n_effective
    assert near.high - near.low < far.high - far.low


def test_what_the_logging_policy_never_shows_is_invisible_and_ips_too_low():
    """Half of the items are never shown: the estimate misses exactly their part of the target's value."""
    blind = LOGGING.clone()
    blind[:, 6:] = 0
    blind /= blind.sum(dim=1, keepdim=True)
    visible = TARGET.clone()
    visible[:, 6:] = 0
    log = WORLD.log(blind, 100_000)
    estimate = ips(log.clicks, log.propensities, target_of(log))
    assert estimate.low <= WORLD.value(visible) <= estimate.high < WORLD.value(TARGET)


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (([1, 0], [0.5, 0.0], [0.5, 0.5]), "event 1 has propensity 0: what was shown had a chance above 0"),
        (([1, 0], [-0.5, 0.1], [0.5, 0.5]), "event 0 has propensity -0.5"),
        (([1, 0], [1.5, 0.1], [0.5, 0.5]), "event 0 has propensity 1.5"),
        (([1, 0], [0.5, float("nan")], [0.5, 0.5]), "event 1 has propensity nan"),
        (([1, 0], [0.5, 0.5], [0.5, 1.5]), "target must hold probabilities from 0 to 1"),
        (([1, 0], [0.5, 0.5], [0.5, float("nan")]), "target must hold probabilities from 0 to 1"),
        (([1], [0.5, 0.5], [0.5, 0.5]), r"give one number an event: got shapes \[1\] and \[2\]"),
        (([1, 0], [0.5, 0.5], [0.5]), r"give one number an event: got shapes \[1\] and \[2\]"),
        (([], [], []), r"give one number an event: got shapes \[0\] and \[0\]"),
    ],
)
def test_impossible_logs_are_refused_in_a_sentence(columns, sentence):
    for estimator in (ips, snips):
        with pytest.raises(ValueError, match=sentence):
            estimator(*(tensor(column, dtype=torch.float32) for column in columns))


def test_importance_weights_are_target_over_propensity_in_float64():
    weights = importance_weights(tensor([0.5, 0.25]), tensor([0.25, 1.0]))
    assert weights.tolist() == [0.5, 4] and weights.dtype == torch.float64


# --- A/B tests


def test_five_percent_to_five_point_one_needs_about_three_quarters_of_a_million_in_each_arm():
    assert ab_sample_size(0.05, 0.001) == 752_703
    assert ab_sample_size(0.05, 0.001) == pytest.approx(16 * 0.05 * 0.95 / 0.001**2, rel=0.01)


def test_sample_size_falls_with_the_square_of_the_lift_and_grows_with_what_is_promised():
    base = ab_sample_size(0.05, 0.001)
    assert ab_sample_size(0.05, 0.002) == pytest.approx(base / 4, rel=0.02)
    assert ab_sample_size(0.05, -0.001) == pytest.approx(base, rel=0.03)
    assert ab_sample_size(0.05, 0.001, power=0.9) == pytest.approx(1.34 * base, rel=0.01)
    assert ab_sample_size(0.05, 0.001, alpha=0.01) == pytest.approx(1.49 * base, rel=0.01)


@pytest.mark.parametrize(("p", "lift"), [(0, 0.1), (1, -0.1), (0.5, 0), (0.5, 0.5), (0.1, -0.2), (float("nan"), 0.1)])
def test_impossible_rates_are_refused(p, lift):
    with pytest.raises(ValueError, match=r"p and p \+ lift must lie between 0 and 1 and differ"):
        ab_sample_size(p, lift)


@pytest.mark.parametrize(("p", "lift"), [(0.05, 0.01), (0.5, 0.1), (0.2, -0.02)])
def test_the_sample_size_has_the_power_that_it_promises(p, lift):
    power = peek(ab_sample_size(p, lift), 1, n_experiments=20_000, p=p, lift=lift)
    assert power == pytest.approx(0.8, abs=0.015)


def test_z_score_by_hand():
    """10 of 100 against 20 of 100: mean .15, error sqrt(2 * .15 * .85 / 100)."""
    assert float(z_score(10, 20, 100)) == pytest.approx(0.1 / math.sqrt(2 * 0.15 * 0.85 / 100))
    assert z_score(np.array([0, 100]), np.array([0, 100]), 100).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("n_looks", "rate"), [(1, 0.05), (2, 0.083), (5, 0.142), (10, 0.193), (20, 0.248), (50, 0.320)]
)
def test_peeking_raises_false_alarms_as_armitage_mcpherson_and_rowe_computed(n_looks, rate):
    found = peek(50_000, n_looks, n_experiments=20_000, p=0.5)
    assert found == pytest.approx(rate, abs=0.01)


def test_looks_need_not_divide_the_users_evenly():
    assert peek(1001, 10, 20_000, p=0.5) == pytest.approx(0.193, abs=0.012)


@pytest.mark.parametrize("n_looks", [0, 11])
def test_impossible_looks_are_refused(n_looks):
    with pytest.raises(ValueError, match=f"n_looks must lie between 1 and n_per_arm = 10, got {n_looks}"):
        peek(10, n_looks)


def test_the_seed_decides_a_peeking_simulation():
    assert peek(1000, 5, 500, seed=1) == peek(1000, 5, 500, seed=1) != peek(1000, 5, 500, seed=2)


def test_an_ab_test_in_the_world_finds_the_lift_that_the_off_policy_estimate_foretold(logs):
    lift = WORLD.value(TARGET) - WORLD.value(LOGGING)
    n = ab_sample_size(WORLD.value(LOGGING), lift, power=0.999)
    arms = [WORLD.log(policy, n, seed=s).clicks.sum().item() for s, policy in ((1, LOGGING), (2, TARGET))]
    assert z_score(*arms, n) > 1.96
    foretold = snips(logs[0].clicks, logs[0].propensities, target_of(logs[0]))
    assert foretold.low > WORLD.value(LOGGING)
