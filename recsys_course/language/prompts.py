"""What the model reads, and what to make of its answer."""

import re
import string
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

_YEAR = re.compile(r"\s*\(\d{4}\)\s*$")
_MOVED = re.compile(r"^(.*), (The|A|An)$")
_WORD = re.compile(r"[^\W_]+")
_ITEM = re.compile(r"^\s*(?:[-*•]|\(?(?:\d+|[A-Za-z])[.):])\s*")


class Ranking(NamedTuple):
    """An answer as a ranking of the candidates, and what was wrong with it.

    Attributes:
        order: numbers of all candidates, best first: always a permutation.
        invented: lines of the answer's list that name no candidate.
        repeated: candidates that were named again.
        missing: candidates that were not named; they come last, in the order in which they were offered.
    """

    order: list[int]
    invented: list[str]
    repeated: list[int]
    missing: list[int]


def natural(title: str) -> str:
    """A title as people write it: MovieLens moves the article behind the title.

    >>> natural("Empire Strikes Back, The (1980)")
    'The Empire Strikes Back (1980)'
    """
    bare = _YEAR.sub("", title)
    return _MOVED.sub(r"\2 \1", bare) + title[len(bare) :]


def short(title: str) -> str:
    """The same without the year, which costs six tokens of SmolLM2, as many as the rest of a usual title.

    >>> short("Empire Strikes Back, The (1980)")
    'The Empire Strikes Back'
    """
    return _YEAR.sub("", natural(title))


def render(history: Sequence[str], candidates: Sequence[str]) -> tuple[str, str]:
    """A question about lettered candidates, in two parts: the viewer, the same in every order, and the list.

    Args:
        history: titles that the viewer liked; may be empty, and the prompt then says so.
        candidates: titles to choose from.

    Returns:
        The viewer's part and the candidates' part; together they are the prompt.

    Raises:
        ValueError: there is no candidate, or more than there are letters.
    """
    if not 1 <= len(candidates) <= 26:
        raise ValueError(f"a prompt can letter 1 to 26 candidates, got {len(candidates)}: rank them in groups")
    viewer = "".join(f"{short(title)}\n" for title in history) or "(nothing yet)\n"
    lettered = zip(string.ascii_uppercase, candidates, strict=False)
    options = "".join(f"{letter}. {short(title)}\n" for letter, title in lettered)
    return f"A viewer liked these films:\n{viewer}", f"Which film should the viewer see next?\n{options}Answer:"


def parse_ranking(answer: str, candidates: Sequence[str]) -> Ranking:
    """Read a ranking out of free text, line by line; whatever it says, every candidate comes out once.

    A line names the candidate whose title is the longest that stands in it, in whole words; case, punctuation,
    numbers before it and the place of the article do not matter, the year decides between films of one name.

    Args:
        answer: what the model said.
        candidates: titles that it was offered.

    Returns:
        The order and what was wrong.
    """
    keys = [
        {_key(form) for form in (title, _YEAR.sub("", title), natural(title), short(title))} for title in candidates
    ]
    order, invented, repeated = [], [], []
    for line in answer.splitlines():
        found = _named(_key(line), keys, order)
        if found is None and _ITEM.match(line):
            invented.append(line.strip())
        elif found is not None:
            (repeated if found in order else order).append(found)
    missing = [number for number in range(len(candidates)) if number not in order]
    return Ranking(order + missing, invented, repeated, missing)


def _forms(title: str) -> set[str]:
    """The ways to write a title: with its year and without, the article in front or behind."""
    return {_key(form) for form in (title, _YEAR.sub("", title), natural(title), short(title))}


def _key(text: str) -> str:
    """Words in small letters without accents or apostrophes, with a space before and after each."""
    letters = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter) and letter not in "'’")
    return f" {' '.join(_WORD.findall(plain))} "


def _named(line: str, keys: list[set[str]], taken: list[int]) -> int | None:
    """The candidate with the longest title in a line; of several with one title, the first that is still free."""
    found = [
        (len(key), number not in taken, -number)
        for number, forms in enumerate(keys)
        for key in forms
        if key.strip() and key in line
    ]
    return -max(found)[2] if found else None
