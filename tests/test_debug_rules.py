"""The linter of the debugging tasks: a good task has no problem, and each rule is seen red."""

import shutil

import pytest

from recsys_course.interview import debugging
from recsys_course.interview.bank import BankError
from recsys_course.interview.debug_rules import problems
from recsys_course.interview.debugging_task import read_task
from recsys_course.interview.lint import _load
from test_bank import project

X02 = debugging.load("X02")
NAME = f"recsys_course/interview/bank/debug/{X02.folder.name}"


def found(tmp_path, changes=(), file="report.md"):
    """What the linter says of X02 after some changes of one file; the first text must be there."""
    root = project(tmp_path)
    shutil.copytree(X02.folder, root / NAME, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(X02.folder.parent / "schema.json", root / NAME / "../schema.json")
    (root / "lessons").mkdir(exist_ok=True)
    (root / "lessons" / "04_matrix_factorisation.py").touch()
    text = (root / NAME / file).read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    (root / NAME / file).write_text(text, encoding="utf-8")
    return [(line, message) for _, line, message in problems(_load(root)[0])]


def test_the_good_task_has_no_problem(tmp_path):
    assert found(tmp_path) == []


BLOCKER = "- line: self.items[item] -= lr * (error + decay * self.items[item]) | severity: blocker"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("id: X02", "id: X03", "id X03 does not begin the folder's name"),
        ("level: junior", "level: hard", "`level` is 'hard'"),
        ("[B04]", "[B99]", "questions names B99, which is not a planned one"),
        ('lesson: "04"', 'lesson: "77"', "there is no lesson 77"),
        ("[003-P7]", "[]", "003-P7: this task and articles.yaml do not agree"),
        ("title_zh: ", 'title_zh: "x" # ', "title_zh has no Chinese character"),
        ('title: "More', f'title: "{"very " * 9}More', "the title takes more than 56 columns"),
        ("## Hints", "## Hint", "headings must be Report, 题目, Marks, Mechanism, Explanation, Hints, Probes"),
        ("```text", "```", "`## Report` has 0 blocks ```text with what symptom() prints, not one"),
        ("dim 1: RMSE", f"{'x' * 999} dim 1", "more than the 1000 that a run keeps"),
        ("dim 1: RMSE", f"{'x' * 60} dim 1", "a line that symptom() prints takes more than 80 columns"),
        ("Can you review", f"{'so ' * 180}Can you review", "words, outside 50 to 180"),
        ("## 题目\n", "## 题目\n```text\nx\n```\n", "the Chinese report repeats a block"),
        (
            "- line: history.append(loss)",
            "- line: history.add(loss)",
            "'history.add(loss)' is 0 times a line of buggy.py",
        ),
        ("- line: history.append(loss)", "- line: loss", "is 0 times a line of buggy.py, not once"),
        ("- line: history.append(loss) |", "- history.append(loss) |", "line of `## Marks` has the wrong form"),
        (BLOCKER, BLOCKER.replace("blocker", "fatal"), "severity fatal is none of blocker, major, minor, fine"),
        (BLOCKER, BLOCKER.replace("items[item]", "users[user]"), "two marks belong to the statement of line 21"),
        ("- 10: says", "- 11: says", "the 4 points of the mechanism sum to 26, not to 25"),
        ("- 10: says", "- says", "line of `## Mechanism` has the wrong form"),
        ("- Derive by hand", "Derive by hand", "2 hints, not 3"),
        ("- ask: Would Adam", "- Would Adam", "line of `## Probes` has the wrong form"),
        ("Without q all", "Without $q all", "a `$` below `## Marks` is not closed"),
    ],
)
def test_the_linter_sees_in_the_report(old, new, message, tmp_path):
    assert any(message in said for _, said in found(tmp_path, [(old, new)])), message


def test_a_report_without_faults_or_without_suspects_is_seen(tmp_path):
    guilty = [("severity: blocker", "severity: fine")] * 2 + [("severity: major", "severity: fine")]
    assert any("no line is at fault" in said for _, said in found(tmp_path / "a", guilty))
    innocent = [("severity: fine", "severity: minor")] * 3
    assert any("no line only looks guilty" in said for _, said in found(tmp_path / "b", innocent))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "buggy.py",
            "        error = ",
            "        # the bug is below\n        error = ",
            "gives the fault away: '# the bug'",
        ),
        ("buggy.py", "import numpy", f"{'# x' + chr(10)}" * 99 + "import numpy", "lines, outside 15 to 80"),
        ("buggy.py", "def symptom", "def symptoms", "buggy.py defines no symptom, which is called"),
        ("fixed.py", "def symptom", "def symptoms", "fixed.py lacks symptom, or needs other arguments"),
        (
            "fixed.py",
            "rating: float, lr",
            "rating: float, more: int, lr",
            "fixed.py lacks MatrixFactorisation.step, or needs other",
        ),
        ("wrong_fixes.py", "WRONG_FIXES = {", "OTHERS = {", "has no plain WRONG_FIXES, at least 2 are wanted"),
        ("wrong_fixes.py", "lr: float = 0.05", "lr: float = 0.5,", "is 0 times in buggy.py, not once"),
        (
            "wrong_fixes.py",
            "lr: float = 0.001",
            "lr: float = (",
            "'shrinks the step until the loss looks smooth' is no Python",
        ),
        ("test_bug.py", "from answer import", "from fixed import", "test_bug.py does not import from answer"),
        (
            "test_bug.py",
            '    """A step moves one user and one item only."""\n',
            "",
            "test_other_vectors_stay of test_bug.py",
        ),
    ],
)
def test_the_linter_sees_in_the_code(file, old, new, message, tmp_path):
    assert any(message in said for _, said in found(tmp_path, [(old, new)], file)), message


def test_a_fix_that_changes_nothing_and_a_test_file_without_tests_are_seen(tmp_path):
    root = project(tmp_path)
    shutil.copytree(X02.folder, root / NAME)
    shutil.copy(X02.folder.parent / "schema.json", root / NAME / "../schema.json")
    (root / NAME / "fixed.py").write_text(X02.buggy, encoding="utf-8")
    (root / NAME / "test_bug.py").write_text("from answer import symptom\n", encoding="utf-8")
    said = [message for *_, message in problems(_load(root)[0])]
    assert "fixed.py is buggy.py" in said and "test_bug.py has no test" in said
    (root / NAME / "fixed.py").unlink()
    assert [message for *_, message in problems(_load(root)[0])] == [f"{X02.folder.name} lacks fixed.py"]


def test_a_report_that_cannot_be_read_says_where(tmp_path):
    path = tmp_path / "report.md"
    path.write_text("---\nid: X02\n---\n## Report\nx\n", encoding="utf-8")
    with pytest.raises(BankError, match="heading `## 题目` is missing"):
        read_task(path)
    text = (X02.folder / "report.md").read_text(encoding="utf-8")
    shutil.copy(X02.folder / "buggy.py", tmp_path)
    path.write_text(text.replace("rev: 1\n", ""), encoding="utf-8")
    with pytest.raises(BankError, match="front matter: missing 1 required positional argument: 'rev'"):
        read_task(path)
