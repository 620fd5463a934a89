"""The coding round as a learner meets it: the command, the notebook, the copy, the editor, the score, the record."""

import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from recsys_course import cli, learner, progress
from recsys_course.interview import coding, coding_copy, reviews, session
from recsys_course.interview.answer_source import NoSource, source_of
from recsys_course.interview.bank import BankError
from recsys_course.interview.coding import CodingError
from recsys_course.interview.coding_result import Score
from recsys_course.interview.layout import flow, pad, width, wrap
from recsys_course.interview.lint import lint
from recsys_course.interview.report import CaseResult, GrowthResult, Report
from test_bank import project

W20 = coding.load("W20")
COPY = Path("my/coding/W20-early-stopping/answer.py")


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
def run(course, capsys):
    """The command: exit status, stdout and stderr."""

    def call(*arguments):
        try:
            status = cli.main(["code", *arguments])
        except SystemExit as error:
            status = error.code
        shown = capsys.readouterr()
        return status, shown.out, shown.err

    return call


def answer(source=W20.reference, edges=("aliased weights", "NaN"), complexity="O(1)"):
    """Write an answer into the copy."""
    COPY.parent.mkdir(parents=True, exist_ok=True)
    COPY.write_text(f"COMPLEXITY = {complexity!r}\nEDGE_CASES = {list(edges)!r}\n{source}", encoding="utf-8")


# the command


def test_without_a_task_it_lists_all_of_them_in_80_columns(run):
    status, out, _ = run()
    assert status == 0
    for task in coding.all_tasks():
        assert task.id in out and task.title in out and task.title_zh in out
    assert max(map(width, out.splitlines())) <= 80


def test_opening_shows_the_task_and_makes_a_copy_without_edge_cases_and_probes(run):
    status, out, err = run("w20")
    assert (status, err) == (0, "")
    assert W20.title in out and "实现早停类" in out and "my/coding/W20-early-stopping/answer.py: your copy" in out
    assert "with EDITOR set" in out and max(map(width, out.splitlines())) <= 80
    shown = out + COPY.read_text(encoding="utf-8") + COPY.with_name("task.md").read_text(encoding="utf-8")
    assert "EDGE_CASES = [" in shown and 'COMPLEXITY = ""' in shown and "class EarlyStopping" in shown
    assert not [edge for edge in W20.edges if edge.says in shown] and "noisy" not in shown


def test_an_edited_copy_is_never_overwritten_and_an_unedited_one_follows_the_task(run, monkeypatch):
    run("W20")
    newer = dataclasses.replace(W20)
    vars(newer)["starter"] = W20.starter.replace("Stops a training", "Ends a training")
    monkeypatch.setattr(coding, "load", lambda task: newer)
    assert "as you left it" in run("W20")[1]
    assert "Ends a training" in COPY.read_text(encoding="utf-8")
    COPY.write_text("mine = 1\n", encoding="utf-8")
    vars(newer)["starter"] = W20.starter
    status, out, _ = run("W20")
    assert status == 0 and "the task is newer, and --again starts afresh" in " ".join(out.split())
    assert COPY.read_text(encoding="utf-8") == "mine = 1\n"


def test_again_moves_the_copy_to_the_backup_and_starts_a_new_attempt(run):
    run("W20")
    answer()
    run("W20", "--run")
    _, out, _ = run("W20", "--again")
    backup = next(Path("my/backup").glob("W20-early-stopping-*.py"))
    assert backup.name in out and "EDGE_CASES" in backup.read_text(encoding="utf-8")
    assert "NotImplementedError" in COPY.read_text(encoding="utf-8")
    assert session.current("W20", W20.rev).named is None


def test_a_run_reports_the_public_tests_by_words_and_its_status(run):
    run("W20")
    with COPY.open("a", encoding="utf-8") as copy:
        copy.write("# begun\n")
    status, out, _ = run("W20", "--run")
    assert status == 1 and "0 of 3 passed" in out and "✗ failed:" in out and "not written yet" in out
    answer()
    status, out, _ = run("W20", "--run")
    assert status == 0 and "3 of 3 passed" in out and "✓ passed:" in out and "Hidden" not in out and "Score" not in out


