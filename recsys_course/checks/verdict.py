"""What a check finds: the smallest failing case, and the misconception behind it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recsys_course.checks.alarm import TimeUp
from recsys_course.checks.compare import Problem, difference
from recsys_course.checks.plain import Record, one_line, plain
from recsys_course.checks.record import Exercise
from recsys_course.checks.sandbox import OUTPUT_LIMIT, Outcome, Raised
from recsys_course.checks.show import show

INPUTS_WIDTH = 240


@dataclass(frozen=True)
class Verdict:
    """The end of a check.

    Attributes:
        outcome: ``"passed"``, ``"failed"`` or ``"unwritten"``.
        text: what the learner reads: one line, or two where the answer failed.
        printed: the beginning of what the answer printed in the case that failed.
    """

    outcome: str
    text: str
    printed: str = ""


@dataclass(frozen=True)
class _Result:
    """One case: what a right answer gives, what this one gave, and the problem."""

    case: tuple
    want: Outcome
    got: Outcome
    problem: Problem | None


def examine(exercise: Exercise, answer: Callable, graded: bool) -> Verdict:
    """Run an answer on every case of an exercise and judge it."""
    help_line = f"hint({exercise.name}) helps."
    if problem := _uncallable(exercise, answer, graded):
        return Verdict("failed", f"✗ {exercise.id}: {problem.text}\n  {problem.advice}")
    results = []
    for case in exercise.inputs(graded):
        results.append(_judge(exercise, answer, case))
        if results[-1].got.unwritten and not any(result.problem for result in results[:-1]):
            return Verdict("unwritten", f"… {exercise.id}: not written yet. {help_line}")
        if results[-1].got.stopped:
            break
    failed = [result for result in results if result.problem]
    if not failed:
        passed = "1 case" if len(results) == 1 else f"{len(results)} cases"
        return Verdict("passed", f"✓ {exercise.id}: {passed} passed")
    worst = min(failed, key=lambda result: _size([plain(value) for value in result.case]))
    advice = _misconception(exercise, results) or f"{worst.problem.advice} {help_line}".strip()
    text = f"✗ {exercise.id}({_inputs(exercise, worst.case)}): {worst.problem.text}\n  {advice}"
    return Verdict("failed", text, worst.got.printed)


def _uncallable(exercise: Exercise, answer: Callable, graded: bool) -> Problem | None:
    """Whether the answer cannot take the arguments of the exercise at all."""
    if exercise.verify:
        return None
    try:
        signature = inspect.signature(answer)
        signature.bind(*exercise.inputs(graded)[0])
    except ValueError:
        return None
    except TypeError as error:
        text = f"{exercise.name}{signature} cannot be called as {exercise.name}{exercise.parameters()}: {error}"
        return Problem(one_line(text, 200), f"Begin it with `def {exercise.name}{exercise.parameters()}:` again.")
    return None


def _judge(exercise: Exercise, answer: Callable, case: tuple) -> _Result:
    want, got = exercise.expected(case), exercise.attempt(answer, case)
    if want.stopped:
        raise TimeUp(f"the course's own answer to {exercise.id} did not finish: is the machine very busy?")
    return _Result(case, want, got, _problem(exercise, want, got, case))


def _problem(exercise: Exercise, want: Outcome, got: Outcome, case: tuple) -> Problem | None:
    expected = want.raised.kind.__name__ if want.raised else show(want.value)
    but = "" if exercise.verify else f"expected {expected}, but "
    if got.stopped == "time":
        return Problem(f"{but}stopped after {exercise.time_limit:g} s", "Is there a loop that never ends?")
    if got.stopped:
        return Problem(f"{but}stopped after printing {OUTPUT_LIMIT:,} characters", "Print less, and not in a loop.")
    if got.raised:
        right = want.raised and issubclass(got.raised.kind, want.raised.kind)
        return None if right else Problem(but + _raised(got.raised))
    if want.raised:
        return Problem(f"expected {expected}, got {show(got.value)}")
    if got.changed is not None:
        name = list(exercise.named(case))[got.changed]
        return Problem(f"it changed its input `{name}`", f"Whoever calls it still needs `{name}`: work on a copy.")
    if exercise.verify is None:
        return difference(want.value, got.value, exercise.tolerance)
    return None if got.value is None else Problem(one_line(str(got.value), 300))


def _raised(raised: Raised) -> str:
    said = f"{raised.kind.__name__}: {raised.text}" if raised.text else raised.kind.__name__
    if raised.line:
        return f"line {raised.line}, `{one_line(raised.source, 80)}`, raised {said}"
    return f"what it returned led to {said}"


def _inputs(exercise: Exercise, case: tuple) -> str:
    named = exercise.named(case).items()
    return one_line(", ".join(f"{name}={show(plain(value))}" for name, value in named), INPUTS_WIDTH)


def _size(value: object) -> int:
    """How much there is to read in a plain value."""
    if isinstance(value, np.ndarray):
        return value.size
    if isinstance(value, Record):
        return _size(value.fields)
    if isinstance(value, dict):
        return sum(_size(item) for item in value.values())
    if isinstance(value, list):
        return sum(_size(item) for item in value)
    return 1


def _misconception(exercise: Exercise, results: list[_Result]) -> str | None:
    """The message of the known mistake that does what the answer does.

    First choice is one that agrees with the answer everywhere. Next comes one that agrees wherever the answer fails,
    if it fails in most cases: in a few, two different mistakes easily look the same.
    """
    if results[-1].got.stopped:
        return None
    failing = [result for result in results if result.problem]
    second = None
    for wrong, message in exercise.mistakes:
        if all(_agrees(exercise, wrong, result) for result in failing):
            if all(_agrees(exercise, wrong, result) for result in results if not result.problem):
                return message
            second = second or message
    return second if len(failing) > 1 and 2 * len(failing) > len(results) else None


def _agrees(exercise: Exercise, wrong: Callable, result: _Result) -> bool:
    mistake, got = exercise.attempt(wrong, result.case), result.got
    if mistake.stopped or mistake.raised or got.raised:
        return bool(mistake.raised and got.raised) and mistake.raised.kind is got.raised.kind
    same = difference(mistake.value, got.value, exercise.tolerance) is None
    return same and mistake.changed == got.changed
