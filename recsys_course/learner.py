"""The learner's own copies in ``my/``: made once, never overwritten, brought up to date without losing an answer.

``notebooks/`` is what the course ships. A learner works in ``my/``, which git ignores:

- ``my/02_name.ipynb`` is the copy, and ``my/.given/02_name.ipynb`` is the version it was made from, so that what the
  learner changed can be told from what the course changed.
- `update` replaces a copy that was never edited. Beside an edited one, which it does not touch, it puts the new version
  with the learner's answers carried over by cell id (`recsys_course.carry`) as ``my/02_name.2026-11-22.ipynb``: from
  then on that is the lesson's current copy.
- `reset` moves every copy of a lesson to ``my/backup/`` and starts it afresh.

Files are compared by the type, id and source of their cells: running a notebook, or JupyterLab's autosave, is no edit.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from recsys_course import carry

FIRST = "00_start_here.ipynb"
COPY = re.compile(r"(?P<lesson>\d\d)_\w+(\.(?P<date>\d{4}-\d\d-\d\d)(-(?P<n>\d+))?)?\.ipynb")


class LearnerError(Exception):
    """What went wrong with a learner's files, in one sentence."""


@dataclass(frozen=True)
class Change:
    """What was done about one file, in a sentence; ``ok`` is false where the learner has to do something."""

    message: str
    ok: bool = True


def find_course(start: Path | None = None) -> Path:
    """The clone of the course: the nearest one around `start`, else the one that this package belongs to.

    Raises:
        LearnerError: there is none.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents, Path(__file__).resolve().parents[1]):
        if (folder / "notebooks" / FIRST).is_file():
            return folder
    raise LearnerError(f"no course is found around {start}: go to the folder that you cloned and try again")


def copy_new(course: Path) -> list[str]:
    """Copy the lessons that ``my/`` does not have; an existing file is never touched.

    Returns:
        The names of the new files.

    Raises:
        LearnerError: ``my/`` cannot be written.
    """
    with _explained(course / "my"):
        names = [path.name for path in shipped(course) if not _copies(course, path.name[:2])]
        for name in names:
            _hand_out(course, name, name)
    return names


def shipped(course: Path) -> list[Path]:
    """The course's notebooks in order of their numbers."""
    return sorted(path for path in (course / "notebooks").glob("*.ipynb") if COPY.fullmatch(path.name))


def current(course: Path, lesson: str) -> Path | None:
    """The copy of a lesson that the learner should work in; None where there is none.

    Args:
        course: top folder of the clone.
        lesson: two digits.
    """
    return max(_copies(course, lesson), key=_age, default=None)


def outdated(course: Path) -> list[str]:
    """The names of the notebooks that are newer than the learner's copy."""
    return [path.name for path in shipped(course) if _is_outdated(course, path)]


def update(course: Path) -> list[Change]:
    """Bring every copy up to date, as the module's docstring says; one lesson's trouble does not stop the others."""
    changes = [Change(f"my/{name}: new") for name in copy_new(course)]
    for path in shipped(course):
        with _explained(course / "my"):
            changes += _update_lesson(course, path)
    return changes


def reset(course: Path, lesson: str) -> list[Change]:
    """Move every copy of a lesson to ``my/backup/`` and copy it anew.

    Raises:
        LearnerError: no such lesson, or ``my/`` cannot be written; then nothing was changed.
    """
    number = lesson.zfill(2)
    fresh = next((path.name for path in shipped(course) if path.name.startswith(f"{number}_")), None)
    if fresh is None:
        known = ", ".join(path.name[:2] for path in shipped(course))
        raise LearnerError(f"there is no lesson {lesson!r}: the lessons are {known}")
    with _explained(course / "my"):
        copies = _copies(course, number)
        changes = [Change(f"{_relative(course, _back_up(path))}: your copy so far") for path in copies]
        for path in copies:
            path.unlink()
            (path.parent / ".given" / path.name).unlink(missing_ok=True)
        _hand_out(course, fresh, fresh)
    advice = " (open in JupyterLab? then File > Reload Notebook from Disk)" if copies else ""
    return [*changes, Change(f"my/{fresh}: fresh{advice}")]


