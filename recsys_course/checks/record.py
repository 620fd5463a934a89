"""The record of one exercise: everything about it, in one place."""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from recsys_course.checks.plain import one_line
from recsys_course.checks.sandbox import Outcome, run

LEVELS = ("easy", "medium", "hard", "stretch")
HINTS, HINT_WORDS, MISTAKES, CASES = 3, 40, 4, 2

Cases = tuple[tuple, ...] | Callable[[np.random.Generator], Iterable[tuple]]


@dataclass(frozen=True, eq=False)
class Exercise:
    """One function or class for the learner to write.

    Attributes:
        id: lesson and slug, ``"02.paired-bootstrap"``.
        reference: a right answer; ``solution`` prints its source, and its parameters name the inputs.
        cases: what the answer is called with, tuples of positional arguments; or a function that makes them from a
            seeded numpy generator. A case that makes the reference raise expects that exception.
        hidden: more of the same, for grading.
        hints: three, from gentle to nearly the answer.
        mistakes: four or more, each a wrong answer and the sentence that names its misconception. An answer that does
            the same on the cases (with ``verify``: meets the same words) gets the sentence, so two mistakes must
            differ in a case. A mistake keeps no state between calls.
        points: for a teacher.
        tolerance: absolute and relative, for numbers that are not whole.
        verify: for what is no pure function: called as ``verify(answer, case)`` in place of the comparison, returns
            the problem in words, or None.
        minutes: how long it takes.
        level: one of ``LEVELS``.
        time_limit: seconds for one case.
        name: of the function; by default the id's slug with underscores.

    Raises:
        ValueError: the record is incomplete; says what is missing.
    """

    id: str
    reference: Callable
    cases: Cases
    hidden: Cases
    hints: tuple[str, ...]
    mistakes: tuple[tuple[Callable, str], ...]
    points: int = 2
    tolerance: float = 1e-5
    verify: Callable[[Callable, tuple], str | None] | None = None
    minutes: int = 5
    level: str = "easy"
    time_limit: float = 5.0
    name: str = ""

    def __post_init__(self) -> None:
        slug = re.fullmatch(r"\d\d\.([a-z][a-z0-9]*(?:[-_][a-z0-9]+)*)", self.id)
        if not slug:
            raise ValueError(f"the id {self.id!r} of an exercise is not like '02.paired-bootstrap'")
        object.__setattr__(self, "name", self.name or slug[1].replace("-", "_"))
        for problem in (*self._gaps_in_texts(), *self._gaps_in_numbers()):
            raise ValueError(f"exercise {self.id}: {problem}")

    def _gaps_in_texts(self) -> Iterator[str]:
        lengths = [len(hint.split()) for hint in self.hints]
        if len(lengths) != HINTS or min(lengths) < 1 or max(lengths) > HINT_WORDS:
            yield f"it needs {HINTS} hints of 1 to {HINT_WORDS} words; these have {lengths}"
        messages = [message for _, message in self.mistakes]
        if len(messages) < MISTAKES or not all(callable(wrong) for wrong, _ in self.mistakes):
            yield f"it needs {MISTAKES} mistakes or more, each a function and a message; it has {len(messages)}"
        if len(set(messages)) < len(messages) or not all(one_line(text, 300) == text for text in messages):
            yield "each mistake needs a message of its own, on one line"
        if not self.name.isidentifier():
            yield f"Python allows no function the name {self.name!r}"
        if self.level not in LEVELS:
            yield f"its level {self.level!r} is none of {', '.join(LEVELS)}"

    def _gaps_in_numbers(self) -> Iterator[str]:
        if min(self.points, self.minutes, self.time_limit) <= 0 or not self.tolerance >= 0:
            yield "points, minutes and time limit must be above 0, the tolerance not below 0"
        for name, least in (("cases", CASES), ("hidden", 1)):
            cases = getattr(self, name)
            if not callable(cases) and (len(cases) < least or not all(isinstance(case, tuple) for case in cases)):
                yield f"its {name} must be {least} or more tuples of arguments, or a function that makes them"

    def inputs(self, graded: bool = False) -> list[tuple]:
        """The argument tuples that an answer must pass: the visible cases, graded also the hidden ones."""
        groups = (self.cases, self.hidden) if graded else (self.cases,)
        made = [group(np.random.default_rng(0)) if callable(group) else group for group in groups]
        return [case for group in made for case in group]

    def attempt(self, answer: Callable, case: tuple) -> Outcome:
        """Run an answer on one case; with ``verify`` the value is the problem in words."""
        if self.verify is None:
            return run(answer, case, self.time_limit)
        return run(lambda *arguments: self.verify(answer, arguments), case, self.time_limit)

    def expected(self, case: tuple) -> Outcome:
        """What a right answer gives on one case."""
        return Outcome() if self.verify else run(self.reference, case, self.time_limit)

    def parameters(self) -> str:
        """What the answer takes, as in ``(hits, n_relevant)``."""
        return f"({', '.join(inspect.signature(self.reference).parameters)})"

    def named(self, case: tuple) -> dict[str, object]:
        """The inputs of a case by the names that the reference gives them."""
        try:
            bound = inspect.signature(self.reference).bind(*case).arguments
        except (TypeError, ValueError):
            bound = {}
        names = list(bound) if len(bound) == len(case) else [f"input {n}" for n in range(1, len(case) + 1)]
        return dict(zip(names, case, strict=True))
