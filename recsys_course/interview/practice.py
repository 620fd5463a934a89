"""The interview practice from a notebook: one question against the clock, graded before and after the model answer.

In a notebook::

    from recsys_course.interview import practice

    practice.today()                   # what is due
    practice.quiz("C03")               # the prompt; the clock starts
    practice.hint()                    # costs points
    practice.reveal()                  # the clock stops; the rubric
    practice.grade([1, 3])             # what your answer had; then the model answer is shown
    practice.grade([1, 3, 4])          # what it had, now that you know; recorded
    practice.check(my_ndcg, "W01")     # hands in a coding task and says which cases failed

It asks for no input and needs no widgets, so that such a notebook also runs by itself. Nothing that it shows has a
date, a time or a path in it. What is recorded is the same as by ``recsys-course drill``.
"""

import io
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic

from rich.console import Console

from recsys_course.interview import bank, coding, drill, reviews, schedule
from recsys_course.interview.bank import Question
from recsys_course.interview.coding_result import Result, case_lines
from recsys_course.interview.layout import COLUMNS, wrap
from recsys_course.interview.outcome import PracticeError
from recsys_course.interview.proofs import show_marks
from recsys_course.interview.screen import LINK, Screen


@dataclass
class Sitting:
    """One question from its prompt to its record.

    Attributes:
        began: by the clock, in seconds.
        spent: seconds until the rubric was shown; None before.
        first: the grade before the model answer.
        kept: whether it was recorded.
    """

    question: Question
    began: float
    spent: float | None = None
    hints: int = 0
    first: drill.Grade | None = None
    kept: bool = False

    @property
    def in_time(self) -> bool:
        """Whether the answer kept to its two minutes."""
        return self.spent is not None and self.spent <= drill.ANSWER_SECONDS


_sittings: list[Sitting] = []  # the one that is going on, or none


def today(language: str = "both") -> None:
    """Show what is due today, and how to begin.

    Args:
        language: of the prompts, ``en``, ``zh`` or ``both``.
    """
    questions = {question.id: question for question in bank.all_questions()}
    cards = _cards(list(questions.values()))
    lines = [_card_line(questions[card.item.id], drill.WHY[card.why], language) for card in cards]
    parts = ["**For today**", "\n".join(lines)] if lines else ["**Nothing is due today.**"]
    if task := drill.task_to_repeat():
        module, id = task.replace("code", "coding").replace("debug", "debugging").split()
        parts.append(f'Solve again: `{module}.show("{id}")`.')
    if cards:
        parts.append(f'Begin with `practice.quiz("{cards[0].item.id}")`.')
    _show("\n\n".join(parts))


def quiz(question: str | None = None, language: str = "both") -> None:
    """Ask a question and start its clock; what was asked before and not graded twice is dropped.

    Args:
        question: its id; None takes the first that is due today.
        language: of the prompt, ``en``, ``zh`` or ``both``.

    Raises:
        PracticeError: there is no such question, or none is due.
    """
    found = _load(question or _first_due())
    prompt = "\n\n".join(drill.prompts(found, language))
    _show(
        f"**{found.id}**, {found.level}\n\n{prompt}\n\n"
        f"You have two minutes from now. Say it aloud, or write it down; then `practice.reveal()`. "
        f"`practice.hint()` costs {drill.HINT_COSTS} points."
    )
    _sittings[:] = [Sitting(found, monotonic())]


def hint() -> None:
    """Show the next of three hints; each costs points.

    Raises:
        PracticeError: no question was asked, its rubric was shown already, or there are no more.
    """
    now = _sitting()
    if now.spent is not None:
        raise PracticeError("the rubric was shown, so a hint comes too late: grade with practice.grade([1, 3])")
    if now.hints == len(now.question.hints):
        raise PracticeError("there are no more hints: practice.reveal() shows the rubric")
    now.hints += 1
    price = f"-{drill.HINT_COSTS * now.hints} points so far"
    _show(f"Hint {now.hints} of {len(now.question.hints)} ({price}): {now.question.hints[now.hints - 1]}")


