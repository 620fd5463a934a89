"""Recorded weak answers to questions of the bank, each with the grades that it deserves.

An answer is ``bank/answers/C03-a.md``: front matter (``bank/answers/schema.json`` says what it holds; ``question_rev``
is the revision of the question by whose rubric it was graded), then these headings of level two:

- ``Answer``: what a candidate said, 80 to 200 words: plausible, partly right, with an error that circulates.
- ``回答``: the same in Chinese; may be missing.
- ``Grades``: one line for each point of the question's rubric, ``- 1: half | says: why``.
- ``Tell``: three lines, ``- misconception: ...``, ``- sentence: ...`` (words of the answer that give it away) and
  ``- ask: ... | expect: ...``, what an interviewer asks next.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from recsys_course.interview import bank
from recsys_course.interview.bank import BANK, BankError, Document, Question, read_document
from recsys_course.interview.outcome import PracticeError

HEADINGS = ("Answer", "回答", "Grades", "Tell")
SHARES = {"met": 1.0, "half": 0.5, "missed": 0.0}  # of a point's worth
MEANINGS = {
    "met": "all that the point asks for is said, and right; where it says or, one of the alternatives is enough",
    "half": "about half of it is said and right, one of two things; the rest is missing or wrong",
    "missed": "less than that: nothing, a slogan or the contrary; a detail beside a wrong core does not help",
}
GRADE = re.compile(r"(?P<point>\d+):\s*(?P<grade>met|half|missed)\s*\|\s*says:\s*(?P<says>.+)", re.DOTALL)
TELL = (
    re.compile(r"misconception:\s*(?P<misconception>.+)", re.DOTALL),
    re.compile(r"sentence:\s*(?P<sentence>.+)", re.DOTALL),
    re.compile(r"ask:\s*(?P<ask>.+?)\s*\|\s*expect:\s*(?P<expect>.+)", re.DOTALL),
)


@dataclass(frozen=True)
class WeakAnswer:
    """One of them.

    Attributes:
        level_claimed: what the candidate says to be.
        text_zh: empty where there is no Chinese one.
        grades: ``met``, ``half`` or ``missed`` for each rubric point of the question.
        reasons: why, for each.
        sentence: the words of the answer that give the misconception away.
        ask: what an interviewer asks next.
        expect: and what a good reply has.
    """

    id: str
    rev: int
    question: Question
    level_claimed: str
    text: str
    text_zh: str
    grades: tuple[str, ...]
    reasons: tuple[str, ...]
    misconception: str
    sentence: str
    ask: str
    expect: str

    @property
    def points(self) -> float:
        """The reference: what the answer earns of 100."""
        return sum(earned(self.question, self.grades))

    def texts(self, language: str) -> list[str]:
        """The answer in the language wanted; without a Chinese one, the English one and a remark."""
        english = [] if language == "zh" and self.text_zh else [self.text]
        missing = "(no Chinese answer yet)" if language == "zh" else ""
        return english + [text for text in [self.text_zh or missing] if text and language != "en"]


def earned(question: Question, grades: tuple[str, ...]) -> list[float]:
    """The points that each grade is worth by the question's rubric."""
    return [points * SHARES[grade] for (points, _), grade in zip(question.rubric, grades, strict=True)]


def answer_files(folder: Path = BANK) -> list[Path]:
    """All files, in the order of their ids."""
    return sorted((folder / "answers").glob("*.md"))


def all_answers() -> list[WeakAnswer]:
    """Every weak answer, in the order of the ids."""
    return [read_answer(path) for path in answer_files()]


def load(name: str) -> WeakAnswer:
    """The answer with this id, such as ``C03.a``; ``C03`` is the first one to that question.

    Raises:
        PracticeError: there is none, or its file cannot be read.
    """
    question, _, letter = name.partition(".")
    path = BANK / "answers" / f"{question.upper()}-{letter.lower() or 'a'}.md"
    if path not in answer_files(BANK):
        raise PracticeError(f"there is no answer {name!r} to grade: `recsys-course grade --list` names what there is")
    try:
        return read_answer(path)
    except BankError as error:
        raise PracticeError(str(error)) from error


def read_answer(path: Path) -> WeakAnswer:
    """Read one file.

    Raises:
        BankError: it has not the form that the linter wants, or its question cannot be read.
    """
    document = read_document(path)
    grades = [GRADE.fullmatch(text) for _, text in document.items("Grades")]
    tell = tell_of(document)
    if not all(grades) or tell is None:
        raise BankError(f"{path}:1: Grades or Tell have the wrong form: `recsys-course lint` says where")
    question = bank.load_question(document.meta["question"], path.parents[1])
    if len(grades) != len(question.rubric):
        raise BankError(f"{path}:1: {len(grades)} grades for {len(question.rubric)} rubric points of {question.id}")
    return WeakAnswer(
        id=document.meta["id"],
        rev=document.meta["rev"],
        question=question,
        level_claimed=document.meta["level_claimed"],
        text=document.text("Answer"),
        text_zh=document.text("回答"),
        grades=tuple(match["grade"] for match in grades),
        reasons=tuple(match["says"] for match in grades),
        **tell,
    )


def tell_of(document: Document) -> dict[str, str] | None:
    """What stands below ``Tell``, by name; None where it has not its three lines."""
    lines = [text for _, text in document.items("Tell")]
    if len(lines) != len(TELL):
        return None
    matches = [form.fullmatch(text) for form, text in zip(TELL, lines, strict=True)]
    return {name: text for match in matches for name, text in match.groupdict().items()} if all(matches) else None
