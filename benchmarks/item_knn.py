"""Claim: item-KNN fits no slower than implicit's CosineRecommender.

NDCG@10 stands beside it and decides nothing: implicit counts an item among its own 50 neighbours and lets it vote.

python benchmarks/item_knn.py [--worlds movielens-1m gowalla] [--repeats 3]
"""

import sys

import harness
import numpy as np
import worlds

K = 50


def ours(name: str) -> dict:
    """Likes as interactions in, lists of ten out; seconds of the fit alone."""
    import torch

    from recsys_course.data import Interactions
    from recsys_course.models import ItemKNN

    torch.set_num_threads(harness.THREADS)
    world = worlds.load(name)
    train = Interactions.from_events(world.users, world.items, n_users=world.n_users, n_items=world.n_items)
    model, seconds = harness.stopwatch(lambda: ItemKNN(k=K).fit(train))
    top = worlds.lists_of(model, world)
    return seconds | {"gains": harness.gains_at_10(top, world.held_out)}


def implicit(name: str) -> dict:
    """The peer, from its own form of input."""
    from implicit.nearest_neighbours import CosineRecommender

    world = worlds.load(name)
    likes = world.matrix()
    model = CosineRecommender(K=K, num_threads=harness.THREADS)
    _, seconds = harness.stopwatch(lambda: model.fit(likes, show_progress=False))
    top, _ = model.recommend(np.arange(world.n_users), likes, N=10, filter_already_liked_items=True)
    return seconds | {"gains": harness.gains_at_10(top, world.held_out)}


def judge(name: str, results: dict[str, dict]) -> bool:
    """Both ratios are of one run; the clock decides, processor seconds stand beside it."""
    harness.print_fits(name, results)
    ratio = results["ours"]["wall"] / results["implicit"]["wall"]
    return harness.verdict(ratio <= 1, f"{ratio:.2f} times the peer's time (at most 1.0)")


if __name__ == "__main__":
    sys.exit(harness.main(__file__, "models", {"ours": ours, "implicit": implicit}, list(worlds.SHAPES), judge))
