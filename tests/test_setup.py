"""``python tools/setup.py`` and ``make``, with a Python of straw in place of the one that would install gigabytes."""

import ast
import importlib.util
import json
import os
import re
import socket
import stat
import subprocess
import sys
import threading
import time
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "tools" / "setup.py"

# Stands for .venv/bin/python: notes what it is asked, knows a torch when there is a file of that name, and lets pip
# fail as pip.json says. Asked for `-m venv`, it makes an environment with itself in it.
STRAW = """#!{python}
import json, shutil, sys
from pathlib import Path
HOME = Path({home!r})
arguments = sys.argv[1:]
if arguments[0] == "-c" and "import torch" in arguments[1]:
    print((HOME / "torch").read_text())
elif arguments[0] == "-c" and "purelib" in arguments[1]:
    print(HOME / "site")
elif arguments[0] == "-c":
    exec(arguments[1])
else:
    with (HOME / "calls").open("a") as calls:
        calls.write(json.dumps(arguments[1:]) + "\\n")
    if arguments[1] == "venv":
        folder = Path(arguments[-1])
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "bin").mkdir(parents=True)
        (folder / "pyvenv.cfg").touch()
        shutil.copy(__file__, folder / "bin" / "python")
    for rule in json.loads((HOME / "pip.json").read_text()):
        if all(word in arguments for word in rule["when"]):
            print(rule["says"])
            sys.exit(rule["exits"])
    if any(word.startswith("torch==") for word in arguments):
        (HOME / "torch").write_text("2.13.0+cpu")
"""
NO_CPU_BUILD = {"when": ["--dry-run"], "says": "ERROR: No matching distribution found", "exits": 1}
NO_NETWORK = {
    "when": ["."],
    "says": "WARNING: Retrying after connection broken by 'NewConnectionError(...)'\n" * 5
    + "ERROR: Could not find a version that satisfies the requirement jupyterlab",
    "exits": 1,
}


class HandedOver(Exception):
    """Raised in place of replacing this process by the command in it."""


def load():
    spec = importlib.util.spec_from_file_location("course_setup", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def setup(monkeypatch):
    """The script as a module, on a Linux without a GPU, with plenty of disk, that hands over to nothing."""
    module = load()

    def hand_over(program, command):
        raise HandedOver(*command)

    monkeypatch.setattr(module.os, "execv", hand_over)
    monkeypatch.setattr(module, "has_gpu", lambda: False)
    monkeypatch.setattr(module, "answers", lambda url: False)
    monkeypatch.setattr(module.sys, "platform", "linux")
    free(monkeypatch, module, gigabytes=500)
    return module


@pytest.fixture
def clone(tmp_path, monkeypatch, setup):
    """A clone without an environment, and the Python of straw as the one that runs the script."""
    clone, home = tmp_path / "clone", tmp_path / "home"
    (home / "site").mkdir(parents=True)
    (home / "pip.json").write_text("[]")
    clone.mkdir()
    (clone / "pyproject.toml").write_text("[project]\n")
    (clone / "constraints.txt").write_text("numpy==2.4.6\ntorch==2.13.0\n")
    straw = home / "python3"
    straw.write_text(STRAW.format(python=sys.executable, home=str(home)))
    straw.chmod(0o755)
    monkeypatch.setattr(setup.sys, "executable", str(straw))
    monkeypatch.chdir(tmp_path)
    return clone


def free(monkeypatch, module, gigabytes):
    usage = type("Usage", (), {"free": gigabytes * 1e9})
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage)


def run(setup, clone, *arguments):
    """Exit status, or the command that the script hands over to, without the Python in front."""
    try:
        return setup.main(list(arguments), clone)
    except HandedOver as handed:
        return list(handed.args[1:])


def calls(clone):
    """What the Python of straw was asked to do with -m."""
    path = clone.parent / "home" / "calls"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def installs(clone):
    """The last words of each real call of pip: what it was to install."""
    return [call[-1] for call in calls(clone) if call[:2] == ["pip", "install"] and "--dry-run" not in call]


def rules(clone, *rules):
    (clone.parent / "home" / "pip.json").write_text(json.dumps(rules))


def make_ready(setup, clone):
    run(setup, clone, "lab")
    (clone.parent / "home" / "calls").unlink()


