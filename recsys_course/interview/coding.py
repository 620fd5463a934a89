"""The coding round: tasks with tests, run from a notebook or by ``recsys-course code``.

In a notebook::

    from recsys_course.interview import coding

    coding.tasks()                                      # what there is
    coding.show("W08")                                  # the task; its clock starts
    coding.run("W08", in_batch_loss, edge_cases=["one row"])        # the public tests
    coding.submit("W08", in_batch_loss, complexity="O(B^2 d)")      # the hidden ones too, growth and score

A task is a folder ``bank/coding/W08-slug``: ``task.md`` (front matter as in ``bank/coding/schema.json``, then the
headings of `HEADINGS`), ``starter.py``, ``reference.py``, ``test_public.py``, ``test_hidden.py`` and ``mutants.py``,
the wrong answers that a hidden test must catch. The edge cases are a list of lines
``- name | words: tie, ties | says: Equal scores ...``; ``words`` are what a learner may call them by.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from recsys_course import progress
from recsys_course.interview import reviews, runner, session
from recsys_course.interview.answer_source import source_of
from recsys_course.interview.bank import BANK, BankError, Document
from recsys_course.interview.coding_result import Result, make_result
from recsys_course.interview.layout import flow, pad, width
from recsys_course.interview.outcome import PracticeError
from recsys_course.interview.records import by_folder, by_id, read_headed, record_of

HEADINGS = ("Prompt", "题目", "Examples", "Edge cases", "Probes")
EDGE = re.compile(r"(?P<name>[a-z0-9-]+)\s*\|\s*words:\s*(?P<words>.+?)\s*\|\s*says:\s*(?P<says>.+)", re.DOTALL)
PROBE = re.compile(r"ask:\s*(?P<ask>.+?)\s*\|\s*expect:\s*(?P<expect>.+)", re.DOTALL)
FILES = ("task.md", "starter.py", "reference.py", "test_public.py", "test_hidden.py", "mutants.py")


class CodingError(PracticeError):
    """What is wrong, in one sentence for the learner."""


class Page(str):
    """Text that a notebook shows as it is."""

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True)
class EdgeCase:
    """One edge case: its name, what a learner may call it, and what there is to say about it."""

    name: str
    words: tuple[str, ...]
    says: str

    def named_in(self, texts: Iterable[str]) -> bool:
        """Whether one of the texts names it."""
        return any(_says(text.lower(), word.lower()) for text in texts for word in self.words)


@dataclass(frozen=True)
class Task:
    """One task; the texts are Markdown.

    Attributes:
        complexity: what is expected, such as ``"O(n log n)"``.
        accepted: other spellings of it.
        lesson: the lesson to read, two digits.
        examples: as in a Python session.
        probes: what the interviewer asks next, and what a good answer says.
        folder: where its files are.
    """

    id: str
    rev: int
    title: str
    title_zh: str
    level: str
    minutes: int
    complexity: str
    accepted: tuple[str, ...]
    articles: tuple[str, ...]
    questions: tuple[str, ...]
    lesson: str
    zh_status: str
    prompt: str
    prompt_zh: str
    examples: str
    edges: tuple[EdgeCase, ...]
    probes: tuple[tuple[str, str], ...]
    folder: Path

    @cached_property
    def starter(self) -> str:
        """What a learner begins with."""
        return (self.folder / "starter.py").read_text(encoding="utf-8")

    @cached_property
    def reference(self) -> str:
        """A right answer."""
        return (self.folder / "reference.py").read_text(encoding="utf-8")

    def tests(self, *, hidden: bool) -> list[Path]:
        """The test files."""
        return [self.folder / "test_public.py", *([self.folder / "test_hidden.py"] if hidden else [])]

    def statement(self) -> str:
        """What a learner sees before handing in, as Markdown."""
        facts = (
            f"{self.level} · {self.minutes} min · lesson {self.lesson} · 难度与时间：{self.level}，{self.minutes} 分钟"
        )
        head = f"# {self.id} · {self.title}\n{self.title_zh}\n\n{facts}"
        return f"{head}\n\n{self.prompt}\n\n{self.prompt_zh}\n\n## Examples\n\n{self.examples}\n"

    def is_right(self, complexity: str) -> bool:
        """Whether a stated complexity is the expected one."""
        return plain_complexity(complexity) in map(plain_complexity, (self.complexity, *self.accepted))


def all_tasks(bank: Path = BANK) -> list[Task]:
    """Every task, in the order of the ids."""
    return [read_task(path) for path in _files(bank).values()]


def load(task: str, bank: Path = BANK) -> Task:
    """The task with this id.

    Raises:
        CodingError: there is none.
    """
    return read_task(by_id(task, _files(bank), "coding task", CodingError))


def read_task(path: Path) -> Task:
    """Read one ``task.md``.

    Raises:
        BankError: a heading or a key is missing, or a line of a list has the wrong form.
    """
    document = read_headed(path, HEADINGS)
    edges = (EdgeCase(m["name"], tuple(_split(m["words"])), m["says"]) for m in lines_of(document, "Edge cases", EDGE))
    return record_of(
        Task,
        document,
        prompt=document.text("Prompt"),
        prompt_zh=document.text("题目"),
        examples=document.text("Examples"),
        edges=tuple(edges),
        probes=tuple((m["ask"], m["expect"]) for m in lines_of(document, "Probes", PROBE)),
        folder=path.parent,
    )


def _files(bank: Path) -> dict[str, Path]:
    return by_folder((bank / "coding").glob("*/task.md"))


def lines_of(document: Document, heading: str, form: re.Pattern) -> list[re.Match]:
    """The lines of a list, matched.

    Raises:
        BankError: a line has the wrong form.
    """
    found = []
    for number, text in document.items(heading):
        if not (match := form.fullmatch(text)):
            raise BankError(f"{document.path}:{number}: line of `## {heading}` has the wrong form: {text[:60]!r}")
        found.append(match)
    return found


def plain_complexity(text: str) -> str:
    """``O(B² · d)`` and ``o(b^2*d)`` are the same."""
    text = text.lower().replace("²", "^2").replace("**", "^").replace("³", "^3")
    return re.sub(r"[\s*·×]", "", text)


def tasks() -> Page:
    """All tasks, one a line, with your best score."""
    return listing(all_tasks(), best_scores())


def listing(every: Sequence, best: dict[str, int]) -> Page:
    """Tasks of one round, one a line, with the best scores by id."""
    wide = max(width(task.title) for task in every)
    lines = [f"id   {pad('task', wide)}  level   min  best"]
    for task in every:
        score = str(best.get(task.id, "-"))
        lines.append(f"{task.id}  {pad(task.title, wide)}  {pad(task.level, 6)}  {task.minutes:>3}  {score:>4}")
        lines.append(f"     {task.title_zh}")
    return Page("\n".join(lines))


def best_scores(round_: str = "coding") -> dict[str, int]:
    """The best score of each task of a round, coding or debug, that was handed in."""
    scores: dict[str, int] = {}
    for event in progress.events():
        (kind, _, name), score = event["exercise"].partition("."), event.get("score")
        if kind == round_ and isinstance(score, int):
            scores[name] = max(score, scores.get(name, 0))
    return scores


def show(task: str) -> Page:
    """The task as text; its clock starts."""
    found = load(task)
    session.open_(found.id, found.rev)
    return Page(f"{flow(found.statement())}\n\n{found.starter}")


def run(task: str, *answers: Callable | str, edge_cases: Sequence[str] = (), complexity: str = "") -> Result:
    """Run the public tests.

    Args:
        task: its id.
        answers: your functions or classes, or one text of source code.
        edge_cases: those that you have thought of, in words; only what is named before the first run counts.
        complexity: of your answer, such as ``"O(n log n)"``.
    """
    return _run(load(task), _source(answers), edge_cases, complexity)


def submit(
    task: str,
    *answers: Callable | str,
    edge_cases: Sequence[str] = (),
    complexity: str = "",
    talk: int | None = None,
) -> Result:
    """Hand in: all tests, the growth, the edge cases and the score.

    Args:
        task: its id.
        answers: as for `run`.
        edge_cases: as for `run`.
        complexity: as for `run`.
        talk: your own 0 to 10 for readability and for talking while you wrote.

    Raises:
        CodingError: ``talk`` is no number from 0 to 10.
    """
    if talk is not None and talk not in range(11):
        raise CodingError(f"talk is a number from 0 to 10, got {talk}")
    found = load(task)
    result = _run(found, _source(answers), edge_cases, complexity, hidden=True, talk=talk)
    session.submitted(found.id, found.rev)
    outcome = "passed" if result.green else "failed"
    progress.record(f"coding.{found.id}", outcome, **result.summary())
    reviews.record(found.id, found.rev, result.rating, "code", seconds=round(result.seconds, 1))
    return result


def reference(task: str, sure: bool = False) -> Page:
    """A right answer, once yours was handed in.

    Args:
        task: its id.
        sure: show it all the same.

    Raises:
        CodingError: nothing was handed in yet.
    """
    found = load(task)
    now = session.current(found.id, found.rev)
    if not sure and not (now and now.submitted):
        raise CodingError(f"hand in an answer to {found.id} first, or say that you want to see it all the same")
    progress.record(f"coding.{found.id}", "solution", rev=found.rev)
    return Page(found.reference)


def _run(task: Task, source: str, edge_cases: Sequence[str], complexity: str, hidden=False, talk=None) -> Result:
    now = session.first_run(task.id, task.rev, edge_cases)
    report = runner.run(source, task.tests(hidden=hidden), growth=hidden)
    return make_result(task, report, now, complexity, talk)


def _source(answers: Sequence[Callable | str]) -> str:
    if len(answers) == 1 and isinstance(answers[0], str):
        return answers[0]
    if not answers or not all(callable(answer) for answer in answers):
        raise CodingError("give your functions or classes, or one text of source code")
    return source_of(*answers)


def _split(words: str) -> list[str]:
    return [word.strip() for word in words.split(",") if word.strip()]


def _says(text: str, word: str) -> bool:
    """Whether a text has that word; a Chinese one may stand inside a sentence, another between Chinese: ``看P99``."""
    if not word.isascii():
        return word in text
    return re.search(rf"(?<!\w){re.escape(word)}(e?s|e?d|ing)?(?!\w)", text, re.ASCII) is not None
