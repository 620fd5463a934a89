"""The debugging round as a learner meets it: marks, fix, test, grade, score, the command, the notebook, the mock."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from recsys_course import cli, learner, progress
from recsys_course.interview import debugging, debugging_copy, debugging_run, reviews, session
from recsys_course.interview.debugging_marks import Mark, judge, line_of, parse
from recsys_course.interview.debugging_result import Score
from recsys_course.interview.debugging_run import Fix, change, try_test
from recsys_course.interview.debugging_task import statements
from recsys_course.interview.layout import width
from recsys_course.interview.outcome import PracticeError
from recsys_course.interview.report import CaseResult, Report
from recsys_course.interview.screen import Ended, Screen

X02 = debugging.load("X02")
FOLDER = Path("my/debug/X02")
USERS, ITEMS, HISTORY = 21, 22, 32
RIGHT = [Mark(USERS, "blocker"), Mark(ITEMS, "blocker"), Mark(HISTORY, "major")]
GOOD_TEST = '''
import numpy as np
from answer import MatrixFactorisation


def test_the_coordinates_move_by_different_amounts():
    """A step does not move all coordinates alike."""
    model = MatrixFactorisation(2, 2, 3)
    before = model.users[0].copy()
    model.step(0, 1, 3.0, decay=0.0)
    assert np.ptp(model.users[0] - before) > 1e-6
'''


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A clone without lessons, no editor, and the current folder in it."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / learner.FIRST).touch()
    for name in ("EDITOR", "VISUAL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(course, capsys, monkeypatch):
    """The command, with lines that are typed: exit status, stdout and stderr."""

    def call(*arguments, typed=()):
        lines = iter(typed)

        def read(*_):
            try:
                return next(lines)
            except StopIteration:
                raise EOFError from None

        monkeypatch.setattr("builtins.input", read)
        monkeypatch.setattr(Screen.__init__, "__defaults__", (*Screen.__init__.__defaults__[:1], read, lambda: 0.0))
        try:
            status = cli.main(["debug", *arguments])
        except SystemExit as error:
            status = error.code
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return call


def hand_out(marks=RIGHT, code=X02.fixed, test=GOOD_TEST, explanation="It lacks the other factor."):
    """Write a review, a fix and a test into the copy."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    lines = "\n".join(f"- {mark}" for mark in marks)
    review = f"# X02\n\n## Marks\n\n{lines}\n\n## Explanation\n\n{explanation}\n"
    for name, text in (("review.md", review), ("answer.py", code), ("test_mine.py", test)):
        (FOLDER / name).write_text(text, encoding="utf-8")


# marks


def test_a_mark_is_worth_its_severity_and_a_wrong_one_costs_what_it_claims():
    found = judge([Mark(USERS, "blocker"), Mark(1, "minor")], X02)
    assert (len(found.hits), len(found.missed), len(found.wrong)) == (1, 2, 1)
    assert found.precision == 3 / (3 + 1) and found.recall == 3 / (3 + 3 + 2)
    assert found.points == round(40 * 2 * 0.75 * 0.375 / (0.75 + 0.375)) == 20


def test_a_misjudged_severity_costs_a_quarter_a_step_of_recall_only():
    found = judge([Mark(USERS, "minor"), Mark(ITEMS, "major"), Mark(HISTORY, "major")], X02)
    assert found.precision == 1 and found.recall == (3 * 0.5 + 3 * 0.75 + 2) / 8


def test_any_line_of_a_statement_counts_and_no_statement_counts_twice():
    source = "def f(\n    a,\n):\n    x = (\n        a\n    )\n    if x:\n        return 1\n"
    assert statements(source) == {1: 1, 2: 1, 3: 1, 4: 4, 5: 4, 6: 4, 7: 7, 8: 8}
    assert statements("def f():\n    a = 1\n    # said\n    return a\n") == {1: 1, 2: 2, 3: 3, 4: 4}
    found = judge([Mark(USERS, "blocker"), Mark(USERS, "minor"), Mark(1, "minor"), Mark(1, "blocker")], X02)
    assert len(found.hits) == 1 and found.hits[0][1].severity == "blocker" and len(found.wrong) == 1


