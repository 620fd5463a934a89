"""What came of a debugging attempt: the score, and the page that a learner reads."""

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass

from recsys_course.interview import reviews
from recsys_course.interview.coding_result import probe_lines
from recsys_course.interview.debugging_marks import Judged
from recsys_course.interview.debugging_run import Fix, OwnTest
from recsys_course.interview.debugging_task import MECHANISM, Task
from recsys_course.interview.layout import flow, wrap
from recsys_course.interview.report import Report

HINT_COSTS = 5  # points


@dataclass(frozen=True)
class Score:
    """Points of a submission.

    Attributes:
        marks: of 40, by the lines that were marked.
        mechanism: of 25, by the learner's own grade of the explanation; None where it was not graded.
        fix: of 15, by the task's tests and the size of the change.
        test: of 20, by what the learner's test is red and green on.
        hints: what those that were taken cost.
    """

    marks: int
    mechanism: int | None
    fix: int
    test: int
    hints: int = 0

    @property
    def total(self) -> int:
        """Points of 100; what was not graded counts nothing."""
        return max(0, self.marks + (self.mechanism or 0) + self.fix + self.test - self.hints)


@dataclass(frozen=True, repr=False)
class Result:
    """One submission; prints as the page that a learner reads.

    Attributes:
        task: what it was about.
        judged: the marks.
        fix: the learner's code.
        test: the learner's test.
        explanation: as the learner wrote it.
        hints: how many were taken.
        seconds: since the task was opened.
        first: numbers of the mechanism's points that the learner granted before the model explanation was shown;
            None where nobody graded.
        final: and after it.
    """

    task: Task
    judged: Judged
    fix: Fix
    test: OwnTest
    explanation: str
    hints: int
    seconds: float
    first: tuple[int, ...] | None = None
    final: tuple[int, ...] | None = None

    @property
    def graded(self) -> bool:
        """Whether the explanation has its points; one that is empty has none, without asking."""
        return self.first is not None or not self.explanation

    @property
    def in_time(self) -> bool:
        """Whether it took no longer than the task allows."""
        return self.seconds <= 60 * self.task.minutes

    @property
    def score(self) -> Score:
        """Points, with the grade that was given last."""
        return self.score_by(self.first if self.final is None else self.final)

    @property
    def rating(self) -> int:
        """By the points, and easy only in time."""
        return reviews.rate(self.score.total / 100, self.in_time)

    @property
    def missed(self) -> tuple[str, ...]:
        """What was not found or not explained, in words."""
        met = self.final or self.first or ()
        points = (text for number, (_, text) in enumerate(self.task.mechanism, 1) if number not in met)
        return (*(f"line {finding.lines[0]}: {finding.says}" for finding in self.judged.missed), *points)

    def score_by(self, met: Collection[int] | None) -> Score:
        """Points where these points of the mechanism are granted."""
        mechanism = None if met is None and self.explanation else granted(self.task, met or ())
        cost = HINT_COSTS * self.hints
        return Score(self.judged.points, mechanism, self.fix.points, self.test.points(self.fix), cost)

    def summary(self) -> dict[str, object]:
        """The result as plain values, for the learner's record."""
        shares = {name: round(getattr(self.judged, name), 3) for name in ("precision", "recall")}
        return {
            "rev": self.task.rev,
            "minutes": self.task.minutes,
            "in_time": self.in_time,
            "seconds": round(self.seconds),
            "hints_taken": self.hints,
            "parts": asdict(self.score),
            "score": self.score.total,
            "caught": len(self.test.caught),
            **shares,
        }

    def review(self) -> str:
        """Marks, fix, test and the model explanation."""
        parts = (_marks(self), _fix(self.fix), _test(self.test), _explanation(self.task))
        return "\n\n".join("\n".join(part) for part in parts)

    def scores(self) -> str:
        """Score by part, what to read, and what an interviewer asks next."""
        return "\n\n".join("\n".join(part) for part in (_points(self), _reading(self.task)))

    def __repr__(self) -> str:
        if not self.graded:
            return "\n".join(_to_grade(self.task))
        probes = "\n".join(probe_lines(self.task.probes))
        return f"{self.review()}\n\n{self.scores()}\n\n{probes}"


def granted(task: Task, met: Collection[int]) -> int:
    """Points of the mechanism for the numbers that are met."""
    return sum(points for number, (points, _) in enumerate(task.mechanism, 1) if number in met)


def rubric(task: Task) -> list[str]:
    """The points of the mechanism, numbered."""
    return [wrap(f"({p}) {text}", indent="   ", first=f"{n}. ") for n, (p, text) in enumerate(task.mechanism, 1)]


