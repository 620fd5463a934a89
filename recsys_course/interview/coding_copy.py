"""The learner's copy of a coding task in ``my/coding/``: made once, never overwritten when edited."""

from pathlib import Path

from recsys_course.interview import copies
from recsys_course.interview.answer_source import constant
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

open_in_editor = copies.open_in_editor


def path_of(course: Path, task: Task) -> Path:
    """Where the copy of a task is."""
    return course / "my" / "coding" / task.folder.name / "answer.py"


def hand_out(course: Path, task: Task) -> str:
    """Make the copy, or bring one up to date that was never edited; returns what was done, in a sentence.

    Raises:
        PracticeError: it cannot be written.
    """
    path, new = path_of(course, task), HEAD.format(**vars(task)) + task.starter.split('"""', 2)[2]
    state = copies.hand_out(path, new, _given(path))
    copies.write(path.with_name("task.md"), task.statement())
    said = {
        copies.NEW: "your copy",
        copies.KEPT: "yours, as you left it",
        copies.OUTDATED: "yours, left as it is; the task is newer, and --again starts afresh",
    }
    return f"{path.relative_to(course).as_posix()}: {said[state]}"


def is_untouched(course: Path, task: Task) -> bool:
    """Whether nothing was written into the copy yet."""
    path = path_of(course, task)
    return copies.is_untouched(path, _given(path))


def back_up(course: Path, task: Task) -> str:
    """Move the copy to ``my/backup``; returns what was done, in a sentence, or nothing where there is none."""
    return copies.back_up(course, path_of(course, task), task.folder.name)


def read(course: Path, task: Task) -> tuple[str, list[str], str]:
    """The copy: its source, EDGE_CASES and COMPLEXITY; nothing is run.

    Raises:
        CodingError: there is no copy.
    """
    path = path_of(course, task)
    source = copies.read(path)
    if source is None:
        name = path.relative_to(course).as_posix()
        raise CodingError(f"{name} is not there yet: `recsys-course code {task.id}` makes it")
    edges, complexity = (constant(source, name) for name in ("EDGE_CASES", "COMPLEXITY"))
    edges = [str(edge) for edge in edges] if isinstance(edges, list | tuple) else []
    return source, edges, complexity if isinstance(complexity, str) else ""


def _given(path: Path) -> Path:
    """Where the version is kept that a copy was made from."""
    return path.with_name(".given.py")
