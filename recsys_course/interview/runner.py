"""Runs somebody's answer against test files, and survives it.

The answer is copied to an empty folder and runs in a process of its own (`worker`). It costs nothing but its test when
it hangs, crashes, ends its process, starts others, prints without end or takes all memory: the process and whatever
it has started are killed, the test that was running is reported as what went wrong, and a new process goes on with the
next test. This guards against accidents, not against malice: the code is the learner's own and runs as the learner.

How the limits are kept:

============  ===========================================  =========================================================
limit         Linux                                        macOS and Windows
============  ===========================================  =========================================================
time          the runner's clock, one limit for each test  the same
memory        the system refuses more                      looked at 50 times a second, so that a burst may exceed it
processes     refused by Python; what gets through is      the same; on Windows only what still descends from the
              killed with its group, and by a mark in      process is found
              its environment
output        looked at 50 times a second                  the same
============  ===========================================  =========================================================
"""

import ast
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from recsys_course.interview import processes
from recsys_course.interview.report import CaseResult, GrowthResult, Report

LOOK = 0.02  # seconds
PRINTED = 1000  # characters that are kept
PARSING = threading.Lock()  # two threads that parse at once can fail in Python 3.11 (cpython issue 106905)


@dataclass(frozen=True)
class Limits:
    """What an answer may use.

    Attributes:
        start_seconds: until Python runs and the answer is imported.
        test_seconds: one test.
        growth_seconds: measuring the growth.
        total_seconds: everything together.
        memory_mb: what the answer may allocate, the libraries it imports included.
        printed_mb: what it may print.
        lives: processes that are started before the rest of the tests is left out.
        hard: let the system refuse memory, rather than only watch.
    """

    start_seconds: float = 20.0
    test_seconds: float = 5.0
    growth_seconds: float = 30.0
    total_seconds: float = 90.0
    memory_mb: int = 1024
    printed_mb: int = 1
    lives: int = 4
    hard: bool = sys.platform == "linux"


@dataclass
class _Run:
    """What is known while the processes come and go."""

    limits: Limits
    folder: Path
    cases: dict[str, CaseResult]
    token: str = field(default_factory=lambda: uuid.uuid4().hex)
    growth: GrowthResult | None = None
    broken: str = ""
    printed: str = ""
    now: str = "start"
    since: float = 0.0
    done: bool = False


def run(answer: str, tests: Sequence[Path], limits: Limits | None = None, *, growth=False, module="answer") -> Report:
    """Run test files against an answer.

    Args:
        answer: source code.
        tests: files of functions ``test_...``, which import the answer by the name ``module``.
        limits: what the answer may use.
        growth: also measure how the work grows, as ``GROWTH`` of one of the files says.
        module: the name under which the tests import the answer.
    """
    limits, began = limits or Limits(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="recsys-answer-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        state = _Run(limits, folder, {f"{case.file}:{case.name}": case for case in list_cases(tests)})
        (folder / "code").mkdir()
        (folder / "code" / f"{module}.py").write_text(answer, encoding="utf-8")
        for _ in range(limits.lives):
            _live(state, [str(path.resolve()) for path in tests], module, growth, began + limits.total_seconds)
            if state.done or state.broken or time.monotonic() > began + limits.total_seconds:
                break
    if growth and state.growth is None:
        state.growth = GrowthResult(None, state.broken or "no time was left")
    cases = tuple(state.cases.values())
    return Report(cases, state.growth, state.broken, state.printed, _notes(limits), time.monotonic() - began)


def list_cases(tests: Iterable[Path]) -> list[CaseResult]:
    """The tests of some files, read from their source: nothing is run."""
    found = []
    for path in tests:
        with PARSING:
            body = ast.parse(path.read_text(encoding="utf-8")).body
        for node in body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                title = " ".join((ast.get_docstring(node) or node.name).split("\n\n")[0].split()).rstrip(".")
                marks = [ast.unparse(mark) for mark in node.decorator_list]
                edges = [ast.literal_eval(mark[len("edge(") : -1]) for mark in marks if mark.startswith("edge(")]
                found.append(CaseResult(path.stem, node.name, title, "".join(edges), "safety" in marks))
    return found


def _live(state: _Run, tests: list[str], module: str, growth: bool, deadline: float) -> None:
    """One process, from its start to its end, and what it leaves to say."""
    log = state.folder / "log"
    log.write_bytes(b"")
    process = _start(state, tests, module, growth and state.growth is None)
    state.now, state.since, read, reason = "start", time.monotonic(), 0, ""
    try:
        while process.poll() is None and not reason:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(LOOK)
            read = _follow(state, log, read)
            reason = _excess(state, process.pid, deadline)
    finally:
        processes.kill(process, state.token)
    _follow(state, log, read)
    state.printed = (state.printed + _head(state.folder / "printed"))[:PRINTED]
    if not state.done:
        _blame(state, reason, process.returncode)


def _start(state: _Run, tests: list[str], module: str, growth: bool) -> subprocess.Popen:
    waiting = [key.split(":") for key, case in state.cases.items() if case.outcome == "not run"]
    job = {
        "folder": str(state.folder / "code"),
        "answer": str(state.folder / "code" / f"{module}.py"),
        "log": str(state.folder / "log"),
        "tests": tests,
        "cases": waiting,
        "growth": growth,
        "hard": state.limits.hard,
        "memory_mb": state.limits.memory_mb,
        "cpu_seconds": int(state.limits.total_seconds) + 1,
    }
    (state.folder / "job").write_text(json.dumps(job), encoding="utf-8")
    with open(state.folder / "printed", "wb") as printed:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "recsys_course.interview.worker", str(state.folder / "job")],
            stdin=subprocess.PIPE,
            stdout=printed,
            stderr=subprocess.STDOUT,
            cwd=state.folder / "code",
            env=processes.environment(state.token),
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )


