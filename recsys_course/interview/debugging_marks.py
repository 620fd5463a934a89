"""What a learner marks in a code review, and how good the marks are."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from recsys_course.interview.debugging_task import SEVERITIES, Finding, Task, statements
from recsys_course.interview.outcome import PracticeError

POINTS = 40
FORM = re.compile(r"(?P<line>\d+|`[^`]+`)\s*[|:,]\s*(?P<severity>[A-Za-z]+)\s*(?:[|:,]\s*(?P<says>.*))?", re.DOTALL)
WANTED = "write it like `- 14 | blocker | why`: line, one of blocker, major and minor, reason"
STEP = 0.25  # of a finding is lost for each step by which its severity was misjudged


@dataclass(frozen=True)
class Mark:
    """One line that a learner takes to be wrong; prints as it is written."""

    line: int
    severity: str
    says: str = ""

    def __str__(self) -> str:
        return f"{self.line} | {self.severity} | {self.says}"


@dataclass(frozen=True)
class Judged:
    """Marks, held against the findings of a task.

    Attributes:
        hits: findings that were marked, each with its mark.
        missed: findings that were not.
        wrong: marks of lines that are right, each with the reason, which may be empty.
    """

    hits: tuple[tuple[Finding, Mark], ...]
    missed: tuple[Finding, ...]
    wrong: tuple[tuple[Mark, str], ...]

    @property
    def precision(self) -> float:
        """Share of the marks that point at something, by weight of severity; 0 without marks."""
        hit = sum(SEVERITIES[finding.severity] for finding, _ in self.hits)
        return _ratio(hit, hit + sum(SEVERITIES[mark.severity] for mark, _ in self.wrong))

    @property
    def recall(self) -> float:
        """Share of the findings that were marked, by weight; a misjudged severity costs a quarter a step."""
        found = sum(SEVERITIES[finding.severity] * _credit(finding, mark) for finding, mark in self.hits)
        every = [finding for finding, _ in self.hits] + list(self.missed)
        return _ratio(found, sum(SEVERITIES[finding.severity] for finding in every))

    @property
    def points(self) -> int:
        """Of 40, by the harmonic mean of the two."""
        return round(POINTS * _ratio(2 * self.precision * self.recall, self.precision + self.recall))


def judge(marks: Iterable[Mark], task: Task) -> Judged:
    """Hold marks against a task: a mark hits anywhere in the statement, and once."""
    first = statements(task.buggy)
    places = {first[line]: finding for finding in task.findings for line in finding.lines}
    right = {first[line]: suspect.says for suspect in task.suspects for line in suspect.lines}
    hits: dict[Finding, Mark] = {}
    wrong: dict[int, tuple[Mark, str]] = {}
    for mark in marks:
        place = first[mark.line]
        if place in places:
            hits.setdefault(places[place], mark)
        else:
            wrong.setdefault(place, (mark, right.get(place, "")))
    missed = tuple(finding for finding in task.findings if finding not in hits)
    return Judged(tuple(hits.items()), missed, tuple(wrong.values()))


def parse(text: str, source: str) -> Mark:
    """Read one mark.

    Args:
        text: such as ``14 | blocker | why``; instead of its number a line may be quoted between backquotes.
        source: of the code.

    Raises:
        PracticeError: it has another form, or there is no such line.
    """
    match = FORM.fullmatch(text.strip())
    if match is None or match["severity"].lower() not in SEVERITIES:
        raise PracticeError(f"{text.strip()[:40]!r} is no mark: {WANTED}")
    return Mark(line_of(match["line"], source), match["severity"].lower(), (match["says"] or "").strip())


def line_of(named: str, source: str) -> int:
    """The line that is meant by its number, or by a text that stands in no other line.

    Args:
        named: either; backquotes around a text are left out.
        source: of the code.

    Raises:
        PracticeError: there is no such line, or there are several.
    """
    named = named.strip()
    lines = [line.strip() for line in source.splitlines()]
    if named.isdigit():
        if not 1 <= int(named) <= len(lines):
            raise PracticeError(f"there is no line {named}: the code as you found it has {len(lines)} lines")
        if not lines[int(named) - 1]:
            raise PracticeError(f"line {named} of the code as you found it is empty: take the numbers of report.md")
        return int(named)
    quoted = named.removeprefix("`").removesuffix("`").strip()
    found = [number for number, line in enumerate(lines, 1) if quoted in line]
    if len(found) > 1:  # a whole line goes before one that it is a part of
        found = [number for number in found if lines[number - 1] == quoted] or found
    if len(found) != 1:
        raise PracticeError(f"`{quoted}` stands in {len(found)} lines of the code as you found it: give its number")
    return found[0]


def _credit(finding: Finding, mark: Mark) -> float:
    return 1 - STEP * abs(SEVERITIES[finding.severity] - SEVERITIES[mark.severity])


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
