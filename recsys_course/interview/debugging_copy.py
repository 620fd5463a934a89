"""The learner's folder of a debugging task, ``my/debug/X02``: made once, never overwritten when edited."""

import re
from dataclasses import dataclass
from pathlib import Path

from recsys_course.interview import copies
from recsys_course.interview.debugging_marks import Mark, parse
from recsys_course.interview.debugging_task import Task
from recsys_course.interview.outcome import PracticeError

REVIEW = """\
# {id} · {title}

<!-- The code as you found it, with line numbers, is in report.md. -->

## Marks

<!-- One line for each line that is at fault; marking what is right costs points:
- 14 | blocker | why
blocker: results are wrong. major: it misleads or breaks later. minor: the rest. -->

## Explanation

<!-- What happens, why, and what else you would look at. -->
"""
TEST = '''\
"""Your test for {id}: red on the code as you found it, green once it is mended."""

# Functions test_... without arguments, with plain asserts; import what you test: from answer import ...


def test_what_was_wrong():
    raise NotImplementedError
'''
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)


@dataclass(frozen=True)
class Attempt:
    """What a learner hands in: the code, the marks, the explanation and the source of the test."""

    code: str
    marks: tuple[Mark, ...]
    explanation: str
    test: str


def folder_of(course: Path, task: Task) -> Path:
    """Where the copy of a task is."""
    return course / "my" / "debug" / task.id


def files_of(course: Path, task: Task) -> list[Path]:
    """What a learner edits: the review, the code, the test."""
    return [folder_of(course, task) / name for name in ("review.md", "answer.py", "test_mine.py")]


def hand_out(course: Path, task: Task) -> str:
    """Make the copy, or bring one up to date that was never edited; returns what was done, in a sentence.

    Raises:
        PracticeError: it cannot be written.
    """
    folder, texts = folder_of(course, task), (REVIEW.format(**vars(task)), task.buggy, TEST.format(**vars(task)))
    paths = files_of(course, task)
    states = [
        copies.hand_out(path, text, folder / ".given" / path.name) for path, text in zip(paths, texts, strict=True)
    ]
    copies.write(folder / "report.md", task.candidate_markdown())
    name = f"{folder.relative_to(course).as_posix()}/"
    if copies.OUTDATED in states:
        return f"{name}: yours, left as it is; the task is newer, and --again starts afresh"
    if copies.NEW not in states:
        return f"{name}: yours, as you left it"
    return f"{name}: mark lines and explain in review.md, mend answer.py, write a test in test_mine.py"


def is_untouched(course: Path, task: Task) -> bool:
    """Whether nothing was written into any of the files yet."""
    given = folder_of(course, task) / ".given"
    return all(copies.is_untouched(path, given / path.name) for path in files_of(course, task))


def back_up(course: Path, task: Task) -> str:
    """Move the copy to ``my/backup``; returns what was done, in a sentence, or nothing where there is none."""
    return copies.back_up(course, folder_of(course, task), f"debug-{task.id}")


def read(course: Path, task: Task) -> Attempt:
    """The copy; nothing is run.

    Raises:
        PracticeError: a file is not there, or a line below ``## Marks`` is no mark.
    """
    texts = [copies.read(path) for path in files_of(course, task)]
    for path, text in zip(files_of(course, task), texts, strict=True):
        if text is None:
            name = path.relative_to(course).as_posix()
            raise PracticeError(f"{name} is not there: `recsys-course debug {task.id}` makes it")
    review, code, test = texts
    name = files_of(course, task)[0].relative_to(course).as_posix()
    lines = COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), review).splitlines()
    marks = [_mark(text, task, f"{name}:{number}") for number, text in _below(lines, "Marks") if text.strip()]
    explanation = "\n".join(text for _, text in _below(lines, "Explanation")).strip()
    return Attempt(code, tuple(marks), explanation, test)


def _below(lines: list[str], heading: str) -> list[tuple[int, str]]:
    """The numbered lines below a heading, up to the next one."""
    found, inside = [], False
    for number, text in enumerate(lines, 1):
        if text.startswith("## "):
            inside = text[3:].strip().lower() == heading.lower()
        elif inside:
            found.append((number, text))
    return found


def _mark(text: str, task: Task, where: str) -> Mark:
    try:
        return parse(re.sub(r"^\s*[-*]\s+", "", text), task.buggy)
    except PracticeError as error:
        raise PracticeError(f"{where}: {error}") from None
