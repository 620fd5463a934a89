"""Accuracy of ranked lists. Every metric at k is a row-wise function of one table: which recommended items were hits.

``hits`` is bool ``[batch, k]``, best item first; ``n_relevant`` is the number of relevant items of each user, int
``[batch]``, in the whole catalogue and not only in the list. Every metric returns float ``[batch]``: NaN, never 0, for
a user without relevant items, because there was nothing to find.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from recsys_course.data.interactions import Interactions

Metric = Callable[[Tensor, Tensor], Tensor]
TABLE = 1 << 22  # cells of the user-by-item table that exist at any one time: about what a processor's cache holds
# Cells and rows of the hits table that are judged at a time. Beyond 32,768 numbers, or 3,000 where it indexes, torch
# wakes more threads, which for work of some microseconds cost more than they bring.
BLOCK, MOST_ROWS = 1 << 15, 1 << 11


def find_hits(recommended: Tensor, relevant: Interactions, users: Tensor) -> Tensor:
    """Mark the recommended items that are relevant.

    One table of a few users by all items is used again and again: the relevant items of these users are marked in it,
    their lists are looked up, and the marks are wiped out. Memory does not grow with ``n_users * n_items``.

    Args:
        recommended: item numbers, best first, each at most once, ``-1`` for an empty place, int64 ``[batch, k]``.
        relevant: the events that count as right answers, such as ``split.test``.
        users: whose lists these are, int64 ``[batch]``.

    Returns:
        Bool ``[batch, k]``.

    Raises:
        ValueError: there is not one list for each user, or an item or a user does not exist.
    """
    _check_lists(recommended, relevant, users)
    width = relevant.n_items + 1  # each row begins with a cell that stays False: the empty place, item -1
    rows = max(1, TABLE // width)
    marked = np.zeros(min(rows, len(users)) * width, dtype=bool)
    hits = np.empty(recommended.shape, dtype=bool)
    n_events = np.bincount(relevant.users.numpy(), minlength=relevant.n_users)  # [n_users]
    stop = n_events.cumsum()  # [n_users], where each user's events end
    for start in range(0, len(users), rows):
        block = slice(start, start + rows)
        some = users[block].numpy()  # [rows]
        item_0 = np.arange(len(some)) * width + 1  # [rows], each user's cell for item 0
        row, event = _expand(n_events[some], stop[some])
        answers = item_0[row] + relevant.items.numpy()[event]
        marked[answers] = True
        hits[block] = marked[recommended[block].numpy() + item_0[:, None]]
        marked[answers] = False
    return torch.from_numpy(hits)


def count_relevant(relevant: Interactions, users: Tensor) -> Tensor:
    """Number of different relevant items of each user: int64 ``[batch]`` to int64 ``[batch]``."""
    pairs = np.sort(relevant.users.numpy() * relevant.n_items + relevant.items.numpy())  # [n_events]
    first = np.diff(pairs, prepend=-1) != 0  # a pair that occurs twice counts once; users are still in their order
    counts = np.bincount(relevant.users.numpy()[first], minlength=relevant.n_users)
    return torch.from_numpy(counts)[users]


def in_blocks(metric: Callable[..., Tensor], *tables: Tensor) -> Tensor:
    """``metric(*tables)`` of a few users at a time: the same values, faster and in less memory for many users.

    What is computed on the way stays in the processor's cache, and one thread does it.

    Args:
        metric: a row-wise function, such as ``ndcg``.
        tables: its arguments, the first ``[batch, k]`` and every one with ``batch`` rows.

    Returns:
        Float ``[batch]``.
    """
    rows = min(max(1, BLOCK // max(tables[0].shape[1], 1)), MOST_ROWS)
    blocks = zip(*(table.split(rows) for table in tables), strict=True)
    return torch.from_numpy(np.concatenate([metric(*block).numpy() for block in blocks]))


def recall(hits: Tensor, n_relevant: Tensor) -> Tensor:
    r"""Share of the relevant items that were recommended.

    .. math:: \frac{\text{hits}}{n}

    >>> recall(torch.tensor([[True, False, True]]), torch.tensor([4]))
    tensor([0.5000])
    """
    return hits.sum(dim=1) / n_relevant  # 0 / 0 is NaN


def precision(hits: Tensor, n_relevant: Tensor) -> Tensor:
    r"""Share of the ``k`` places that hold a relevant item; an empty place counts as a miss.

    .. math:: \frac{\text{hits}}{k}

    >>> precision(torch.tensor([[True, False, True]]), torch.tensor([4]))
    tensor([0.6667])
    """
    return _defined(hits.float().mean(dim=1), n_relevant)


def hit_rate(hits: Tensor, n_relevant: Tensor) -> Tensor:
    """One if anything relevant was recommended, else zero.

    >>> hit_rate(torch.tensor([[True, False, True]]), torch.tensor([4]))
    tensor([1.])
    """
    return _defined(hits.any(dim=1).float(), n_relevant)


def mrr(hits: Tensor, n_relevant: Tensor) -> Tensor:
    r"""One over the rank of the first hit, zero without a hit (its mean over users is the MRR).

    >>> mrr(torch.tensor([[False, True, True]]), torch.tensor([4]))
    tensor([0.5000])
    """
    ranks = torch.arange(1, hits.shape[1] + 1, device=hits.device)  # [k]
    return _defined((hits / ranks).amax(dim=1), n_relevant)


def average_precision(hits: Tensor, n_relevant: Tensor) -> Tensor:
    r"""Precision at the rank of each hit, averaged over the best possible number of hits.

    .. math:: \frac{1}{\min(k, n)} \sum_{r=1}^{k} h_r \, \mathrm{precision@}r

    A perfect list scores 1 for every ``n``. TREC's ``map_cut`` and ranx divide by :math:`n` instead.

    >>> average_precision(torch.tensor([[True, False, True]]), torch.tensor([2]))
    tensor([0.8333])
    """
    ranks = torch.arange(1, hits.shape[1] + 1, device=hits.device)  # [k]
    total = (hits * hits.cumsum(dim=1) / ranks).sum(dim=1)  # [batch]
    return total / n_relevant.clamp(max=hits.shape[1])  # 0 / 0 is NaN


def ndcg(hits: Tensor, n_relevant: Tensor) -> Tensor:
    r"""Discounted gain of the hits, divided by that of a perfect list, :math:`Z`.

    .. math::
        \frac{1}{Z} \sum_{r=1}^{k} \frac{h_r}{\log_2(r + 1)} \qquad Z = \sum_{r=1}^{\min(k, n)} \frac{1}{\log_2(r + 1)}

    Source: Järvelin and Kekäläinen, ACM TOIS 20(4), 2002, with gains of 0 and 1.

    Args:
        hits: whether the item at rank :math:`r` is relevant, bool ``[batch, k]``.
        n_relevant: number of relevant items :math:`n`, int ``[batch]``.

    Returns:
        One value in :math:`[0, 1]` per user, NaN where :math:`n = 0`, float ``[batch]``.

    >>> ndcg(torch.tensor([[True, False, True]]), torch.tensor([2]))
    tensor([0.9197])
    """
    gains = 1 / torch.arange(2, hits.shape[1] + 2, device=hits.device).log2()  # [k]
    perfect = gains.cumsum(0)[n_relevant.clamp(1, hits.shape[1]) - 1]  # [batch]
    return ((hits * gains).sum(dim=1) / perfect).masked_fill(n_relevant == 0, torch.nan)


ACCURACY: dict[str, Metric] = {
    metric.__name__: metric for metric in (recall, precision, hit_rate, mrr, average_precision, ndcg)
}


def auc(scores: Tensor, labels: Tensor) -> float:
    r"""Chance that a random positive scores above a random negative; a tie counts one half.

    Computed from average ranks in :math:`O(n \log n)`: with :math:`R` the sum of the positives' ranks,
    :math:`(R - n_+(n_+ + 1) / 2) / (n_+ n_-)`. Source: Mann and Whitney, 1947.

    Args:
        scores: float ``[n]``.
        labels: true for a positive, bool ``[n]``.

    Returns:
        A value in :math:`[0, 1]`, NaN where only one class occurs.

    Raises:
        ValueError: a score is NaN, which has no place in an order.

    >>> auc(torch.tensor([0.1, 0.4, 0.4]), torch.tensor([False, True, False]))
    0.75
    """
    if scores.isnan().any():
        raise ValueError(f"score {int(scores.isnan().nonzero()[0])} is NaN: it cannot be ordered")
    labels = labels.bool()
    n_positive, n_negative = int(labels.sum()), int((~labels).sum())
    if not n_positive or not n_negative:
        return float("nan")
    _, place, counts = scores.unique(return_inverse=True, return_counts=True)
    last = counts.cumsum(0)  # [n_values], rank of the last of each tie
    ranks = (last - (counts - 1) / 2.0).double()[place]  # [n]
    return float((ranks[labels].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


class GroupedAUC(NamedTuple):
    """AUC within users: the weighted mean, and how many users had both classes or were left out."""

    value: float
    n_users: int
    n_left_out: int


def gauc(users: Tensor, scores: Tensor, labels: Tensor) -> GroupedAUC:
    """AUC of each user, averaged with the user's number of examples as weight.

    A user with one class only has no pair to order: it is left out and counted. Source: Zhou et al., KDD 2018 (DIN).

    Args:
        users: int64 ``[n]``.
        scores: float ``[n]``.
        labels: bool ``[n]``.
    """
    order = users.argsort(stable=True)
    sizes = users[order].unique_consecutive(return_counts=True)[1].tolist()
    parts = zip(scores[order].split(sizes), labels[order].split(sizes), strict=True)
    values = torch.tensor([auc(s, y) for s, y in parts], dtype=torch.float64)  # [n_users]
    weights = torch.tensor(sizes, dtype=torch.float64).masked_fill(values.isnan(), 0)
    mean = float((values.nan_to_num() * weights).sum() / weights.sum())
    return GroupedAUC(mean, int((weights > 0).sum()), int((weights == 0).sum()))


def _defined(values: Tensor, n_relevant: Tensor) -> Tensor:
    return values.masked_fill(n_relevant == 0, torch.nan)


def _expand(n_events: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every event of some users, when ``n_events`` end before ``stop``: its user's row and its own number.

    It is ``Interactions.rows`` without waking torch's threads for every block.
    """
    row = np.repeat(np.arange(len(stop)), n_events)  # [events of these users]
    return row, np.arange(len(row)) + (stop - n_events.cumsum())[row]


def _check_lists(recommended: Tensor, relevant: Interactions, users: Tensor) -> None:
    if recommended.ndim != 2 or users.shape != recommended.shape[:1]:
        shapes = f"{list(recommended.shape)} and {list(users.shape)}"
        raise ValueError(f"recommended must be [batch, k] and users [batch], got {shapes}")
    for name, numbers, least, n in (
        ("recommended", recommended, -1, relevant.n_items),
        ("users", users, 0, relevant.n_users),
    ):
        if numbers.numel():
            low, high = int(numbers.numpy().min()), int(numbers.numpy().max())
            if low < least or high >= n:
                raise ValueError(f"{name} must lie in {least} to {n - 1}; found {low} to {high}")
