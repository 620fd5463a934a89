"""The rules that each question of the bank is held to on its own.

A rule is a function from a document, and the bank to look things up in, to line numbers and messages. Each has a
test that breaks a good question in just that way.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from recsys_course.interview import front_matter
from recsys_course.interview.bank import FOLLOW_UP, HEADINGS, LEVELS, RUBRIC, Document
from recsys_course.interview.proofs import MARK, Sentence, sentences, unproved

INSIGHT_WORDS = 60
CHINESE = re.compile(r"[\u4e00-\u9fff]")
ANYTHING = re.compile(r".+", re.DOTALL)

Found = Iterator[tuple[int, str]]  # line, message


@dataclass(frozen=True)
class Bank:
    """What the rules look things up in.

    Attributes:
        root: top folder of the project.
        topics: code of each topic and how many questions it will have.
        articles: entries of ``articles.yaml``.
        proofs: ids of all claims and tests.
    """

    root: Path
    documents: list[Document]
    topics: dict[str, int]
    articles: list[dict]
    proofs: set[str]

    @property
    def planned(self) -> set[str]:
        """Ids of all questions, written or not."""
        return {f"{code}{n:02}" for code, planned in self.topics.items() for n in range(1, planned + 1)}


def names(document: Document, key: str) -> list[str]:
    """A key of the front matter as a list, also when it holds one text or something else by mistake."""
    value = document.meta.get(key) or []
    return [str(entry) for entry in (value if isinstance(value, list) else [value])]


def all_sentences(document: Document, headings: Iterable[str]) -> Iterator[Sentence]:
    """The sentences below these headings."""
    for heading in headings:
        yield from sentences(document.sections.get(heading, ()))


def schema(document: Document, bank: Bank) -> Found:
    """The front matter follows ``schema.json``."""
    rules = front_matter.load_schema(bank.root / "recsys_course" / "interview" / "bank" / "schema.json")
    for key, message in front_matter.problems(document.meta, rules):
        yield document.meta_lines.get(key, 1), message


def identity(document: Document, bank: Bank) -> Found:
    """The id, the file's name, its folder and the topic say the same, and the id is a planned one."""
    question, line = str(document.meta.get("id")), document.meta_lines.get("id", 1)
    if not document.path.name.startswith(f"{question}-"):
        yield line, f"id {question} does not begin the file's name {document.path.name}"
    if document.path.parent.name != question[:1]:
        yield line, f"id {question} belongs in the folder {question[:1]}, not in {document.path.parent.name}"
    if document.meta.get("topic") != question[:1]:
        yield document.meta_lines.get("topic", 1), f"topic {document.meta.get('topic')} is not that of id {question}"
    if question[:1] not in bank.topics:
        yield line, f"topic {question[:1]} is not in topics.yaml"
    elif question not in bank.planned:
        yield line, f"id {question} is beyond the {bank.topics[question[:1]]} questions planned in topics.yaml"


def references(document: Document, bank: Bank) -> Found:
    """What the front matter names exists."""
    for required in names(document, "requires"):
        if required not in bank.planned:
            yield document.meta_lines.get("requires", 1), f"requires {required}, which is not a planned question"
    known = {entry["id"]: entry["questions"] for entry in bank.articles}
    for article in names(document, "articles"):
        if document.meta.get("id") not in known.get(article, []):
            message = f"articles names {article}, but articles.yaml does not name this question"
            yield document.meta_lines.get("articles", 1), message
    for test in names(document, "verified_by"):
        if not (bank.root / test).is_file():
            yield document.meta_lines.get("verified_by", 1), f"verified_by names {test}, which does not exist"


def headings(document: Document, bank: Bank) -> Found:
    """Every heading is there, once, in order, and has text below it."""
    for heading in HEADINGS:
        if heading not in document.sections:
            yield 1, f"heading `## {heading}` is missing"
        elif not document.text(heading) and not (heading == "题目" and document.meta.get("zh_status") == "missing"):
            yield document.starts[heading], f"nothing below `## {heading}`"
    for heading, line in document.starts.items():
        if heading not in HEADINGS:
            yield line, f"unknown heading `## {heading}`"
    order = [heading for heading in document.sections if heading in HEADINGS]
    if order != sorted(order, key=HEADINGS.index):
        yield document.starts[order[0]], f"headings must come in this order: {', '.join(HEADINGS)}"


def chinese(document: Document, bank: Bank) -> Found:
    """The Chinese prompt is what its status says."""
    status, present = document.meta.get("zh_status"), CHINESE.search(document.text("题目"))
    if status in ("draft", "reviewed") and not present:
        yield document.starts.get("题目", 1), f"zh_status is {status}, but the prompt has no Chinese character"
    if status == "missing" and present:
        line = document.meta_lines.get("zh_status", 1)
        yield line, "zh_status is missing, but there is a Chinese prompt: call it draft"


