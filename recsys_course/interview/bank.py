"""The question bank: one Markdown file a question, read into ``Question`` records.

A question is ``bank/questions/H/H02-slug.md``: front matter (``bank/schema.json`` says what it holds), then these
headings of level two, each once and in this order:

- ``Prompt`` and ``题目``: the question in English and in Chinese.
- ``Key insight``: the back of the flash card, at most 60 words.
- ``Answer by level``: ``### Junior``, ``### Mid``, ``### Senior``, ``### Staff``: those that differ, and each adds.
- ``Follow-ups``: one to three lines ``- if: the answer omits ties | ask: What if all scores are equal? | expect: ...``.
- ``Common wrong answers``: a list, each with the reason why it is wrong.
- ``Rubric``: four to seven lines ``- 30: names the users that are left out``; the points sum to 100.
- ``Hints``: a list of exactly three, each helping more than the one before.
- ``Related``: lessons, questions and tasks.

Proof stands behind what it proves, before or after the full stop; it holds for its sentence and for those before it
in the paragraph, back to the mark before::

    Take 10,000 items. A scorer that always ranks the target 100th gets HR@10 of 1.0 when 100 negatives are sampled
    [test: H06.sampled-flip]. So the order of two models can flip [claim: 02.sampled-flips].

``[claim: id]`` names a claim of a lesson, ``[test: id]`` one of ``tests/claims``, ``[source: 1]`` the first entry of
``sources``; ``[opinion]`` marks its sentence as a judgement and ``[definition]`` what is true by definition or by
arithmetic in the text itself. ``recsys-course lint`` wants every number in the key insight and the answers proved
(``recsys_course.interview.proofs`` says what counts as one).

A link to a file of the project is written from its top: ``[lesson 02](/notebooks/02_measuring.ipynb)``.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml

from recsys_course.interview.proofs import show_marks

BANK = Path(__file__).with_name("bank")
HEADINGS = (
    "Prompt",
    "题目",
    "Key insight",
    "Answer by level",
    "Follow-ups",
    "Common wrong answers",
    "Rubric",
    "Hints",
    "Related",
)
LEVELS = ("junior", "mid", "senior", "staff")
FOLLOW_UP = re.compile(r"if:\s*(?P<trigger>.+?)\s*\|\s*ask:\s*(?P<ask>.+?)\s*\|\s*expect:\s*(?P<expect>.+)", re.DOTALL)
COURSE_LINK = re.compile(r"\[([^\]]+)\]\(/([^)]*)\)")
RUBRIC = re.compile(r"(?P<points>\d+):\s*(?P<text>.+)", re.DOTALL)

Lines = tuple[tuple[int, str], ...]  # line number in the file, text


class BankError(ValueError):
    """A question file that cannot be read; the message names the file and the line."""


@dataclass(frozen=True)
class Document:
    """A question file cut at its headings; nothing is checked yet.

    Attributes:
        path: the file.
        meta: front matter as YAML reads it.
        meta_lines: line number of each key of the front matter.
        sections: heading and the lines below it, in the order of the file.
        starts: line number of each heading.
    """

    path: Path
    meta: dict
    meta_lines: dict[str, int]
    sections: dict[str, Lines]
    starts: dict[str, int]

    def text(self, heading: str) -> str:
        """What stands below a heading, without the empty lines around it."""
        return "\n".join(text for _, text in self.sections.get(heading, ())).strip()

    def items(self, heading: str) -> list[tuple[int, str]]:
        """The entries of a list, each with the line where it starts; indented lines continue an entry."""
        found: list[tuple[int, str]] = []
        for number, line in self.sections.get(heading, ()):
            if match := re.match(r"(?:[-*]|\d+\.)\s+(.*)", line):
                found.append((number, match[1].strip()))
            elif found and line.strip():
                found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip()}")
        return found

    @cached_property
    def answers(self) -> dict[str, Lines]:
        """The answer at each level, by the lower-case name of the level."""
        return {name.lower(): lines for name, _, lines in _cut(self.sections.get("Answer by level", ()), "### ")}


@dataclass(frozen=True)
class FollowUp:
    """What an interviewer asks next, and when."""

    trigger: str
    ask: str
    expect: str


@dataclass(frozen=True)
class Question:
    """One interview question; the texts are Markdown, with their proof marks.

    Attributes:
        answers: level and answer, lowest level first; only the levels at which the answer differs.
        rubric: points and what earns them; the points sum to 100.
        related: Markdown list of lessons, questions and tasks.
    """

    id: str
    rev: int
    topic: str
    round: str
    level: str
    minutes: int
    reported: bool
    articles: tuple[str, ...]
    requires: tuple[str, ...]
    tags: tuple[str, ...]
    sources: tuple[str, ...]
    zh_status: str
    prompt: str
    prompt_zh: str
    key_insight: str
    answers: tuple[tuple[str, str], ...]
    follow_ups: tuple[FollowUp, ...]
    wrong_answers: tuple[str, ...]
    rubric: tuple[tuple[int, str], ...]
    hints: tuple[str, ...]
    related: str


def question_files(bank: Path = BANK) -> list[Path]:
    """All question files, in the order of their ids."""
    return sorted((bank / "questions").glob("*/*.md"), key=lambda path: path.name)


def all_questions(bank: Path = BANK) -> list[Question]:
    """Every question of the bank, in the order of the ids."""
    return [read_question(path) for path in question_files(bank)]


def load_question(question: str, bank: Path = BANK) -> Question:
    """The question with this id.

    Raises:
        BankError: there is none, or its file cannot be read.
    """
    paths = sorted((bank / "questions" / question[:1]).glob(f"{question}-*.md"))
    if not paths:
        raise BankError(f"no question {question!r} in {bank.name}/questions: `recsys-course lint` lists what is there")
    return read_question(paths[0])


def read_document(path: Path) -> Document:
    """Cut a file into front matter and sections.

    Raises:
        BankError: the front matter is missing or is not YAML, or a heading occurs twice.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    end = next((n for n, line in enumerate(lines[1:], 1) if line.rstrip() == "---"), None)
    if not lines or lines[0].rstrip() != "---" or end is None:
        raise BankError(f"{path}:1: front matter is missing: start the file with a block between two lines `---`")
    sections, starts = {}, {}
    for heading, start, below in _cut(tuple(enumerate(lines, 1))[end + 1 :], "## "):
        if heading in sections:
            raise BankError(f"{path}:{start}: second heading `## {heading}`: keep one")
        sections[heading], starts[heading] = below, start
    keys = {line.partition(":")[0]: number for number, line in enumerate(lines[:end], 1) if ":" in line}
    return Document(path, _front_matter(path, lines[1:end]), keys, sections, starts)


