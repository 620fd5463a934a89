"""Grade somebody else's answer by the rubric, and hear where you were too generous or too strict.

In a notebook::

    from recsys_course.interview import grading

    grading.answers()                                   # what there is, and how well you agreed
    grading.show("C03.a")                               # question, answer and rubric
    grading.compare("C03.a", "1 3 h4", "the sign")      # points 1 and 3 met, 4 by half; and the misconception

In a terminal it is ``recsys-course grade``. Agreement is 100 less twice the points by which you differ, added up over
the rubric: twice, or whoever ticks nothing would agree well with every weak answer.
"""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import mean

from recsys_course import progress
from recsys_course.interview import coding, drill, reviews
from recsys_course.interview.bank import Question
from recsys_course.interview.coding import Page
from recsys_course.interview.grade_comparison import Comparison, leaning, parse, tell, verdict
from recsys_course.interview.layout import flow, width
from recsys_course.interview.outcome import Outcome, PracticeError
from recsys_course.interview.reviews import Review
from recsys_course.interview.screen import Screen
from recsys_course.interview.weak_answer import MEANINGS, WeakAnswer, all_answers, load

UNKNOWN = 50  # percent: where a topic without any graded answer stands between the weak and the strong
HOW = "Points that are met, h before a half one, such as 1 3 h4 (Enter: none):"


@dataclass(frozen=True)
class Habit:
    """How somebody grades, over all gradings.

    Attributes:
        gradings: how many.
        bias: mean of the points given less those of the reference; positive is too generous.
        difference: mean of its absolute values.
        same: mean share of an answer's rubric points with the same grade, in [0, 1].
    """

    gradings: int
    bias: float
    difference: float
    same: float

    def __str__(self) -> str:
        over = f"over {self.gradings} answer{'s' * (self.gradings > 1)}"
        return (
            f"As a grader you are {leaning(self.bias)} on average, {over}; off by {self.difference:.1f} points "
            f"either way, and {self.same:.0%} of the rubric points were graded the same."
        )


def answers() -> Page:
    """All answers, one a line, with your best agreement."""
    best = coding.best_scores("grade")
    lines = ["id     claims  best  question"]
    for one in all_answers():
        prompt = " ".join(one.question.prompt.split())
        score = str(best.get(one.id, "-"))
        line = f"{one.id:<6} {one.level_claimed:<6}  {score:>4}  {prompt}"
        lines.append(line if width(line) <= 80 else f"{line[:77]}...")
    return Page("\n".join(lines))


def show(answer: str, language: str = "both") -> Page:
    """Question, answer, rubric and how to grade, as text.

    Raises:
        PracticeError: there is no such answer.
    """
    found = load(answer)
    parts = [heading(found), *drill.prompts(found.question, language), *found.texts(language)]
    how = f'grading.compare("{found.id}", "1 3 h4", "what is wrong with it, in a line")'
    return Page(flow("\n\n".join([*parts, _rubric(found.question), _meanings(), f"Then: {how}"])))


def compare(answer: str, ticks: str, misconception: str = "") -> Page:
    """Compare your grades with the reference, and keep how well they agree.

    Args:
        answer: its id.
        ticks: numbers of the rubric points that are met, with an ``h`` before those that are met by half.
        misconception: what is wrong with the answer, in a line; you see yourself whether it was that.

    Raises:
        PracticeError: there is no such answer, or a tick is none.
    """
    found = load(answer)
    comparison = Comparison(found, parse(ticks, len(found.question.rubric)))
    keep(comparison, misconception, named=False)
    said = f"You named: {misconception}" if misconception else ""
    return Page(flow("\n\n".join(filter(None, [*verdict(comparison), *tell(found), said, str(habit())]))))


def sit(screen: Screen, answer_id: str, language: str = "both") -> Outcome:
    """Show one answer, have it graded, and say how the grades compare.

    Raises:
        Ended: the learner left; nothing is recorded before the points are ticked, and everything after it.
        PracticeError: there is no such answer.
    """
    answer = load(answer_id)
    start = screen.clock()
    _present(screen, answer, language)
    misconception = screen.ask("\nWhat is wrong with it, in a word or a line?")
    comparison = Comparison(answer, _take_grades(screen, answer.question))
    spent, named = screen.clock() - start, False
    try:
        named = _reveal(screen, comparison, misconception)
    finally:
        keep(comparison, misconception, named, spent)
    screen.say(f"\n{habit()}")
    return Outcome(
        item=answer.id,
        percent=comparison.percent,
        seconds=spent,
        missed=tuple(answer.question.rubric[number - 1][1] for number in comparison.differ),
        follow_ups=() if named else (answer.ask,),
    )


