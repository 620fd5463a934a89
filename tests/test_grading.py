"""Grading a weak answer: what is shown and kept, how agreement is counted, and which answer comes next."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from recsys_course import progress
from recsys_course.interview import (
    grade_command,
    grading,
    reviews,
    weak_answer,
)
from recsys_course.interview.grade_comparison import Comparison, parse, verdict
from recsys_course.interview.outcome import PracticeError
from recsys_course.interview.screen import Ended
from terminal import Script

ANSWERS = weak_answer.all_answers()
IDS = [answer.id for answer in ANSWERS]
C03 = weak_answer.load("C03.a")
ANSWER = replace(  # reference: 20 + 0 + 15 / 2 + 0 + 20 = 47.5
    C03,
    question=replace(C03.question, rubric=((20, "why"), (25, "sign"), (15, "serving"), (20, "masks"), (20, "limit"))),
    grades=("met", "missed", "half", "missed", "met"),
    reasons=("because one", "because two", "because three", "because four", "because five"),
)
grades = st.sampled_from(list(weak_answer.SHARES))


@pytest.fixture
def planted(monkeypatch):
    """A session finds ``ANSWER`` instead of the one in the bank."""
    monkeypatch.setattr(grading, "load", lambda name: ANSWER)


def sit(*lines, language="both", minutes=1.0):
    script = Script(*lines, minutes=minutes)
    return grading.sit(script.screen, "C03.a", language), script.shown


# --- the grades


@pytest.mark.parametrize(
    ("ticks", "expected"),
    [
        ("1 3 h4", ("met", "missed", "met", "half", "missed")),
        ("H4, 1,3", ("met", "missed", "met", "half", "missed")),
        ("", ("missed",) * 5),
        ("0", ("missed",) * 5),
    ],
)
def test_ticks_name_what_is_met_and_half_met(ticks, expected):
    assert parse(ticks, 5) == expected


@pytest.mark.parametrize("ticks", ["6", "h0", "x", "1-3", "hh2", "²", "1 h1", "2 2"])
def test_what_is_no_tick_is_said_with_what_to_do(ticks):
    with pytest.raises(PracticeError, match=r"Numbers from 1 to 5|is named twice"):
        parse(ticks, 5)


@given(st.lists(grades, min_size=1, max_size=7))
def test_every_grading_can_be_typed(wanted):
    prefix = {"met": "", "half": "h"}
    ticks = [f"{prefix[grade]}{n}" for n, grade in enumerate(wanted, 1) if grade != "missed"]
    assert parse(" ".join(ticks), len(wanted)) == tuple(wanted)


def test_points_gaps_and_agreement_of_a_grading():
    # too strict by 20 in point 1, too generous by 7.5 in point 3 and by 10 in point 4
    comparison = Comparison(ANSWER, ("missed", "missed", "met", "half", "met"))
    assert (ANSWER.points, comparison.points) == (47.5, 45)
    assert comparison.gaps == [-20, 0, 7.5, 10, 0]
    assert comparison.differ == (1, 3, 4)
    assert comparison.percent == 100 - 2 * (20 + 7.5 + 10)


@given(st.tuples(*[grades] * 5))
def test_only_the_reference_agrees_fully_and_no_agreement_is_below_zero(mine):
    comparison = Comparison(ANSWER, mine)
    assert 0 <= comparison.percent <= 100
    assert (comparison.percent == 100) == (mine == ANSWER.grades) == (comparison.differ == ())
    assert comparison.points - ANSWER.points == sum(comparison.gaps)


def test_the_verdict_says_where_the_grader_was_too_generous_or_too_strict_and_why():
    total, lines = verdict(Comparison(ANSWER, ("missed", "missed", "met", "half", "met")))
    assert "You gave 45 points, the reference 47.5: 2.5 points too strict. 3 of 5 points" in total
    first, second, third, *_ = lines.splitlines()
    assert first == "1. (20) you missed, reference met, 20 points too strict. because one"
    assert second == "2. (25) missed, as the reference has it. because two"
    assert third == "3. (15) you met, reference half, 7.5 points too generous. because three"


@pytest.mark.parametrize("grade", weak_answer.SHARES)
@pytest.mark.parametrize("answer", ANSWERS, ids=IDS)
def test_the_same_grade_for_every_point_never_counts_as_good(answer, grade):
    comparison = Comparison(answer, (grade,) * len(answer.grades))
    assert reviews.rate(comparison.percent / 100, in_time=True) < reviews.GOOD


# --- a session


def test_the_rubric_comes_after_the_answer_and_the_misconception_and_the_reference_last(planted):
    _, shown = sit("the sign", "1", "y")
    parts = ["Explain in-batch", "== The answer", "What is wrong", "1. (20) why", "because one", "The misconception:"]
    places = [shown.index(part) for part in [*parts, "An interviewer asks next:", "Was it that?", "As a grader"]]
    assert places == sorted(places)


def test_a_grading_is_kept_as_a_review_and_with_all_its_grades(planted):
    sit("the sign", "3 h4 5", "y")
    (review,), (event,) = reviews.read(), progress.events()
    assert (review.item, review.rev, review.mode, review.seconds) == ("C03.a", C03.rev, "grade", 120)
    assert (review.missed, review.final, review.rating) == ((1, 3, 4), 25, reviews.AGAIN)
    assert event["grades"] == ["missed", "missed", "met", "half", "met"]
    assert (event["exercise"], event["outcome"]) == ("grade.C03.a", "failed")
    assert (event["given"], event["reference"], event["misconception"]) == (45, 47.5, "the sign")


@pytest.mark.parametrize(
    ("named", "rating"), [(("the sign", "y"), reviews.EASY), (("the sign", ""), reviews.GOOD), (("",), reviews.GOOD)]
)
def test_agreement_is_easy_only_with_the_misconception_named(planted, named, rating):
    sit(named[0], "1 h3 5", *named[1:])
    (review,) = reviews.read()
    assert (review.final, review.rating) == (100, rating)
    assert progress.events()[0]["outcome"] == "passed"


def test_the_outcome_has_what_was_graded_otherwise_and_the_next_question_unless_the_misconception_was_named(planted):
    outcome, _ = sit("the sign", "1 3 5", "n")
    assert (outcome.item, outcome.percent, outcome.seconds) == ("C03.a", 85, 120)
    assert (outcome.missed, outcome.follow_ups) == (("serving",), (ANSWER.ask,))
    outcome, _ = sit("the sign", "1 3 5", "y")
    assert outcome.follow_ups == ()


def test_ticks_that_are_none_are_asked_for_again(planted):
    _, shown = sit("", "1 7", "1 h1", "1 h3 5")
    assert "Numbers from 1 to 5" in shown and "Point 1 is named twice" in shown
    assert reviews.read()[0].final == 100


@pytest.mark.parametrize("lines", [(), ("the sign",), ("the sign", "q")])
def test_whoever_leaves_before_the_ticks_records_nothing(planted, lines):
    with pytest.raises(Ended):
        sit(*lines)
    assert reviews.read() == [] and progress.events() == []


def test_whoever_leaves_after_the_ticks_keeps_them(planted):
    with pytest.raises(Ended):
        sit("the sign", "1 h3 5")
    assert reviews.read()[0].final == 100 and progress.events()[0]["misconception"] == "the sign"


@pytest.mark.parametrize(
    ("language", "english", "chinese"), [("en", True, False), ("zh", False, True), ("both", True, True)]
)
def test_question_and_answer_come_in_the_language_wanted(language, english, chinese):
    _, shown = sit("", "1", language=language)
    assert ("We score each user" in shown, "一个 batch 里" in shown) == (english, chinese)
    assert ("Explain in-batch" in shown, "请讲讲批内" in shown) == (english, chinese)


def test_without_a_chinese_answer_the_english_one_stands_with_a_mark(monkeypatch):
    monkeypatch.setattr(grading, "load", lambda name: replace(ANSWER, text_zh=""))
    _, shown = sit("", "1", language="zh")
    assert "We score each user" in shown and "(no Chinese answer yet)" in shown


@pytest.mark.parametrize("answer", ANSWERS, ids=IDS)
def test_every_answer_fits_into_eighty_columns_chinese_and_all(answer):
    script = Script("I believe that it is the first sentence", "1 h2", "y")
    grading.sit(script.screen, answer.id)
    assert max(cell_len(line.rstrip()) for line in script.shown.splitlines()) <= 80
    assert "[test:" not in script.shown and " ;" not in script.shown


# --- which one, and how one grades


def test_the_next_answer_is_one_not_graded_yet_of_the_weakest_topic():
    day = datetime(2026, 3, 2, 8, tzinfo=UTC)
    drilled = [
        reviews.Review("C03", 1, day, 3, final=90),
        reviews.Review("N03", 1, day, 3, final=40),
        reviews.Review("O05", 1, day, 3, final=20),
    ]
    graded = [reviews.Review("O01.a", 1, day, 3, "grade"), reviews.Review("O05.a", 1, day, 3, "grade")]
    assert grading.next_answer(ANSWERS, drilled).question.topic == "O"
    assert grading.next_answer(ANSWERS, drilled + graded).id == "N01.a"
    assert grading.next_answer(ANSWERS, []).id == IDS[0]


def test_an_unknown_topic_stands_between_the_weak_and_the_strong():
    day = datetime(2026, 3, 2, 8, tzinfo=UTC)
    strong = [reviews.Review(one.question.id, 1, day, 3, final=80) for one in ANSWERS if one.question.topic != "H"]
    assert grading.next_answer(ANSWERS, strong).id == "H02.a"


def test_a_changed_answer_is_graded_again_and_when_all_are_done_the_oldest_comes():
    day = datetime(2026, 3, 2, 8, tzinfo=UTC)
    order = [ANSWERS[7], *ANSWERS[:7], *ANSWERS[8:]]
    done = [reviews.Review(one.id, one.rev, day + timedelta(n), 3, "grade") for n, one in enumerate(order)]
    assert grading.next_answer(ANSWERS, done) is ANSWERS[7]
    changed = [replace(one, rev=one.rev + 1) if one.id == "K01.a" else one for one in ANSWERS]
    assert grading.next_answer(changed, done).id == "K01.a"


def event(given, reference, differ, points=5):
    return {
        "exercise": "grade.C03.a",
        "given": given,
        "reference": reference,
        "differ": differ,
        "grades": ["met"] * points,
    }


def test_the_habit_of_a_grader_has_direction_size_and_sameness():
    habit = grading.habit([event(60, 40, 2), event(35, 45, 1), event(50, 50, 0, points=4)])
    assert (habit.gradings, habit.bias) == (3, pytest.approx(10 / 3))  # +20, -10, 0
    assert habit.difference == 10 and habit.same == pytest.approx((0.6 + 0.8 + 1) / 3)
    assert "3.3 points too generous on average, over 3 answers; off by 10.0 points" in str(habit)
    assert "too strict" in str(grading.habit([event(30, 40, 1)]))


def test_events_of_other_parts_and_torn_ones_are_no_gradings():
    others = [{"exercise": "02.recall"}, {"exercise": "grade.C03.a"}, event("x", 1, 1), event(1, 1, 0, points=0)]
    assert grading.habit(others) is None and grading.habit() is None
    assert grading.habit([*others, event(60, 40, 2)]).gradings == 1


# --- the command


def command(*arguments, **more):
    return subprocess.run(
        [sys.executable, "-m", "recsys_course.cli", "grade", *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        **more,
    )


def test_in_a_pipe_an_answer_is_graded_and_the_next_one_is_another():
    result = command(input="no idea\n1 h2\nn\n")
    assert result.returncode == 0, result.stderr
    assert "\x1b" not in result.stdout and "As a grader you are" in result.stdout
    assert f"19 of {len(ANSWERS)} not graded yet." in result.stdout
    assert f"{IDS[1]}: " in command(input="").stdout


def test_the_end_of_the_input_is_the_end_and_says_what_is_kept():
    result = command("c03", input="no idea\n")
    assert result.returncode == 0 and "A grading is kept as soon as its points are ticked." in result.stdout
    assert reviews.read() == []


def test_the_list_has_every_answer_with_its_best_agreement_in_eighty_columns(planted):
    sit("", "1 h3 5")
    sit("", "")
    lines = command("--list").stdout.splitlines()
    assert [line.split()[0] for line in lines[1 : 1 + len(IDS)]] == IDS
    (mine,) = (line for line in lines if line.startswith("C03.a"))
    assert mine.split()[2] == "100" and max(map(cell_len, lines)) <= 80


@pytest.mark.parametrize("name", ["Z99", "C03.z", "../C03", ""])
def test_an_answer_that_does_not_exist_is_said_in_one_sentence(name):
    with pytest.raises(PracticeError, match=r"no answer .* to grade: `recsys-course grade --list`"):
        weak_answer.load(name)


def test_the_command_says_so_and_exits_with_1():
    result = command("Z99")
    assert result.returncode == 1 and len(result.stderr.splitlines()) == 1 and "no answer 'Z99'" in result.stderr


def test_an_answer_is_found_by_its_question_and_in_lower_case():
    assert weak_answer.load("C03") == weak_answer.load("c03.A") == C03


def test_the_first_answer_is_shown_without_anything_heavy():
    code = "import io, sys; sys.stdin = io.StringIO(); from recsys_course import cli; cli.main(['grade']);"
    code += "sys.exit(any(name in sys.modules for name in ('torch', 'numpy', 'pandas', 'pint', 'genanki')))"
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE).returncode == 0


def test_ctrl_c_ends_a_session_without_a_trace(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(grading, "sit", interrupt)
    script = Script()
    assert grade_command.grade("C03.a", screen=script.screen) == 0 and "Stopped." in script.shown


@pytest.fixture
def terminal(terminal):
    terminal.start("grade C03")
    terminal.until("What is wrong with it")
    return terminal


def test_in_a_terminal_an_answer_is_graded_and_kept(terminal):
    terminal.type("the sign", "Enter")
    terminal.until("Points that are met")
    terminal.type("1 4 5", "Enter")
    terminal.until("Was it that?")
    terminal.type("y", "Enter")
    shown = terminal.until("not graded yet.")
    assert max(map(cell_len, shown.splitlines())) <= 80 and "agreement 100 of 100" in " ".join(shown.split())
    assert [(review.item, review.rating) for review in reviews.read()] == [("C03.a", reviews.EASY)]


def test_ctrl_c_in_a_terminal_stops_without_a_trace(terminal):
    terminal.type("C-c")
    assert "Traceback" not in terminal.until("Stopped.") and reviews.read() == []


# --- a notebook


def test_a_notebook_shows_an_answer_with_its_rubric_and_without_the_reference():
    shown = str(grading.show("C03.a", "en"))
    assert "2. (25) gives the right sign" in shown and "grading.compare(" in shown
    assert C03.reasons[0][:30] not in shown and "批内" not in shown


def test_a_notebook_compares_and_keeps_without_asking_for_input():
    shown = " ".join(str(grading.compare("C03.a", "1 4 5", "the sign is wrong")).split())
    assert "agreement 100 of 100" in shown and "You named: the sign is wrong" in shown and "As a grader" in shown
    assert reviews.read()[0].rating == reviews.GOOD
    with pytest.raises(PracticeError, match="Numbers from 1 to 5"):
        grading.compare("C03.a", "9")
