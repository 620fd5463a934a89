"""The runner: an answer that hangs, crashes, forks, floods or eats memory costs its test and leaves nothing behind."""

import os
import subprocess
import sys
import textwrap
import time
import uuid

import psutil
import pytest

from recsys_course.interview import growth, processes, runner
from recsys_course.interview.expect import Growth
from recsys_course.interview.runner import Limits, list_cases, run

TESTS = '''
"""Tests of a function that doubles."""

from answer import double

from recsys_course.interview.expect import Growth, edge, equal, safety


def test_one():
    """Twice one.

    More, which nobody reads."""
    equal(double(1), 2, "double(1)")


@edge("zero")
def test_zero():
    """Twice nothing."""
    equal(double(0), 0, "double(0)")


@safety
def test_text():
    equal(double("ab"), "abab", "double('ab')")


GROWTH = Growth(lambda n: lambda: double(list(range(n))), exponent=1, start=1000)
'''
QUICK = Limits(test_seconds=1.0, start_seconds=15.0, memory_mb=300)
GOOD = "def double(x):\n    return 2 * x\n"
OWNER = "RECSYS_COURSE_TEST"
posix = pytest.mark.skipif(not processes.POSIX, reason="Windows has no fork")


@pytest.fixture
def tests(tmp_path):
    path = tmp_path / "test_double.py"
    path.write_text(TESTS, encoding="utf-8")
    return [path]


def answer(body):
    """An answer whose `double` fails only at zero, with that body."""
    return f"def double(x):\n    if x != 0:\n        return 2 * x\n{textwrap.indent(textwrap.dedent(body), '    ')}\n"


def outcomes(report):
    return [case.outcome for case in report.cases]


@pytest.fixture(autouse=True)
def mark(monkeypatch):
    """What this test's processes are told by: others on the machine may run answers too."""
    monkeypatch.setenv(OWNER, name := uuid.uuid4().hex)
    return name


def left_over():
    """The processes of this test that run an answer and live."""
    found = []
    for process in psutil.process_iter(["cmdline", "environ", "status"]):
        known = process.info
        if "recsys_course.interview.worker" in (known["cmdline"] or ()) and known["status"] != psutil.STATUS_ZOMBIE:
            found += [process] * ((known["environ"] or {}).get(OWNER) == os.environ[OWNER])
    return found


def test_a_right_answer_is_green_and_starts_in_less_than_a_second(tests):
    report = run(GOOD, tests)
    assert report.green and outcomes(report) == ["passed"] * 3 and not report.broken
    assert min(run(GOOD, tests).seconds for _ in range(3)) < 1


def test_tests_are_listed_with_title_edge_and_safety_without_being_run(tests):
    one, zero, text = list_cases(tests)
    assert (one.file, one.name, one.title, one.edge, one.safety) == ("test_double", "test_one", "Twice one", "", False)
    assert (zero.title, zero.edge, text.title, text.safety) == ("Twice nothing", "zero", "test_text", True)


def test_a_wrong_answer_fails_with_call_expectation_and_result(tests):
    report = run("def double(x):\n    return x", tests)
    assert outcomes(report) == ["failed", "passed", "failed"]
    assert report.cases[0].message == "double(1): expected 2, got 1"


COSTS_ITS_TEST = {
    "hangs": ("while True: pass", "stopped", "stopped after 1 s: is there a loop that never ends?"),
    "hangs and catches everything": (
        """
        while True:
            try:
                import time; time.sleep(99)
            except BaseException:
                pass
        """,
        "stopped",
        "stopped after 1 s",
    ),
    "raises": ("return 1 / x", "failed", "line 4, `return 1 / x`, raised ZeroDivisionError: division by zero"),
    "exits": ("import sys; sys.exit(3)", "failed", "raised SystemExit: 3"),
    "recurses": ("return double(x)", "failed", "RecursionError"),
    "kills its process": ("import os; os._exit(0)", "crashed", "the process ended by itself (exit status 0)"),
    "asks": ("return input('?')", "failed", "EOFError"),
    "takes memory at once": ("return bytearray(4 << 30)", "failed", "it needed more memory than it is given"),
    "prints without end": ("while True: print('x' * 10000)", "stopped", "stopped after printing more than 1 MB"),
    "starts a process": (
        "import subprocess, sys; subprocess.run([sys.executable, '-c', ''])",
        "failed",
        "PermissionError: an answer may not start other processes",
    ),
    "leaves a thread": (
        "import threading; threading.Thread(target=threading.Event().wait).start()",
        "failed",
        "got None",
    ),
    "closes its output": ("import os; os.close(1); os.close(2); return 1", "failed", "expected 0, got 1"),
    "is not written": ("raise NotImplementedError", "failed", "not written yet"),
}
if processes.POSIX:
    COSTS_ITS_TEST |= {
        "crashes": ("import ctypes; ctypes.string_at(0)", "crashed", "the process died of SIGSEGV"),
        "forks": ("import os; os.fork()", "failed", "PermissionError: an answer may not start other processes"),
        "forks behind Python's back": (
            "import ctypes; ctypes.CDLL(None).fork(); return 1",
            "failed",
            "expected 0, got 1",
        ),
    }


