"""The process that an answer runs in: ``python -m recsys_course.interview.worker JOB`` is started by `runner`.

It writes what happens as lines of JSON, each before the next thing is tried, so that the runner knows what was going
on when this process hangs or dies.
"""

import importlib
import importlib.util
import io
import json
import linecache
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, TracebackType

LENGTH = 400  # characters of a message
PROCESSES = {"os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.startfile"}
PROCESSES |= {"subprocess.Popen", "pty.spawn"}


class _Log:
    """Where the events go; a copy of this process that the answer has made ends instead of writing."""

    def __init__(self, path: str) -> None:
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0))
        self.process = os.getpid()

    def write(self, **event: object) -> None:
        if os.getpid() != self.process:
            os._exit(1)
        os.write(self.file, (json.dumps(event) + "\n").encode("ascii"))


def main(job: str) -> None:
    """Run the tests that the job names and end the process, whatever threads the answer has left."""
    given = json.loads(Path(job).read_text(encoding="utf-8"))
    log = _Log(given["log"])
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _limit_memory(given)
    sys.path.insert(0, given["folder"])
    sys.stdin = io.StringIO()  # nobody answers a question
    log.write(begin="import")
    try:
        modules = _load(given)
    except BaseException as error:
        log.write(broken=_said(error, given["answer"]))
    else:
        for file, name in given["cases"]:
            log.write(begin=f"{file}:{name}")
            log.write(end=f"{file}:{name}", **_attempt(getattr(modules[file], name), given["answer"]))
        if given["growth"]:
            log.write(begin="growth")
            log.write(growth=_growth(modules.values(), given["answer"]))
    log.write(done=True)
    sys.stdout.flush()
    os._exit(0)


def _load(given: dict) -> dict[str, ModuleType]:
    """The answer, and the test modules by the stem of their file."""
    sys.addaudithook(_no_processes)
    importlib.import_module(Path(given["answer"]).stem)
    modules = {}
    for path in given["tests"]:
        spec = importlib.util.spec_from_file_location(Path(path).stem, path)
        modules[Path(path).stem] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return modules


def _attempt(test: Callable[[], None], answer: str) -> dict:
    _same_seeds()
    began = time.perf_counter()
    try:
        test()
        outcome, message = "passed", ""
    except AssertionError as error:
        outcome, message = "failed", str(error) or "it does not hold"
    except BaseException as error:
        outcome, message = "failed", _said(error, answer)
    return {"outcome": outcome, "message": message[:LENGTH], "seconds": time.perf_counter() - began}


def _growth(modules: list[ModuleType], answer: str) -> dict:
    from recsys_course.interview.growth import measure

    allowed = next(module.GROWTH for module in modules if hasattr(module, "GROWTH"))
    _same_seeds()
    try:
        return measure(allowed, answer)
    except BaseException as error:
        return {"failed": _said(error, answer)[:LENGTH]}


def _same_seeds() -> None:
    random.seed(0)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(0)


def _said(error: BaseException, answer: str) -> str:
    """What a learner needs to know of an exception: the line of the answer, and what was raised."""
    if isinstance(error, NotImplementedError):
        return "not written yet"
    if isinstance(error, MemoryError):
        return "it needed more memory than it is given"
    if isinstance(error, ImportError) and error.name == Path(answer).stem:
        return f"{str(error).partition(' (')[0]}: keep the names of the starter"
    text = f"{type(error).__name__}: {' '.join(str(error).split())}"[:LENGTH].rstrip(": ")
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {type(error).__name__}: {error.msg}"
    line, source = _line_of(error.__traceback__, answer)
    return f"line {line}, `{source}`, raised {text}" if line else f"what it returned led to {text}"


def _line_of(traceback: TracebackType | None, answer: str) -> tuple[int, str]:
    found = 0, ""
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == answer:
            found = traceback.tb_lineno, linecache.getline(answer, traceback.tb_lineno).strip()
        traceback = traceback.tb_next
    return found


def _no_processes(event: str, arguments: tuple) -> None:
    if event in PROCESSES:
        raise PermissionError("an answer may not start other processes")


def _end_with_parent() -> None:
    """The runner holds the other end of stdin: when it is gone, so is this process."""
    try:
        while os.read(0, 1024):
            pass
    except OSError:
        pass
    os._exit(1)


def _limit_memory(given: dict) -> None:
    """Where the system can: no more data, no large files, no core files, and an end to endless work."""
    if not given["hard"]:
        return
    import resource

    used = next(
        int(line.split()[1]) * 1024
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmData")
    )
    for kind, most in (
        (resource.RLIMIT_DATA, used + given["memory_mb"] * 2**20),
        (resource.RLIMIT_FSIZE, 64 * 2**20),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, given["cpu_seconds"]),
    ):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


if __name__ == "__main__":
    main(sys.argv[1])
