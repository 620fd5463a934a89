"""Shapley values by counting every coalition, and how well one model speaks for another."""

from collections.abc import Callable
from math import comb

import torch
from torch import Tensor

MOST_FEATURES = 16  # 65,536 coalitions


def shapley_values(value: Callable[[Tensor], Tensor], n_features: int) -> Tensor:
    r"""Share a game's worth among its players: each one's mean gain over all orders in which they may come in.

    .. math:: \phi_j = \sum_{S \not\ni j} \frac{1}{n \binom{n - 1}{|S|}} \left(v(S \cup \{j\}) - v(S)\right)

    The shares add up to :math:`v(\text{all}) - v(\emptyset)`. All :math:`2^n` coalitions are asked. Sources: Shapley,
    1953; for models: Lundberg and Lee, NIPS 2017, arXiv:1705.07874.

    Args:
        value: worth :math:`v` of coalitions, bool ``[m, n_features]`` to float ``[m]``.
        n_features: number :math:`n` of players.

    Returns:
        Float ``[n_features]``.

    Raises:
        ValueError: there are more than ``MOST_FEATURES``, whose coalitions are too many to count.

    >>> shapley_values(lambda s: 6.0 * s.all(dim=1), 3)  # worth 6 together, nothing otherwise
    tensor([2., 2., 2.])
    """
    if not 1 <= n_features <= MOST_FEATURES:
        raise ValueError(f"{n_features} features: every coalition can be counted for 1 to {MOST_FEATURES}")
    bits = 1 << torch.arange(n_features)
    coalitions = (torch.arange(1 << n_features).unsqueeze(1) & bits) > 0  # [2^n, n_features]
    worth, size = value(coalitions).double(), coalitions.sum(dim=1)
    weights = torch.tensor([1 / (n_features * comb(n_features - 1, s)) for s in range(n_features)]).double()
    shares = []
    for feature, bit in enumerate(bits.tolist()):
        without = (~coalitions[:, feature]).nonzero()[:, 0]
        shares.append((weights[size[without]] * (worth[without + bit] - worth[without])).sum())
    return torch.stack(shares).float()


def coalition_value(predict: Callable[[Tensor], Tensor], row: Tensor, background: Tensor) -> Callable[[Tensor], Tensor]:
    """Worth of a coalition of features: the model's mean answer when the others are taken from other rows.

    Args:
        predict: the model, float ``[m, n_features]`` to float ``[m]``.
        row: what is explained, ``[n_features]``.
        background: the other rows, ``[n_rows, n_features]``. They are mixed with ``row`` whether or not such a mixture
            exists: "interventional" values, as shap calls them.

    Returns:
        A function for ``shapley_values``.
    """

    def value(coalitions: Tensor) -> Tensor:
        mixed = torch.where(coalitions.unsqueeze(1), row, background)  # [m, n_rows, n_features]
        return predict(mixed.flatten(0, 1)).view(len(coalitions), -1).mean(dim=1)

    return value


def fidelity(model: Tensor, surrogate: Tensor) -> float:
    r"""Share of a model's variance that another one reproduces, :math:`R^2`, over the same rows.

    Args:
        model: what the model says, float ``[n]``.
        surrogate: what the one that shall explain it says, float ``[n]``.

    Returns:
        1 where they agree, 0 where the surrogate is as far off as a constant, below 0 where it is further.

    Raises:
        ValueError: the two differ in length, or the model says the same of all rows.
    """
    spread = (model - model.mean()).square().sum()
    if model.shape != surrogate.shape or not spread > 0:
        raise ValueError(f"need two answers a row that differ among rows, got {len(model)} and {len(surrogate)}")
    return float(1 - (model - surrogate).square().sum() / spread)
