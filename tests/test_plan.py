"""The plans until an interview: their hours, their dates, what counts as done, and what `next` names."""

import io
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from recsys_course import learner, next_step, progress
from recsys_course.interview import coding, commands, debugging, designs, mock, mock_pool, plan, plan_command, reviews
from recsys_course.interview.mock_paper import Order
from recsys_course.interview.outcome import PracticeError
from recsys_course.interview.plan import Record, Step
from recsys_course.interview.reviews import Review
from recsys_course.interview.screen import Screen

TODAY = date(2026, 3, 2)  # a Monday
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOTHING = Record((), (), {f"{n:02}" for n in range(24)})


def review(item, mode, days=0):
    return Review(item, 1, NOON + timedelta(days=days), 3, mode)


def shown(today=TODAY):
    file = io.StringIO()
    plan_command.show(Screen(Console(file=file, width=80, highlight=False)), today)
    return file.getvalue()


@pytest.mark.parametrize(("weeks", "hours"), [(1, 14), (3, 51)])
def test_a_plan_has_its_days_and_its_hours(weeks, hours):
    days = plan.load(weeks)
    assert len(days) == 7 * weeks
    assert sum(step["minutes"] for day in days for step in day) == 60 * hours
    assert max(sum(step["minutes"] for step in day) for day in days) <= 180


def test_the_short_plan_has_measuring_log_q_ranking_language_models_four_tasks_two_designs_and_two_mocks():
    steps = [(step["do"], step.get("what")) for day in plan.load(1) for step in day]
    assert [what for do, what in steps if do == "lesson"] == ["02", "05", "11", "15"]
    assert {what for do, what in steps if do == "code"} == {"W01", "W02", "W08", "W11"}
    assert [do for do, _ in steps].count("design") == 2 and [do for do, _ in steps].count("mock") == 2


def test_the_long_plan_has_every_lesson_coding_task_debugging_task_and_design_once():
    steps = [(step["do"], step["what"]) for day in plan.load(3) for step in day if "what" in step]
    shipped = {path.name[:2] for path in learner.shipped(learner.find_course())} - {"00"}
    everything = {("lesson", number) for number in shipped}
    everything |= {("code", task.id) for task in coding.all_tasks()}
    everything |= {("debug", task.id) for task in debugging.all_tasks()}
    everything |= {("design", one.id) for one in designs.all_designs()}
    assert {step for step in steps if step[0] != "mock"} == everything
    assert len(steps) == len(set(steps))


@pytest.mark.parametrize("weeks", [1, 3])
def test_a_plan_leaves_each_task_at_least_its_own_minutes(weeks):
    load = {"code": coding.load, "debug": debugging.load, "design": designs.load}
    for step in (step for day in plan.load(weeks) for step in day if step["do"] in load):
        assert step["minutes"] >= load[step["do"]](step["what"]).minutes, step


@pytest.mark.parametrize("level", ["junior", "mid", "senior"])
@pytest.mark.parametrize("weeks", [1, 3])
def test_a_paper_can_be_drawn_in_the_minutes_of_each_planned_mock(weeks, level):
    mocks = [step for day in plan.load(weeks) for step in day if step["do"] == "mock"]
    for step in mocks:
        for seed in range(5):
            paper = mock.draw(Order(step["what"], level, step["minutes"], seed), NOON)
            assert paper.minutes <= step["minutes"]


def test_a_plan_of_other_lengths_does_not_exist():
    with pytest.raises(ValueError, match="a plan of 1 or 3 weeks, none of 2"):
        plan.load(2)


def test_the_last_day_of_a_plan_is_the_day_before_the_interview():
    steps = plan.steps(date(2026, 3, 30), 3, TODAY)
    assert (steps[0].day, steps[-1].day) == (date(2026, 3, 9), date(2026, 3, 29))


@given(st.integers(0, 40), st.sampled_from([1, 3]))
def test_no_step_is_in_the_past_or_after_the_interview_and_no_work_is_lost(days, weeks):
    interview = TODAY + timedelta(days=days)
    steps = plan.steps(interview, weeks, TODAY)
    work = [step["do"] for day in plan.load(weeks) for step in day if step["do"] not in plan.DAILY]
    assert [step.kind for step in steps if step.kind not in plan.DAILY] == work
    assert all(TODAY <= step.day <= interview for step in steps)
    assert [step.day for step in steps] == sorted(step.day for step in steps)


@given(st.integers(1, 20))
def test_where_days_are_missing_the_work_is_spread_evenly_and_a_day_has_its_drill_once(left):
    steps = plan.steps(TODAY + timedelta(days=left), 3, TODAY)
    days = [TODAY + timedelta(days=number) for number in range(left)]
    work = [sum(step.minutes for step in steps if step.day == day and step.kind not in plan.DAILY) for day in days]
    assert max(work) - min(work) <= 2 * 90  # a step is never cut: at most one too many here and one too few there
    assert all([step.kind for step in steps if step.day == day].count("drill") == 1 for day in days)


