"""The rules that each debugging task is held to; `recsys_course.interview.lint` applies them.

That the tests are red on the code as it was found and on every wrong fix, green on the right one, and that the report
quotes what is printed, the tests prove: the linter runs nobody's code.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from recsys_course.interview.answer_source import constant
from recsys_course.interview.bank import RUBRIC, BankError, Document
from recsys_course.interview.coding import PROBE
from recsys_course.interview.debugging_task import (
    BLOCK,
    FILES,
    FINE,
    HEADINGS,
    MECHANISM,
    SEVERITIES,
    changed,
    findings,
    statements,
)
from recsys_course.interview.layout import COLUMNS, width
from recsys_course.interview.rules import Bank, Found, markup
from recsys_course.interview.runner import PRINTED, list_cases
from recsys_course.interview.task_rules import folder_problems, headed, references, schema

LINES = range(15, 81)  # of the code as it was found
WORDS = range(50, 181)  # of the report, without what is printed
WRONG_FIXES = 2  # at least
HINTS = 3
TITLE = 56  # columns
TELLTALE = re.compile(r"#.*\b(bug|fixme|todo|wrong|mistake|error here|should be|oops)\b", re.IGNORECASE)


def problems(bank: Bank) -> Iterator[tuple[Path, int, str]]:
    """File, line and message of everything that is wrong with the debugging tasks."""
    yield from folder_problems(bank, "debug", FILES, RULES)


def texts(document: Document, bank: Bank) -> Found:
    """Every heading has text, in order, the Chinese ones are Chinese, and the title fits into the list."""
    yield from headed(document, HEADINGS)
    if width(str(document.meta.get("title"))) > TITLE:
        yield document.meta_lines.get("title", 1), f"the title takes more than {TITLE} columns"


def report(document: Document, bank: Bank) -> Found:
    """The report has a reader's length and one block of what is printed, which a run keeps whole."""
    text, line = document.text("Report"), document.starts.get("Report", 1)
    blocks = BLOCK.findall(text)
    if len(blocks) != 1 or not blocks[0].strip():
        yield line, f"`## Report` has {len(blocks)} blocks ```text with what symptom() prints, not one"
    elif len(blocks[0]) >= PRINTED:
        yield line, f"what symptom() prints has {len(blocks[0])} characters, more than the {PRINTED} that a run keeps"
    if any(width(row) > COLUMNS for block in blocks for row in block.splitlines()):
        yield line, f"a line that symptom() prints takes more than {COLUMNS} columns"
    if (words := len(BLOCK.sub("", text).split())) not in WORDS:
        yield line, f"the report has {words} words, outside {WORDS[0]} to {WORDS[-1]}"
    if "```" in document.text("题目"):
        yield document.starts["题目"], "the Chinese report repeats a block: it stands in `## Report` only"


def marks(document: Document, bank: Bank) -> Found:
    """Each mark is of a line that stands once in the code, no two of one statement, and something is at fault."""
    try:
        found = list(findings(document))
        first = statements(_read(document, "buggy.py"))
    except BankError as error:
        line, _, message = str(error).removeprefix(f"{document.path}:").partition(": ")
        yield int(line), message
        return
    except SyntaxError as error:
        yield 1, f"buggy.py, line {error.lineno}: {error.msg}"
        return
    places: dict[int, int] = {}
    for number, one in found:
        if one.severity not in (*SEVERITIES, FINE):
            yield number, f"severity {one.severity} is none of {', '.join((*SEVERITIES, FINE))}"
        for place in {first[line] for line in one.lines}:
            if places.setdefault(place, number) != number:
                yield number, f"two marks belong to the statement of line {place}: make them one"
    severities = {one.severity for _, one in found}
    for wanted, what in ((SEVERITIES.keys(), "is at fault"), ({FINE}, "only looks guilty (severity: fine)")):
        if not severities & wanted:
            yield document.starts.get("Marks", 1), f"no line {what}"


def mechanism(document: Document, bank: Bank) -> Found:
    """The points of the explanation have their form and sum to 25."""
    points = []
    for number, text in document.items("Mechanism"):
        if match := RUBRIC.fullmatch(text):
            points.append(int(match["points"]))
        else:
            yield number, f"line of `## Mechanism` has the wrong form: {text[:60]!r}"
    if len(points) < 2 or sum(points) != MECHANISM:
        line = document.starts.get("Mechanism", 1)
        yield line, f"the {len(points)} points of the mechanism sum to {sum(points)}, not to {MECHANISM} in two or more"


