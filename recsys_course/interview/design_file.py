"""One design: its file ``bank/design/SD1-slug.md``, read into a ``Design`` record.

After the front matter (``bank/design/schema.json``) come the headings of ``HEADINGS``. Lists have these forms::

    Clarify         - ask: Who uses it? | words: logged, visitor | answer: Only logged-in people.
    Numbers         - daily_users | 500 million users | given | says: people a day
                    - peak | daily_users * visits * 3 in requests/s | 174 thousand requests/s | says: ... | kills: ...
    Budget          - retrieval | 30 ms | says: all channels at once
    Deep dives      - F07 | ask: ... | expect: ...
    Failure modes   - failure: ... | detect: ... | do: ...
    Red flags       - no-tail | lacks: p99, tail | says: ...         (or `words:`, where their presence is the flag)
    Checklist       - negatives | dimension: retrieval | words: negative, 负样本 | says: ...
    Anchors         - senior: ...

A number is ``given`` by the interviewer, ``chosen`` by whoever designs, or computed: then the third part is what comes
out, and a test holds the formula to it. Everywhere else a computed number is written by its name, ``{peak}``, and
filled in when it is shown: no text holds a second copy.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from recsys_course.interview import capacity, design_page
from recsys_course.interview.bank import Document
from recsys_course.interview.coding import EdgeCase, lines_of
from recsys_course.interview.records import read_headed, record_of

HEADINGS = (
    "Prompt",
    "题目",
    "Clarify",
    "Numbers",
    "Budget",
    "Architecture",
    "Deep dives",
    "Failure modes",
    "Red flags",
    "Checklist",
    "Anchors",
)
DENIED = re.compile(  # up to the end of the clause
    r"(?:\b(?:not|no|never|avoid\w*|cannot|instead of|rather than)\b|\b\w+n['’]t\b)[^.,:;]*"
    r"|(?:不要|不能|不会|不用|不是|不做|不把|并非|而非|避免|别)[^。，；：,;]*",
    re.IGNORECASE,
)
GIVEN, CHOSEN = "given", "chosen"
PLACEHOLDER = re.compile(r"\{([a-z_0-9]+)\}")
FORMS = {
    "Clarify": re.compile(r"ask: (?P<ask>.+?) \| words: (?P<words>.+?) \| answer: (?P<answer>.+)"),
    "Numbers": re.compile(
        r"(?P<name>[a-z_0-9]+) \| (?P<formula>.+?) \| (?P<expected>.+?) \| says: (?P<says>.+?)"
        r"(?: \| kills: (?P<kills>.+))?"
    ),
    "Budget": re.compile(r"(?P<stage>.+?) \| (?P<ms>\d+) ms \| says: (?P<says>.+)"),
    "Deep dives": re.compile(r"(?P<id>[A-P]\d\d) \| ask: (?P<ask>.+?) \| expect: (?P<expect>.+)"),
    "Failure modes": re.compile(r"failure: (?P<failure>.+?) \| detect: (?P<detect>.+?) \| do: (?P<do>.+)"),
    "Red flags": re.compile(r"(?P<name>[a-z-]+) \| (?P<kind>words|lacks): (?P<words>.+?) \| says: (?P<says>.+)"),
    "Checklist": re.compile(
        r"(?P<name>[a-z0-9-]+) \| dimension: (?P<dimension>[a-z]+) \| words: (?P<words>.+?) \| says: (?P<says>.+)"
    ),
    "Anchors": re.compile(r"(?P<level>mid|senior|staff): (?P<text>.+)"),
}


@dataclass(frozen=True)
class Clarification:
    """What a candidate may ask, the words by which it is known, and the interviewer's answer."""

    ask: str
    words: tuple[str, ...]
    answer: str


@dataclass(frozen=True)
class Number:
    """One line of the arithmetic.

    Attributes:
        expected: ``given``, ``chosen``, or what comes out, with its unit.
        kills: the option that this number rules out; may be empty.
    """

    name: str
    formula: str
    expected: str
    says: str
    kills: str

    @property
    def is_computed(self) -> bool:
        """Whether it follows from the numbers above it."""
        return self.expected not in (GIVEN, CHOSEN)


@dataclass(frozen=True)
class Stage:
    """One stage of the latency budget."""

    stage: str
    ms: int
    says: str


@dataclass(frozen=True)
class Dive:
    """A deep dive: a question of the bank, asked of this design."""

    id: str
    ask: str
    expect: str


