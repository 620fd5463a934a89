"""The designs' content: every number recomputed with its unit, and what it rules out is ruled out."""

import math
import re
from dataclasses import replace

import pytest
from rich.cells import cell_len

from recsys_course.interview import capacity, design_page, designs, lint
from recsys_course.interview.design_file import PLACEHOLDER
from recsys_course.interview.design_round import clarify
from recsys_course.interview.layout import wrap
from recsys_course.interview.outcome import PracticeError
from recsys_course.interview.screen import paragraphs

DESIGNS = {design.id: design for design in designs.all_designs()}
COMPUTED = [(one.id, number.name) for one in DESIGNS.values() for number in one.numbers if number.is_computed]
each = pytest.mark.parametrize("design", DESIGNS.values(), ids=DESIGNS)


def value(design, name, unit):
    return capacity.ratio(DESIGNS[design].steps[name].value, capacity.evaluate(unit, {}))


def test_the_three_designs_are_there():
    assert list(DESIGNS) == ["SD1", "SD4", "SD6"]


@pytest.mark.parametrize(("design", "name"), COMPUTED)
def test_every_number_comes_out_as_stated_with_its_unit(design, name):
    number = next(one for one in DESIGNS[design].numbers if one.name == name)
    stated = capacity.evaluate(number.expected, {})
    assert capacity.ratio(DESIGNS[design].steps[name].value, stated) == pytest.approx(1, abs=0.03)


@each
def test_a_forgotten_unit_is_an_error_and_no_number(design):
    given = design.numbers[0]
    bare = replace(given, formula=given.formula.rpartition(" ")[0])
    with pytest.raises(PracticeError):
        _ = [
            capacity.ratio(step.value, capacity.evaluate(number.expected, {}))
            for number, step in zip(
                design.numbers,
                replace(design, numbers=(bare, *design.numbers[1:])).steps.values(),
                strict=True,
            )
            if number.is_computed
        ]


# Reckoned here without the course's own arithmetic: design, name, value, unit.
BY_HAND = [
    ("SD1", "average", 500e6 * 10 / 86_400, "requests/s"),
    ("SD1", "index_store", 100e6 * (64 * 2 + 32 * 4), "bytes"),
    ("SD1", "scored", 500 * 3 * 5e9 / 86_400, "candidates/s"),
    ("SD1", "rank_devices", 500 * 3 * 5e9 / 86_400 * 50e6 / (0.1 * 989e12), "devices"),
    ("SD1", "feature_traffic", 500 * 2_000 * 3 * 5e9 / 86_400, "bytes/s"),
    ("SD1", "log_size", 5e9 * 10 * 1_000, "bytes/day"),
    ("SD1", "train_devices", 5e10 / 86_400 * 150e6 / (0.046 * 989e12), "devices"),
    ("SD1", "trial_views", 0.02 * 5e10 / 5e6, "impressions/item"),
    ("SD1", "trial_error", 1.96 * (0.05 * 0.95 / 200) ** 0.5, "1"),
    ("SD4", "enrich_reading", 50e6 * 600 * 16e9 / (0.4 * 989e12) / 3_600, "device*hours"),
    ("SD4", "writing_speed", 256 / ((16e9 + 256 * 650 * 131_072) / (3.35e12 / 2)), "tokens/s/device"),
    ("SD4", "profile_speed", 256 / ((16e9 + 256 * 1_575 * 131_072) / (3.35e12 / 2)), "tokens/s/device"),
    ("SD4", "teacher_time", 1_800 * 16e9 / (0.4 * 989e12) * 1_000, "ms"),
    ("SD4", "teacher_devices", 5_000 * 1_800 * 16e9 / (0.4 * 989e12), "devices"),
    ("SD4", "separate_devices", 5_000 * 20 * 660 * 16e9 / (0.4 * 989e12), "devices"),
    ("SD4", "student_bill", 1_000 * 1_800 * 2e9 / (0.4 * 989e12) * 3 / 3_600, "dollars"),
    ("SD4", "page_cache", 1_800 * 128, "KiB/request"),
    ("SD4", "prefix_store", 5_000 * 600 / 5 * 600 * 32 * 1_024, "bytes"),
    ("SD6", "join_state", 1e6 * 1_800 * 200, "bytes"),
    ("SD6", "delta_sync", 1e9 * 64 * 4 * 0.01 / 60, "bytes/s"),
    ("SD6", "key_rate", 70_000 * 501, "rows/s"),
    ("SD6", "asked_hosts", 175.35 * (1 - math.exp(-501 / 175.35)), "hosts"),
    ("SD6", "train_devices", 700_000 * 30e6 / (0.046 * 989e12), "devices"),
    ("SD6", "rollback_fast", 1e9 * 65 * 4 / 32 / 1e9, "s"),
    ("SD6", "gate_time", 10_000 / (700_000 * 0.01 * 0.05), "s"),
]


