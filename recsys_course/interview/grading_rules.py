"""The rules that each weak answer is held to; `recsys_course.interview.lint` applies them.

That the grades are those that two independent graders would give, the table of gradings proves
(`recsys_course.interview.gradings`).
"""

from collections.abc import Iterator
from pathlib import Path

from recsys_course.interview import front_matter
from recsys_course.interview.bank import HEADINGS as QUESTION_HEADINGS
from recsys_course.interview.bank import RUBRIC, BankError, Document, read_document
from recsys_course.interview.proofs import sentences, unproved
from recsys_course.interview.rules import CHINESE, Bank, Found, all_sentences, markup
from recsys_course.interview.weak_answer import GRADE, HEADINGS, SHARES, TELL, answer_files, tell_of

WORDS = range(80, 201)
CHARACTERS = range(120, 501)  # of a Chinese answer
WEAK = 70  # points of 100 at most
COPIED_WORDS = 8  # a sentence this long that stands elsewhere was copied

Problems = Iterator[tuple[Path, int, str]]  # file, line, message


def problems(bank: Bank) -> Problems:
    """File, line and message of everything that is wrong with the weak answers."""
    documents = []
    for path in answer_files(bank.root / "recsys_course" / "interview" / "bank"):
        try:
            documents.append(read_document(path))
        except BankError as error:
            yield path, 1, str(error)
    for document in documents:
        for rule in RULES:
            yield from ((document.path, line, message) for line, message in rule(document, bank))
    yield from _copies(documents, bank)


def schema(document: Document, bank: Bank) -> Found:
    """The front matter follows ``answers/schema.json``, and the file is named by the id."""
    rules = front_matter.load_schema(document.path.with_name("schema.json"))
    for key, message in front_matter.problems(document.meta, rules):
        yield document.meta_lines.get(key, 1), message
    name, line = str(document.meta.get("id")), document.meta_lines.get("id", 1)
    if document.path.stem != name.replace(".", "-"):
        yield line, f"id {name} belongs in the file {name.replace('.', '-')}.md, not in {document.path.name}"
    if name.partition(".")[0] != document.meta.get("question"):
        yield line, f"id {name} does not begin with its question {document.meta.get('question')}"


def question(document: Document, bank: Bank) -> Found:
    """The question exists, in the revision by whose rubric the answer was graded."""
    name, rev = document.meta.get("question"), document.meta.get("question_rev")
    asked = _question(document, bank)
    if asked is None:
        yield document.meta_lines.get("question", 1), f"there is no question {name}"
    elif asked.meta.get("rev") != rev:
        message = f"{name} is at rev {asked.meta.get('rev')}, graded was rev {rev}: grade it again, change question_rev"
        yield document.meta_lines.get("question_rev", 1), message


def headings(document: Document, bank: Bank) -> Found:
    """Every heading is there, in order and with text below it; only the Chinese one may be missing."""
    wanted = [heading for heading in HEADINGS if heading != "回答" or heading in document.sections]
    if list(document.sections) != wanted:
        yield 1, f"headings must be {', '.join(wanted)}, in this order; got {', '.join(document.sections)}"
    for heading, line in document.starts.items():
        if not document.text(heading):
            yield line, f"nothing below `## {heading}`"


def length(document: Document, bank: Bank) -> Found:
    """An answer is as long as one that is spoken in about a minute."""
    words = len(document.text("Answer").split())
    if words not in WORDS:
        yield document.starts.get("Answer", 1), f"the answer has {words} words, not {WORDS[0]} to {WORDS[-1]}"
    characters = len(CHINESE.findall(document.text("回答")))
    if "回答" in document.sections and characters not in CHARACTERS:
        message = f"the Chinese answer has {characters} characters, not {CHARACTERS[0]} to {CHARACTERS[-1]}"
        yield document.starts["回答"], message


def chinese(document: Document, bank: Bank) -> Found:
    """There is a Chinese answer exactly where the status says so."""
    status, present = document.meta.get("zh_status"), CHINESE.search(document.text("回答"))
    line = document.meta_lines.get("zh_status", 1)
    if status in ("draft", "reviewed") and not present:
        yield line, f"zh_status is {status}, but there is no Chinese answer"
    if status == "missing" and present:
        yield line, "zh_status is missing, but there is a Chinese answer: call it draft"


def grades(document: Document, bank: Bank) -> Found:
    """One grade with its reason for each point of the rubric, in order, and a weak answer altogether."""
    found, start = [], document.starts.get("Grades", 1)
    for number, text in document.items("Grades"):
        if match := GRADE.fullmatch(text):
            found.append(match)
        else:
            yield number, f"line of `## Grades` is not of the form `- 1: met|half|missed | says: ...`: {text[:60]!r}"
    asked = _question(document, bank)
    rubric = [] if asked is None else [RUBRIC.fullmatch(text) for _, text in asked.items("Rubric")]
    if [match["point"] for match in found] != [str(number) for number in range(1, len(rubric) + 1)]:
        yield start, f"{len(found)} grades for {len(rubric)} rubric points: one for each, numbered from 1"
    elif all(rubric):
        points = sum(int(r["points"]) * SHARES[g["grade"]] for r, g in zip(rubric, found, strict=True))
        if points > WEAK:
            yield start, f"the answer earns {points:g} points: a weak one has at most {WEAK}"


def tell(document: Document, bank: Bank) -> Found:
    """The misconception, words that stand in the answer, and the next question, whose numbers are proved."""
    start = document.starts.get("Tell", 1)
    found = tell_of(document)
    if found is None:
        yield start, f"`## Tell` needs {len(TELL)} lines: misconception, sentence, and ask with expect"
        return
    if found["sentence"] not in " ".join(document.text("Answer").split()):
        yield start, f"the sentence is not in the answer: {found['sentence'][:60]!r}"
    lines = sentences([(start, found["expect"])])
    for sentence, number in unproved(lines):
        yield sentence.line, f"{number} has no proof: add [claim: id], [test: id] or [definition]"
    for kind, name in (mark for sentence in lines for mark in sentence.marks):
        if kind in ("claim", "test") and name not in bank.proofs:
            yield start, f"[{kind}: {name}] is not in claims.json"


def _question(document: Document, bank: Bank) -> Document | None:
    name = document.meta.get("question")
    return next((one for one in bank.documents if one.meta.get("id") == name), None)


def _copies(documents: list[Document], bank: Bank) -> Problems:
    """A long sentence stands in one answer only, and in no question."""
    long = [(one, sentence) for one in documents for sentence in all_sentences(one, HEADINGS)]
    long = [(one, sentence) for one, sentence in long if len(sentence.words) >= COPIED_WORDS]
    wanted = {sentence.words for _, sentence in long}
    first = {
        sentence.words: one.path
        for one in bank.documents
        for sentence in all_sentences(one, QUESTION_HEADINGS)
        if sentence.words in wanted
    }
    for document, sentence in long:
        if (other := first.setdefault(sentence.words, document.path)) != document.path:
            message = f"this sentence also stands in {other.name}: {' '.join(sentence.words[:8])} ..."
            yield document.path, sentence.line, message


RULES = (schema, question, headings, length, chinese, grades, tell, markup)
