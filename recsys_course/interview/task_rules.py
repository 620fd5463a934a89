"""The rules that each coding task is held to; `recsys_course.interview.lint` applies them.

That the reference passes, the starter fails and every wrong answer is caught by a hidden test, the tests prove: the
linter runs nobody's code.
"""

import ast
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from recsys_course.interview import front_matter
from recsys_course.interview.bank import BankError, Document, read_document
from recsys_course.interview.coding import EDGE, FILES, HEADINGS, PROBE
from recsys_course.interview.rules import CHINESE, Bank, Found, markup, names
from recsys_course.interview.runner import list_cases

MUTANTS = 3  # at least


def problems(bank: Bank) -> Iterator[tuple[Path, int, str]]:
    """File, line and message of everything that is wrong with the coding tasks."""
    yield from folder_problems(bank, "coding", FILES, RULES)


def folder_problems(
    bank: Bank, round_: str, files: Sequence[str], rules: Iterable[Callable[[Document, Bank], Found]]
) -> Iterator[tuple[Path, int, str]]:
    """Apply rules to the tasks of one round.

    Args:
        bank: to look things up in.
        round_: folder of the bank, one folder a task below it.
        files: what each task must have; the first holds its texts.
        rules: for these texts.
    """
    folder = bank.root / "recsys_course" / "interview" / "bank" / round_
    for path in sorted(folder.glob("*/")):
        if missing := [name for name in files if not (path / name).is_file()]:
            yield path / files[0], 1, f"{path.name} lacks {', '.join(missing)}"
            continue
        try:
            document = read_document(path / files[0])
        except BankError as error:
            yield path / files[0], 1, str(error)
            continue
        for rule in rules:
            yield from ((path / files[0], line, message) for line, message in rule(document, bank))


def schema(document: Document, bank: Bank) -> Found:
    """The front matter follows ``coding/schema.json``, and the folder begins with the id."""
    rules = front_matter.load_schema(document.path.parents[1] / "schema.json")
    for key, message in front_matter.problems(document.meta, rules):
        yield document.meta_lines.get(key, 1), message
    if document.path.parent.name.partition("-")[0] != document.meta.get("id"):
        yield document.meta_lines.get("id", 1), f"id {document.meta.get('id')} does not begin the folder's name"


def references(document: Document, bank: Bank) -> Found:
    """Questions are planned ones, the lesson exists, and the articles name the task in turn."""
    for question in set(names(document, "questions")) - bank.planned:
        yield document.meta_lines.get("questions", 1), f"questions names {question}, which is not a planned one"
    lesson = document.meta.get("lesson")
    if not list((bank.root / "lessons").glob(f"{lesson}_*.py")):
        yield document.meta_lines.get("lesson", 1), f"there is no lesson {lesson}"
    also = {entry["id"]: entry.get("also", ()) for entry in bank.articles}
    mine = {article for article, tasks in also.items() if document.meta.get("id") in tasks}
    for article in mine ^ set(names(document, "articles")):
        message = f"{article}: this task and articles.yaml do not agree that it answers it"
        yield document.meta_lines.get("articles", 1), message


def texts(document: Document, bank: Bank) -> Found:
    """Every heading has text, in order, and the Chinese ones are Chinese."""
    yield from headed(document, HEADINGS)


def headed(document: Document, headings: Sequence[str]) -> Found:
    """These headings are there in this order, each with text, and what should be Chinese is."""
    if list(document.sections) != list(headings):
        yield 1, f"headings must be {', '.join(headings)}, in this order; got {', '.join(document.sections)}"
    for heading, line in document.starts.items():
        if not document.text(heading):
            yield line, f"nothing below `## {heading}`"
    for key, text in (("题目", document.text("题目")), ("title_zh", str(document.meta.get("title_zh")))):
        if not CHINESE.search(text):
            yield document.starts.get(key, document.meta_lines.get(key, 1)), f"{key} has no Chinese character"


def edges(document: Document, bank: Bank) -> Found:
    """Edge cases and probes have their form, and every edge case has a hidden test, and none has another."""
    found = {}
    for heading, form in (("Edge cases", EDGE), ("Probes", PROBE)):
        for number, text in document.items(heading):
            match = form.fullmatch(text)
            if match is None:
                yield number, f"line of `## {heading}` has the wrong form: {text[:60]!r}"
            elif form is EDGE:
                found[match["name"]] = number
    tested = {case.edge for case in list_cases([document.path.with_name("test_hidden.py")])} - {""}
    for name in found.keys() - tested:
        yield found[name], f"no hidden test is marked edge({name!r})"
    for name in tested - found.keys():
        yield document.starts.get("Edge cases", 1), f"a hidden test is marked edge({name!r}), which is not listed"


def mutants(document: Document, bank: Bank) -> Found:
    """There are wrong answers, each a change of the reference that fits in one place only, and a slow one."""
    reference = document.path.with_name("reference.py").read_text(encoding="utf-8")
    kinds = read_mutants(document.path.with_name("mutants.py"))
    for kind, least in (("MUTANTS", MUTANTS), ("SLOW", 1)):
        if len(kinds.get(kind, {})) < least:
            yield 1, f"mutants.py has {len(kinds.get(kind, {}))} {kind}, at least {least} are wanted"
        for name, changes in kinds.get(kind, {}).items():
            for old, _ in changes:
                if reference.count(old) != 1:
                    yield 1, f"mutant {name!r}: {old[:50]!r} is {reference.count(old)} times in the reference, not once"


def read_mutants(path: Path) -> dict[str, dict[str, list[tuple[str, str]]]]:
    """The wrong answers of a task, read from the source without running it: kind, name, and what replaces what."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return {node.targets[0].id: ast.literal_eval(node.value) for node in body if isinstance(node, ast.Assign)}


RULES = (schema, references, texts, edges, mutants, markup)
