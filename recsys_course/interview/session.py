"""What is remembered of one attempt at a coding or debugging task: when it was opened, what was said, hints taken.

One small file a task, beside the learner's record. A new attempt, or a new revision of the task, begins afresh.
"""

import json
import os
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from recsys_course import journal


@dataclass(frozen=True)
class Session:
    """One attempt.

    Attributes:
        rev: revision of the task.
        opened: when, in seconds since 1970.
        named: the edge cases as the learner wrote them before the first run; None before there was one.
        submitted: whether an answer was handed in.
        hints: how many were taken.
        marks: of a debugging task, as made in a notebook, one text a mark.
    """

    rev: int
    opened: float
    named: tuple[str, ...] | None = None
    submitted: bool = False
    hints: int = 0
    marks: tuple[str, ...] = ()

    def seconds(self) -> float:
        """How long ago it was opened; never negative, whatever the clock did."""
        return max(0.0, time.time() - self.opened)


def current(task: str, rev: int) -> Session | None:
    """The attempt that is going on, or None."""
    try:
        found = json.loads(_file(task).read_text(encoding="utf-8"))
        named = None if found["named"] is None else tuple(map(str, found["named"]))
        session = Session(
            int(found["rev"]),
            float(found["opened"]),
            named,
            bool(found["submitted"]),
            int(found.get("hints", 0)),
            tuple(map(str, found.get("marks", ()))),
        )
    except (OSError, ValueError, KeyError, TypeError):  # none yet, or torn
        return None
    return session if session.rev == rev else None


def open_(task: str, rev: int, *, again: bool = False) -> Session:
    """The attempt that is going on, or a new one from now."""
    session = None if again else current(task, rev)
    return session or _write(task, Session(rev, time.time()))


def first_run(task: str, rev: int, named: Sequence[str]) -> Session:
    """Remember what was named before the first run; later runs change nothing."""
    session = open_(task, rev)
    return session if session.named is not None else _write(task, replace(session, named=tuple(named)))


def submitted(task: str, rev: int) -> Session:
    """Remember that an answer was handed in."""
    return _write(task, replace(open_(task, rev), submitted=True))


def hinted(task: str, rev: int, most: int) -> Session:
    """Remember that one more hint was taken, of so many at most."""
    session = open_(task, rev)
    return _write(task, replace(session, hints=min(session.hints + 1, most)))


def marked(task: str, rev: int, marks: Sequence[str]) -> Session:
    """Remember all marks of an attempt."""
    return _write(task, replace(open_(task, rev), marks=tuple(marks)))


def _file(task: str) -> Path:
    return journal.folder() / "coding" / f"{task}.json"


def _write(task: str, session: Session) -> Session:
    path = _file(task)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{task}.{uuid.uuid4().hex[:8]}")
    part.write_text(json.dumps(asdict(session)), encoding="utf-8")
    os.replace(part, path)
    return session