@pytest.mark.parametrize(("days", "weeks"), [(0, 1), (6, 1), (20, 1), (21, 3), (60, 3)])
def test_three_weeks_are_planned_where_they_fit(days, weeks):
    assert plan.weeks_before(TODAY + timedelta(days=days), TODAY) == weeks


def test_a_lesson_is_done_with_its_last_core_exercise_and_a_task_once_it_was_handed_in():
    steps = [Step("lesson", "02", 90, TODAY), Step("code", "W01", 20, TODAY), Step("design", "SD1", 60, TODAY)]
    assert plan.done(steps, NOTHING) == [False, False, False]
    record = Record([review("W01", "code"), review("SD1", "design")], (), {"03"})
    assert plan.done(steps, record) == [True, True, True]


@pytest.mark.parametrize(("kind", "mode"), [("drill", "drill"), ("drill", "points"), ("estimates", "estimate")])
def test_what_comes_every_day_is_done_on_its_day_only(kind, mode):
    steps = [Step(kind, "", 20, TODAY), Step(kind, "", 20, TODAY + timedelta(days=1))]
    assert plan.done(steps, Record([review("C03", mode)], (), ())) == [True, False]


def test_one_mock_does_for_one_step_only():
    steps = [Step("mock", "concept", 60, TODAY), Step("mock", "concept", 60, TODAY), Step("mock", "loop", 90, TODAY)]
    assert plan.done(steps, Record((), (), (), {"concept": 1})) == [True, False, False]
    assert plan.done(steps, Record((), (), (), {"concept": 2})) == [True, True, False]


def test_a_mock_that_was_sat_to_its_end_is_on_record():
    mock_pool.note_finished("loop")
    assert plan.record().mocks == {"loop": 1}


def test_without_an_interview_ahead_nothing_is_planned(monkeypatch):
    assert plan.next_in_plan() is None and commands.next_() is None
    with pytest.raises(PracticeError, match="more plan --interview 2026-12-24"):
        shown()


def interview_in(days, weeks=None):
    """Set today, whatever day it is, and return that."""
    today = date.today()
    reviews.set_interview(today + timedelta(days=days), weeks)
    return today


def test_next_names_the_first_step_of_today_that_is_not_done_once_no_question_is_due(monkeypatch):
    today = interview_in(7)
    monkeypatch.setattr("recsys_course.interview.drill.waiting", lambda now=None: 0)
    assert plan.next_in_plan().title == "lesson 02"
    course = learner.find_course()
    for step in next_step.steps(course):
        if step.lesson == "02" and step.level != "stretch":
            assert "my/" in commands.next_() or "make lab" in commands.next_()
            progress.record(step.id, "passed")
    assert commands.next_().startswith("Type `recsys-course code W01`: code W01, ")
    reviews.record("W01", 1, 3, "code")
    assert plan.next_in_plan() is None
    assert plan.next_in_plan(today + timedelta(days=1)).title == "lesson 05"


def test_days_that_are_missing_are_said_and_tomorrow_is_called_so():
    today = interview_in(7)
    assert "more than one day holds" not in shown(today)
    interview_in(1)
    text = " ".join(shown(today).split())
    assert ", tomorrow. 12 hours in all." in text and "more than one day holds: leave out what you know best." in text


def test_due_questions_come_before_the_plan():
    interview_in(7)
    assert commands.next_().startswith("Type `recsys-course drill`")


def test_a_day_that_was_missed_is_made_up_for_but_not_its_drill():
    today = interview_in(7)
    assert plan.next_in_plan(today + timedelta(days=6)).title == "lesson 02"
    assert {step.kind for step in plan.mine(today) if step.day == today} == {"lesson", "code", "drill"}


def test_a_plan_keeps_its_dates_while_days_pass():
    today = interview_in(10)
    assert plan.mine(today) == plan.mine(today + timedelta(days=4))
    assert plan.mine(today + timedelta(days=11)) == []


def test_the_length_that_was_chosen_is_kept():
    today = interview_in(30, weeks=1)
    assert plan.mine(today)[0].day == today + timedelta(days=23)


def test_the_plan_shows_dates_marks_and_titles_within_eighty_columns():
    today = interview_in(7)
    reviews.record("W01", 1, 3, "code")
    text = shown(today)
    assert "7 days from now. 14 hours in all." in text and "(today)" in text
    assert f"[x]  20 min  code W01, {coding.load('W01').title}" in text
    assert f"[ ]  60 min  design SD1, {designs.load('SD1').title}" in text
    assert "[ ]  90 min  lesson 02, measuring" in text
    assert max(map(cell_len, text.splitlines())) <= 80


def test_days_are_named_in_english_whatever_the_locale():
    assert plan_command._day(date(2026, 3, 2)) == "Mon 2 Mar 2026"
    assert plan_command._day(date(2024, 2, 29)) == "Thu 29 Feb 2024"