def test_lines(test: OwnTest) -> list[str]:
    """What the learner's test is red and green on, in words."""
    if test.problem:
        return [wrap(f"it cannot be run: {test.problem}", indent="  ", first="✗ ")]
    lines = [_wish("red on the code as you found it", test.before, wanted=False)]
    if test.model:
        lines.append(_wish("green on a right fix", test.model, wanted=True))
    return [*lines, _wish("green on your code", test.own, wanted=True)]


def _wish(said: str, report: Report, *, wanted: bool) -> str:
    """One line for one version of the code: whether the test did there what it should, and the first red case."""
    because = "" if report.green else f": {_first_red(report)}"
    if report.green is wanted:
        return wrap(f"{said}{because}", indent="  ", first="✓ ")
    return wrap(f"not {said}{because}", indent="  ", first="✗ ")


def _first_red(report: Report) -> str:
    if report.broken:
        return report.broken
    case = next(case for case in report.cases if not case.green)
    return f"{case.title}: {case.message or case.outcome}"


def _marks(result: Result) -> Iterator[str]:
    judged, code = result.judged, result.task.buggy.splitlines()
    every = len(judged.hits) + len(judged.missed)
    yield f"Marks: {len(judged.hits)} of {every} found, {len(judged.wrong)} wrong"
    yield f"  precision {judged.precision:.2f}, recall {judged.recall:.2f} (weighed by severity)"
    for finding, mark in judged.hits:
        said = "" if mark.severity == finding.severity else f", you said {mark.severity}"
        yield from _mark(f"✓ found, line {mark.line} ({finding.severity}{said})", code[mark.line - 1], finding.says)
    for finding in judged.missed:
        line = finding.lines[0]
        yield from _mark(f"✗ missed, line {line} ({finding.severity})", code[line - 1], finding.says)
    for mark, why in judged.wrong:
        says = why or "There is nothing wrong with this line; the findings name the cause."
        yield from _mark(f"✗ not a fault, line {mark.line}", code[mark.line - 1], says)


def _mark(head: str, code: str, says: str) -> Iterator[str]:
    yield head
    yield wrap(code.strip(), indent="      ", first="    ")
    yield wrap(says, indent="    ")


def _fix(fix: Fix) -> Iterator[str]:
    if fix.report is None:
        yield "Your fix: ✗ the code is as you found it"
        return
    passed = sum(case.green for case in fix.report.cases)
    mark = "✓ green" if fix.green else "✗ red"
    yield f"Your fix: {mark}, {passed} of {len(fix.report.cases)} tests passed"
    if fix.report.broken:
        yield wrap(f"nothing could be run: {fix.report.broken}", indent="  ", first="✗ ")
    else:
        for case in fix.report.cases:
            if not case.green:
                broke = ", which passed before your change" if case.name in fix.was_green else ""
                said = f"{case.outcome}{broke}: {case.title}. {case.message}"
                yield wrap(said, indent="  ", first="✗ ")
    yield f"  {_count(fix.size)} changed; the model fix changes {fix.wanted}"


def _test(test: OwnTest) -> Iterator[str]:
    yield "Your test"
    yield from test_lines(test)
    if test.tells:
        yield f"  it also catches {len(test.caught)} of {len(test.caught) + len(test.escaped)} wrong fixes"
        for name in test.escaped:
            yield wrap(f"it is green on a fix that {name}", indent="  ", first="· ")


def _explanation(task: Task) -> Iterator[str]:
    yield "Model explanation"
    yield flow(task.explanation)


def _points(result: Result) -> Iterator[str]:
    score = result.score
    spent = f"{result.seconds / 60:.0f} min since it was opened, {result.task.minutes} are planned"
    yield f"Score ({spent})"
    for title, points, most in (
        ("marks", score.marks, 40),
        ("mechanism, by yourself", score.mechanism, MECHANISM),
        ("fix", score.fix, 15),
        ("your test", score.test, 20),
    ):
        yield f"  {title:<37}{'-' if points is None else points:>3} of {most:>3}"
    if score.hints:
        yield f"  {f'hints: {result.hints}':<36}{-score.hints:>4}"
    yield f"  {'total':<37}{score.total:>3} of 100"
    if result.first is not None and result.final is not None and set(result.first) != set(result.final):
        before, after = granted(result.task, result.first), granted(result.task, result.final)
        yield f"  You gave your explanation {before} before you had seen the model's, {after} after."


def _reading(task: Task) -> Iterator[str]:
    shown = ", ".join(f"`recsys-course show {question}`" for question in task.questions)
    yield wrap(f"Read next: lesson {task.lesson}{f'; {shown}' if shown else ''}.")


def _to_grade(task: Task) -> Iterator[str]:
    yield wrap("First grade your explanation. Which of these does it say?")
    yield from rubric(task)
    yield wrap("Hand in again with their numbers, such as met=[1, 3], or met=[] for none: then the rest is shown.")


def _count(lines: int) -> str:
    return "1 line" if lines == 1 else f"{lines} lines"
