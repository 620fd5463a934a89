"""Reads every question of the bank with a grader's eye: ``recsys-course lint``.

The rules for one question are in ``recsys_course.interview.rules``, those for tasks, designs, estimates, answers and
words in the modules of ``ROUNDS``; here is what needs all of them.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from recsys_course.interview import (
    debug_rules,
    design_rules,
    estimate_rules,
    glossary_rules,
    grading_rules,
    task_rules,
)
from recsys_course.interview.bank import HEADINGS, BankError, Document, question_files, read_document
from recsys_course.interview.rules import RULES, Bank, all_sentences, names

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = {  # by where their files are in the bank
    "coding": task_rules,
    "debug": debug_rules,
    "design": design_rules,
    "estimates.yaml": estimate_rules,
    "answers": grading_rules,
    "glossary.csv": glossary_rules,
}
COPIED_WORDS = 8  # a sentence this long that stands in two questions was copied


@dataclass(frozen=True, order=True)
class Problem:
    """One thing to mend; prints as ``file:line: message``."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


def lint(root: Path = ROOT, *, complete: bool = False) -> list[Problem]:
    """Every problem of the bank, sorted by file and line; an empty list when all is well.

    Args:
        root: top folder of the project.
        complete: also demand an answer to every question of the source articles.
    """
    bank, unreadable = _load(root)
    found = [*unreadable, *_coverage_problems(bank, complete), *_twins(bank), *_copies(bank), *_cycles(bank)]
    for document in bank.documents:
        found += (_problem(bank, document, line, message) for rule in RULES for line, message in rule(document, bank))
    here = root / "recsys_course" / "interview" / "bank"
    for rules in (rules for name, rules in ROUNDS.items() if (here / name).exists()):
        for path, line, message in rules.problems(bank):
            found.append(Problem(path.relative_to(root).as_posix(), line, message))
    return sorted(set(found))


def coverage(root: Path = ROOT) -> str:
    """One line: how many questions there are and how many of the source articles' questions they answer."""
    bank, _ = _load(root)
    open_ = [entry["id"] for entry in bank.articles if not _covered(bank, entry)]
    line = f"{len(bank.documents)} of {len(bank.planned)} questions, {len(bank.articles) - len(open_)} of "
    line += f"{len(bank.articles)} article questions answered"
    return f"{line}; open: {', '.join(open_)}" if open_ else line


def _load(root: Path) -> tuple[Bank, list[Problem]]:
    folder = root / "recsys_course" / "interview" / "bank"
    documents, unreadable = [], []
    for path in question_files(folder):
        try:
            documents.append(read_document(path))
        except BankError as error:
            line, _, message = str(error).removeprefix(f"{path}:").partition(": ")
            unreadable.append(Problem(path.relative_to(root).as_posix(), int(line), message))
    topics = {topic["code"]: topic["planned"] for topic in _yaml(folder / "topics.yaml")}
    index = root / "recsys_course" / "claims.json"
    proofs = {claim["id"] for claim in json.loads(index.read_text(encoding="utf-8"))} if index.exists() else set()
    return Bank(root, documents, topics, _yaml(folder / "articles.yaml"), proofs), unreadable


def _yaml(path: Path) -> list[dict]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _problem(bank: Bank, document: Document, line: int, message: str) -> Problem:
    return Problem(document.path.relative_to(bank.root).as_posix(), line, message)


def _twins(bank: Bank) -> Iterator[Problem]:
    """An id belongs to one file."""
    first: dict[str, Document] = {}
    for document in bank.documents:
        other = first.setdefault(str(document.meta.get("id")), document)
        if other is not document:
            line = document.meta_lines.get("id", 1)
            yield _problem(bank, document, line, f"id {document.meta.get('id')} is also that of {other.path.name}")


def _copies(bank: Bank) -> Iterator[Problem]:
    """A long sentence stands in one question only."""
    first: dict[tuple[str, ...], Document] = {}
    for document in bank.documents:
        for sentence in all_sentences(document, HEADINGS):
            if len(sentence.words) >= COPIED_WORDS:
                other = first.setdefault(sentence.words, document)
                if other is not document:
                    message = f"this sentence also stands in {other.path.name}: {' '.join(sentence.words[:8])} ..."
                    yield _problem(bank, document, sentence.line, message)


def _cycles(bank: Bank) -> Iterator[Problem]:
    """No question requires itself, at once or through others."""
    requires = {str(d.meta.get("id")): names(d, "requires") for d in bank.documents}
    for document in bank.documents:
        question, reached, waiting = str(document.meta.get("id")), set(), list(names(document, "requires"))
        while waiting:
            if (step := waiting.pop()) not in reached:
                reached.add(step)
                waiting += requires.get(step, [])
        if question in reached:
            line = document.meta_lines.get("requires", 1)
            yield _problem(bank, document, line, f"{question} requires itself, through others")


def _covered(bank: Bank, entry: dict) -> bool:
    return any(
        document.meta.get("id") in entry["questions"] and entry["id"] in names(document, "articles")
        for document in bank.documents
    )


def _coverage_problems(bank: Bank, complete: bool) -> Iterator[Problem]:
    path = "recsys_course/interview/bank/articles.yaml"
    for entry in bank.articles:
        if (complete or entry.get("done")) and not _covered(bank, entry):
            yield Problem(path, 1, f"{entry['id']} is answered by none of {', '.join(entry['questions'])}")
        for question in set(entry["questions"]) - bank.planned:
            yield Problem(path, 1, f"{entry['id']} names {question}, which is not a planned question")
