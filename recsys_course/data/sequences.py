"""Histories in order: who did what after what, cut and padded so that many users fit in one tensor."""

import numpy as np
import torch
from torch import Tensor

from recsys_course.data.interactions import Interactions


def histories(interactions: Interactions, users: Tensor, length: int, skip: Tensor | None = None) -> Tensor:
    """The newest items of some users, oldest first, so that the last column is the newest item of everybody.

    A shorter history is filled up *in front* with ``n_items``, a number that no item has: an embedding of sequences
    has one row more than there are items. Events of one second stand by item number, as everywhere in the course.

    With ``length + 1`` columns, all but the last are what a sequence model reads and all but the first what it has to
    guess, place by place: no target stands in the input before its own place.

    Args:
        interactions: the events.
        users: int64 ``[batch]``; a user may occur more than once.
        length: number of columns.
        skip: how many of the newest events are left out, int64 ``[batch]``; without it none.

    Returns:
        Int64 ``[batch, length]``.

    Raises:
        ValueError: the length is below 1.

    >>> liked = Interactions.from_events([0, 0, 0, 1], [7, 5, 6, 2])
    >>> histories(liked, torch.tensor([0, 1]), 2)
    tensor([[5, 6],
            [8, 2]])
    """
    if length < 1:
        raise ValueError(f"length must be at least 1, got {length}")
    place, row = interactions.rows(users)
    newer = interactions.ptr[users + 1][place] - row  # [events of these users], 1 is the newest
    if skip is not None:
        newer = newer - skip[place]
    keep = (newer >= 1) & (newer <= length)
    items = torch.full((len(users), length), interactions.n_items)
    items[place[keep], length - newer[keep]] = interactions.items[row[keep]]
    return items


def shuffle_order(interactions: Interactions, seed: int, ties_only: bool = False) -> Interactions:
    """The same events in another order: what a model that uses the order must notice.

    Times become places, 0 for a user's first event, so that the new order is the order in time.

    Args:
        interactions: the events.
        seed: of the new order.
        ties_only: shuffle only among events of one user and one second, whose order nobody knows.
    """
    noise = np.random.default_rng(seed).random(len(interactions))
    users = interactions.users.numpy()
    keys = (noise, interactions.times.numpy(), users) if ties_only else (noise, users)
    order = torch.from_numpy(np.lexsort(keys))  # the users stay as they were, each its own rows
    places = torch.arange(len(order)) - interactions.ptr[interactions.users]
    columns = interactions.users, interactions.items[order], interactions.ratings[order], places
    return Interactions(*columns, interactions.n_users, interactions.n_items)
