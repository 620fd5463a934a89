"""Claim: EASE fits no slower than its closed form in numpy, and refuses what memory cannot hold.

python benchmarks/ease.py [--repeats 3]
"""

import sys

import harness
import numpy as np
import worlds

REG = 500.0


def ours(name: str) -> dict:
    """Likes as interactions in, lists of ten out; seconds of the fit alone."""
    import torch

    from recsys_course.data import Interactions
    from recsys_course.models import EASE

    torch.set_num_threads(harness.THREADS)
    world = worlds.load(name)
    train = Interactions.from_events(world.users, world.items, n_users=world.n_users, n_items=world.n_items)
    model, seconds = harness.stopwatch(lambda: EASE(REG).fit(train))
    return seconds | {"gains": harness.gains_at_10(worlds.lists_of(model, world), world.held_out)}


def numpy(name: str) -> dict:
    """The closed form as everybody writes it, in float32."""
    world = worlds.load(name)
    likes = world.matrix()
    weights, seconds = harness.stopwatch(lambda: closed_form(likes))
    scores = likes @ weights
    scores[world.users, world.items] = -np.inf
    top = np.argsort(-scores, axis=1)[:, :10]
    return seconds | {"gains": harness.gains_at_10(top, world.held_out)}


def closed_form(likes) -> np.ndarray:
    """Item-item weights, float32 ``[n_items, n_items]``."""
    gram = (likes.T @ likes).toarray()
    diagonal = np.diag_indices(len(gram))
    gram[diagonal] += REG
    inverse = np.linalg.inv(gram)
    weights = -inverse / np.diag(inverse)
    weights[diagonal] = 0
    return weights


def judge(name: str, results: dict[str, dict]) -> bool:
    """No slower than numpy; of the fit, the inverse alone has a limit, n_items ** 3 operations."""
    harness.print_fits(name, results)
    operations, seconds = worlds.SHAPES[name].n_items ** 3 / 1e9, results["ours"]["wall"]
    print(f"\nthe inverse alone would take {operations / harness.gemm_peak() / seconds:.0%} of our time at GEMM peak")
    return harness.judge_fit(results["ours"], results["numpy"], most=1.0)


if __name__ == "__main__":
    sys.exit(harness.main(__file__, "models", {"ours": ours, "numpy": numpy}, ["movielens-1m"], judge))
