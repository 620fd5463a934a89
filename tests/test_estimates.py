"""The estimation drills: what each comes to, which wrong answers are recognised, and how a session goes."""

import dataclasses
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from recsys_course.interview import bank, estimate_rules, estimates, lint, reviews, schedule
from recsys_course.interview.capacity import CapacityError, parse_quantity, ratio
from recsys_course.interview.drill import NEW, Due, Item
from recsys_course.interview.estimate_bank import NEAR, RIGHT, WRONG, all_estimates, load, steps_markdown
from recsys_course.interview.outcome import PracticeError
from recsys_course.interview.screen import Ended
from terminal import Script

# Worked out by hand.
ANSWERS = {
    "EST01": "173,611 requests/s",  # 5e8 * 10 * 3 / 86,400
    "EST02": "768 GB",  # 1e9 * 64 * 4 * 3
    "EST03": "32 GB",  # 1e8 * (32 * 2 + 2 * 32 * 4) = 1e8 * 320
    "EST04": "4 GB",  # 1e8 * (32 + 8)
    "EST05": "43.94 devices",  # 174e3 * 500 * 50e6 / 99e12 = 4.35e15 / 9.9e13
    "EST06": "174 GB/s",  # 174e3 * 500 * 2,000
    "EST07": "150 TB",  # 5e9 * 10 * 1,000 * 3
    "EST08": "360 GB",  # 1e6 * 1,800 * 200
    "EST09": "131,072 bytes/token",  # 2 * 32 * 8 * 128 * 2
    "EST10": "271.3 requests",  # 64e9 / (131,072 * 1,800)
    "EST11": "72.73 ms",  # 28.8e12 / 396e12
    "EST12": "6.576 hours",  # 6e20 / (64 * 396e12) = 23,674 s
    "EST13": "3.5 GB",  # 2 * 7/8 * 2e9
    "EST14": "96 GB",  # 8e9 * 12
    "EST15": "80 %",  # 32 / 40
    "EST16": "760,000 users",  # 16 * .05 * .95 / .001^2
    "EST17": "300 impressions/item",  # 5e10 * .03 / 5e6
    "EST18": "725 GB",  # (5e8 + 9.5e8) * 500
    "EST19": "42.67 MB/s",  # 1e7 * 256 / 60
    "EST20": "320 TB",  # 1e9 * 40,000 * 8
    "EST21": "1.536 TFLOP",  # 2e9 * (512 + 2 * 128)
    "EST22": "0.0606 dollars",  # 72.73 s of a device at 3 / 3,600
}
DRILLS = all_estimates()
BY_ID = pytest.mark.parametrize("drill", DRILLS, ids=lambda drill: drill.id)
CARD = Due(Item("EST02", 1), NEW)


def practise(*lines, name="EST02", minutes=0.5, language="both"):
    script = Script(*lines, minutes=minutes)
    estimates.practise(script.screen, load(name), CARD, language)
    return script.shown


def words(text):
    return " ".join(text.split())


def test_there_are_twenty_drills_or_more_and_each_has_its_hand_computed_answer():
    assert len(DRILLS) >= 20
    assert {drill.id for drill in DRILLS} == ANSWERS.keys()


@BY_ID
def test_a_drill_comes_to_what_was_worked_out_by_hand(drill):
    assert ratio(drill.answer.value, parse_quantity(ANSWERS[drill.id])) == pytest.approx(1, rel=1e-3)


@BY_ID
def test_the_exact_answer_is_right_as_shown_and_whatever_is_out_of_the_factor_is_not(drill):
    assert drill.judge(drill.read(drill.answer.shown)).kind == RIGHT
    truth = drill.answer.value
    assert drill.judge(truth * drill.factor).kind == drill.judge(truth / drill.factor).kind == RIGHT
    assert drill.judge(truth * drill.factor * 1.02).kind != RIGHT
    assert drill.judge(truth / drill.factor / 1.02).kind != RIGHT


