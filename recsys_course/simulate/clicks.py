"""A feed of films whose every click, and every purchase after it, has a known probability.

MovieLens knows who rated what, but not what was shown and left alone. Here both are written down, each row beside the
truth that made it. The films may be real ones: only their genres are needed.
"""

from dataclasses import dataclass, fields, replace
from functools import partial

import torch
from torch import Tensor

FIELDS = ("user", "film", "genre", "time of day")
NUMBERS = ("film's click rate", "user's click rate", "user's click rate in the genre", "share of history that is alike")
STRENGTH = 10.0  # impressions that the prior of a logged click rate counts for
DELAY = 4.0  # mean days from click to purchase


@dataclass(frozen=True, eq=False)
class Impressions:
    """Films that were shown, one row each, in the order of time; the last four columns no real log has.

    Attributes:
        fields: what is a number by name only, ``FIELDS``, each counted from 0: int64 ``[n, 4]``.
        sizes: how many values each field has.
        numbers: what was known before the list was shown, ``NUMBERS``: float ``[n, 4]``.
        history: the user's last clicked films, oldest first; filler in front is ``n_items``: int64 ``[n, length]``.
        positions: place in the list, from 0, the top: int64 ``[n]``.
        times: the day, int64 ``[n]``; a user sees one list a day.
        shuffled: whether this list was put in random order, bool ``[n]``.
        clicks: 1 for a click, float ``[n]``.
        conversions: 1 for a purchase after the click, however late, float ``[n]``.
        delays: days from the click to the purchase, infinite without one, float ``[n]``.
        examined: truth: chance that a user looks at this position, float ``[n]``.
        appeal: truth: chance of a click by a user who looks, float ``[n]``.
        liked: truth: 1 if this user clicks on looking, whether or not there was a look, float ``[n]``.
        worth: truth: chance of a purchase if there is a click, float ``[n]``.
    """

    fields: Tensor
    sizes: tuple[int, ...]
    numbers: Tensor
    history: Tensor
    positions: Tensor
    times: Tensor
    shuffled: Tensor
    clicks: Tensor
    conversions: Tensor
    delays: Tensor
    examined: Tensor
    appeal: Tensor
    liked: Tensor
    worth: Tensor

    def __len__(self) -> int:
        return len(self.fields)

    def __getitem__(self, rows: Tensor | slice) -> "Impressions":
        """Some of the rows: a slice, a bool ``[n]`` or int64 ``[m]``."""
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        return Impressions(**{k: v[rows] if isinstance(v, Tensor) else v for k, v in columns.items()})

    @property
    def users(self) -> Tensor:
        """Who was shown the film, int64 ``[n]``."""
        return self.fields[:, 0]

    @property
    def items(self) -> Tensor:
        """The film, int64 ``[n]``."""
        return self.fields[:, 1]

    def at_top(self) -> "Impressions":
        """The same films as if each stood first: what a ranker is asked before it has decided on the order."""
        return replace(self, positions=torch.zeros_like(self.positions))


class Feed:
    r"""Users with changing interests, films that draw clicks or are worth buying, and lists of which the top is read.

    A user looks at position :math:`k` (from 0) with chance :math:`e_k = (k + 1)^{-\eta}` and on looking clicks with
    chance :math:`\sigma(b + d_i + l_u + m_{h,i} + s \, x_{ui})`: the film's draw, the user's lean, the mood of the
    time of day for its genres, and whether the film fits one of the user's two present interests, which change. After
    a click comes a purchase with a chance of its own, in which a film's draw counts *against* it, on average
    ``DELAY`` days later.

    Most lists are ordered by a rule that puts promoted films on top; the rest, at random.

    Args:
        genres: which genres each film has, bool ``[n_items, n_genres]``.
        n_users: number of users.
        n_positions: length of the lists.
        n_times: times of day.
        base: the logit :math:`b`.
        interest: :math:`s`, how much a present interest adds to the logit.
        decay: :math:`\eta`; 0 means that all positions are read alike.
        spread: multiplies draw, lean and mood; with 0 and ``interest=0`` every click is noise.
        seed: of the draw of the world; its logs have their own.
    """

    def __init__(
        self,
        genres: Tensor,
        n_users: int = 1000,
        n_positions: int = 8,
        n_times: int = 4,
        base: float = -2.2,
        interest: float = 1.8,
        decay: float = 0.8,
        spread: float = 1.0,
        seed: int = 0,
    ) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.genres = genres.float()  # [n_items, n_genres]
        (n_items, n_genres), self.n_users, self.interest = genres.shape, n_users, interest
        normal = partial(torch.randn, generator=generator)
        self.draw, self.lean = 0.6 * spread * normal(n_items), 0.7 * spread * normal(n_users)
        share = self.genres / self.genres.sum(1, keepdim=True).clamp(min=1)
        self.mood = base + 0.9 * spread * normal(n_times, n_genres) @ share.T  # [n_times, n_items]
        self.worth = 0.7 * normal(n_items) - self.draw - 1.2  # [n_items], what clicks well sells badly
        self.promoted = normal(n_items) + 0.5 * self.draw
        self.taste = normal(n_users, n_genres).softmax(dim=1) * (self.genres.sum(0) > 0)  # [n_users, n_genres]
        self.examination = torch.arange(1, n_positions + 1) ** -float(decay)  # [n_positions]

    def log(
        self, n_days: int, shuffled: float = 0.2, length: int = 10, change: float = 0.15, seed: int = 0
    ) -> Impressions:
        """Show every user one list a day and write down what happens.

        Args:
            n_days: how many days.
            shuffled: share of lists in random order.
            length: how many of the last clicks are logged.
            change: chance that one of a user's two interests gives way to another on a day.
            seed: of this log.

        Raises:
            ValueError: there are fewer films than positions.
        """
        if len(self.genres) < len(self.examination):
            raise ValueError(f"{len(self.genres)} films cannot fill lists of {len(self.examination)}: give more films")
        return _Day(self, length, torch.Generator().manual_seed(seed)).run(n_days, shuffled, change)


