"""What lists look like beyond accuracy: how much of the catalogue they show, how varied and how obvious they are.

``recommended`` is int64 ``[batch, k]``, ``-1`` for an empty place; ``features`` describes the items, float
``[n_items, n_features]``, for example one column a genre.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from recsys_course.data.interactions import Interactions


def exposures(recommended: Tensor, n_items: int) -> Tensor:
    """How often each item was recommended: int64 ``[batch, k]`` to int64 ``[n_items]``."""
    return torch.bincount(recommended[recommended >= 0], minlength=n_items)


def coverage(recommended: Tensor, n_items: int) -> float:
    """Share of the catalogue that is in at least one list."""
    return float((exposures(recommended, n_items) > 0).float().mean())


def gini(counts: Tensor) -> float:
    r"""How unequal counts are: 0 when all are equal, close to 1 when one item has everything.

    .. math:: \frac{2 \sum_i i \, x_{(i)}}{n \sum_i x_i} - \frac{n + 1}{n}

    with :math:`x_{(1)} \le \dots \le x_{(n)}`. It is twice the area between the Lorenz curve and the diagonal. NaN
    when all counts are 0.

    >>> gini(torch.tensor([1, 1, 1, 1])), gini(torch.tensor([0, 0, 0, 4]))
    (0.0, 0.75)
    """
    sorted_counts = counts.double().sort().values  # [n]
    n = len(counts)
    ranks = torch.arange(1, n + 1, dtype=torch.float64)
    return float(2 * (ranks * sorted_counts).sum() / (n * sorted_counts.sum()) - (n + 1) / n)


def novelty(recommended: Tensor, counts: Tensor, n_users: int) -> Tensor:
    r"""Mean surprise of the items of a list in bits, :math:`-\log_2(\text{count} / \text{users})`.

    0 if everybody knows every item of it; one bit more for every halving of the number of users who do.
    An item that nobody has rated counts as rated once. Source: Zhou et al., PNAS 107(10), 2010.

    Args:
        recommended: int64 ``[batch, k]``.
        counts: users who rated each item in training, int64 ``[n_items]``.
        n_users: number of users in training.

    Returns:
        Float ``[batch]``, NaN for an empty list.
    """
    bits = (n_users / counts.clamp(min=1)).log2()  # [n_items]
    return _mean_of_filled(bits[recommended.clamp(min=0)], recommended)


def intra_list_diversity(recommended: Tensor, features: Tensor) -> Tensor:
    """Mean of one minus the cosine over all pairs of a list: int64 ``[batch, k]`` to float ``[batch]``.

    An item without features is unlike every other. NaN for lists of fewer than two items. Source: Ziegler et al.,
    WWW 2005.
    """
    unit = F.normalize(features.float(), dim=1)  # [n_items, n_features]
    total = _sum_of_list(unit, recommended).square().sum(1)  # [batch], cosines of all ordered pairs, i = j among them
    itself = _sum_of_list(unit.square().sum(1, keepdim=True), recommended)[:, 0]  # [batch], the pairs i = j
    n = (recommended >= 0).sum(1)  # [batch]
    return 1 - (total - itself) / (n * (n - 1)).float().masked_fill(n < 2, torch.nan)


def miscalibration(recommended: Tensor, history: Interactions, users: Tensor, features: Tensor) -> Tensor:
    r"""How far a list's mix of features (genres) is from the user's own: a Kullback-Leibler divergence in nats.

    .. math:: \sum_g p_g \log \frac{p_g}{0.99 \, q_g + 0.01 \, p_g}

    with :math:`p` from the user's liked items and :math:`q` from the list; every item spreads a weight of 1 over its
    features. 0 is perfectly calibrated. Source: Steck, RecSys 2018.

    Args:
        recommended: int64 ``[batch, k]``.
        history: what the users rated; the positives count.
        users: int64 ``[batch]``.
        features: non-negative, float ``[n_items, n_features]``.

    Returns:
        Float ``[batch]``, NaN for a user without a liked item or with an empty list.
    """
    weights = features.float() / features.float().sum(1, keepdim=True).clamp(min=1e-12)  # [n_items, n_features]
    likes = history.positives().matrix()[users.numpy()]  # sparse [batch, n_items]
    p = _share(torch.from_numpy(likes @ weights.numpy()))  # [batch, n_features]
    q = _share(_sum_of_list(weights, recommended))  # [batch, n_features]
    return torch.xlogy(p, p / (0.99 * q + 0.01 * p).clamp(min=1e-12)).sum(1)


def _sum_of_list(features: Tensor, recommended: Tensor) -> Tensor:
    """Features of the items of each list, added up: float ``[n_items, n_features]`` to ``[batch, n_features]``."""
    padded = F.pad(features, (0, 0, 1, 0))  # row 0, all zeros, is the empty place
    return F.embedding_bag(recommended + 1, padded, mode="sum")


def _share(totals: Tensor) -> Tensor:
    """Rows divided by their sum, NaN for a row of zeros."""
    sums = totals.sum(1, keepdim=True)
    return totals / sums.masked_fill(sums == 0, torch.nan)


def _mean_of_filled(values: Tensor, recommended: Tensor) -> Tensor:
    filled = recommended >= 0
    return (values * filled).sum(1) / filled.sum(1)
