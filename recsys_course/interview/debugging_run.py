"""Runs a learner's fix and a learner's test, each in a process of its own, and says what that shows."""

import ast
import contextlib
import difflib
import os
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from recsys_course.interview import runner
from recsys_course.interview.debugging_task import Task
from recsys_course.interview.report import Report

LIMITS = runner.Limits(start_seconds=60.0, test_seconds=10.0, total_seconds=80.0, memory_mb=2048)
SYMPTOM = Path(__file__).with_name("bank") / "debug" / "symptom.py"
UNWRITTEN = "not written yet"  # of a test that raises NotImplementedError, by `worker`
AT_ONCE = min(4, os.cpu_count() or 1)  # processes


@dataclass(frozen=True)
class Fix:
    """What a learner's fix comes to.

    Attributes:
        report: of the tests that tell a right fix; None where the code was not changed.
        was_green: names of those that the code as it was found passes.
        size: lines that were changed.
        wanted: lines that a right fix changes.
    """

    report: Report | None
    was_green: frozenset[str]
    size: int
    wanted: int

    @property
    def green(self) -> bool:
        """Whether every test passes."""
        return self.report is not None and self.report.green and bool(self.report.cases)

    @property
    def points(self) -> int:
        """Of 15: all for a small right fix, 12 or 9 for a larger one; up to 5 for a part that breaks nothing else."""
        if self.green:
            if self.size <= max(2 * self.wanted, self.wanted + 4):
                return 15
            return 12 if self.size <= max(4 * self.wanted, self.wanted + 12) else 9
        if self.report is None or any(not case.green and case.name in self.was_green for case in self.report.cases):
            return 0
        newly = [case.green for case in self.report.cases if case.name not in self.was_green]
        return round(5 * sum(newly) / len(newly)) if newly else 0


@dataclass(frozen=True)
class OwnTest:
    """What a learner's test comes to.

    Attributes:
        problem: why it cannot be run at all, or empty.
        before: its run on the code as it was found.
        model: on a right fix.
        own: on the learner's fix.
        caught: the wrong fixes on which it is red.
        escaped: and those on which it is green.
    """

    problem: str = ""
    before: Report | None = None
    model: Report | None = None
    own: Report | None = None
    caught: tuple[str, ...] = ()
    escaped: tuple[str, ...] = ()

    @property
    def tells(self) -> bool:
        """Whether it is red on the code as it was found and green on a right fix."""
        return bool(self.before and self.model and not self.before.green and self.model.green)

    def points(self, fix: Fix) -> int:
        """Of 20: 15 for a test that tells, 5 more where it is green on the learner's own right fix."""
        return 15 * self.tells + 5 * bool(self.tells and fix.green and self.own and self.own.green)


def try_fix(task: Task, code: str) -> Fix:
    """Run the task's own tests on the learner's code."""
    size, wanted = change(task.buggy, code), change(task.buggy, task.fixed)
    if not size:
        return Fix(None, frozenset(), 0, wanted)
    report = runner.run(code, [task.test], LIMITS)
    green: set[str] = set()
    if not report.green:
        green = {case.name for case in runner.run(task.buggy, [task.test], LIMITS).cases if case.green}
    return Fix(report, frozenset(green), size, wanted)


def try_test(task: Task, test: str, code: str, *, everywhere: bool = True) -> OwnTest:
    """Run the learner's test.

    Args:
        task: which one.
        test: source of the test file.
        code: the learner's code.
        everywhere: also on a right fix and on the wrong ones; else only on the code as found and on the learner's.
    """
    versions = {"before": task.buggy, "own": code, **({"model": task.fixed} if everywhere else {})}
    with tempfile.TemporaryDirectory(prefix="recsys-test-") as folder:
        path = Path(folder) / "test_mine.py"
        path.write_text(test, encoding="utf-8")
        if problem := _problem(path):
            return OwnTest(problem)
        found = OwnTest(**_run_all(path, versions))
        if found.before.cases and all(case.message == UNWRITTEN for case in found.before.cases):
            return OwnTest("it is not written yet")
        if not found.tells:
            return found
        reports = _run_all(path, task.wrong_fixes)
    caught = tuple(name for name, report in reports.items() if not report.green)
    escaped = tuple(name for name, report in reports.items() if report.green)
    return OwnTest("", found.before, found.model, found.own, caught, escaped)


def symptom(code: str) -> Report:
    """Run ``symptom()`` of the code; what it prints is in the report."""
    return runner.run(code, [SYMPTOM], LIMITS)


def change(before: str, after: str) -> int:
    """How many lines of code differ; empty lines, comments and docstrings do not count."""
    old, new = _lines(before), _lines(after)
    steps = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    return sum(max(b - a, d - c) for kind, a, b, c, d in steps if kind != "equal")


def _lines(source: str) -> list[str]:
    said = _docstrings(source)
    lines = [line.rstrip() for number, line in enumerate(source.splitlines(), 1) if number not in said]
    return [line for line in lines if line and not line.lstrip().startswith("#")]


def _docstrings(source: str) -> set[int]:
    """Numbers of the lines that docstrings take; none where the source is no Python."""
    found: set[int] = set()
    with contextlib.suppress(SyntaxError, ValueError):
        for node in ast.walk(ast.parse(source)):
            said = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node)
            found |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1)) if said else set()
    return found


def _run_all(path: Path, versions: Mapping[str, str]) -> dict[str, Report]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        waiting = {name: pool.submit(runner.run, source, [path], LIMITS) for name, source in versions.items()}
        return {name: future.result() for name, future in waiting.items()}


def _problem(path: Path) -> str:
    try:
        cases = runner.list_cases([path])
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except ValueError as error:
        return str(error)
    return "" if cases else "it has no function `test_...`"