def insight(document: Document, bank: Bank) -> Found:
    """The key insight fits on a flash card."""
    words = len(MARK.sub(" ", document.text("Key insight")).split())
    if words > INSIGHT_WORDS:
        yield document.starts["Key insight"], f"key insight has {words} words, at most {INSIGHT_WORDS}"


def answers(document: Document, bank: Bank) -> Found:
    """Levels are known, rise, include the question's own, and each adds something to the one below."""
    levels = list(document.answers)
    start = document.starts.get("Answer by level", 1)
    if [level for level in LEVELS if level in levels] != levels or not levels:
        yield start, f"levels must be some of {', '.join(LEVELS)}, rising, each as `### Level`; got {levels}"
    if document.meta.get("level") not in levels:
        yield start, f"no answer at the question's own level, {document.meta.get('level')}"
    said = {level: {s.words for s in sentences(lines)} for level, lines in document.answers.items()}
    for level, lines in document.answers.items():
        if not any(text.strip() for _, text in lines):
            yield start, f"nothing below `### {level.capitalize()}`"
    for lower, higher in pairwise(levels):
        if said[lower] and said[lower] <= said[higher]:
            line = document.answers[higher][0][0] - 1
            yield line, f"the {higher} answer repeats the {lower} answer word for word: say only what it adds"


def follow_ups(document: Document, bank: Bank) -> Found:
    """One to three follow-ups, each with its trigger."""
    yield from _list_rule(document, "Follow-ups", range(1, 4), FOLLOW_UP, "- if: ... | ask: ... | expect: ...")


def rubric(document: Document, bank: Bank) -> Found:
    """Four to seven points that sum to 100."""
    yield from _list_rule(document, "Rubric", range(4, 8), RUBRIC, "- 30: ...")
    points = [RUBRIC.fullmatch(text) for _, text in document.items("Rubric")]
    if points and all(points) and (total := sum(int(m["points"]) for m in points)) != 100:
        yield document.starts["Rubric"], f"the points of the rubric sum to {total}, not 100"


def hints(document: Document, bank: Bank) -> Found:
    """Exactly three hints, and at least one wrong answer."""
    yield from _list_rule(document, "Hints", range(3, 4), ANYTHING, "- ...")
    yield from _list_rule(document, "Common wrong answers", range(1, 9), ANYTHING, "- ...")


def numbers(document: Document, bank: Bank) -> Found:
    """Every number in the key insight and the answers is proved."""
    wanted = "[claim: id], [test: id], [source: n], [definition] or [opinion]"
    for heading in ("Key insight", "Answer by level"):
        for sentence, number in unproved(sentences(document.sections.get(heading, ()))):
            yield sentence.line, f"{number} has no proof: add {wanted}"


def marks(document: Document, bank: Bank) -> Found:
    """Every mark points at something."""
    sources = [str(n) for n, _ in enumerate(names(document, "sources"), 1)]
    for sentence in all_sentences(document, HEADINGS):
        for kind, name in sentence.marks:
            if kind in ("claim", "test") and name not in bank.proofs:
                yield sentence.line, f"[{kind}: {name}] is not in claims.json"
            if kind == "source" and name not in sources:
                yield sentence.line, f"[source: {name}] is none of the {len(sources)} entries of sources"


def markup(document: Document, bank: Bank) -> Found:
    """Formulas are closed, pictures are local, links lead somewhere."""
    for heading, lines in document.sections.items():
        text = re.sub(r"```.*?```|`[^`\n]*`|\\\$", "", "\n".join(line for _, line in lines), flags=re.DOTALL)
        if text.count("$") % 2:
            yield document.starts[heading], f"a `$` below `## {heading}` is not closed"
        for number, line in lines:
            yield from ((number, message) for message in _link_problems(line, bank.root))


def _link_problems(line: str, root: Path) -> Iterator[str]:
    for picture, target in re.findall(r"(!?)\[[^\]]*\]\(([^)\s]+)[^)]*\)", line):
        if picture and re.match(r"[a-z]+:|//", target):
            yield f"picture from the network: {target}: keep it in the project"
        elif target.startswith("/"):
            if not (root / target[1:].partition("#")[0]).exists():
                yield f"link to {target}, which does not exist"
        elif not re.match(r"https?://|#", target):
            yield f"link to {target}: write it from the top of the project, /{target.lstrip('./')}"


RULES = (
    schema,
    identity,
    references,
    headings,
    chinese,
    insight,
    answers,
    follow_ups,
    rubric,
    hints,
    numbers,
    marks,
    markup,
)


def _list_rule(document: Document, heading: str, count: range, form: re.Pattern, example: str) -> Found:
    items = document.items(heading)
    if len(items) not in count and document.text(heading):
        wanted = str(count[0]) if len(count) == 1 else f"{count[0]} to {count[-1]}"
        yield document.starts[heading], f"`## {heading}` has {len(items)} lines `{example}`, not {wanted}"
    for number, text in items:
        if not form.fullmatch(text):
            yield number, f"line of `## {heading}` is not of the form `{example}`"