def read_question(path: Path) -> Question:
    """Read one file of the bank.

    Raises:
        BankError: a heading or a key is missing, or a line of a list has the wrong form.
    """
    document = read_document(path)
    missing = [h for h in HEADINGS if h not in document.sections]
    if missing:
        raise BankError(f"{path}:1: heading `## {missing[0]}` is missing")
    meta = {key: tuple(value) if isinstance(value, list) else value for key, value in document.meta.items()}
    meta.pop("verified_by", None)
    try:
        return Question(
            **meta,
            prompt=document.text("Prompt"),
            prompt_zh=document.text("题目"),
            key_insight=document.text("Key insight"),
            answers=_answers(document),
            follow_ups=tuple(FollowUp(**m) for m in _matches(document, "Follow-ups", FOLLOW_UP)),
            wrong_answers=tuple(text for _, text in document.items("Common wrong answers")),
            rubric=tuple((int(m["points"]), m["text"]) for m in _matches(document, "Rubric", RUBRIC)),
            hints=tuple(text for _, text in document.items("Hints")),
            related=document.text("Related"),
        )
    except TypeError as error:
        raise BankError(f"{path}:1: front matter: {str(error).replace('Question.__init__() ', '')}") from None


def prompt_markdown(question: Question) -> str:
    """What a learner sees first: id, level, minutes and the prompt in both languages."""
    title = f"#### Question {question.id} · {question.level} · {question.minutes} min"
    return "\n\n".join(filter(None, (title, question.prompt, question.prompt_zh)))


