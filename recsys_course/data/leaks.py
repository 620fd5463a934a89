"""Leak detectors: each split makes a promise, and these functions look for what breaks it.

Every detector takes the training and the held-out ratings and returns a sentence about the leak, or ``None``.
"""

import torch

from recsys_course.data.interactions import Interactions
from recsys_course.data.splits import Split


def overlap(train: Interactions, held_out: Interactions) -> str | None:
    """The same user-item pair on both sides: the answer stands in the question."""
    shared = torch.isin(train.keys, held_out.keys)
    if not shared.any():
        return None
    user, item = divmod(int(train.keys[shared][0]), train.n_items)
    return f"overlap: {int(shared.sum())} user-item pairs are on both sides, the first is user {user}, item {item}"


def user_future(train: Interactions, held_out: Interactions) -> str | None:
    """A user's training rating that is younger than one of its held-out ratings."""
    first = torch.full((train.n_users,), torch.iinfo(torch.int64).max)
    first = first.scatter_reduce(0, held_out.users, held_out.times, "amin")  # [n_users]
    late = train.times > first[train.users]
    if not late.any():
        return None
    return (
        f"user future: {int(late.sum())} training ratings are younger than a held-out one of user {_first(train, late)}"
    )


def global_future(train: Interactions, held_out: Interactions) -> str | None:
    """A training rating, of anybody, that is not older than the first held-out rating."""
    if not len(held_out) or not len(train):
        return None
    late = train.times >= held_out.times.min()
    if not late.any():
        return None
    return f"global future: {int(late.sum())} training ratings are not older than the first held-out one"


def known_users(train: Interactions, held_out: Interactions) -> str | None:
    """A user that is cold by promise and yet has training ratings."""
    both = torch.isin(train.users, held_out.users)
    return f"known users: user {_first(train, both)} is held out and has training ratings" if both.any() else None


def known_items(train: Interactions, held_out: Interactions) -> str | None:
    """An item that is cold by promise and yet has training ratings."""
    both = torch.isin(train.items, held_out.items)
    return f"known items: item {int(train.items[both][0])} is held out and has training ratings" if both.any() else None


PROMISES = {
    "random": (overlap,),
    "last": (overlap, user_future),
    "time": (overlap, user_future, global_future),
    "cold-users": (overlap, known_users),
    "cold-items": (overlap, known_items),
}


def find_leaks(split: Split) -> list[str]:
    """Every broken promise of a split, in words; an empty list is a clean bill."""
    if split.name not in PROMISES:
        raise ValueError(f"no promise is known for a split called {split.name!r}: choose one of {', '.join(PROMISES)}")
    found = (detector(split.train, split.held_out) for detector in PROMISES[split.name])
    return [leak for leak in found if leak]


def _first(events: Interactions, mask: torch.Tensor) -> int:
    return int(events.users[mask][0])