def test_two_lines_of_one_innocent_statement_are_one_wrong_mark():
    (start,) = [n for n, line in enumerate(X02.buggy.splitlines(), 1) if line == "    ratings = ["]
    assert len(judge([Mark(start, "minor"), Mark(start + 1, "minor"), Mark(start + 4, "minor")], X02).wrong) == 1


def test_a_line_that_is_named_also_is_as_good():
    assert X02.findings[2].lines == (32, 31)
    assert judge([Mark(31, "major")], X02).hits == judge([Mark(31, "major")], X02).hits != ()


def test_a_suspect_that_is_marked_gets_the_reason_why_it_is_right():
    ((_, why),) = judge([Mark(20, "major")], X02).wrong
    assert "Prediction minus rating" in why


def test_no_marks_are_no_points():
    found = judge([], X02)
    assert (found.precision, found.recall, found.points) == (0, 0, 0)


@given(st.sets(st.integers(1, 52)), st.sampled_from(["blocker", "major", "minor"]))
def test_a_wrong_mark_more_never_pays(lines, severity):
    guilty = {line for finding in X02.findings for line in finding.lines}
    innocent = [Mark(line, severity) for line in sorted(lines - guilty)]
    assert judge([*RIGHT, *innocent], X02).points <= judge([*RIGHT, *innocent[:-1]], X02).points


@pytest.mark.parametrize(
    "text",
    [
        "21 | blocker | why",
        "21, blocker, why",
        "21: blocker: why",
        "21 | Blocker | why",
        "`self.users[user] -= lr` | blocker | why",
    ],
)
def test_a_mark_may_be_written_in_several_ways(text):
    assert parse(text, X02.buggy) == Mark(USERS, "blocker", "why")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("21 | fatal | why", "is no mark: write it like `- 14 | blocker | why`"),
        ("the loss", "is no mark"),
        ("99 | minor | why", "there is no line 99: the code as you found it has 52 lines"),
        ("2 | minor | why", "line 2 of the code as you found it is empty: take the numbers of report.md"),
        ("`error` | minor | why", "lines of the code as you found it: give its number"),
    ],
)
def test_what_is_no_mark_is_refused_in_a_sentence(text, why):
    with pytest.raises(PracticeError, match=re.escape(why)):
        parse(text, X02.buggy)


# the fix


def fix_of(outcomes, was_green=(), size=6, wanted=6):
    cases = tuple(CaseResult("test_bug", name, name, outcome=o) for name, o in outcomes.items())
    return Fix(Report(cases), frozenset(was_green), size, wanted)


@pytest.mark.parametrize(("size", "points"), [(1, 15), (12, 15), (13, 12), (24, 12), (25, 9), (200, 9)])
def test_a_smaller_right_fix_never_scores_worse(size, points):
    assert fix_of({"a": "passed"}, size=size).points == points


def test_half_a_fix_earns_a_part_and_one_that_breaks_something_nothing():
    half = {"a": "passed", "b": "failed", "kept": "passed"}
    assert fix_of(half, was_green={"kept"}).points == 2
    assert fix_of({**half, "kept": "stopped"}, was_green={"kept"}).points == 0
    assert Fix(None, frozenset(), 0, 6).points == 0 and fix_of({}).points == 0


def test_the_size_of_a_change_leaves_out_empty_lines_comments_and_docstrings():
    assert change("a\nb\nc\n", "a\nb\nc\n\n# said\n") == 0
    assert change("a\nb\nc\n", "a\nB\nc\nd\n") == 2
    assert change(X02.buggy, X02.fixed) == 6
    said = '"""Says what."""\n\ndef f(a):\n    """What it does.\n\n    And why.\n    """\n    return a\n'
    assert change(said, "def f(a):\n    return a\n") == 0 and change(said, "def f(a):\n    return b\n") == 1
    assert change("def f(a):\n    return a\n", "def f(a):\n    return (\n") == 1


