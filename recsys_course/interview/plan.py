"""What to do on which day until the interview: a plan of one week and one of three, with dates and what is done.

A plan's last day is the day before the interview. What is done is read from the learner's record each time, so that a
plan can be looked at, left and taken up again without a state of its own.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import yaml

from recsys_course import learner, next_step, progress
from recsys_course.interview import mock_pool, reviews
from recsys_course.interview.bank import BANK
from recsys_course.interview.reviews import Review
from recsys_course.interview.schedule import local_day

KINDS = ("lesson", "drill", "code", "debug", "design", "mock", "estimates", "grade")
DAILY = {"drill": ("drill", "points"), "estimates": ("estimate",), "grade": ("grade",)}  # modes of their reviews


@dataclass(frozen=True)
class Step:
    """One thing to do on one day.

    Attributes:
        kind: one of ``KINDS``.
        what: number of the lesson, id of the task or design, or round of the mock; empty where the kind says it all.
        minutes: that it takes.
        day: on which it is planned.
    """

    kind: str
    what: str
    minutes: int
    day: date

    @property
    def title(self) -> str:
        """Such as ``code W08``."""
        return f"{self.kind} {self.what}".strip()


@dataclass(frozen=True)
class Record:
    """What the learner has done, as far as a plan asks.

    Attributes:
        reviews: of the practice.
        passed: ids of the exercises that are solved.
        open_lessons: those of which a core exercise is not.
        mocks: how many of each round were sat to their end.
    """

    reviews: Sequence[Review]
    passed: Collection[str]
    open_lessons: Collection[str]
    mocks: Mapping[str, int] = field(default_factory=dict)


def load(weeks: int, bank: Path = BANK) -> list[list[Mapping]]:
    """The days of a plan, each a list of ``{do, what, minutes}``.

    Raises:
        ValueError: there is no plan of so many weeks.
    """
    plans = yaml.safe_load((bank / "plans.yaml").read_text(encoding="utf-8"))
    found = next((plan["days"] for plan in plans if plan["weeks"] == weeks), None)
    if found is None:
        raise ValueError(f"there is a plan of {' or '.join(str(p['weeks']) for p in plans)} weeks, none of {weeks}")
    return found


def weeks_before(interview: date, today: date) -> int:
    """The longest plan that fits: three weeks from 21 days before the interview, else one."""
    return 3 if (interview - today).days >= 21 else 1


def steps(interview: date, weeks: int, today: date) -> list[Step]:
    """All steps with their dates, in order.

    Where days are missing, the work is spread evenly over those that are left, and what comes every day comes on these.

    Args:
        interview: its day.
        weeks: 1 or 3.
        today: the learner's date.
    """
    days = load(weeks)
    first = interview - timedelta(days=len(days))
    dated = [
        Step(step["do"], step.get("what", ""), step["minutes"], first + timedelta(days=number))
        for number, day in enumerate(days)
        for step in day
    ]
    return dated if first >= today else _compressed(dated, interview, today)


def _compressed(steps: Sequence[Step], interview: date, today: date) -> list[Step]:
    left, spent = max((interview - today).days, 1), 0
    work = [step for step in steps if step.kind not in DAILY]
    total, found = sum(step.minutes for step in work), []
    for step in work:
        found.append(replace(step, day=today + timedelta(days=left * spent // total)))
        spent += step.minutes
    found += [step for step in steps if step.kind in DAILY and step.day >= today]
    return sorted(found, key=lambda step: step.day)


def done(steps: Sequence[Step], record: Record) -> list[bool]:
    """Which steps are done: a lesson once its core exercises are solved, the rest once it was practised.

    The drill, estimates and grading of a day count on that day only; a mock counts for one step.
    """
    mocks, found = Counter(record.mocks), []
    for step in steps:
        found.append(mocks[step.what] > 0 if step.kind == "mock" else _is_done(step, record))
        mocks[step.what] -= step.kind == "mock"
    return found


def mine(today: date | None = None) -> list[Step]:
    """The steps until the interview that was set, as they were dated on that day; none without one ahead."""
    interview = reviews.interview()
    if interview is None or interview.day < (today or _today()):
        return []
    weeks = interview.weeks or weeks_before(interview.day, interview.since)
    return steps(interview.day, weeks, min(interview.since, interview.day))


def next_in_plan(today: date | None = None) -> Step | None:
    """The first step for today or an earlier day that is not done; None without an interview ahead, or when all is.

    What comes every day, such as estimates, is not made up for, and the drill is named by its cards.
    """
    today, planned = today or _today(), mine(today)
    for step, is_done in zip(planned, done(planned, record()) if planned else [], strict=True):
        is_for_now = step.day == today or (step.day < today and step.kind not in DAILY)
        if not is_done and is_for_now and step.kind != "drill":
            return step
    return None


def record() -> Record:
    """The learner's record as it is now."""
    passed = {event["exercise"].replace("-", "_") for event in progress.events() if event["outcome"] == "passed"}
    core = [step for step in next_step.steps(learner.find_course()) if step.level != "stretch"]
    open_lessons = {step.lesson for step in core if step.id not in passed}
    return Record(reviews.read(), passed, open_lessons, mock_pool.finished())


def _is_done(step: Step, record: Record) -> bool:
    if step.kind == "lesson":
        return step.what not in record.open_lessons
    if step.kind in DAILY:
        return any(r.mode in DAILY[step.kind] and local_day(r.time) == step.day for r in record.reviews)
    return any(review.item == step.what for review in record.reviews)


def _today() -> date:
    return local_day(datetime.now(UTC))