def one_sentence(capsys):
    """What stands on stderr, if it is a single line."""
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_the_first_call_makes_an_environment_installs_torch_first_and_opens_the_lab(setup, clone):
    assert run(setup, clone, "lab", "--port", "8999") == ["-m", "recsys_course.cli", "lab", "--port", "8999"]
    assert calls(clone)[0][:2] == ["venv", "--clear"]
    assert installs(clone) == ["torch==2.13.0", "."]
    assert all("constraints.txt" in call for call in calls(clone) if call[-1] == ".")


def test_a_second_call_installs_nothing_and_takes_less_than_two_seconds(setup, clone):
    make_ready(setup, clone)
    started = time.perf_counter()
    assert run(setup, clone, "lab") == ["-m", "recsys_course.cli", "lab"]
    assert calls(clone) == []
    assert time.perf_counter() - started < 2


def test_testing_adds_its_own_packages_once_and_the_lab_then_needs_none(setup, clone, monkeypatch):
    monkeypatch.setattr(setup, "run_ruff", lambda environment: None)
    make_ready(setup, clone)
    assert run(setup, clone, "test", "-k", "metrics")[-2:] == ["-k", "metrics"]
    assert installs(clone) == [".[test]"]
    run(setup, clone, "test")
    run(setup, clone, "lab")
    assert installs(clone) == [".[test]"]


def test_the_lab_needs_no_installation_after_testing_came_first(setup, clone, monkeypatch):
    monkeypatch.setattr(setup, "run_ruff", lambda environment: None)
    run(setup, clone, "test")
    run(setup, clone, "lab")
    assert installs(clone) == ["torch==2.13.0", ".[test]"]


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_changed_requirements_are_installed_but_torch_is_left_alone(setup, clone, name):
    make_ready(setup, clone)
    with (clone / name).open("a") as file:
        file.write("# new\n")
    run(setup, clone, "lab")
    assert installs(clone) == ["."]


def test_another_pin_of_torch_is_installed(setup, clone):
    make_ready(setup, clone)
    (clone / "constraints.txt").write_text("torch==2.14.0\n")
    run(setup, clone, "lab")
    assert installs(clone) == ["torch==2.14.0", "."]


def test_a_clone_that_was_moved_is_installed_anew(setup, clone):
    make_ready(setup, clone)
    moved = clone.rename(clone.with_name("moved"))
    run(setup, moved, "lab")
    assert installs(moved) == ["."]


def test_an_interrupted_installation_goes_on_where_it_stopped(setup, clone, capsys):
    rules(clone, {"when": ["."], "says": "Collecting jupyterlab", "exits": -9})
    assert run(setup, clone, "lab") == 1
    rules(clone)
    assert run(setup, clone, "lab") == ["-m", "recsys_course.cli", "lab"]
    assert installs(clone) == ["torch==2.13.0", ".", "."]
    assert [call[0] for call in calls(clone)].count("venv") == 1


def test_ctrl_c_says_that_the_same_command_goes_on(setup, clone, capsys, monkeypatch):
    def interrupted(environment):
        raise KeyboardInterrupt

    monkeypatch.setattr(setup, "install_torch", interrupted)
    assert run(setup, clone, "lab") == 130
    assert one_sentence(capsys) == "Stopped: the same command goes on from here."


def test_a_package_whose_installation_was_cut_short_is_not_taken_for_installed(setup, clone):
    site = clone.parent / "home" / "site"
    for name, files in {"torn-1.0.dist-info": ["METADATA"], "whole-1.0.dist-info": ["METADATA", "RECORD"]}.items():
        (site / name).mkdir()
        for file in files:
            (site / name / file).touch()
    run(setup, clone, "lab")
    assert [path.name for path in site.iterdir()] == ["whole-1.0.dist-info"]


def test_an_environment_whose_python_is_gone_is_made_anew(setup, clone):
    make_ready(setup, clone)
    python = clone / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3")
    assert run(setup, clone, "lab") == ["-m", "recsys_course.cli", "lab"]
    assert calls(clone)[0][0] == "venv"


