"""Choose what to learn next: which item to show, and which question to ask.

A *policy* plays many independent games at once, one a row: ``choose()`` gives the item of each game, int64
``[n_games]``, and ``learn(arms, clicks)`` takes what came of it. A game has its own users, clicks and memory.
"""

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from recsys_course.simulate import Arms


class Policy(Protocol):
    """What ``play`` asks of a bandit."""

    n_games: int

    def choose(self) -> Tensor:
        """The item that each game shows next, int64 ``[n_games]``."""

    def learn(self, arms: Tensor, clicks: Tensor) -> None:
        """Take in who clicked: int64 and float ``[n_games]``."""


class Thompson:
    r"""Draw a click rate for each item from what is believed of it, and show the item with the highest draw.

    The belief is a Beta distribution, :math:`\theta_a \sim \mathrm{Beta}(\alpha + \text{clicks},
    \beta + \text{misses})`, so that an item is shown as often as it is believed to be the best. Source: Thompson,
    Biometrika 25, 1933; Chapelle and Li, NIPS 2011, algorithm 2.

    Args:
        n_games: games side by side.
        n_arms: items in each.
        prior: :math:`\alpha` and :math:`\beta`, clicks and misses believed in before the first.
        seed: of the draws.
    """

    def __init__(self, n_games: int, n_arms: int, prior: tuple[float, float] = (1.0, 1.0), seed: int = 0) -> None:
        self.n_games = n_games
        self.clicks, self.misses = (np.full((n_games, n_arms), start) for start in prior)
        self.random = np.random.default_rng(seed)

    def choose(self) -> Tensor:
        """The item with the highest of all draws, int64 ``[n_games]``."""
        return torch.from_numpy(self.random.beta(self.clicks, self.misses).argmax(axis=1))

    def learn(self, arms: Tensor, clicks: Tensor) -> None:
        """Count the clicks and misses: int64 and float ``[n_games]``."""
        games = np.arange(self.n_games)
        self.clicks[games, arms] += clicks.numpy()
        self.misses[games, arms] += 1 - clicks.numpy()


class EpsilonGreedy:
    """Show the item with the best click rate so far, and now and then any item; with ``epsilon=1`` always any.

    Args:
        n_games: games side by side.
        n_arms: items in each.
        epsilon: how often any item, 0 to 1.
        seed: of the draws.
    """

    def __init__(self, n_games: int, n_arms: int, epsilon: float = 0.1, seed: int = 0) -> None:
        self.n_games, self.epsilon = n_games, epsilon
        self.clicks, self.shown = torch.zeros(2, n_games, n_arms, dtype=torch.float64)
        self.generator = torch.Generator().manual_seed(seed)

    def choose(self) -> Tensor:
        """The best so far, ties by chance, or any: int64 ``[n_games]``."""
        noise = torch.rand(self.clicks.shape, generator=self.generator)  # decides ties, and is any item by itself
        any_item = torch.rand(self.n_games, 1, generator=self.generator) < self.epsilon
        rates = (self.clicks / self.shown).nan_to_num(0)
        return (noise * 1e-9 + rates.masked_fill(any_item, 0)).argmax(dim=1)

    def learn(self, arms: Tensor, clicks: Tensor) -> None:
        """Count: int64 and float ``[n_games]``."""
        games = torch.arange(self.n_games)
        self.clicks[games, arms] += clicks
        self.shown[games, arms] += 1