def help_(document: Document, bank: Bank) -> Found:
    """There are three hints, and every probe has its form."""
    if (count := len(document.items("Hints"))) != HINTS:
        yield document.starts.get("Hints", 1), f"{count} hints, not {HINTS}"
    for number, text in document.items("Probes"):
        if not PROBE.fullmatch(text):
            yield number, f"line of `## Probes` has the wrong form: {text[:60]!r}"


def code(document: Document, bank: Bank) -> Found:
    """The code is of a reader's length, gives nothing away, and the fix keeps what the tests call."""
    source, fixed = _read(document, "buggy.py"), _read(document, "fixed.py")
    if (count := len(source.splitlines())) not in LINES:
        yield 1, f"buggy.py has {count} lines, outside {LINES[0]} to {LINES[-1]}"
    if match := TELLTALE.search(source):
        yield 1, f"a comment of buggy.py gives the fault away: {match[0][:60]!r}"
    if source == fixed:
        yield 1, "fixed.py is buggy.py"
    tested = {"symptom", *_imported(_read(document, "test_bug.py"))}
    before, after = _signatures(source), _signatures(fixed)
    for name in sorted(tested - before.keys()):
        yield 1, f"buggy.py defines no {name}, which is called"
    for name, arguments in sorted(before.items()):
        if name.partition(".")[0] in tested and after.get(name) != arguments:
            yield 1, f"fixed.py lacks {name}, or needs other arguments: a learner's test would not fit"


def wrong_fixes(document: Document, bank: Bank) -> Found:
    """There are wrong fixes, each of changes that fit in one place only, and each is Python."""
    source = _read(document, "buggy.py")
    found = constant(_read(document, "wrong_fixes.py"), "WRONG_FIXES")
    if not isinstance(found, dict) or len(found) < WRONG_FIXES:
        count = len(found) if isinstance(found, dict) else "no plain"
        yield 1, f"wrong_fixes.py has {count} WRONG_FIXES, at least {WRONG_FIXES} are wanted"
        return
    for name, pairs in found.items():
        for old, _ in pairs:
            if source.count(old) != 1:
                yield 1, f"wrong fix {name!r}: {old[:50]!r} is {source.count(old)} times in buggy.py, not once"
        try:
            ast.parse(changed(source, pairs))
        except SyntaxError as error:
            yield 1, f"wrong fix {name!r} is no Python: line {error.lineno}, {error.msg}"


def tests(document: Document, bank: Bank) -> Found:
    """The tests import the code under test, and each says in words what must hold."""
    path = document.path.with_name("test_bug.py")
    if "from answer import" not in path.read_text(encoding="utf-8"):
        yield 1, "test_bug.py does not import from answer"
    cases = list_cases([path])
    if not cases:
        yield 1, "test_bug.py has no test"
    for case in cases:
        if case.title == case.name:
            yield 1, f"{case.name} of test_bug.py has no docstring: it is what a learner reads"


def _read(document: Document, name: str) -> str:
    return document.path.with_name(name).read_text(encoding="utf-8")


def _imported(source: str) -> Iterator[str]:
    """What a test file imports from the code under test."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "answer":
            yield from (name.name for name in node.names)


def _signatures(source: str) -> dict[str, list[str]]:
    """Names of the functions and classes at the top, and of their methods, with the arguments that they need."""
    found: dict[str, list[str]] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef):
            found |= {node.name: [], **{f"{node.name}.{name}": of for name, of in _functions(node.body)}}
        elif isinstance(node, ast.Assign):
            found |= {target.id: [] for target in node.targets if isinstance(target, ast.Name)}
    return found | dict(_functions(ast.parse(source).body))


def _functions(body: list[ast.stmt]) -> Iterator[tuple[str, list[str]]]:
    for node in body:
        if isinstance(node, ast.FunctionDef):
            named = [one.arg for one in node.args.args]
            yield node.name, named[: len(named) - len(node.args.defaults)]


RULES = (schema, references, texts, report, marks, mechanism, help_, code, wrong_fixes, tests, markup)
