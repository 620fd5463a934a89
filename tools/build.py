"""Builds notebooks/ (answers removed) and solutions/ (run, outputs kept) from lessons/*.py, and the index of claims.

    python tools/build.py              rebuild what is stale
    python tools/build.py 00 02        only these lessons
    python tools/build.py --check      name what is stale or orphaned, and fail; starts no kernel
    python tools/build.py --force      run every solution again

A solution is stale when its lesson, a question that it embeds or this build changed, not whenever the package did:
nbval compares every solution with the package. Where only prose changed, the outputs are carried over.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from compose import ROOT, Course, sources
from execute import Meter, execute
from lesson import LessonError, read_lesson
from recsys_course.claims import collect


def stale(course: Course, lesson: Path) -> list[Path]:
    """Which of a lesson's two notebooks do not stand as they would be built now.

    Raises:
        LessonError: the lesson cannot be built.
    """
    notebook, solution = course.built(lesson)
    content = read_lesson(lesson)
    found = [] if _text(notebook) == dumps(course.learners(content)) else [notebook]
    old, new = _stored(solution), course.solved(content)
    same = old and old.metadata.get("course") == new.metadata.course and sources(old.cells) == sources(new.cells)
    return found if same else [*found, solution]


def orphans(course: Course) -> list[Path]:
    """Built notebooks whose lesson is gone."""
    names = {lesson.stem for lesson in course.lessons}
    built = (path for d in ("notebooks", "solutions") for path in (course.root / d).glob("[0-9][0-9]_*.ipynb"))
    return sorted(path for path in built if path.stem not in names)


def check(course: Course) -> list[str]:
    """What `--check` has to say, one line each."""
    paths, lines = [], []
    for lesson in course.lessons:
        try:
            paths += stale(course, lesson)
        except LessonError as error:
            lines.append(f"broken: {error}")
    try:
        paths += [] if _text(_claims_file(course)) == _claims(course) else [_claims_file(course)]
    except LessonError as error:
        lines.append(f"broken: {error}")
    lines += [f"stale: {path.relative_to(course.root).as_posix()} (run: python tools/build.py)" for path in paths]
    return lines + _orphan_lines(course)


def build(course: Course, lesson: Path, force: bool = False) -> str:
    """Write what is stale of one lesson.

    Returns:
        A line that says what was done, "" if nothing.

    Raises:
        LessonError: a cell failed or wrote to stderr; the old solution stays.
    """
    notebook, solution = course.built(lesson)
    wanted, content = stale(course, lesson), read_lesson(lesson)
    if notebook in wanted:
        write(notebook, dumps(course.learners(content)))
    if solution not in wanted and not force:
        return f"built notebooks/{notebook.name}" if wanted else ""
    new = course.solved(content)
    if not force and _carry_over(_stored(solution), new):
        cost = "outputs carried over, the code is unchanged"
    else:
        used = run(new, f"lessons/{lesson.name}")
        cost = f"{used.cpu_seconds:.1f} s of CPU, {used.peak_mb:.0f} MB at most"
    write(solution, dumps(new))
    return f"built solutions/{solution.name}: {cost}"


def build_claims(course: Course) -> str:
    """Write the index of claims if it is stale; says what was done.

    Raises:
        LessonError: a claim cannot be collected.
    """
    path, text = _claims_file(course), _claims(course)
    if _text(path) == text:
        return ""
    write(path, text)
    return "built recsys_course/claims.json"


def run(notebook: NotebookNode, name: str) -> Meter:
    """Execute a solution and drop what differs from run to run.

    Raises:
        LessonError: a cell failed, or wrote to stderr without the tag `allow-stderr`.
    """
    metadata = {key: notebook.metadata[key] for key in ("course", "kernelspec")}
    tags = {cell.id: cell.metadata.get("tags") for cell in notebook.cells}
    used = execute(notebook, name)
    notebook.metadata = nbformat.from_dict(metadata)
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({"tags": tags[cell.id]} if tags[cell.id] else {})
        if errors := [output for output in cell.get("outputs", ()) if output.get("name") == "stderr"]:
            if "allow-stderr" not in (tags[cell.id] or ()):
                text = errors[0].text.strip()[:300]
                raise LessonError(f"{name}: cell {cell.id} writes to stderr (mend it, or tag it allow-stderr): {text}")
            cell.outputs = [output for output in cell.outputs if output not in errors]
    return used


def dumps(notebook: NotebookNode) -> str:
    """The text of a notebook file, the same for the same notebook."""
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def write(path: Path, text: str) -> None:
    """Replace a file at once: a reader sees the old text or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8", newline="\n")
    temporary.replace(path)