@pytest.mark.parametrize("what", COSTS_ITS_TEST)
def test_an_answer_costs_its_own_test_only_when_it(what, tests):
    body, outcome, message = COSTS_ITS_TEST[what]
    began = time.monotonic()
    report = run(answer(body), tests, QUICK)
    assert outcomes(report) == ["passed", outcome, "passed"], report.cases
    assert message in report.cases[1].message
    assert time.monotonic() - began < 20
    assert not left_over()


@posix
def test_memory_that_grows_bit_by_bit_is_stopped_by_the_system_or_by_the_watch(tests):
    body = "x = []\nwhile True: x.append(bytes(10**7))"
    limits = Limits(memory_mb=200, test_seconds=10)
    for hard in {limits.hard, False}:
        report = run(answer(body), tests, Limits(memory_mb=200, test_seconds=10, hard=hard))
        assert outcomes(report) == ["passed", "failed" if hard else "stopped", "passed"]
        assert "memory" in report.cases[1].message
        assert bool(report.notes) is not hard and (hard or "watched" in report.notes[0])


@posix
def test_a_child_that_has_left_the_process_group_is_found_and_killed(tests, tmp_path):
    body = f"""
    import ctypes, os, time
    libc = ctypes.CDLL(None)
    if libc.fork() == 0:
        libc.setsid()
        if libc.fork() == 0:
            open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid()))
            time.sleep(600)
        os._exit(0)
    time.sleep(0.5)
    return 0
    """
    assert run(answer(body), tests, QUICK).green
    pid = int((tmp_path / "pid").read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


@posix
def test_a_fork_bomb_ends_with_its_test(tests):
    body = """
    import ctypes
    fork = ctypes.CDLL(None).fork
    for _ in range(5):
        fork()
    while True: pass
    """
    report = run(answer(body), tests, QUICK)
    assert outcomes(report) == ["passed", "stopped", "passed"]
    assert not left_over()


def test_without_process_groups_descendants_are_killed_all_the_same(tests, monkeypatch):
    monkeypatch.setattr(processes, "POSIX", False)
    monkeypatch.setattr(runner, "_notes", lambda limits: ())
    body = "import ctypes; ctypes.CDLL(None).fork()\nwhile True: pass"
    report = run(answer(body), tests, Limits(test_seconds=1.0, hard=False))
    assert outcomes(report) == ["passed", "stopped", "passed"]
    assert not left_over()


def test_windows_says_what_it_can_only_watch(monkeypatch):
    monkeypatch.setattr(processes, "POSIX", False)
    watched, detached = runner._notes(Limits(hard=False))
    assert "watched" in watched and "Windows" in detached


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("def double(x:\n    pass", "line 1: SyntaxError"),
        ("import os\nos._exit(1)", "the process ended by itself (exit status 1)"),
        ("x = 1", "cannot import name 'double' from 'answer': keep the names of the starter"),
        ("import no_such_module", "line 1, `import no_such_module`, raised ModuleNotFoundError"),
        ("1 / 0", "line 1, `1 / 0`, raised ZeroDivisionError"),
    ],
)
def test_an_answer_that_cannot_be_imported_says_why_and_runs_nothing(source, why, tests):
    report = run(source, tests, QUICK, growth=True)
    assert why in report.broken and outcomes(report) == ["not run"] * 3
    assert report.growth.ok is None and not report.green


def test_an_import_that_hangs_is_stopped(tests):
    report = run("while True: pass", tests, Limits(start_seconds=2.0))
    assert "never ends" in report.broken and report.seconds < 15


