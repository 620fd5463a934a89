"""What a mock interview came to: points, level, what was missed, what comes back and what to read next.

The rules, which the page states as well:

- The points of a mock are the mean of its parts, weighted by the minutes that were planned for them.
- 85 or more is a strong hire at the level that was asked for, 65 a hire, 40 mixed, less than that no.
- The level reached is the highest one at which the parts of that level average 65 or more, as they do at every lower
  level that was asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from statistics import mean

from recsys_course import learner
from recsys_course.interview import mock_pool, reviews, schedule, stats
from recsys_course.interview.bank import LEVELS, BankError
from recsys_course.interview.mock_paper import Paper, Part
from recsys_course.interview.mock_pool import About
from recsys_course.interview.mock_state import Done, Sitting
from recsys_course.interview.outcome import Outcome, PracticeError

STRONG, HIRE, MIXED = 85, 65, 40
RULES = (
    "The points of a mock are the mean of its parts, weighted by the minutes planned for each.",
    f"{STRONG} or more is a strong hire at the level asked for, {HIRE} to {STRONG - 1} a hire, {MIXED} to {HIRE - 1} "
    f"mixed, less than {MIXED} no.",
    f"The level reached is the highest one whose parts average {HIRE} or more, as they must at every lower level that "
    "was asked. One part is weak evidence.",
)


@dataclass(frozen=True)
class Row:
    """One part on the page.

    Attributes:
        answer: what was typed, a line each.
        back: when it comes back, where it is; None for a design, which is no card.
    """

    part: Part
    about: About
    outcome: Outcome
    answer: tuple[str, ...]
    back: date | None


@dataclass(frozen=True)
class Debrief:
    """Everything that page and summary say.

    Attributes:
        day: local date of the start.
        points: of 100, or None where no part was sat.
        levels: points and number of parts by level, lowest first.
        topics: name of each topic that was asked and its points.
        overall: name of each topic that was ever graded, and the mean of the last grades of its questions.
        pairs: first and final grade of every answer so far.
        read: lessons to read next, the most needed first, and why.
    """

    paper: Paper
    day: date
    rows: tuple[Row, ...]
    points: int | None
    levels: tuple[tuple[str, int, int], ...]
    topics: dict[str, int]
    overall: dict[str, int]
    pairs: tuple[tuple[int, int], ...]
    read: tuple[tuple[str, str], ...]

    @property
    def verdict(self) -> str:
        """In the words of the rule."""
        return verdict(self.points)

    @property
    def level_reached(self) -> str:
        """By the rule."""
        return level_reached(self.levels)

    @property
    def seconds(self) -> float:
        """Time on the clock."""
        return sum(row.outcome.seconds for row in self.rows)

    @property
    def hints(self) -> int:
        """Hints taken in all parts."""
        return sum(row.outcome.hints for row in self.rows)

    @property
    def tomorrow(self) -> tuple[Row, ...]:
        """The parts that come back with the next morning."""
        soon = datetime.now(UTC).astimezone().date() + timedelta(days=1)
        return tuple(row for row in self.rows if row.back and row.back <= soon)


def make(sitting: Sitting) -> Debrief:
    """Put the debrief of the parts that were sat together."""
    done = reviews.read()
    standings = schedule.replay(done)
    rows = tuple(_row(one, standings) for one in sitting.done)
    overall = {topic.name: round(topic.percent) for topic in stats.topics(done) if topic.percent is not None}
    return Debrief(
        sitting.paper,
        schedule.local_day(sitting.started),
        rows,
        weighted(rows),
        tuple(_levels(rows)),
        _topics(rows),
        overall,
        tuple(stats.pairs(done)),
        tuple(_read(rows)),
    )


def weighted(rows: Sequence[Row]) -> int | None:
    """Mean points by planned minutes; None without a part."""
    total = sum(row.part.minutes for row in rows)
    return round(sum(row.outcome.percent * row.part.minutes for row in rows) / total) if rows else None


def verdict(points: int | None) -> str:
    """What an interviewer would write under so many points."""
    if points is None:
        return "nothing to judge"
    return next(
        word
        for least, word in ((STRONG, "strong hire"), (HIRE, "hire"), (MIXED, "mixed"), (0, "no"))
        if points >= least
    )


def level_reached(levels: Sequence[tuple[str, int, int]]) -> str:
    """The highest level that holds, with all below it.

    Args:
        levels: name, points and number of parts, lowest first.
    """
    reached = ""
    for name, points, _ in levels:
        if points < HIRE:
            break
        reached = name
    if levels:
        return reached or f"below {levels[0][0]}"
    return "none"


def _row(done: Done, standings: dict[str, schedule.Standing]) -> Row:
    try:
        about = mock_pool.about(done.part)
    except (BankError, PracticeError):  # the bank has changed
        about = About(f"{done.part.id} (not in the bank any more)", "", "")
    standing = standings.get(done.part.id) if done.part.kind != "design" else None
    return Row(done.part, about, done.outcome, done.answer, schedule.local_day(standing.due) if standing else None)


def _levels(rows: Sequence[Row]) -> list[tuple[str, int, int]]:
    by_level = {name: [row for row in rows if row.part.level == name] for name in LEVELS}
    return [(name, weighted(some), len(some)) for name, some in by_level.items() if some]


def _topics(rows: Sequence[Row]) -> dict[str, int]:
    names = stats.topic_names()
    letters = sorted({letter for row in rows for letter in row.part.topics})
    percents = {letter: [row.outcome.percent for row in rows if letter in row.part.topics] for letter in letters}
    return {names.get(letter, letter): round(mean(percents[letter])) for letter in letters}


def _read(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Name of each lesson below a strong hire, and the part that sends there; the weakest first."""
    weak = sorted(
        (row for row in rows if row.about.lesson and row.outcome.percent < STRONG), key=lambda row: row.outcome.percent
    )
    found: dict[str, str] = {}
    for row in weak:
        found.setdefault(row.about.lesson, f"because of {row.part.id} ({row.outcome.percent} points)")
    return [(_lesson(number), why) for number, why in found.items()]


def _lesson(number: str) -> str:
    """``lesson 05 (my/05_retrieval.ipynb)``, or the number alone where there is no clone."""
    try:
        course = learner.find_course()
        copy = learner.current(course, number)
        shipped = (path for path in learner.shipped(course) if path.name.startswith(f"{number}_"))
        path = copy or next(shipped, None)
    except learner.LearnerError:
        path = None
    return f"lesson {number}" + (f" ({path.parent.name}/{path.name})" if path else "")
