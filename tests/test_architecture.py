"""The rules of the house, held against every file; each rule is first shown something that breaks it."""

import ast
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "recsys_course"
FOLDERS = ("recsys_course", "tools", "tests", "lessons", "benchmarks")
CONTENT = {"exercises", "interview"}  # lessons' data, not the library
SUBJECT = {"data", "base.py", "metrics", "losses.py", "sampling.py", "training", "models", "attention.py", "text"}
SUBJECT |= {"ranking", "profiles.py", "graph.py", "bandits.py", "language", "semantic.py"}
SUBJECT |= {
    "explain",
    "distributed",
    "serving",
    "compression.py",
    "simulate",
    "plots.py",
}  # what lessons teach
HEAVY = {
    "torch",
    "numpy",
    "pandas",
    "scipy",
    "matplotlib",
    "transformers",
    "peft",
    "sklearn",
    "torch_geometric",
    "pooch",
    "IPython",
}
PICKLES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
POSIX = {"fcntl", "resource", "termios", "tty", "pty", "pwd", "grp", "posix", "syslog", "crypt", "readline", "curses"}
MODEL_MAY_IMPORT = {"base", "data", "losses", "sampling", "training", "attention", "text", "graph", "profiles"}
MODEL_MAY_IMPORT |= {"semantic"}

