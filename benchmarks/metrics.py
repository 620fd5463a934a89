"""How fast the course's metrics are beside those of other libraries, on the same lists, in one go.

NDCG@10, recall@10, MRR and MAP of lists of 100 out of 20,000 items, 1 to 30 relevant items a user. Each tool runs in a
process of its own with two threads; the peers have their own environment, which the first run creates. Counted are CPU
seconds from the tool's own input to the values, for the course with the search for the hits; the time to bring the
lists into the tool's form is reported apart. Exit code 1 if the course is not 5 times as fast as the fastest peer,
needs 700 MB, or gets other values. Runs on Linux and macOS.

    python benchmarks/metrics.py [--users 6000 100000] [--tools rectools ranx ...]
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import harness
import numpy as np

HERE = Path(__file__).resolve()
N_ITEMS, LENGTH = 20_000, 100
TOOLS = ("ours", "rectools", "pytrec-eval-terrier", "scikit-learn", "ranx", "ir-measures")
SLOW = ("ranx", "ir-measures")  # not measured with more than 20,000 users: minutes and gigabytes, far behind
RATIO, MEGABYTES = 5, 700  # the bar
SECONDS = 6  # of repetitions of one tool, three at least


# --- the lists


def make_world(n_users: int, folder: Path) -> None:
    """Seeded lists, int64 [n_users, 100], and the relevant items, as sorted pairs int64 [n_pairs]."""
    random = np.random.default_rng(0)
    steps = random.integers(1, 190, (n_users, LENGTH)).cumsum(axis=1)  # below n_items: no item twice in a list
    lists = (random.integers(0, N_ITEMS, (n_users, 1)) + steps) % N_ITEMS
    from_list = np.take_along_axis(lists, random.integers(0, LENGTH, (n_users, 30)), axis=1)
    liked = np.where(random.random((n_users, 30)) < 0.3, from_list, random.integers(0, N_ITEMS, (n_users, 30)))
    some = np.arange(30) < random.integers(1, 31, (n_users, 1))
    pairs = np.unique((np.arange(n_users)[:, None] * N_ITEMS + liked)[some])
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in (("lists", lists), ("users", pairs // N_ITEMS), ("items", pairs % N_ITEMS)):
        np.save(folder / f"{name}.npy", table)


# --- the tools: each prepares its input and returns a function that evaluates it

Evaluate = Callable[[], dict[str, float]]


def ours(lists: np.ndarray, users: np.ndarray, items: np.ndarray) -> Evaluate:
    import torch

    from recsys_course import metrics
    from recsys_course.data import Interactions

    recommended, everybody = torch.from_numpy(lists), torch.arange(len(lists))
    relevant = Interactions.from_events(users, items, n_users=len(lists), n_items=N_ITEMS)

    def evaluate() -> dict[str, float]:
        hits = metrics.find_hits(recommended, relevant, everybody)
        n_relevant = metrics.count_relevant(relevant, everybody)
        asked = {"ndcg": (metrics.ndcg, 10), "recall": (metrics.recall, 10)}
        asked |= {"mrr": (metrics.mrr, LENGTH), "map": (metrics.average_precision, LENGTH)}
        columns = {name: metrics.in_blocks(of, hits[:, :k], n_relevant) for name, (of, k) in asked.items()}
        return {name: float(np.nanmean(column.numpy())) for name, column in columns.items()}

    return evaluate


def rectools(lists: np.ndarray, users: np.ndarray, items: np.ndarray) -> Evaluate:
    import pandas as pd
    from rectools import Columns
    from rectools.metrics import MAP, MRR, NDCG, Recall, calc_metrics

    n_users = len(lists)
    ranks = np.tile(np.arange(1, LENGTH + 1), n_users)
    shown = pd.DataFrame(
        {Columns.User: np.arange(n_users).repeat(LENGTH), Columns.Item: lists.ravel(), Columns.Rank: ranks}
    )
    liked = pd.DataFrame(
        {Columns.User: users, Columns.Item: items, Columns.Weight: 1.0, Columns.Datetime: "2020-01-01"}
    )
    asked = {
        "ndcg": NDCG(k=10, divide_by_achievable=True),
        "recall": Recall(k=10),
        "mrr": MRR(k=LENGTH),
        "map": MAP(k=LENGTH),
    }
    return lambda: calc_metrics(asked, shown, liked)


def as_dictionaries(lists: np.ndarray, users: np.ndarray, items: np.ndarray) -> tuple[dict, dict]:
    liked: dict[str, dict[str, int]] = {str(user): {} for user in range(len(lists))}
    for user, item in zip(users.tolist(), items.tolist(), strict=True):
        liked[str(user)][str(item)] = 1
    scores = [float(LENGTH - rank) for rank in range(LENGTH)]
    shown = {str(u): dict(zip(map(str, row.tolist()), scores, strict=True)) for u, row in enumerate(lists)}
    return liked, shown


def pytrec_eval_terrier(lists: np.ndarray, users: np.ndarray, items: np.ndarray) -> Evaluate:
    import pytrec_eval

    liked, shown = as_dictionaries(lists, users, items)
    names = {"ndcg": "ndcg_cut_10", "recall": "recall_10", "mrr": "recip_rank", "map": "map"}

    def evaluate() -> dict[str, float]:
        rows = pytrec_eval.RelevanceEvaluator(liked, set(names.values())).evaluate(shown).values()
        return {name: float(np.mean([row[theirs] for row in rows])) for name, theirs in names.items()}

    return evaluate


def scikit_learn(lists: np.ndarray, users: np.ndarray, items: np.ndarray) -> Evaluate:
    """NDCG only, and of the list alone: the whole catalogue would take 16 GB of labels for 100,000 users."""
    from sklearn.metrics import ndcg_score

    cells = np.arange(len(lists))[:, None] * N_ITEMS + lists
    labels = np.isin(cells, users * N_ITEMS + items).astype(float)
    scores = np.tile(np.arange(LENGTH, 0, -1.0), (len(lists), 1))
    return lambda: {"ndcg": ndcg_score(labels, scores, k=10)}


def ranx(lists: np.ndarray, users: np.ndarray, items: np.ndarray) -> Evaluate:
    from ranx import Qrels, Run
    from ranx import evaluate as ranx_evaluate

    liked, shown = as_dictionaries(lists, users, items)
    qrels, run = Qrels(liked), Run(shown)
    names = {"ndcg": "ndcg@10", "recall": "recall@10", "mrr": "mrr", "map": "map"}

    def evaluate() -> dict[str, float]:
        values = ranx_evaluate(qrels, run, list(names.values()))
        return {name: float(values[theirs]) for name, theirs in names.items()}

    return evaluate


def ir_measures(lists: np.ndarray, users: np.ndarray, items: np.ndarray) -> Evaluate:
    import ir_measures as measures

    liked, shown = as_dictionaries(lists, users, items)
    names = {"ndcg": measures.nDCG @ 10, "recall": measures.R @ 10, "mrr": measures.RR, "map": measures.AP}

    def evaluate() -> dict[str, float]:
        values = measures.calc_aggregate(names.values(), liked, shown)
        return {name: values[theirs] for name, theirs in names.items()}

    return evaluate


# --- one process: measure one tool


def measure(tool: str, folder: Path) -> dict:
    """CPU seconds to prepare, at first and at best, values, and the highest memory of this process."""
    tables = (np.load(folder / f"{name}.npy") for name in ("lists", "users", "items"))
    start = time.process_time()
    evaluate = globals()[tool.replace("-", "_")](*tables)
    prepared = time.process_time() - start
    times, began = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - began < SECONDS:
        start = time.process_time()
        values = evaluate()
        times.append(time.process_time() - start)
    speeds = {"prepare": prepared, "first": times[0], "best": min(times[1:])}
    return speeds | {"values": values, "megabytes": harness.peak_megabytes()}


# --- the parent: all tools, the table and the bar


def python_of(tool: str) -> str:
    return sys.executable if tool == "ours" else harness.peer_python("metrics")


def compare(n_users: int, tools: list[str]) -> bool:
    """Measure, print a table, and say whether the bar is passed."""
    folder = harness.BUILD / "bench-lists" / str(n_users)
    make_world(n_users, folder)
    measured = [tool for tool in tools if not (tool in SLOW and n_users > 20_000)]
    results = {tool: harness.run(str(HERE), python_of(tool), tool, str(folder)) for tool in measured}
    shutil.rmtree(folder)
    speeds = {tool: n_users / result["best"] for tool, result in results.items()}
    print(f"\n{n_users:,} users\n\n| tool | users per CPU second | course is faster by | first call, CPU s", end="")
    print(" | imports and preparation, CPU s | peak MB | values |\n| --- | --: | --: | --: | --: | --: | --- |")
    for tool in sorted(results, key=lambda name: -speeds[name]):
        result = results[tool]
        cells = [tool, f"{speeds[tool]:,.0f}", f"{speeds['ours'] / speeds[tool]:.1f}", f"{result['first']:.3f}"]
        cells += [f"{result['prepare']:.1f}", f"{result['megabytes']:,.0f}", agreement(result, results["ours"])]
        print("| " + " | ".join(cells) + " |", flush=True)
    fastest = max((tool for tool in results if tool != "ours"), key=speeds.get)
    ratio, megabytes = speeds["ours"] / speeds[fastest], results["ours"]["megabytes"]
    same = agreement(results[fastest], results["ours"]).startswith("equal")
    passed = ratio >= RATIO and megabytes < MEGABYTES and same
    print(f"\n{'passed' if passed else 'MISSED'}: {ratio:.1f} times {fastest} (at least {RATIO}), ", end="")
    print(f"{megabytes:.0f} MB (below {MEGABYTES})")
    return passed


def agreement(theirs: dict, ours: dict) -> str:
    gaps = {name: (value, ours["values"][name]) for name, value in theirs["values"].items()}
    different = [f"{name} {a:.3f}, not {b:.3f}" for name, (a, b) in gaps.items() if not abs(a - b) < 1e-5]
    return ", ".join(different) or f"equal ({len(gaps)})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, nargs="+", default=[6_000, 100_000], help="numbers of users")
    parser.add_argument("--tools", nargs="+", default=list(TOOLS[1:]), choices=TOOLS[1:], help="peers")
    parser.add_argument("--measure", nargs=2, metavar=("TOOL", "FOLDER"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measure(asked.measure[0], Path(asked.measure[1]))))
        return 0
    return 0 if all([compare(n_users, ["ours", *asked.tools]) for n_users in asked.users]) else 1


if __name__ == "__main__":
    sys.exit(main())
