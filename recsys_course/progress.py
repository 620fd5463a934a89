"""A learner's record: what was tried, what passed, which hints were read.

One line of JSON for each event, in ``progress.jsonl``, in the platform's folder for user data or in the folder that
RECSYS_COURSE_STATE names. Lines are only ever appended, each in one write under a lock, so that two kernels can write
at once; one that is killed in the middle loses no more than its own line, which readers skip.
"""

import ast
import contextlib
import json
import os
import time
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

OUTCOMES = ("passed", "failed", "unwritten", "hint", "solution")
LOCK_WAIT = 5.0  # seconds; after that the single append has to do
NEEDED = ("time", "exercise", "outcome")


class Standing(NamedTuple):
    """Where a learner stands with one exercise.

    Attributes:
        attempts: answers checked, right or wrong.
        passed: when one was right for the first time, as ISO 8601 in UTC; empty if none was.
        hints: how many of its hints were read.
        seen: whether the solution was looked at.
        last: time of the last event.
    """

    attempts: int
    passed: str
    hints: int
    seen: bool
    last: str


class Row(NamedTuple):
    """One lesson: how many of its exercises passed, of how many, and when something last happened (or empty)."""

    lesson: str
    passed: int
    total: int
    last: str


def folder() -> Path:
    """Return the folder that holds the record."""
    if named := os.environ.get("RECSYS_COURSE_STATE"):
        return Path(named)
    from platformdirs import user_data_path

    return user_data_path("recsys-course", appauthor=False)


def record(exercise: str, outcome: str, **more: object) -> None:
    """Append one event.

    Args:
        exercise: its id, ``"02.recall"``.
        outcome: one of ``OUTCOMES``.
        more: whatever else is worth keeping, as JSON.

    Raises:
        OSError: the record cannot be written.
    """
    if outcome not in OUTCOMES:
        raise ValueError(f"no outcome {outcome!r}: one of {', '.join(OUTCOMES)}")
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    event = {"time": now, "exercise": exercise, "outcome": outcome, "event": uuid.uuid4().hex[:12]}
    with _open() as file:
        _append(file, [event | more])


def events() -> list[dict]:
    """Return all events, oldest first; none where there is no record yet."""
    return _read(folder() / "progress.jsonl")


def summary() -> dict[str, Standing]:
    """Return where the learner stands with every exercise that has an event, by id."""
    by_id: dict[str, list[dict]] = {}
    for event in events():
        by_id.setdefault(event["exercise"], []).append(event)
    return {exercise: _standing(group) for exercise, group in sorted(by_id.items())}


def table(lessons: Iterable[str] | None = None) -> list[Row]:
    """Return a row for each lesson.

    Args:
        lessons: numbers such as ``"02"``; by default those that have exercises.
    """
    ids, standings = exercise_ids(), summary()
    rows = []
    for lesson in sorted(ids) if lessons is None else lessons:
        passed = [one for one in ids.get(lesson, ()) if one in standings and standings[one].passed]
        last = max((standing.last for one, standing in standings.items() if one.startswith(f"{lesson}.")), default="")
        rows.append(Row(lesson, len(passed), len(ids.get(lesson, ())), last))
    return rows


def report() -> str:
    """Return the table as text, for a notebook and the command line alike."""
    lines = ["lesson  passed   last activity"]
    for row in table():
        when = datetime.fromisoformat(row.last).astimezone().strftime("%Y-%m-%d %H:%M") if row.last else "-"
        lines.append(f"{row.lesson:<6}  {row.passed} of {row.total}   {when}")
    return "\n".join(lines)


def exercise_ids(exercises: Path | None = None) -> dict[str, list[str]]:
    """Return the ids of all exercises by lesson, read from their source: importing it would import torch.

    Args:
        exercises: the folder of the modules ``l00.py``, ``l01.py``, ...
    """
    found: dict[str, list[str]] = {}
    for path in sorted((exercises or Path(__file__).with_name("exercises")).glob("l[0-9]*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Exercise":
                names = [word.value.value for word in node.keywords if word.arg == "id"]
                found.setdefault(names[0][:2], []).append(names[0])
    return found


def export(path: str | Path) -> int:
    """Write all events to a file, for ``merge`` on another machine; return how many."""
    path, mine = Path(path), events()
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        temporary.write_bytes(b"".join(_line(event) for event in mine))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return len(mine)


def merge(path: str | Path) -> int:
    """Add the events of an exported file that are not here yet; return how many those are.

    Merging twice changes nothing, and the order of merging two files does not matter.

    Raises:
        OSError: the file cannot be read, or the record not written.
        ValueError: the file is no record.
    """
    path = Path(path)
    if not path.read_bytes().isspace() and path.stat().st_size and not _read(path):
        raise ValueError(f"{path} holds no events: was it written by `recsys-course progress --export`?")
    with _open() as file:
        mine = {_line(event) for event in events()}
        new = [event for event in _read(path) if _line(event) not in mine]
        _append(file, new)
    return len(new)


def _standing(group: list[dict]) -> Standing:
    passes = [event["time"] for event in group if event["outcome"] == "passed"]
    return Standing(
        attempts=sum(event["outcome"] in ("passed", "failed") for event in group),
        passed=min(passes, default=""),
        hints=len({event.get("n") for event in group if event["outcome"] == "hint"}),
        seen=any(event["outcome"] == "solution" for event in group),
        last=group[-1]["time"],
    )


def _line(event: dict) -> bytes:
    return (json.dumps(event, sort_keys=True) + "\n").encode("ascii")


def _read(path: Path) -> list[dict]:
    """The valid events of a file, each once, by time."""
    if not path.exists():
        return []
    found = {}
    for line in path.read_bytes().splitlines():
        with contextlib.suppress(ValueError):  # a torn line
            event = json.loads(line)
            if isinstance(event, dict) and all(isinstance(event.get(key), str) for key in NEEDED):
                found[_line(event)] = event
    return [found[line] for line in sorted(found, key=lambda line: (found[line]["time"], line))]


@contextlib.contextmanager
def _open() -> Iterator[int]:
    """The record's file, open for appending, while no other process has it so."""
    folder().mkdir(parents=True, exist_ok=True)
    with open(folder() / "progress.lock", "ab") as lock:
        with contextlib.suppress(OSError):  # some network drives know no locks
            _lock(lock.fileno())
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
        file = os.open(folder() / "progress.jsonl", flags, 0o600)
        try:
            yield file
        finally:
            os.close(file)


def _lock(file: int) -> None:
    """Wait for the lock, though not for ever; closing the file, or dying, gives it back."""
    began = time.monotonic()
    while time.monotonic() < began + LOCK_WAIT:
        try:
            _try_lock(file)
            return
        except (BlockingIOError, PermissionError):  # another process has it
            time.sleep(0.005)


def _try_lock(file: int) -> None:
    try:
        import fcntl
    except ImportError:
        import msvcrt

        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _append(file: int, new: list[dict]) -> None:
    data = b"".join(_line(event) for event in new)
    if os.lseek(file, 0, os.SEEK_END):
        os.lseek(file, -1, os.SEEK_END)
        if os.read(file, 1) != b"\n":  # someone was killed here
            data = b"\n" + data
    if os.write(file, data) < len(data):
        raise OSError(f"{folder()} is full")
    os.fsync(file)