class _Day:
    """The state that a log goes through: interests, histories and the counts behind the logged click rates."""

    def __init__(self, feed: Feed, length: int, generator: torch.Generator) -> None:
        (self.n_items, n_genres), n_users = feed.genres.shape, feed.n_users
        self.feed, self.generator, self.users = feed, generator, torch.arange(n_users).unsqueeze(1)
        self.history = torch.full((n_users, length), self.n_items)
        self.interests = torch.multinomial(feed.taste, 2, generator=generator)  # [n_users, 2]
        self.genre = feed.genres.argmax(dim=1)  # [n_items], the first one
        self.seen = [torch.zeros(n, 2) for n in (self.n_items, n_users, n_users * n_genres)]  # shown, clicked
        self.padded = torch.cat([feed.genres, torch.zeros(1, n_genres)])  # filler has no genre

    def rand(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self.generator)

    def run(self, n_days: int, shuffled: float, change: float) -> Impressions:
        days = [self.step(day, shuffled, change) for day in range(n_days)]
        columns = {name: torch.cat([day[name] for day in days]) for name in days[0]}
        sizes = (self.feed.n_users, self.n_items, self.feed.genres.shape[1], len(self.feed.mood))
        return Impressions(sizes=sizes, **columns)

    def step(self, day: int, shuffled: float, change: float) -> dict[str, Tensor]:
        """One day: columns of ``[n_users * n_positions]`` rows, by name."""
        feed, n, k = self.feed, self.feed.n_users, len(self.feed.examination)
        new = torch.multinomial(feed.taste, 1, generator=self.generator)[:, 0]
        self.interests[:, day % 2] = torch.where(self.rand(n) < change, new, self.interests[:, day % 2])
        random = self.rand(n, 1) < shuffled
        items = self.lists(random, k)  # [n_users, k]
        hour = torch.randint(len(feed.mood), (n, 1), generator=self.generator).expand(n, k)
        fits = feed.genres[items].gather(2, self.interests[:, None].expand(n, k, 2)).amax(2)  # [n_users, k]
        logits = feed.mood[hour, items] + feed.draw[items] + feed.lean[self.users] + feed.interest * fits
        appeal, worth = logits.sigmoid(), (feed.worth[items] + 1.2 * fits).sigmoid()
        liked, looked = (self.rand(n, k) < chance for chance in (appeal, feed.examination.expand(n, k)))
        clicks = liked & looked
        bought = clicks & (self.rand(n, k) < worth)
        delays = torch.empty(n, k).exponential_(1 / DELAY, generator=self.generator)
        columns = {
            "fields": torch.stack([self.users.expand(n, k), items, self.genre[items], hour], dim=2),
            "numbers": self.numbers(items),
            "history": self.history.unsqueeze(1).expand(n, k, -1),
            "positions": torch.arange(k).expand(n, k),
            "times": torch.full((n, k), day),
            "shuffled": random.expand(n, k),
            "clicks": clicks.float(),
            "conversions": bought.float(),
            "delays": delays.masked_fill(~bought, torch.inf),
            "examined": feed.examination.expand(n, k),
            "appeal": appeal,
            "liked": liked.float(),
            "worth": worth,
        }
        self.remember(items, clicks)
        return {name: column.flatten(0, 1) for name, column in columns.items()}

    def lists(self, random: Tensor, k: int) -> Tensor:
        """Films drawn for each user, promoted ones on top unless the list is random: int64 ``[n_users, k]``."""
        items = self.rand(len(random), self.n_items).topk(k, dim=1).indices
        order = self.feed.promoted[items] + 0.5 * torch.randn(items.shape, generator=self.generator)
        return items.gather(1, torch.where(random, self.rand(*items.shape), order).argsort(1, descending=True))

    def keys(self, items: Tensor) -> list[Tensor]:
        """Whose clicks are counted: the film's, the user's, the user's in the genre, int64 ``[n_users, k]`` each."""
        users = self.users.expand(items.shape)
        return [items, users, users * self.feed.genres.shape[1] + self.genre[items]]

    def numbers(self, items: Tensor) -> Tensor:
        """``NUMBERS`` from what happened until yesterday, float ``[n_users, k, 4]``."""
        shown, clicked = self.seen[0].sum(0)
        prior = (clicked + 1) / (shown + STRENGTH)
        pairs = [table[key] for table, key in zip(self.seen, self.keys(items), strict=True)]
        rates = [(pair[..., 1] + STRENGTH * prior) / (pair[..., 0] + STRENGTH) for pair in pairs]
        alike = torch.einsum("ukg,ulg->ukl", self.feed.genres[items], self.padded[self.history]) > 0
        length = (self.history < self.n_items).sum(1, keepdim=True).clamp(min=1)
        return torch.stack([*rates, alike.sum(2) / length], dim=2)

    def remember(self, items: Tensor, clicks: Tensor) -> None:
        """Count this day's impressions and clicks, and put the clicked films at the end of the histories."""
        both = torch.stack([torch.ones_like(clicks), clicks], dim=2).float().flatten(0, 1)
        for table, key in zip(self.seen, self.keys(items), strict=True):
            table.index_add_(0, key.flatten(), both)
        longer = torch.cat([self.history, items.masked_fill(~clicks, self.n_items)], dim=1)
        order = (longer < self.n_items).int().argsort(dim=1, stable=True)  # filler to the front
        self.history = longer.gather(1, order)[:, -self.history.shape[1] :]
