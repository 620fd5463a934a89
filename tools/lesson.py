"""Reads a lesson: its front matter, its cells with their stable ids, and the regions that hold answers."""

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import jupytext
import yaml

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
LIKE_A_MARKER = re.compile(r"\b(BEGIN|END)[ _-]*SOLUTION", re.IGNORECASE)
CODE_STUB = "raise NotImplementedError  # your code here"
TEXT_STUB = "*Your answer here.*"
FRONT_MATTER = re.compile(r"\A# ---\n((?:#.*\n)*?)# ---\n")
SLUG_LENGTH = 40


class LessonError(ValueError):
    """A lesson that cannot be built; the message names the lesson and the cell."""


@dataclass(frozen=True)
class Cell:
    """One cell of a lesson, answers still in place.

    Attributes:
        id: lesson number, slug of the nearest heading, and ordinal among the cells below it; cells with an answer are
            counted apart, so that a new paragraph does not move what learners wrote.
        kind: "code" or "markdown".
    """

    id: str
    kind: str
    source: str
    tags: tuple[str, ...] = ()

    @property
    def has_answer(self) -> bool:
        """Whether the learner writes in this cell."""
        return any(line.strip() == BEGIN for line in self.source.splitlines())

    @property
    def solved(self) -> str:
        """The cell without the marker lines."""
        return "\n".join(line for line in self.source.splitlines() if line.strip() not in (BEGIN, END))

    @property
    def stubbed(self) -> str:
        """The cell with each answer replaced by a stub at the answer's indentation."""
        lines, inside = [], False
        for line in self.source.splitlines():
            if line.strip() == BEGIN:
                stub = CODE_STUB if self.kind == "code" else TEXT_STUB
                lines.append(line[: len(line) - len(line.lstrip())] + stub)
            inside = (inside or line.strip() == BEGIN) and line.strip() != END
            if not inside and line.strip() != END:
                lines.append(line)
        return "\n".join(lines)


@dataclass(frozen=True)
class Lesson:
    """One file of ``lessons/``.

    Attributes:
        path: the file, named ``NN_name.py``.
        course: front matter below the key ``course``.
    """

    path: Path
    text: str
    course: dict
    cells: tuple[Cell, ...]

    @property
    def number(self) -> str:
        """Two digits."""
        return self.path.stem[:2]

    @cached_property
    def questions(self) -> tuple[str, ...]:
        """Ids of the interview questions, in the order of the lesson."""
        return tuple(word for cell in self.cells if "question" in cell.tags for word in cell.source.split())


def lesson_files(root: Path) -> list[Path]:
    """The lessons of a project, in order."""
    return sorted((root / "lessons").glob("[0-9][0-9]_*.py"))


def read_lesson(path: Path) -> Lesson:
    """Read and check one lesson.

    Raises:
        LessonError: the front matter is missing, or the markers of an answer are wrong.
    """
    text = path.read_text(encoding="utf-8")
    header = FRONT_MATTER.match(text)
    course = _course(path, header[1] if header else "")
    notebook = jupytext.reads(FRONT_MATTER.sub("", text).lstrip(), fmt="py:percent")
    cells = tuple(_with_ids(path.stem[:2], notebook.cells))
    for cell in cells:
        _check_markers(path, cell)
    return Lesson(path, text, course, cells)


def headings(cell: Cell) -> list[tuple[int, str]]:
    """Level and text of the headings of a Markdown cell, code blocks left out."""
    if cell.kind != "markdown":
        return []
    text = re.sub(r"(?ms)^```.*?^```", "", cell.solved)
    return [(len(m[1]), m[2].strip()) for m in re.finditer(r"(?m)^(#{1,6}) +(.+)$", text)]


def slug(heading: str) -> str:
    """A heading in lower-case ASCII up to its first bar: ``Exercise 2.1 - auc  |  easy`` is ``exercise-2-1-auc``."""
    words = re.findall(r"[a-z0-9]+", heading.partition("|")[0].lower())
    return "-".join(words)[:SLUG_LENGTH].strip("-") or "part"


def _course(path: Path, header: str) -> dict:
    try:
        meta = yaml.safe_load(re.sub(r"(?m)^# ?", "", header)) or {}
    except yaml.YAMLError as error:
        raise LessonError(f"lessons/{path.name}: the front matter is not YAML: {error}") from None
    if not isinstance(meta.get("course"), dict):
        raise LessonError(f"lessons/{path.name}: the front matter at the top lacks the key `course:`")
    return meta["course"]


def _with_ids(number: str, cells: list) -> list[Cell]:
    counts: Counter[str] = Counter()
    place, found = "top", []
    for raw in cells:
        kind = "code" if raw.cell_type == "code" else "markdown"
        cell = Cell("", kind, raw.source, tuple(raw.metadata.get("tags", ())))
        if inside := headings(cell):
            place = slug(inside[0][1]).removeprefix(f"{number}-")
        base = f"{number}-{place}-answer" if cell.has_answer else f"{number}-{place}"
        counts[base] += 1
        found.append(Cell(f"{base}-{counts[base]}", kind, cell.source, cell.tags))
        if inside:
            place = slug(inside[-1][1]).removeprefix(f"{number}-")
    return found


def _check_markers(path: Path, cell: Cell) -> None:
    inside = False
    for line in cell.source.splitlines():
        if not LIKE_A_MARKER.search(line):
            continue
        where = f"lessons/{path.name}: cell {cell.id}"
        if line.strip() != (END if inside else BEGIN):
            raise LessonError(f"{where}: expected the line `{END if inside else BEGIN}`, got `{line.strip()}`")
        if cell.kind == "code" and not inside and line == line.lstrip():
            raise LessonError(f"{where}: an answer outside a function would stop the learner's notebook: indent it")
        inside = not inside
    if inside:
        raise LessonError(f"{where}: the line `{END}` is missing")
