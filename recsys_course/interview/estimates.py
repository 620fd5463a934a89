"""Numbers against the clock: the learner works one out, types it with its unit, and sees how far off it is and why.

A number that a common mistake gives is recognised, and the mistake named. Every result is computed from the steps in
``bank/estimates.yaml`` (`recsys_course.interview.estimate_bank`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from recsys_course.interview import reviews, schedule
from recsys_course.interview.capacity import CapacityError
from recsys_course.interview.drill import ANSWER_SECONDS, WHY, go_through, prompts
from recsys_course.interview.estimate_bank import NEAR, RIGHT, Estimate, Verdict, all_estimates, load, steps_markdown
from recsys_course.interview.outcome import Outcome
from recsys_course.interview.schedule import Due, Item
from recsys_course.interview.screen import Screen, minutes

POINTS = {RIGHT: 100, NEAR: 50}
SLIP, LATE = 30, 20  # points: for a wrong dimension at first, and for an answer over time
NO_ANSWER = "No number: say a rough one rather than none, and how you came to it."


@dataclass(frozen=True)
class Attempt:
    """What the learner made of one drill.

    Attributes:
        verdict: None where no number was given.
        seconds: until the number that counts.
        slips: how often the units were of another dimension.
    """

    verdict: Verdict | None
    seconds: float
    slips: int = 0

    @property
    def in_time(self) -> bool:
        """Whether the clock had not run out."""
        return self.seconds <= ANSWER_SECONDS

    @property
    def percent(self) -> int:
        """Points in [0, 100]: the number, less a slip in the units and the time."""
        points = POINTS.get(self.verdict.kind, 0) if self.verdict else 0
        return max(0, points - SLIP * min(self.slips, 1) - LATE * (not self.in_time))


def drill(screen: Screen, limit: int | None = None, language: str = "both", now: datetime | None = None) -> int:
    """Go through today's estimates, those that are due first, and return how many were done.

    Args:
        screen: where to.
        limit: at most so many.
        language: of the prompts, one of ``drill.LANGUAGES``.
        now: None takes the clock.
    """
    estimates = {one.id: one for one in all_estimates()}
    items, done = deck(list(estimates.values())), _done(estimates)
    cards = schedule.today(items, done, now or datetime.now(UTC), reviews.interview_day())[:limit]
    if not cards:
        screen.say(_nothing_due(items, done))
        return 0
    return go_through(screen, cards, lambda card: practise(screen, estimates[card.item.id], card, language))


def deck(estimates: Sequence[Estimate]) -> list[Item]:
    """The drills as items of the schedule."""
    return [Item(one.id, one.rev) for one in estimates]


def practise(screen: Screen, estimate: Estimate, card: Due, language: str = "both") -> None:
    """One drill, from the prompt to the record.

    Raises:
        Ended: the learner left before a number was given; nothing is recorded.
    """
    attempt = _attempt(screen, estimate, WHY[card.why], language)
    _explain(screen, estimate, attempt)
    rating = reviews.rate(attempt.percent / 100, attempt.in_time)
    seconds = round(attempt.seconds, 1)
    reviews.record(estimate.id, estimate.rev, rating, "estimate", seconds=seconds, final=attempt.percent)
    standing = schedule.replay(one for one in reviews.read() if one.item == estimate.id)[estimate.id]
    screen.say(f"\nThat makes: {reviews.RATING_NAMES[rating]}. Comes back on {schedule.local_day(standing.due)}.")


def sit(screen: Screen, drill_id: str, language: str = "both") -> Outcome:
    """One drill as a part of a mock: nothing is recorded here.

    Raises:
        Ended: the learner left before a number was given.
        PracticeError: there is no such drill.
    """
    estimate = load(drill_id)
    attempt = _attempt(screen, estimate, f"{ANSWER_SECONDS // 60} min", language)
    _explain(screen, estimate, attempt)
    missed = () if attempt.percent == POINTS[RIGHT] else (_says(attempt),)
    return Outcome(estimate.id, attempt.percent, round(attempt.seconds, 1), missed=missed)


def _attempt(screen: Screen, estimate: Estimate, why: str, language: str) -> Attempt:
    """Show the prompt and take a number; what cannot be read is asked for again while the clock runs."""
    title = estimate.title_zh if language == "zh" else estimate.title
    screen.say(f"{estimate.id}, {title}, {estimate.level}, {why}", style="bold")
    screen.say()
    for text in prompts(estimate, language):
        screen.say(text)
    screen.say(
        f"\nYou have {minutes(ANSWER_SECONDS)}. Type a number with its unit, right within a factor of "
        f"{estimate.factor:g}. Enter alone: no idea. q: stop."
    )
    start, slips, verdict = screen.clock(), 0, None
    with screen.countdown(ANSWER_SECONDS):
        while line := screen.ask(">"):
            try:
                verdict = estimate.judge(estimate.read(line))
                break
            except CapacityError as error:
                slips += str(error).startswith("the answer is in")
                text = str(error) if str(error).endswith("?") else f"{error}."
                screen.say(f"{text[0].upper()}{text[1:]} Once more:", indent=2)
    return Attempt(verdict, screen.clock() - start, slips)


def _explain(screen: Screen, estimate: Estimate, attempt: Attempt) -> None:
    """Say what the number is worth, then show the steps and what to keep."""
    screen.say(f"\n{_says(attempt)}", style="bold")
    screen.say(f"It is {estimate.answer.shown}. You took {minutes(attempt.seconds)} of {minutes(ANSWER_SECONDS)}.")
    screen.head("How it is computed")
    screen.say(steps_markdown(estimate))
    screen.say(f"\nRemember: {estimate.remember}")
    screen.say(f"Read: {', '.join(estimate.questions)}, and lesson {estimate.lesson}.")


def _says(attempt: Attempt) -> str:
    """The verdict in words, and what the units and the clock cost."""
    words = [attempt.verdict.says if attempt.verdict else NO_ANSWER]
    words += [f"A wrong dimension at first costs {SLIP} points."] if attempt.slips and attempt.percent else []
    words += [f"Over time: -{LATE} points."] if not attempt.in_time and attempt.percent else []
    return " ".join(words)


def _done(names: Sequence[str]) -> list[reviews.Review]:
    """The reviews of the drills: questions that were met today do not use up their share of new ones."""
    return [review for review in reviews.read() if review.item in names]


def _nothing_due(items: Sequence[Item], done: Sequence[reviews.Review]) -> str:
    standings = schedule.replay(done)
    times = [standings[item.id].due for item in items if item.id in standings]
    return f"Nothing is due. The next estimate comes on {schedule.local_day(min(times))}."
