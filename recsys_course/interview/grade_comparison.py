"""Somebody's grades of an answer beside the reference: where they differ, by how much, and in which words to say it."""

import re
from dataclasses import dataclass
from itertools import starmap

from recsys_course.interview.outcome import PracticeError
from recsys_course.interview.proofs import MARK
from recsys_course.interview.weak_answer import WeakAnswer, earned


@dataclass(frozen=True)
class Comparison:
    """Somebody's grades of an answer beside the reference.

    Attributes:
        grades: ``met``, ``half`` or ``missed`` for each rubric point.
    """

    answer: WeakAnswer
    grades: tuple[str, ...]

    @property
    def points(self) -> float:
        """What was given, of 100."""
        return sum(earned(self.answer.question, self.grades))

    @property
    def gaps(self) -> list[float]:
        """Points given less points of the reference, for each rubric point; positive is too generous."""
        question = self.answer.question
        pairs = zip(earned(question, self.grades), earned(question, self.answer.grades), strict=True)
        return [given - reference for given, reference in pairs]

    @property
    def differ(self) -> tuple[int, ...]:
        """Numbers of the rubric points that were graded otherwise, from 1."""
        return tuple(number for number, gap in enumerate(self.gaps, 1) if gap)

    @property
    def percent(self) -> int:
        """Agreement in [0, 100]."""
        return max(0, round(100 - 2 * sum(map(abs, self.gaps))))


def parse(ticks: str, points: int) -> tuple[str, ...]:
    """``1 3 h4`` as a grade for each of so many points; what is not named is missed, and 0 names nothing.

    Raises:
        PracticeError: a word is no number of a point, or one point is named twice.
    """
    grades: dict[int, str] = {}
    words = ticks.lower().replace(",", " ").split()
    for word in words if words != ["0"] else []:
        number = word.removeprefix("h")
        if not number.isdecimal() or not 1 <= int(number) <= points:
            raise PracticeError(f"Numbers from 1 to {points}, each with an h before it if it is half met; got {word!r}")
        if int(number) in grades:
            raise PracticeError(f"Point {int(number)} is named twice: met or half, not both")
        grades[int(number)] = "half" if word.startswith("h") else "met"
    return tuple(grades.get(number, "missed") for number in range(1, points + 1))


def verdict(comparison: Comparison) -> list[str]:
    """What was given against the reference: the sum, then each point with the reason."""
    answer = comparison.answer
    gap, differ = comparison.points - answer.points, len(comparison.differ)
    total = f"You gave {comparison.points:g} points, the reference {answer.points:g}: {leaning(gap)}. "
    total += (
        f"{differ or 'None'} of {len(answer.grades)} points graded otherwise; agreement {comparison.percent} of 100."
    )
    rows = zip(answer.question.rubric, comparison.grades, answer.grades, comparison.gaps, answer.reasons, strict=True)
    lines = starmap(_line, ((number, *row) for number, row in enumerate(rows, 1)))
    return [total, "\n".join(lines)]


def tell(answer: WeakAnswer) -> list[str]:
    """The misconception, the words that give it away, and what an interviewer asks next."""
    reply = re.sub(rf"\s*{MARK.pattern}", "", answer.expect)
    return [
        f"The misconception: {answer.misconception}",
        f"It shows here: “{answer.sentence}”.",
        f"An interviewer asks next: {answer.ask} A good reply: {reply}",
    ]


def leaning(gap: float) -> str:
    """Points above the reference, in words."""
    if not gap:
        return "neither too generous nor too strict"
    return f"{round(abs(gap), 1):g} points too {'generous' if gap > 0 else 'strict'}"


def _line(number: int, point: tuple[int, str], mine: str, right: str, gap: float, reason: str) -> str:
    judged = f"{mine}, as the reference has it" if mine == right else f"you {mine}, reference {right}, {leaning(gap)}"
    return f"{number}. ({point[0]}) {judged}. {reason}"
