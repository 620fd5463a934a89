"""What was practised and how it went: by topic, by round, and how well the learner judges an own answer."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import mean

import yaml

from recsys_course.interview import bank, coding, drill, grading, reviews, schedule
from recsys_course.interview.figures import calibration_table
from recsys_course.interview.layout import pad
from recsys_course.interview.reviews import Review
from recsys_course.interview.schedule import NEW
from recsys_course.interview.screen import Screen

ROUNDS = {
    "drill": "questions",
    "mock": "questions in mocks",
    "code": "coding tasks",
    "debug": "debugging tasks",
    "design": "designs",
    "estimate": "estimates",
    "grade": "answers graded",
}
BAR = 10  # columns of a full one


@dataclass(frozen=True)
class Topic:
    """Where the learner stands in one topic.

    Attributes:
        code: its letter.
        name: in English.
        met: questions that were answered at least once.
        total: questions that there are.
        percent: mean of the last final grades, or None where nothing was graded.
        due: questions for today, new ones left out.
    """

    code: str
    name: str
    met: int
    total: int
    percent: float | None
    due: int


def topics(done: Sequence[Review], now: datetime | None = None) -> list[Topic]:
    """Return the topics in the bank's order, without those that have no question yet."""
    questions = bank.all_questions()
    cards = schedule.today(drill.deck(questions), done, now or datetime.now(UTC), new_a_day=0, reviews_a_day=10**6)
    due = [card.item.id for card in cards if card.why != NEW]
    last = {review.item: review.final for review in done if review.final is not None}
    met = {review.item for review in done}
    found = []
    for code, name in topic_names().items():
        ids = [question.id for question in questions if question.topic == code]
        grades = [last[id] for id in ids if id in last]
        percent = mean(grades) if grades else None
        found.append(Topic(code, name, len(met & set(ids)), len(ids), percent, len(set(ids) & set(due))))
    return [topic for topic in found if topic.total]


def topic_names() -> dict[str, str]:
    """The English name of each topic by its letter."""
    entries = yaml.safe_load((bank.BANK / "topics.yaml").read_text(encoding="utf-8"))
    return {entry["code"]: entry["en"] for entry in entries}


def pairs(done: Iterable[Review]) -> list[tuple[int, int]]:
    """First and final grade of every answer that was graded twice, oldest first."""
    twice = (review for review in done if review.mode in ("drill", "mock", "debug", "design"))
    return [(one.first, one.final) for one in twice if one.first is not None and one.final is not None]


def judgement(grades: Sequence[tuple[int, int]]) -> str:
    """Say in a sentence how well the learner judges an answer before seeing the model answer."""
    gap = mean(first - final for first, final in grades)
    over = f"over {len(grades)} answer{'s' * (len(grades) > 1)}"
    if abs(gap) < 2.5:
        return f"You judge yourself well: {gap:+.0f} points on average {over}."
    return f"You grant yourself {abs(gap):.0f} points too {'much' if gap > 0 else 'little'} on average, {over}."


def show(screen: Screen, now: datetime | None = None) -> None:
    """Print all of it, as far as there is something."""
    done = reviews.read()
    if not done:
        screen.say("Nothing was practised yet. `recsys-course drill` begins.")
        return
    _show_topics(screen, topics(done, now))
    _show_rounds(screen, done)
    _show_judgement(screen, pairs(done))
    if habit := grading.habit():
        screen.say(f"\n{habit}")
    _show_leeches(screen, schedule.replay(done))


def _show_topics(screen: Screen, found: Collection[Topic]) -> None:
    screen.head("Topics")
    wide = max(len(topic.name) for topic in found)
    _line(screen, f"   {pad('', wide)}   met of   due  last grade")
    for one in found:
        grade = "-" if one.percent is None else f"{one.percent:3.0f} {'#' * round(one.percent / 100 * BAR)}"
        due = one.due or "-"
        _line(screen, f"{one.code}  {pad(one.name, wide)}  {one.met:>4} {one.total:>2}  {due:>4}  {grade}")


def _show_rounds(screen: Screen, done: Sequence[Review]) -> None:
    screen.head("Rounds")
    best = coding.best_scores()
    for mode, name in ROUNDS.items():
        mine = [review for review in done if review.mode == mode]
        grades = [review.final for review in mine if review.final is not None]
        if mode == "code":
            grades = [best[item] for item in {review.item for review in mine} if item in best]
        if mine:
            spent = sum(review.seconds for review in mine) / 60
            time = f"{spent:.0f} min" if spent < 60 else f"{spent / 60:.1f} h"
            grade = f", {'best' if mode == 'code' else 'mean'} {mean(grades):.0f} of 100" if grades else ""
            _line(screen, f"{name:<20}{len(mine):>4} done, {time}{grade}")


def _show_judgement(screen: Screen, grades: Sequence[tuple[int, int]]) -> None:
    if not grades:
        return
    screen.head("How well you judge yourself")
    screen.say(judgement(grades))
    screen.say()
    _line(screen, "first grade  final grade  answers")
    for first, final, number in calibration_table(grades):
        _line(screen, f"{first:>11.0f}  {final:>11.0f}  {number:>7}")


def _show_leeches(screen: Screen, standings: dict[str, schedule.Standing]) -> None:
    leeches = sorted(item for item, standing in standings.items() if standing.is_leech)
    if leeches:
        screen.head("Forgotten six times or more")
        screen.say(f"{', '.join(leeches)}: read the lesson before the next try; `recsys-course show` names it.")


def _line(screen: Screen, text: str) -> None:
    screen.console.print(text, markup=False)