# the learner's test


@pytest.mark.parametrize(
    ("test", "why"),
    [
        ("def test_it():\n    assert True\n", "not red on the code as you found it"),
        ("def test_it():\n    assert False, 'no'\n", "not green on a right fix: test_it: no"),
        ("def test_it(\n", "it cannot be run: line 1:"),
        ("x = 1\n", "it cannot be run: it has no function `test_...`"),
        ("def test_it():\n    raise NotImplementedError\n", "it cannot be run: it is not written yet"),
        ("import os\ndef test_it():\n    os._exit(3)\n", "exit status 3"),
        ("def test_it(model):\n    pass\n", "missing 1 required positional argument"),
        ("from answer import nothing\ndef test_it():\n    pass\n", "keep the names of the starter"),
    ],
)
def test_a_test_that_tells_nothing_has_no_points_and_says_why(test, why):
    from recsys_course.interview.debugging_result import test_lines

    found = try_test(X02, test, X02.fixed)
    assert found.points(fix_of({"a": "passed"})) == 0
    assert why in " ".join(" ".join(test_lines(found)).split())


def test_a_test_that_hangs_or_eats_memory_costs_only_its_points(monkeypatch):
    limits = debugging_run.runner.Limits(start_seconds=30, test_seconds=0.5, total_seconds=20, memory_mb=500)
    monkeypatch.setattr(debugging_run, "LIMITS", limits)
    for body in ("while True: pass", "x = bytearray(10**10)"):
        found = try_test(X02, f"def test_it():\n    {body}\n", X02.fixed)
        assert not found.tells and found.points(fix_of({"a": "passed"})) == 0


def test_a_test_that_draws_by_chance_draws_the_same_everywhere():
    test = "import random\nimport numpy\nimport torch\n\n\ndef test_it():\n"
    test += "    assert False, (random.random(), numpy.random.rand(), float(torch.rand(1)))\n"
    found = try_test(X02, test, X02.fixed)
    assert found.before.cases[0].message == found.model.cases[0].message != ""


def test_a_test_that_tells_is_held_against_the_wrong_fixes():
    found = try_test(X02, GOOD_TEST, X02.fixed)
    assert found.tells and found.points(fix_of({"a": "passed"})) == 20
    assert len(found.caught) == 1 and len(found.escaped) == len(X02.wrong_fixes) - 1
    exact = try_test(X02, X02.test.read_text(encoding="utf-8"), X02.fixed)
    assert set(exact.caught) == set(X02.wrong_fixes) and exact.escaped == ()


def test_a_test_that_is_green_on_an_own_fix_that_is_wrong_has_no_points_for_that():
    assert try_test(X02, GOOD_TEST, X02.buggy).points(fix_of({"a": "failed"})) == 15
    assert try_test(X02, GOOD_TEST, X02.buggy).points(fix_of({"a": "passed"})) == 15


# the command


def test_without_a_task_it_lists_all_in_80_columns(run):
    status, out, _ = run()
    assert status == 0 and X02.title in out and X02.title_zh in out and max(map(width, out.splitlines())) <= 80


def test_the_list_starts_at_once_and_imports_nothing_heavy():
    code = "import sys; from recsys_course.interview import debugging; debugging.tasks(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numpy", "pandas", "IPython", "rich"} & set(loaded)


def test_opening_shows_the_report_makes_the_copy_and_gives_nothing_away(run):
    status, out, err = run("x02")
    assert (status, err) == (0, "") and "always the mean" in out and "矩阵分解" in out
    assert max(map(width, out.splitlines())) <= 80
    assert (FOLDER / "answer.py").read_text(encoding="utf-8") == X02.buggy
    shown = out + "".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.*") if path.is_file())
    assert " 21          self.users[user] -= lr" in shown and "def test_what_was_wrong" in shown
    assert X02.explanation not in shown and X02.findings[0].says not in shown and X02.hints[0] not in shown


