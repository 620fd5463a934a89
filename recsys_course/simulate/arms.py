"""New items whose true click rates are known, so that the price of finding the best can be counted."""

from functools import partial

import torch
from torch import Tensor


class Arms:
    r"""Items to choose from, each with features and a click rate that follows them more or less.

    The rate is :math:`b + s \, (\sqrt{1 - o} \; t^\top x_a + \sqrt{o} \; e_a)`, cut to 0.01 to 0.99: a base rate, what
    the features say and, as a share :math:`o` of the variance, what they do not. :math:`t^\top x_a` and :math:`e_a` are
    drawn with variance 1.

    Attributes:
        features: a constant 1 and ``dim`` numbers for each item, float64 ``[n_arms, 1 + dim]``.
        rates: the truth, float64 ``[n_arms]``.

    Args:
        n_arms: number of items.
        dim: length of the features.
        base: the click rate :math:`b` of an average item.
        spread: standard deviation :math:`s` of the rates.
        own: :math:`o`, 0 to 1: the part of the rates that no feature tells.
        seed: of the draw of the items; pulls have their own generator.

    Raises:
        ValueError: ``own`` lies outside 0 to 1.
    """

    def __init__(
        self, n_arms: int = 50, dim: int = 5, base: float = 0.1, spread: float = 0.04, own: float = 0.0, seed: int = 0
    ) -> None:
        if not 0 <= own <= 1:
            raise ValueError(f"own is a share of the variance, 0 to 1, got {own}")
        normal = partial(torch.randn, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        known, taste, unknown = normal(n_arms, dim), normal(dim), normal(n_arms)
        told = known @ taste / taste.norm()  # [n_arms], variance 1
        self.features = torch.cat([torch.ones(n_arms, 1, dtype=torch.float64), known], dim=1)
        self.rates = (base + spread * ((1 - own) ** 0.5 * told + own**0.5 * unknown)).clamp(0.01, 0.99)

    def pull(self, arms: Tensor, generator: torch.Generator) -> Tensor:
        """Show an item to each user and see who clicks: int64 ``[n]`` to 0 or 1, float64 ``[n]``."""
        return torch.bernoulli(self.rates[arms], generator=generator)
