"""The drill: what it shows when, what it records, and how it behaves in a pipe and in a real terminal."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.cells import cell_len

from recsys_course.interview import bank, drill, reviews, schedule
from recsys_course.interview.drill import DUE, NEW, POINTS, Due, Item
from recsys_course.interview.screen import Ended, minutes, paragraphs
from terminal import Script

QUESTION = replace(
    bank.load_question("C03"),
    id="C03",
    rev=1,
    level="mid",
    prompt="Why subtract the log of the proposal?",
    prompt_zh="为什么要减去 log Q？",
    key_insight="The model would learn ratios [test: C03.ratio].",
    answers=(("junior", "Popular items are drawn more often."), ("mid", "Subtract log Q."), ("senior", "Estimate Q.")),
    rubric=((40, "names the proposal"), (40, "says the sign"), (20, "says when it is left out")),
    hints=("First hint.", "Second hint.", "Third hint."),
)
CARD = Due(Item("C03", 1), NEW)


def practise(*lines, question=QUESTION, card=CARD, language="both", minutes=1.0):
    script = Script(*lines, minutes=minutes)
    drill.practise(script.screen, question, card, language)
    return script


def test_the_rubric_comes_before_the_model_answer_and_both_after_the_answer():
    shown = practise("", "1 2", "", "").shown
    places = [shown.index(text) for text in ("Why subtract", "Say it aloud", "says the sign", "Subtract log Q")]
    assert places == sorted(places)


def test_what_is_recorded_is_both_grades_the_time_and_what_was_missed():
    practise("I would say", "", "1 2 3", "1 2", "")
    (review,) = reviews.read()
    assert (review.item, review.rev, review.mode, review.seconds) == ("C03", 1, "drill", 120)
    assert (review.first, review.final, review.missed, review.rating) == (100, 80, (3,), reviews.GOOD)


def test_a_rating_is_lowered_by_its_first_letter_and_what_was_missed_is_named_with_the_date():
    shown = practise("", "1 2", "", "h").shown
    assert reviews.read()[-1].rating == reviews.HARD and ", with what you missed." in shown
    assert "with what you missed" not in practise("", "1 2 3", "", "").shown


def test_enter_keeps_the_first_grade_and_0_takes_it_back():
    practise("", "1 2", "", "")
    practise("", "1 2", "0", "")
    assert [review.final for review in reviews.read()] == [80, 0]


def test_the_evidence_rates_and_the_learner_can_only_lower_it():
    assert "It can only be lowered." in practise("", "1 2", "", "easy", "hard").shown
    (review,) = reviews.read()
    assert review.rating == reviews.HARD


def test_a_full_answer_in_time_is_easy_and_a_late_one_is_good():
    practise("", "1 2 3", "", "")
    practise("a", "b", "", "1 2 3", "", "", minutes=1.0)
    assert [review.rating for review in reviews.read()] == [reviews.EASY, reviews.GOOD]


def test_hints_come_one_by_one_and_cost_ten_points_each():
    shown = practise("h", "h", "", "1 2", "", "").shown
    assert "First hint." in shown and "Second hint." in shown and "Third hint." not in shown
    (review,) = reviews.read()
    assert (review.first, review.final) == (60, 60)


def test_there_are_only_three_hints():
    assert "There are no more hints." in practise("h", "h", "h", "h", "", "", "", "").shown


@pytest.mark.parametrize("nonsense", ["4", "x", "1-2", "-1"])
def test_numbers_that_are_no_points_are_asked_for_again(nonsense):
    assert "Numbers from 1 to 3" in practise("", nonsense, "1", "", "").shown
    assert reviews.read()[0].final == 40


@pytest.mark.parametrize("lines", [(), ("", "1"), ("", "1", "", "q"), ("q",)])
def test_whoever_leaves_before_the_end_records_nothing(lines):
    with pytest.raises(Ended):
        practise(*lines)
    assert reviews.read() == []


@pytest.mark.parametrize(
    ("language", "english", "chinese"), [("en", True, False), ("zh", False, True), ("both", True, True)]
)
def test_the_prompt_comes_in_the_language_wanted(language, english, chinese):
    shown = practise("", "", "", "", language=language).shown
    assert ("Why subtract" in shown, "为什么" in shown) == (english, chinese)


def test_without_a_chinese_prompt_the_english_one_stands_with_a_mark():
    shown = practise("", "", "", "", language="zh", question=replace(QUESTION, prompt_zh="")).shown
    assert "Why subtract" in shown and "(no Chinese prompt yet)" in shown


def test_answers_above_the_level_of_the_question_are_left_out_and_proof_marks_are_not_shown():
    shown = practise("", "", "", "").shown
    assert "Subtract log Q." in shown and "Estimate Q." not in shown
    assert "[test:" not in shown and "ratios." in shown


def missed(*numbers):
    review = reviews.Review("C03", 1, datetime(2026, 3, 2, 8, tzinfo=UTC), reviews.GOOD, missed=numbers)
    return Due(Item("C03", 1), POINTS, schedule.replay([review])["C03"])


def test_missed_points_are_asked_for_alone_and_leave_when_named():
    shown = practise("the sign", "", "2", card=missed(2)).shown
    assert "says the sign" in shown and "names the proposal" not in shown
    (review,) = reviews.read()
    assert (review.mode, review.missed) == ("points", ())


def test_points_missed_again_are_shown_with_the_answer_and_come_back():
    shown = practise("", "2", card=missed(2, 3)).shown
    assert "Model answer" in shown and "They come back tomorrow." in shown
    assert reviews.read()[0].missed == (3,)


def test_a_session_stops_where_the_input_ends_and_keeps_what_was_done():
    script = Script("", "1", "", "", "")
    assert drill.drill(script.screen, limit=3) == 1
    assert "Stopped. 1 of 3 done and kept; the others wait." in script.shown
    assert len(reviews.read()) == 1


def test_a_session_takes_the_topics_wanted_and_reported_questions_first():
    script = Script()
    drill.drill(script.screen, topics={"N"}, limit=1)
    first = next(question for question in bank.all_questions() if question.topic == "N" and question.reported)
    assert f"{first.id}, {first.level}, new" in script.shown


def test_what_interviewers_are_reported_to_ask_counts_twice():
    one, two = drill.deck([replace(QUESTION, reported=False), replace(QUESTION, reported=True)])
    assert (one.weight, two.weight) == (1.0, 2.0)


def test_a_wide_window_does_not_make_long_lines():
    shown = command("show", "C03", env={**os.environ, "COLUMNS": "200"}).stdout
    assert 60 < max(map(cell_len, shown.splitlines())) <= 80


def test_after_six_new_cards_nothing_is_left_for_today_and_the_next_date_is_named():
    day = datetime(2026, 3, 2, 8, tzinfo=UTC)
    events = [
        {"time": day.isoformat(), "item": one.id, "rev": one.rev, "rating": 4} for one in bank.all_questions()[:6]
    ]
    for event in events:
        reviews.JOURNAL.record(**event)
    script = Script()
    assert drill.drill(script.screen, now=day + timedelta(minutes=1)) == 0
    assert "Nothing is due. The next card comes on 2026-03-10." in script.shown


@pytest.mark.parametrize("question", bank.all_questions(), ids=lambda question: question.id)
def test_every_question_fits_into_eighty_columns_chinese_and_all(question):
    script = Script("h", "h", "h", "", "1", "", "")
    drill.practise(script.screen, question, Due(Item(question.id, question.rev), DUE))
    assert max(cell_len(line.rstrip()) for line in script.shown.splitlines()) <= 80


def test_paragraphs_are_unwrapped_and_lists_kept():
    text = "One line\nand its rest [test: A01.x].\n\n- first\n  goes on\n- second, **bold**, [a link](/x.md)"
    assert paragraphs(text) == ["One line and its rest.", "- first goes on", "- second, bold, a link"]


def test_new_cards_wait_only_when_there_is_an_interview_and_due_ones_always():
    day = datetime(2026, 3, 2, 8, tzinfo=UTC)
    assert drill.waiting(day) == 0
    reviews.JOURNAL.record(time=day.isoformat(), item="A01", rev=1, rating=3)
    assert (drill.waiting(day + timedelta(days=1)), drill.waiting(day + timedelta(days=2))) == (0, 1)
    reviews.set_interview((day + timedelta(days=20)).date())
    assert drill.waiting(day + timedelta(days=2)) == 1 + schedule.NEW_A_DAY


def test_who_wants_more_than_six_new_cards_a_day_can_have_them_and_is_told_how():
    script = Script()
    for question in bank.all_questions()[: schedule.NEW_A_DAY]:
        reviews.record(question.id, question.rev, reviews.EASY, "mock")
    assert drill.drill(script.screen) == 0
    assert "met 6 a day, mocks included; `--new 12` takes more" in " ".join(script.shown.split())
    script = Script()
    drill.drill(script.screen, new=8)
    assert "== 1 of 2 =" in script.shown


def test_after_the_grade_the_follow_ups_come_with_what_a_good_reply_has():
    script = practise("", "1 2 3", "", "")
    follow_up = QUESTION.follow_ups[0]
    assert follow_up.ask.split()[0] in script.shown and "Good: " in script.shown


def test_minutes():
    assert [minutes(0), minutes(59.9), minutes(125)] == ["0:00", "0:59", "2:05"]


def command(*arguments, **more):
    return subprocess.run(
        [sys.executable, "-m", "recsys_course.cli", *arguments],
        capture_output=True,
        timeout=60,
        **{"encoding": "utf-8"} | more,
    )


def test_in_a_pipe_there_is_no_colour_and_the_end_of_the_input_is_the_end():
    result = command("drill", input="\n1\n\n\n", env={**os.environ, "PYTHONIOENCODING": "utf-8"})
    assert result.returncode == 0, result.stderr
    assert "\x1b" not in result.stdout and "Stopped. 1 of 6 done and kept" in result.stdout
    assert len(reviews.read()) == 1


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "gbk", "ascii"])
def test_a_terminal_that_lacks_some_letters_shows_the_rest(encoding):
    result = command("show", "C03", env={**os.environ, "PYTHONIOENCODING": encoding}, encoding=encoding)
    assert result.returncode == 0 and not result.stderr
    assert "Explain in-batch softmax and the log-Q correction." in result.stdout


def test_the_first_card_is_shown_without_torch():
    code = "import io, sys; sys.stdin = io.StringIO(); from recsys_course import cli; cli.main(['drill']);"
    code += "sys.exit(any(name in sys.modules for name in ('torch', 'numpy', 'pandas')))"
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["drill", "--topic", "Z"], "there is no topic Z"),
        (["drill", "--interview", "soon"], "must be like 2026-12-24, or none to forget it, got 'soon'"),
        (["drill", "--interview", "2020-01-01"], "2020-01-01 is over"),
        (["show", "Z99"], "no question, task or term 'Z99'"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(arguments, message):
    result = command(*arguments)
    assert result.returncode == 1
    assert message in result.stderr and len(result.stderr.splitlines()) == 1


def test_next_names_the_drill_while_cards_wait():
    reviews.JOURNAL.record(time="2026-03-02T08:00:00+00:00", item="A01", rev=1, rating=3)
    result = command("next", cwd=Path(__file__).parents[1])
    assert result.stdout == "Type `recsys-course drill`: questions due for your interview: 1.\n"


def test_a_solved_task_is_named_again_after_a_week():
    day = datetime(2026, 3, 2, 8, tzinfo=UTC)
    reviews.JOURNAL.record(time=day.isoformat(), item="W01", rev=1, rating=3, mode="code")
    assert drill.task_to_repeat(day + timedelta(days=6)) is None
    assert drill.task_to_repeat(day + timedelta(days=7)) == "code W01"


def test_a_debugged_task_is_named_again_as_well():
    day = datetime(2026, 3, 2, 8, tzinfo=UTC)
    reviews.JOURNAL.record(time=day.isoformat(), item="X02", rev=1, rating=3, mode="debug")
    assert drill.task_to_repeat(day + timedelta(days=7)) == "debug X02"


@pytest.mark.parametrize("mode", ["code", "debug", "design", "estimate", "grade"])
def test_what_else_was_practised_today_takes_no_new_card_away(mode):
    reviews.set_interview((datetime.now(UTC) + timedelta(days=20)).date())
    reviews.record("C03.a", 1, reviews.GOOD, mode)
    assert drill.waiting() == schedule.NEW_A_DAY


def test_show_prints_the_question_and_its_answer_up_to_the_level_wanted():
    whole, low = command("show", "c03", "--level", "staff"), command("show", "C03", "--level", "junior")
    assert whole.returncode == low.returncode == 0
    assert len(low.stdout) < len(whole.stdout)


# --- a real terminal


def start_drill(terminal, **environment):
    terminal.start("drill --limit 1", **environment)
    terminal.until("q: stop.")


def test_in_a_terminal_a_card_is_answered_graded_and_kept(terminal):
    start_drill(terminal)
    terminal.type("Retrieval is cheap.", "Enter", "Enter")
    terminal.until("Their numbers")
    terminal.type("1 2", "Enter")
    terminal.until("Enter keeps 1 2")
    terminal.type("Enter")
    terminal.until("Enter accepts")
    terminal.type("again", "Enter")
    shown = terminal.until("All 1 done.")
    assert max(map(cell_len, shown.splitlines())) <= 80
    (review,) = reviews.read()
    assert review.rating == reviews.AGAIN


def test_ctrl_c_in_a_terminal_stops_without_a_trace(terminal):
    start_drill(terminal)
    terminal.type("C-c")
    shown = terminal.until("Stopped. 0 of 1 done and kept")
    assert "Traceback" not in shown and reviews.read() == []


def test_no_color_is_obeyed_and_headlines_can_be_seen_without(terminal):
    start_drill(terminal, NO_COLOR="1")
    assert "\x1b[3" not in terminal.screen(escapes=True).replace("\x1b[39", "")
    assert "== 1 of 1 ==" in terminal.screen()