@dataclass(frozen=True)
class Failure:
    """What breaks, how one notices, and what to do."""

    failure: str
    detect: str
    do: str


@dataclass(frozen=True)
class RedFlag:
    """Something that notes should not say, or should not be without."""

    kind: str
    case: EdgeCase

    def is_up(self, notes: list[str]) -> bool:
        """Whether the notes raise it; what is denied, ``no random split``, raises nothing."""
        if self.kind == "words":
            return self.case.named_in([DENIED.sub(" ", note) for note in notes])
        return not self.case.named_in(notes)


@dataclass(frozen=True)
class Part:
    """A part that the notes should mention, and the dimension that it belongs to."""

    dimension: str
    case: EdgeCase


@dataclass(frozen=True)
class Design:
    """One design; the texts are Markdown, with names of numbers in braces.

    Attributes:
        minutes: of the whole interview.
        limit_ms: what the stages of the budget together may take, in milliseconds.
        limit: of what, in words.
        questions: of the bank, those of the deep dives first.
        anchors: what a mid, a senior and a staff answer to this design has.
    """

    id: str
    rev: int
    title: str
    title_zh: str
    level: str
    minutes: int
    limit_ms: int
    limit: str
    questions: tuple[str, ...]
    lesson: str
    sources: tuple[str, ...]
    zh_status: str
    prompt: str
    prompt_zh: str
    architecture: str
    clarifications: tuple[Clarification, ...]
    numbers: tuple[Number, ...]
    stages: tuple[Stage, ...]
    dives: tuple[Dive, ...]
    failures: tuple[Failure, ...]
    red_flags: tuple[RedFlag, ...]
    parts: tuple[Part, ...]
    anchors: tuple[tuple[str, str], ...]

    @cached_property
    def steps(self) -> dict[str, capacity.Step]:
        """The arithmetic, computed now, by name."""
        return {step.name: step for step in capacity.compute(f"{one.name} = {one.formula}" for one in self.numbers)}

    def fill(self, text: str) -> str:
        """Put the computed numbers in place of their names in braces; ``{budget}`` is what the stages take."""
        budget = f"{sum(stage.ms for stage in self.stages)} of {self.limit_ms} ms"
        return PLACEHOLDER.sub(lambda name: budget if name[1] == "budget" else self.steps[name[1]].shown, text)

    def candidate_markdown(self, language: str = "both") -> str:
        """What a candidate sees, as a page."""
        return design_page.candidate(self, language)

    def interviewer_markdown(self, language: str = "both") -> str:
        """The interviewer's script: answers, numbers, deep dives, what to listen for, and a scoring sheet."""
        return design_page.interviewer(self, language)

    def answer_markdown(self) -> str:
        """The model answer."""
        return design_page.answer(self)


def read_design(path: Path) -> Design:
    """Read one file.

    Raises:
        BankError: a heading or a key is missing, or a line of a list has the wrong form.
    """
    document = read_headed(path, HEADINGS)
    return record_of(Design, document, **_texts(document), **_lists(document))


def _texts(document: Document) -> dict[str, str]:
    headings = {"prompt": "Prompt", "prompt_zh": "题目", "architecture": "Architecture"}
    return {name: document.text(heading) for name, heading in headings.items()}


def _lists(document: Document) -> dict[str, tuple]:
    def rows(heading: str) -> list[dict[str, str]]:
        return [match.groupdict() for match in lines_of(document, heading, FORMS[heading])]

    return {
        "clarifications": tuple(Clarification(**row | {"words": split(row["words"])}) for row in rows("Clarify")),
        "numbers": tuple(Number(**row | {"kills": row["kills"] or ""}) for row in rows("Numbers")),
        "stages": tuple(Stage(**row | {"ms": int(row["ms"])}) for row in rows("Budget")),
        "dives": tuple(Dive(**row) for row in rows("Deep dives")),
        "failures": tuple(Failure(**row) for row in rows("Failure modes")),
        "red_flags": tuple(RedFlag(row["kind"], _case(row)) for row in rows("Red flags")),
        "parts": tuple(Part(row["dimension"], _case(row)) for row in rows("Checklist")),
        "anchors": tuple((row["level"], row["text"]) for row in rows("Anchors")),
    }


def _case(row: dict[str, str]) -> EdgeCase:
    return EdgeCase(row["name"], split(row["words"]), row["says"])


def split(words: str) -> tuple[str, ...]:
    """``a, b`` as two words."""
    return tuple(word.strip() for word in words.split(",") if word.strip())
