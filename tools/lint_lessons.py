"""Holds every lesson to the length rules and the other promises of a lesson, and prints a table.

python tools/lint_lessons.py          all lessons, and the texts around them
python tools/lint_lessons.py 02       one lesson
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import yaml

import prose
from code_rules import (
    answer_problems,
    checked,
    code_cells,
    defined,
    package_modules,
    picture_problems,
    predictions,
    syntax_problems,
)
from compose import ROOT
from lesson import Cell, Lesson, LessonError, headings, lesson_files, read_lesson

MOST = {
    "words": 2200,
    "headings": 8,
    "words in a row": 150,
    "lines of a cell": 25,
    "package modules": 5,
    "minutes": 90,
    "minutes_read": 25,
    "cpu_seconds": 120,
    "ram_mb": 2048,
    "stretch exercises": 3,
    "minutes of an exercise": 10,
}
SOURCE_LINES = range(150, 701)
QUESTIONS = 5
FRONT_MATTER = {
    "title": str,
    "level": str,
    "minutes_read": int,
    "minutes_do": int,
    "cpu_seconds": int,
    "ram_mb": int,
    "requires": list,
    "articles": list,
    "builds": str,
}
SECTION = re.compile(r"00[0-4]-(?:introduction|§\d+(?:\.\d+)*)")
EXERCISE = re.compile(r"Exercise (\d+)\.(\d+) - (\w+)  \|  (easy|medium|hard|stretch)  \|  (\d+) min")


@dataclass(frozen=True)
class Exercise:
    """One exercise header, `### Exercise 2.1 - recall  |  easy  |  5 min`, and the cells below it."""

    lesson: int
    number: int
    name: str
    stretch: bool
    minutes: int
    cells: tuple[Cell, ...]


def problems(lesson: Lesson, root: Path = ROOT) -> list[str]:
    """Everything in which a lesson breaks a rule, one line each; warnings begin with `warning: `."""
    if found := list(syntax_problems(lesson)):
        return found
    rules = (front_matter, lengths, sections, exercises, questions, code)
    found = [message for rule in rules for message in rule(lesson, root)]
    for cell in lesson.cells:
        text = "" if "question" in cell.tags else cell.solved
        seen = prose.problems(text, root / "notebooks", root) if cell.kind == "markdown" else machine_paths(text)
        found += [f"cell {cell.id}: {message}" for message in seen]
    return found


def measure(lesson: Lesson, root: Path) -> dict[str, int]:
    """The sizes that have a limit."""
    return {
        "words": sum(prose.words(cell.stubbed) for cell in _prose(lesson)),
        "headings": sum(level == 2 for cell in _prose(lesson) for level, _ in headings(cell)),
        "words in a row": max((n for _, n in runs(lesson)), default=0),
        "lines of a cell": max((_lines(cell) for cell in code_cells(lesson)), default=0),
        "package modules": len(package_modules(lesson, _modules(root))),
        "minutes": _number(lesson, "minutes_read") + _number(lesson, "minutes_do"),
    }


def runs(lesson: Lesson) -> list[tuple[str, int]]:
    """First cell and words of each stretch of prose between two cells of code."""
    groups = [list(group) for _, group in groupby(lesson.cells, _stops_reading)]
    inner = [group for group in groups[1:-1] if not _stops_reading(group[0])]
    return [(group[0].id, sum(prose.words(cell.stubbed) for cell in group)) for group in inner]


def lengths(lesson: Lesson, root: Path) -> Iterator[str]:
    """Words, headings, prose in a row, lines of cells and of the source, modules, minutes."""
    for what, size in measure(lesson, root).items():
        if what in ("words", "headings", "package modules", "minutes") and size > MOST[what]:
            yield f"{size} {what}, at most {MOST[what]}"
    for first, size in runs(lesson):
        if size > MOST["words in a row"]:
            yield f"cell {first}: {size} words without code in between, at most {MOST['words in a row']}"
    for cell in code_cells(lesson):
        if _lines(cell) > MOST["lines of a cell"]:
            yield f"cell {cell.id}: {_lines(cell)} lines, at most {MOST['lines of a cell']}"
    if (size := len(lesson.text.splitlines())) not in SOURCE_LINES:
        kind = "warning: " if lesson.number == "00" else ""
        yield f"{kind}{size} lines of source, should be {_between(SOURCE_LINES)}"


def front_matter(lesson: Lesson, root: Path) -> Iterator[str]:
    """Complete, of the right types, within the limits, and naming what exists."""
    for key, kind in FRONT_MATTER.items():
        value = lesson.course.get(key)
        if type(value) is not kind or value == "":
            yield f"front matter: {key} must be {kind.__name__}, got {value!r}"
        elif kind is int and not 0 < value <= MOST.get(key, value):
            yield f"front matter: {key} is {value}, must be 1 to {MOST.get(key, 'any')}"
    yield from (f"front matter: unknown key {key}" for key in lesson.course.keys() - FRONT_MATTER.keys())
    earlier = {path.stem[:2] for path in lesson_files(root) if path.stem[:2] < lesson.number}
    for number in lesson.course.get("requires") or ():
        if number not in earlier:
            yield f'front matter: requires {number!r} is no earlier lesson (write it as "01")'
    known = yaml.safe_load((_bank(root) / "articles.yaml").read_text(encoding="utf-8"))
    for article in lesson.course.get("articles") or ():
        if article not in [entry["id"] for entry in known] and not SECTION.fullmatch(str(article)):
            yield f"front matter: articles names {article!r}, neither in articles.yaml nor a section such as 001-§2.1"


def sections(lesson: Lesson, root: Path) -> Iterator[str]:
    """One title, one experiment, one bug, and a prediction that is compared afterwards."""
    found = [heading for cell in _prose(lesson) for heading in headings(cell)]
    if (titles := sum(level == 1 for level, _ in found)) != 1:
        yield f"{titles} headings of level 1, must be one: the title"
    for name in ("The experiment", "Spot the bug"):
        if (count := sum(level == 2 and name.lower() in text.lower() for level, text in found)) != 1:
            yield f"{count} sections `## {name}`, must be one"
    if not predictions(lesson):
        yield "no prediction: let a cell bind `prediction = ...` or `my_guess = ...` and a later one compare it"


def exercises(lesson: Lesson, root: Path) -> Iterator[str]:
    """Numbers, counts and minutes of the exercises; each has an answer and a check of its own."""
    for cell in lesson.cells:
        for _, text in headings(cell):
            if text.startswith("Exercise") and not EXERCISE.fullmatch(text):
                wanted = "### Exercise 2.1 - recall  |  easy  |  5 min"
                yield f"cell {cell.id}: header `{text}` is not like `{wanted}` (easy, medium, hard or stretch)"
    found = read_exercises(lesson)
    numbers = sorted((exercise.lesson, exercise.number) for exercise in found)
    if numbers != [(int(lesson.number), n) for n in range(1, len(found) + 1)]:
        yield f"exercises are numbered {', '.join(f'{a}.{b}' for a, b in numbers)}, not {int(lesson.number)}.1 and on"
    core, wanted = [e for e in found if not e.stretch], 1 if lesson.number == "00" else 3
    if len(core) != wanted:
        yield f"{len(core)} core exercises, must be {wanted}"
    if len(found) - len(core) > MOST["stretch exercises"]:
        yield f"{len(found) - len(core)} stretch exercises, at most {MOST['stretch exercises']}"
    if sum(exercise.minutes for exercise in core) > _number(lesson, "minutes_do"):
        yield f"the core exercises take {sum(e.minutes for e in core)} min, more than minutes_do"
    for exercise in found:
        yield from (f"exercise {exercise.lesson}.{exercise.number} {problem}" for problem in _one_exercise(exercise))


def _one_exercise(exercise: Exercise) -> Iterator[str]:
    if not exercise.stretch and exercise.minutes > MOST["minutes of an exercise"]:
        yield f"takes {exercise.minutes} min, at most {MOST['minutes of an exercise']}"
    code = [cell for cell in exercise.cells if cell.kind == "code"]
    if not any(exercise.name in defined(cell) for cell in code if cell.has_answer):
        yield f"has no cell that defines {exercise.name} with an answer to remove"
    if not any(exercise.name in checked(cell) for cell in code):
        yield f"never calls check({exercise.name})"


def read_exercises(lesson: Lesson) -> list[Exercise]:
    """The exercises with a right header, each with the cells up to the next heading."""
    found: list[tuple[re.Match, list[Cell]]] = []
    inside = False
    for cell in lesson.cells:
        for _, text in headings(cell):
            if match := EXERCISE.fullmatch(text):
                found.append((match, []))
            inside = bool(match)
        if inside:
            found[-1][1].append(cell)
    return [Exercise(int(m[1]), int(m[2]), m[3], m[4] == "stretch", int(m[5]), tuple(cells)) for m, cells in found]


def questions(lesson: Lesson, root: Path) -> Iterator[str]:
    """Five questions, each in the bank."""
    if len(lesson.questions) != QUESTIONS or len(set(lesson.questions)) != QUESTIONS:
        yield f"{len(set(lesson.questions))} interview questions, must be {QUESTIONS}"
    for question in lesson.questions:
        if not list((_bank(root) / "questions" / question[:1]).glob(f"{question}-*.md")):
            yield f"question {question} is not in the bank"


def code(lesson: Lesson, root: Path) -> Iterator[str]:
    """Pictures are described, and no cell needs the learner's answer."""
    yield from picture_problems(lesson)
    yield from answer_problems(lesson)