def reveal() -> None:
    """Stop the clock and show the rubric; after the first grade, the model answer.

    Raises:
        PracticeError: no question was asked.
    """
    now = _sitting()
    if now.first:
        _show(_model_answer(now.question))
        return
    if now.spent is None:
        now.spent = monotonic() - now.began
    time = "In time." if now.in_time else "Over two minutes: an interviewer would have stopped you."
    rows = (f"{number}. ({points}) {text}" for number, (points, text) in enumerate(now.question.rubric, 1))
    rubric = "\n".join(rows)
    _show(
        f"{time}\n\n**Rubric: which points did your answer have?**\n\n{rubric}\n\n"
        "Give their numbers, such as `practice.grade([1, 3])`; the model answer comes after that."
    )


def grade(met: Collection[int], lower: str | None = None) -> None:
    """Grade by the rubric: the first time the model answer follows, the second time it is recorded.

    Args:
        met: numbers of the rubric points that the answer had, from 1.
        lower: the second time, a rating below the one that the evidence gives: ``again``, ``hard`` or ``good``.

    Raises:
        PracticeError: no question was asked, the rubric was not shown yet, a number is none of a point, the question
            is recorded already, or the rating would rise.
    """
    now = _sitting()
    if now.spent is None:
        raise PracticeError("the rubric comes first: practice.reveal() shows it")
    if now.kept:
        raise PracticeError(f'{now.question.id} is recorded: practice.quiz("{now.question.id}") asks it again')
    graded = drill.score(now.question, _numbers(met, now.question), now.hints)
    total = drill.sum_of(now.question, graded, now.hints)
    if now.first is None:
        if lower is not None:
            raise PracticeError("the rating can be lowered when you grade after the model answer, not before it")
        again = "Grade again, now that you have seen it: `practice.grade(...)`."
        _show(f"{total}\n\n{_model_answer(now.question)}\n\n{again}")
        now.first = graded
        return
    rating = _rating(graded.percent, now.in_time, lower)
    standing = drill.keep(now.question, rating, now.spent, now.first, graded)
    now.kept = True
    _show(_verdict(now, graded, total, rating, standing))


def check(
    answer: Callable | str | Sequence[Callable],
    task: str,
    hidden: bool = True,
    edge_cases: Sequence[str] = (),
    complexity: str = "",
    talk: int | None = None,
) -> None:
    """Run the tests of a coding task and print which cases failed; with the hidden ones it is handed in.

    ``coding.submit`` takes the same and shows edge cases, growth and what an interviewer asks next as well.

    Args:
        answer: your function or class, several of them, or one text of source code.
        task: its id.
        hidden: run the hidden tests too and record the result; otherwise only the public ones run.
        edge_cases: those you have thought of, in words; only what is named before the first run counts.
        complexity: of your answer, such as ``"O(n log n)"``.
        talk: your own 0 to 10 for readability and for talking while you wrote.

    Raises:
        PracticeError: there is no such task, or the answer is no code.
    """
    answers = answer if isinstance(answer, (list, tuple)) else (answer,)
    if hidden:
        result = coding.submit(task, *answers, edge_cases=edge_cases, complexity=complexity, talk=talk)
    else:
        result = coding.run(task, *answers, edge_cases=edge_cases, complexity=complexity)
    print("\n".join(_case_page(result)))


def _sitting() -> Sitting:
    if not _sittings:
        raise PracticeError('nothing was asked yet: practice.quiz("C03") asks a question')
    return _sittings[0]


def _load(question: str) -> Question:
    try:
        return bank.load_question(question.upper())
    except bank.BankError as error:
        raise PracticeError(str(error)) from None


