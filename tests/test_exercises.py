"""Every exercise of every lesson accepts what is right and rejects what is wrong, with the right words."""

import importlib
import inspect
import pkgutil
import time

import pytest

import recsys_course.exercises
import second_answers
import toy_exercises
from recsys_course import progress
from recsys_course.checks import CheckFailed, Exercise, bind
from second_answers import GARBAGE, behaving, impatient, in_another_form, named

LESSONS = [
    importlib.import_module(f"recsys_course.exercises.{module.name}")
    for module in pkgutil.iter_modules(recsys_course.exercises.__path__)
    if module.name.startswith("l")
]
MODULES = [*LESSONS, toy_exercises]
OF_MODULE = {module: list(module.check.__self__.exercises.values()) for module in MODULES}
EXERCISES = [exercise for bound in OF_MODULE.values() for exercise in bound]

every_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.id)


def check(exercise, answer, graded=False):
    bind([exercise])[0](named(answer, exercise), graded=graded)


def rejected(exercise, answer, graded=False):
    with pytest.raises(CheckFailed) as failure:
        check(exercise, answer, graded)
    first, second = str(failure.value).splitlines()
    assert first.startswith(f"✗ {exercise.id}")
    assert second.startswith("  ")
    return second.strip()


@every_exercise
def test_the_reference_passes_seen_and_graded(exercise, capsys):
    check(exercise, exercise.reference)
    check(exercise, exercise.reference, graded=True)
    seen, _graded = capsys.readouterr().out.splitlines()
    n_cases = len(exercise.inputs())
    assert seen == f"✓ {exercise.id}: {n_cases} {'case' if n_cases == 1 else 'cases'} passed"
    assert len(exercise.inputs(graded=True)) > len(exercise.inputs())


@every_exercise
def test_a_second_answer_passes_and_is_not_the_reference_again(exercise):
    second = second_answers.second_answer(exercise)
    assert inspect.getsource(second) != inspect.getsource(exercise.reference)
    check(exercise, second)
    check(exercise, second, graded=True)


@pytest.mark.parametrize("form", ["numpy", "float64"])
@every_exercise
def test_the_reference_passes_in_another_form(exercise, form):
    if exercise.verify is None:
        check(exercise, lambda *args: in_another_form(exercise.reference(*args), form), graded=True)


@every_exercise
def test_what_is_not_written_is_no_error_unless_graded(exercise, capsys):
    check(exercise, second_answers.stub(exercise))
    assert capsys.readouterr().out == f"… {exercise.id}: not written yet. hint({exercise.name}) helps.\n"
    with pytest.raises(CheckFailed, match="not written yet"):
        check(exercise, second_answers.stub(exercise), graded=True)


@every_exercise
def test_every_mistake_is_rejected_with_its_own_message(exercise):
    for wrong, message in exercise.mistakes:
        assert rejected(exercise, wrong) == message
        assert rejected(exercise, wrong, graded=True) == message


@pytest.mark.parametrize("kind", GARBAGE)
@every_exercise
def test_garbage_is_rejected_in_time(exercise, kind):
    if kind == "a changed input" and not second_answers.can_be_changed(exercise):
        pytest.skip("this exercise has no input that could be changed")
    began = time.monotonic()
    advice = rejected(impatient(exercise), behaving(exercise, GARBAGE[kind]))
    assert advice
    assert time.monotonic() - began < 5


@every_exercise
def test_grading_catches_who_has_only_learnt_the_visible_answers_by_heart(exercise):
    if exercise.verify is None:
        rejected(exercise, second_answers.parrot(exercise), graded=True)


@every_exercise
def test_the_solution_shows_a_definition(exercise, capsys):
    bind([exercise])[2](exercise.name, anyway=True)
    assert capsys.readouterr().out.startswith(("def ", "class ", "@"))


def test_every_exercise_of_a_module_is_bound():
    for module, bound in OF_MODULE.items():
        written = [value for value in vars(module).values() if isinstance(value, Exercise)]
        assert not [exercise.id for exercise in written if exercise not in bound]


def test_ids_are_unique_and_belong_to_their_lesson():
    ids = [exercise.id for exercise in EXERCISES]
    assert len(set(ids)) == len(ids)
    for module in LESSONS:
        lesson = module.__name__.rpartition(".l")[2]
        assert {exercise.id[:2] for exercise in OF_MODULE[module]} == {lesson}


def test_the_progress_table_counts_exactly_these_exercises():
    listed = sorted(id for ids in progress.exercise_ids().values() for id in ids)
    assert listed == sorted(exercise.id for module in LESSONS for exercise in OF_MODULE[module])
