"""The rules that each design, and the rubric they share, is held to; `recsys_course.interview.lint` applies them.

That every number comes out as stated, with its unit, the tests prove: the linter computes nothing.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from recsys_course.interview import formulas, front_matter
from recsys_course.interview.bank import BankError, Document, read_document
from recsys_course.interview.design_file import FORMS, HEADINGS, PLACEHOLDER, split
from recsys_course.interview.outcome import PracticeError
from recsys_course.interview.proofs import sentences, unproved
from recsys_course.interview.rules import CHINESE, Bank, Found, all_sentences, markup, names
from recsys_course.interview.task_rules import headed

LEAST = {  # lines of a list
    "Clarify": 8,
    "Numbers": 15,
    "Budget": 5,
    "Deep dives": 3,
    "Failure modes": 5,
    "Red flags": 4,
    "Checklist": 24,
    "Anchors": 3,
}
PROSE = ("Architecture", "Deep dives", "Failure modes", "Anchors")  # where a number needs a name, a proof or a source
KILLS = 3  # options that the numbers rule out, at least
ALLOWED = re.compile(r"\b(?:first|last) \d+\b|\b\d+ (?:ms|candidates|numbers|minutes)\b|\b\d:\d\d\b")  # the task's own


def problems(bank: Bank) -> Iterator[tuple[Path, int, str]]:
    """File, line and message of everything that is wrong with the designs and their rubric."""
    folder = bank.root / "recsys_course" / "interview" / "bank" / "design"
    rubric = folder / "rubric.yaml"
    yield from ((rubric, 1, message) for message in rubric_problems(_read_yaml(rubric)))
    for path in sorted(folder.glob("SD*.md")):
        try:
            document = read_document(path)
        except BankError as error:
            yield path, 1, str(error)
            continue
        for rule in RULES:
            yield from ((path, line, message) for line, message in rule(document, bank))


def rubric_problems(rubric: dict) -> Iterator[str]:
    """Phases fill the clock, weights sum to 100, each dimension has its four anchors, verdicts fall to 0."""
    if (total := sum(phase["minutes"] for phase in rubric["phases"])) != rubric["minutes"]:
        yield f"the phases take {total} of {rubric['minutes']} minutes"
    if (total := sum(one["weight"] for one in rubric["dimensions"])) != 100:
        yield f"the weights of the dimensions sum to {total}, not 100"
    for one in rubric["dimensions"]:
        if len(one["anchors"]) != 4:
            yield f"dimension {one['key']} has {len(one['anchors'])} anchors, not 4"
    for one in (*rubric["phases"], *rubric["dimensions"]):
        if not CHINESE.search(one["zh"]) or not CHINESE.search(one.get("ask_zh", one["zh"])):
            yield f"{one['key']} has no Chinese text"
    percents = [one["percent"] for one in rubric["verdicts"]]
    if percents != sorted(percents, reverse=True) or percents[-1:] != [0]:
        yield f"verdicts must fall to 0, got {percents}"


def schema(document: Document, bank: Bank) -> Found:
    """The front matter follows ``design/schema.json``, and the file's name begins with the id."""
    rules = front_matter.load_schema(document.path.parent / "schema.json")
    for key, message in front_matter.problems(document.meta, rules):
        yield document.meta_lines.get(key, 1), message
    if document.path.name.partition("-")[0] != document.meta.get("id"):
        yield document.meta_lines.get("id", 1), f"id {document.meta.get('id')} does not begin the file's name"


def texts(document: Document, bank: Bank) -> Found:
    """Every heading has text, in order, and the Chinese ones are Chinese."""
    yield from headed(document, HEADINGS)


def lists(document: Document, bank: Bank) -> Found:
    """Each list has its form and enough lines."""
    for heading, form in FORMS.items():
        items = document.items(heading)
        if len(items) < LEAST[heading] and heading in document.starts:
            yield (
                document.starts[heading],
                f"`## {heading}` has {len(items)} lines, at least {LEAST[heading]} are wanted",
            )
        for number, text in items:
            if not form.fullmatch(text):
                yield number, f"line of `## {heading}` has the wrong form: {text[:60]!r}"


def references(document: Document, bank: Bank) -> Found:
    """Questions are planned ones, each deep dive is among them, and the lesson exists."""
    line, questions = document.meta_lines.get("questions", 1), names(document, "questions")
    for question in questions:
        if question not in bank.planned:
            yield line, f"questions names {question}, which is not a planned one"
    for number, row in _rows(document, "Deep dives"):
        if row["id"] not in bank.planned or row["id"] not in questions:
            yield number, f"deep dive {row['id']} is not a planned question that `questions` names"
    lesson = document.meta.get("lesson")
    if not list((bank.root / "lessons").glob(f"{lesson}_*.py")):
        yield document.meta_lines.get("lesson", 1), f"there is no lesson {lesson}"


