"""The debugging tasks: red as found and after every wrong fix, green when mended; the report is what is printed."""

from concurrent.futures import ThreadPoolExecutor

import jsonschema
import pytest
import yaml

from recsys_course.interview import debugging, debugging_run, front_matter, runner
from recsys_course.interview.debug_rules import WRONG_FIXES
from recsys_course.interview.debugging_marks import POINTS, Mark, judge
from recsys_course.interview.debugging_task import FINE, MECHANISM, SEVERITIES, changed

TASKS = {task.id: task for task in debugging.all_tasks()}
LIMITS = runner.Limits(start_seconds=60.0, test_seconds=20.0, total_seconds=120.0, memory_mb=2048)
each_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


def red(task, source):
    """Titles of the tests that the code does not pass, with what they say."""
    report = runner.run(source, [task.test], LIMITS)
    return {case.title: case.message for case in report.cases if not case.green} or report.broken


def test_there_are_tasks():
    assert {"X02", "X03"} <= set(TASKS)


@each_task
def test_the_code_as_found_is_red_by_a_test_that_fails_and_not_by_a_broken_import(task):
    report = runner.run(task.buggy, [task.test], LIMITS)
    assert not report.broken and {case.outcome for case in report.cases} <= {"passed", "failed"}
    assert not report.green


@each_task
def test_the_right_fix_is_green(task):
    assert red(task, task.fixed) == ""


SECOND = {  # right fixes that were written otherwise
    "X02": [
        ("        self.users[user] -= lr * (error + decay * self.users[user])\n", ""),
        (
            "        self.items[item] -= lr * (error + decay * self.items[item])\n",
            "        p, q = self.users[user], self.items[item]\n"
            "        self.users[user], self.items[item] = "
            "(1 - lr * decay) * p - lr * error * q, (1 - lr * decay) * q - lr * error * p\n",
        ),
        ("        for _ in range(epochs):", "        for _ in range(epochs):\n            losses = []"),
        ("loss = self.step(user, item, rating)", "losses.append(self.step(user, item, rating))"),
        ("history.append(loss)", "history.append(sum(losses) / len(losses))"),
    ],
    "X03": [
        ("torch.softmax(scores * keep, dim=-1)", "torch.where(keep, scores, -torch.inf).softmax(-1).nan_to_num(0.0)"),
        ("torch.softmax(scores, dim=-1) @ items", "torch.softmax(scores, dim=-1).nan_to_num(0.0) @ items"),
        ("    shares = torch.softmax(-rate * ages, dim=-1)  # [batch, length]\n", ""),
        ("    shares[~keep] = 0.0\n", "    weights = torch.exp(-rate * ages) * keep\n"),
        ("return shares", "return weights / weights.sum(dim=-1, keepdim=True).clamp(min=1e-9)"),
    ],
}


@pytest.mark.parametrize("task", SECOND)
def test_a_right_fix_that_was_written_otherwise_is_green_too(task):
    assert red(TASKS[task], changed(TASKS[task].buggy, SECOND[task])) == ""


@each_task
def test_every_wrong_fix_is_red(task):
    assert len(task.wrong_fixes) >= WRONG_FIXES
    with ThreadPoolExecutor(2) as pool:
        found = dict(
            zip(task.wrong_fixes, pool.map(lambda code: red(task, code), task.wrong_fixes.values()), strict=True)
        )
    assert [name for name, tests in found.items() if not tests] == []


@each_task
def test_the_report_quotes_what_the_code_prints_and_the_fix_prints_something_else(task):
    before, after = (debugging_run.symptom(code) for code in (task.buggy, task.fixed))
    assert before.green and before.printed == task.printed
    assert after.green and after.printed != task.printed


@each_task
def test_marking_all_faults_is_full_marks_and_marking_every_line_is_worse_than_finding_one(task):
    right = [Mark(finding.lines[0], finding.severity) for finding in task.findings]
    assert judge(right, task).points == POINTS
    worst = max(task.findings, key=lambda finding: SEVERITIES[finding.severity])
    lines = range(1, len(task.buggy.splitlines()) + 1)
    for severity in SEVERITIES:
        everything = judge([Mark(line, severity) for line in lines], task)
        assert not everything.missed and everything.points < judge([Mark(worst.lines[0], worst.severity)], task).points


@each_task
def test_the_title_and_the_report_do_not_give_the_lines_away(task):
    shown = task.statement()
    assert not [finding for finding in task.findings if task.buggy.splitlines()[finding.lines[0] - 1].strip() in shown]
    assert not [text for _, text in task.mechanism if text in shown] and task.explanation not in shown


@each_task
def test_points_hints_and_severities_are_what_the_score_expects(task):
    assert sum(points for points, _ in task.mechanism) == MECHANISM and len(task.hints) == 3
    assert {finding.severity for finding in task.findings} <= SEVERITIES.keys()
    assert {suspect.severity for suspect in task.suspects} == {FINE}


@each_task
def test_a_task_is_printed_for_a_candidate_and_for_an_interviewer(task):
    for language in ("en", "zh", "both"):
        shown, script = task.candidate_markdown(language), task.interviewer_markdown(language)
        assert task.printed in shown and (task.report in shown) is (language != "zh")
        assert (task.report_zh in shown) is (language != "en")
        assert script.startswith(shown.rstrip()) and task.explanation in script and "```diff\n" in script
        assert task.explanation not in shown and task.findings[0].says not in shown


def test_moving_the_item_by_the_new_vector_overflows_where_an_error_stays_and_the_right_fix_does_not():
    (name,) = [name for name in TASKS["X02"].wrong_fixes if "new vector" in name]
    report = debugging_run.symptom(TASKS["X02"].wrong_fixes[name])
    assert "dim" not in report.printed  # it is the first of them, one dimension, that fails
    assert "OverflowError" in report.cases[0].message
    assert debugging_run.symptom(TASKS["X02"].fixed).green


def test_the_schema_is_one_and_agrees_with_jsonschema():
    schema = front_matter.load_schema(TASKS["X02"].folder.parent / "schema.json")
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    good = yaml.safe_load((TASKS["X02"].folder / "report.md").read_text(encoding="utf-8").split("---")[1])
    for key in good:
        for value in (True, 0, 99, "", "no!", [], ["A01"], [1], None):
            meta = {**good, key: value}
            assert bool(list(front_matter.problems(meta, schema))) == (not validator.is_valid(meta)), (key, value)