@BY_ID
def test_every_known_mistake_is_wrong_and_named_and_not_taken_for_another(drill):
    for wrong, says in drill.wrong:
        verdict = drill.judge(wrong)
        assert (verdict.kind, verdict.known) == (WRONG, True)
        assert verdict.says.endswith(says), verdict
        assert drill.judge(wrong * 1.02).says.endswith(says), "a rounded one is recognised too"


@BY_ID
def test_what_is_shown_fits_into_eighty_columns_and_names_every_step(drill):
    script = Script("", minutes=0.1)
    estimates.practise(script.screen, drill, CARD)
    assert max(cell_len(line.rstrip()) for line in script.shown.splitlines()) <= 80
    assert all(f"{step.name} = " in words(script.shown) for step in (*drill.facts, *drill.computed))
    assert drill.remember.split()[-1] in script.shown


@BY_ID
def test_no_result_stands_in_the_prompt_or_in_what_is_said(drill):
    results = {step.shown.split()[0] for step in drill.computed} - {step.shown.split()[0] for step in drill.facts}
    results = {one for one in results if len(one.replace(".", "").replace(",", "")) > 2}
    text = " ".join([drill.prompt, drill.prompt_zh, drill.remember, *(says for _, says in drill.mistakes)])
    assert not results & set(text.replace(".", ". ").split())


@BY_ID
def test_its_questions_and_its_lesson_can_be_read(drill):
    for question in drill.questions:
        assert bank.load_question(question)
    assert list((lint.ROOT / "lessons").glob(f"{drill.lesson}_*.py"))


# --- reading and judging


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("EST01", "174k QPS"),
        ("EST01", "17.4万 QPS"),
        ("EST05", "44"),
        ("EST05", "44 GPUs"),
        ("EST05", "44张卡"),
        ("EST09", "128 KiB"),
        ("EST09", "131 KB per token"),
        ("EST10", "270"),
        ("EST15", "80 %"),
        ("EST15", "0.8"),
        ("EST16", "760k users"),
        ("EST16", "76万用户"),
        ("EST17", "300"),
        ("EST07", "150 TB"),
        ("EST18", "0.7 TB"),
        ("EST13", "3.5 GB per device"),
        ("EST21", "1.5 TFLOP/request"),
        ("EST21", "1.5e12 FLOPs"),
        ("EST22", "$0.06"),
        ("EST01", "150k req/s"),
        ("EST03", "32 gigabytes"),
        ("EST06", "1.4 Tbps"),
        ("EST07", "150 TB a day"),
        ("EST07", "150 TB per day"),
        ("EST16", "750k users per arm"),
        ("EST17", "300 views"),
        ("EST18", "725 GB/day"),
        ("EST18", "725 GB/天"),
        ("EST22", "6 cents"),
    ],
)
def test_an_answer_may_leave_out_users_or_tokens_but_not_bytes_or_seconds(name, typed):
    drill = load(name)
    assert drill.judge(drill.read(typed)).kind == RIGHT