def test_a_submission_shows_edge_cases_growth_score_and_probes_and_never_the_tests(run):
    answer(W20.reference.replace("copy.deepcopy(weights)", "weights"))
    status, out, _ = run("W20", "--submit", "--talk", "8")
    assert status == 1
    assert "Hidden tests: 11 of 12 passed" in out
    assert "✗ failed, named: aliasing" in out and "✓ passed, named: nan" in out and "✓ passed, not named: resume" in out
    assert "you said O(1), expected is O(1)" in out and "✓ fits: from n =" in out
    assert "correctness                           36 of  40" in out
    assert "edge cases named before running        8 of  20" in out
    assert "total                                 82 of 100" in out
    assert "? Your validation metric is noisy." in out
    assert "def test" not in out and "stopper.step" not in out
    assert max(map(width, out.splitlines())) <= 80


def test_what_is_named_after_the_first_run_does_not_count(run):
    answer(edges=["NaN"])
    run("W20", "--run")
    answer(edges=["NaN", "深拷贝", "resume", "patience", "min_delta", "mode"])
    assert "edge cases named before running        4 of  20" in run("W20", "--submit")[1]


@pytest.mark.parametrize("option", ["--run", "--submit"])
def test_a_copy_as_it_was_handed_out_is_not_run_and_costs_no_points_for_edge_cases(run, option):
    run("W20")
    status, out, err = run("W20", option)
    assert (status, out) == (1, "") and "answer.py is as it was handed out, so nothing was run" in err
    assert session.current("W20", W20.rev).named is None and reviews.read() == []
    answer(edges=["NaN"])
    assert "4 of  20" in run("W20", "--submit")[1]


def test_points_for_talking_without_a_submission_are_refused_with_what_to_type(run):
    answer()
    status, _, err = run("W20", "--talk", "7")
    assert status == 1 and "`recsys-course code W20 --submit --talk 7`" in err


def test_the_reference_is_shown_after_a_submission_or_when_asked_twice(run):
    status, out, err = run("W20", "--reference")
    assert (status, out) == (1, "") and "--reference --yes" in err and len(err.splitlines()) == 1
    assert run("W20", "--reference", "--yes")[1] == W20.reference
    answer("x = 1")
    run("W20", "--submit")
    assert run("W20", "--reference")[:2] == (0, W20.reference)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("W99",), "there is no coding task 'W99': there are W01, W02"),
        (("../x",), "there is no coding task '../x'"),
        (
            ("W20", "--run"),
            "my/coding/W20-early-stopping/answer.py is not there yet: `recsys-course code W20` makes it",
        ),
    ],
)
def test_an_error_is_one_line_on_stderr(run, arguments, why):
    status, out, err = run(*arguments)
    assert (status, out) == (1, "") and why in err and len(err.splitlines()) == 1


def test_a_record_that_cannot_be_written_is_one_line_too(run, state):
    state.write_text("a file where a folder belongs")
    answer()
    status, out, err = run("W20", "--submit")
    assert (status, out) == (1, "") and "cannot be written or read" in err and len(err.splitlines()) == 1


@pytest.mark.parametrize("arguments", [("W20", "--run", "--submit"), ("W20", "--talk", "11"), ("W20", "--talk", "x")])
def test_a_wrong_option_exits_with_2(run, arguments):
    assert run(*arguments)[0] == 2


