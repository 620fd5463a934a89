"""What each process that torchrun starts does: join the others, do the jobs, leave the results."""

import contextlib
import json
import os
import shutil
import threading
import time
from pathlib import Path

import psutil
import torch
import torch.distributed as dist

from recsys_course.distributed.place import LAUNCHER, connect
from recsys_course.distributed.train import train


def work(folder: Path, kept: Path) -> None:
    """Do the jobs of ``folder/jobs.json``, a list of ``[job, options]``, and write ``folder/result-RANK.pt``.

    If one fails, ``folder/error-RANK.txt`` says why.

    Args:
        folder: as above.
        kept: where checkpoints and logs go.
    """
    if LAUNCHER in os.environ:
        threading.Thread(target=_end_with, args=(int(os.environ[LAUNCHER]), folder), daemon=True).start()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))  # whatever other libraries are told
    place = connect(kept)
    try:
        jobs = json.loads((folder / "jobs.json").read_text(encoding="utf-8"))
        torch.save([train(job, place, **options) for job, options in jobs], folder / f"result-{place.rank}.pt")
    except Exception as error:
        (folder / f"error-{place.rank}.txt").write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
        raise
    finally:
        dist.destroy_process_group()


def _end_with(launcher: int, folder: Path) -> None:
    """End as soon as torchrun or the process that asked for all this is gone; then process 0 clears up as well.

    Whoever notices first kills torchrun, and the others wait for process 0 to end them: a process that lost its
    partner, or whose partner torchrun saw die, would be gone before its files are.
    """
    torchrun = psutil.Process().parent()
    workers = []
    while torchrun.is_running() and os.getppid() == torchrun.pid and psutil.pid_exists(launcher):
        with contextlib.suppress(psutil.NoSuchProcess):
            workers = torchrun.children()
        time.sleep(0.5)
    if not psutil.pid_exists(launcher):
        _kill([torchrun])
        if os.environ["RANK"] == "0":
            shutil.rmtree(folder, ignore_errors=True)
            _kill([worker for worker in workers if worker.pid != os.getpid()])
        else:
            time.sleep(10)
    os._exit(1)


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=5)
