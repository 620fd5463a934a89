"""What came of a coding attempt: the score, and the page that a learner reads."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from recsys_course.interview.layout import wrap
from recsys_course.interview.report import CaseResult, GrowthResult, Report
from recsys_course.interview.reviews import AGAIN, EASY, GOOD, HARD

if TYPE_CHECKING:
    from recsys_course.interview.coding import Task
    from recsys_course.interview.session import Session

FULL_EDGES = 5  # so many named edge cases earn all points
PARTS = (  # of a score, in the order of its fields
    ("correctness", 40),
    ("edge cases named before running", 20),
    ("complexity", 15),
    ("numerical and shape safety", 15),
    ("readability and talking", 10),
)


@dataclass(frozen=True)
class Score:
    """Points of a submission.

    Attributes:
        correctness: of 40, by the hidden tests.
        edge_cases: of 20, by those named before the first run; five are enough.
        complexity: of 15: 7 for stating it right, 8 for a growth that fits.
        safety: of 15, by the hidden tests of numbers, shapes and inputs.
        talk: of 10, by the learner; None where it was not given.
    """

    correctness: int
    edge_cases: int
    complexity: int
    safety: int
    talk: int | None = None

    @property
    def total(self) -> int:
        """Points so far, of 100; of 90 without ``talk``."""
        return sum(points or 0 for points in asdict(self).values())


@dataclass(frozen=True, repr=False)
class Result:
    """One run or submission: everything that a scheduler of repetitions needs.

    Attributes:
        id: of the task.
        rev: its revision.
        at: when, ISO 8601 in UTC.
        hidden: whether it was a submission.
        seconds: since the task was opened.
        minutes: what the task allows.
        report: tests and growth.
        edges: name and text of every edge case.
        named: names of those named before the first run.
        complexity: what was stated.
        right: whether that is what was expected.
        expected: what was expected.
        talk: the learner's own 0 to 10, or None.
        probes: question and expected answer, for after the submission.
    """

    id: str
    rev: int
    at: str
    hidden: bool
    seconds: float
    minutes: int
    report: Report
    edges: tuple[tuple[str, str], ...]
    named: tuple[str, ...]
    complexity: str
    right: bool
    expected: str
    talk: int | None
    probes: tuple[tuple[str, str], ...]

    @property
    def green(self) -> bool:
        """Whether every test passed and nothing grew too fast."""
        return self.report.green

    @property
    def in_time(self) -> bool:
        """Whether it took no longer than the task allows."""
        return self.seconds <= 60 * self.minutes

    @property
    def rating(self) -> int:
        """Again with a red test, hard over time, easy with the edge cases named as well, else good."""
        if not self.green:
            return AGAIN
        if not self.in_time:
            return HARD
        return EASY if len(self.named) >= min(FULL_EDGES, len(self.edges)) else GOOD

    @property
    def growth(self) -> GrowthResult | None:
        """How the work grew, after a submission."""
        return self.report.growth

    @property
    def red(self) -> tuple[str, ...]:
        """Names of the tests that did not pass."""
        return tuple(case.name for case in self.report.cases if not case.green)

    @property
    def missed(self) -> tuple[str, ...]:
        """Names of the edge cases whose test did not pass."""
        return tuple(dict.fromkeys(case.edge for case in self.report.cases if case.edge and not case.green))

    @property
    def score(self) -> Score | None:
        """Points, after a submission."""
        if not self.hidden:
            return None
        cases = [case for case in self.report.cases if case.file == "test_hidden"]
        right = [case for case in cases if not case.safety]
        fits = self.growth is not None and self.growth.ok is True and 2 * _passed(right) >= len(right)
        return Score(
            _share(40, right),
            round(20 * min(1, len(self.named) / min(FULL_EDGES, len(self.edges)))),
            7 * self.right + 8 * fits,
            _share(15, [case for case in cases if case.safety]),
            self.talk,
        )

    def summary(self) -> dict[str, object]:
        """The result as plain values, for the learner's record."""
        growth = self.growth.ok if self.growth else None
        kept = {name: getattr(self, name) for name in ("rev", "minutes", "in_time", "complexity", "right", "talk")}
        lists = {name: list(getattr(self, name)) for name in ("red", "named", "missed")}
        score = self.score.total if self.score else None
        return {**kept, **lists, "seconds": round(self.seconds), "growth": growth, "score": score}

    def __repr__(self) -> str:
        return "\n".join(_page(self))