@pytest.mark.parametrize(
    ("name", "typed", "message"),
    [
        ("EST01", "174k", "174,000 of what? Type the unit too, such as requests/s"),
        ("EST02", "768", "768 of what? Type the unit too, such as GB"),
        ("EST02", "768 GB/s", "the answer is in bytes/s, wanted is bytes"),
        ("EST15", "80", "a share is at most 1, type it like 50 % or 0.5"),
        ("EST11", "72 TFLOP", "the answer is in FLOP, wanted is ms"),
        ("EST09", "128 KiB/request", "the answer is in bytes/request, wanted is bytes/token"),
        ("EST17", "300 items", "the answer is in items, wanted is impressions/item"),
        ("EST18", "725 GB/s", "the answer is in bytes/s, wanted is bytes"),
        ("EST02", "768 GB/day", "the answer is in bytes/day, wanted is bytes"),
        ("EST01", "174k requests/s/arm", "the answer is in requests/s/arm, wanted is requests/s"),
        ("EST21", "1.5 TFLOP*request", "the answer is in"),
        ("EST02", "lots", "there is no number in `lots`"),
    ],
)
def test_a_missing_or_wrong_unit_is_said_with_both_units(name, typed, message):
    with pytest.raises(CapacityError) as error:
        load(name).read(typed)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("name", "typed", "kind", "says"),
    [
        ("EST02", "256 GB", WRONG, "You forgot the optimizer state"),
        ("EST02", "6 TB", WRONG, "A factor of eight: bits were taken for bytes."),
        ("EST02", "768 MB", WRONG, "one prefix or one thousand too few"),
        ("EST02", "750 TB", WRONG, "one prefix or one thousand too many"),
        ("EST01", "58k QPS", WRONG, "That is the average."),
        ("EST01", "2 QPS", WRONG, "a second was taken for a day"),
        ("EST02", "715.3 GB", RIGHT, "You mixed GB, powers of 1,000, with GiB, powers of 1,024."),
        ("EST02", "800 GB", RIGHT, "Right: 1.04 times the exact number."),
        ("EST02", "1 TB", NEAR, "Not within a factor of 1.25: 1.3 times the exact number."),
        ("EST02", "5 GB", WRONG, "the exact number is 154 times as large."),
        ("EST02", "0 GB", WRONG, "Nothing here can be zero or less."),
    ],
)
def test_a_number_is_judged_and_a_known_mistake_is_named(name, typed, kind, says):
    verdict = load(name).judge(load(name).read(typed))
    assert verdict.kind == kind
    assert says in verdict.says


@given(st.floats(1e-12, 1e12), st.sampled_from(DRILLS))
def test_a_verdict_follows_from_the_ratio_alone(times, drill):
    verdict = drill.judge(drill.answer.value * times)
    assert (verdict.kind == RIGHT) == (1 / drill.factor * (1 - 1e-8) <= times <= drill.factor * (1 + 1e-8))
    assert verdict.says


# --- a session


def test_a_right_number_in_time_is_easy_and_the_steps_are_shown_after_it():
    shown = practise("768 GB")
    places = [
        shown.index(text) for text in ("Embedding 表", "You have 2:00", "Right: exact.", "table + state", "Remember")
    ]
    assert places == sorted(places)
    (review,) = reviews.read()
    assert (review.item, review.mode, review.seconds, review.final) == ("EST02", "estimate", 30, 100)
    assert review.rating == reviews.EASY


def test_a_late_number_is_good_and_a_slip_in_the_dimension_costs_points():
    assert "Over time: -20 points." in words(practise("768 GB", minutes=3))
    assert "A wrong dimension at first costs 30 points." in words(practise("7 QPS", "8 users", "768 GB", minutes=0.1))
    late, slip = reviews.read()
    assert (late.final, late.rating, slip.final, slip.rating) == (80, reviews.GOOD, 70, reviews.GOOD)


def test_a_missing_unit_or_a_typing_error_costs_only_time():
    shown = practise("768", "768 xyz", "768 GB", minutes=0.1)
    assert "768 of what?" in shown and "`xyz` is unknown" in shown
    assert reviews.read()[0].final == 100


@pytest.mark.parametrize(("typed", "final", "rating"), [("", 0, 1), ("256 GB", 0, 1), ("1 TB", 50, 2)])
def test_no_number_and_a_known_mistake_are_forgotten_and_a_near_one_is_hard(typed, final, rating):
    shown = practise(typed)
    (review,) = reviews.read()
    assert (review.final, review.rating) == (final, rating)
    assert "How it is computed" in shown and "768 GB" in shown


@pytest.mark.parametrize("lines", [(), ("q",), ("768", "q")])
def test_whoever_leaves_without_a_number_records_nothing(lines):
    with pytest.raises(Ended):
        practise(*lines)
    assert reviews.read() == []


@pytest.mark.parametrize(
    ("language", "english", "chinese"), [("en", True, False), ("zh", False, True), ("both", True, True)]
)
def test_the_prompt_comes_in_the_language_wanted(language, english, chinese):
    shown = practise("768 GB", language=language)
    assert ("You train an embedding table" in shown, "优化器状态" in shown) == (english, chinese)


