"""The debugging round: somebody's code that does something strange, reviewed, mended and tested.

In a terminal ``recsys-course debug X02`` does all of it. In a notebook::

    from recsys_course.interview import debugging

    debugging.tasks()                                   # what there is
    debugging.show("X02")                               # the report and the code; its clock starts
    debugging.mark("X02", 14, "blocker", "why")         # a line that is at fault
    debugging.submit("X02", mended, test=test_it, explanation="...")

``mended`` is a function or several that take the place of those of the same name, or the whole source; ``test_it`` is a
function or several, or the source of a file, and uses the names of the code as if they stood beside it. An explanation
is graded by oneself: the first call prints the points to go by, the second takes their numbers as ``met=[1, 3]``.

How a task is stored says `recsys_course.interview.debugging_task`.
"""

import ast
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from recsys_course import progress
from recsys_course.interview import coding, debugging_marks, debugging_run, reviews, session
from recsys_course.interview.answer_source import source_of
from recsys_course.interview.coding import Page
from recsys_course.interview.debugging_result import HINT_COSTS, Result
from recsys_course.interview.debugging_task import FINE, Task, all_tasks, difference, load, numbered
from recsys_course.interview.layout import flow, wrap
from recsys_course.interview.outcome import Outcome, PracticeError

if TYPE_CHECKING:
    from recsys_course.interview.screen import Screen

__all__ = ["all_tasks", "hint", "load", "mark", "reference", "show", "sit", "submit", "tasks"]
IMPORT = re.compile(r"(import|from)\s")
Code = str | Callable | Sequence[Callable]


def tasks() -> Page:
    """All tasks, one a line, with your best score."""
    return coding.listing(all_tasks(), coding.best_scores("debug"))


def show(task: str, language: str = "both") -> Page:
    """The report and the code with line numbers; the clock starts.

    Args:
        task: its id.
        language: of the report: en, zh or both.
    """
    found = load(task)
    session.open_(found.id, found.rev)
    return Page(f"{flow(found.statement(language))}\n\n{numbered(found.buggy)}")


def mark(task: str, line: int | str, severity: str, why: str = "") -> Page:
    """Mark a line of the code as you found it; returns all your marks.

    Args:
        task: its id.
        line: its number, or a text that stands in no other line, with or without backquotes.
        severity: blocker, major or minor; fine takes a mark back.
        why: in your words.

    Raises:
        PracticeError: there is no such line or severity.
    """
    found = load(task)
    number = debugging_marks.line_of(str(line), found.buggy)
    new = debugging_marks.parse(f"{number} | {'minor' if severity == FINE else severity} | {why}", found.buggy)
    kept = [one for one in _marks(found) if one.line != new.line]
    kept += [] if severity == FINE else [new]
    session.marked(found.id, found.rev, [str(one) for one in sorted(kept, key=lambda one: one.line)])
    lines = (wrap(str(one), indent="  ", first="") for one in _marks(found))
    return Page("\n".join(lines) or "no line is marked")


def hint(task: str) -> Page:
    """The next of three hints; each costs points."""
    found = load(task)
    now = session.hinted(found.id, found.rev, len(found.hints))
    progress.record(f"debug.{found.id}", "hint", n=now.hints, rev=found.rev)
    shown = [wrap(text, indent="   ", first=f"{n}. ") for n, text in enumerate(found.hints[: now.hints], 1)]
    return Page("\n".join([*shown, f"{HINT_COSTS} points each; so far {HINT_COSTS * now.hints}."]))


def submit(
    task: str,
    fix: Code | None = None,
    *,
    test: Code = "",
    explanation: str = "",
    met: Sequence[int] | None = None,
    final: Sequence[int] | None = None,
) -> Result:
    """Hand in what you have marked, your fix, your test and your explanation.

    Args:
        task: its id.
        fix: functions or classes that take the place of those of the same name, or the whole source.
        test: functions ``test_...``, or the source of a test file.
        explanation: what happens and why.
        met: numbers of the points that the explanation has; None prints the points, and nothing else is said yet.
        final: the same, after you have seen the model explanation.

    Raises:
        PracticeError: a number is none of the points'.
    """
    found = load(task)
    for number in (*(met or ()), *(final or ())):
        if number not in range(1, len(found.mechanism) + 1):
            raise PracticeError(f"the points are numbered 1 to {len(found.mechanism)}, got {number}")
    code = found.buggy if fix is None else _with(found.buggy, fix)
    first, last = (None if grade is None else tuple(grade) for grade in (met, final))
    result = check(found, _marks(found), code, _test_source(found, test), explanation.strip())
    result = regraded(result, first, last)
    if result.graded:
        keep(result)
    return result


