"""Interactions: the one data structure that every model and metric reads.

Shape names used everywhere in this package: ``n_users``, ``n_items``, ``n_events``; ``batch`` is a number of
users, ``k`` a list length, ``dim`` an embedding size.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

POSITIVE = 4.0  # a rating of 4 or more is a positive, in every lesson


@dataclass(frozen=True, eq=False, repr=False)
class Interactions:
    """Who interacted with what, how much they liked it, and when: four parallel columns.

    Events are sorted by user, then time, then item, so that the events of one user are one slice and ties in time
    have one order everywhere. ``from_events`` sorts for you.

    Attributes:
        users: user index of each event, int64 ``[n_events]``, ascending.
        items: item index of each event, int64 ``[n_events]``.
        ratings: 1 to 5 in MovieLens; 5 for a click or a purchase, float32 ``[n_events]``.
        times: Unix seconds (any non-negative clock will do), int64 ``[n_events]``.
        n_users: number of users, also those without an event.
        n_items: number of items, also those without an event.

    Raises:
        ValueError: a column has the wrong shape or type, an index is out of range, a rating is not finite, a time
            is negative, or the events are not sorted.
    """

    users: Tensor
    items: Tensor
    ratings: Tensor
    times: Tensor
    n_users: int
    n_items: int

    def __post_init__(self) -> None:
        self._check_columns()
        self._check_values()
        if not self._is_sorted():
            raise ValueError("events must be sorted by user, time and item: build with Interactions.from_events")

    @classmethod
    def from_events(cls, users, items, ratings=None, times=None, n_users=None, n_items=None) -> "Interactions":
        """Sort events in any order, given as tensors, arrays or lists, each ``[n_events]``.

        Without ratings every event is liked (rating 5); without times the order given is the order in time.
        Without ``n_users`` or ``n_items`` the largest index decides.

        >>> Interactions.from_events([1, 0], [2, 2]).users
        tensor([0, 1])
        """
        u, i = _whole("users", users), _whole("items", items)
        r = torch.full(u.shape, 5.0) if ratings is None else torch.from_numpy(np.asarray(ratings).astype(np.float32))
        t = torch.arange(len(u)) if times is None else _whole("times", times)
        if not len(u) == len(i) == len(r) == len(t):
            raise ValueError(
                f"columns differ in length: users {len(u)}, items {len(i)}, ratings {len(r)}, times {len(t)}"
            )
        order = torch.from_numpy(np.lexsort((r.numpy(), i.numpy(), t.numpy(), u.numpy())))
        count = lambda ids, n: n if n is not None else (int(ids.max()) + 1 if len(ids) else 0)  # noqa: E731
        return cls(u[order], i[order], r[order], t[order], count(u, n_users), count(i, n_items))

    def __len__(self) -> int:
        return len(self.users)

    def __repr__(self) -> str:
        density = len(self) / max(self.n_users * self.n_items, 1)
        line = f"Interactions({len(self):,} events, {self.n_users:,} users, {self.n_items:,} items, {density:.2%} dense"
        if len(self):
            line += f", ratings {self.ratings.min():g} to {self.ratings.max():g}"
        return line + ")"

    def equals(self, other: "Interactions") -> bool:
        """Whether both hold the same events for the same numbers of users and items."""
        same_size = (self.n_users, self.n_items) == (other.n_users, other.n_items)
        columns = ("users", "items", "ratings", "times")
        return same_size and all(torch.equal(getattr(self, c), getattr(other, c)) for c in columns)

    @cached_property
    def ptr(self) -> Tensor:
        """Int64 ``[n_users + 1]``: the events of user ``u`` are rows ``ptr[u]`` to ``ptr[u + 1]``."""
        counts = np.bincount(self.users.numpy(), minlength=self.n_users)  # [n_users]
        return torch.from_numpy(np.concatenate([[0], counts.cumsum()]))

    @cached_property
    def keys(self) -> Tensor:
        """One sorted number for each user-item pair, ``user * n_items + item``, int64 ``[n_events]``."""
        return torch.from_numpy(np.sort(self.users.numpy() * self.n_items + self.items.numpy()))

    def select(self, keep: Tensor) -> "Interactions":
        """The events where ``keep``, bool ``[n_events]``, is true; users and items keep their numbers."""
        if keep.all():
            return self
        columns = (column[keep] for column in (self.users, self.items, self.ratings, self.times))
        return Interactions(*columns, self.n_users, self.n_items)

    def positives(self, threshold: float = POSITIVE) -> "Interactions":
        """The events rated ``threshold`` or more."""
        return self.select(self.ratings >= threshold)

    def rows(self, users: Tensor) -> tuple[Tensor, Tensor]:
        """Where the events of some users are: int64 ``[batch]`` to two int64 ``[events of these users]``.

        The first result is the event's place in ``users``, the second its row in the columns.
        """
        start, count = self.ptr[users], self.ptr[users + 1] - self.ptr[users]  # [batch]
        place = torch.repeat_interleave(count)  # [events of these users]
        return place, start[place] + torch.arange(len(place)) - (count.cumsum(0) - count)[place]

    def dense(self, users: Tensor) -> Tensor:
        """Which items these users have an event with: int64 ``[batch]`` to bool ``[batch, n_items]``."""
        place, row = self.rows(users)
        seen = torch.zeros(len(users), self.n_items, dtype=torch.bool)
        seen[place, self.items[row]] = True
        return seen

    def matrix(self, users: Tensor | None = None) -> sparse.csr_matrix:
        """One where a user has an event with an item, float32 CSR ``[n_users, n_items]``.

        Args:
            users: the only rows wanted, in this order, int64 ``[batch]``; the result is ``[batch, n_items]``.
        """
        place, items, n_rows = self.users, self.items, self.n_users
        if users is not None:
            place, row = self.rows(users)
            items, n_rows = self.items[row], len(users)
        ones = np.ones(len(items), dtype=np.float32)
        matrix = sparse.csr_matrix((ones, (place.numpy(), items.numpy())), shape=(n_rows, self.n_items))
        matrix.data[:] = 1  # a pair that occurs twice counts once
        return matrix

    def item_counts(self) -> Tensor:
        """Number of events of each item, int64 ``[n_items]``."""
        return torch.bincount(self.items, minlength=self.n_items)

    def _check_columns(self) -> None:
        kinds = {"users": torch.int64, "items": torch.int64, "ratings": torch.float32, "times": torch.int64}
        for name, kind in kinds.items():
            column = getattr(self, name)
            if not isinstance(column, Tensor) or column.dtype != kind or column.shape != (len(self.users),):
                raise ValueError(f"{name} must be a {kind} tensor of shape [{len(self.users)}]; from_events converts")

    def _check_values(self) -> None:
        for name, n in (("users", self.n_users), ("items", self.n_items)):
            column = getattr(self, name)
            if len(column) and not (column.min() >= 0 and column.max() < n):
                raise ValueError(f"{name} must lie in 0 to {n - 1}; found {int(column.min())} to {int(column.max())}")
        if not self.ratings.isfinite().all():
            raise ValueError(f"rating of event {int((~self.ratings.isfinite()).nonzero()[0])} is not a finite number")
        if len(self) and self.times.min() < 0:
            raise ValueError(f"time of event {int(self.times.argmin())} is negative ({int(self.times.min())})")

    def _is_sorted(self) -> bool:
        ahead = torch.zeros(max(len(self) - 1, 0), dtype=torch.bool)
        for column in (self.items, self.times, self.users):  # the last column decides first
            step = column.diff()
            ahead = (step < 0) | ((step == 0) & ahead)
        return not bool(ahead.any())


def _whole(name: str, values) -> Tensor:
    """Array-like numbers as int64 ``[n_events]``, unless that would change one of them."""
    array = np.asarray(values)
    numbers = array.ndim == 1 and array.dtype.kind in "iufb" and np.isfinite(array).all()
    if not numbers or (array != np.floor(array)).any():
        raise ValueError(f"{name} must be one column of whole numbers: number users and items, give times in seconds")
    return torch.from_numpy(array.astype(np.int64))