def test_a_session_keeps_what_was_done_and_meets_six_new_ones_a_day():
    script = Script("1 GB", "", minutes=0.1)
    assert estimates.drill(script.screen) == 1  # 1 GB is no rate: asked again, and left; then the input ends
    assert "Stopped. 1 of 6 done and kept" in script.shown
    assert len(reviews.read()) == 1


def test_due_estimates_come_first_and_questions_take_none_of_the_new_ones():
    day = datetime(2026, 3, 2, 8, tzinfo=UTC)
    now = day + timedelta(days=1)
    for name, time in [("EST05", day), *((f"A{n:02}", now) for n in range(1, 7))]:
        reviews.JOURNAL.record(time=time.isoformat(), item=name, rev=1, rating=1)
    script = Script(*[""] * 7, minutes=0.1)
    assert estimates.drill(script.screen, now=now) == 7
    first, second = (script.shown.index(name) for name in ("EST05", "EST01"))
    assert first < second


def test_on_the_last_days_before_an_interview_an_estimate_comes_that_would_be_due_after_it():
    day = datetime.now(UTC)
    reviews.set_interview(schedule.local_day(day) + timedelta(days=9))
    for drill in DRILLS:
        reviews.JOURNAL.record(time=day.isoformat(), item=drill.id, rev=1, rating=4)
        reviews.JOURNAL.record(time=day.isoformat(), item=drill.id, rev=1, rating=4)
    assert estimates.drill(Script().screen, now=day + timedelta(hours=1)) == 0
    script = Script("1 GB", minutes=0.1)
    estimates.drill(script.screen, limit=1, now=day + timedelta(days=3))
    assert ", due" in script.shown


def test_when_nothing_is_due_the_next_date_is_named():
    day = datetime(2026, 3, 2, 8, tzinfo=UTC)
    for drill in DRILLS:
        reviews.JOURNAL.record(time=day.isoformat(), item=drill.id, rev=1, rating=4)
    script = Script()
    assert estimates.drill(script.screen, now=day + timedelta(hours=1)) == 0
    assert "Nothing is due. The next estimate comes on 2026-03-10." in script.shown


def test_in_a_mock_the_outcome_says_how_it_went_and_nothing_is_recorded():
    script = Script("256 GB", minutes=1)
    outcome = estimates.sit(script.screen, "est02")
    assert (outcome.item, outcome.percent, outcome.seconds) == ("EST02", 0, 60)
    assert "You forgot the optimizer state" in outcome.missed[0]
    assert estimates.sit(Script("768 GB").screen, "EST02").missed == ()
    assert reviews.read() == []


def test_a_drill_that_does_not_exist_is_said_with_those_that_do():
    with pytest.raises(PracticeError, match="there is no estimate 'EST99': they are EST01 to EST22"):
        estimates.sit(Script().screen, "EST99")


def test_the_steps_name_the_numbers_of_the_prompt_as_written():
    text = steps_markdown(load("EST04"))
    assert text.startswith("With vectors = 100 million vectors, codes = 32, code_size = 8 bits, id = 8 bytes:")
    assert "2. answer = vectors * one = 4 GB: " in text


# --- the command


def command(*arguments, **more):
    here = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    words = [sys.executable, "-m", "recsys_course.cli", "drill", "--estimates", *arguments]
    return subprocess.run(words, capture_output=True, encoding="utf-8", timeout=60, env=here, **more)


def test_in_a_pipe_there_is_no_colour_and_the_end_of_the_input_is_the_end():
    result = command(input="174k QPS\n")
    assert result.returncode == 0, result.stderr
    assert "\x1b" not in result.stdout and "Stopped. 1 of 6 done and kept" in result.stdout
    assert [review.item for review in reviews.read()] == ["EST01"]


def test_the_first_prompt_needs_neither_torch_nor_pint():
    code = (
        "import io, sys; sys.stdin = io.StringIO(); from recsys_course import cli; cli.main(['drill', '--estimates']);"
    )
    code += "sys.exit(any(name in sys.modules for name in ('torch', 'numpy', 'pandas')))"
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE).returncode == 0