def test_after_the_last_life_the_rest_is_not_run(tests):
    report = run("import os\ndef double(x): os._exit(7)", tests, Limits(lives=2))
    assert outcomes(report) == ["crashed", "crashed", "not run"]


def test_the_random_state_is_the_same_in_every_run_and_the_folder_is_empty_and_gone(tests, tmp_path):
    path = tmp_path / "test_state.py"
    path.write_text(
        "import answer, os, pathlib\n"
        "def test_folder():\n    raise AssertionError(os.getcwd() + '|' + ','.join(os.listdir('.')))\n"
        "def test_draw():\n    raise AssertionError(answer.draw())\n",
        encoding="utf-8",
    )
    source = "import random\nrandom.seed()\ndef draw(): return str(random.random())"
    first, second = (run(source, [path]) for _ in range(2))
    folder, _, names = first.cases[0].message.partition("|")
    assert names == "answer.py" and not psutil.os.path.exists(folder)
    assert first.cases[1].message == second.cases[1].message


def test_what_is_printed_is_kept_and_cut(tests):
    report = run("print('hello')\nprint('x' * 5000)\n" + GOOD, tests)
    assert report.printed.startswith("hello\n") and len(report.printed) == 1000 and report.green


def test_a_run_that_is_interrupted_leaves_no_process(tests):
    script = (
        "from pathlib import Path; from recsys_course.interview.runner import run, Limits;"
        f"run('while True: pass', [Path({str(tests[0])!r})], Limits(start_seconds=60))"
    )
    process = subprocess.Popen([sys.executable, "-c", script])
    deadline = time.monotonic() + 20
    while not left_over() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert left_over()
    process.kill()  # not even a chance to clean up
    process.wait()
    while left_over() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left_over()


# growth


def work(function):
    return Growth(lambda n: lambda: function(n), exponent=1, start=400)


def linear(n):
    return sum(range(n))


def quadratic_in_lines(n):
    total = 0
    for _ in range(n):
        for _ in range(n):
            total += 1
    return total


def quadratic_in_the_library(n):
    return [n - 1 in range_list for range_list in [list(range(n))] * n]


def quadratic_in_memory(n):
    return bytearray(n * n)


def linear_with_a_logarithm(n):
    return sorted(range(n), key=lambda x: -x * 7919 % n)


@pytest.mark.parametrize("function", [linear, linear_with_a_logarithm])
def test_work_in_proportion_is_in_order(function):
    measured = growth.measure(work(function), __file__)
    assert measured["ok"] and measured["ratio"] < measured["limit"] == 8


@pytest.mark.parametrize(
    ("function", "by"),
    [
        (quadratic_in_lines, "executed lines"),
        (quadratic_in_the_library, "processor time"),
        (quadratic_in_memory, "memory"),
    ],
)
def test_quadratic_work_is_seen_in_lines_in_memory_or_in_time(function, by):
    measured = growth.measure(work(function), __file__)
    assert not measured["ok"] and measured["by"] == by and measured["ratio"] > 8


def test_counted_work_is_the_only_measure_where_a_task_counts():
    counted = Growth(lambda n: lambda: n * n, exponent=1, start=10, counted=True)
    assert growth.measure(counted, __file__) == {"ok": False, "by": "counted steps", "n": 10, "ratio": 16, "limit": 8}


def test_lines_are_counted_the_same_in_every_run():
    counts = {growth._count_lines(lambda: quadratic_in_lines(20), __file__) for _ in range(3)}
    assert len(counts) == 1 and counts.pop() > 400


def test_a_busy_machine_does_not_make_a_linear_answer_slow(tests):
    burner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        report = run("def double(x):\n    return [2 * one for one in x]", tests, QUICK, growth=True)
    finally:
        burner.kill()
        burner.wait()
    assert report.growth.ok and "processor time grew" in str(report.growth)


def test_a_growth_that_never_ends_is_too_fast_and_one_that_raises_is_not_measured(tests):
    endless = "def double(x):\n    while isinstance(x, list): pass\n    return 2 * x"
    report = run(endless, tests, Limits(growth_seconds=1.0), growth=True)
    assert outcomes(report) == ["passed"] * 3 and report.growth.ok is False and not report.green
    report = run("def double(x):\n    return 2 * x if not isinstance(x, list) else x.no", tests, QUICK, growth=True)
    assert report.growth.ok is None and "AttributeError" in str(report.growth)
