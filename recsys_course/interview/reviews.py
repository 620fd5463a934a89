"""What was practised and how it went: one event a review in ``reviews.jsonl``, beside the record of the lessons.

Nothing else is stored: when a card is due is computed from these events each time (`recsys_course.interview.schedule`),
so that a new version of the scheduler, a merged machine or a torn line cannot spoil it.
"""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from recsys_course.journal import Journal

JOURNAL = Journal("reviews", ("time", "item"))
MODES = ("drill", "points", "mock", "code", "debug", "design", "estimate", "grade")
AGAIN, HARD, GOOD, EASY = RATINGS = (1, 2, 3, 4)
RATING_NAMES = {AGAIN: "again", HARD: "hard", GOOD: "good", EASY: "easy"}
INTERVIEW = "setting.interview"


@dataclass(frozen=True)
class Review:
    """One item practised once.

    Attributes:
        item: id of a question or task.
        rev: of the item's text at that time.
        time: when it ended, in UTC.
        rating: 1 again, 2 hard, 3 good, 4 easy.
        mode: one of ``MODES``; ``points`` repeats only what was missed the last time.
        seconds: from the prompt to the end of the answer.
        missed: numbers of the rubric points that were not met, from 1.
        first: percent of the points that the learner granted before the model answer was shown; None where nobody
            graded.
        final: and after it.
    """

    item: str
    rev: int
    time: datetime
    rating: int
    mode: str = "drill"
    seconds: float = 0.0
    missed: tuple[int, ...] = ()
    first: int | None = None
    final: int | None = None


def record(item: str, rev: int, rating: int, mode: str, **more: object) -> None:
    """Append a review; its time is now.

    Args:
        item: id of a question or task.
        rev: of its text.
        rating: one of ``RATINGS``.
        mode: one of ``MODES``.
        more: further fields of `Review`.

    Raises:
        OSError: it cannot be written.
        ValueError: a rating or a mode that does not exist.
    """
    if rating not in RATINGS or mode not in MODES:
        raise ValueError(f"a review is rated {RATINGS} and of a mode of {', '.join(MODES)}, got {rating!r}, {mode!r}")
    JOURNAL.record(item=item, rev=rev, rating=rating, mode=mode, **more)


def read(events: Iterable[dict] | None = None) -> list[Review]:
    """Return all reviews, oldest first; an event that is none is skipped.

    Args:
        events: None takes those of the learner's journal.
    """
    found = []
    for event in JOURNAL.events() if events is None else events:
        with contextlib.suppress(KeyError, TypeError, ValueError):
            found.append(_review(event))
    return sorted(found, key=lambda review: review.time)  # equal times keep the journal's order


def rate(share: float, in_time: bool) -> int:
    """Return the rating that the evidence gives: a learner's mood may lower it later, never raise it.

    Args:
        share: of the rubric's points, or 0 for red hidden tests and 1 for green ones, in [0, 1].
        in_time: whether the answer kept to its time; without it, nothing is easy.
    """
    if share < 0.4:
        return AGAIN
    if share < 0.65:
        return HARD
    return EASY if share >= 0.85 and in_time else GOOD


@dataclass(frozen=True)
class Interview:
    """What the learner prepares for.

    Attributes:
        day: of the interview.
        weeks: length of the plan that was chosen; None leaves it to the days that are left.
        since: the learner's date when this was set.
    """

    day: date
    weeks: int | None
    since: date


def set_interview(day: date | None, weeks: int | None = None) -> None:
    """Remember the day of the interview and the length of the plan; None forgets both."""
    JOURNAL.record(item=INTERVIEW, value=day.isoformat() if day else "", weeks=weeks)


def interview() -> Interview | None:
    """Return what was set last."""
    for event in reversed(JOURNAL.events()):
        if event["item"] == INTERVIEW:
            with contextlib.suppress(KeyError, TypeError, ValueError):
                since = datetime.fromisoformat(event["time"]).astimezone().date()
                weeks = event.get("weeks") if event.get("weeks") in (1, 3) else None
                return Interview(date.fromisoformat(event["value"]), weeks, since) if event["value"] else None
    return None


def interview_day() -> date | None:
    """Return the day of the interview that was set last."""
    found = interview()
    return found and found.day


def _review(event: dict) -> Review:
    """Raises KeyError, TypeError or ValueError where the event is no review."""
    time = datetime.fromisoformat(event["time"])
    if time.tzinfo is None or event["rating"] not in RATINGS:
        raise ValueError
    return Review(
        item=event["item"],
        rev=int(event["rev"]),
        time=time.astimezone(UTC),
        rating=event["rating"],
        mode=str(event.get("mode", "drill")),
        seconds=float(event.get("seconds", 0)),
        missed=tuple(int(number) for number in event.get("missed", ())),
        first=event.get("first"),
        final=event.get("final"),
    )