def make_result(task: "Task", report: Report, session: "Session", complexity: str, talk: int | None) -> Result:
    """Put a run, its task and its attempt together."""
    return Result(
        id=task.id,
        rev=task.rev,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        hidden=any(case.file == "test_hidden" for case in report.cases),
        seconds=session.seconds(),
        minutes=task.minutes,
        report=report,
        edges=tuple((edge.name, edge.says) for edge in task.edges),
        named=tuple(edge.name for edge in task.edges if edge.named_in(session.named or ())),
        complexity=complexity,
        right=task.is_right(complexity),
        expected=task.complexity,
        talk=talk,
        probes=task.probes,
    )


def _passed(cases: list[CaseResult]) -> int:
    return sum(case.green for case in cases)


def _share(points: int, cases: list[CaseResult]) -> int:
    return round(points * _passed(cases) / len(cases)) if cases else points


def _page(result: Result) -> list[str]:
    lines = [*case_lines(result, "test_public", "Public tests")]
    if result.hidden:
        lines += ["", *case_lines(result, "test_hidden", "Hidden tests"), "", *_edges(result)]
        lines += ["", *_complexity(result), "", *_points(result), "", *probe_lines(result.probes)]
    else:
        lines += ["", *_named(result)]
    if result.report.printed:
        lines += ["", "It printed:", *(f"  {line[:78]}" for line in result.report.printed.splitlines()[:10])]
    return lines + [wrap(f"Note: {note}.") for note in result.report.notes]


def case_lines(result: Result, file: str, title: str) -> list[str]:
    """The tests of one file: how many passed, and which did not and why, but nothing of their code."""
    """The tests of one file as lines: how many passed, and what failed and why; never their code."""
    cases = [case for case in result.report.cases if case.file == file]
    lines = [f"{result.id} · {title}: {_passed(cases)} of {len(cases)} passed"]
    if result.report.broken:
        return [*lines, wrap(f"nothing could be run: {result.report.broken}", indent="  ", first="✗ ")]
    for case in cases:
        if not case.green:
            said = f"{case.outcome}: {case.title}. {case.message}"
            lines.append(wrap(said, indent="  ", first="✗ "))
        elif file == "test_public":
            lines.append(wrap(f"passed: {case.title}", indent="  ", first="✓ "))
    return lines


def _named(result: Result) -> list[str]:
    if result.named:
        return [wrap(f"Edge cases that you named before the first run: {len(result.named)} are recognised.")]
    return [wrap("No edge case was recognised before this first run: EDGE_CASES, or edge_cases=[...], holds them.")]


def _edges(result: Result) -> list[str]:
    lines = ["Edge cases (passed or failed; named before the first run or not)"]
    for name, says in result.edges:
        state = "✗ failed" if result.report.broken or name in result.missed else "✓ passed"
        named = "named" if name in result.named else "not named"
        lines += [f"{state}, {named}: {name}", wrap(says, indent="    ")]
    return lines


def _complexity(result: Result) -> list[str]:
    stated = f"you said {result.complexity}" if result.complexity else "you did not say"
    lines = [wrap(f"Complexity: {stated}, expected is {result.expected}", indent="  ")]
    growth = result.growth
    mark = "✓ fits" if growth.ok else "✗ does not fit" if growth.ok is False else "·"
    return [*lines, wrap(f"{mark}: {growth}", indent="  ")]


def _points(result: Result) -> list[str]:
    score = result.score
    rows = zip(PARTS, asdict(score).values(), strict=True)
    lines = [f"  {title:<37}{'-' if points is None else points:>3} of {most:>3}" for (title, most), points in rows]
    total = f"  {'total':<37}{score.total:>3} of {100 if score.talk is not None else 90:>3}"
    spent = f"{result.seconds / 60:.0f} min since it was opened, {result.minutes} are planned"
    return [f"Score ({spent})", *lines, total]


def probe_lines(probes: Iterable[tuple[str, str]]) -> list[str]:
    """What an interviewer asks next, and what a good answer says."""
    lines = ["What an interviewer asks next; answer aloud before you read on"]
    for ask, expect in probes:
        lines += [wrap(ask, indent="  ", first="? "), wrap(f"-> {expect}", indent="     ", first="  ")]
    return lines
