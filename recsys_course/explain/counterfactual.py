"""What a recommender would say to somebody who had not seen a film: asked, not guessed."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from recsys_course.base import Recommender
from recsys_course.data.interactions import Interactions


@dataclass(frozen=True)
class Removal:
    """Items without which another item would be recommended.

    Attributes:
        target: what is recommended.
        removed: liked items, the first one taken out first.
        instead: what is recommended without them.
    """

    target: int
    removed: tuple[int, ...]
    instead: int


@torch.no_grad()
def history_scores(model: Recommender, histories: Sequence[Tensor]) -> Tensor:
    """What a model that has learnt says to people with these likes, one after the other and nothing else.

    Args:
        model: any recommender that scores a ``history``.
        histories: liked items, oldest first, int64 ``[n]`` each.

    Returns:
        Float ``[len(histories), n_items]``.
    """
    users = torch.repeat_interleave(torch.tensor([len(items) for items in histories]))
    events = Interactions.from_events(
        users, torch.cat(list(histories)), None, None, len(histories), model.train_.n_items
    )
    return model.scores(torch.arange(len(histories)), events)


def without_each(items: Tensor) -> list[Tensor]:
    """The history without its first item, without its second, and so on: ``[n]`` to ``n`` times ``[n - 1]``."""
    return [torch.cat([items[:place], items[place + 1 :]]) for place in range(len(items))]


def effects(model: Recommender, items: Tensor, target: int) -> Tensor:
    """How much of an item's score each liked item is worth: score with it minus score without it, float ``[n]``.

    The model stays as it is: what it learnt *from* this user is not taken back. For item-KNN these are the exact parts
    of the score; in general they do not add up to it.
    """
    scores = history_scores(model, [items, *without_each(items)])[:, target]
    return scores[0] - scores[1:]


def first_choice(model: Recommender, items: Tensor, seen: Tensor | None = None) -> int:
    """What comes first for a history among all items that are neither in it nor ``seen``, bool ``[n_items]``."""
    return int(history_scores(model, [items])[0].masked_fill(_known(model, items, seen), -torch.inf).argmax())


def smallest_removal(model: Recommender, items: Tensor, seen: Tensor | None = None, most: int = 5) -> Removal | None:
    """Take liked items away, each time the one that costs the recommended item most, until another comes first.

    Greedy, so that a smaller set may exist; what is returned was tried and works. Removed items cannot come up as
    recommendations themselves: the person has still seen them. The idea, on a graph: Ghazimatin et al., WSDM 2020,
    arXiv:1911.08378.

    Args:
        model: any recommender that scores a ``history``.
        items: liked items, oldest first, int64 ``[n]``.
        seen: what else is not recommended, bool ``[n_items]``.
        most: how many may be taken away.

    Returns:
        The removal, or None where ``most`` items do not suffice.
    """
    known = _known(model, items, seen)
    target, kept, removed = first_choice(model, items, known), items, []
    while len(removed) < min(most, len(items) - 1):
        scores = history_scores(model, without_each(kept)).masked_fill(known, -torch.inf)
        rival = scores.index_fill(1, torch.tensor([target]), -torch.inf).amax(dim=1)
        place = int((scores[:, target] - rival).argmin())
        removed.append(int(kept[place]))
        kept = without_each(kept)[place]
        if (instead := first_choice(model, kept, known)) != target:
            return Removal(target, tuple(removed), instead)
    return None


def _known(model: Recommender, items: Tensor, seen: Tensor | None) -> Tensor:
    """What cannot be recommended, bool ``[n_items]``."""
    known = torch.zeros(model.train_.n_items, dtype=torch.bool) if seen is None else seen
    return known.index_fill(0, items, True)
