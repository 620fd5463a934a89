"""A mock interview in a real terminal of 80 columns: sat, interrupted, killed, gone on with."""

import os
import shutil
import time

import pytest
from rich.cells import cell_len

from recsys_course.interview import mock_state, reviews
from recsys_course.interview.bank import load_question
from terminal import Terminal


class Mock(Terminal):
    """A terminal in which the same question comes several times."""

    def until_count(self, text, times):
        began = time.monotonic()
        while (shown := self.screen()).count(text) < times:
            assert time.monotonic() < began + 30, shown
            time.sleep(0.05)


@pytest.fixture
def course(tmp_path):
    (tmp_path / "course" / "notebooks").mkdir(parents=True)
    (tmp_path / "course" / "notebooks" / "00_start_here.ipynb").write_text("{}", encoding="utf-8")
    return tmp_path / "course"


@pytest.fixture
def start(tmp_path, state, course):
    """Begins a terminal with ``recsys-course mock``; each has a server of its own."""
    if not shutil.which("tmux"):
        assert not os.environ.get("CI"), "CI needs tmux"
        pytest.skip("needs tmux")
    terminals = []

    def begin(*options, **environment):
        folder = tmp_path / f"terminal{len(terminals)}"
        folder.mkdir()
        terminals.append(terminal := Mock(folder, state))
        terminal.start(f"mock {' '.join(options)}", folder=course, **environment)
        return terminal

    yield begin
    for terminal in terminals:
        terminal.tmux("kill-server")


def the_sitting():
    (path,) = mock_state.folder().glob("*.json")
    return mock_state.read(path)


def finish(terminal):
    """From the end of the answer to the debrief: points 1 and 2, no follow-up."""
    terminal.until("Their numbers")
    terminal.type("1 2", "Enter")
    terminal.until("Enter keeps 1 2")
    terminal.type("Enter")
    for asked in range(1, 1 + len(load_question(the_sitting().paper.parts[0].id).follow_ups)):
        terminal.until_count("y or n:", asked)
        terminal.type("n", "Enter")
    return terminal.until("The page, for a browser")


def test_a_mock_is_sat_to_its_debrief_with_chinese_in_eighty_columns(start, course):
    terminal = start("--seed", "7", "--minutes", "6", "--lang", "both")
    terminal.until("q: stop.")
    terminal.type("先召回再精排", "Enter", "Enter")
    shown = finish(terminal)
    assert max(map(cell_len, shown.splitlines())) <= 80 and "Traceback" not in shown
    assert the_sitting().done[0].answer == ("先召回再精排",)
    (page,) = (course / "my" / "mocks").iterdir()
    assert "先召回再精排" in page.read_text(encoding="utf-8")
    assert [review.mode for review in reviews.read()] == ["mock"]


def test_after_ctrl_c_the_mock_goes_on_where_it_was(start):
    terminal = start("--seed", "7", "--minutes", "6")
    terminal.until("q: stop.")
    terminal.type("first", "Enter")
    terminal.until_count("\n>", 2)  # Ctrl-C throws away what the terminal has not handed over yet
    terminal.type("C-c")
    shown = terminal.until("`recsys-course mock --resume` goes on.\n")
    assert "Traceback" not in shown and reviews.read() == []
    terminal = start("--resume")
    terminal.until("You had typed, and it is kept")
    terminal.type("second", "Enter", "Enter")
    finish(terminal)
    assert the_sitting().done[0].answer == ("first", "second")


def test_a_terminal_that_is_killed_loses_only_the_line_being_typed(start):
    terminal = start("--seed", "7", "--minutes", "6")
    terminal.until("q: stop.")
    for count, line in enumerate(("first", "h"), 2):
        terminal.type(line, "Enter")
        terminal.until_count("\n>", count)
    terminal.type("half a li")
    terminal.until("> half a li")
    terminal.tmux("kill-server")
    sitting = the_sitting()
    assert (sitting.progress["lines"], sitting.progress["hints"]) == (["first"], 1)


def test_no_color_is_obeyed_and_headlines_can_be_seen_without(start):
    terminal = start("--seed", "7", "--minutes", "6", NO_COLOR="1")
    terminal.until("q: stop.")
    assert "\x1b[3" not in terminal.screen(escapes=True).replace("\x1b[39", "")
    assert "== Part 1 of 1: question, 0:00 of 6:00 used ==" in terminal.screen()