def _cards(questions: Sequence[Question]) -> list[schedule.Due]:
    return schedule.today(drill.deck(questions), drill.answered(), datetime.now(UTC), reviews.interview_day())


def _first_due() -> str:
    if not (cards := _cards(bank.all_questions())):
        raise PracticeError('nothing is due today: name a question, such as practice.quiz("C03")')
    return cards[0].item.id


def _card_line(question: Question, why: str, language: str) -> str:
    prompt = " ".join(" ".join(drill.prompts(question, language)).split())
    return f"- {question.id}, {question.level}, {why}: {prompt}"


def _model_answer(question: Question) -> str:
    parts = [f"**Model answer.** {question.key_insight}"]
    parts += [f"**{name.capitalize()}**\n\n{text}" for name, text in bank.answers_up_to(question)]
    parts += ["**Commonly said, and wrong**", "\n".join(f"- {text}" for text in question.wrong_answers)]
    return "\n\n".join(parts)


def _numbers(met: Collection[int], question: Question) -> tuple[int, ...]:
    """The numbers sorted, each once."""
    numbers, largest = list(met) if isinstance(met, Collection) else [met], len(question.rubric)
    for number in numbers:
        if type(number) is not int or not 1 <= number <= largest:
            raise PracticeError(f"rubric points are numbers from 1 to {largest}, such as [1, 3], got {number!r}")
    return tuple(sorted(set(numbers)))


def _rating(percent: int, in_time: bool, lower: str | None) -> int:
    evidence = reviews.rate(percent / 100, in_time)
    allowed = {reviews.RATING_NAMES[rating]: rating for rating in range(reviews.AGAIN, evidence + 1)}
    if lower is not None and lower not in allowed:
        raise PracticeError(f"the rating can only be lowered, to one of {', '.join(allowed)}, got {lower!r}")
    return evidence if lower is None else allowed[lower]


def _verdict(now: Sitting, graded: drill.Grade, total: str, rating: int, standing: schedule.Standing) -> str:
    gap = now.first.percent - graded.percent
    judged = f"{abs(gap)} points {'above' if gap > 0 else 'below'} that" if gap else "the same"
    days = (schedule.local_day(standing.due) - schedule.local_day(standing.last)).days
    leech = drill.LEECH if standing.is_leech else ""
    back = f"Comes back {'tomorrow' if days == 1 else f'in {days} days'}.{leech}"
    follow_ups = "\n".join(f"- If {one.trigger}: {one.ask}" for one in now.question.follow_ups)
    return (
        f"{total} Before the model answer you said {judged}. That makes: {reviews.RATING_NAMES[rating]}. {back}\n\n"
        f"**Be ready for**\n\n{follow_ups}"
    )


def _case_page(result: Result) -> list[str]:
    lines = case_lines(result, "test_public", "Public tests")
    if not result.hidden:
        return lines
    lines += ["", *case_lines(result, "test_hidden", "Hidden tests")]
    if result.growth and not result.growth.ok:
        lines += ["", wrap(f"Growth: {result.growth}.")]
    most = 90 if result.score.talk is None else 100
    return [
        *lines,
        "",
        wrap(f'{result.score.total} of {most} points. coding.reference("{result.id}") shows an answer.'),
    ]


def _show(markdown: str) -> None:
    """As Markdown in a notebook, as plain text elsewhere; links, which a copied notebook would break, as their text."""
    text = LINK.sub(r"\1", markdown)
    ipython = sys.modules.get("IPython")  # whoever runs in a notebook has loaded it
    if ipython is None or ipython.get_ipython() is None:
        print(_plain(text))
        return
    from IPython.display import display

    display({"text/markdown": show_marks(text), "text/plain": _plain(text)}, raw=True)


def _plain(markdown: str) -> str:
    file = io.StringIO()
    Screen(Console(file=file, width=COLUMNS, highlight=False, force_jupyter=False)).say(markdown)
    return file.getvalue().rstrip()