EVERY_FILE = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
PACKAGE_FILES = [path for path in EVERY_FILE if PACKAGE in path.parents]
LIBRARY = [path for path in PACKAGE_FILES if path.relative_to(PACKAGE).parts[0] not in CONTENT]
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in EVERY_FILE}
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def where(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# --- what is imported


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names of everything imported anywhere in a file; a relative import begins with a dot."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from (f"{module}.{alias.name}" for alias in node.names)


def module_file(name: str) -> Path | None:
    """The package's file that defines the dotted name, or a name inside it."""
    parts = name.split(".")
    while parts and parts[0] == "recsys_course":
        stem = ROOT.joinpath(*parts)
        for file in (stem.with_suffix(".py"), stem / "__init__.py"):
            if file in TREES and file != PACKAGE / "__init__.py":
                return file
        parts.pop()
    return None


def reachable(start: Path) -> set[Path]:
    """Every file of the package that importing ``start`` may load, directly or not."""
    found, todo = set(), [start]
    while todo:
        found.add(file := todo.pop())
        todo += {target for name in imported(TREES[file]) if (target := module_file(name))} - found
    return found


@pytest.mark.parametrize(
    "module", ["recsys_course", "recsys_course.cli", "recsys_course.progress", "recsys_course.interview.bank"]
)
def test_what_must_start_fast_imports_nothing_heavy(module):
    code = f"import time, sys; t = time.perf_counter(); import {module}; print(time.perf_counter() - t, *sys.modules)"
    seconds, *loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    print(f"import {module}: {float(seconds):.3f} s")
    forbidden = HEAVY if module == "recsys_course" else HEAVY - {"numpy", "scipy"}
    assert not forbidden & set(loaded)
    assert module != "recsys_course" or float(seconds) < 0.3


@pytest.mark.parametrize("part", ["models", "metrics", "data", "base.py", "simulate"])
def test_the_library_never_reaches_checks_exercises_or_interview(part):
    files = [path for path in PACKAGE_FILES if path.relative_to(PACKAGE).parts[0] == part]
    assert files
    for file in files:
        ways = {
            where(f) for f in reachable(file) if f.relative_to(PACKAGE).parts[0] in CONTENT | {"checks", "checks.py"}
        }
        assert not ways, f"{where(file)} reaches {ways}"


def foreign_imports(tree: ast.AST) -> list[str]:
    """What a model's file imports from the package though it must not; one parent model is allowed."""
    ours = [
        name.removeprefix("recsys_course.").split(".") for name in imported(tree) if name.startswith("recsys_course")
    ]
    parents = {".".join(name[1:2]) for name in ours if name[0] == "models"}
    return [name[0] for name in ours if name[0] not in MODEL_MAY_IMPORT | {"models"}] + sorted(parents)[1:]


def test_a_model_imports_the_layers_below_it_and_at_most_one_parent():
    one = "from recsys_course import data\nfrom recsys_course.models.mf import MF, train"
    assert foreign_imports(ast.parse(one)) == []
    two = f"{one}\nfrom recsys_course import metrics\nfrom recsys_course.models.knn import ItemKNN"
    assert foreign_imports(ast.parse(two)) == ["metrics", "mf"]
    files = [path for path in PACKAGE_FILES if path.parent.name == "models" and path.name != "__init__.py"]
    assert len(files) >= 4
    assert {where(file): found for file in files if (found := foreign_imports(TREES[file]))} == {}


def top_level_posix(tree: ast.Module) -> set[str]:
    """Modules that Windows lacks, imported neither in a function nor under ``if`` or ``try``."""
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    return {name.split(".")[0] for name in imported(ast.Module(top, []))} & POSIX


def test_nothing_that_windows_lacks_is_imported_at_the_top():
    assert top_level_posix(ast.parse("from pty import spawn\nimport os")) == {"pty"}
    assert top_level_posix(ast.parse("def f():\n    import fcntl")) == set()
    assert {where(path): names for path in EVERY_FILE if (names := top_level_posix(TREES[path]))} == {}


def test_imports_are_absolute():
    assert list(imported(ast.parse("from .base import Model"))) == [".base.Model"]
    assert [where(path) for path in EVERY_FILE if any(name[0] == "." for name in imported(TREES[path]))] == []


# --- sizes and names


def docstring_lines(node: ast.AST) -> set[int]:
    has_docstring = isinstance(node, (ast.Module, ast.ClassDef, *FUNCTION)) and ast.get_docstring(node) is not None
    return set(range(node.body[0].lineno, node.body[0].end_lineno + 1)) if has_docstring else set()


def function_lengths(tree: ast.AST) -> dict[str, int]:
    """Lines of each function from ``def`` to its end, docstring excluded."""
    functions = [node for node in ast.walk(tree) if isinstance(node, FUNCTION)]
    return {f"{f.name}:{f.lineno}": f.end_lineno - f.lineno + 1 - len(docstring_lines(f)) for f in functions}


def count_code_lines(source: str) -> int:
    """Lines that are neither empty, nor a comment alone, nor part of a docstring."""
    documentation = set().union(*(docstring_lines(node) for node in ast.walk(ast.parse(source))))
    lines = enumerate(source.splitlines(), 1)
    return sum(bool(line.strip()) and not line.strip().startswith("#") and n not in documentation for n, line in lines)


def test_lines_are_counted_without_their_documentation():
    source = '"""Module."""\n\n# why\ndef f(x):\n    """One.\n\n    Two.\n    """\n    return x  # [n]\n'
    assert count_code_lines(source) == 2
    assert function_lengths(ast.parse(source)) == {"f:4": 2}


def test_the_library_stays_small():
    """What the lessons teach, at most 380 lines a lesson, and the machinery: checks, assets, commands."""
    lines = {path.relative_to(PACKAGE).parts[0]: 0 for path in LIBRARY}
    for path in LIBRARY:
        lines[path.relative_to(PACKAGE).parts[0]] += count_code_lines(path.read_text(encoding="utf-8"))
    subject = sum(lines[name] for name in lines.keys() & SUBJECT)
    machinery = sum(lines.values()) - subject
    print(f"{subject:,} lines of code in the subject, {machinery:,} in the machinery")
    assert subject < 380 * len(list((ROOT / "lessons").glob("*.py")))
    assert machinery < 2700


def test_functions_are_short():
    lengths = {f"{where(p)} {name}": n for p in PACKAGE_FILES for name, n in function_lengths(TREES[p]).items()}
    assert statistics.median(lengths.values()) <= 8
    assert statistics.mean(n <= 25 for n in lengths.values()) >= 0.9
    assert {name: n for name, n in lengths.items() if n > 50} == {}


def test_files_are_shorter_than_300_lines():
    files = LIBRARY + [path for path in EVERY_FILE if path.parent.name == "tools"]
    lengths = {where(path): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {name: n for name, n in lengths.items() if n >= 300} == {}


def test_no_file_is_a_drawer_for_odds_and_ends():
    drawers = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}
    assert [where(path) for path in EVERY_FILE if path.stem in drawers] == []


# --- documentation


def undocumented(node: ast.AST) -> Iterator[str]:
    """Public functions, classes and methods without a docstring; what is nested in a function is private."""
    for child in node.body:
        if isinstance(child, (ast.ClassDef, *FUNCTION)) and not child.name.startswith("_"):
            if ast.get_docstring(child) is None:
                yield child.name
            if isinstance(child, ast.ClassDef):
                yield from undocumented(child)


def test_everything_public_says_what_it_is():
    assert list(undocumented(ast.parse("class A:\n    def b(self): 1\n    def _c(self): 1"))) == ["A", "b"]
    files = {where(path): [*undocumented(TREES[path])] for path in PACKAGE_FILES}
    assert {name: missing for name, missing in files.items() if missing} == {}
    assert [where(path) for path in PACKAGE_FILES if ast.get_docstring(TREES[path]) is None] == []


# --- what runs somebody else's code


def dangers(tree: ast.AST) -> Iterator[str]:
    """Pickle, unsafe loading, remote code and shells, wherever they are used."""
    for name in imported(tree):
        if name.split(".")[0] in PICKLES or name in {"os.system", "os.popen", "torch.load"}:
            yield f"import of {name}"
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = ast.unparse(call.func)
        keywords = {k.arg: ast.unparse(k.value) for k in call.keywords}
        if name in {"os.system", "os.popen"} or name.endswith("_pickle"):
            yield f"{name} in line {call.lineno}"
        if name == "torch.load" and keywords.get("weights_only") != "True":
            yield f"torch.load without weights_only=True in line {call.lineno}"
        risky = {"shell", "trust_remote_code", "allow_pickle"} & keywords.keys()
        yield from (f"{key}={keywords[key]} in line {call.lineno}" for key in risky if keywords[key] != "False")


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "from os import system",
        "os.system('ls')",
        "frame.to_pickle('x')",
        "subprocess.run('ls', shell=True)",
        "torch.load('x')",
        "torch.load('x', weights_only=False)",
        "from torch import load",
        "Model.from_pretrained('x', trust_remote_code=True)",
        "np.load('x', allow_pickle=flag)",
    ],
)
def test_a_danger_is_recognised(source):
    assert len(list(dangers(ast.parse(source)))) == 1


def test_what_is_safe_is_let_through():
    safe = "import torch\ntorch.load('x', weights_only=True)\nsubprocess.run(['ls'], shell=False)\nnp.load('x')"
    assert list(dangers(ast.parse(safe))) == []


def test_no_file_runs_somebody_elses_code():
    found = {where(path): [*dangers(TREES[path])] for path in EVERY_FILE}
    assert {name: what for name, what in found.items() if what} == {}
