"""One network for two goals: the click, and the purchase after it.

Each is a ``Network`` whose ``probabilities`` are ``[n, 2]``: chance of a click, and of a purchase if there is one.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_course.ranking.networks import Features, Network, click_loss, perceptron
from recsys_course.simulate.clicks import Impressions

EXPERTS = 4


class SharedBottom(Network):
    """One hidden layer for both goals, and a small head for each.

    The purchase is learnt from the rows with a click. Source: Caruana, Multitask Learning, Machine Learning 28, 1997.
    Arguments: see ``Network``. As labels ``fit`` takes float ``[n, 2]``, clicks and purchases.
    """

    def network(self, rows: Impressions) -> nn.Module:
        """See ``Network.network``."""
        return _Heads(rows, self.dim, n_experts=1)

    def labels(self, rows: Impressions, labels: Tensor | None) -> Tensor:
        """Clicks and purchases, float ``[n, 2]``."""
        both = torch.stack([rows.clicks, rows.conversions], dim=1) if labels is None else labels
        if both.ndim != 2 or both.shape[1] != 2:
            raise ValueError(f"labels must be clicks and purchases, [n, 2], got {list(both.shape)}")
        return self._check(both, rows)

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of the click on all rows, and of the purchase on those with a click."""
        clicked = labels[:, 0] > 0
        bought = click_loss(logits[clicked, 1], labels[clicked, 1]) if clicked.any() else 0.0
        return click_loss(logits[:, 0], labels[:, 0]) + bought


class MMoE(SharedBottom):
    r"""Several small layers, the experts; each goal mixes them with a gate of its own.

    .. math:: f_g(x) = h_g\Big(\sum_k \operatorname{softmax}(W_g x)_k \, E_k(x)\Big)

    Source: Ma et al., Modeling Task Relationships with Multi-gate Mixture-of-Experts, KDD 2018, section 4.
    """

    def network(self, rows: Impressions) -> nn.Module:
        """See ``Network.network``."""
        return _Heads(rows, self.dim, n_experts=EXPERTS)


class ESMM(SharedBottom):
    r"""Entire space: the purchase is learnt from all rows, through its product with the click.

    .. math:: p(\text{click and purchase}) = p(\text{click}) \cdot p(\text{purchase} \mid \text{click})

    Vectors are shared, the layers above are not. Source: Ma et al., SIGIR 2018, arXiv:1804.07931, section 2.3.
    """

    def network(self, rows: Impressions) -> nn.Module:
        """See ``Network.network``."""
        return _Heads(rows, self.dim, n_experts=0)

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of the click and of click and purchase together, both on all rows."""
        return esmm_loss(logits[:, 0], logits[:, 1], labels[:, 0], labels[:, 1])


class _Heads(nn.Module):
    """Features, experts of which each goal takes its mix, and a head for each; without experts, a layer a goal."""

    def __init__(self, rows: Impressions, dim: int, n_experts: int, hidden: int = 32) -> None:
        super().__init__()
        self.features = Features(rows, dim)
        width = self.features.count * dim
        size = hidden // max(n_experts, 1) if n_experts else hidden // 2  # as many weights whatever the number
        self.experts = nn.ModuleList(perceptron(width, size) for _ in range(n_experts or 2))
        self.gates = nn.ModuleList(nn.Linear(width, n_experts) for _ in range(2)) if n_experts > 1 else None
        self.heads = nn.ModuleList(perceptron(size, 16, 1) for _ in range(2))

    def forward(self, *columns: Tensor) -> Tensor:
        x = self.features.with_mean(*columns).flatten(1)  # [batch, width]
        found = torch.stack([expert(x) for expert in self.experts], dim=1).relu()  # [batch, n_experts, size]
        if self.gates:
            mixed = [(gate(x).softmax(1).unsqueeze(2) * found).sum(1) for gate in self.gates]
        else:
            mixed = [found[:, 0], found[:, -1]]
        return torch.cat([head(part) for head, part in zip(self.heads, mixed, strict=True)], dim=1)


def esmm_loss(click: Tensor, purchase: Tensor, clicks: Tensor, purchases: Tensor) -> Tensor:
    r"""Cross-entropy of the click plus that of click and purchase, on every impression.

    Formed from logarithms, no click or a click without a purchase for the rest, so that it stays finite.

    Args:
        click: logits of the click, float ``[batch]``.
        purchase: logits of the purchase after a click, float ``[batch]``.
        clicks: 1 or 0, float ``[batch]``.
        purchases: 1 or 0, and 0 without a click, float ``[batch]``.
    """
    log_both = F.logsigmoid(click) + F.logsigmoid(purchase)  # [batch]
    log_else = torch.logaddexp(F.logsigmoid(-click), F.logsigmoid(click) + F.logsigmoid(-purchase))
    return click_loss(click, clicks) - (purchases * log_both + (1 - purchases) * log_else).mean()