def _carry_over(stored: NotebookNode | None, built: NotebookNode) -> bool:
    """Copy the outputs if the code is unchanged, and say whether it was."""
    if not stored or stored.metadata.get("course", {}).get("code") != built.metadata.course.code:
        return False
    old, new = ([cell for cell in book.cells if cell.cell_type == "code"] for book in (stored, built))
    if sources(old) != sources(new):
        return False
    for before, after in zip(old, new, strict=True):
        after.outputs, after.execution_count = before.outputs, before.execution_count
    return True


def _text(path: Path) -> str | None:
    return path.read_bytes().decode("utf-8", errors="replace") if path.exists() else None


def _stored(path: Path) -> NotebookNode | None:
    """A built notebook; None if there is none or it is damaged."""
    try:
        return nbformat.reads(_text(path) or "", as_version=4)
    except Exception:  # nbformat has no common error for what is not a notebook
        return None


def _claims_file(course: Course) -> Path:
    return course.root / "recsys_course" / "claims.json"


def _claims(course: Course) -> str:
    """The text of the index of claims.

    Raises:
        LessonError: a claim cannot be collected; names file and line.
    """
    try:
        return json.dumps(collect(course.root), indent=1, ensure_ascii=False) + "\n"
    except (ValueError, SyntaxError) as error:
        raise LessonError(f"the index of claims: {error}") from None


def _orphan_lines(course: Course) -> list[str]:
    paths = [path.relative_to(course.root).as_posix() for path in orphans(course)]
    return [f"orphan: {path} has no lesson: remove it" for path in paths]


def _attempt(work: Callable[[], str]) -> bool:
    """Do it and report; whether it went well."""
    try:
        if line := work():
            print(line, flush=True)
    except LessonError as error:
        print(f"failed: {error}", file=sys.stderr, flush=True)
        return False
    return True


def _options(arguments: list[str] | None) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lessons", nargs="*", help="numbers or names, such as 02; without any, all")
    parser.add_argument("--check", action="store_true", help="build nothing; name what is stale and exit with 1")
    parser.add_argument("--force", action="store_true", help="run solutions again even where nothing changed")
    parser.add_argument("--jobs", type=int, default=2, help="notebooks to run at once (default: 2)")
    return parser, parser.parse_args(arguments)


def _chosen(parser: argparse.ArgumentParser, course: Course, names: list[str]) -> list[Path]:
    unknown = set(names) - {name for lesson in course.lessons for name in (lesson.stem[:2], lesson.stem)}
    if unknown or not course.lessons:
        parser.error(f"lessons/ has no lesson {', '.join(sorted(unknown))}")
    return [lesson for lesson in course.lessons if not names or {lesson.stem[:2], lesson.stem} & set(names)]


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Run the command; returns its exit status."""
    parser, options = _options(arguments)
    course, done = Course(root), []
    if options.check:
        lines = check(course)
    else:
        chosen = _chosen(parser, course, options.lessons)
        work = [partial(build_claims, course), *(partial(build, course, lesson, options.force) for lesson in chosen)]
        with ThreadPoolExecutor(options.jobs) as pool:
            done = list(pool.map(_attempt, work))
        lines = [] if options.lessons else _orphan_lines(course)
    print(*lines, sep="\n", end="\n" * bool(lines))
    return int(bool(lines) or not all(done))


if __name__ == "__main__":
    sys.exit(main())
