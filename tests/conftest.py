import os
import shutil

import pytest

from terminal import Terminal

if "PYTEST_XDIST_WORKER" in os.environ:  # as many workers as cores: a second thread of one would take the other's
    os.environ.setdefault("OMP_NUM_THREADS", "1")

pytest.register_assert_rewrite("contract")


@pytest.fixture(scope="session", autouse=True)
def _nothing_of_the_learner(tmp_path_factory):
    """No test reads or writes the record of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECSYS_COURSE_STATE", str(tmp_path_factory.mktemp("state")))
        patch.setenv("TQDM_DISABLE", "1")
        yield


@pytest.fixture(autouse=True)
def state(_nothing_of_the_learner, tmp_path, monkeypatch):
    """A learner's record of its own for each test."""
    monkeypatch.setenv("RECSYS_COURSE_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def terminal(tmp_path, state):
    """A real terminal for ``recsys-course``."""
    if not shutil.which("tmux"):
        assert not os.environ.get("CI"), "CI needs tmux"
        pytest.skip("needs tmux")
    terminal = Terminal(tmp_path, state)
    yield terminal
    terminal.tmux("kill-server")


@pytest.fixture
def say(request):
    """Have a line printed at the end of the run, whichever process this test runs in."""
    return lambda line: request.node.user_properties.append(("said", line))


def pytest_terminal_summary(terminalreporter):
    """Print what passed and failed tests said, in the tests' order."""
    reports = [report for name in ("passed", "failed") for report in terminalreporter.stats.get(name, ())]
    said = sorted(
        {(report.nodeid, line) for report in reports for key, line in report.user_properties if key == "said"}
    )
    if said:
        terminalreporter.section("measured")
        terminalreporter.write_line("\n".join(line for *_, line in said))


def pytest_collection_modifyitems(items):
    """The files with the longest tests first, so that no worker is left alone with them at the end."""
    items.sort(key=lambda item: item.path.stem not in ("test_solutions", "test_notebooks"))