def _follow(state: _Run, log: Path, read: int) -> int:
    """Take in the whole lines that were written since the last look; returns how far that is."""
    with open(log, "rb") as file:
        file.seek(read)
        lines = file.read()
    lines = lines[: lines.rfind(b"\n") + 1]
    for line in lines.splitlines():
        with contextlib.suppress(ValueError):
            _note(state, json.loads(line))
    return read + len(lines)


def _note(state: _Run, event: dict) -> None:
    if "begin" in event:
        state.now, state.since = event["begin"], time.monotonic()
    elif "end" in event:
        key = event.pop("end")
        state.cases[key] = CaseResult(**{**asdict(state.cases[key]), **event})
        state.now = "between"
    elif "growth" in event:
        said = event["growth"]
        state.growth = GrowthResult(None, said["failed"]) if "failed" in said else GrowthResult(**said)
    elif "broken" in event:
        state.broken = event["broken"]
    elif "done" in event:
        state.done = True


def _excess(state: _Run, pid: int, deadline: float) -> str:
    """The limit that is exceeded now, in words, or nothing."""
    limits, now = state.limits, time.monotonic()
    seconds = {"start": limits.start_seconds, "import": limits.start_seconds, "growth": limits.growth_seconds}
    seconds = seconds.get(state.now, limits.test_seconds)
    if now - state.since > seconds or now > deadline:
        return f"stopped after {now - state.since:.0f} s: is there a loop that never ends?"
    if (state.folder / "printed").stat().st_size > limits.printed_mb * 2**20:
        return f"stopped after printing more than {limits.printed_mb} MB"
    if processes.memory(pid) > (limits.memory_mb + 256 * limits.hard) * 2**20:
        return f"stopped after taking more than {limits.memory_mb:,} MB of memory"
    return ""


def _blame(state: _Run, reason: str, status: int | None) -> None:
    """Say of what was going on why the process ended before its time."""
    outcome, message = ("stopped", reason) if reason else ("crashed", processes.cause(status))
    if state.now in ("start", "import"):
        state.broken = message
    elif state.now == "growth":
        slow = outcome == "stopped" and "loop" in reason
        state.growth = GrowthResult(False, "no end in sight at 4 n") if slow else GrowthResult(None, message)
        state.done = True
    elif state.now in state.cases:
        old = asdict(state.cases[state.now])
        seconds = time.monotonic() - state.since
        state.cases[state.now] = CaseResult(**{**old, "outcome": outcome, "message": message, "seconds": seconds})


def _head(path: Path) -> str:
    with open(path, "rb") as file:
        return file.read(4 * PRINTED).decode("utf-8", "replace")


def _notes(limits: Limits) -> tuple[str, ...]:
    if limits.hard and processes.POSIX:
        return ()
    watched = "memory is watched on this system, not limited: a sudden burst may exceed it"
    windows = "a process that the answer detaches is not found on Windows"
    return (watched,) if processes.POSIX else (watched, windows)