def test_the_copy_as_it_was_handed_out_is_not_handed_in(run):
    run("X02")
    status, out, err = run("X02", "--submit")
    assert (status, out) == (1, "") and "is as it was handed out, so nothing was handed in" in err
    assert reviews.read() == [] and not session.current("X02", X02.rev).submitted


def test_an_empty_review_has_no_points(run):
    run("X02")
    with Path("my/debug/X02/review.md").open("a", encoding="utf-8") as review:
        review.write("\n")
    status, out, _ = run("X02", "--submit")
    assert status == 1 and "the code is as you found it" in out and "Marks: 0 of 3 found, 0 wrong" in out
    assert "total                                  0 of 100" in out
    assert reviews.read()[-1].rating == reviews.AGAIN


def test_a_right_review_has_all_points(run):
    hand_out()
    status, out, err = run("X02", "--submit", typed=["1 2 3 4", ""])
    assert (status, err) == (0, "") and max(map(width, out.splitlines())) <= 80
    assert "Marks: 3 of 3 found, 0 wrong" in out and "precision 1.00, recall 1.00" in out
    assert "Your fix: ✓ green, 4 of 4 tests passed" in out and "6 lines changed; the model fix changes 6" in out
    assert "✓ red on the code as you found it" in out and "✓ green on a right fix" in out
    assert "it also catches 1 of 7 wrong fixes" in out and "Read next: lesson 04; `recsys-course show B04`." in out
    assert "total                                100 of 100" in out and "? Would Adam hide it?" in out
    (review,) = reviews.read()
    assert (review.item, review.mode, review.rating) == ("X02", "debug", reviews.EASY)
    event = progress.events()[-1]
    assert (event["exercise"], event["outcome"], event["score"]) == ("debug.X02", "passed", 100)
    assert debugging.coding.best_scores("debug") == {"X02": 100} and "100" in debugging.tasks()


def test_the_explanation_is_graded_before_the_model_explanation_is_shown_and_after(run):
    hand_out()
    _, out, _ = run("X02", "--submit", typed=["9", "1, 2 3", "1"])
    wrote, asked, model, again = (
        out.index(part) for part in ("It lacks the other", "Their numbers", "Model explanation", "Enter keeps 1 2 3")
    )
    assert wrote < asked < out.index("Numbers from 1 to 4") < model < again < out.index("Score (")
    assert X02.findings[0].says[:40] not in out[:model].split("Marks:")[0]
    assert "mechanism, by yourself                10 of  25" in out
    assert "22 before you had seen the model's, 10 after." in out
    (review,) = reviews.read()
    assert (review.first, review.final) == (97, 85)


def test_where_the_input_ends_the_rest_counts_and_is_kept(run):
    hand_out()
    status, out, _ = run("X02", "--submit")
    assert status == 0 and "mechanism, by yourself                 - of  25" in out
    assert "total                                 75 of 100" in out and reviews.read()[-1].first is None


def test_without_an_explanation_nothing_is_asked_and_there_are_no_points_for_it(run):
    hand_out(explanation="<!-- What happens -->")
    out = run("X02", "--submit", typed=["1 2 3 4", ""])[1]
    assert "There is no explanation" in out and "Their numbers" not in out
    assert "mechanism, by yourself                 0 of  25" in out


def test_what_is_wrong_and_missed_is_shown_with_its_reason(run):
    wrong = next(code for name, code in X02.wrong_fixes.items() if "new vector" in name)
    hand_out(marks=[Mark(USERS, "major"), Mark(20, "blocker")], code=wrong)
    status, out, _ = run("X02", "--submit", typed=["", ""])
    assert status == 1
    assert "✓ found, line 21 (blocker, you said major)" in out and "✗ missed, line 32 (major)" in out
    assert "✗ not a fault, line 20" in out and "Prediction minus rating" in out
    assert "Your fix: ✗ red, 3 of 4 tests passed" in out
    assert "✗ failed: One step moves both vectors down the gradient" in out