def keep(comparison: Comparison, misconception: str, named: bool, seconds: float = 0.0) -> None:
    """Record a grading: when and how well as a review, every grade beside the record of the lessons.

    Args:
        comparison: the grades.
        misconception: what the learner wrote.
        named: whether that was it; without it no grading is easy.
        seconds: it took.
    """
    answer, percent = comparison.answer, comparison.percent
    rating = reviews.rate(percent / 100, in_time=named)
    progress.record(
        f"grade.{answer.id}",
        "passed" if rating >= reviews.GOOD else "failed",
        rev=answer.rev,
        score=percent,
        grades=list(comparison.grades),
        given=comparison.points,
        reference=answer.points,
        differ=len(comparison.differ),
        misconception=misconception,
        named=named,
    )
    spent = round(seconds, 1)
    reviews.record(answer.id, answer.rev, rating, "grade", seconds=spent, missed=list(comparison.differ), final=percent)


def habit(events: Collection[dict] | None = None) -> Habit | None:
    """How the learner grades; None where nothing was graded.

    Args:
        events: of the record of progress; None takes the learner's.
    """
    gaps, same = [], []
    for event in progress.events() if events is None else events:
        if event["exercise"].startswith("grade."):
            with suppress(KeyError, TypeError, ZeroDivisionError):
                gap, others = event["given"] - event["reference"], event["differ"] / len(event["grades"])
                gaps, same = [*gaps, gap], [*same, 1 - others]
    if not gaps:
        return None
    return Habit(len(gaps), mean(gaps), mean(map(abs, gaps)), mean(same))


def next_answer(candidates: Sequence[WeakAnswer], done: Sequence[Review]) -> WeakAnswer:
    """The answer to grade now: one that was not graded yet, the weakest topic first; else the one graded longest ago.

    Args:
        candidates: in the order of their ids.
        done: all reviews, oldest first.
    """
    last = {(review.item, review.rev): review.time for review in done if review.mode == "grade"}
    fresh = [one for one in candidates if (one.id, one.rev) not in last]
    if not fresh:
        return min(candidates, key=lambda one: last[one.id, one.rev])
    final = {review.item: review.final for review in done if review.mode in ("drill", "mock")}
    topics: dict[str, list[int]] = {}
    for item, percent in final.items():
        if percent is not None:
            topics.setdefault(item[0], []).append(percent)
    return min(fresh, key=lambda one: mean(topics.get(one.question.topic, [UNKNOWN])))


def heading(answer: WeakAnswer) -> str:
    """Its id, the question's level and the level that the candidate claims."""
    return f"{answer.id}: {answer.question.id} ({answer.question.level}), the candidate claims {answer.level_claimed}"


def _present(screen: Screen, answer: WeakAnswer, language: str) -> None:
    screen.head("Grade this answer")
    screen.say(heading(answer), style="bold")
    for text in drill.prompts(answer.question, language):
        screen.say(f"\n{text}")
    screen.head("The answer")
    for text in answer.texts(language):
        screen.say(text)


def _take_grades(screen: Screen, question: Question) -> tuple[str, ...]:
    screen.head("Rubric: which points did it have?")
    screen.say(_rubric(question))
    screen.say(f"\n{_meanings()}\n")
    while True:
        try:
            return parse(screen.ask(HOW), len(question.rubric))
        except PracticeError as error:
            screen.say(f"{error}.")


def _reveal(screen: Screen, comparison: Comparison, misconception: str) -> bool:
    """Show how the grades compare and what gives the answer away; returns whether the learner had named it."""
    screen.head("Your grades and the reference")
    for text in [*verdict(comparison), *tell(comparison.answer)]:
        screen.say(f"\n{text}")
    if not misconception:
        return False
    screen.say(f"\nYou named: {misconception}")
    return screen.ask("Was it that? y or n (Enter: n):").lower().startswith("y")


def _rubric(question: Question) -> str:
    return "\n".join(f"{number}. ({points}) {text}" for number, (points, text) in enumerate(question.rubric, 1))


def _meanings() -> str:
    return "\n".join(f"- {grade}: {meaning}" for grade, meaning in MEANINGS.items())
