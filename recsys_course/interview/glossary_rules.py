"""The rules for the glossary, and whether prompts use its words alike in both languages.

`problems` is for the linter. `disagreements` is a hint to authors: a Chinese prompt has a term of the glossary and the
English one no word for it, so one of them says something that the other does not. The linter demands agreement only
where the Chinese is marked reviewed.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from recsys_course.interview import glossary
from recsys_course.interview.glossary import COLUMNS, FILE, Term
from recsys_course.interview.rules import CHINESE, Bank

LONGEST = 110  # characters of a meaning
SEE = re.compile(r"lesson \d\d|[A-P]\d\d")


def problems(bank: Bank) -> Iterator[tuple[Path, int, str]]:
    """File, line and message of everything that is wrong with the glossary, and of reviewed prompts that disagree."""
    path = bank.root / "recsys_course" / "interview" / "bank" / FILE
    rows = glossary.rows(path.parent)
    for line, row in enumerate(rows, 2):
        if tuple(row) != COLUMNS or None in row.values():
            yield path, line, f"a line has {len(COLUMNS)} columns, {', '.join(COLUMNS)}; a comma in a text needs quotes"
            return
        yield from ((path, line, message) for message in _row_problems(row, bank))
    yield from ((path, line, message) for line, message in _twins(glossary.load(path.parent)))
    yield from disagreements(bank, only_reviewed=True)


def disagreements(bank: Bank, *, only_reviewed: bool = False) -> Iterator[tuple[Path, int, str]]:
    """Questions whose Chinese prompt has a term that the English one has no word for."""
    terms = glossary.load(bank.root / "recsys_course" / "interview" / "bank")
    for document in bank.documents:
        if only_reviewed and document.meta.get("zh_status") != "reviewed":
            continue
        english, chinese = document.text("Prompt"), document.text("题目")
        for term in missing_terms(english, chinese, terms):
            message = f"题目 says {term.chinese}, the prompt has no word for {term.english}: mend one, or the glossary"
            yield document.path, document.starts.get("题目", 1), message


def missing_terms(english: str, chinese: str, terms: list[Term]) -> list[Term]:
    """Terms of a Chinese text that an English one lacks; a short term inside a longer one does not count."""
    text = " ".join(english.casefold().split())
    return [
        term
        for term in _contained(chinese, terms)
        if term.stems and not any(re.search(rf"\b{re.escape(stem.casefold())}", text) for stem in term.stems)
    ]


def _contained(chinese: str, terms: list[Term]) -> list[Term]:
    found, chinese = [], chinese.replace("时候", "　")  # 什么时候选 does not speak of 候选
    words = [(word, term) for term in terms for word in (term.chinese, *term.also_chinese)]
    for word, term in sorted(words, key=lambda pair: -len(pair[0])):
        if word.casefold() in chinese.casefold():
            chinese = re.sub(re.escape(word), "　", chinese, flags=re.IGNORECASE)
            found.append(term)
    return found


def _row_problems(row: dict[str, str], bank: Bank) -> Iterator[str]:
    name = row["english"] or row["chinese"]
    for column in ("english", "chinese", "meaning", "see"):
        if not row[column].strip():
            yield f"{name}: {column} is empty"
    if len(row["meaning"]) > LONGEST or row["meaning"].endswith("."):
        yield f"{name}: a meaning is one line of at most {LONGEST} characters without a full stop"
    if not CHINESE.search(row["chinese"]) and row["chinese"].casefold() != row["english"].casefold():
        yield f"{name}: {row['chinese']} is not Chinese"
    for place in glossary.split(row["see"]):
        if not SEE.fullmatch(place):
            yield f"{name}: see {place!r} must be like lesson 05 or C03"
        elif place.startswith("lesson") and not list((bank.root / "lessons").glob(f"{place[-2:]}_*.py")):
            yield f"{name}: there is no {place}"
        elif not place.startswith("lesson") and place not in bank.planned:
            yield f"{name}: {place} is not a planned question"


def _twins(terms: list[Term]) -> Iterator[tuple[int, str]]:
    """A word belongs to one term, in either language."""
    first: dict[str, Term] = {}
    for line, term in enumerate(terms, 2):
        for word in dict.fromkeys(word.casefold() for word in term.words):
            other = first.setdefault(word, term)
            if other is not term:
                yield line, f"{word} is also a word for {other.english}"
