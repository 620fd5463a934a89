"""Claim: an epoch of SASRec with full softmax takes at most a tenth of the time of an epoch of RecBole's.

On made-up likes of MovieLens 1M's size, in a random order; both with 64 dimensions, two layers, two heads, the newest
50 likes and two threads. An epoch is each tool's own: RecBole makes a sample of every prefix of every sequence, each
with one target; the course reads one window a user and learns from all of its places at once. So the seconds a target
stand beside the seconds an epoch. RecBole's epoch would take most of an hour: ``BATCHES`` of its batches, drawn at
random, are timed, and the epoch is extrapolated from them.

    python benchmarks/sasrec.py [--repeats 2]
"""

import sys

import harness
import numpy as np
import worlds

DIM, LAYERS, HEADS, LENGTH, DROPOUT = 64, 2, 2, 50, 0.2
BATCHES, EPOCHS, MOST = 5, 3, 0.1


def in_order(name: str) -> tuple[worlds.World, np.ndarray]:
    """The world and its items, those of each user in a random order, int64 ``[n_events]``."""
    world = worlds.load(name)
    order = np.lexsort((np.random.default_rng(0).random(len(world.users)), world.users))
    return world, world.items[order]


def ours(name: str) -> dict:
    """Whole epochs, the fastest of some."""
    import torch

    from recsys_course.data import Interactions
    from recsys_course.models import SASRec

    torch.set_num_threads(harness.THREADS)
    world, items = in_order(name)
    train = Interactions.from_events(world.users, items, n_users=world.n_users, n_items=world.n_items)
    model = SASRec(DIM, LAYERS, HEADS, LENGTH, DROPOUT, loss="softmax", epochs=EPOCHS)
    _, seconds = harness.stopwatch(lambda: model.fit(train))
    targets = int((train.ptr.diff() - 1).clamp(0, LENGTH).sum())
    return {"wall": min(model.history_.seconds), "cpu": seconds["cpu"] / EPOCHS, "targets": targets, "timed": "whole"}


def recbole(name: str) -> dict:
    """Some batches of RecBole's, the first of them not counted, as many times as its epoch has them."""
    import itertools

    import recbole_peer
    import torch

    torch.set_num_threads(harness.THREADS)
    world, items = in_order(name)
    settings = {"hidden_size": DIM, "inner_size": 4 * DIM, "n_layers": LAYERS, "n_heads": HEADS, "loss_type": "CE"}
    dropout = {"hidden_dropout_prob": DROPOUT, "attn_dropout_prob": DROPOUT}
    sequences = {"MAX_ITEM_LIST_LENGTH": LENGTH, "train_neg_sample_args": None}
    peer = recbole_peer.prepare("SASRec", world.users, items, **settings, **dropout, **sequences)
    peer.model.train()

    def step(batch) -> None:
        peer.trainer.optimizer.zero_grad()
        peer.model.calculate_loss(batch).backward()
        peer.trainer.optimizer.step()

    drawn = iter(peer.loader)  # shuffled
    step(next(drawn))
    _, seconds = harness.stopwatch(lambda: [step(batch) for batch in itertools.islice(drawn, BATCHES)])
    share = BATCHES / len(peer.loader)
    whole = {clock: spent / share for clock, spent in seconds.items()}
    return whole | {"targets": len(world.users) - world.n_users, "timed": f"{BATCHES} of {len(peer.loader)} batches"}


def judge(name: str, results: dict[str, dict]) -> bool:
    """The table of epochs and the bar."""
    mine, theirs = results["ours"], results["RecBole"]
    print(f"\n{name}, one epoch, fastest of the runs, two threads")
    columns = {
        "tool": str,
        "timed": lambda tool: results[tool]["timed"],
        "epoch, wall s": lambda tool: f"{results[tool]['wall']:,.1f}",
        "epoch, CPU s": lambda tool: f"{results[tool]['cpu']:,.1f}",
        "targets an epoch": lambda tool: f"{results[tool]['targets']:,}",
        "µs a target": lambda tool: f"{results[tool]['wall'] / results[tool]['targets'] * 1e6:,.0f}",
        "peak MB": lambda tool: f"{results[tool]['megabytes']:,.0f}",
    }
    harness.print_table(columns, list(results))
    ratio = mine["wall"] / theirs["wall"]
    target = ratio * theirs["targets"] / mine["targets"]
    sentence = f"{ratio:.4f} of RecBole's epoch (at most {MOST}; extrapolated), {target:.4f} of its time a target"
    return harness.verdict(ratio <= MOST, sentence)


if __name__ == "__main__":
    tools = {"ours": ours, "RecBole": recbole}
    sys.exit(harness.main(__file__, "recbole", tools, ["movielens-1m"], judge, repeats=2))