def test_a_real_environment_without_pip_gets_one_and_keeps_its_packages(setup, clone, monkeypatch):
    monkeypatch.setattr(setup.sys, "executable", sys._base_executable)
    subprocess.run([sys._base_executable, "-m", "venv", "--without-pip", clone / ".venv"], check=True)
    kept = next((clone / ".venv" / "lib").glob("python*")) / "site-packages" / "kept.py"
    kept.touch()
    environment = setup.Environment(clone)
    assert environment.says("import pip") is None
    setup.make_environment(environment)
    assert environment.says("import pip") == ""
    assert kept.exists()


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_something_else_named_venv_is_named_and_left_alone(setup, clone, capsys, kind):
    thing = clone / ".venv" / "notes.txt" if kind == "folder" else clone / ".venv"
    thing.parent.mkdir(exist_ok=True)
    thing.write_text("mine")
    assert run(setup, clone, "lab") == 1
    assert ".venv" in one_sentence(capsys)
    assert thing.read_text() == "mine"


def test_a_python_without_venv_names_the_package_to_install(setup, clone, capsys, monkeypatch):
    monkeypatch.setattr(setup.importlib.util, "find_spec", lambda name: None)
    assert run(setup, clone, "lab") == 1
    assert f"sudo apt install python3.{sys.version_info[1]}-venv" in one_sentence(capsys)


@pytest.mark.parametrize("version", [(3, 6, 15), (3, 10, 14), (3, 14, 0)])
def test_a_python_out_of_range_is_named_with_what_to_do(setup, clone, capsys, monkeypatch, version):
    monkeypatch.setattr(setup.shutil, "which", lambda name: None)
    monkeypatch.setattr(setup.sys, "version_info", version)
    assert run(setup, clone, "lab") == 1
    sentence = one_sentence(capsys)
    assert "needs Python 3.11 to 3.13" in sentence
    assert "is {}.{}.{}: install one".format(*version) in sentence
    assert not (clone / ".venv").exists()


def test_a_suitable_python_on_the_path_is_proposed_by_name(setup, monkeypatch):
    monkeypatch.setattr(setup.shutil, "which", lambda name: name if name == "python3.12" else None)
    with pytest.raises(setup.Problem, match=r"type: make lab PYTHON=python3\.12$"):
        setup.check_python((3, 9, 6), "python3")


def test_an_old_python_may_call_when_the_environment_is_ready(setup, clone, monkeypatch):
    make_ready(setup, clone)
    monkeypatch.setattr(setup.sys, "version_info", (3, 9, 6))
    assert run(setup, clone, "lab") == ["-m", "recsys_course.cli", "lab"]


def test_the_range_of_pythons_is_that_of_the_project(setup):
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    assert wanted == f">=3.{setup.OLDEST[1]},<3.{setup.NEWEST[1] + 1}"


def test_python_3_6_can_read_the_script():
    tree = ast.parse(SOURCE.read_text("utf-8"), feature_version=(3, 6))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.NamedExpr)]
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert not [f.name for f in functions if f.returns or any(a.annotation for a in f.args.args)]
    modules = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    assert modules <= sys.stdlib_module_names - {"tomllib", "graphlib", "zoneinfo"}


@pytest.mark.parametrize("gigabytes", [0.1, 2.9])
def test_too_little_disk_is_said_before_anything_is_made(setup, clone, capsys, monkeypatch, gigabytes):
    free(monkeypatch, setup, gigabytes)
    assert run(setup, clone, "lab") == 1
    assert f"{gigabytes:.1f} GB free and the installation needs about 3 GB" in one_sentence(capsys)
    assert not (clone / ".venv").exists()


def test_what_is_installed_already_needs_no_disk_a_second_time(setup, clone, monkeypatch):
    make_ready(setup, clone)
    (clone / "pyproject.toml").write_text("[project]\n# new\n")
    free(monkeypatch, setup, gigabytes=1)
    assert run(setup, clone, "lab") == ["-m", "recsys_course.cli", "lab"]


def test_no_network_is_one_sentence_and_pips_wall_of_text_is_in_the_log(setup, clone, capsys):
    rules(clone, NO_NETWORK)
    assert run(setup, clone, "lab") == 1
    sentence = one_sentence(capsys)
    assert sentence.startswith("The package index cannot be reached: check the network or the proxy")
    assert "NewConnectionError" not in sentence
    assert "NewConnectionError" in (clone / ".venv" / "setup.log").read_text("utf-8")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "is full"),
        (
            "Collecting x\nERROR: x needs a compiler\nhint: none",
            "pip could not install the packages: x needs a compiler",
        ),
        ("", "it did not say why"),
    ],
)
def test_other_failures_of_pip_are_one_sentence_each(setup, clone, capsys, said, expected):
    rules(clone, {"when": ["."], "says": said, "exits": 1})
    assert run(setup, clone, "lab") == 1
    assert expected in one_sentence(capsys)


