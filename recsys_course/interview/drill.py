"""One question at a time: answered against the clock, graded by the rubric, and back when it would be forgotten.

The order is fixed: the learner answers aloud or in writing; grades with the rubric before the model answer is seen;
sees it; grades again. The difference of the two grades says how well one judges oneself. The rating follows from the
second grade and the clock; the learner may lower it, never raise it.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from recsys_course.interview import bank, coding, debugging, reviews, schedule
from recsys_course.interview.bank import Question
from recsys_course.interview.schedule import CHANGED, DUE, NEW, POINTS, Due, Item
from recsys_course.interview.screen import Ended, Screen, minutes

ANSWER_SECONDS = 120
HINT_COSTS = 10  # points
WHY = {NEW: "new", POINTS: "points you missed", CHANGED: "the answer changed since your last review", DUE: "due"}
LANGUAGES = ("en", "zh", "both")
LEECH = " Forgotten six times: read the lesson again before the next try."


@dataclass(frozen=True)
class Answered:
    """What the learner did with the clock running."""

    seconds: float
    hints: int


def deck(questions: Sequence[Question], topics: Collection[str] = ()) -> list[Item]:
    """The questions as items of the schedule: what interviewers are reported to ask counts twice."""
    chosen = [question for question in questions if not topics or question.topic in topics]
    return [Item(one.id, one.rev, weight=2.0 if one.reported else 1.0) for one in chosen]


def answered() -> list[reviews.Review]:
    """The reviews of questions, in the drill and in mocks: what else was practised takes no card's place for today."""
    return [review for review in reviews.read() if review.mode in ("drill", "points", "mock")]


def task_to_repeat(now: datetime | None = None) -> str | None:
    """The coding or debugging task that is due again, the most forgotten first, as it is typed; None without one."""
    solved = [review for review in reviews.read() if review.mode in ("code", "debug")]
    if not solved:
        return None
    tasks = {task.id: ("code", task) for task in coding.all_tasks()}
    tasks |= {task.id: ("debug", task) for task in debugging.all_tasks()}
    items = [Item(id, task.rev, is_task=True) for id, (_, task) in tasks.items()]
    cards = schedule.today(items, solved, now or datetime.now(UTC), reviews.interview_day())
    return next((f"{tasks[card.item.id][0]} {card.item.id}" for card in cards if card.why != NEW), None)


def next_practice() -> str | None:
    """What of the practice comes before the next exercise of a lesson; None where nothing does."""
    if cards := waiting():
        return f"Type `recsys-course drill`: questions due for your interview: {cards}."
    if task := task_to_repeat():
        return f"Type `recsys-course {task} --again`: a week or more has passed since you solved it."
    return None


def all_topics() -> set[str]:
    """The letters of the topics that have a question."""
    return {path.name[0] for path in bank.question_files()}


def waiting(now: datetime | None = None) -> int:
    """How many cards are for today; without an interview ahead, new ones do not count: the lessons come first."""
    done, interview = answered(), reviews.interview_day()
    cards = schedule.today(deck(bank.all_questions()), done, now or datetime.now(UTC), interview)
    return len(cards) if interview else sum(card.why != NEW for card in cards)


def drill(
    screen: Screen,
    topics: Collection[str] = (),
    limit: int | None = None,
    language: str = "both",
    now: datetime | None = None,
    new: int = schedule.NEW_A_DAY,
) -> int:
    """Go through today's cards and return how many were done.

    Args:
        screen: where to.
        topics: letters; none means all.
        limit: at most so many.
        language: of the prompts, one of ``LANGUAGES``.
        now: None takes the clock.
        new: how many questions may be met for the first time today.
    """
    questions = {question.id: question for question in bank.all_questions()}
    items = deck(list(questions.values()), topics)
    done = answered()
    cards = schedule.today(items, done, now or datetime.now(UTC), reviews.interview_day(), new_a_day=new)[:limit]
    if not cards:
        screen.say(_nothing_due(items, done))
        return 0
    return go_through(screen, cards, lambda card: practise(screen, questions[card.item.id], card, language))