def reference(task: str, sure: bool = False) -> Page:
    """A right fix and the test that tells it, once yours were handed in.

    Args:
        task: its id.
        sure: show them all the same.

    Raises:
        PracticeError: nothing was handed in yet.
    """
    found = load(task)
    now = session.current(found.id, found.rev)
    if not sure and not (now and now.submitted):
        raise PracticeError(f"hand in a review of {found.id} first, or say that you want to see it all the same")
    progress.record(f"debug.{found.id}", "solution", rev=found.rev)
    return Page(f"{difference(found.buggy, found.fixed)}\n{found.test.read_text(encoding='utf-8')}")


def sit(screen: "Screen", task_id: str, minutes: float, language: str = "both", again: bool = True) -> Outcome:
    """One debugging task as a part of a mock interview.

    Args:
        screen: where to.
        task_id: which one.
        minutes: that the clock gives.
        language: of the report: en, zh or both.
        again: begin afresh, an older copy goes to the backup; else go on where the learner left.

    Raises:
        Ended: the learner left before handing in; the files stay.
    """
    from recsys_course.interview import debugging_sit

    return debugging_sit.sit(screen, load(task_id), minutes, language, again)


def check(task: Task, marks: Sequence[debugging_marks.Mark], code: str, test: str, explanation: str) -> Result:
    """Judge the marks and run fix and test; nothing is recorded."""
    now = session.open_(task.id, task.rev)
    fix = debugging_run.try_fix(task, code)
    tested = debugging_run.try_test(task, test, code) if test.strip() else debugging_run.OwnTest("there is none")
    judged = debugging_marks.judge(marks, task)
    return Result(task, judged, fix, tested, explanation, now.hints, now.seconds())


def regraded(result: Result, first: tuple[int, ...] | None, final: tuple[int, ...] | None) -> Result:
    """The result with the learner's grades of the explanation."""
    return Result(**{**vars(result), "first": first, "final": final})


def keep(result: Result) -> None:
    """Record a submission."""
    task, score = result.task, result.score
    session.submitted(task.id, task.rev)
    outcome = "passed" if result.fix.green else "failed"
    progress.record(f"debug.{task.id}", outcome, **result.summary())
    more: dict[str, object] = {"seconds": round(result.seconds, 1)}
    if result.first is not None:
        more |= {"first": result.score_by(result.first).total, "final": score.total}
    reviews.record(task.id, task.rev, result.rating, "debug", **more)


def _marks(task: Task) -> list[debugging_marks.Mark]:
    """Those made in a notebook."""
    now = session.current(task.id, task.rev)
    return [debugging_marks.parse(text, task.buggy) for text in (now.marks if now else ())]


def _with(source: str, fix: Code) -> str:
    """The source with functions and classes in the place of those of the same name."""
    if isinstance(fix, str):
        return fix
    answers = [fix] if callable(fix) else list(fix)
    known = _defined(source)
    if unknown := [answer.__name__ for answer in answers if answer.__name__ not in known]:
        raise PracticeError(
            f"the code defines no {unknown[0]}: give the mended {', '.join(known)}, or the whole source"
        )
    lines = source.splitlines()
    for answer in sorted(answers, key=lambda one: -known[one.__name__].lineno):
        node = known[answer.__name__]
        start = min(one.lineno for one in (node, *node.decorator_list))
        new = source_of(answer, known=known).strip("\n").splitlines()
        lines[start - 1 : node.end_lineno] = [line for line in new if line not in lines or not IMPORT.match(line)]
    return "\n".join(lines) + "\n"


def _test_source(task: Task, test: Code) -> str:
    """The source of the tests, which import from the code whatever it defines."""
    if isinstance(test, str):
        return test
    tests, known = [test] if callable(test) else list(test), _defined(task.buggy)
    source = source_of(*tests, known=known)
    used = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)} & known.keys()
    return "\n".join([f"from answer import {name}" for name in sorted(used)] + [source])


def _defined(source: str) -> dict[str, ast.stmt]:
    """The functions and classes at the top of a source."""
    kinds = ast.FunctionDef | ast.ClassDef
    return {node.name: node for node in ast.parse(source).body if isinstance(node, kinds)}