@pytest.mark.parametrize(("design", "name", "expected", "unit"), BY_HAND, ids=lambda part: str(part)[:20])
def test_the_numbers_that_decide_agree_with_plain_arithmetic(design, name, expected, unit):
    assert value(design, name, unit) == pytest.approx(expected, rel=1e-6)


# What a number rules out: the comparison that must hold for the sentence to be true.
RULED_OUT = {
    ("SD1", "index_store"): lambda v: v("index_store", "GB") < 64,
    ("SD1", "scan_devices"): lambda v: v("scan_devices", "devices") < v("rank_devices", "devices"),
    ("SD1", "unfiltered_devices"): lambda v: (
        v("unfiltered_devices", "devices") > 5 * (v("rank_devices", "devices") + v("prerank_devices", "devices"))
    ),
    ("SD1", "feature_traffic"): lambda v: v("feature_traffic", "GB/s") > 100 and v("feature_copy", "GB") < 1_000,
    ("SD1", "history_store"): lambda v: v("history_store", "TB") > 10 * v("state_store", "TB"),
    ("SD1", "log_everything"): lambda v: v("log_everything", "TB/day") > 40 * v("log_size", "TB/day"),
    ("SD1", "train_devices"): lambda v: v("train_devices", "devices") < 0.1 * v("rank_devices", "devices"),
    ("SD1", "trial_error"): lambda v: v("trial_error", "1") > 0.01,  # 5 % and 6 % cannot be told apart
    ("SD4", "enrich_bill"): lambda v: v("enrich_bill", "dollars") < 24 * 3 * v("student_devices", "devices"),
    ("SD4", "profile_clicks"): lambda v: v("profile_clicks", "devices") > v("teacher_devices", "devices"),
    ("SD4", "teacher_time"): lambda v: v("teacher_time", "ms") > stage("SD4", "re-rank") > v("student_time", "ms"),
    ("SD4", "separate_devices"): lambda v: v("separate_devices", "devices") > 5 * v("teacher_devices", "devices"),
    ("SD4", "pages_waiting"): lambda v: v("pages_held", "requests/device") > 100 * v("pages_waiting", "request/device"),
    ("SD4", "prefix_saved"): lambda v: v("prefix_store", "GB") / 64 > 10 * v("prefix_saved", "devices"),
    ("SD4", "explain_time"): lambda v: v("explain_time", "ms") > stage("SD4", "re-rank"),
    ("SD4", "judge_error"): lambda v: v("judge_error", "1") > 0.02,
    ("SD6", "join_fat"): lambda v: v("join_fat", "GB") == pytest.approx(10 * v("join_state", "GB")),
    ("SD6", "join_long"): lambda v: v("join_long", "GB") == pytest.approx(48 * v("join_state", "GB")),
    ("SD6", "train_devices"): lambda v: v("train_devices", "devices") < 1 < v("row_traffic", "GB/s") / 10,
    ("SD6", "full_sync_all"): lambda v: v("full_sync_all", "GB/s") == pytest.approx(100 * v("delta_sync_all", "GB/s")),
    ("SD6", "delta_sync_all"): lambda v: v("delta_sync_all", "MB/s") > 50 * v("delta_sync", "MB/s"),
    ("SD6", "key_hosts"): lambda v: v("key_hosts", "hosts") == pytest.approx(501 * v("user_hosts", "hosts")),
    ("SD6", "replay_time"): lambda v: v("replay_time", "hours") == pytest.approx(1),  # at speed 1 it would be infinite
    ("SD6", "rollback_slow"): lambda v: v("rollback_slow", "s") == pytest.approx(32 * v("rollback_fast", "s")),
    ("SD6", "gate_time"): lambda v: v("gate_time", "s") < 30 * 60 / 10,  # far below the window of the labels
    ("SD6", "hot_row"): lambda v: v("hot_row", "examples/s") > 100_000,
}


def stage(design, name):
    return next(one.ms for one in DESIGNS[design].stages if one.stage == name)


@each
def test_every_option_that_is_ruled_out_has_its_comparison(design):
    assert {one.name for one in design.numbers if one.kills} == {name for id_, name in RULED_OUT if id_ == design.id}


@pytest.mark.parametrize(("key", "holds"), RULED_OUT.items(), ids=map(".".join, RULED_OUT))
def test_what_a_number_rules_out_is_ruled_out(key, holds):
    assert holds(lambda name, unit: value(key[0], name, unit))


