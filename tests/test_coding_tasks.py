"""The coding tasks: the reference and a second answer pass; the starter, wrong answers and slow ones do not."""

import doctest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import yaml

from recsys_course.interview import coding, front_matter, runner
from recsys_course.interview.runner import Limits, run
from recsys_course.interview.task_rules import MUTANTS, read_mutants

TASKS = {task.id: task for task in coding.all_tasks()}
SECOND = Path(__file__).with_name("coding_answers")
LIMITS = Limits(test_seconds=3.0, start_seconds=60.0, growth_seconds=60.0, total_seconds=240.0)


def mutants(task, kind):
    """Name and source of the wrong answers of a task."""
    for name, changes in read_mutants(task.folder / "mutants.py").get(kind, {}).items():
        source = task.reference
        for old, new in changes:
            source = source.replace(old, new)
        yield name, source


def red(task, source):
    """Names of the hidden tests that an answer does not pass."""
    report = run(source, task.tests(hidden=True)[1:], LIMITS)
    return [case.name for case in report.cases if not case.green]


def test_the_ten_tasks_are_there():
    assert list(TASKS) == ["W01", "W02", "W03", "W05", "W07", "W08", "W11", "W18", "W20", "W25"]


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_reference_is_green_and_grows_as_stated(task):
    report = run(task.reference, task.tests(hidden=True), LIMITS, growth=True)
    assert report.green, [case for case in report.cases if not case.green] or report.growth


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_second_answer_written_otherwise_is_green_too(task):
    source = (SECOND / f"{task.id}.py").read_text(encoding="utf-8")
    report = run(source, task.tests(hidden=True), LIMITS, growth=True)
    assert report.green, [case for case in report.cases if not case.green] or report.growth


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_starter_passes_nothing_and_says_why(task):
    report = run(task.starter, task.tests(hidden=True), LIMITS)
    assert {(case.outcome, case.message) for case in report.cases} == {("failed", "not written yet")}


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_every_wrong_answer_is_caught_by_a_hidden_test(task):
    wrong = dict(mutants(task, "MUTANTS"))
    assert len(wrong) >= MUTANTS
    with ThreadPoolExecutor(2) as pool:
        caught = dict(zip(wrong, pool.map(lambda source: red(task, source), wrong.values()), strict=True))
    assert [name for name, tests in caught.items() if not tests] == []
    together = set().union(*caught.values())
    assert len(together) >= MUTANTS, f"all wrong answers of {task.id} are caught by the same tests: {together}"


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_slow_answer_is_caught_by_its_growth(task):
    slow = dict(mutants(task, "SLOW"))
    assert slow
    for name, source in slow.items():
        report = run(source, task.tests(hidden=True)[1:], LIMITS, growth=True)
        assert report.growth.ok is False, f"{name}: {report.growth}"


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_examples_are_true(task):
    names = {"np": np}
    exec(task.reference, names)
    example = doctest.DocTestParser().get_doctest(task.examples, names, task.id, None, 0)
    results = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example)
    assert results.attempted >= 2 and not results.failed


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_starter_and_reference_agree_on_what_is_public(task):
    def public(source):
        names = {"np": np}
        exec(source, names)
        return {
            n for n, v in names.items() if getattr(v, "__module__", "") == "builtins" and n.islower() and n[0] != "_"
        }

    assert public(task.starter) == public(task.reference)


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_nothing_before_handing_in_names_an_edge_case_of_the_hidden_list(task):
    shown = task.statement() + task.starter
    assert "Edge cases" not in shown and "Probes" not in shown
    assert not [edge.name for edge in task.edges if edge.says in shown]


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_hidden_tests_have_titles_edges_and_safety(task):
    cases = runner.list_cases(task.tests(hidden=True)[1:])
    assert all(case.title != case.name for case in cases)
    assert {case.edge for case in cases} - {""} == {edge.name for edge in task.edges}
    assert sum(case.safety for case in cases) >= 2 and sum(not case.safety for case in cases) >= 6


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_every_word_of_an_edge_case_names_it_and_a_bare_answer_names_none(task):
    for edge in task.edges:
        assert all(edge.named_in([f"what about {word}?"]) for word in edge.words if word.isascii())
        assert any(not word.isascii() for word in edge.words), f"{edge.name} cannot be named in Chinese"
    assert not [
        edge.name for edge in task.edges if edge.named_in(["", "I will test it well", "corner cases", "很多情况"])
    ]


def test_the_schema_is_one_and_agrees_with_jsonschema():
    schema = front_matter.load_schema(TASKS["W01"].folder.parent / "schema.json")
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    good = yaml.safe_load((TASKS["W01"].folder / "task.md").read_text(encoding="utf-8").split("---")[1])
    for key in good:
        for value in (True, 0, 99, "", "no!", [], ["A01"], [1], None):
            meta = {**good, key: value}
            assert bool(list(front_matter.problems(meta, schema))) == (not validator.is_valid(meta)), (key, value)
