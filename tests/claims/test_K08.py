"""What the answer to K08 (a table of a billion rows) states; the shards are lists in one process."""

import numpy as np
import pytest
import torch

from recsys_course import claim

ROWS, DIM, DEVICES = 10**9, 64, 16


def test_memory():
    table = 4 * ROWS * DIM / 1e9
    claim(
        "K08.memory",
        "A billion rows of 64 numbers in float32 are 256 GB, 768 with Adam's two averages and 1,024 with "
        "a dense gradient as well, 260 with row-wise Adagrad; "
        "at 80 GB a device that is ten devices or four",
        (table, 3 * table, 4 * table, table + 4 * ROWS / 1e9) == (256, 768, 1024, 260)
        and (-(-768 // 80), -(-260 // 80)) == (10, 4),
    )
    ring = 2 * 15 / 16 * 256 / 100
    claim(
        "K08.replicated",
        "Replicated, with a dense gradient: a ring of 16 moves 480 GB a device and step, 4.8 s at 100 GB/s",
        abs(ring - 4.8) < 1e-9,
    )


class Shards:
    """Rows dealt out by number modulo the devices; each device asks and is asked, as in an all-to-all."""

    def __init__(self, table, n):
        self.n, self.parts = n, [table[rank::n].clone() for rank in range(n)]
        self.sent = 0

    def ask(self, ids):
        """Which distinct rows a device asks of each other, and where they go."""
        distinct, place = ids.unique(return_inverse=True)
        return [distinct[distinct % self.n == rank] for rank in range(self.n)], distinct, place

    def look_up(self, ids):
        """The vectors of one device's batch."""
        asked, distinct, place = self.ask(ids)
        found = torch.empty(len(distinct), self.parts[0].shape[1])
        for rank, rows in enumerate(asked):
            found[distinct % self.n == rank] = self.parts[rank][rows // self.n]
            self.sent += len(rows)
        return found[place]

    def update(self, ids, gradient, rate):
        """One step of SGD, the gradient of a row summed where the row lives."""
        for rank in range(self.n):
            mine = ids % self.n == rank
            self.parts[rank].index_add_(0, ids[mine] // self.n, gradient[mine], alpha=-rate)


def test_a_sharded_table_is_the_table():
    draw = torch.Generator().manual_seed(0)
    table, ids = torch.randn(1000, 8, generator=draw), torch.randint(1000, (500,), generator=draw)
    shards, whole = Shards(table, 4), table.clone()
    same = torch.equal(shards.look_up(ids), table[ids])
    gradient = torch.randn(500, 8, generator=draw)
    shards.update(ids, gradient, 0.1)
    whole.index_add_(0, ids, gradient, alpha=-0.1)
    after = all(torch.allclose(part, whole[rank::4], atol=1e-6) for rank, part in enumerate(shards.parts))
    claim(
        "K08.equal",
        "Four shards of rows: look-up and a step of SGD give the same table as one; each distinct row is fetched once",
        same and after and shards.sent == len(ids.unique()),
    )


@pytest.fixture(scope="module")
def reads():
    """A million reads of a million rows by Zipf's law, exponent 1; rows are numbered by how often they are read."""
    draw = np.random.default_rng(0)
    share = 1 / np.arange(1, 1_000_001)
    return np.searchsorted(np.cumsum(share / share.sum()), draw.random(1_000_000)).clip(max=999_999)


def busiest(owners):
    """Reads of the busiest of 16 devices over the mean."""
    counts = np.bincount(owners, minlength=DEVICES)
    return counts.max() / counts.mean()


def test_balance_of_reads(reads):
    scattered = np.random.default_rng(1).permutation(1_000_000)[reads] % DEVICES
    contiguous = reads // (1_000_000 // DEVICES)
    batches = reads[: 15 * 65_536].reshape(15, 65_536)
    distinct = np.mean([len(np.unique(b)) for b in batches]) / 65_536
    once = np.concatenate([np.unique(b) for b in batches])
    owners = np.random.default_rng(1).permutation(1_000_000)[once] % DEVICES
    claim(
        "K08.balance",
        "A million reads by Zipf's law on 16 devices: rows in ranges of popularity give the busiest 13 times the "
        "mean, scattered rows 2.2 times",
        abs(busiest(contiguous) - 12.9) < 0.5 and abs(busiest(scattered) - 2.23) < 0.1,
    )
    claim(
        "K08.distinct",
        "In a batch of 65,536 such reads 40 % are distinct; asked for once each, the busiest device has 1.02 times the "
        "mean",
        abs(distinct - 0.405) < 0.01 and busiest(owners) < 1.03,
    )


def test_a_small_cache_holds_most_reads(reads):
    hot = float((reads < 10_000).mean())
    claim(
        "K08.cache",
        "The 1 % most read rows take 68 % of these reads",
        abs(hot - 0.68) < 0.01,
    )


def test_traffic():
    batch, tables = 65_536, 26
    vectors = batch * tables * DIM * 4
    claim(
        "K08.traffic",
        "A global batch of 65,536 with 26 looked-up vectors of 64 numbers: 436 MB a step in each direction over all "
        "devices, 27 MB a device of 16, of which a sixteenth stays at home",
        abs(vectors / 1e6 - 436.2) < 0.1 and abs(vectors / DEVICES / 1e6 - 27.3) < 0.1,
    )


def shared(ids, buckets, seed):
    """Share of ids that share their bucket with another."""
    place = np.random.default_rng(seed).integers(0, buckets, ids)
    return (np.bincount(place, minlength=buckets)[place] > 1).mean(), place


def test_collisions():
    ids = 1_000_000
    full, tenth = shared(ids, ids, 0)[0], shared(ids, 10 * ids, 0)[0]
    one, two = (shared(ids, ids // 10, seed)[1] for seed in (1, 2))
    pairs = np.unique(one.astype(np.int64) * (ids // 10) + two, return_counts=True)[1]
    both = float(pairs[pairs > 1].sum() / ids)
    claim(
        "K08.collisions",
        "Hashing as many ids as there are rows, 63 % share their row; with ten rows an id 10 %; with two hashes into "
        "tables of a tenth each, under 0.1 % share both",
        abs(full - 0.632) < 0.005 and abs(tenth - 0.095) < 0.005 and both < 0.001,
    )
