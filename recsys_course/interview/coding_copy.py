"""The learner's copy of a coding task in ``my/coding/``: made once, never overwritten when edited."""

import ast
import os
import shlex
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from recsys_course.interview.coding import CodingError, Task

HEAD = """\
# {id} · {title} · {level} · {minutes} minutes
# The task is in task.md beside this file. Fill in the two lines below before you run anything.
# `recsys-course code {id} --run` runs the public tests, `recsys-course code {id} --submit` hands in.

COMPLEXITY = ""  # of your answer, such as "O(n log n)"
EDGE_CASES = [  # in your words, before the first run; five are enough
    # "equal scores",
]
"""


def path_of(course: Path, task: Task) -> Path:
    """Where the copy of a task is."""
    return course / "my" / "coding" / task.folder.name / "answer.py"


def hand_out(course: Path, task: Task) -> str:
    """Make the copy, or bring one up to date that was never edited; returns what was done, in a sentence.

    Raises:
        CodingError: it cannot be written.
    """
    path, new = path_of(course, task), HEAD.format(**vars(task)) + task.starter.split('"""', 2)[2]
    given = path.with_name(".given.py")
    here = _read(path)
    edited = here is not None and here != _read(given)
    try:
        if here is None or (not edited and here != new):
            _write(path, new)
            _write(given, new)
        _write(path.with_name("task.md"), task.statement())
    except OSError as error:
        raise CodingError(
            f"{error.filename or path} cannot be written ({error.strerror}): mend that, try again"
        ) from error
    name = path.relative_to(course).as_posix()
    if here is None:
        return f"{name}: your copy"
    if edited and _read(given) != new:
        return f"{name}: yours, left as it is; the task is newer, and --again starts afresh"
    return f"{name}: yours, as you left it"


def back_up(course: Path, task: Task) -> str:
    """Move the copy to ``my/backup``; returns what was done, in a sentence, or nothing where there is none."""
    path = path_of(course, task)
    if not path.exists():
        return ""
    folder = course / "my" / "backup"
    folder.mkdir(parents=True, exist_ok=True)
    moment = f"{task.folder.name}-{datetime.now():%Y%m%d-%H%M%S}"
    names = [f"{moment}.py", *(f"{moment}-{n}.py" for n in range(2, 1000))]
    target = next(folder / name for name in names if not (folder / name).exists())
    shutil.move(path, target)
    return f"{target.relative_to(course).as_posix()}: your copy so far"


def read(course: Path, task: Task) -> tuple[str, list[str], str]:
    """The copy: its source, EDGE_CASES and COMPLEXITY; nothing is run.

    Raises:
        CodingError: there is no copy.
    """
    path = path_of(course, task)
    source = _read(path)
    if source is None:
        name = path.relative_to(course).as_posix()
        raise CodingError(f"{name} is not there yet: `recsys-course code {task.id}` makes it")
    edges, complexity = (_constant(source, name) for name in ("EDGE_CASES", "COMPLEXITY"))
    edges = [str(edge) for edge in edges] if isinstance(edges, list | tuple) else []
    return source, edges, complexity if isinstance(complexity, str) else ""


def open_in_editor(path: Path) -> str:
    """Open a file in the user's editor and wait; returns a sentence where that is not possible.

    VISUAL and EDITOR are split into words as a shell would, but no shell is started.
    """
    words = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "", posix=os.name == "posix")
    if not words or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return "Open it in any editor." if words else "Open it in any editor; with EDITOR set, it opens by itself."
    try:
        status = subprocess.run([*(word.strip('"') for word in words), str(path)], check=False).returncode
    except OSError as error:
        return f"The editor {words[0]!r} does not start ({error.strerror}): open the file in any other."
    return f"The editor ended with status {status}." if status else ""


def _constant(source: str, name: str) -> object:
    """The value of a plain assignment at the top of the source, or None."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError):
        return None
    for node in body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            try:
                return ast.literal_eval(node.value)
            except ValueError:
                return None
    return None


def _read(path: Path) -> str | None:
    """The text; None where there is no file. An editor may have written other characters than UTF-8."""
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else None


def _write(path: Path, text: str) -> None:
    """Write a whole file or none of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
