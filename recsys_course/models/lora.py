"""LoRA: tune a large layer by learning two small matrices beside it."""

import copy
import math

import torch
from torch import Tensor, nn


class LoRALinear(nn.Module):
    r"""A linear layer that stays as it is, and a matrix of low rank beside it that learns.

    .. math:: y = W x + b + \frac{\alpha}{r} B A x, \qquad A \in \mathbb{R}^{r \times d_\text{in}},
        \; B \in \mathbb{R}^{d_\text{out} \times r}

    :math:`B` starts at zero, so that nothing changes at first, and :math:`A` at random: with both at zero neither would
    ever get a gradient. Learnt are :math:`r (d_\text{in} + d_\text{out})` numbers. Source: Hu et al., LoRA: low-rank
    adaptation of large language models, ICLR 2022, arXiv:2106.09685, section 4.1.

    Args:
        base: the layer.
        rank: :math:`r`.
        alpha: :math:`\alpha`; without it ``rank``, a factor of 1.
    """

    def __init__(self, base: nn.Linear, rank: int, alpha: float | None = None) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.scale = 1.0 if alpha is None else alpha / rank
        self.down = nn.Parameter(torch.empty(rank, base.in_features))
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """Float ``[..., d_in]`` to ``[..., d_out]``."""
        return self.base(x) + self.scale * (x @ self.down.T @ self.up.T)

    @torch.no_grad()
    def merged(self) -> nn.Linear:
        """One plain layer that does the same, for serving: it costs what the base does."""
        layer = copy.deepcopy(self.base)
        layer.weight += self.scale * self.up @ self.down
        return layer
