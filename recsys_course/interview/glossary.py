"""The course's terms in English and Chinese, one line of meaning each: ``bank/glossary.csv``.

Prompts and answers use these words and no others for the same thing; `recsys_course.interview.glossary_rules` checks it
where that is possible.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from recsys_course.interview.bank import BANK

FILE = "glossary.csv"
COLUMNS = ("english", "chinese", "also_english", "also_chinese", "meaning", "see", "stems")


@dataclass(frozen=True)
class Term:
    """One term.

    Attributes:
        also_english: other words for it.
        also_chinese: other words for it.
        meaning: one line.
        see: lessons and questions where it is explained.
        stems: beginnings of English words, one of which a prompt has if its Chinese has the term; none are checked
            where this is empty.
    """

    english: str
    chinese: str
    also_english: tuple[str, ...]
    also_chinese: tuple[str, ...]
    meaning: str
    see: tuple[str, ...]
    stems: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """Everything that it is called, in both languages."""
        return (self.english, self.chinese, *self.also_english, *self.also_chinese)


def rows(bank: Path = BANK) -> list[dict[str, str]]:
    """The lines of the file, unchecked."""
    with open(bank / FILE, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def load(bank: Path = BANK) -> list[Term]:
    """Every term, in the order of the file: along the chain, from retrieval to what is shown, then the rest."""
    return [
        Term(
            row["english"],
            row["chinese"],
            split(row["also_english"]),
            split(row["also_chinese"]),
            row["meaning"],
            split(row["see"]),
            split(row["stems"]),
        )
        for row in rows(bank)
    ]


def split(cell: str) -> tuple[str, ...]:
    """The parts of a cell, which are divided by semicolons."""
    return tuple(part.strip() for part in cell.split(";") if part.strip())


def look_up(text: str, terms: list[Term] | None = None) -> list[Term]:
    """Terms that are called so, in either language; where there is none, those whose name or meaning contains it."""
    wanted = " ".join(text.casefold().split())
    terms = load() if terms is None else terms
    if not wanted:
        return []
    exact = [term for term in terms if wanted in (word.casefold() for word in term.words)]
    names = [term for term in terms if any(wanted in word.casefold() for word in term.words)]
    return exact or names or [term for term in terms if wanted in term.meaning.casefold()]


def markdown(terms: list[Term] | None = None) -> str:
    """The glossary as a page, in the order of the alphabet."""
    lines = ["| English | 中文 | meaning | see |", "| --- | --- | --- | --- |"]
    for term in sorted(load() if terms is None else terms, key=lambda term: term.english.casefold()):
        english = _both(term.english, term.also_english, ", ")
        chinese = _both(term.chinese, term.also_chinese, "、")
        lines.append(f"| {english} | {chinese} | {term.meaning} | {', '.join(term.see)} |")
    return "\n".join(lines) + "\n"


def _both(name: str, also: tuple[str, ...], between: str) -> str:
    return f"**{name}**" + (f" ({between.join(also)})" if also else "")
