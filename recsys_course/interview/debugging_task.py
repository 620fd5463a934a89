"""A debugging task, as its folder ``bank/debug/X02-slug`` says it.

``buggy.py`` is the code as it was found, ``fixed.py`` a right fix, ``test_bug.py`` is red on the one and green on the
other, ``wrong_fixes.py`` holds ``WRONG_FIXES``, and ``report.md`` the texts: front matter as in
``bank/debug/schema.json``, then the headings of `HEADINGS`. Marks are lines
``- line: the line's own text | severity: blocker | says: why``; ``also: another line`` before the severity names a line
whose mark is as good. A severity of ``fine`` is a line that looks guilty and is not. The mechanism is a list of points,
``- 10: says that ...``, which sum to 25.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from recsys_course.interview.answer_source import constant
from recsys_course.interview.bank import BANK, RUBRIC, BankError, Document
from recsys_course.interview.coding import PROBE, lines_of
from recsys_course.interview.outcome import PracticeError
from recsys_course.interview.records import by_folder, by_id, read_headed, record_of

HEADINGS = ("Report", "题目", "Marks", "Mechanism", "Explanation", "Hints", "Probes")
FILES = ("report.md", "buggy.py", "fixed.py", "test_bug.py", "wrong_fixes.py")
SEVERITIES = {"blocker": 3, "major": 2, "minor": 1}  # and what each weighs
FINE = "fine"
MECHANISM = 25  # points
MARK = re.compile(
    r"line:\s*(?P<line>.+?)(?P<also>(?:\s*\|\s*also:\s*.+?)*)\s*\|\s*severity:\s*(?P<severity>\w+)"
    r"\s*\|\s*says:\s*(?P<says>.+)",
    re.DOTALL,
)
BLOCK = re.compile(r"```text\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Finding:
    """What there is to say about a line of the code as it was found.

    Attributes:
        lines: its number, then those of other lines whose mark is as good.
        severity: one of ``SEVERITIES``, or ``fine``.
        says: why.
    """

    lines: tuple[int, ...]
    severity: str
    says: str


@dataclass(frozen=True)
class Task:
    """One task; the texts are Markdown.

    Attributes:
        lesson: the lesson to read, two digits.
        report: the complaint, with what `symptom` prints.
        findings: the lines that are wrong.
        suspects: lines that look guilty and are not.
        mechanism: points and what an explanation must say to earn them.
        hints: three, each helping more than the one before.
        probes: what the interviewer asks next, and what a good answer says.
        folder: where its files are.
    """

    id: str
    rev: int
    title: str
    title_zh: str
    level: str
    minutes: int
    articles: tuple[str, ...]
    questions: tuple[str, ...]
    lesson: str
    zh_status: str
    report: str
    report_zh: str
    findings: tuple[Finding, ...]
    suspects: tuple[Finding, ...]
    mechanism: tuple[tuple[int, str], ...]
    explanation: str
    hints: tuple[str, ...]
    probes: tuple[tuple[str, str], ...]
    folder: Path

    @cached_property
    def buggy(self) -> str:
        """The code as it was found."""
        return self._text("buggy.py")

    @cached_property
    def fixed(self) -> str:
        """The code with a right fix."""
        return self._text("fixed.py")

    @cached_property
    def wrong_fixes(self) -> dict[str, str]:
        """Code with a fix that people try and that is wrong, by what the fix does."""
        changes = constant(self._text("wrong_fixes.py"), "WRONG_FIXES") or {}
        return {name: changed(self.buggy, pairs) for name, pairs in changes.items()}

    @property
    def test(self) -> Path:
        """The test file that tells a right fix."""
        return self.folder / "test_bug.py"

    @property
    def printed(self) -> str:
        """What the report quotes of `symptom`."""
        return "".join(BLOCK.findall(self.report))

    def statement(self, language: str = "both") -> str:
        """The report as Markdown, en, zh or both; without a Chinese text, the English one and a remark."""
        titles = {"en": self.title, "zh": self.title_zh or self.title}.get(language, f"{self.title}\n{self.title_zh}")
        head = f"# {self.id} · {titles}\n\n{self.level} · {self.minutes} min · lesson {self.lesson}"
        zh = self.report_zh or "(no Chinese report yet)"
        parts = {"en": (self.report,), "zh": (zh, f"```text\n{self.printed}```"), "both": (self.report, zh)}[language]
        return "\n\n".join((head, *parts, *(() if self.report_zh or language != "zh" else (self.report,)))) + "\n"

    def candidate_markdown(self, language: str = "both") -> str:
        """What a candidate gets on paper: the report, and the code with line numbers."""
        headline = {"en": "Code", "zh": "代码"}.get(language, "Code · 代码")
        return f"{self.statement(language)}\n## {headline}\n\n```text\n{numbered(self.buggy)}```\n"

    def interviewer_markdown(self, language: str = "both") -> str:
        """What the interviewer gets as well: marks, mechanism, explanation, fix, wrong fixes, hints and probes."""
        return "\n\n".join((self.candidate_markdown(language).rstrip(), *self._answer())) + "\n"

    def _answer(self) -> Iterator[str]:
        marks = (f"- line {m.lines[0]}, {m.severity}: {m.says}" for m in (*self.findings, *self.suspects))
        yield "## Marks\n\n" + "\n".join(marks)
        yield "## Mechanism\n\n" + "\n".join(f"- {points}: {text}" for points, text in self.mechanism)
        yield f"## Explanation\n\n{self.explanation}"
        yield f"## A right fix\n\n```diff\n{difference(self.buggy, self.fixed)}```"
        yield "## Wrong fixes\n\n" + "\n".join(f"- {name}" for name in self.wrong_fixes)
        yield "## Hints\n\n" + "\n".join(f"{n}. {hint}" for n, hint in enumerate(self.hints, 1))
        yield "## Probes\n\n" + "\n".join(f"- {ask} {expect}" for ask, expect in self.probes)

    def _text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


def all_tasks(bank: Path = BANK) -> list[Task]:
    """Every task, in the order of the ids."""
    return [read_task(path) for path in _files(bank).values()]


def load(task: str, bank: Path = BANK) -> Task:
    """The task with this id.

    Raises:
        PracticeError: there is none.
    """
    return read_task(by_id(task, _files(bank), "debugging task", PracticeError))


def read_task(path: Path) -> Task:
    """Read one ``report.md`` and find its marks in ``buggy.py``.

    Raises:
        BankError: a heading or a key is missing, a list has the wrong form, or a mark's line is not there once.
    """
    document = read_headed(path, HEADINGS)
    found = [finding for _, finding in findings(document)]
    return record_of(
        Task,
        document,
        report=document.text("Report"),
        report_zh=document.text("题目"),
        findings=tuple(one for one in found if one.severity != FINE),
        suspects=tuple(one for one in found if one.severity == FINE),
        mechanism=tuple((int(m["points"]), m["text"]) for m in lines_of(document, "Mechanism", RUBRIC)),
        explanation=document.text("Explanation"),
        hints=tuple(text for _, text in document.items("Hints")),
        probes=tuple((m["ask"], m["expect"]) for m in lines_of(document, "Probes", PROBE)),
        folder=path.parent,
    )


def _files(bank: Path) -> dict[str, Path]:
    return by_folder((bank / "debug").glob("X*/report.md"))


def findings(document: Document) -> Iterator[tuple[int, Finding]]:
    """The marks of a report, each with the line of the report where it stands.

    Raises:
        BankError: one has the wrong form, or its line does not stand once in ``buggy.py``.
    """
    code = [line.strip() for line in document.path.with_name("buggy.py").read_text(encoding="utf-8").splitlines()]
    matches = zip(document.items("Marks"), lines_of(document, "Marks", MARK), strict=True)
    for (number, _), match in matches:
        texts = [match["line"], *re.split(r"\s*\|\s*also:\s*", match["also"])[1:]]
        for text in texts:
            if code.count(text.strip()) != 1:
                times = code.count(text.strip())
                raise BankError(
                    f"{document.path}:{number}: {text[:60]!r} is {times} times a line of buggy.py, not once"
                )
        lines = tuple(code.index(text.strip()) + 1 for text in texts)
        yield number, Finding(lines, match["severity"], match["says"])


def changed(source: str, pairs: list[tuple[str, str]]) -> str:
    """The source with each first text replaced by its second."""
    for old, new in pairs:
        source = source.replace(old, new)
    return source


def numbered(source: str) -> str:
    """The source with line numbers."""
    return "".join(f"{number:>3}  {line}\n" for number, line in enumerate(source.splitlines(), 1))


def difference(before: str, after: str) -> str:
    """What was changed, with three lines around it, in the form of ``diff -u`` without its head."""
    import difflib

    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="")
    return "".join(f"{line}\n" for line in list(lines)[2:])


def statements(source: str) -> dict[int, int]:
    """For each line the first line of the statement that it belongs to; of a block, only its head counts."""
    first = {number: number for number in range(1, len(source.splitlines()) + 1)}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = body[0].lineno - 1 if body else node.end_lineno
            first |= dict.fromkeys(range(node.lineno, last + 1), node.lineno)
    return first