def test_through_a_pipe_there_is_no_escape_code_and_no_editor(course):
    options = {"NO_COLOR": "1", "EDITOR": "no-such-editor", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-m", "recsys_course.cli", "code", "W20"]
    shown = subprocess.run(command, capture_output=True, env={**os.environ, **options}, stdin=subprocess.DEVNULL)
    assert shown.returncode == 0 and b"\x1b" not in shown.stdout and "Open it in any editor." in shown.stdout.decode()


def test_the_list_starts_at_once_and_imports_nothing_heavy():
    code = "import sys; from recsys_course.interview import coding; coding.tasks(); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "numpy", "pandas", "IPython", "rich"} & set(loaded)


# the editor


def terminal(monkeypatch, editor):
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("EDITOR", editor)


def test_the_editor_gets_its_words_and_the_path_without_a_shell(run, course, monkeypatch):
    script = course / "an editor.py"
    script.write_text("import sys, pathlib; pathlib.Path('seen').write_text('|'.join(sys.argv[1:]))", encoding="utf-8")
    terminal(monkeypatch, f'"{sys.executable}" "{script}" --wait; $(touch hacked)')
    assert run("W20")[0] == 0
    assert Path("seen").read_text().split("|")[:2] == ["--wait;", "$(touch"]
    assert Path("seen").read_text().endswith(str(COPY)) and not Path("hacked").exists()


def test_an_editor_that_fails_or_is_not_there_is_said_in_a_sentence(run, monkeypatch):
    terminal(monkeypatch, "no-such-editor")
    assert "The editor 'no-such-editor' does not start" in run("W20")[1]
    terminal(monkeypatch, f'"{sys.executable}" -c "raise SystemExit(4)"')
    assert "The editor ended with status 4." in run("W20")[1]


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
def test_in_a_real_terminal_the_editor_opens(course):
    import pty

    leader, follower = pty.openpty()
    (course / "editor").write_text(f"#!{sys.executable}\nimport sys\nopen(sys.argv[1], 'a').write('# was here\\n')\n")
    (course / "editor").chmod(0o755)
    command = [sys.executable, "-m", "recsys_course.cli", "code", "W20"]
    options = {**os.environ, "EDITOR": str(course / "editor")}
    process = subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, env=options)
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 4096)
        except OSError:  # Linux: the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(leader)
    assert process.wait() == 0 and b"Early stopping" in shown
    assert COPY.read_text(encoding="utf-8").endswith("# was here\n")


# the notebook

SCALE = 2
TABLE = {"a": (1, 2)}


def helper(x):
    return math.sqrt(x) * SCALE


def uses_everything(x: "Path") -> float:
    return helper(x) + TABLE["a"][0] + len(json.dumps(width("x")))


class Uses:
    """A class that is found through its methods."""

    factor = 3

    def twice(self):
        return helper(1) * self.factor


import math  # noqa: E402


def test_the_source_of_a_function_brings_its_imports_helpers_and_constants():
    names = {}
    exec(source_of(uses_everything, Uses), names)
    assert names["uses_everything"](4) == uses_everything(4) == 6
    assert names["Uses"]().twice() == 6


def test_a_class_that_was_defined_in_a_notebook_is_found_through_its_methods(tmp_path):
    """As IPython does it: the source is in the line cache only, and the module has no file."""
    import linecache

    source = "import math\nclass Late:\n    def half(self):\n        return math.floor(5 / 2)\n"
    linecache.cache["<cell>"] = (len(source), None, source.splitlines(keepends=True), "<cell>")
    names = {"__name__": "__main__"}
    exec(compile(source, "<cell>", "exec"), names)
    again = {}
    exec(source_of(names["Late"]), again)
    assert again["Late"]().half() == 2


def test_what_has_no_source_is_refused_in_a_sentence():
    with pytest.raises(NoSource, match="the source of len is not to be found: define it"):
        source_of(len)
    with pytest.raises(CodingError, match="give your functions"):
        coding.run("W20")


def test_a_function_is_handed_in_from_a_notebook(course):
    page = coding.show("W20")
    assert "class EarlyStopping" in repr(page) and max(map(width, str(page).splitlines())) <= 120
    names = {"__name__": "nb"}
    path = course / "nb.py"
    path.write_text(W20.reference, encoding="utf-8")
    exec(compile(W20.reference, str(path), "exec"), names)
    first = coding.run("W20", names["EarlyStopping"], edge_cases=["NaN", "恢复训练：断点"])
    assert first.green and not first.hidden and first.score is None and first.named == ("nan", "resume")
    result = coding.submit("W20", names["EarlyStopping"], complexity="O( 1 )", talk=10)
    assert result.green and result.in_time and result.red == () and result.missed == ()
    assert result.score == Score(40, 8, 15, 15, 10) and result.score.total == 88
    assert (result.id, result.rev, result.growth.ok) == ("W20", W20.rev, True)
    assert coding.best_scores() == {"W20": 88} and "88" in coding.tasks()
    with pytest.raises(AttributeError):
        result.id = "W01"