def _update_lesson(course: Path, new: Path) -> list[Change]:
    path = current(course, new.name[:2])
    if path is None or not _is_outdated(course, new):
        return []
    try:
        given, mine = _given(course, path), carry.read(path)
    except carry.NotANotebook as problem:
        advice = f"it stays as it is; `recsys-course reset {new.name[:2]}` moves it to my/backup and starts afresh"
        return [Change(f"my/{problem}: {advice}", ok=False)]
    if not carry.is_edited(given, mine):
        _hand_out(course, new.name, path.name)
        return [Change(f"my/{path.name}: brought up to date")]
    merged = carry.carry(given, mine, carry.read(new))
    name = _dated_name(course, new)
    _hand_out(course, new.name, name, json.dumps(merged, ensure_ascii=False, indent=1) + "\n")
    return [Change(f"my/{name}: the new version with your answers; my/{path.name} stays as it is")]


def _is_outdated(course: Path, new: Path) -> bool:
    path = current(course, new.name[:2])
    return path is not None and not carry.same(_given(course, path), carry.read(new))


def _given(course: Path, copy: Path) -> carry.Notebook:
    """The version a copy was made from; where its record is lost, what is shipped now."""
    try:
        return carry.read(copy.parent / ".given" / copy.name)
    except (OSError, carry.NotANotebook):
        return carry.read(next(path for path in shipped(course) if path.name[:2] == copy.name[:2]))


def _copies(course: Path, lesson: str) -> list[Path]:
    """The copies of a lesson: files that were handed out, and any that carries a shipped notebook's name."""
    found = [path for path in (course / "my").glob(f"{lesson}_*.ipynb") if COPY.fullmatch(path.name)]
    names = {path.name for path in shipped(course)}
    return [path for path in found if path.name in names or (path.parent / ".given" / path.name).exists()]


def _age(copy: Path) -> tuple[str, int]:
    """Orders the copies of one lesson, oldest first."""
    match = COPY.fullmatch(copy.name)
    return match["date"] or "", int(match["n"] or 1)


def _dated_name(course: Path, new: Path) -> str:
    today = f"{datetime.now():%Y-%m-%d}"
    names = [f"{new.stem}.{today}.ipynb", *(f"{new.stem}.{today}-{n}.ipynb" for n in range(2, 1000))]
    return next(name for name in names if not (course / "my" / name).exists())


def _hand_out(course: Path, source: str, name: str, text: str | None = None) -> None:
    """Write a shipped notebook, or a `text` made from it, to ``my/`` and remember the version."""
    original = (course / "notebooks" / source).read_bytes()
    _write(course / "my" / ".given" / name, original)
    _write(course / "my" / name, original if text is None else text.encode("utf-8"))


def _write(path: Path, content: bytes) -> None:
    """Write a whole file or none of it; the mode is a new file's, even where the original is read-only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    os.replace(part, path)


def _back_up(path: Path) -> Path:
    folder = path.parent / "backup"
    folder.mkdir(exist_ok=True)
    moment = f"{datetime.now():%Y%m%d-%H%M%S}"
    names = [f"{path.stem}-{moment}.ipynb", *(f"{path.stem}-{moment}-{n}.ipynb" for n in range(2, 1000))]
    target = next(folder / name for name in names if not (folder / name).exists())
    shutil.copyfile(path, target)
    return target


def _relative(course: Path, path: Path) -> str:
    return path.relative_to(course).as_posix()


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Turn what the file system refuses into one sentence."""
    try:
        yield
    except carry.NotANotebook as problem:
        raise LearnerError(f"notebooks/{problem}: `git checkout notebooks` brings it back") from problem
    except OSError as error:
        where = error.filename or folder
        raise LearnerError(f"{where} cannot be written or read ({error.strerror}): mend that and try again") from error
