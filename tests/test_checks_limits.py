"""The check survives any answer: it stops in time, and leaves the notebook as it was."""

import contextlib
import random
import signal
import sys
import textwrap
import threading
import time
from collections import deque
from itertools import repeat
from pathlib import Path

import numpy as np
import pytest
import torch

import toy_exercises
from one_line_exercises import exercise, failure
from recsys_course.checks import alarm, desk
from recsys_course.checks.sandbox import run

check = toy_exercises.check


def _busy():
    while True:
        pass


def _stubborn():
    while True:
        try:
            time.sleep(0.01)
        except:  # noqa: E722
            continue


def _twice_as_stubborn():
    while True:
        try:
            _stubborn()
        except BaseException:
            continue


def _finally():
    while True:
        try:
            sum(range(100))
        finally:
            continue  # noqa: B012


def _late_but_right():
    began = time.monotonic()
    while time.monotonic() < began + 0.4:
        with contextlib.suppress(BaseException):
            _busy()
    return 1


def _raises_something_else():
    try:
        _busy()
    except BaseException:
        raise ValueError("converted") from None


def _swallowing_object():
    """The first exception is lost inside ``__del__``, and the loop has no other line where it could ring again."""

    class Sleeper:
        def __del__(self):
            if sleeps:
                time.sleep(sleeps.pop())

    sleeps = [0.3]
    deque(map(lambda _: Sleeper(), repeat(0)), maxlen=0)


ENDLESS = [_swallowing_object, _busy, _stubborn, _twice_as_stubborn, _finally, _late_but_right, _raises_something_else]


@pytest.fixture(params=["signal", "thread"])
def mechanism(request, monkeypatch):
    if request.param == "thread":
        monkeypatch.setattr(alarm, "_can_signal", lambda: False)
    elif not hasattr(signal, "setitimer"):
        pytest.skip("this system has no timer signals")
    return request.param


class TestTimeLimit:
    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    @pytest.mark.parametrize("endless", ENDLESS)
    def test_it_stops_what_does_not_want_to_stop(self, endless, mechanism):
        began = time.monotonic()
        with pytest.raises(alarm.TimeUp):
            alarm.limited(endless, 0.1)
        assert time.monotonic() - began < 2

    def test_what_ends_in_time_is_left_alone(self, mechanism):
        assert alarm.limited(lambda: 5, 10) == 5
        with pytest.raises(KeyError):
            alarm.limited({}.popitem, 10)

    def test_nothing_rings_later(self, mechanism):
        before = sys.gettrace()
        for seconds in (0.001, 0.002, 0.005):
            for _ in range(20):
                with contextlib.suppress(alarm.TimeUp):
                    alarm.limited(lambda: sum(range(20_000)), seconds)
        time.sleep(0.1)
        assert sys.gettrace() is before

    def test_a_sleep_is_interrupted_by_the_signal(self):
        began = time.monotonic()
        with pytest.raises(alarm.TimeUp):
            alarm.limited(lambda: time.sleep(5), 0.1)
        assert time.monotonic() - began < 1

    def test_it_works_outside_the_main_thread(self):
        outcomes = []
        thread = threading.Thread(target=lambda: outcomes.append(run(_stubborn, (), 0.1)))
        thread.start()
        thread.join(5)
        assert [outcome.stopped for outcome in outcomes] == ["time"]

    def test_the_learners_stop_button_passes_through(self, mechanism):
        def stop():
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(stop, (), 1)

    def test_a_handler_and_a_timer_of_someone_else_come_back(self):
        rung = []
        before = signal.signal(signal.SIGALRM, lambda *_: rung.append(time.monotonic()))
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.3)
            began = time.monotonic()
            with pytest.raises(alarm.TimeUp):
                alarm.limited(_busy, 0.1)
            assert not rung
            time.sleep(0.4)
            assert 0.25 < rung[0] - began < 0.5
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def test_a_slow_answer_does_not_have_to_be_waited_for_in_every_case(self):
        began = time.monotonic()
        lines = failure(lambda n: time.sleep(9), exercise(lambda n: n, *[(n,) for n in range(20)]))
        assert lines == [
            "✗ 99.answer(n=0): expected 0, but stopped after 0.25 s",
            "  Is there a loop that never ends? hint(answer) helps.",
        ]
        assert time.monotonic() - began < 2


