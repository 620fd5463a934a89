"""Likes on disk in equal files, the shards, of which each process opens its own and reads only the rows it needs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:  # workers start faster without pandas
    from recsys_course.data import Interactions


def write_shards(likes: "Interactions", folder: Path | str, n_shards: int = 4, seed: int = 0) -> Path:
    """Shuffle the events once and write them as ``n_shards`` files a column, all of the same length.

    Up to ``n_shards - 1`` events, drawn at random, are left out so that the lengths are equal.

    Args:
        likes: the events to learn from.
        folder: made if it is missing.
        n_shards: a multiple of every number of processes that will read them.
        seed: of the shuffle.

    Returns:
        The folder.

    Raises:
        ValueError: there are fewer events than shards.
    """
    if not 1 <= n_shards <= len(likes):
        raise ValueError(f"{len(likes)} events cannot be dealt to {n_shards} shards: write between 1 and {len(likes)}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    order = np.random.default_rng(seed).permutation(len(likes))[: len(likes) // n_shards * n_shards]
    for name in ("users", "items"):
        for shard, rows in enumerate(order.reshape(n_shards, -1)):
            np.save(folder / f"{name}-{shard}.npy", getattr(likes, name).numpy()[rows])
    facts = {"n_shards": n_shards, "n_users": likes.n_users, "n_items": likes.n_items}
    (folder / "shards.json").write_text(json.dumps(facts), encoding="utf-8")
    return folder


class Shards:
    """Read each step's batch; which rows it holds follows from the step alone, whatever the number of processes.

    Every shard gives the same number of rows to every step, in an order of its own that changes with the epoch.
    Process ``rank`` reads shards ``rank``, ``rank + world``, ...; all processes together read the whole batch. So the
    step is the whole position in the data: whoever knows it goes on exactly where somebody else stopped.

    Attributes:
        n_users: users in the data.
        n_items: likewise.
        n_rows: events in all shards together; row ``r`` is in shard ``r // (n_rows // n_shards)``.

    Args:
        folder: written by ``write_shards``.
        rank: number of this process.
        world: number of processes.
        seed: of the orders.
        reshuffle: whether each epoch has an order of its own: what ``set_epoch`` does for torch's sampler.

    Raises:
        ValueError: the shards cannot be dealt evenly to the processes.
    """

    def __init__(self, folder: Path | str, rank: int = 0, world: int = 1, *, seed: int = 0, reshuffle: bool = True):
        facts = json.loads((Path(folder) / "shards.json").read_text(encoding="utf-8"))
        self.n_shards, self.n_users, self.n_items = facts["n_shards"], facts["n_users"], facts["n_items"]
        if self.n_shards % world:
            raise ValueError(
                f"{self.n_shards} shards cannot be dealt evenly to {world} processes: write a multiple of {world}"
            )
        self.seed, self.reshuffle = seed, reshuffle
        self.mine = range(rank, self.n_shards, world)
        self._columns = {
            (name, shard): np.load(Path(folder) / f"{name}-{shard}.npy", mmap_mode="r")
            for name in ("users", "items")
            for shard in self.mine
        }
        self._length = len(self._columns["users", rank])
        self.n_rows = self.n_shards * self._length
        self._orders: tuple[int, dict[int, np.ndarray]] = (-1, {})

    def steps(self, batch_size: int) -> int:
        """Steps in an epoch; the last rows, too few for a whole batch, wait for another epoch's order.

        Raises:
            ValueError: the batch is no multiple of the shards, or larger than the data.
        """
        if batch_size < 1 or batch_size % self.n_shards or batch_size > self.n_rows:
            raise ValueError(
                f"the batch of all processes together must be a multiple of {self.n_shards} shards and at most "
                f"{self.n_rows}, got {batch_size}"
            )
        return self.n_rows // batch_size

    def batch(self, step: int, batch_size: int) -> tuple[Tensor, Tensor, Tensor]:
        """This process's part of a step: rows, users and items, each int64 ``[batch_size // world]``.

        Args:
            step: counted from 0, over all epochs.
            batch_size: of all processes together.
        """
        epoch, place = divmod(step, self.steps(batch_size))
        orders, share = self._order(epoch), batch_size // self.n_shards
        chosen = {shard: np.sort(orders[shard][place * share : (place + 1) * share]) for shard in self.mine}
        rows = [shard * self._length + chosen[shard] for shard in self.mine]
        users, items = ([self._columns[name, s][chosen[s]] for s in self.mine] for name in ("users", "items"))
        return tuple(torch.from_numpy(np.concatenate(parts)) for parts in (rows, users, items))

    def _order(self, epoch: int) -> dict[int, np.ndarray]:
        """The order of each of this process's shards in one epoch."""
        epoch = epoch if self.reshuffle else 0
        if self._orders[0] != epoch:
            draw = lambda shard: np.random.default_rng((self.seed, epoch, shard)).permutation(self._length)  # noqa: E731
            self._orders = epoch, {shard: draw(shard) for shard in self.mine}
        return self._orders[1]
