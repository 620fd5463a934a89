"""Composes the two notebooks of a lesson: the learner's, without answers, and the solution before it is run."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from lesson import TEXT_STUB, Cell, Lesson, LessonError, lesson_files
from recsys_course.interview.bank import BankError, answer_markdown, load_question, prompt_markdown

ROOT = Path(__file__).resolve().parent.parent
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
RUNNER = hashlib.sha256(Path(__file__).with_name("execute.py").read_bytes()).hexdigest()
ADDED_TAGS = {  # nbclient and nbval each have their own word for an expected error; stored outputs have no stderr
    "raises-exception": "nbval-raises-exception",
    "nbval-raises-exception": "raises-exception",
    "allow-stderr": "nbval-ignore-output",
}


@dataclass(frozen=True)
class Course:
    """A project with lessons: what is built from each, and where it stands.

    Attributes:
        root: top folder of the project.
    """

    root: Path = ROOT

    @cached_property
    def lessons(self) -> list[Path]:
        """The files of the lessons, in order."""
        return lesson_files(self.root)

    def built(self, lesson: Path) -> tuple[Path, Path]:
        """The learner's notebook and the solution of a lesson."""
        return tuple(self.root / folder / f"{lesson.stem}.ipynb" for folder in ("notebooks", "solutions"))

    def learners(self, lesson: Lesson) -> NotebookNode:
        """The notebook that a learner gets: stubs for answers, prompts with a place to answer, no outputs."""
        cells = [self._head(lesson, "Lesson")]
        for cell in lesson.cells:
            if "question" in cell.tags:
                cells += self._prompts(lesson, cell)
            elif "teacher" not in cell.tags:
                cells.append(_cell(cell, cell.stubbed))
        return new_notebook(cells=cells, metadata={"kernelspec": KERNEL, "course": {"lesson": lesson.path.stem}})

    def solved(self, lesson: Lesson) -> NotebookNode:
        """The solution before it is run, with the hashes that tell whether a stored one is stale."""
        cells = [self._head(lesson, "Solutions of lesson")]
        for cell in lesson.cells:
            cells += self._answers(lesson, cell) if "question" in cell.tags else [_cell(cell, cell.solved)]
        code = [cell for cell in cells if cell.cell_type == "code"]
        hashes = {"lesson": lesson.path.stem, "source": _digest(cells), "code": _digest(code, RUNNER)}
        return new_notebook(cells=cells, metadata={"kernelspec": KERNEL, "course": hashes})

    def _head(self, lesson: Lesson, title: str) -> NotebookNode:
        """The generated cell at the top: where this is, what it takes, and the way to the neighbours."""
        here, about = self.lessons.index(lesson.path), lesson.course
        links = [f"[← lesson {path.stem[:2]}]({path.stem}.ipynb)" for path in self.lessons[max(here - 1, 0) : here]]
        links.append(f"**{title} {lesson.number}**")
        links += [f"[lesson {path.stem[:2]} →]({path.stem}.ipynb)" for path in self.lessons[here + 1 : here + 2]]
        facts = [f"{about.get('level')} · {about.get('minutes_read')} min to read, {about.get('minutes_do')} min to do"]
        facts.append(f"{about.get('cpu_seconds')} s of CPU, {about.get('ram_mb')} MB")
        facts += [f"needs lesson {number}" for number in about.get("requires", ())]
        facts.append(f"generated from `lessons/{lesson.path.name}`")
        return new_markdown_cell(f"{' · '.join(links)}\n\n{' · '.join(facts)}", id=f"{lesson.number}-head")

    def _questions(self, lesson: Lesson, cell: Cell) -> Iterator[tuple[str, str, str]]:
        """Lower-case id, prompt and answer of each question that a cell names."""
        for name in cell.source.split():
            try:
                question = load_question(name, self.root / "recsys_course" / "interview" / "bank")
            except BankError as error:
                raise LessonError(f"lessons/{lesson.path.name}: cell {cell.id}: {error}") from None
            prompt, answer = prompt_markdown(question), answer_markdown(question)
            yield name.lower(), prompt.replace("](/", "](../"), answer.replace("](/", "](../")

    def _prompts(self, lesson: Lesson, cell: Cell) -> Iterator[NotebookNode]:
        for name, prompt, _ in self._questions(lesson, cell):
            answer = f"../solutions/{lesson.path.stem}.ipynb#cell-id={lesson.number}-reply-{name}"
            grade = f"grade yourself with [the model answer and its rubric]({answer})"
            text = f"{prompt}\n\nAnswer aloud or below, then {grade}."
            yield new_markdown_cell(text, id=f"{lesson.number}-question-{name}")
            yield new_markdown_cell(TEXT_STUB, id=f"{lesson.number}-reply-{name}")

    def _answers(self, lesson: Lesson, cell: Cell) -> Iterator[NotebookNode]:
        for name, prompt, answer in self._questions(lesson, cell):
            yield new_markdown_cell(prompt, id=f"{lesson.number}-question-{name}")
            yield new_markdown_cell(answer, id=f"{lesson.number}-reply-{name}")


def sources(cells: list[NotebookNode]) -> list[tuple]:
    """What of each cell comes from the lesson: kind, id, text and tags."""
    return [(cell.cell_type, cell.id, cell.source, tuple(cell.metadata.get("tags", ()))) for cell in cells]


def _digest(cells: list[NotebookNode], more: str = "") -> str:
    return hashlib.sha256((json.dumps(sources(cells)) + more).encode()).hexdigest()[:16]


def _cell(cell: Cell, source: str) -> NotebookNode:
    tags = sorted({*cell.tags, *(ADDED_TAGS[tag] for tag in cell.tags if tag in ADDED_TAGS)})
    metadata = {"tags": tags} if tags else {}
    if cell.kind == "markdown":
        return new_markdown_cell(source, id=cell.id, metadata=metadata)
    return new_code_cell(re.sub(r"(?m) +# noqa\b.*$", "", source), id=cell.id, metadata=metadata)