def test_the_record_holds_what_a_scheduler_needs(course):
    coding.submit("W20", W20.reference.replace("gain > self", "gain >= self"), edge_cases=["patience"])
    event = progress.events()[-1]
    assert (event["exercise"], event["outcome"], event["rev"]) == ("coding.W20", "failed", W20.rev)
    assert "test_min_delta" in event["red"] and event["missed"] and event["named"] == ["patience"]
    assert event["growth"] is True and event["in_time"] is True and isinstance(event["score"], int)


def test_talk_is_a_number_from_0_to_10():
    with pytest.raises(CodingError, match="0 to 10, got 11"):
        coding.submit("W20", "x = 1", talk=11)


# the score


def result(cases, growth=None, **more):
    report = Report(tuple(cases), growth)
    found = coding.make_result(W20, report, session.Session(1, time.time()), "", None)
    return type(found)(**{**vars(found), "hidden": True, **more})


def case(green, **more):
    return CaseResult("test_hidden", "test_x", "Title", outcome="passed" if green else "failed", **more)


def test_growth_earns_nothing_where_most_tests_are_red():
    fits = GrowthResult(True, "memory", 1, 1.0, 8.0)
    assert result([case(True), case(False)], fits).score.complexity == 8
    assert result([case(False), case(False), case(True)], fits).score.complexity == 0
    assert result([case(True)], GrowthResult(None, "why")).score.complexity == 0
    assert result([case(True)], fits, right=True).score.complexity == 15


def test_points_are_shares_and_five_named_edge_cases_are_enough():
    cases = [case(True), case(True), case(False), case(True, safety=True), case(False, safety=True)]
    score = result(cases, named=("a", "b", "c", "d", "e", "f")).score
    assert (score.correctness, score.safety, score.edge_cases, score.talk) == (27, 8, 20, None)
    assert score.total == 55


@pytest.mark.parametrize("stated", ["O(n log n)", "o( n·log n )", "O(n log k)", "O(n*log n)"])
def test_a_complexity_may_be_spelt_in_several_ways(stated):
    assert coding.load("W01").is_right(stated) and not coding.load("W25").is_right(stated)


def test_squares_may_be_spelt_in_several_ways():
    task = coding.load("W08")
    assert all(task.is_right(stated) for stated in ("O(B² d)", "O(B^2 d)", "O(B**2 * d)", "O(B^2*dim)"))
    assert not task.is_right("O(B d)") and not task.is_right("")


# the attempt


def test_a_torn_or_old_session_is_a_new_attempt_and_a_clock_that_goes_back_is_no_negative_time(state, monkeypatch):
    session.open_("W20", 1)
    assert session.current("W20", 1) and session.current("W20", 2) is None
    (state / "coding" / "W20.json").write_text('{"rev": 1, "open')
    assert session.current("W20", 1) is None
    now = session.open_("W20", 1)
    monkeypatch.setattr(time, "time", lambda: now.opened - 3600)
    assert now.seconds() == 0


def test_edge_cases_and_complexity_are_read_without_running_the_answer(course):
    answer("raise SystemExit", edges=["a", 1], complexity="O(n)")
    assert coding_copy.read(course, W20)[1:] == (["a", "1"], "O(n)")
    for broken in ("def (", "EDGE_CASES = f()\nCOMPLEXITY = 3", "\x00"):
        COPY.write_text(broken, encoding="utf-8")
        assert coding_copy.read(course, W20)[1:] == ([], "")


# the text


@pytest.mark.parametrize("columns", range(8, 40))
def test_no_line_begins_with_a_closing_mark_or_ends_with_an_opening_one(columns):
    lines = wrap("召回（先取几千个候选）和“精排”、《重排》：排到前面的（还是前面的）。", columns).splitlines()
    assert not any(line[0] in "，。、：）》”" or line[-1] in "（《“" for line in lines)
    assert all(width(line) <= columns for line in lines)