def test_run_shows_the_test_on_both_codes_and_what_is_printed_now(run):
    hand_out()
    status, out, _ = run("X02", "--run")
    assert status == 0 and "✓ red on the code as you found it" in out and "✓ green on your code" in out
    assert "dim 8: RMSE on the training ratings 0.00" in out and "right fix" not in out and "Score" not in out
    hand_out(code=X02.buggy)
    status, out, _ = run("X02", "--run")
    assert status == 1 and "✗ not green on your code" in out and "dim 8: RMSE on the training ratings 0.70" in out


def test_hints_come_one_by_one_and_cost(run):
    assert X02.hints[1][:30] not in run("X02", "--hint")[1]
    shown = " ".join(run("X02", "--hint")[1].split())
    assert X02.hints[1] in shown and "so far 10." in shown
    hand_out()
    out = run("X02", "--submit", typed=["1 2 3 4", ""])[1]
    assert (
        "hints: 2                             -10" in out and "total                                 90 of 100" in out
    )
    for _ in range(3):
        out = run("X02", "--hint")[1]
    assert "so far 15." in out


def test_the_reference_comes_after_a_submission_or_when_asked_twice(run):
    status, out, err = run("X02", "--reference")
    assert (status, out) == (1, "") and "--reference --yes" in err and len(err.splitlines()) == 1
    shown = run("X02", "--reference", "--yes")[1]
    assert "+        self.users[user] -= lr * (error * q + decay * p)" in shown and "def test_a_step_follows" in shown
    hand_out()
    run("X02", "--submit")
    assert run("X02", "--reference")[:2] == (0, shown)


def test_an_edited_copy_is_kept_and_again_moves_it_to_the_backup(run):
    run("X02")
    (FOLDER / "answer.py").write_text("mine = 1\n", encoding="utf-8")
    run("X02", "--hint")
    assert "as you left it" in run("X02")[1]
    assert (FOLDER / "answer.py").read_text(encoding="utf-8") == "mine = 1\n"
    out = run("X02", "--again")[1]
    (backup,) = Path("my/backup").glob("debug-X02-*")
    assert backup.name in out and (backup / "answer.py").read_text(encoding="utf-8") == "mine = 1\n"
    assert (FOLDER / "answer.py").read_text(encoding="utf-8") == X02.buggy
    assert session.current("X02", X02.rev).hints == 0


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("X99",), "there is no debugging task 'X99': there are X"),
        (("../x",), "there is no debugging task '../x'"),
        (("X02", "--submit"), "my/debug/X02/review.md is not there: `recsys-course debug X02` makes it"),
        (("X02", "--run"), "my/debug/X02/review.md is not there"),
    ],
)
def test_an_error_is_one_line_on_stderr(run, arguments, why):
    status, out, err = run(*arguments)
    assert (status, out) == (1, "") and why in err and len(err.splitlines()) == 1


def test_a_line_that_is_no_mark_is_named_with_file_and_line(run):
    hand_out()
    text = (FOLDER / "review.md").read_text(encoding="utf-8")
    (FOLDER / "review.md").write_text(text.replace("- 22 | blocker", "- 22 blocked"), encoding="utf-8")
    _, _, err = run("X02", "--submit")
    assert "my/debug/X02/review.md:6: '22 blocked |" in err and len(err.splitlines()) == 1


def test_a_record_that_cannot_be_written_is_one_line_too(run, state):
    state.write_text("a file where a folder belongs")
    hand_out()
    status, _, err = run("X02", "--submit")
    assert status == 1 and "cannot be written or read" in err and len(err.splitlines()) == 1


def test_a_file_with_other_characters_than_utf_8_is_read(course):
    hand_out()
    (FOLDER / "answer.py").write_bytes(X02.fixed.encode() + "# 错\n".encode("gbk"))
    assert debugging_copy.read(course, X02).code.startswith(X02.fixed)


def test_comments_of_the_template_are_no_marks(course):
    debugging_copy.hand_out(course, X02)
    attempt = debugging_copy.read(course, X02)
    assert (attempt.marks, attempt.explanation) == ((), "")


