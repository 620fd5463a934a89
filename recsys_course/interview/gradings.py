"""The table of gradings: what independent graders, who did not see each other's, gave the weak answers.

``bank/gradings.csv`` has a line for each point: answer, grader, number of the rubric point, grade (met, half or missed)
and the points which that makes. It is the evidence that the rubrics mean the same to different people, and that the
reference in the answer's file is theirs too. The graders so far are two language models, each told nothing but the
questions, rubrics and answers: one as a strict engineer who quotes the words behind every grade, one as a manager who
grades while listening. A person's gradings are welcome as a third.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from recsys_course.interview.bank import BANK, BankError
from recsys_course.interview.weak_answer import WeakAnswer, earned

COLUMNS = ["answer", "grader", "point", "grade", "points"]
APART = 10  # points of 100 by which two graders, or a grader and the reference, may differ
GRADERS = 2  # at least, for each answer in the table


@dataclass(frozen=True)
class Grading:
    """One answer, graded by one person.

    Attributes:
        grades: in the order of the rubric.
        points: what each grade makes, as the table says.
    """

    answer: str
    grader: str
    grades: tuple[str, ...]
    points: tuple[float, ...]


def read(path: Path = BANK / "gradings.csv") -> list[Grading]:
    """All gradings, in the order of the table.

    Raises:
        BankError: there is no table, its header is another, a line lacks a value, or points are not numbered from 1.
    """
    if not path.exists():
        raise BankError(f"{path}:1: there is no table of gradings")
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        if rows.fieldnames != COLUMNS:
            raise BankError(f"{path}:1: the header must be {','.join(COLUMNS)}")
        found: dict[tuple[str, str], list[dict]] = {}
        for row in rows:
            mine = found.setdefault((row["answer"], row["grader"]), [])
            mine.append(row)
            if row["point"] != str(len(mine)):
                raise BankError(f"{path}:{rows.line_num}: point {row['point']}, expected {len(mine)}")
    return [_grading(path, *key, mine) for key, mine in found.items()]


def disagreements(table: Sequence[Grading], answers: Sequence[WeakAnswer]) -> Iterator[str]:
    """One sentence for everything in which the table departs from the rubrics, from itself or from the reference."""
    known = {answer.id: answer for answer in answers}
    for name in dict.fromkeys(grading.answer for grading in table):
        mine = [grading for grading in table if grading.answer == name]
        if name not in known:
            yield f"{name} is no weak answer"
        elif stale := [one.grader for one in mine if not _by_rubric(one, known[name])]:
            yield f"{name}: the points of {', '.join(stale)} are not those of its rubric"
        elif len(mine) < GRADERS:
            yield f"{name} was graded once only"
        else:
            yield from _far_apart(known[name], mine)


def _far_apart(answer: WeakAnswer, mine: Sequence[Grading]) -> Iterator[str]:
    totals = {grading.grader: sum(grading.points) for grading in mine}
    shown = ", ".join(f"{grader} {total:g}" for grader, total in totals.items())
    if max(totals.values()) - min(totals.values()) > APART:
        yield f"{answer.id}: the graders are more than {APART} points apart: {shown}"
    if max(abs(total - answer.points) for total in totals.values()) > APART:
        yield f"{answer.id}: the reference, {answer.points:g}, is more than {APART} points from a grader: {shown}"


def _by_rubric(grading: Grading, answer: WeakAnswer) -> bool:
    try:
        return list(grading.points) == earned(answer.question, grading.grades)
    except (KeyError, ValueError):  # an unknown grade, or another number of points
        return False


def _grading(path: Path, answer: str, grader: str, rows: Sequence[dict]) -> Grading:
    try:
        points = tuple(float(row["points"]) for row in rows)
    except (TypeError, ValueError) as error:
        raise BankError(f"{path}:1: {answer}, {grader}: points must be numbers") from error
    return Grading(answer, grader, tuple(row["grade"] for row in rows), points)