def test_without_a_gpu_a_build_that_pip_finds_by_itself_is_taken(setup, clone):
    assert setup.torch_source(prepared(setup, clone), "2.13.0")[0] is None
    assert calls(clone)[-1][-1] == "torch==2.13.0+cpu"


def test_without_a_gpu_torch_comes_alone_from_the_index_without_cuda(setup, clone, monkeypatch):
    rules(clone, NO_CPU_BUILD)
    monkeypatch.setattr(setup, "answers", lambda url: True)
    run(setup, clone, "lab")
    (torch,) = [call for call in calls(clone) if call[-1] == "torch==2.13.0" and "--dry-run" not in call]
    assert torch[-4:-1] == ["--no-deps", "--index-url", setup.CPU_INDEX]


def test_an_index_without_this_torch_gives_way_to_the_default_one(setup, clone, monkeypatch, capsys):
    rules(clone, NO_CPU_BUILD, {"when": ["--index-url"], "says": "ERROR: No matching distribution", "exits": 1})
    monkeypatch.setattr(setup, "answers", lambda url: True)
    assert run(setup, clone, "lab") == ["-m", "recsys_course.cli", "lab"]
    assert installs(clone) == ["torch==2.13.0", "torch==2.13.0", "."]
    assert "from the default index instead" in capsys.readouterr().out


def test_when_that_index_is_out_of_reach_the_large_download_is_announced_and_disk_for_it_demanded(
    setup, clone, monkeypatch, capsys
):
    rules(clone, NO_CPU_BUILD)
    run(setup, clone, "lab")
    assert f"a download of about 3 GB, because {setup.CPU_INDEX} does not answer" in capsys.readouterr().out
    assert not any("--index-url" in call for call in calls(clone))
    (clone.parent / "home" / "torch").unlink()
    (clone / "pyproject.toml").write_text("[project]\n# new\n")
    free(monkeypatch, setup, gigabytes=5)
    assert run(setup, clone, "lab") == 1
    assert "needs about 10 GB" in capsys.readouterr().err


@pytest.mark.parametrize(("windows", "index"), [(False, None), (True, "CUDA_INDEX")])
def test_a_gpu_gets_a_torch_that_uses_it(setup, clone, monkeypatch, windows, index):
    monkeypatch.setattr(setup, "has_gpu", lambda: True)
    monkeypatch.setattr(setup, "WINDOWS", windows)
    found = setup.torch_source(setup.Environment(clone), "2.13.0")
    assert found[0] == (index and getattr(setup, index))
    assert found[2] == setup.CUDA_GB
    assert calls(clone) == []


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_without_a_gpu_other_systems_take_the_default_index(setup, clone, monkeypatch, platform):
    monkeypatch.setattr(setup.sys, "platform", platform)
    monkeypatch.setattr(setup.platform, "machine", lambda: "arm64")
    assert setup.torch_source(setup.Environment(clone), "2.13.0")[0] is None
    assert calls(clone) == []


def test_an_intel_mac_is_told_that_there_is_no_torch_for_it(setup, clone, monkeypatch, capsys):
    monkeypatch.setattr(setup.sys, "platform", "darwin")
    monkeypatch.setattr(setup.platform, "machine", lambda: "x86_64")
    assert run(setup, clone, "lab") == 1
    assert "not made for Macs with an Intel processor" in one_sentence(capsys)


def prepared(setup, clone):
    """The clone's environment, made but with nothing in it."""
    environment = setup.Environment(clone)
    setup.make_environment(environment)
    return environment


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/cpu/torch/" else 404)
        self.end_headers()

    def log_message(self, *_):
        pass


