"""What the benchmarks of models share: peers in an environment of their own, one process a run, a clock, a table.

A script names its tools, each a function from a world to a dictionary of results; ``main`` runs every tool in a
process of its own with two threads, in turns, and keeps the fastest of the runs. Runs on Linux and macOS.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent
BUILD = FOLDER.parent / "build"
THREADS = 2

Tool = Callable[[str], dict]  # from the name of a world to what was measured
Judge = Callable[[str, dict[str, dict]], bool]


def peer_python(group: str) -> str:
    """The interpreter of ``requirements-<group>.txt``; builds its environment when the pins changed or it broke off."""
    pins = FOLDER / f"requirements-{group}.txt"
    home = BUILD / f"bench-{group}"
    python, stamp = home / "bin/python", home / "requirements.txt"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != pins.read_text(encoding="utf-8"):
        print(f"installing the peers in {home} (some minutes)", file=sys.stderr)
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--quiet", "-r", pins], check=True)
        shutil.copyfile(pins, stamp)
    return str(python)


def run(script: str, python: str, *arguments: str) -> dict:
    """Run a script with ``--measure`` and the arguments, with two threads; its last line is the result in JSON."""
    names = ("OMP", "MKL", "OPENBLAS", "NUMBA", "RAYON")
    environment = os.environ | {f"{name}_NUM_THREADS": str(THREADS) for name in names}
    done = subprocess.run([python, script, "--measure", *arguments], env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def stopwatch(work: Callable[[], object]) -> tuple[object, dict]:
    """What the work returns, and its seconds on the clock and of the processor, all threads together."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def peak_megabytes() -> float:
    """Highest memory of this process so far."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main(script: str, group: str, tools: dict[str, Tool], names: list[str], judge: Judge, repeats: int = 3) -> int:
    """Compare the tools on each world and say whether each bar is passed: the exit code of the script.

    Args:
        script: the file that runs.
        group: which ``requirements-<group>.txt`` holds the peers.
        tools: name to function; a name that begins with "ours" runs in this interpreter, the others in the peers'.
        names: the worlds, or whatever the tools take as their argument.
        judge: from the name of a world and the results of the tools to a verdict; prints the table.
        repeats: runs of each tool, in turns; the fastest counts.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--worlds", nargs="+", default=names, choices=names)
    parser.add_argument("--repeats", type=int, default=repeats)
    parser.add_argument("--measure", nargs=2, metavar=("TOOL", "WORLD"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        tool, name = asked.measure
        print(json.dumps(tools[tool](name) | {"megabytes": peak_megabytes()}))
        return 0
    verdicts = [judge(name, in_turns(script, group, list(tools), name, asked.repeats)) for name in asked.worlds]
    return 0 if all(verdicts) else 1


def in_turns(script: str, group: str, tools: list[str], name: str, repeats: int) -> dict[str, dict]:
    """Run each tool ``repeats`` times, one after another in turns, and keep the fastest run of each."""
    best: dict[str, dict] = {}
    for _ in range(repeats):
        for tool in tools:
            found = run(script, sys.executable if tool.startswith("ours") else peer_python(group), tool, name)
            if tool not in best or found["cpu"] < best[tool]["cpu"]:
                best[tool] = found
    return best


def print_table(columns: dict[str, Callable[[str], str]], rows: list[str]) -> None:
    """A Markdown table: for each column its heading and what it says of a row."""
    print("\n| " + " | ".join(columns) + " |\n| --- |" + " --: |" * (len(columns) - 1))
    for row in rows:
        print("| " + " | ".join(cell(row) for cell in columns.values()) + " |", flush=True)


def verdict(passed: bool, sentence: str) -> bool:
    """Print whether the bar is passed, and hand the answer on."""
    print(f"\n{'passed' if passed else 'MISSED'}: {sentence}", flush=True)
    return passed


def print_fits(name: str, results: dict[str, dict]) -> None:
    """The table of fits on one world: seconds, ratios to the first tool, memory and NDCG@10."""
    ours = next(iter(results.values()))
    print(f"\n{name}, fit, fastest of the runs, two threads")
    columns = {
        "tool": str,
        "wall s": lambda tool: f"{results[tool]['wall']:.2f}",
        "CPU s": lambda tool: f"{results[tool]['cpu']:.2f}",
        "ours / tool, wall": lambda tool: f"{ours['wall'] / results[tool]['wall']:.2f}",
        "ours / tool, CPU": lambda tool: f"{ours['cpu'] / results[tool]['cpu']:.2f}",
        "peak MB": lambda tool: f"{results[tool]['megabytes']:,.0f}",
        "NDCG@10 [95 %]": lambda tool: "{:.4f} [{:.4f}, {:.4f}]".format(*mean_interval(results[tool]["gains"])),
    }
    print_table(columns, list(results))


def judge_fit(ours: dict, peer: dict, most: float) -> bool:
    """Whether our fit takes at most ``most`` times the peer's time, at no lower NDCG@10.

    Lower is what lies below 0 with its whole 95 % interval over the users, each of whom both tools served.
    """
    ratio = ours["wall"] / peer["wall"]
    mean, low, high = mean_interval(np.subtract(ours["gains"], peer["gains"]))
    sentence = f"{ratio:.2f} times the peer's time (at most {most}), NDCG@10 {mean:+.4f} [{low:+.4f}, {high:+.4f}]"
    return verdict(ratio <= most and high >= 0, f"{sentence} (not below 0)")


def gemm_peak(n: int = 4096) -> float:
    """Billions of float32 operations a second that a product of two square matrices reaches here."""
    import torch

    torch.set_num_threads(THREADS)
    a, b = torch.randn(n, n), torch.randn(n, n)
    return 2 * n**3 / min(stopwatch(lambda: torch.mm(a, b))[1]["wall"] for _ in range(5)) / 1e9


def copy_bandwidth(megabytes: int = 512) -> float:
    """Billions of bytes a second, read and written, that a copy of a large array reaches here with both threads."""
    import torch

    torch.set_num_threads(THREADS)
    a = torch.ones(megabytes * 2**18)
    b = torch.empty_like(a)
    return 2 * a.numel() * 4 / min(stopwatch(lambda: b.copy_(a))[1]["wall"] for _ in range(5)) / 1e9


def gains_at_10(top: np.ndarray, held_out: np.ndarray) -> list[float]:
    """NDCG@10 of each user's one held-out item, ``[n_users]``.

    Args:
        top: int ``[n_users, 10]``, best first.
        held_out: int ``[n_users]``.
    """
    return ((top[:, :10] == held_out[:, None]) / np.log2(np.arange(2, 12))).sum(axis=1).tolist()


def mean_interval(gains: Sequence[float]) -> tuple[float, float, float]:
    """Mean over users and its 95 % interval."""
    mean, half = np.mean(gains), 1.96 * np.std(gains) / np.sqrt(len(gains))
    return float(mean), float(mean - half), float(mean + half)