@pytest.fixture
def terminal(terminal):
    terminal.start("drill --estimates --limit 1")
    terminal.until("q: stop.")
    return terminal


def test_in_a_terminal_a_number_is_typed_judged_and_kept(terminal):
    terminal.type("58k QPS", "Enter")
    shown = terminal.until("All 1 done.")
    assert "That is the average" in words(shown) and "峰值" not in shown
    assert max(map(cell_len, shown.splitlines())) <= 80
    assert reviews.read()[0].rating == reviews.AGAIN


def test_ctrl_c_in_a_terminal_stops_without_a_trace(terminal):
    terminal.type("C-c")
    shown = terminal.until("Stopped. 0 of 1 done and kept")
    assert "Traceback" not in shown and reviews.read() == []


# --- the linter's rules


def problems(tmp_path, change):
    """What the rules find after one change of the file's entries."""
    entries = yaml.safe_load((bank.BANK / "estimates.yaml").read_text(encoding="utf-8"))
    change(entries)
    path = tmp_path / "recsys_course" / "interview" / "bank" / "estimates.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(yaml.safe_dump(entries, allow_unicode=True, sort_keys=False), encoding="utf-8")
    (tmp_path / "lessons").symlink_to(lint.ROOT / "lessons")
    here, _ = lint._load(lint.ROOT)
    return [message for _, _, message in estimate_rules.problems(dataclasses.replace(here, root=tmp_path))]


def test_the_drills_of_the_bank_keep_all_rules():
    here, _ = lint._load(lint.ROOT)
    assert list(estimate_rules.problems(here)) == []


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("id", "EST07", "drill number 1 has the id EST07: they go on from EST01 and stay"),
        ("title", "Embedding table in training", "is also the title of another drill"),
        ("remember", "", "`remember` must be a text"),
        ("colour", "red", "`colour` is unknown"),
        ("level", "expert", "level is 'expert', not one of"),
        ("factor", 10, "factor is 10, outside 1 to 3"),
        ("questions", ["Z99"], "questions names Z99, which is not a planned one"),
        ("lesson", "99", "there is no lesson 99"),
        ("prompt_zh", "500 million, 10, 3", "prompt_zh has no Chinese character"),
        ("prompt_zh", "日活 5 亿，每天 10 次，高峰 2 倍", "prompt_zh lacks 3, which is given"),
        ("prompt", "500 million users, 10, 3, and 7 more", "prompt has 7, which is not among what is given"),
        ("zh_status", "good", "zh_status is 'good', not draft or reviewed"),
        ("mistakes", [{"is": "average", "says": "x"}], "at least two mistakes are wanted"),
        ("mistakes", [{"is": "average *", "says": "x"}] * 2, "a number or a name is missing before the end"),
        ("steps", ["answer = 3"], "`answer` does not say why"),
        ("steps", ["other = 3 | because"], "the last step must be called answer"),
    ],
)
def test_the_rules_find_what_is_wrong(tmp_path, key, value, message):
    found = problems(tmp_path, lambda entries: entries[0].update({key: value}))
    assert any(message in one for one in found), found


def test_a_missing_key_is_found(tmp_path):
    assert any("`remember` is missing" in one for one in problems(tmp_path, lambda entries: entries[3].pop("remember")))


def test_numbers_are_the_same_in_both_languages_and_those_in_names_are_none():
    chinese = "日活 5 亿，17.4万 QPS，10%，bf16，1,800 个 token，1800 亿"
    assert estimate_rules.numbers(chinese) == {5e8, 174e3, 0.1, 1800, 1.8e11}
    assert estimate_rules.numbers("500 million, 174 thousand, 10 %, P99, 2 KB") == {5e8, 174e3, 0.1, 2}


def test_schedule_takes_drills_like_cards():
    items = estimates.deck(DRILLS)
    day = datetime(2026, 3, 2, 8, tzinfo=UTC)
    assert [due.item.id for due in schedule.today(items, [], day)] == [f"EST0{n}" for n in range(1, 7)]
