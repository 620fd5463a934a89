"""Bandits against a truth that is known, and questions by the information in their answers."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import tensor

from recsys_course.bandits import EpsilonGreedy, LinUCB, Thompson, information_gain, play, update_belief
from recsys_course.simulate import Arms


def pulls(policy, arm: int, clicks: list[int]) -> None:
    """The same item, clicked or not, in every game."""
    arms, ones = torch.full((policy.n_games,), arm), torch.ones(policy.n_games, dtype=torch.float64)
    for click in clicks:
        policy.learn(arms, click * ones)


# --- the world


def test_arms_follow_their_features_as_far_as_own_allows():
    told, unknown = (Arms(2000, spread=0.02, own=own, seed=1) for own in (0.0, 1.0))
    for arms, least, most in ((told, 0.999, 1.001), (unknown, -0.001, 0.01)):
        x, y = arms.features, arms.rates
        guess = x @ torch.linalg.lstsq(x, y.unsqueeze(1)).solution.squeeze(1)
        share = float(1 - (y - guess).var() / y.var())
        assert least < share < most
        assert abs(float(y.mean()) - 0.1) < 0.005 and abs(float(y.std()) - 0.02) < 0.002
    assert torch.equal(told.features, unknown.features) and (told.features[:, 0] == 1).all()
    with pytest.raises(ValueError, match="own is a share of the variance, 0 to 1, got 2"):
        Arms(own=2)


def test_clicks_come_at_the_true_rates():
    arms = Arms(3, seed=2)
    clicks = arms.pull(torch.arange(3).repeat(40_000), torch.Generator().manual_seed(1)).view(-1, 3)
    assert set(clicks.unique().tolist()) == {0.0, 1.0}
    assert (clicks.mean(dim=0) - arms.rates).abs().max() < 0.006


# --- the policies


def test_thompson_shows_an_item_as_often_as_it_is_believed_to_be_the_best():
    """Beta(3, 1) against Beta(1, 1): P(X > Y) is the mean of X, 3 / 4."""
    policy = Thompson(40_000, 2)
    pulls(policy, 0, [1, 1])
    assert float((policy.choose() == 0).double().mean()) == pytest.approx(0.75, abs=0.01)
    prior = Thompson(40_000, 2, prior=(2.0, 1.0))
    pulls(prior, 1, [0])  # Beta(2, 1) against Beta(2, 2): P(X > Y) = 1 - E[Y ** 2] = 0.7
    assert float((prior.choose() == 0).double().mean()) == pytest.approx(0.7, abs=0.01)


def test_epsilon_greedy_shows_the_best_so_far_and_now_and_then_any():
    policy = EpsilonGreedy(40_000, 4, epsilon=0.2)
    pulls(policy, 1, [1, 0])
    pulls(policy, 2, [1, 0, 0])
    shown = torch.bincount(policy.choose(), minlength=4) / 40_000
    torch.testing.assert_close(shown, tensor([0.05, 0.85, 0.05, 0.05]), atol=0.01, rtol=0)
    untried = torch.bincount(EpsilonGreedy(40_000, 4, epsilon=0.0).choose(), minlength=4) / 40_000
    torch.testing.assert_close(untried, torch.full((4,), 0.25), atol=0.01, rtol=0)


def test_linucb_equals_the_ridge_regression_on_all_it_has_seen():
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(6, 3, dtype=torch.float64, generator=generator)
    policy, alpha, penalty = LinUCB(2, features, alpha=0.7, penalty=2.0), 0.7, 2.0
    shown = torch.randint(6, (20, 2), generator=generator)
    clicks = torch.rand(20, 2, generator=generator).double().round()
    for arms, came in zip(shown, clicks, strict=True):
        policy.learn(arms, came)
    for game in range(2):
        x, y = features[shown[:, game]].numpy(), clicks[:, game].numpy()
        inverse = np.linalg.inv(penalty * np.eye(3) + x.T @ x)
        np.testing.assert_allclose(policy.inverse[game], inverse, atol=1e-12)
        bonus = np.sqrt(np.einsum("nd,de,ne->n", features, inverse, features))
        assert int(policy.choose()[game]) == int((features.numpy() @ inverse @ (x.T @ y) + alpha * bonus).argmax())


def test_games_do_not_know_of_each_other():
    features = torch.eye(2, dtype=torch.float64)
    for policy in (Thompson(2, 2), EpsilonGreedy(2, 2, 0.0), LinUCB(2, features, alpha=0.0)):
        for _ in range(300):
            policy.learn(tensor([0, 1]), torch.ones(2, dtype=torch.float64))
            policy.learn(tensor([1, 0]), torch.zeros(2, dtype=torch.float64))
        assert policy.choose().tolist() == [0, 1]


def test_regret_compares_true_rates_and_adds_up():
    class Stubborn:
        n_games = 2

        def choose(self):
            return tensor([int(arms.rates.argmax()), 0])

        def learn(self, arms, clicks):
            pass

    arms = Arms(4, seed=5)
    lost = play(Stubborn(), arms, 3)
    gap = float(arms.rates.max() - arms.rates[0])
    assert gap > 0
    torch.testing.assert_close(lost, tensor([[0.0, 0, 0], [gap, 2 * gap, 3 * gap]], dtype=torch.float64))


def test_who_learns_loses_less_than_chance_and_the_same_seed_plays_the_same():
    arms = Arms(10, spread=0.1, base=0.3, seed=1)
    policies = {
        "random": lambda: EpsilonGreedy(40, 10, 1.0),
        "thompson": lambda: Thompson(40, 10),
        "linucb": lambda: LinUCB(40, arms.features),
    }
    lost = {name: float(play(make(), arms, 600)[:, -1].mean()) for name, make in policies.items()}
    assert lost["thompson"] < 0.6 * lost["random"] and lost["linucb"] < 0.6 * lost["random"]
    assert torch.equal(play(Thompson(3, 10), arms, 50), play(Thompson(3, 10), arms, 50))


# --- questions


def test_a_question_that_splits_the_types_tells_a_bit_and_a_coin_tells_nothing():
    rates = tensor([[1.0, 0.5, 1.0], [0.0, 0.5, 1.0]])
    torch.testing.assert_close(information_gain(tensor([0.5, 0.5]), rates), tensor([1.0, 0.0, 0.0]))
    torch.testing.assert_close(information_gain(tensor([1.0, 0.0]), rates), torch.zeros(3))


probability = st.floats(0.01, 0.99)


@given(st.lists(st.tuples(probability, probability), min_size=2, max_size=6))
def test_the_gain_is_the_entropy_of_the_belief_less_what_is_expected_to_be_left(types):
    weights, rates = torch.tensor(types, dtype=torch.float64).unbind(1)
    belief = (weights / weights.sum()).unsqueeze(0)
    entropy = lambda b: float(-(b * b.log2()).sum())  # noqa: E731
    left = 0.0
    for answer in (True, False):
        after = update_belief(belief, rates.unsqueeze(0), tensor([answer]))
        chance = float((belief * (rates if answer else 1 - rates)).sum())
        left += chance * entropy(after)
    gain = float(information_gain(belief[0], rates.unsqueeze(1))[0])
    assert gain == pytest.approx(entropy(belief) - left, abs=1e-9) and gain > -1e-12


def test_bayes_rule_by_hand():
    """Half and half; types say yes with .8 and .2: after a yes .4 against .1, after a no the other way round."""
    belief, rates = torch.full((2, 2), 0.5), tensor([[0.8, 0.2], [0.8, 0.2]])
    after = update_belief(belief, rates, tensor([True, False]))
    torch.testing.assert_close(after, tensor([[0.8, 0.2], [0.2, 0.8]]))
    assert math.isclose(float(after.sum()), 2, rel_tol=1e-6)
