"""Negatives: items drawn for a user that are no positive of that user."""

from functools import lru_cache

import torch
from torch import Tensor

from recsys_course.data.interactions import Interactions

ROUNDS = 8  # draws that hit a positive are drawn again so many times, then from what is left alone


def uniform_negatives(users: Tensor, positives: Interactions, n: int, generator: torch.Generator) -> Tensor:
    """Draw ``n`` items for each user, every item that is no positive of the user equally likely.

    No draw is thrown away: a rank among the items left to the user is drawn, and the item of that rank looked up.

    Args:
        users: int64 ``[batch]``; a user may occur more than once.
        positives: what must not be drawn.
        n: how many for each place.
        generator: what is drawn from.

    Returns:
        Int64 ``[batch, n]``; an item may occur more than once.

    Raises:
        ValueError: to one of the users every item is a positive.
    """
    return _prepared(positives).draw(users.repeat_interleave(n), generator).view(-1, n)


class Negatives:
    """A table prepared once, from which uniform negatives are drawn many times.

    Attributes:
        users: the distinct positives, by user and then item, int64 ``[n_pairs]``.
        items: likewise, int64 ``[n_pairs]``.
        counts: positives of each user, int64 ``[n_users]``; those of user ``u`` begin at ``start[u]``.
        left: items that are no positive of the user, int64 ``[n_users]``.
    """

    def __init__(self, positives: Interactions) -> None:
        self.n_items = positives.n_items
        keys = torch.unique_consecutive(positives.keys)  # [n_pairs]
        self.users = keys.div(max(self.n_items, 1), rounding_mode="floor")
        self.items = keys - self.users * self.n_items
        self.counts = torch.bincount(self.users, minlength=positives.n_users)
        self.start, self.left = self.counts.cumsum(0) - self.counts, self.n_items - self.counts
        self.steps = keys - (torch.arange(len(keys)) - self.start[self.users])  # [n_pairs], ascending

    def at(self, users: Tensor, ranks: Tensor) -> Tensor:
        """The negative of that rank: two int64 ``[batch]`` to int64 ``[batch]``.

        Rank 0 is the user's first item that is no positive, ``left - 1`` the last: a rank plus the number of
        positives before it, which a binary search finds.
        """
        before = torch.searchsorted(self.steps, users * self.n_items + ranks, right=True) - self.start[users]
        return ranks + before

    def draw(self, users: Tensor, generator: torch.Generator) -> Tensor:
        """One negative for each place, int64 ``[batch]`` to int64 ``[batch]``; fastest with ascending users.

        Raises:
            ValueError: to one of the users every item is a positive.
        """
        left = self.left[users]
        if len(left) and left.min() == 0:
            raise ValueError(f"every item is a positive of user {int(users[left.argmin()])}: leave such users out")
        return self.at(users, (torch.rand(len(users), generator=generator, dtype=torch.float64) * left).long())


class AliasTable:
    """Draw from any distribution in constant time: one column and one coin a draw.

    Every column holds its own item up to a threshold and one other item, the alias, above it; all columns are
    equally likely. Source: Walker, ACM TOMS 3(3), 1977; built as in Vose, IEEE TSE 17(9), 1991.

    Args:
        weights: not negative, in proportion to the probabilities, ``[n]``.

    Raises:
        ValueError: a weight is negative or not finite, or none is above 0.
    """

    def __init__(self, weights: Tensor) -> None:
        weights = torch.as_tensor(weights).double()
        if weights.ndim != 1 or not weights.isfinite().all() or (weights < 0).any() or not weights.sum() > 0:
            raise ValueError("weights must be one column of finite numbers, none negative and one of them above 0")
        share, alias = (weights / weights.sum() * len(weights)).tolist(), list(range(len(weights)))
        small = [i for i, s in enumerate(share) if s < 1]
        large = [i for i, s in enumerate(share) if s >= 1]
        while small and large:
            i, j = small.pop(), large[-1]
            alias[i] = j  # column i is filled up by j
            share[j] -= 1 - share[i]
            if share[j] < 1:
                small.append(large.pop())
        for i in small + large:
            share[i] = 1.0  # what is left is full but for rounding
        self.share, self.alias = torch.tensor(share, dtype=torch.float64), torch.tensor(alias)

    def draw(self, shape: int | tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Row numbers of ``weights``, int64 of that shape."""
        shape = (shape,) if isinstance(shape, int) else shape
        columns = torch.randint(len(self.share), shape, generator=generator)
        coins = torch.rand(shape, generator=generator, dtype=torch.float64)
        return columns.where(coins < self.share[columns], self.alias[columns])


def popularity_negatives(
    users: Tensor, positives: Interactions, n: int, generator: torch.Generator, power: float = 0.75
) -> Tensor:
    r"""Draw ``n`` items for each user, an item with :math:`c` positives in proportion to :math:`c^\text{power}`.

    The user's own positives are drawn again. The power 0.75 is that of Mikolov et al., NeurIPS 2013, section 2.2:
    between uniform (0) and popularity itself (1).

    Args:
        users: int64 ``[batch]``; a user may occur more than once.
        positives: what must not be drawn, and what is counted.
        n: how many for each place.
        generator: what is drawn from.
        power: of the counts; with 0 an item without a positive is as likely as any other, else it is never drawn.

    Returns:
        Int64 ``[batch, n]``; an item may occur more than once.

    Raises:
        ValueError: no item with a weight above 0 is left to one of the users.
    """
    table, places = _popularity(positives, power), users.repeat_interleave(n)  # [batch * n]
    drawn = table.draw(len(places), generator)
    for _ in range(ROUNDS):
        again = _known(places, drawn, positives).nonzero().squeeze(1)
        drawn[again] = table.draw(len(again), generator)
    again = _known(places, drawn, positives)
    for user in places[again].unique():  # somebody who likes nearly all that is popular
        mine = again & (places == user)
        drawn[mine] = _draw_from_rest(user, positives, power, int(mine.sum()), generator)
    return drawn.view(-1, n)


def _draw_from_rest(user: Tensor, positives: Interactions, power: float, n: int, generator: torch.Generator) -> Tensor:
    """The same for one user, from the exact distribution: int64 ``[n]``."""
    weights = positives.item_counts().double() ** power
    weights[positives.items[positives.ptr[user] : positives.ptr[user + 1]]] = 0
    if not weights.any():
        raise ValueError(f"no item is left to draw for user {int(user)}: leave such users out")
    return weights.multinomial(n, replacement=True, generator=generator)


def _known(users: Tensor, items: Tensor, positives: Interactions) -> Tensor:
    """Whether each pair is among the positives: two int64 ``[n]`` to bool ``[n]``."""
    wanted, keys = users * positives.n_items + items, positives.keys
    if not len(keys):
        return torch.zeros_like(wanted, dtype=torch.bool)
    return keys[torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)] == wanted


@lru_cache(maxsize=2)  # a batch must not sort all events again; interactions are compared by identity
def _prepared(positives: Interactions) -> Negatives:
    return Negatives(positives)


@lru_cache(maxsize=2)
def _popularity(positives: Interactions, power: float) -> AliasTable:
    return AliasTable(positives.item_counts().double() ** power)