def test_an_index_answers_only_if_it_has_torch_and_is_quick():
    answers = load().answers
    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert answers(f"http://127.0.0.1:{server.server_port}/cpu")
        assert not answers(f"http://127.0.0.1:{server.server_port}/other")
    finally:
        server.shutdown()
        server.server_close()
    assert not answers(f"http://127.0.0.1:{server.server_port}/cpu")
    with socket.create_server(("127.0.0.1", 0)) as mute:
        started = time.perf_counter()
        assert not answers(f"http://127.0.0.1:{mute.getsockname()[1]}/cpu", timeout=0.3)
        assert time.perf_counter() - started < 2


def test_on_a_terminal_the_status_is_one_line_that_fits(setup, monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "40")
    over = threading.Event()
    threading.Timer(0.7, over.set).start()
    setup.tell("Installing", ["Downloading " + "x" * 100], over)
    shown = capsys.readouterr().out
    assert shown.count("\n") == 1
    assert all(len(line) <= 40 for line in shown.split("\r"))
    assert re.search("Installing: [01] s Downloading xxx", shown)


def test_ruff_comes_before_pytest_and_stops_it(setup, clone, monkeypatch, capsys):
    monkeypatch.setattr(setup.subprocess, "call", lambda command, cwd: command[1:] != ["-m", "ruff", "check", "."])
    assert run(setup, clone, "test")[:2] == ["-m", "pytest"]
    monkeypatch.setattr(setup.subprocess, "call", lambda command, cwd: 1)
    assert run(setup, clone, "test") == 1
    assert one_sentence(capsys) == "ruff found something: mend it and try again."


@pytest.mark.parametrize("arguments", [[], ["play"]])
def test_a_wrong_command_exits_with_2_and_shows_the_usage(setup, clone, capsys, arguments):
    assert run(setup, clone, *arguments) == 2
    assert one_sentence(capsys).startswith("usage: python tools/setup.py {lab,test,run}")


def test_help_installs_nothing(setup, clone, capsys):
    assert run(setup, clone, "--help") == 0
    assert "setup.py lab" in capsys.readouterr().out
    assert calls(clone) == []


def test_a_folder_that_cannot_be_written_is_one_sentence(setup, clone, capsys, monkeypatch):
    def refuse(environment):
        raise PermissionError(13, "Permission denied", str(clone / ".venv"))

    monkeypatch.setattr(setup, "forget_torn_packages", refuse)
    assert run(setup, clone, "lab") == 1
    assert "Permission denied" in one_sentence(capsys)


def test_make_passes_the_chosen_python_and_the_options_on():
    shown = subprocess.run(
        ["make", "--no-print-directory", "-n", "lab", "test", "PYTHON=python3.12", "ARGS=-k metrics"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert shown.splitlines() == [
        "python3.12 tools/setup.py lab -k metrics",
        "python3.12 tools/setup.py test -k metrics",
    ]


def test_every_make_target_is_one_short_line_and_names_files_that_exist():
    text = (ROOT / "Makefile").read_text("utf-8")
    targets = re.findall(r"^(\w+):\s*;(.*)$", text, re.M)
    assert [name for name, _ in targets] == re.search(r"\.PHONY: (.*)", text)[1].split()
    for name, line in targets:
        assert len(line) <= 130, name
        for path in re.findall(r"\b(?:tools|benchmarks)/\w+\.py", line):
            assert (ROOT / path).exists(), path


def test_ci_runs_the_same_command_and_lets_no_test_be_skipped_for_want_of_a_browser():
    script = ROOT / ".ci" / "run"
    text = script.read_text("utf-8")
    assert script.stat().st_mode & stat.S_IXUSR
    assert text.startswith("#!/usr/bin/env bash\n") and "set -euo pipefail" in text
    assert "export CI=true" in text
    assert text.rstrip().endswith("\nmake test")
    assert "chromium" in text and "fonts-noto-cjk" in text
    subprocess.run(["bash", "-n", str(script)], check=True, env=os.environ)


@pytest.mark.parametrize(("ci", "status", "word"), [("", 0, "3 skipped"), ("true", 1, "3 errors")])
def test_without_chromium_the_browser_tests_say_so_and_fail_in_ci_alone(ci, status, word):
    command = [sys.executable, "-m", "pytest", "-rsE", "-p", "no:cacheprovider", "tests/test_browser.py"]
    environment = os.environ | {"PATH": "/nowhere", "CI": ci}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == status
    assert word in done.stdout.splitlines()[-1]
    assert "no Chromium on this machine (Debian: apt install chromium)" in done.stdout
