"""The built solutions give what they store, within their budget, and leave nothing behind.

Strict nbval compares nothing in a cell without execution count, so that solutions are executed is a test of its own.
"""

import contextlib
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import psutil
import pytest

import build
import prose
from execute import Meter, environment
from lesson import lesson_files, read_lesson
from test_bank import project
from test_build import with_lesson

ROOT = Path(__file__).resolve().parent.parent
SANITIZE = Path(__file__).with_name("nbval_sanitize.cfg")
NOTEBOOKS, SOLUTIONS = (sorted((ROOT / folder).glob("*.ipynb")) for folder in ("notebooks", "solutions"))
CPU_SECONDS, RAM_MB, PICTURE_MB = 120, 4096, 1.5
WRITTEN_BY_PYG = "torch_geometric.nn.conv."  # PyTorch Geometric writes a module for each layer, and leaves it there
PROGRESS = re.compile(r"\d%\||█|\bit/s\b|\r")
ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}")

every_solution = pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)


def validate(solution: Path, folder: Path) -> tuple[subprocess.CompletedProcess, Meter, list[str]]:
    """Run a solution again under nbval, measure its kernel with all it starts, and name what it leaves behind.

    A port that stays open needs a process that holds it, so that processes and files are all there is to look for.
    """
    options = ["--nbval", "--nbval-current-env", f"--nbval-sanitize-with={SANITIZE}", "--nbval-cell-timeout=120"]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--rootdir={ROOT}", *options, str(solution)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "encoding": "utf-8"}
    temporary = folder / "temporary"
    temporary.mkdir()
    places = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))
    places["TORCHINDUCTOR_CACHE_DIR"] = str(folder / "torch")  # made whenever an optimiser is imported, and kept
    process = subprocess.Popen(command, env=environment(folder / "state") | places, cwd=ROOT, **pipes)
    with process, Meter(process.pid, own=False) as meter:
        output, _ = process.communicate(timeout=900)
    left = [f"process {process.pid}: {process.name()}" for process in alive(meter)]
    left += sorted(path.name for path in temporary.iterdir() if not path.name.startswith(WRITTEN_BY_PYG))
    return subprocess.CompletedProcess(command, process.returncode, output), meter, left


def alive(meter: Meter) -> list[psutil.Process]:
    """Those of all processes that were seen that still run; one that waits to be reaped does not."""
    running = []
    for pid, started in meter._cpu:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            if process.create_time() == started and process.status() != psutil.STATUS_ZOMBIE:
                running.append(process)
    return running


def code(path: Path) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def outputs(path: Path) -> list[tuple[str, nbformat.NotebookNode]]:
    """Cell id and output."""
    return [(cell.id, output) for cell in code(path) for output in cell.outputs]


def text_of(output: nbformat.NotebookNode) -> str:
    shown = [value for kind, value in output.get("data", {}).items() if kind.startswith("text/")]
    return "\n".join([output.get("text", ""), *shown, *output.get("traceback", [])])


def test_every_lesson_has_a_notebook_and_a_solution():
    names = [path.stem for path in lesson_files(ROOT)]
    assert names, "lessons/ is empty"
    assert set(names) <= {path.stem for path in NOTEBOOKS} & {path.stem for path in SOLUTIONS}


@pytest.mark.slow
@every_solution
def test_a_solution_gives_what_it_stores_within_its_budget_and_leaves_nothing_behind(path, tmp_path, say):
    result, meter, left = validate(path, tmp_path)
    about = read_lesson(ROOT / "lessons" / f"{path.stem}.py").course
    row = f"{path.stem:24} {meter.cpu_seconds:5.1f} s of CPU (states {about['cpu_seconds']:>2}, at most {CPU_SECONDS})"
    say(f"{row}   {meter.peak_mb:5.0f} MB (states {about['ram_mb']:>4}, at most {RAM_MB})")
    assert result.returncode == 0, result.stdout[-6000:]
    assert not left
    assert meter.cpu_seconds <= CPU_SECONDS
    assert meter.peak_mb <= RAM_MB


@every_solution
def test_a_solution_was_executed_from_top_to_bottom(path):
    counts = [cell.execution_count for cell in code(path)]
    assert counts == list(range(1, len(counts) + 1))


@every_solution
def test_a_solution_stores_no_stderr_and_no_error_that_is_not_expected(path):
    for cell in code(path):
        for output in cell.outputs:
            assert output.get("name") != "stderr", cell.id
            assert output.output_type != "error" or "raises-exception" in cell.metadata.get("tags", []), cell.id


@every_solution
def test_a_solution_stores_nothing_of_this_machine_and_of_one_run(path):
    for cell, output in outputs(path):
        text = text_of(output)
        for what in (prose.MACHINE_PATH, ADDRESS, PROGRESS):
            assert not what.search(text), f"{cell}: {what.search(text)[0]!r}"
        assert str(ROOT) not in text and str(Path.home()) not in text, cell


@every_solution
def test_the_pictures_of_a_solution_are_small_and_say_what_they_show(path):
    pictures = [(cell, output) for cell, output in outputs(path) if "image/png" in output.get("data", {})]
    assert sum(len(output.data["image/png"]) for _, output in pictures) * 3 / 4 < PICTURE_MB * 2**20
    for cell, output in pictures:
        assert output.metadata.get("image/png", {}).get("alt"), f"{cell}: no alternative text"


# The tests above, tested: they see a solution that lies or leaves something behind


CELL = "from recsys_course import __version__\n\nprint('three')\n"


def built(folder: Path, cell: str) -> Path:
    """The solution of a lesson of one cell."""
    root = with_lesson(project(folder), f"# ---\n# course:\n#   title: x\n# ---\n\n# %%\n{cell}")
    assert build.main([], root) == 0
    return root / "solutions/01_count.ipynb"


@pytest.fixture
def solution(tmp_path):
    """A solution that prints `three`."""
    return built(tmp_path, CELL)


def test_nbval_accepts_a_true_solution_and_the_kernel_is_measured(solution, tmp_path):
    result, meter, left = validate(solution, tmp_path)
    assert result.returncode == 0, result.stdout
    assert not left
    assert 0.1 < meter.cpu_seconds < 30
    assert 30 < meter.peak_mb < 500


@pytest.mark.parametrize(("old", "new"), [('"three\\n"', '"four\\n"'), ("print('three')", "print('four')")])
def test_nbval_refuses_a_solution_that_lies(solution, tmp_path, old, new):
    text = solution.read_text(encoding="utf-8")
    assert old in text
    solution.write_text(text.replace(old, new), encoding="utf-8")
    result, *_ = validate(solution, tmp_path)
    assert result.returncode == 1
    assert "mismatch 'stdout'" in result.stdout


LEFT_BEHIND = """import subprocess, sys, tempfile, time
from pathlib import Path
from recsys_course import __version__

Path(tempfile.mkdtemp(prefix="torn-"), "checkpoint").touch()
process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"], start_new_session=True)
time.sleep(1)
"""


def test_a_solution_that_leaves_a_process_and_a_folder_is_seen(tmp_path):
    (tmp_path / "run").mkdir()
    result, meter, left = validate(built(tmp_path, LEFT_BEHIND), tmp_path / "run")
    for process in alive(meter):
        process.kill()
    assert result.returncode == 0, result.stdout
    assert [re.sub(r"\d+|-\w+$", "", what) for what in left] == ["process : python", "torn"]
