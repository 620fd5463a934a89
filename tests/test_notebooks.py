"""The learners' notebooks hold no answers and run as shipped."""

import re
from pathlib import Path

import nbformat
import pytest

from execute import execute
from lesson import CODE_STUB, read_lesson

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


@every_notebook
def test_a_learners_notebook_holds_no_outputs_and_no_answers(path):
    lesson = read_lesson(ROOT / "lessons" / f"{path.stem}.py")
    text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
    assert "SOLUTION" not in text
    assert all(not cell.outputs and cell.execution_count is None for cell in code(path))
    assert text.count(CODE_STUB) >= sum(cell.has_answer for cell in lesson.cells if cell.kind == "code")


@pytest.mark.slow
@every_notebook
def test_a_learners_notebook_runs_from_top_to_bottom_as_shipped(path):
    notebook = nbformat.read(path, as_version=4)
    execute(notebook, path.name, skip="experiment")
    for cell in notebook.cells:
        if cell.cell_type == "code" and CODE_STUB in cell.source and re.search(r"(?m)^check\(", cell.source):
            printed = "".join(output.get("text", "") for output in cell.outputs)
            assert "not written yet" in printed, cell.id


# The test above, tested: it sees a notebook that breaks


def test_a_notebook_that_breaks_without_its_answer_is_named(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0", id="01-x-1")])
    with pytest.raises(ValueError, match=r"x.ipynb: cell 01-x-1: ZeroDivisionError: division by zero"):
        execute(notebook, "x.ipynb")


def test_a_long_experiment_is_left_out(tmp_path):
    cell = nbformat.v4.new_code_cell("1 / 0", metadata={"tags": ["experiment"]})
    execute(nbformat.v4.new_notebook(cells=[cell, nbformat.v4.new_code_cell("1")]), "x.ipynb", skip="experiment")