def machine_paths(text: str) -> Iterator[str]:
    """Paths of one machine in code."""
    yield from (f"a path of one machine: {found[0]}" for found in prose.MACHINE_PATH.finditer(text))


def text_problems(root: Path = ROOT) -> list[str]:
    """What is wrong with the texts around the lessons: README and its like, docs, and the question bank."""
    files = [*root.glob("*.md"), *root.glob("docs/**/*.md"), *_bank(root).glob("questions/*/*.md")]
    found = ((path, prose.problems(path.read_text(encoding="utf-8"), path.parent, root)) for path in sorted(files))
    return [f"{path.relative_to(root).as_posix()}: {message}" for path, messages in found for message in messages]


def table(lessons: list[Lesson], root: Path) -> str:
    """The sizes of the lessons beside their limits."""
    names = ("words", "headings", "words in a row", "lines of a cell", "package modules", "minutes")
    rows = [["lesson", *names, "source lines"], ["limit", *(str(MOST[n]) for n in names), _between(SOURCE_LINES)]]
    for lesson in lessons:
        sizes = measure(lesson, root)
        rows.append([lesson.path.stem, *(str(sizes[n]) for n in names), str(len(lesson.text.splitlines()))])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True)) for row in rows)


def _prose(lesson: Lesson) -> list[Cell]:
    return [cell for cell in lesson.cells if cell.kind == "markdown" and not {"question", "teacher"} & set(cell.tags)]


