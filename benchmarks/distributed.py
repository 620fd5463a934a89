"""Claim: two processes learn the same as one from the same batches, and a large batch is worth the talk between them.

Two towers with the softmax over all items, on made-up likes of MovieLens 1M's size, read from shards on disk. Every
process has one thread, and so a core of its own where there are two; one process with two threads stands beside them,
because that is what two processes have to beat on one machine. The clock needs a quiet machine; the bar is on the CPU
seconds of each process, which other work hardly changes: they hold what exchanging costs, not what waiting does.

    python benchmarks/distributed.py [--worlds 256 8192] [--repeats 2]
"""

import os
import sys
import tempfile

import harness
import numpy as np
import worlds

STEPS, WARM, EQUAL_STEPS = 24, 4, 10
SETTINGS = {"dim": 64, "learning_rate": 1.0}
WORTH = 1.5  # a process alone must need so many times the CPU seconds of each of two, with the larger batch; 2 is ideal
MOST_APART = 1e-5


def likes():
    """The events of the made-up world."""
    from recsys_course.data import Interactions

    world = worlds.load("movielens-1m")
    return Interactions.from_events(world.users, world.items, n_users=world.n_users, n_items=world.n_items)


def measured(ranks: list[dict]) -> dict:
    """Seconds of a step, of the slowest process, on the clock and of the processor; the first ones do not count."""
    wall, cpu = (max(float(np.median(rank[clock][WARM:])) for rank in ranks) for clock in ("seconds", "cpu_seconds"))
    megabytes = sum(rank["bytes"][part] for rank in ranks for part in rank["bytes"]) / len(ranks) / 2**20
    return {"wall": wall, "cpu": cpu, "held": megabytes, "processes": len(ranks)}


def threads(n: int):
    """One process with ``n`` threads."""

    def run(batch: str) -> dict:
        import torch

        from recsys_course.distributed import alone, write_shards

        torch.set_num_threads(n)
        with tempfile.TemporaryDirectory() as folder:
            data = write_shards(likes(), folder)
            return measured([alone("ddp", data=data, steps=STEPS, batch_size=int(batch), **SETTINGS)])

    return run


def two(job: str):
    """Two processes, and how far their weights are from those of one after ten steps."""

    def run(batch: str) -> dict:
        from recsys_course.distributed import alone, launch_all, write_shards

        with tempfile.TemporaryDirectory() as folder:
            options = {"data": write_shards(likes(), folder), "batch_size": int(batch), **SETTINGS}
            few = options | {"steps": EQUAL_STEPS}
            timed, short = launch_all([(job, options | {"steps": STEPS}), (job, few)])
            one = alone(job, **few)
        apart = max(float((w - one["weights"][name]).abs().max()) for name, w in short["weights"].items())
        return measured(timed["ranks"]) | {"apart": apart}

    return run


TOOLS = {
    "ours, one process, one thread": threads(1),
    "ours, one process, two threads": threads(2),
    "ours, two processes, ddp": two("ddp"),
    "ours, two processes, fsdp2": two("fsdp2"),
    "ours, two processes, sharded": two("sharded"),
}
BATCHES = ["256", "8192"]


def judge(batch: str, results: dict[str, dict]) -> bool:
    """The table, and the bars: the same weights, and with the largest batch a gain."""
    one = results["ours, one process, one thread"]
    print(f"\n{batch} events a step, fastest of the runs; load average {os.getloadavg()[0]:.1f}")
    columns = {
        "": lambda tool: tool.removeprefix("ours, "),
        "ms a step": lambda tool: f"{1000 * results[tool]['wall']:.1f}",
        "events a second": lambda tool: f"{int(batch) / results[tool]['wall']:,.0f}",
        "faster than one thread by": lambda tool: f"{one['wall'] / results[tool]['wall']:.2f}",
        "CPU ms a step and process": lambda tool: f"{1000 * results[tool]['cpu']:.1f}",
        "efficiency by CPU": lambda tool: f"{one['cpu'] / results[tool]['cpu'] / results[tool]['processes']:.0%}",
        "MB held a process": lambda tool: f"{results[tool]['held']:.1f}",
        "weights apart": lambda tool: f"{results[tool]['apart']:.0e}" if "apart" in results[tool] else "",
    }
    harness.print_table(columns, list(results))
    apart = max(found.get("apart", 0.0) for found in results.values())
    equal = harness.verdict(
        apart <= MOST_APART, f"at most {apart:.0e} from one process's weights (bar {MOST_APART:.0e})"
    )
    if batch != BATCHES[-1]:
        return equal
    gain = one["cpu"] / results["ours, two processes, ddp"]["cpu"]
    return (
        harness.verdict(gain >= WORTH, f"each of two processes works {gain:.2f} times less (at least {WORTH})")
        and equal
    )


if __name__ == "__main__":
    sys.exit(harness.main(__file__, "models", TOOLS, BATCHES, judge, repeats=2))