def test_the_stages_sum_below_the_limit():
    sums = {design.id: (sum(one.ms for one in design.stages), design.limit_ms) for design in DESIGNS.values()}
    assert sums == {"SD1": (175, 200), "SD4": (185, 200), "SD6": (3_400, 5_000)}


def test_the_limits_that_the_texts_name_are_those_of_the_budgets():
    assert "within its 45 ms" in DESIGNS["SD1"].dives[2].ask and stage("SD1", "rank") == 45
    assert "a deadline of 60 ms" in DESIGNS["SD4"].architecture and stage("SD4", "re-rank") == 60


@each
def test_every_deep_dive_is_in_the_plan_and_asks_on_where_the_bank_has_it(design):
    bank, _ = lint._load(lint.ROOT)
    assert {dive.id for dive in design.dives} <= bank.planned & set(design.questions)
    assert any(design_page.follow_ups(dive) for dive in design.dives)


@each
def test_no_brace_is_left_and_the_numbers_stand_in_the_answer(design):
    for page in (design.answer_markdown(), design.interviewer_markdown()):
        assert not PLACEHOLDER.search(page) and "[source" not in page and "[test" not in page
    assert all(step.shown in design.answer_markdown() for step in map(design.steps.get, _computed(design)))


def _computed(design):
    return [number.name for number in design.numbers if number.is_computed]


@each
def test_the_candidate_sees_no_answer_and_the_interviewer_all(design):
    candidate, interviewer = design.candidate_markdown("en"), design.interviewer_markdown("both")
    secrets = [design.clarifications[0].answer, design.dives[0].expect, design.parts[0].case.says]
    for secret in map(design.fill, secrets):
        plain = re.sub(r"\s*\[[^\]]*\]", "", secret)[:40]
        assert plain not in candidate and plain in interviewer
    assert design.prompt in candidate and design.prompt_zh not in candidate
    assert design.prompt_zh in interviewer and "| grade |" in interviewer
    assert all(line.count("|") == 8 for line in interviewer.splitlines() if line.startswith("| "))


@each
def test_each_question_as_it_is_written_gets_its_own_answer(design):
    for one in design.clarifications:
        assert clarify(design, one.ask) == design.fill(one.answer), one.ask


@each
def test_nothing_typed_misses_every_part_and_raises_only_what_lacks(design):
    assert not any(part.case.named_in([]) for part in design.parts)
    assert {flag.kind for flag in design.red_flags if flag.is_up([])} == {"lacks"}


@each
def test_the_model_answer_itself_has_nearly_every_part_and_no_red_flag_for_what_lacks(design):
    notes = [design.answer_markdown().partition("## Parts of a full answer")[0]]
    missing = [part.case.name for part in design.parts if not part.case.named_in(notes)]
    assert len(missing) <= 2, missing
    assert not [flag.case.name for flag in design.red_flags if flag.kind == "lacks" and flag.is_up(notes)]


@each
def test_chinese_notes_are_understood(design):
    for part in design.parts:
        word = next(word for word in part.case.words if re.search(r"[\u4e00-\u9fff]", word))
        assert part.case.named_in([f"这里需要{word}，否则不行"])


@each
def test_every_text_fits_into_eighty_columns(design):
    blocks = [block for _, text in design_page.answer_sections(design) for block in paragraphs(text)]
    assert max(cell_len(line) for block in blocks for line in wrap(block, 80).splitlines()) <= 80


@each
def test_the_answer_differs_by_level_and_a_price_or_utilisation_names_its_source(design):
    assert [level for level, _ in design.anchors] == ["mid", "senior", "staff"]
    assert re.search(r"reported|assumption", " ".join(number.says for number in design.numbers))
    assert all(source[:20] in design.answer_markdown() for source in design.sources)


ASKED = {
    "SD1": {
        "What's the DAU?": "daily_users",
        "How big is the catalogue?": "pool",
        "how many new videos per day?": "uploads",
        "日活多少？": "daily_users",
    },
    "SD4": {"QPS at peak?": "peak", "How many SKUs?": "catalogue", "成本预算多少？": "device_price"},
    "SD6": {"How many events per second?": "event_rate", "How many parameters?": "table_rows"},
}


@each
def test_questions_in_other_words_are_answered_and_the_unknown_is_left_to_the_candidate(design):
    for question, name in ASKED[design.id].items():
        assert design.steps[name].shown in clarify(design, question), question
    assert "yours to decide" in clarify(design, "What colour is the button?")
