"""What a log hides: films nobody looked at, and purchases that have not arrived yet."""

import torch
from torch import Tensor

from recsys_course.simulate.clicks import Impressions


def examination(rows: Impressions) -> Tensor:
    r"""How likely users look at each position, compared with the top, from lists in random order.

    In random order every position holds the same films on average, so that click rates differ by the look alone:

    .. math:: \hat e_k = \mathrm{ctr}_k / \mathrm{ctr}_0

    Source: Joachims, Swaminathan and Schnabel, WSDM 2017, arXiv:1608.04468, section 5.

    Returns:
        Float ``[n_positions]``, the first one 1.

    Raises:
        ValueError: no list is in random order, or the top of them was never clicked.
    """
    random = rows[rows.shuffled]
    if not len(random) or not random.clicks[random.positions == 0].any():
        raise ValueError("positions can be compared in lists of random order with clicks at the top: there are none")
    shown = torch.bincount(random.positions)
    rates = torch.bincount(random.positions, random.clicks) / shown
    return rates / rates[0]


def arrived(rows: Impressions, today: float) -> Tensor:
    """Which purchases have been reported by the end of a day: 1 or 0, float ``[n]``."""
    return rows.conversions * (rows.times + rows.delays <= today)
