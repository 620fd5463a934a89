"""Claim: full ranking by dot product with seen items removed is at least as fast as implicit's, and 80 % of faiss's.

The twenty best of all items for every user, 64 dimensions; implicit removes what the user has seen, as the course does,
faiss's flat index removes nothing. The share of the GEMM peak is of 2 x users x items x 64 operations.

    python benchmarks/topk.py [--worlds movielens-1m gowalla] [--repeats 3]
"""

import sys
from collections.abc import Callable

import harness
import numpy as np
import worlds

DIM, K = 64, 20


def vectors(world: worlds.World) -> tuple[np.ndarray, np.ndarray]:
    """Seeded vectors of users and items, float32 ``[n_users, 64]`` and ``[n_items, 64]``."""
    random = np.random.default_rng(0)
    return tuple(random.standard_normal((n, DIM), dtype=np.float32) for n in (world.n_users, world.n_items))


def fastest(search: Callable[[], np.ndarray], repeats: int = 5) -> dict:
    """The fastest of some searches after a first one, and the first ten lists of every hundred, to be compared."""
    items = np.asarray(search(), dtype=np.int64)
    seconds = min((harness.stopwatch(search)[1] for _ in range(repeats)), key=lambda found: found["wall"])
    return seconds | {"lists": items[np.arange(len(items)) % 100 < 10].tolist()}


def ours(name: str) -> dict:
    """``serving.Exact`` with the training events as seen items."""
    import torch

    from recsys_course import serving
    from recsys_course.data import Interactions

    torch.set_num_threads(harness.THREADS)
    world = worlds.load(name)
    users, items = map(torch.from_numpy, vectors(world))
    seen = Interactions.from_events(world.users, world.items, n_users=world.n_users, n_items=world.n_items)
    index, everybody = serving.Exact(items), torch.arange(world.n_users)
    return fastest(lambda: index.search(users, K, seen=seen, users=everybody)[0].numpy())


def torch_plain(name: str) -> dict:
    """What one writes first: blocks of 64 users, a matrix product, torch's top-k; nothing removed."""
    import torch

    torch.set_num_threads(harness.THREADS)
    users, items = map(torch.from_numpy, vectors(worlds.load(name)))
    return fastest(lambda: np.concatenate([(block @ items.T).topk(K).indices.numpy() for block in users.split(64)]))


def implicit(name: str) -> dict:
    """Implicit's top-k with the liked items filtered."""
    from implicit.cpu.topk import topk

    world = worlds.load(name)
    (users, items), seen = vectors(world), world.matrix()
    return fastest(lambda: topk(items, users, K, filter_query_items=seen, num_threads=harness.THREADS)[0])


def faiss_flat(name: str) -> dict:
    """Faiss's exact index; nothing removed."""
    import faiss

    faiss.omp_set_num_threads(harness.THREADS)
    users, items = vectors(worlds.load(name))
    index = faiss.IndexFlatIP(DIM)
    index.add(items)
    return fastest(lambda: index.search(users, K)[1])


def judge(name: str, results: dict[str, dict]) -> bool:
    """At least implicit's speed everywhere and 80 % of faiss's in the larger world, with implicit's very lists."""
    shape, ours = worlds.SHAPES[name], results["ours"]
    operations, peak = 2 * shape.n_users * shape.n_items * DIM / 1e9, harness.gemm_peak()
    print(f"\n{name}: {shape.n_users:,} users x {shape.n_items:,} items; GEMM peak {peak:.0f} GFLOP/s")
    columns = {
        "tool": str,
        "users a second": lambda tool: f"{shape.n_users / results[tool]['wall']:,.0f}",
        "CPU s": lambda tool: f"{results[tool]['cpu']:.2f}",
        "speed of ours / tool": lambda tool: f"{results[tool]['wall'] / ours['wall']:.2f}",
        "share of GEMM peak": lambda tool: f"{operations / results[tool]['wall'] / peak:.0%}",
        "peak MB": lambda tool: f"{results[tool]['megabytes']:,.0f}",
    }
    harness.print_table(columns, list(results))
    same = np.mean(np.array(ours["lists"]) == np.array(results["implicit"]["lists"]))
    sentence = f"{same:.3%} of the places hold the item that implicit puts there (at least 99.9 %: sums are rounded)"
    verdicts = [harness.verdict(same >= 0.999, sentence)]
    bars = {"implicit": 1.0} | ({"faiss flat": 0.8} if name == "gowalla" else {})
    for tool, least in bars.items():
        ratio = results[tool]["wall"] / ours["wall"]
        verdicts.append(harness.verdict(ratio >= least, f"{ratio:.2f} times the speed of {tool} (at least {least})"))
    return all(verdicts)


TOOLS = {"ours": ours, "implicit": implicit, "faiss flat": faiss_flat, "torch mm + topk": torch_plain}

if __name__ == "__main__":
    sys.exit(harness.main(__file__, "models", TOOLS, list(worlds.SHAPES), judge))