@pytest.mark.parametrize("columns", [20, 40, 80])
def test_lines_are_broken_by_columns_and_a_chinese_character_is_two(columns):
    text = "推荐系统中的重复物品，不得作为负样本；mixed with some words, and a-very-long-word-that-fits-nowhere " * 3
    lines = wrap(text, columns, "  ", "- ").splitlines()
    assert max(map(width, lines)) <= columns and lines[0].startswith("- ") and lines[1].startswith("  ")
    assert not [line for line in lines if line.strip()[0] in "，；"]
    assert "".join("".join(lines).split()) == "-" + "".join(text.split())
    assert width("同分 tie") == 8 and width(pad("同分", 6)) == 6


def test_chinese_source_lines_are_joined_without_a_space():
    assert wrap("同分的物品\n没有先后 and\nmore") == "同分的物品没有先后 and more"


def test_examples_and_indented_lines_stay_as_they_are():
    text = "A paragraph\nof two lines.\n\n    s = a   +  b\n\n>>> f(1)\n2\n\n- one\n  more\n- two"
    assert flow(text) == "A paragraph of two lines.\n\n    s = a   +  b\n\n>>> f(1)\n2\n\n- one more\n- two"


# the linter


def broken(tmp_path, old, new, file="task.md"):
    """Problems of a project with one task that was changed in one place."""
    import shutil

    root = project(tmp_path)
    folder = root / "recsys_course/interview/bank/coding"
    shutil.copytree(W20.folder, folder / W20.folder.name)
    shutil.copy(W20.folder.parent / "schema.json", folder)
    (root / "lessons").mkdir()
    (root / "lessons/06_overfitting.py").touch()
    path = folder / W20.folder.name / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return [str(problem) for problem in lint(root) if "/coding/" in problem.path]


def test_the_good_task_has_no_problem(tmp_path):
    assert broken(tmp_path, "rev: 1", "rev: 2") == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("id: W20", "id: W21", "id W21 does not begin the folder's name"),
        ("level: junior", "level: hard", "`level` is 'hard'"),
        ("[K01, K10]", "[K99]", "questions names K99, which is not a planned one"),
        ('lesson: "06"', 'lesson: "77"', "there is no lesson 77"),
        ("[000-Q2]", "[]", "000-Q2: this task and articles.yaml do not agree"),
        ("## Probes", "## Probe", "headings must be Prompt, 题目, Examples, Edge cases, Probes"),
        ("- nan | words: nan", "- nan | nan", "line of `## Edge cases` has the wrong form"),
        ("- nan | words", "- nought | words", "no hidden test is marked edge('nought')"),
        ("- nan | words", "- nought | words", "marked edge('nan'), which is not listed"),
        ('早停"', 'Stop"', "title_zh has no Chinese character"),
    ],
)
def test_the_linter_sees(old, new, message, tmp_path):
    assert any(message in problem for problem in broken(tmp_path, old, new))


def test_the_linter_sees_a_task_that_is_not_told_in_chinese(tmp_path):
    told = re.search(r"(?s)## 题目\n(.*?)\n## ", (W20.folder / "task.md").read_text(encoding="utf-8"))[1]
    assert any("题目 has no Chinese character" in problem for problem in broken(tmp_path, told, "It stops.\n"))


def test_the_linter_sees_mutants_that_do_not_fit_and_files_that_are_missing(tmp_path):
    found = broken(tmp_path, "gain > self.min_delta", "gain < self.min_delta", "mutants.py")
    assert any("'gain < self.min_delta' is 0 times in the reference, not once" in problem for problem in found)
    (tmp_path / "recsys_course/interview/bank/coding" / W20.folder.name / "starter.py").unlink()
    assert any("lacks starter.py" in str(problem) for problem in lint(tmp_path))


def test_a_task_that_cannot_be_read_says_where(tmp_path):
    (tmp_path / "task.md").write_text("---\nid: W20\n---\n## Prompt\nx\n", encoding="utf-8")
    with pytest.raises(BankError, match="heading `## 题目` is missing"):
        coding.read_task(tmp_path / "task.md")
