"""The debugging tasks: red as found and after every wrong fix, green when mended; the report is what is printed."""

import functools

import jsonschema
import pytest
import yaml

from in_process import printed, red
from recsys_course.interview import debugging, debugging_run, front_matter, runner
from recsys_course.interview.debug_rules import WRONG_FIXES
from recsys_course.interview.debugging_marks import POINTS, Mark, judge
from recsys_course.interview.debugging_task import FINE, MECHANISM, SEVERITIES, changed
from right_fixes import RIGHT_FIXES

TASKS = {task.id: task for task in debugging.all_tasks()}
LIMITS = runner.Limits(start_seconds=60.0, test_seconds=20.0, total_seconds=120.0, memory_mb=2048)
each_task = pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)


def test_there_are_tasks():
    assert {"X02", "X03"} <= set(TASKS)


@functools.cache
def ran(task, name):
    """What the learner's runner says of the tests and of `symptom`, on one of the files of the task."""
    return runner.run(getattr(TASKS[task], name), [TASKS[task].test, debugging_run.SYMPTOM], LIMITS)


@each_task
def test_the_code_as_found_is_red_by_a_test_that_fails_and_not_by_a_broken_import(task):
    report = ran(task.id, "buggy")
    assert not report.broken and {case.outcome for case in report.cases} <= {"passed", "failed"}
    assert not report.green


@each_task
def test_the_right_fix_is_green(task):
    report = ran(task.id, "fixed")
    assert [(case.title, case.message) for case in report.cases if not case.green] == [] and not report.broken


@each_task
def test_the_report_quotes_what_the_code_prints_and_the_fix_prints_something_else(task):
    assert ran(task.id, "buggy").printed == task.printed
    assert ran(task.id, "fixed").printed not in ("", task.printed)


@each_task
def test_in_this_process_the_tests_and_the_report_are_the_same_as_in_one_of_their_own(task):
    assert red(task, task.buggy).keys() == {case.name for case in ran(task.id, "buggy").cases if not case.green}
    assert red(task, task.fixed) == {} and printed(task.buggy) == task.printed


@pytest.mark.parametrize("name", RIGHT_FIXES)
def test_a_right_fix_that_was_written_otherwise_is_green_too(name):
    task, pairs = TASKS[name.partition(" ")[0]], RIGHT_FIXES[name]
    assert all(task.buggy.count(old) == 1 for old, _ in pairs)
    assert red(task, changed(task.buggy, pairs)) == {}


@each_task
def test_every_wrong_fix_is_red_and_its_name_says_what_it_does(task):
    assert len(task.wrong_fixes) >= WRONG_FIXES
    assert [name for name, code in task.wrong_fixes.items() if not red(task, code)] == []
    assert [name for name in task.wrong_fixes if not name.split()[0].endswith("s")] == []  # "a fix that ..."


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