def numbers(document: Document, bank: Bank) -> Found:
    """Formulas can be read, use names from above, no name stands twice, and some number rules an option out."""
    known: set[str] = set()
    for number, row in _rows(document, "Numbers"):
        if row["name"] in known:
            yield number, f"{row['name']} stands twice"
        try:
            formulas.parse(row["formula"].partition(" in ")[0])
        except PracticeError as error:
            yield number, f"{row['name']}: {error}"
        later = set(re.findall(r"[a-z]+_[a-z_0-9]+", row["formula"])) - known
        if later:
            yield number, f"{row['name']} uses {', '.join(sorted(later))}, which is not above it"
        known.add(row["name"])
    kills = sum(bool(row["kills"]) for _, row in _rows(document, "Numbers"))
    if kills < KILLS:
        yield document.starts.get("Numbers", 1), f"{kills} numbers rule an option out, at least {KILLS} should"


def placeholders(document: Document, bank: Bank) -> Found:
    """Names in braces are names of numbers."""
    known = {row["name"] for _, row in _rows(document, "Numbers")} | {"budget"}
    for lines in document.sections.values():
        for number, text in lines:
            for name in set(PLACEHOLDER.findall(text)) - known:
                yield number, f"{{{name}}} is none of the numbers"


def budget(document: Document, bank: Bank) -> Found:
    """The stages together stay within the limit."""
    total = sum(int(row["ms"]) for _, row in _rows(document, "Budget"))
    limit = document.meta.get("limit_ms")
    if isinstance(limit, int) and total > limit:
        yield document.starts["Budget"], f"the stages take {total} ms, the limit is {limit}"


def checklist(document: Document, bank: Bank) -> Found:
    """Each dimension has two parts or more, every part a Chinese word too, and no name stands twice."""
    rubric = _read_yaml(document.path.with_name("rubric.yaml"))
    wanted = {one["key"]: 0 for one in rubric["dimensions"]}
    seen: set[str] = set()
    for number, row in _rows(document, "Checklist"):
        if row["dimension"] not in wanted:
            yield number, f"{row['name']}: there is no dimension {row['dimension']}"
        else:
            wanted[row["dimension"]] += 1
        if not any(CHINESE.search(word) for word in split(row["words"])):
            yield number, f"{row['name']} has no Chinese word"
        if row["name"] in seen:
            yield number, f"part {row['name']} stands twice"
        seen.add(row["name"])
    for dimension, count in wanted.items():
        if count < 2:
            yield document.starts.get("Checklist", 1), f"dimension {dimension} has {count} parts, at least 2 are wanted"


def stated(document: Document, bank: Bank) -> Found:
    """A number in the answer is computed (its name in braces), proved, from a source, or opinion."""
    for heading in PROSE:
        lines = [(n, ALLOWED.sub("", PLACEHOLDER.sub("", text))) for n, text in document.sections.get(heading, ())]
        for sentence, number in unproved(sentences(lines)):
            yield sentence.line, f"{number} has no proof: name a number in braces, or add a mark"


def marks(document: Document, bank: Bank) -> Found:
    """Every mark points at something, and every source is used: what is reported says whose it is."""
    listed = {str(number): source for number, source in enumerate(names(document, "sources"), 1)}
    used = set()
    for sentence in all_sentences(document, HEADINGS):
        for kind, name in sentence.marks:
            if kind in ("claim", "test") and name not in bank.proofs:
                yield sentence.line, f"[{kind}: {name}] is not in claims.json"
            if kind == "source" and name not in listed:
                yield sentence.line, f"[source: {name}] is none of the {len(listed)} entries of sources"
            used.add(name)
    for number in listed.keys() - used:
        yield document.meta_lines.get("sources", 1), f"source {number} is used nowhere: {listed[number][:40]}"


def _rows(document: Document, heading: str) -> Iterator[tuple[int, dict]]:
    """The lines of a list that have the right form."""
    for number, text in document.items(heading):
        if match := FORMS[heading].fullmatch(text):
            yield number, match.groupdict()


def _read_yaml(path: Path) -> dict:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


RULES = (
    schema,
    texts,
    lists,
    references,
    numbers,
    placeholders,
    budget,
    checklist,
    stated,
    marks,
    markup,
)