class TestSurvival:
    def test_the_random_state_is_what_it_was(self):
        torch.manual_seed(5), np.random.seed(5), random.seed(5)
        before = torch.rand(1), np.random.rand(), random.random()
        torch.manual_seed(5), np.random.seed(5), random.seed(5)
        check(toy_exercises.recall)
        assert (torch.rand(1), np.random.rand(), random.random()) == before

    def test_stdout_is_what_it_was(self, capsys):
        def recall(hits, n_relevant):
            sys.stdout.close()
            print("closed", flush=True)
            sys.stdout = sys.stderr = None
            return hits.sum(dim=1) / n_relevant

        check(recall)
        print("still here")
        assert capsys.readouterr().out.endswith("still here\n")

    def test_endless_output_is_stopped_long_before_the_time_is_over(self):
        def recall(hits, n_relevant):
            while True:
                print("x" * 1000)

        began = time.monotonic()
        assert "but stopped after printing 1,000,000 characters" in failure(recall)[0]
        assert time.monotonic() - began < 2

    def test_output_is_stopped_even_if_the_answer_does_not_mind(self):
        def recall(hits, n_relevant):
            with contextlib.suppress(BaseException):
                print("x" * 2_000_000)
            return hits.sum(dim=1) / n_relevant

        assert "stopped after printing 1,000,000 characters" in failure(recall)[0]

    def test_an_answer_of_gigabytes_is_not_copied(self):
        of = exercise(lambda: torch.zeros(3), ())
        line = failure(lambda: np.broadcast_to(0.0, (10**7, 1000)), of)[0]
        assert line == "✗ 99.answer(): expected shape [3], got shape [10000000, 1000]"

    def test_the_cases_of_the_next_answer_are_as_they_were(self):
        def spoils(hits, n_relevant):
            hits.zero_()
            n_relevant.zero_()

        failure(spoils)
        check(toy_exercises.recall)

    def test_a_record_that_cannot_be_written_is_told_once_and_no_obstacle(self, capsys, tmp_path, monkeypatch):
        (tmp_path / "file").write_text("in the way")
        monkeypatch.setenv("RECSYS_COURSE_STATE", str(tmp_path / "file" / "state"))
        monkeypatch.setattr(desk._Desk, "unsaved", False)
        check(toy_exercises.recall)
        check(toy_exercises.recall)
        told, *rest = capsys.readouterr().out.splitlines()
        assert told.startswith("(Your progress cannot be saved, all else works: ")
        assert rest == ["✓ 99.recall: 4 cases passed"] * 2


CELLS = {
    "set up": """
        import dataclasses, sys, time
        import toy_exercises
        from recsys_course.checks import bind
        check, hint, solution = bind([dataclasses.replace(toy_exercises.EXERCISES[0], time_limit=0.5)])
    """,
    "unwritten": """
        def recall(hits, n_relevant):
            raise NotImplementedError  # your code here


        check(recall)
    """,
    "wrong": """
        def recall(hits, n_relevant):
            return hits.sum(dim=1) / hits.shape[1]


        check(recall)
    """,
    "raising": """
        def recall(hits, n_relevant):
            return hits.sum(dim=1) / n_relevent


        check(recall)
    """,
    "endless": """
        def recall(hits, n_relevant):
            while True:
                try:
                    time.sleep(1)
                except:
                    pass


        check(recall)
    """,
    "exit": """
        def recall(hits, n_relevant):
            sys.stdout.close()
            sys.exit()


        check(recall)
    """,
    "right": """
        def recall(hits, n_relevant):
            return hits.sum(dim=1) / n_relevant


        check(recall)
    """,
}


@pytest.fixture(scope="module")
def shown():
    """What each cell shows in one kernel that lives through all of them: text, or the lines of an error."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    cells = [nbformat.v4.new_code_cell(textwrap.dedent(cell).strip()) for cell in CELLS.values()]
    here = {"metadata": {"path": str(Path(__file__).parent)}}
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, allow_errors=True, timeout=60, resources=here).execute()
    return {
        name: "".join("\n".join(out.get("traceback", [])) or out["text"] for out in cell.outputs)
        for name, cell in zip(CELLS, cells, strict=True)
    }


class TestInANotebook:
    def test_a_wrong_answer_shows_two_lines_and_no_traceback(self, shown):
        assert shown["wrong"].splitlines() == [
            "✗ 99.recall(hits=[[True, False, True]], n_relevant=[4]): expected [0.5], got [0.6667]",
            "  You divided by k: that is precision, not recall.",
        ]

    def test_an_exception_shows_the_learners_own_line_of_the_cell(self, shown):
        assert shown["raising"].splitlines() == [
            "✗ 99.recall(hits=[[True, False, True]], n_relevant=[4]): expected [0.5], but line 2, `return",
            "  hits.sum(dim=1) / n_relevent`, raised NameError: name 'n_relevent' is not defined",
            "  hint(recall) helps.",
        ]

    def test_the_kernel_lives_on_after_an_endless_loop_and_an_exit(self, shown):
        assert shown["unwritten"] == "… 99.recall: not written yet. hint(recall) helps.\n"
        assert "but stopped after 0.5 s" in shown["endless"]
        assert "raised SystemExit" in shown["exit"]
        assert shown["right"] == "✓ 99.recall: 4 cases passed\n"