def answers_up_to(question: Question, level: str | None = None) -> list[tuple[str, str]]:
    """Level and answer, lowest first, up to a level; None takes the question's. Each level adds to those below."""
    highest = LEVELS.index(level or question.level)
    return [(name, text) for name, text in question.answers if LEVELS.index(name) <= highest]


def answer_markdown(question: Question) -> str:
    """The model answer by level and what helps to grade one's own, with the proofs in small print."""
    return show_marks("\n\n".join(_answer_parts(question)))


def file_names(markdown: str) -> str:
    """Name the files that links lead to within the project, for a text that leaves it.

    >>> file_names("[lesson 05](/notebooks/05_retrieval.ipynb)")
    'lesson 05 (`notebooks/05_retrieval.ipynb`)'
    """
    return COURSE_LINK.sub(r"\1 (`\2`)", markdown)


def _answer_parts(question: Question) -> Iterable[str]:
    yield f"**Key insight.** {question.key_insight}"
    yield from (f"**{level.capitalize()} answer.** {text}" for level, text in question.answers)
    yield "**Follow-ups**"
    yield "\n".join(f"- If {f.trigger}: *{f.ask}* {f.expect}" for f in question.follow_ups)
    yield "**Common wrong answers**"
    yield "\n".join(f"- {text}" for text in question.wrong_answers)
    yield "**Grade yourself**"
    rows = (f"| {points} | {table_cell(text)} |" for points, text in question.rubric)
    yield "\n".join(("| points | the answer |", "| ---: | --- |", *rows))
    hints = "\n".join(f"{n}. {text}" for n, text in enumerate(question.hints, 1))
    yield f"<details><summary>Three hints</summary>\n\n{hints}\n\n</details>"
    yield f"**Related**\n\n{question.related}"
    if question.sources:
        yield "**Sources.** " + " ".join(f"[{n}] {text}" for n, text in enumerate(question.sources, 1))


def table_cell(text: str) -> str:
    """A text for a table: a bar, which would end the cell, gets its LaTeX name in a formula, a backslash elsewhere."""
    parts = text.split("$")
    return "$".join(p.replace("|", r"\vert " if n % 2 else r"\|") for n, p in enumerate(parts))


def _answers(document: Document) -> tuple[tuple[str, str], ...]:
    return tuple((name, "\n".join(text for _, text in lines).strip()) for name, lines in document.answers.items())


def _matches(document: Document, heading: str, pattern: re.Pattern) -> list[dict[str, str]]:
    found = []
    for number, text in document.items(heading):
        if not (match := pattern.fullmatch(text)):
            raise BankError(f"{document.path}:{number}: line of `## {heading}` has the wrong form: {text[:60]!r}")
        found.append(match.groupdict())
    return found


def _front_matter(path: Path, lines: list[str]) -> dict:
    try:
        meta = yaml.safe_load("\n".join(lines))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise BankError(f"{path}:{(mark.line if mark else 0) + 2}: front matter is not YAML: {error.problem}") from None
    if not isinstance(meta, dict):
        raise BankError(f"{path}:2: front matter must be `key: value` lines, got {type(meta).__name__}")
    return meta


def _cut(lines: Lines, marker: str) -> list[tuple[str, int, Lines]]:
    """Heading, its line number and the lines below it, for each heading that starts with ``marker``."""
    found: list[tuple[str, int, list]] = []
    fenced = False
    for number, line in lines:
        fenced ^= line.lstrip().startswith("```")
        if line.startswith(marker) and not fenced:
            found.append((line[len(marker) :].strip(), number, []))
        elif found:
            found[-1][2].append((number, line))
    return [(heading, number, tuple(below)) for heading, number, below in found]