def go_through(screen: Screen, cards: Sequence[Due], practise: Callable[[Due], None]) -> int:
    """Practise one card after the other until the learner leaves; return how many were done."""
    finished = 0
    try:
        for number, card in enumerate(cards, 1):
            screen.head(f"{number} of {len(cards)}")
            practise(card)
            finished += 1
    except (Ended, KeyboardInterrupt):
        screen.say(f"\nStopped. {finished} of {len(cards)} done and kept; the others wait.")
    else:
        screen.say(f"\nAll {finished} done. `recsys-course next` names what comes now.")
    return finished


def practise(screen: Screen, question: Question, card: Due, language: str = "both") -> None:
    """One card, from the prompt to the record.

    Raises:
        Ended: the learner left before it was graded; nothing is recorded.
    """
    show_prompt(screen, question, WHY[card.why], language)
    if card.why == POINTS:
        _repeat_points(screen, question, card.standing.missed)
        return
    answered = take_answer(screen, question, ANSWER_SECONDS)
    first = grade(screen, question, answered.hints)
    show_answer(screen, question)
    final = grade(screen, question, answered.hints, before=first)
    rating = _rating(screen, final.percent, answered.seconds <= ANSWER_SECONDS)
    show_follow_ups(screen, question)
    standing = keep(question, rating, answered.seconds, first, final)
    missed = ", with what you missed" if standing.due < standing.card.due else ""
    screen.say(f"Comes back on {schedule.local_day(standing.due)}{missed}.{LEECH if standing.is_leech else ''}")


@dataclass(frozen=True)
class Grade:
    """Rubric points that were met, numbered from 1, and what that makes after the price of hints."""

    met: tuple[int, ...]
    missed: tuple[int, ...]
    percent: int


def score(question: Question, met: Collection[int], hints: int) -> Grade:
    """What the points that were met, numbered from 1, and the hints come to."""
    points = sum(question.rubric[number - 1][0] for number in met)
    missed = tuple(number for number in range(1, len(question.rubric) + 1) if number not in met)
    return Grade(tuple(met), missed, max(0, points - HINT_COSTS * hints))


def keep(question: Question, rating: int, seconds: float, first: Grade, final: Grade) -> schedule.Standing:
    """Record a question that was answered and graded twice; returns where the learner stands with it now."""
    reviews.record(
        question.id,
        question.rev,
        rating,
        "drill",
        seconds=round(seconds, 1),
        missed=list(final.missed),
        first=first.percent,
        final=final.percent,
    )
    return schedule.replay(one for one in reviews.read() if one.item == question.id)[question.id]


def prompts(question: Question, language: str) -> list[str]:
    """The prompts in the language wanted; without a Chinese one, the English one and a remark."""
    english = [] if language == "zh" and question.prompt_zh else [question.prompt]
    return english + ([] if language == "en" else [question.prompt_zh or "(no Chinese prompt yet)"])


def show_prompt(screen: Screen, question: Question, why: str, language: str) -> None:
    """The question in the language wanted."""
    screen.say(f"{question.id}, {question.level}, {why}", style="bold")
    screen.say()
    for text in prompts(question, language):
        screen.say(text)


def take_answer(screen: Screen, question: Question, seconds: float) -> Answered:
    """Let the learner answer aloud or in writing, with a hint for each ``h``, until an empty line."""
    screen.say(
        f"\nYou have {minutes(seconds)}. Say it aloud, or type; an empty line ends the answer. "
        f"h: a hint (-{HINT_COSTS} points). q: stop."
    )
    start, hints = screen.clock(), 0
    with screen.countdown(seconds):
        while line := screen.ask(">"):
            if line != "h":
                continue
            if hints < len(question.hints):
                screen.say(question.hints[hints], indent=2)
                hints += 1
            else:
                screen.say("There are no more hints.", indent=2)
    spent = screen.clock() - start
    late = "" if spent <= seconds else ": over time, an interviewer would have stopped you"
    screen.say(f"{minutes(spent)} of {minutes(seconds)}{late}.")
    return Answered(spent, hints)