class LinUCB:
    r"""Learn a rate from the items' features, and show the item that could be the best.

    With :math:`A = \lambda I + \sum x x^\top` and :math:`b = \sum \text{click} \cdot x` over what was shown, an item's
    score is :math:`x^\top A^{-1} b + \alpha \sqrt{x^\top A^{-1} x}`: the ridge estimate and a bonus for what is not
    known yet. One click says something about all similar items. Source: Li, Chu, Langford and Schapire, WWW 2010,
    section 3, with one regression for all items as in Chu et al., AISTATS 2011.

    Args:
        n_games: games side by side.
        features: of each item, float64 ``[n_arms, dim]``.
        alpha: the weight of the bonus.
        penalty: :math:`\lambda`.
    """

    def __init__(self, n_games: int, features: Tensor, alpha: float = 0.5, penalty: float = 1.0) -> None:
        self.n_games, self.features, self.alpha = n_games, features, alpha
        self.inverse = torch.eye(features.shape[1], dtype=features.dtype).repeat(n_games, 1, 1) / penalty
        self.sums = features.new_zeros(n_games, features.shape[1])

    def choose(self) -> Tensor:
        """The item with the highest score, int64 ``[n_games]``."""
        guess = torch.einsum("gde,ge->gd", self.inverse, self.sums)  # [n_games, dim]
        unsure = ((self.features @ self.inverse) * self.features).sum(dim=2).sqrt()  # [n_games, n_arms]
        return (guess @ self.features.T + self.alpha * unsure).argmax(dim=1)

    def learn(self, arms: Tensor, clicks: Tensor) -> None:
        """Update the inverse by Sherman and Morrison's formula: int64 and float ``[n_games]``."""
        x = self.features[arms]  # [n_games, dim]
        moved = torch.einsum("gde,ge->gd", self.inverse, x)
        change = moved.unsqueeze(2) * moved.unsqueeze(1) / (1 + (x * moved).sum(dim=1))[:, None, None]
        self.inverse = self.inverse - change
        self.sums += clicks.unsqueeze(1) * x


def play(policy: Policy, arms: Arms, n_rounds: int, seed: int = 0) -> Tensor:
    r"""Let a policy play, and count what it lost against always showing the best item.

    .. math:: R_T = \sum_{t=1}^{T} \big( \max_a \theta_a - \theta_{a_t} \big)

    The true rates are compared, not the clicks, whose luck is no regret.

    Args:
        policy: knows nothing yet.
        arms: the truth.
        n_rounds: items shown in each game.
        seed: of the clicks.

    Returns:
        Clicks lost up to each round, float64 ``[n_games, n_rounds]``.
    """
    generator, lost = torch.Generator().manual_seed(seed), []
    for _ in range(n_rounds):
        chosen = policy.choose()
        policy.learn(chosen, arms.pull(chosen, generator))
        lost.append(arms.rates.max() - arms.rates[chosen])
    return torch.stack(lost, dim=1).cumsum(dim=1)


def information_gain(belief: Tensor, rates: Tensor) -> Tensor:
    r"""How many bits the answer to each yes-or-no question is expected to tell about a user's type.

    .. math:: I(q) = h\Big( \sum_t b_t r_{tq} \Big) - \sum_t b_t \, h(r_{tq}),
        \qquad h(p) = -p \log_2 p - (1 - p) \log_2 (1 - p)

    How unsure the answer is, less how unsure it would be if the type were known: a coin's fall is unsure and tells
    nothing. It equals the entropy of the belief less the expected entropy after the answer.

    Args:
        belief: probability of each type, rows sum to 1, float ``[..., n_types]``.
        rates: how likely each type is to say yes, float ``[n_types, n_questions]``.

    Returns:
        Float ``[..., n_questions]``.

    >>> information_gain(torch.tensor([0.5, 0.5]), torch.tensor([[1.0, 0.5], [0.0, 0.5]]))
    tensor([1., 0.])
    """
    return _entropy(belief @ rates) - belief @ _entropy(rates)


def update_belief(belief: Tensor, rates: Tensor, answers: Tensor) -> Tensor:
    r"""Bayes' rule after one answer: :math:`b'_t \propto b_t r_t`, or :math:`b_t (1 - r_t)` after a no.

    Args:
        belief: float ``[batch, n_types]``.
        rates: how likely each type was to say yes to what was asked, float ``[batch, n_types]``.
        answers: bool ``[batch]``.

    Returns:
        Float ``[batch, n_types]``, rows sum to 1.
    """
    weighed = belief * torch.where(answers.unsqueeze(1), rates, 1 - rates)
    return weighed / weighed.sum(dim=1, keepdim=True)


def _entropy(p: Tensor) -> Tensor:
    """Of a yes with probability ``p``, in bits; 0 where it is certain."""
    return -(torch.special.xlogy(p, p) + torch.special.xlogy(1 - p, 1 - p)) / np.log(2)
