"""The process of an answer: what it is started with, what it holds, and how it and its children end."""

import contextlib
import os
import signal
import subprocess
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
MARK = "RECSYS_COURSE_RUN"
POSIX = os.name == "posix"
# Else memory is given back and taken anew, and page faults pass for work that grows too fast.
KEEP_MEMORY = {"PYTHONMALLOC": "malloc", "MALLOC_MMAP_THRESHOLD_": "1000000000", "MALLOC_TRIM_THRESHOLD_": "2000000000"}


def environment(token: str) -> dict[str, str]:
    """The environment of a run: one thread, the same hashes every time, and the run's mark."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    own = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONIOENCODING": "utf-8", "PYTHONPATH": path}
    return {**os.environ, **threads, **KEEP_MEMORY, **own, MARK: token}


def memory(pid: int) -> int:
    """Bytes that the process holds, and those it has started."""
    total = 0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += one.memory_info().rss
    return total


def cause(status: int | None) -> str:
    """How a process ended that nobody stopped, in words."""
    if status is not None and status < 0:
        with contextlib.suppress(ValueError):
            return f"the process died of {signal.Signals(-status).name}"
    return f"the process ended by itself (exit status {status})"


def kill(process: subprocess.Popen, token: str) -> None:
    """End the process and everything it has started, and leave no handle open."""
    family = []
    with contextlib.suppress(psutil.Error):
        family = psutil.Process(process.pid).children(recursive=True)
    if POSIX:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    for one in family:
        with contextlib.suppress(psutil.Error):
            one.kill()
    process.kill()
    process.stdin.close()
    process.wait()
    if POSIX:
        _sweep(token)


def _sweep(token: str) -> None:
    """Kill what has left the process group but carries the run's mark, until nothing is found."""
    for _ in range(50):
        found = [one for one in psutil.process_iter(["environ"]) if (one.info["environ"] or {}).get(MARK) == token]
        if not found:
            return
        for one in found:
            with contextlib.suppress(psutil.Error):
                one.kill()
        psutil.wait_procs(found, timeout=0.2)
