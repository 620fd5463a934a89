"""A world of tastes and clicks: policies show items to users, and the true click rate of every pair is known.

A *policy* says how likely each user is to be shown each item: float64 ``[n_users, n_items]``, every row sums to 1.
"""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from recsys_course.data.interactions import Interactions


@dataclass(frozen=True, eq=False)
class Log:
    """What a system writes down: it showed one item to one user, and saw whether it was clicked.

    Attributes:
        users: int64 ``[n_events]``.
        items: the item shown, int64 ``[n_events]``.
        clicks: 1 where it was clicked, else 0, float64 ``[n_events]``.
        propensities: how likely the policy was to show this item to this user, float64 ``[n_events]``.
    """

    users: Tensor
    items: Tensor
    clicks: Tensor
    propensities: Tensor


class World:
    r"""Users with a taste, items with an appeal, and the true click probability of every pair.

    User :math:`u` clicks item :math:`i` with probability :math:`\sigma(b + a_i + t_u^\top f_i)`: a base rate, the
    appeal that the item has for everybody, and how well its features match the user's taste.

    The table of all pairs is in memory: a world is small.

    Args:
        n_users: number of users.
        n_items: number of items.
        dim: length of taste and feature vectors.
        base: the logit :math:`b` of an average item for an average user; -3 is a click rate of 4.7 %.
        seed: of the draw of the world; its logs have their own.
        spread: standard deviation of the appeal :math:`a_i`; the larger, the more unequal the items.
    """

    def __init__(
        self,
        n_users: int = 500,
        n_items: int = 50,
        dim: int = 4,
        base: float = -3.0,
        seed: int = 0,
        *,
        spread: float = 0.5,
    ) -> None:
        normal = partial(torch.randn, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        taste, features, appeal = normal(n_users, dim), normal(n_items, dim) / dim**0.5, spread * normal(n_items)
        self.click_rates = torch.sigmoid(base + appeal + taste @ features.T)  # [n_users, n_items]

    def uniform_policy(self) -> Tensor:
        """Show everybody any item, all equally often: float64 ``[n_users, n_items]``.

        What is clicked then follows the truth alone: an item is as popular as its mean click rate.
        """
        return torch.full_like(self.click_rates, 1 / self.click_rates.shape[1])

    def popular_policy(self, temperature: float = 1.0) -> Tensor:
        """Show everybody the same items, the more often the more they are clicked: float64 ``[n_users, n_items]``."""
        return softmax_policy(self.click_rates.mean(0).log(), temperature).expand_as(self.click_rates)

    def personal_policy(self, temperature: float = 1.0) -> Tensor:
        """Show each user what this user clicks: float64 ``[n_users, n_items]``."""
        return softmax_policy(self.click_rates.log(), temperature)

    def value(self, policy: Tensor) -> float:
        r"""True click rate of a policy, exactly: :math:`\frac{1}{n} \sum_u \sum_i \pi(i \mid u) \, p_{ui}`."""
        return float((policy * self.click_rates).sum(dim=1).mean())

    def log(self, policy: Tensor, n_events: int, seed: int = 0) -> Log:
        """Let a policy show ``n_events`` items to users drawn at random, and write down what happens."""
        generator = torch.Generator().manual_seed(seed)
        cells = torch.multinomial(policy.flatten(), n_events, replacement=True, generator=generator)  # [n_events]
        users, items = cells // policy.shape[1], cells % policy.shape[1]
        clicks = torch.bernoulli(self.click_rates[users, items], generator=generator)
        return Log(users, items, clicks, policy[users, items])

    def likes(self, log: Log) -> Interactions:
        """What a recommender is given to learn from: the events of a log that were clicked, in their order."""
        clicked = log.clicks > 0
        return Interactions.from_events(log.users[clicked], log.items[clicked], None, None, *self.click_rates.shape)


def softmax_policy(scores: Tensor, temperature: float = 1.0) -> Tensor:
    """Turn scores ``[..., n_items]`` into probabilities: near 0 always the best item, at infinity any item.

    Raises:
        ValueError: the temperature is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    return torch.softmax(scores.double() / temperature, dim=-1)
