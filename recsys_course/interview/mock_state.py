"""A mock interview on the disk: one JSON file beside the journal, written after every answer.

The file holds the paper, what came of the parts that are done, and how far the part in progress is, so that whoever is
interrupted, or whose terminal is killed, loses nothing but the line being typed. It is written under another name and
renamed: there is never half of it.
"""

import json
import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from recsys_course import journal
from recsys_course.interview.mock_paper import Order, Paper, Part
from recsys_course.interview.outcome import Outcome, PracticeError

VERSION = 1


@dataclass(frozen=True)
class Done:
    """A part that was sat.

    Attributes:
        answer: what was typed, a line each.
    """

    part: Part
    outcome: Outcome
    answer: tuple[str, ...] = ()


@dataclass
class Sitting:
    """A mock interview while it is sat, and after.

    Attributes:
        path: its file.
        language: of the prompts.
        started: in UTC.
        done: the parts that are finished, in their order.
        progress: what the part in progress has so far; each round keeps there what it needs to go on.
        finished: when, or None.
        page: the debrief, once there is one.
    """

    path: Path
    paper: Paper
    language: str
    started: datetime
    done: list[Done] = field(default_factory=list)
    progress: dict = field(default_factory=dict)
    finished: datetime | None = None
    page: str = ""

    @property
    def left(self) -> tuple[Part, ...]:
        """The parts that are not finished."""
        return self.paper.parts[len(self.done) :]

    @property
    def seconds(self) -> float:
        """Time on the clock of all finished parts."""
        return sum(one.outcome.seconds for one in self.done)

    def keep(self, **more: object) -> None:
        """Remember how far the part in progress is.

        Raises:
            PracticeError: the file cannot be written.
        """
        self.progress |= more
        self.save()

    def finish_part(self, outcome: Outcome) -> None:
        """Close the part in progress, with everything that was typed: the answer, then each follow-up and its own."""
        lines = list(self.progress.get("lines", ()))
        for one in self.progress.get("follow_ups", ()):
            lines += ["", one["ask"], *one["lines"]] if one["lines"] else []
        self.done.append(Done(self.left[0], outcome, tuple(lines)))
        self.progress = {}
        self.save()

    def finish(self, page: str) -> None:
        """Close the mock; its debrief is at `page`."""
        self.finished, self.page, self.progress = datetime.now(UTC), page, {}
        self.save()

    def save(self) -> None:
        """Write the whole file or none of it.

        Raises:
            PracticeError: it cannot be written.
        """
        part = self.path.with_name(f".{self.path.stem}.{uuid.uuid4().hex[:8]}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(json.dumps(_plain(self), ensure_ascii=False, indent=1), encoding="utf-8")
            os.replace(part, self.path)
        except OSError as error:
            raise PracticeError(
                f"{error.filename or self.path} cannot be written ({error.strerror}): mend that, then "
                "`recsys-course mock --resume`"
            ) from error


def begin(paper: Paper, language: str, now: datetime | None = None) -> Sitting:
    """Start a mock and write its file."""
    started = now or datetime.now(UTC)
    stem = f"{started:%Y%m%d-%H%M%S}-{paper.order.seed}"
    names = [f"{stem}.json", *(f"{stem}-{n}.json" for n in range(2, 1000))]
    path = next(folder() / name for name in names if not (folder() / name).exists())
    sitting = Sitting(path, paper, language, started)
    sitting.save()
    return sitting


def folder() -> Path:
    """Where the files of the mocks are."""
    return journal.folder() / "mocks"


def unfinished() -> Sitting | None:
    """The mock that was interrupted, the latest where there are several.

    Raises:
        PracticeError: a file is damaged.
    """
    found = [sitting for path in sorted(folder().glob("*.json")) if not (sitting := read(path)).finished]
    return found[-1] if found else None


def read(path: Path) -> Sitting:
    """Read one file.

    Raises:
        PracticeError: it is damaged.
    """
    try:
        return _sitting(path, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PracticeError(f"{path} is not the file of a mock: move it to another folder, try again") from error


def _plain(sitting: Sitting) -> dict:
    paper = sitting.paper
    return {
        "version": VERSION,
        "order": asdict(paper.order),
        "parts": [asdict(part) for part in paper.parts],
        "notes": list(paper.notes),
        "language": sitting.language,
        "started": sitting.started.isoformat(timespec="seconds"),
        "done": [{"outcome": asdict(one.outcome), "answer": list(one.answer)} for one in sitting.done],
        "progress": sitting.progress,
        "finished": sitting.finished.isoformat(timespec="seconds") if sitting.finished else None,
        "page": sitting.page,
    }


def _sitting(path: Path, plain: Mapping) -> Sitting:
    parts = tuple(_tuples(Part, one) for one in plain["parts"])
    done = zip(parts, plain["done"], strict=False)
    return Sitting(
        path,
        Paper(Order(**plain["order"]), parts, tuple(plain["notes"])),
        plain["language"],
        datetime.fromisoformat(plain["started"]),
        [Done(part, _tuples(Outcome, one["outcome"]), tuple(one["answer"])) for part, one in done],
        dict(plain["progress"]),
        datetime.fromisoformat(plain["finished"]) if plain["finished"] else None,
        plain["page"],
    )


def _tuples(kind: Callable, plain: Mapping):
    """A frozen record whose lists are tuples."""
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in plain.items()})