# the notebook


def test_marks_are_made_changed_and_taken_back_from_a_notebook():
    assert str(debugging.mark("X02", 32, "major", "last only")) == "32 | major | last only"
    for line in ("self.users[user] -= lr", "`self.users[user] -= lr`", " 21 ", "21"):
        assert "21 | minor" in debugging.mark("X02", line, "minor")
        assert "21" not in debugging.mark("X02", line, "fine")
    debugging.mark("X02", 21, "minor")
    shown = debugging.mark("X02", USERS, "blocker", "no q")
    assert str(shown).splitlines() == ["21 | blocker | no q", "32 | major | last only"]
    assert str(debugging.mark("X02", 32, "fine")) == "21 | blocker | no q"
    assert str(debugging.mark("X02", 21, "fine")) == "no line is marked"
    with pytest.raises(PracticeError, match="is no mark"):
        debugging.mark("X02", 21, "fatal")
    for line in ("nowhere", "`nowhere`"):
        with pytest.raises(PracticeError, match="`nowhere` stands in 0 lines of the code as you found it"):
            debugging.mark("X02", line, "minor")


@pytest.mark.parametrize("task", [task.id for task in debugging.all_tasks()])
def test_every_line_of_the_code_that_stands_there_once_can_be_marked_by_its_text(task):
    lines = [line.strip() for line in debugging.load(task).buggy.splitlines()]
    for line in (line for line in lines if line and not line.isdigit() and lines.count(line) == 1):
        named = line_of(line, debugging.load(task).buggy), line_of(f"`{line}`", debugging.load(task).buggy)
        assert named == (lines.index(line) + 1,) * 2


def test_a_notebook_shows_grades_and_scores(course):
    assert " 21          self.users[user] -= lr" in debugging.show("X02")
    for one in RIGHT:
        debugging.mark("X02", one.line, one.severity, "why")
    more = {"test": GOOD_TEST, "explanation": "It lacks the other factor."}
    asked = debugging.submit("X02", X02.fixed, **more)
    assert not asked.graded and "Which of these does it say?" in repr(asked) and "met=[1, 3]" in repr(asked)
    assert X02.explanation[:30] not in repr(asked) and "Marks" not in repr(asked) and reviews.read() == []
    done = debugging.submit("X02", X02.fixed, **more, met=[1, 2], final=[1, 2, 3, 4])
    assert done.score == Score(40, 25, 15, 20) and done.score.total == 100 and "Model explanation" in repr(done)
    assert len(reviews.read()) == 1 and done.missed == ()
    assert debugging.reference("X02").startswith("@@")
    with pytest.raises(PracticeError, match="numbered 1 to 4, got 5"):
        debugging.submit("X02", X02.fixed, met=[5])


def test_functions_of_a_notebook_take_the_place_of_those_of_the_same_name(course):
    names = {"__name__": "nb"}
    fixed = (
        X02.fixed + "\ndef test_it():\n    model = MatrixFactorisation(2, 2, 3)\n    before = model.users[0].copy()\n"
    )
    fixed += "    model.step(0, 1, 3.0, decay=0.0)\n    assert np.ptp(model.users[0] - before) > 1e-6\n"
    (course / "nb.py").write_text(fixed, encoding="utf-8")
    exec(compile(fixed, str(course / "nb.py"), "exec"), names)
    result = debugging.submit("X02", names["MatrixFactorisation"], test=names["test_it"])
    assert result.fix.green and result.fix.size == 6 and result.test.tells
    assert result.score == Score(0, 0, 15, 20)
    with pytest.raises(PracticeError, match="defines no test_it: give the mended MatrixFactorisation, symptom"):
        debugging.submit("X02", names["test_it"])


def test_a_submission_without_anything_is_nothing(course):
    assert debugging.submit("X02").score.total == 0


# the mock


