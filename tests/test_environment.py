"""The routes into the course agree: pyproject.toml, constraints.txt, environment.yml and what the package imports."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CONDA_NAMES = {"torch": "pytorch", "torch_geometric": "pytorch_geometric"}
PIP_ONLY = {"fsrs", "genanki"}  # conda-forge has none: pip brings it with the course itself
IMPORT_NAMES = {"markdown-it-py": "markdown_it", "pyyaml": "yaml", "faiss-cpu": "faiss", "scikit-learn": "sklearn"}
WITH_JUPYTERLAB = {"IPython", "jupyter_server", "tornado"}


def split(requirement: str) -> tuple[str, frozenset[str]]:
    """``"torch >=2.11,<3"`` to its name and its bounds."""
    name, bounds = re.fullmatch(r"([\w.-]+)\s*(.*)", requirement).groups()
    return name.lower(), frozenset(bound.strip() for bound in bounds.split(",") if bound)


def imports(path: Path) -> set[str]:
    """Top-level packages that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.split(".")[0])
    return names


def test_conda_and_pip_name_the_same_packages_with_the_same_ranges():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))["dependencies"]
    have = dict(split(line) for line in conda if isinstance(line, str) and line != "pip")
    want = {CONDA_NAMES.get(name, name): bounds for name, bounds in map(split, PROJECT["dependencies"])}
    want = {name: bounds for name, bounds in want.items() if name not in PIP_ONLY}
    want["python"] = frozenset(PROJECT["requires-python"].split(","))
    assert have == want
    assert conda[-1] == {"pip": ["-e ."]}


@pytest.mark.parametrize("extra", ["core", "test"])
def test_each_required_package_has_its_version_pinned_within_its_range(extra):
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text("utf-8").split() if "==" in line)
    pins = {canonicalize_name(name): version for name, version in pins.items()}
    lines = PROJECT["dependencies"] if extra == "core" else PROJECT["optional-dependencies"][extra]
    for requirement in map(Requirement, lines):
        pin = pins.get(canonicalize_name(requirement.name))
        assert pin, f"constraints.txt does not pin {requirement.name}"
        assert requirement.specifier.contains(pin), f"{requirement} does not admit the pinned {pin}"


def test_the_package_imports_only_what_it_depends_on():
    named = {split(line)[0] for line in PROJECT["dependencies"]}
    allowed = {IMPORT_NAMES.get(name, name).replace("-", "_") for name in named} | {"recsys_course"}
    bank = ROOT / "recsys_course/interview/bank"  # what is run there is somebody's answer and its tests
    for path in set((ROOT / "recsys_course").rglob("*.py")) - set(bank.rglob("*.py")):
        strange = imports(path) - sys.stdlib_module_names - allowed - WITH_JUPYTERLAB
        assert not strange, f"{path.relative_to(ROOT)} imports {strange}, which pyproject.toml does not name"
