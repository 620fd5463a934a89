"""When each card is due, computed from all reviews by FSRS, and what of it is for today.

Days are the learner's own: a day begins at local midnight, also where clocks change. Times are kept in UTC.
"""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import fsrs

from recsys_course.interview.reviews import AGAIN, Review

NEW_A_DAY, REVIEWS_A_DAY = 6, 60
LEECH = 6  # lapses
SOLVE_AGAIN = timedelta(days=7)  # a coding or debugging task comes back no earlier, unless it failed
NEW, POINTS, CHANGED, DUE = "new", "points", "changed", "due"
# No steps of minutes: people practise once a day. No fuzz: the same reviews give the same dates on every machine.
SCHEDULER = fsrs.Scheduler(learning_steps=(), relearning_steps=(), maximum_interval=365, enable_fuzzing=False)


@dataclass(frozen=True)
class Item:
    """What the schedule must know of a question or task.

    Attributes:
        weight: how much it counts in an interview; the larger, the earlier it comes.
        is_task: coding and debugging tasks are solved again, no earlier than a week later.
    """

    id: str
    rev: int
    weight: float = 1.0
    is_task: bool = False


@dataclass(frozen=True)
class Standing:
    """Where the learner stands with one item.

    Attributes:
        card: FSRS's memory of it: stability in days, difficulty, due date.
        rev: of the text at the last review.
        started: time of the first review.
        missed: rubric points, from 1, that the last review left open.
        lapses: how often it was forgotten after it had been known.
    """

    card: fsrs.Card
    rev: int
    started: datetime
    last: datetime
    missed: tuple[int, ...] = ()
    lapses: int = 0

    @property
    def is_leech(self) -> bool:
        """Forgotten so often that reading the lesson again helps more than another repetition."""
        return self.lapses >= LEECH

    @property
    def due(self) -> datetime:
        """In UTC: what FSRS says, or the next morning where points were missed."""
        return min(self.card.due, next_day(self.last)) if self.missed else self.card.due


@dataclass(frozen=True)
class Due:
    """An item for today and why: ``new``, ``points``, ``changed`` or ``due``."""

    item: Item
    why: str
    standing: Standing | None = None


def replay(reviews: Iterable[Review]) -> dict[str, Standing]:
    """Return where the learner stands with every item that was reviewed, by id.

    Args:
        reviews: oldest first; one that is dated before the last one of its item counts as made at the same moment.
    """
    standings: dict[str, Standing] = {}
    for review in reviews:
        standings[review.item] = _after(standings.get(review.item), review)
    return standings


def today(
    items: Collection[Item],
    reviews: Collection[Review],
    now: datetime,
    interview: date | None = None,
    new_a_day: int = NEW_A_DAY,
    reviews_a_day: int = REVIEWS_A_DAY,
) -> list[Due]:
    """Return what is for today, in the order to do it: missed points, changed answers, due cards, new ones.

    Due cards come by weight times the chance that they were forgotten. With an interview ahead, whatever is due only
    after it is asked once more on its last seven days, the most forgotten first.

    Args:
        items: all there is, in the order in which new ones are met when their weights are equal.
        reviews: all there were.
        now: in UTC.
        interview: its day, or None.
        new_a_day: cap on items met for the first time.
        reviews_a_day: cap on all others.
    """
    reviews = [one for one in reviews if one.time <= now + timedelta(days=1)]  # later: a clock was ahead, ask again
    standings = replay(reviews)
    known = [item for item in items if item.id in standings]
    old = [due for item in known if (due := _due(item, standings[item.id], now, interview))]
    old.sort(key=lambda due: ((POINTS, CHANGED, DUE).index(due.why), -_urgency(due, now)))
    new = sorted((item for item in items if item.id not in standings), key=lambda item: -item.weight)
    met = sum(local_day(standing.started) == local_day(now) for standing in standings.values())
    done = sum(local_day(review.time) == local_day(now) for review in reviews) - met
    old = old[: max(0, reviews_a_day - max(done, 0))]
    return old + [Due(item, NEW) for item in new[: max(0, new_a_day - met)]]


def retrievability(standing: Standing, now: datetime) -> float:
    """Return the chance that the item is remembered now, in [0, 1]."""
    return SCHEDULER.get_card_retrievability(standing.card, max(now, standing.last))


def local_day(moment: datetime) -> date:
    """Return the date of a moment where the learner is."""
    return moment.astimezone().date()


def next_day(moment: datetime) -> datetime:
    """Return the first moment of the next day where the learner is, in UTC."""
    day = local_day(moment) + timedelta(days=1)
    return datetime(day.year, day.month, day.day).astimezone(UTC)


def _after(standing: Standing | None, review: Review) -> Standing:
    if standing is None:
        card = fsrs.Card(card_id=_number(review.item), due=review.time)
        standing = Standing(card, review.rev, started=review.time, last=review.time)
    at = max(review.time, standing.last)
    if review.mode == "points":  # a look at some points is no test of the whole card
        return replace(standing, last=at, missed=review.missed)
    forgot = review.rating == AGAIN and standing.card.last_review is not None
    card, _ = SCHEDULER.review_card(standing.card, fsrs.Rating(review.rating), at)
    if review.mode in ("code", "debug") and review.rating != AGAIN:
        card.due = max(card.due, at + SOLVE_AGAIN)
    lapses = standing.lapses + forgot
    return replace(standing, card=card, rev=review.rev, last=at, missed=review.missed, lapses=lapses)


def _due(item: Item, standing: Standing, now: datetime, interview: date | None) -> Due | None:
    if item.rev > standing.rev:
        return Due(item, CHANGED, standing)
    if standing.card.due <= now or _is_last_look(item, standing, now, interview):
        return Due(item, DUE, standing)
    return Due(item, POINTS, standing) if standing.due <= now else None


def _is_last_look(item: Item, standing: Standing, now: datetime, interview: date | None) -> bool:
    """Whether the week before the interview has begun and the item would otherwise not come again before it."""
    if interview is None or item.is_task or not local_day(now) <= interview <= local_day(standing.due):
        return False
    begins = interview - timedelta(days=7)
    return local_day(now) >= begins > local_day(standing.last)


def _urgency(due: Due, now: datetime) -> float:
    return due.item.weight * (1 - retrievability(due.standing, now))


def _number(item: str) -> int:
    """A number of its own for each item, the same on every machine: FSRS takes the clock otherwise."""
    return int.from_bytes(hashlib.sha256(item.encode()).digest()[:7])