def screen(*typed):
    """A screen, its text, and the lines that are typed; an exception among them is raised, a function is called."""
    import io

    text, lines = io.StringIO(), iter(typed)

    def read():
        line = next(lines, EOFError)
        if callable(line) and not isinstance(line, type):
            line()
            return ""
        if isinstance(line, type):
            raise line
        return line

    ticks = iter(range(0, 100000, 60))
    return Screen(Console(file=text, width=80, highlight=False), read, lambda: float(next(ticks))), text


def test_a_task_is_sat_in_a_mock_with_hints_a_grade_and_the_interviewer_s_questions(course):
    hand_out(code="old = 1\n")
    debugging.hint("X02"), debugging.hint("X02")  # of an attempt before, which does not count
    here, text = screen("h", hand_out, "1 2 3 4", "", "", "y", "", "", "", "y")
    outcome = debugging.sit(here, "X02", minutes=12)
    shown = text.getvalue()
    assert (outcome.item, outcome.percent, outcome.hints, outcome.first) == ("X02", 95, 1, 95)
    assert outcome.seconds == 60 and outcome.missed == () and outcome.follow_ups == ("Would Adam hide it?",)
    assert max(map(width, re.split(r"\n|> ", shown))) <= 80 and "Print how far one call" in shown
    (backup,) = Path("my/backup").glob("debug-X02-*")
    assert (backup / "answer.py").read_text(encoding="utf-8") == "old = 1\n"
    assert reviews.read()[-1].mode == "debug"


def test_who_leaves_a_mock_keeps_the_files_and_gets_no_record(course):
    here, _ = screen("q")
    with pytest.raises(Ended):
        debugging.sit(here, "X02", minutes=12)
    assert (FOLDER / "answer.py").exists() and reviews.read() == []


def test_who_goes_on_with_a_mock_finds_the_files_and_the_hints_as_they_were(course):
    with pytest.raises(Ended):
        debugging.sit(screen("h", "q")[0], "X02", minutes=12)
    hand_out()
    here, text = screen("", "1 2 3 4", "")
    outcome = debugging.sit(here, "X02", 5, "en", again=False)
    assert (outcome.percent, outcome.hints) == (95, 1) and not Path("my/backup").exists()
    assert X02.report_zh[:20] not in text.getvalue()


def test_a_review_that_cannot_be_read_is_mended_and_handed_in_again(course):
    def spoil():
        hand_out()
        (FOLDER / "review.md").write_text("## Marks\nnonsense\n", encoding="utf-8")

    here, text = screen(spoil, hand_out, "1 2 3 4", "")
    outcome = debugging.sit(here, "X02", minutes=12)
    assert "review.md:2: 'nonsense' is no mark" in text.getvalue() and outcome.percent == 100


def test_what_was_missed_is_named_for_the_debrief(course):
    here, _ = screen(lambda: hand_out(marks=RIGHT[:2]), "1 2 3", "", "", "y")
    outcome = debugging.sit(here, "X02", minutes=12)
    assert outcome.missed[0].startswith("line 32: ") and outcome.missed[1] == X02.mechanism[3][1]
    assert outcome.follow_ups == ()


# a real terminal


def test_in_a_terminal_a_review_is_handed_in_and_graded(terminal, course):
    hand_out()
    terminal.start("debug X02 --submit", folder=Path.cwd())
    terminal.until("Their numbers")
    terminal.type("1 2 4", "Enter")
    terminal.until("Enter keeps 1 2 4")
    terminal.type("1 2 3 4", "Enter")
    shown = terminal.until("--reference shows")
    assert "total                                100 of 100" in shown and max(map(width, shown.splitlines())) <= 80
    assert "21 before you had seen the model's, 25 after." in shown
    (review,) = reviews.read()
    assert (review.item, review.mode, review.first, review.final) == ("X02", "debug", 96, 100)


def test_ctrl_c_in_a_terminal_leaves_without_a_trace(terminal, course):
    hand_out()
    terminal.start("debug X02 --submit", folder=Path.cwd())
    terminal.until("Their numbers")
    terminal.type("C-c")
    shown = terminal.until("Stopped.")
    assert "Traceback" not in shown and reviews.read() == []
