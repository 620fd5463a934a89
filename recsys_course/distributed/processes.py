"""Start processes from a notebook or a test, wait for their results, and leave nothing behind."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil
import torch

from recsys_course.distributed.place import LAUNCHER, STORE, Place
from recsys_course.distributed.recipe import Recipe
from recsys_course.distributed.shards import Shards
from recsys_course.distributed.train import train
from recsys_course.distributed.wrap import WRAPS


class LaunchError(RuntimeError):
    """The processes could not be started, failed, or took too long."""


def launch(job: str, processes: int = 2, *, folder: Path | str | None = None, **options) -> dict:
    """Run one job in several processes and give the result of process 0.

    Args:
        job: ``ddp``, ``fsdp2``, ``sharded`` or ``elastic``.
        processes: how many, on this machine.
        folder: where the checkpoint and the logs are kept, and where training goes on if there is a checkpoint;
            without it nothing is kept.
        **options: ``restarts`` and ``timeout`` of ``launch_all``; the others are those of ``Recipe``.

    Raises:
        ValueError: there is no such job or option.
        LaunchError: no port can be opened, a process failed or all took too long.
    """
    own = {name: options.pop(name) for name in ("restarts", "timeout") if name in options}
    return launch_all([(job, options)], processes, folder=folder, **own)[0]


def launch_all(
    jobs: Sequence[tuple[str, dict]],
    processes: int = 2,
    *,
    folder: Path | str | None = None,
    restarts: int = 0,
    timeout: float = 120,
) -> list[dict]:
    """Run several jobs one after another in the same processes, which start only once.

    Args:
        jobs: each a name and its options.
        processes: how many, on this machine.
        folder: as in ``launch``; if several jobs keep something, each needs a launch and a folder of its own.
        restarts: how often all processes are started again when one of them dies.
        timeout: seconds until they are stopped.

    Returns:
        The result of process 0 for each job; under ``ranks`` it holds those of all processes.
    """
    if processes < 1:
        raise ValueError(f"processes must be at least 1, got {processes}")
    for job, options in jobs:
        _check(job, options, processes)
    _check_port()
    scratch = Path(tempfile.mkdtemp(prefix="recsys-course-"))
    try:
        kept = Path(folder or scratch)
        kept.mkdir(parents=True, exist_ok=True)
        (scratch / "jobs.json").write_text(json.dumps(jobs, default=str), encoding="utf-8")
        _run(_command(scratch, kept, processes, restarts), scratch, timeout)
        return _results(scratch, processes)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def alone(job: str, *, folder: Path | str | None = None, **options) -> dict:
    """The same job as ``launch`` in this very process, which is then the only one; the same result."""
    from recsys_course import base  # here, because every worker imports this file, and base loads pandas

    _check(job, options, 1)
    with tempfile.TemporaryDirectory(prefix="recsys-course-") as scratch:
        kept = Path(folder or scratch)
        kept.mkdir(parents=True, exist_ok=True)
        return train(job, Place(kept, device=base.device()), **options)


def _check(job: str, options: dict, processes: int) -> None:
    """Refuse here, in one sentence, what would fail in every process."""
    if job not in WRAPS:
        raise ValueError(f"no job is called {job!r}: choose from {', '.join(WRAPS)}")
    recipe = Recipe.of(**options)
    if recipe.every and job in ("fsdp2", "sharded"):
        raise ValueError(f"a checkpoint is process 0's copy, and with {job} none has a whole one: leave every at 0")
    Shards(recipe.data, world=processes).steps(recipe.batch_size)


def _check_port() -> None:
    try:
        with socket.socket() as door:
            door.bind(("127.0.0.1", 0))
            door.listen()
    except OSError as error:
        raise LaunchError(f"no port can be opened for the processes to talk to each other: {error}") from None


def _command(scratch: Path, kept: Path, processes: int, restarts: int) -> list[str]:
    """The command that runs torchrun: its processes meet in a file and not at a port that others could reach."""
    meeting = ["--rdzv-backend", "c10d", "--rdzv-conf", "store_type=file", "--rdzv-endpoint", str(scratch / "agents")]
    numbers = ["--nnodes", "1", "--nproc-per-node", str(processes), "--max-restarts", str(restarts)]
    here = ["--rdzv-id", scratch.name, "--local-addr", "127.0.0.1", "--monitor-interval", "0.1"]
    program = ["-m", "recsys_course.distributed", str(scratch), str(kept.resolve())]
    return [sys.executable, "-m", "torch.distributed.run", *numbers, *meeting, *here, *program]


def _environment(scratch: Path) -> dict[str, str]:
    """One thread a process, messages by the loopback alone, and temporary files where they will be removed."""
    loopback = [name for name, ways in psutil.net_if_addrs().items() if any(w.address == "127.0.0.1" for w in ways)]
    ours = {STORE: str(scratch / "workers"), LAUNCHER: str(os.getpid()), "TMPDIR": str(scratch), "OMP_NUM_THREADS": "1"}
    talk = {"GLOO_SOCKET_IFNAME": loopback[0]} if loopback and os.name == "posix" else {}
    no_server = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}  # torchrun's own, which would listen to the whole network
    return os.environ | ours | talk | no_server


def _run(command: list[str], scratch: Path, timeout: float) -> None:
    """Wait for torchrun and whatever it starts; when this returns or raises, none of them is left."""
    with open(scratch / "output.txt", "wb") as output:
        process = psutil.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=_environment(scratch)
        )
    try:
        process.wait(timeout)
    except (subprocess.TimeoutExpired, psutil.TimeoutExpired):
        raise LaunchError(f"the processes were not done after {timeout:g} seconds and have been stopped") from None
    finally:
        _end(process)


def _end(process: psutil.Process) -> None:
    """Kill what is left of a process and of its children; torchrun first, so that it starts nobody again."""
    with contextlib.suppress(psutil.NoSuchProcess):
        family = [process, *process.children(recursive=True)]
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(family, timeout=10)


def _results(scratch: Path, processes: int) -> list[dict]:
    """What each process left, or an error with the reason why one left nothing."""
    files = [scratch / f"result-{rank}.pt" for rank in range(processes)]
    if not all(file.exists() for file in files):
        raise LaunchError(_reason(scratch))
    ranks = [torch.load(file, weights_only=True) for file in files]
    return [of_all[0] | {"ranks": list(of_all)} for of_all in zip(*ranks, strict=True)]


def _reason(scratch: Path) -> str:
    """Who ended first, and how: the others fail only because they have lost it."""
    output = (scratch / "output.txt").read_text(encoding="utf-8", errors="replace")
    killed = re.findall(r"exitcode: -(\d+)\) local_rank: (\d+)", output)
    if killed:
        signal, rank = killed[-1]
        return f"process {rank} was killed by signal {signal}, and no restart was left"
    errors = sorted(scratch.glob("error-*.txt"), key=lambda file: file.stat().st_mtime_ns)
    if errors:
        return f"process {errors[0].stem[6:]} failed: {errors[0].read_text(encoding='utf-8')}"
    return f"the processes ended without a result; their last line: {[*output.split(chr(10)), ''][-2]}"
