"""``check``, ``hint`` and ``solution`` for the exercises of one lesson."""

import inspect
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable

from recsys_course import progress
from recsys_course.checks.record import Exercise
from recsys_course.checks.verdict import examine

PRINTED_LINES, PRINTED_WIDTH = 10, 200
NOTEBOOK_WIDTH = 96  # characters that fit into a cell's output, so that no word is cut in two


class CheckFailed(AssertionError):
    """A wrong answer. A notebook shows the message alone; pytest, nbval and plain Python see an exception."""

    def _render_traceback_(self) -> list[str]:
        wrapped = (textwrap.wrap(line, NOTEBOOK_WIDTH, subsequent_indent="  ") for line in str(self).splitlines())
        return [part for parts in wrapped for part in parts]


def bind(exercises: Iterable[Exercise]) -> tuple[Callable, Callable, Callable]:
    """Return ``check``, ``hint`` and ``solution`` for these exercises.

    Raises:
        ValueError: two of them have the same name.
    """
    desk = _Desk(exercises)
    return desk.check, desk.hint, desk.solution


class _Desk:
    """The exercises of a lesson by the names of their functions, and what happened to each in this kernel."""

    unsaved = False  # whether the learner was told that the record cannot be written
    checking = ""  # the answer that is being checked

    def __init__(self, exercises: Iterable[Exercise]) -> None:
        self.exercises = {}
        for exercise in exercises:
            if exercise.name in self.exercises:
                raise ValueError(f"two exercises of one lesson are named {exercise.name!r}")
            self.exercises[exercise.name] = exercise
        self.hinted, self.tried = Counter(), Counter()

    def check(self, answer: Callable, graded: bool = False) -> None:
        """Try your function or class on the exercise's cases.

        Args:
            answer: the function itself: ``check(recall)``.
            graded: for teachers: use the hidden cases too, fail what is not written, and keep no record.

        Raises:
            CheckFailed: the answer is wrong; two lines say where and why.
        """
        __tracebackhide__ = True
        exercise = self._find(answer)
        if not callable(answer):
            raise CheckFailed(f"check takes the function itself, without quotes: check({exercise.name})")
        if _Desk.checking:
            raise CheckFailed(f"check({exercise.name}) stands inside {_Desk.checking}: write it below the function")
        _Desk.checking = exercise.name
        try:
            verdict = examine(exercise, answer, graded)
        finally:
            _Desk.checking = ""
        if not graded:
            self._record(exercise, verdict.outcome)
        if verdict.outcome == "failed" or (graded and verdict.outcome == "unwritten"):
            _show_printed(exercise.name, verdict.printed)
            raise CheckFailed(verdict.text)
        print(verdict.text)

    def hint(self, answer: Callable | str, n: int | None = None) -> None:
        """Print the next hint, or hint number ``n``."""
        exercise = self._find(answer)
        last = len(exercise.hints)
        n = min(self.hinted[exercise.name] + 1, last) if n is None else n
        if n not in range(1, last + 1):
            raise CheckFailed(f"{exercise.id} has hints 1 to {last}, none with number {n}")
        self.hinted[exercise.name] = n
        self._record(exercise, "hint", n=n)
        print(f"Hint {n} of {last}: {exercise.hints[n - 1]}")

    def solution(self, answer: Callable | str, anyway: bool = False) -> None:
        """Print a right answer; before you have tried, only when asked twice (or ``anyway``)."""
        exercise = self._find(answer)
        self.tried[exercise.name] += 1
        if self.tried[exercise.name] == 1 and not anyway:
            print(f"Try it first: a wrong answer teaches more. solution({exercise.name}) once more shows it.")
            return
        self._record(exercise, "solution")
        print(textwrap.dedent(inspect.getsource(exercise.reference)).rstrip())

    def _find(self, answer: Callable | str) -> Exercise:
        name = answer if isinstance(answer, str) else getattr(answer, "__name__", None)
        if name in self.exercises:
            return self.exercises[name]
        known = ", ".join(self.exercises)
        if name is None:
            example = next(iter(self.exercises), "recall")
            raise CheckFailed(f"this takes a function, not {type(answer).__name__}: check({example}). Known: {known}")
        raise CheckFailed(f"no exercise of this lesson is named {name!r}; they are: {known}")

    def _record(self, exercise: Exercise, outcome: str, **more: object) -> None:
        if outcome in ("passed", "failed"):
            self.tried[exercise.name] += 1
        try:
            progress.record(exercise.id, outcome, **more)
        except OSError as error:
            if not _Desk.unsaved:
                _Desk.unsaved = True
                print(f"(Your progress cannot be saved, all else works: {error})")


def _show_printed(name: str, printed: str) -> None:
    lines = [line[:PRINTED_WIDTH] for line in printed.splitlines()]
    if lines:
        more = ["..."] if len(lines) > PRINTED_LINES else []
        print("\n".join([f"{name} printed:", *lines[:PRINTED_LINES], *more]))