def _stops_reading(cell: Cell) -> bool:
    return cell.kind == "code" or "question" in cell.tags


def _lines(cell: Cell) -> int:
    return len(cell.solved.strip().splitlines())


def _between(limits: range) -> str:
    return f"{limits[0]} to {limits[-1]}"


def _number(lesson: Lesson, key: str) -> int:
    value = lesson.course.get(key)
    return value if isinstance(value, int) else 0


def _modules(root: Path) -> set[str]:
    found = (root / "recsys_course").iterdir()
    return {path.stem for path in found if path.suffix == ".py" or (path / "__init__.py").exists()}


def _bank(root: Path) -> Path:
    return root / "recsys_course" / "interview" / "bank"


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lessons", nargs="*", help="numbers, such as 02; without any, all lessons and texts")
    chosen = parser.parse_args(arguments).lessons
    lessons, found = [], [] if chosen else text_problems(root)
    for path in lesson_files(root):
        if not chosen or path.stem[:2] in chosen:
            try:
                lessons.append(read_lesson(path))
            except LessonError as error:
                found.append(str(error))
    found += [f"lessons/{lesson.path.name}: {message}" for lesson in lessons for message in problems(lesson, root)]
    print(table([lesson for lesson in lessons if not list(syntax_problems(lesson))], root))
    print(*found, sep="\n")
    return int(any(": warning: " not in message for message in found) or not lessons)


if __name__ == "__main__":
    sys.exit(main())
