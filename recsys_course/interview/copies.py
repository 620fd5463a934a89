"""The learner's copies of tasks in ``my/``: made once, never overwritten when edited, moved away and never deleted."""

import os
import shlex
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from recsys_course.interview.outcome import PracticeError

NEW, KEPT, OUTDATED = "new", "kept", "outdated"


def hand_out(path: Path, new: str, given: Path) -> str:
    """Make a copy, or bring one up to date that was never edited; returns ``NEW``, ``KEPT`` or ``OUTDATED``.

    Args:
        path: of the copy.
        new: what the course ships now.
        given: where the version is kept that the copy was made from.

    Raises:
        PracticeError: it cannot be written.
    """
    here = read(path)
    edited = here is not None and here != read(given)
    if here is None or (not edited and here != new):
        write(path, new)
        write(given, new)
    if here is None:
        return NEW
    return OUTDATED if edited and read(given) != new else KEPT


def is_untouched(path: Path, given: Path) -> bool:
    """Whether a copy is there and is as it was handed out."""
    return path.exists() and read(path) == read(given)


def back_up(course: Path, path: Path, name: str) -> str:
    """Move a file or a folder to ``my/backup``; returns what was done, in a sentence, or nothing where there is none.

    Args:
        course: top folder of the clone.
        path: what is moved.
        name: what its name there begins with; the time follows.
    """
    if not path.exists():
        return ""
    folder = course / "my" / "backup"
    folder.mkdir(parents=True, exist_ok=True)
    moment = f"{name}-{datetime.now():%Y%m%d-%H%M%S}"
    names = [f"{moment}{path.suffix}", *(f"{moment}-{n}{path.suffix}" for n in range(2, 1000))]
    target = next(folder / name for name in names if not (folder / name).exists())
    shutil.move(path, target)
    return f"{target.relative_to(course).as_posix()}: your copy so far"


def open_in_editor(*paths: Path) -> str:
    """Open files in the user's editor and wait; returns a sentence where that is not possible.

    VISUAL and EDITOR are split into words as a shell would, but no shell is started.
    """
    words = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "", posix=os.name == "posix")
    if not words or not (sys.stdin.isatty() and sys.stdout.isatty()):
        it, itself = ("it", "it opens by itself") if len(paths) == 1 else ("them", "they open by themselves")
        return f"Open {it} in any editor" + ("." if words else f"; with EDITOR set, {itself}.")
    try:
        status = subprocess.run([*(word.strip('"') for word in words), *map(str, paths)], check=False).returncode
    except OSError as error:
        return f"The editor {words[0]!r} does not start ({error.strerror}): open the file in any other."
    return f"The editor ended with status {status}." if status else ""


def read(path: Path) -> str | None:
    """The text; None where there is no file. An editor may have written other characters than UTF-8."""
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else None


def write(path: Path, text: str) -> None:
    """Write a whole file or none of it.

    Raises:
        PracticeError: it cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        where = error.filename or path
        raise PracticeError(f"{where} cannot be written ({error.strerror}): mend that, try again") from error
