"""Kill workers at random while they train, again and again, and see that nothing is lost, torn or counted twice.

python tools/soak.py [--trials 20] [--first 0]
"""

import argparse
import contextlib
import random
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from recsys_course.data import Interactions
from recsys_course.distributed import launch, write_shards
from recsys_course.distributed.train import MOMENTS

STEPS, EVERY, BATCH = 120, 10, 64
OUTSIDE = "outside"  # somebody else kills the worker, whatever it does at that time
RECIPE = {
    "steps": STEPS,
    "every": EVERY,
    "batch_size": BATCH,
    "optimizer": "adam",
    "learning_rate": 0.01,
    "dropout": 0.2,
    "log": True,
}


@dataclass(frozen=True)
class Kill:
    """Which worker dies, in which step and at which moment of it."""

    rank: int
    step: int
    moment: str


def draw(seed: int) -> Kill:
    """A trial's kill: any worker, step and moment; checkpoints are written by worker 0, every so many steps."""
    dice = random.Random(seed)
    moment = dice.choice((*MOMENTS, OUTSIDE))
    step = dice.randrange(STEPS)
    if moment in ("writing", "written"):
        step = max(EVERY, step // EVERY * EVERY)
    return Kill(0 if moment == "writing" else dice.randrange(2), step, moment)


def likes() -> Interactions:
    """A small world: 1,000 likes of 40 users and 60 items."""
    generator = torch.Generator().manual_seed(7)
    users, items = (torch.randint(n, (1000,), generator=generator) for n in (40, 60))
    return Interactions.from_events(users, items, n_users=40, n_items=60)


def undisturbed(data: Path) -> dict:
    """The run that every trial's result must equal."""
    return launch("elastic", data=data, **RECIPE)


def trial(seed: int, data: Path, calm: dict) -> str:
    """Train with one kill; what happened, in a line.

    Raises:
        AssertionError: something is torn, lost, done twice, or other than in the undisturbed run.
    """
    kill, start = draw(seed), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        kills = [] if kill.moment == OUTSIDE else [[kill.rank, kill.step, kill.moment]]
        with watched(Path(folder) / "checkpoint.pt", kill) as seen:
            result = launch("elastic", data=data, folder=folder, restarts=1, kills=kills, **RECIPE)
        last = torch.load(Path(folder) / "checkpoint.pt", weights_only=True)
        left = sorted(path.name for path in Path(folder).iterdir())
    assert not seen.torn, f"a checkpoint was torn: {seen.torn}"
    assert left == ["checkpoint.pt", "logs"], f"files left behind: {left}"
    assert result["attempt"] == 1, "nobody was killed"
    assert result["resumed_at"] % EVERY == 0
    counted = {int(state["step"]) for state in last["optimizer"]["state"].values()}
    assert counted == {STEPS}, f"Adam has counted {counted} steps"
    assert torch.equal(result["rows"], calm["rows"]), "a step was lost or done twice"
    assert torch.equal(result["losses"], calm["losses"]), "the losses differ from the undisturbed run's"
    for name, weight in calm["weights"].items():
        assert torch.equal(result["weights"][name], weight), f"{name} differs from the undisturbed run's"
    seconds = time.perf_counter() - start
    return f"{kill}: went on at step {result['resumed_at']}, {seen.reads} checkpoints read, {seconds:.0f} s"


class Seen:
    """What the watcher saw: how many checkpoints it could read, and the first that it could not."""

    def __init__(self) -> None:
        self.reads, self.torn = 0, ""


@contextlib.contextmanager
def watched(path: Path, kill: Kill):
    """Read the checkpoint over and over while the workers train; kill one of them if that is the trial's way."""
    seen, done = Seen(), threading.Event()
    thread = threading.Thread(target=_watch, args=(path, kill, seen, done))
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


def _watch(path: Path, kill: Kill, seen: Seen, done: threading.Event) -> None:
    armed, last = kill.moment == OUTSIDE, None
    while not done.wait(0.001):
        found = _version(path)
        if found in (None, last):
            continue
        last = found
        try:
            state = torch.load(path, weights_only=True)
        except Exception as error:
            seen.torn = seen.torn or repr(error)
            continue
        seen.reads += 1
        if armed and state["step"] >= min(kill.step, STEPS // 2):
            armed = not _kill_worker(kill.rank)


def _version(path: Path) -> tuple | None:
    """What changes when a file is replaced or written to."""
    with contextlib.suppress(FileNotFoundError):
        facts = path.stat()
        return facts.st_ino, facts.st_mtime_ns, facts.st_size
    return None


def _kill_worker(rank: int) -> bool:
    """Kill one of the workers of torchrun, which is a child of this process; whether there was one."""
    for torchrun in psutil.Process().children():
        workers = sorted(torchrun.children(), key=lambda worker: worker.pid)
        if len(workers) > rank:
            workers[rank].kill()
            return True
    return False


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="seed of the first trial")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        data = write_shards(likes(), Path(folder) / "likes")
        calm = undisturbed(data)
        for seed in range(asked.first, asked.first + asked.trials):
            try:
                print(f"{seed:3} passed, {trial(seed, data, calm)}", flush=True)
            except Exception as error:
                failed += 1
                print(f"{seed:3} FAILED, {draw(seed)}: {error}", flush=True)
    print(f"{asked.trials - failed} of {asked.trials} trials passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
