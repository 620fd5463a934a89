"""The rules that the estimation drills are held to; `recsys_course.interview.lint` applies them.

Formulas are read, not computed: that every number comes out, and that each wrong answer is told from the right one, the
tests prove.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from recsys_course.interview import formulas
from recsys_course.interview.bank import LEVELS
from recsys_course.interview.estimate_bank import FILE
from recsys_course.interview.formulas import CapacityError
from recsys_course.interview.rules import CHINESE, Bank

TEXTS = ("id", "title", "title_zh", "level", "prompt", "prompt_zh", "zh_status", "remember", "lesson")
LISTS = ("given", "steps", "mistakes", "questions")
KEYS = {*TEXTS, *LISTS, "rev", "factor"}
NUMBER = re.compile(
    r"(?<![A-Za-z0-9.])(\d[\d,]*(?:\.\d+)?)(?:\s*(%|thousand|million|billion|trillion|万亿|亿|万|千)(?![A-Za-z]))?"
)
TIMES = {"%": 0.01, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
TIMES |= {"千": 1e3, "万": 1e4, "亿": 1e8, "万亿": 1e12}

Found = Iterator[tuple[str, str]]  # key and message


def problems(bank: Bank) -> Iterator[tuple[Path, int, str]]:
    """File, line and message of everything that is wrong with the drills."""
    path = bank.root / "recsys_course" / "interview" / "bank" / FILE
    lines = path.read_text(encoding="utf-8").splitlines()
    try:
        entries = yaml.safe_load("\n".join(lines))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        yield path, mark.line + 1 if mark else 1, f"not YAML: {getattr(error, 'problem', error)}"
        return
    seen = set()
    for place, entry in enumerate(entries, 1):
        start = next((n for n, line in enumerate(lines, 1) if line == f"- id: {entry.get('id')}"), 1)
        if entry.get("id") != f"EST{place:02}":
            yield path, start, f"drill number {place} has the id {entry.get('id')}: they go on from EST01 and stay"
        if entry.get("title") in seen:
            yield path, start, f"{entry['title']} is also the title of another drill"
        seen.add(entry.get("title"))
        for rule in RULES:
            for key, message in rule(entry, bank):
                yield path, _line(lines, start, key), f"{entry.get('id')}: {message}"


def shape(entry: dict, bank: Bank) -> Found:
    """All keys are there, none is unknown, and each holds what it should."""
    for key in KEYS ^ entry.keys():
        yield key, f"`{key}` is {'missing' if key in KEYS else 'unknown'}"
    for key in TEXTS:
        if not (isinstance(entry.get(key, "x"), str) and entry.get(key, "x").strip()):
            yield key, f"`{key}` must be a text, got {entry[key]!r}"
    for key in LISTS:
        if not (isinstance(entry.get(key, []), list) and entry.get(key, ["x"])):
            yield key, f"`{key}` must be a list with entries"
    if entry.get("level", LEVELS[0]) not in LEVELS:
        yield "level", f"level is {entry['level']!r}, not one of {', '.join(LEVELS)}"
    if not 1 < entry.get("factor", 2) <= 3:
        yield "factor", f"factor is {entry['factor']}, outside 1 to 3"
    if len(entry.get("mistakes", "12")) < 2:
        yield "mistakes", "at least two mistakes are wanted"


def references(entry: dict, bank: Bank) -> Found:
    """Questions are planned ones, and the lesson exists."""
    for question in set(entry.get("questions", ())) - bank.planned:
        yield "questions", f"questions names {question}, which is not a planned one"
    if not list((bank.root / "lessons").glob(f"{entry.get('lesson')}_*.py")):
        yield "lesson", f"there is no lesson {entry.get('lesson')}"


def chinese(entry: dict, bank: Bank) -> Found:
    """The Chinese texts are Chinese, and their state is said."""
    for key in ("title_zh", "prompt_zh"):
        if not CHINESE.search(str(entry.get(key))):
            yield key, f"{key} has no Chinese character"
    if entry.get("zh_status") not in ("draft", "reviewed"):
        yield "zh_status", f"zh_status is {entry.get('zh_status')!r}, not draft or reviewed"


def numbers_agree(entry: dict, bank: Bank) -> Found:
    """Both prompts hold the numbers of ``given`` and no others."""
    given = set().union(*(numbers(str(line).partition("=")[2]) for line in entry.get("given", ())))
    for key in ("prompt", "prompt_zh"):
        found = numbers(str(entry.get(key)))
        for value in sorted(given - found):
            yield key, f"{key} lacks {value:g}, which is given"
        for value in sorted(found - given):
            yield key, f"{key} has {value:g}, which is not among what is given"


def arithmetic(entry: dict, bank: Bank) -> Found:
    """Every line can be read, every step says why, and the last one is the answer."""
    for key, lines in (("given", entry.get("given", ())), ("steps", entry.get("steps", ()))):
        for line in lines:
            text, _, why = str(line).partition("|")
            name, _, formula = text.partition("=")
            if key == "steps" and not why.strip():
                yield key, f"`{name.strip()}` does not say why: `name = formula in unit | why`"
            yield from ((key, message) for message in _unreadable(formula.partition(" in ")[0]))
    if entry.get("steps") and not str(entry["steps"][-1]).startswith("answer ="):
        yield "steps", "the last step must be called answer"
    for mistake in entry.get("mistakes", ()):
        if not isinstance(mistake, dict) or mistake.keys() != {"is", "says"}:
            yield "mistakes", f"a mistake is {{is: formula, says: sentence}}, got {mistake!r}"
        else:
            yield from (("mistakes", message) for message in _unreadable(str(mistake["is"])))


def numbers(text: str) -> set[float]:
    """The numbers of a text in English or Chinese; those that are part of a name, as in bf16, are none."""
    return {round(float(digits.replace(",", "")) * TIMES.get(word, 1), 12) for digits, word in NUMBER.findall(text)}


RULES = (shape, references, chinese, numbers_agree, arithmetic)


def _unreadable(formula: str) -> Iterator[str]:
    try:
        formulas.parse(formula)
    except CapacityError as error:
        yield str(error)


def _line(lines: list[str], start: int, key: str) -> int:
    """Where a key of the drill that begins at a line stands; the beginning where it does not."""
    for number, line in enumerate(lines[start:], start + 1):
        if line.startswith("- id:"):
            break
        if line.startswith(f"  {key}:"):
            return number
    return start
