"""A learner's record of the lessons: what was tried, what passed, which hints were read."""

import ast
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from recsys_course.journal import Journal

OUTCOMES = ("passed", "failed", "unwritten", "hint", "solution")
JOURNAL = Journal("progress", ("time", "exercise", "outcome"))


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
    JOURNAL.record(exercise=exercise, outcome=outcome, **more)


def events() -> list[dict]:
    """Return all events, oldest first; none where there is no record yet."""
    return JOURNAL.events()


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


def _standing(group: list[dict]) -> Standing:
    passes = [event["time"] for event in group if event["outcome"] == "passed"]
    return Standing(
        attempts=sum(event["outcome"] in ("passed", "failed") for event in group),
        passed=min(passes, default=""),
        hints=len({event.get("n") for event in group if event["outcome"] == "hint"}),
        seen=any(event["outcome"] == "solution" for event in group),
        last=group[-1]["time"],
    )
