"""What a mock interview can ask, and what the learner did before: read from the bank and the journal."""

import contextlib
import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime

from recsys_course.interview import bank, reviews
from recsys_course.interview.mock_paper import History, Part

SHOWN = "mock.shown"  # an event of the journal: an item was shown in a mock
FINISHED = "mock.finished"  # likewise: a mock was sat to its end
LESSON = re.compile(r"\[lesson (\d\d)\]")


@dataclass(frozen=True)
class About:
    """What a page says of an item: its text or title in both languages, and the lesson to read, two digits."""

    text: str
    text_zh: str
    lesson: str


def pool(kinds: Collection[str]) -> list[Part]:
    """Everything of these kinds. Questions whose round is coding are left out: the coding tasks ask for the code."""
    questions = bank.all_questions()
    reported = {question.id for question in questions if question.reported}
    found = [part for kind in kinds if kind != "concept" for part in _tasks(kind, reported)]
    if "concept" in kinds:
        found += [_question(question) for question in questions if question.round != "coding"]
    return found


def history() -> History:
    """How much of each topic was practised, and when what was last in a mock or, but for questions, solved outside."""
    every = reviews.read()
    done = {review.item for review in every}
    ids = [path.name.partition("-")[0] for path in bank.question_files()]
    topics = {letter: [one for one in ids if one[0] == letter] for letter in sorted({one[0] for one in ids})}
    coverage = {letter: sum(one in done for one in mine) / len(mine) for letter, mine in topics.items()}
    shown = {review.item: review.time for review in every if review.mode in ("code", "debug", "design")}
    for event in reviews.JOURNAL.events():  # oldest first
        if event["item"] == SHOWN and isinstance(event.get("shown"), str):
            with contextlib.suppress(ValueError):  # no time: a line that somebody has edited
                moment = datetime.fromisoformat(event["time"])
                moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
                shown[event["shown"]] = max(moment, shown.get(event["shown"], moment))
    return History(coverage, shown)


def note_shown(part: Part, seed: int) -> None:
    """Remember that the learner has seen a part: it is not asked again for 14 days, on any merged machine."""
    reviews.JOURNAL.record(item=SHOWN, shown=part.id, seed=seed)


def note_finished(round_: str) -> None:
    """Remember that a mock of this round was sat to its end."""
    reviews.JOURNAL.record(item=FINISHED, round=round_)


def finished() -> Counter[str]:
    """How many mocks of each round were sat to their end."""
    return Counter(str(event.get("round")) for event in reviews.JOURNAL.events() if event["item"] == FINISHED)


def about(part: Part) -> About:
    """What there is to say of a part.

    Raises:
        BankError: it is a question that is not in the bank any more.
        PracticeError: it is a task or a design that is not there any more.
    """
    if part.kind == "concept":
        question = bank.load_question(part.id)
        lesson = LESSON.search(question.related)
        return About(question.prompt, question.prompt_zh, lesson[1] if lesson else "")
    task = source(part.kind).load(part.id)
    return About(task.title, task.title_zh, task.lesson)


def source(kind: str):
    """The module that loads items of a kind other than questions."""
    if kind == "coding":
        from recsys_course.interview import coding

        return coding
    if kind == "debug":
        from recsys_course.interview import debugging

        return debugging
    from recsys_course.interview import designs

    return designs


def _question(question: bank.Question) -> Part:
    return Part(
        "concept",
        question.id,
        question.rev,
        question.level,
        question.minutes,
        (question.topic,),
        question.reported,
        question.round,
    )


def _tasks(kind: str, reported: Collection[str]) -> list[Part]:
    module = source(kind)
    tasks = {"coding": "all_tasks", "debug": "all_tasks", "design": "all_designs"}[kind]
    found = []
    for task in getattr(module, tasks)():
        topics = tuple(dict.fromkeys(question[0] for question in task.questions))
        asked = any(question in reported for question in task.questions)
        found.append(Part(kind, task.id, task.rev, task.level, task.minutes, topics, asked, kind))
    return found