def grade(screen: Screen, question: Question, hints: int, before: Grade | None = None) -> Grade:
    """Ask which points of the rubric the answer had."""
    if before is None:
        screen.head("Rubric: which points did your answer have?")
        for number, (points, text) in enumerate(question.rubric, 1):
            screen.say(f"{number}. ({points}) {text}")
        prompt, default = "Their numbers, such as 1 3 (Enter: none):", ()
    else:
        default = before.met
        prompt = f"\nNow that you have seen it (0: none, Enter keeps {' '.join(map(str, default)) or 'none'}):"
    met = _numbers(screen, prompt, len(question.rubric), default)
    graded = score(question, met, hints)
    screen.say(sum_of(question, graded, hints))
    return graded


def sum_of(question: Question, graded: Grade, hints: int) -> str:
    """The points of a grade and the price of the hints, in a sentence."""
    points = sum(question.rubric[number - 1][0] for number in graded.met)
    price = f" - {HINT_COSTS * hints} for hints = {graded.percent}" if hints else ""
    return f"{points}{price} of 100 points."


def show_answer(screen: Screen, question: Question, level: str | None = None) -> None:
    """Key insight, the answers up to a level (by default the question's), and what is commonly said wrong."""
    screen.head("Model answer")
    screen.say(question.key_insight)
    for name, text in bank.answers_up_to(question, level):
        screen.say()
        screen.say(f"{name.capitalize()}:", style="bold")
        screen.say(text)
    screen.say()
    screen.say("Commonly said, and wrong:", style="bold")
    screen.say("\n".join(f"- {text}" for text in question.wrong_answers))


def _repeat_points(screen: Screen, question: Question, missed: Collection[int]) -> None:
    """Ask only for the points that the last review left open."""
    screen.say(f"\nLast time you missed {len(missed)} of {len(question.rubric)} points. Name them, then press Enter.")
    with screen.countdown(ANSWER_SECONDS / 2):
        while screen.ask(">"):
            pass
    asked = [number for number in missed if number <= len(question.rubric)]
    for number in asked:
        screen.say(f"{number}. ({question.rubric[number - 1][0]}) {question.rubric[number - 1][1]}")
    met = _numbers(screen, "Which did you name (Enter: none)?", len(question.rubric), ())
    left = [number for number in asked if number not in met]
    if left:
        show_answer(screen, question)
    reviews.record(question.id, question.rev, reviews.AGAIN if left else reviews.GOOD, "points", missed=left)
    screen.say("They come back tomorrow." if left else "Nothing is missing any more.")


def _numbers(screen: Screen, prompt: str, largest: int, default: tuple[int, ...]) -> tuple[int, ...]:
    """Numbers of rubric points; asks again for what is none."""
    while line := screen.ask(prompt):
        words = line.replace(",", " ").split()
        if words == ["0"]:
            return ()
        if all(word.isdigit() and 1 <= int(word) <= largest for word in words):
            return tuple(sorted({int(word) for word in words}))
        screen.say(f"Numbers from 1 to {largest}, with spaces between them.")
    return default


def _rating(screen: Screen, percent: int, in_time: bool) -> int:
    evidence = reviews.rate(percent / 100, in_time)
    lower = [reviews.RATING_NAMES[rating] for rating in range(reviews.AGAIN, evidence)]
    screen.say(f"\nThat makes: {reviews.RATING_NAMES[evidence]}.")
    while lower and (line := screen.ask(f"Enter accepts; or lower it to {', '.join(lower)}:")):
        if found := [place for place, name in enumerate(lower, 1) if name.startswith(line.lower())]:
            return found[0]
        screen.say("It can only be lowered.")
    return evidence


def show_follow_ups(screen: Screen, question: Question) -> None:
    """What an interviewer would ask next, on what condition, and what a good reply has."""
    screen.say("\nBe ready for:", style="bold")
    for follow_up in question.follow_ups:
        screen.say(f"- If {follow_up.trigger}: {follow_up.ask}")
        screen.say(f"Good: {follow_up.expect}", indent=2)


def _nothing_due(items: Collection[Item], done: Collection[reviews.Review]) -> str:
    standings = schedule.replay(done)
    times = [standings[item.id].due for item in items if item.id in standings]
    if not times:
        return "There is no card in these topics. `recsys-course drill` alone takes all."
    new = f" New ones are met {schedule.NEW_A_DAY} a day, mocks included; `--new 12` takes more."
    more = new if len(times) < len(items) else ""
    return f"Nothing is due. The next card comes on {schedule.local_day(min(times))}.{more}"
