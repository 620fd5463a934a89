"""A world in which it is known how much the order of events says about the next one."""

import torch
from torch import Tensor

from recsys_course.data.interactions import Interactions


class OrderWorld:
    r"""Users with a taste, items in series, and a known chance that a user goes on with the series.

    Every item belongs to a genre and has one successor in it, so that a genre is one long ring of items. A user likes
    one genre best: three of four items that the user would take anyway are from it. From event to event, with
    probability ``strength`` the next item is the successor of the last; else it is the next of those that the user
    would take anyway, which stand in random order. Nothing is taken twice. With strength 0 every order of a user's
    items is equally likely; with 1 the last item alone tells the next, until the series runs into an item already
    taken.

    Args:
        n_users: number of users.
        n_items: number of items, a multiple of ``n_genres``.
        n_genres: number of genres.
        strength: probability of the successor.
        seed: of the world; its logs have their own.

    Raises:
        ValueError: ``strength`` lies outside 0 to 1, or the genres cannot share the items evenly.
    """

    def __init__(
        self, n_users: int = 500, n_items: int = 200, n_genres: int = 10, strength: float = 0.5, seed: int = 0
    ) -> None:
        if not 0 <= strength <= 1:
            raise ValueError(f"strength must lie in 0 to 1, got {strength}")
        if n_genres < 1 or n_items % n_genres:
            raise ValueError(f"{n_genres} genres cannot share {n_items} items evenly: take a multiple")
        generator = torch.Generator().manual_seed(seed)
        rings = torch.randperm(n_items, generator=generator).view(n_genres, -1)  # numbers tell nothing of the order
        self.strength, self.n_users, self.n_items = strength, n_users, n_items
        self.genre, self.successor = torch.empty(n_items, dtype=torch.int64), torch.empty(n_items, dtype=torch.int64)
        self.genre[rings] = torch.arange(n_genres).unsqueeze(1).expand_as(rings)
        self.successor[rings] = rings.roll(-1, dims=1)  # [n_items]
        self.favourite = torch.randint(n_genres, (n_users,), generator=generator)  # genre of each user

    def log(self, n_events: int, seed: int = 0) -> Interactions:
        """Let every user take ``n_events`` items; times are places, 0 for the first.

        Raises:
            ValueError: there are not that many items.
        """
        if not 1 <= n_events <= self.n_items:
            raise ValueError(f"n_events must lie in 1 to {self.n_items}, every item is taken once, got {n_events}")
        generator = torch.Generator().manual_seed(seed)
        decks = self._decks(n_events, generator).tolist()
        sticks = (torch.rand(self.n_users, n_events, generator=generator) < self.strength).tolist()
        successor = self.successor.tolist()
        walks = (_walk(deck, stick, successor) for deck, stick in zip(decks, sticks, strict=True))
        items = [item for walk in walks for item in walk]
        users = torch.arange(self.n_users).repeat_interleave(n_events)
        times = torch.arange(n_events).repeat(self.n_users)
        return Interactions.from_events(users, items, None, times, self.n_users, self.n_items)

    def _decks(self, n_events: int, generator: torch.Generator) -> Tensor:
        """What each user would take anyway, in random order: int64 ``[n_users, n_events]``.

        Drawn without replacement, where an item of the favourite genre weighs so much that the genre, while it lasts,
        is drawn three times in four.
        """
        n_genres = int(self.genre.max()) + 1
        loved = self.genre == self.favourite.unsqueeze(1)  # [n_users, n_items]
        weights = torch.where(loved, 3.0 * max(n_genres - 1, 1), 1.0)
        chosen = weights.multinomial(n_events, generator=generator)  # the likely ones come first
        order = torch.rand(chosen.shape, generator=generator).argsort(dim=1)
        return chosen.gather(1, order)


def _walk(deck: list[int], stick: list[bool], successor: list[int]) -> list[int]:
    """One user's items: the successor of the last where ``stick`` says so and it is new, else the deck's next."""
    taken, cards = {deck[0]: None}, iter(deck[1:])  # a dict keeps the order
    last = deck[0]
    for go_on in stick[1:]:
        following = successor[last]
        last = following if go_on and following not in taken else next(card for card in cards if card not in taken)
        taken[last] = None
    return list(taken)
