"""The design round: the clock, the notes on disk, the interviewer, the grades, and how it behaves in a terminal."""

import io
import os
import subprocess
import sys

import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from recsys_course import progress
from recsys_course.interview import design_notes, design_round, designs, drill, reviews
from recsys_course.interview.coding import EdgeCase
from recsys_course.interview.design_review import as_words
from recsys_course.interview.design_round import add_up, check_estimate, choose_dives
from recsys_course.interview.design_rubric import load_rubric
from recsys_course.interview.outcome import PracticeError
from recsys_course.interview.screen import Ended, Screen

SD1 = designs.load("SD1")
RUBRIC = load_rubric()
KEYS = [one.key for one in RUBRIC.dimensions]


class Script:
    """A learner who types these lines; a number moves the clock by so many seconds, CTRL_C interrupts."""

    CTRL_C = object()

    def __init__(self, *lines, before_reading=None):
        self.lines, self.now, self.file = list(lines), 0.0, io.StringIO()
        self.before_reading = before_reading
        self.screen = Screen(Console(file=self.file, width=80, highlight=False), self.read, lambda: self.now)

    def read(self):
        if self.before_reading:
            self.before_reading()
        while self.lines and isinstance(self.lines[0], int | float):
            self.now += self.lines.pop(0)
        if not self.lines:
            raise EOFError
        line = self.lines.pop(0)
        if line is self.CTRL_C:
            raise KeyboardInterrupt
        self.file.write("\n")
        return line

    @property
    def shown(self):
        return self.file.getvalue()

    @property
    def words(self):
        return " ".join(self.shown.split())


def phases(design=SD1, notes=()):
    """As many n as lead through all phases, when nothing is typed but these notes."""
    dives = sum(1 + len(design_round.further(dive)) for dive in choose_dives(design, list(notes)))
    return ["n"] * (3 + dives + 2 + 1)


def sit(*lines, design="SD1", minutes=45, language="en"):
    script = Script(*lines)
    return designs.sit(script.screen, design, minutes, language), script


def practise(*lines, design="SD1"):
    script = Script(*lines)
    return designs.practise(script.screen, design), script


# --- order and record


@pytest.mark.parametrize("design", designs.all_designs(), ids=lambda design: design.id)
def test_the_grades_come_before_the_model_answer_and_again_after_it(design):
    _, script = sit(*phases(design), *["2"] * 8, *[""] * 8, design=design.id)
    order = ["1 of 6", "6 of 6", "== Pace", "before you see the model answer", "That makes 50", "Not in your notes"]
    order += ["Red flags", "Model answer: Numbers", "Model answer: Failure modes", "Grade again", "== Result"]
    places = [script.shown.index(text) for text in order]
    assert places == sorted(places)
    assert script.lines == [] and max(cell_len(line.rstrip()) for line in script.shown.splitlines()) <= 80


def test_the_outcome_has_both_grades_and_what_the_level_asks_for_where_it_was_not_reached():
    outcome, script = sit(*phases(), *["4"] * 8, "", "", "2", *[""] * 5)
    assert (outcome.item, outcome.first, outcome.percent) == ("SD1", 100, 93)  # retrieval: 14 x 2 / 4 less
    assert outcome.missed == ("Retrieval: channels, negatives, freshness, versions, filters",)
    assert "you granted yourself 7 points more" in script.words and "strong hire" in script.shown


def test_practice_is_recorded_as_a_design_and_in_the_progress_and_never_becomes_a_card():
    outcome, _ = practise(*phases(), *["3"] * 8, *[""] * 8)
    (review,) = reviews.read()
    assert (review.item, review.mode, review.first, review.final) == ("SD1", "design", 75, 75)
    assert review.rating == reviews.GOOD and outcome.percent == 75
    assert [event["exercise"] for event in progress.events()] == ["design.SD1"]
    assert drill.waiting() == 0 and designs.best_scores() == {"SD1": 75} and " 75\n" in designs.table() + "\n"


def test_a_part_of_a_mock_records_nothing_itself_and_scales_the_clock():
    _, script = sit(*phases(), *["3"] * 8, *[""] * 8, minutes=9)
    assert reviews.read() == [] and progress.events() == []
    assert "9:00 on the clock" in script.shown and "Numbers, 1:00" in script.shown
    assert "More than 0:36" in script.words


@pytest.mark.parametrize("nonsense", ["6", "-1", "x", "3.5", "²"])
def test_what_is_no_grade_is_asked_for_again(nonsense):
    outcome, script = sit(*phases(), nonsense, *["4"] * 8, *[""] * 8)
    assert outcome.first == 100 and script.shown.count("A whole number from 0 to 5.") == 1


# --- nothing is lost


def test_every_line_is_on_disk_before_the_next_is_asked_for():
    typed = ["logged-in users only", "peak = 100k requests/s", "n", "two towers"]
    seen = []
    script = Script(*typed, before_reading=lambda: seen.append(len(design_notes.JOURNAL.events())))
    with pytest.raises(Ended):
        designs.sit(script.screen, "SD1", 45, "en")
    assert seen == [1, 2, 3, 4, 5]  # the start, then one event a line


def test_ctrl_c_keeps_the_notes_and_the_next_time_goes_on_in_the_same_phase_and_minute():
    outcome, script = practise("people come back", 60, "n", 120, "peak = 1 GB", 30, Script.CTRL_C)
    assert outcome is None and "Your notes are kept" in script.words and reviews.read() == []
    _, again = practise("", 10)
    assert "2 lines of" in again.shown and "2 of 6: Numbers" in again.shown and "1 of 6" not in again.shown
    assert "  peak = 1 GB" in again.shown and "[2:30 of 5:00]" in again.shown
    (attempt,) = design_notes.attempts()
    assert attempt.notes() == ["people come back", "peak = 1 GB"] and attempt.spent() == {"clarify": 60}
    assert attempt.elapsed() == 220


def test_between_two_parts_of_a_deep_dive_the_clock_goes_on_from_the_beginning_of_the_phase():
    practise("n", "n", "n", 100, "n", 20, "q")
    _, again = practise("", "q")
    assert "[2:00 of 12:00]" in again.shown


def test_leaving_while_grading_asks_only_for_the_grades_that_are_left():
    practise(*phases(), "4", "4", "4", Script.CTRL_C)
    outcome, script = practise("", *["2"] * 5, *[""] * 8)
    assert outcome.first == 69  # weights 12 + 12 + 14 in full, half of the other 62
    assert "1 of 6" not in script.shown


def test_next_goes_on_like_n_and_an_empty_line_says_how():
    practise("", "next", "q")
    (attempt,) = design_notes.attempts()
    assert attempt.notes() == []
    _, script = practise("", "", "q")
    assert "2 of 6" in script.shown and "n: next phase. q: stop." in script.shown


def test_an_attempt_is_begun_afresh_on_demand_and_the_old_notes_stay():
    practise("first thoughts", "q")
    practise("new", "second thoughts", "q")
    assert [attempt.notes() for attempt in design_notes.attempts()] == [["first thoughts"], ["second thoughts"]]


def test_mock_and_practice_do_not_go_on_with_each_others_notes():
    practise("in practice", "q")
    with pytest.raises(Ended):
        sit("in a mock", "q")
    assert [(one.place, one.notes()) for one in design_notes.attempts()] == [
        ("practice", ["in practice"]),
        ("mock", ["in a mock"]),
    ]


def test_a_shorter_clock_is_judged_by_its_own_minutes():
    outcome, _ = sit(600, *phases(), *["4"] * 8, *[""] * 8, minutes=9)
    designs.record(SD1, outcome, minutes=9)
    designs.record(SD1, outcome)
    assert [review.rating for review in reviews.read()] == [reviews.GOOD, reviews.EASY]


def test_a_finished_one_is_not_gone_on_with_nor_one_in_which_nothing_was_typed():
    practise(*phases(), *["3"] * 8, *[""] * 8)
    practise("q")
    _, script = practise("q")
    assert "are not finished" not in script.shown


def test_events_that_are_torn_or_of_another_kind_are_skipped_and_a_clock_that_goes_back_changes_no_order():
    attempt = design_notes.begin("SD1", 1, 45, "practice")
    for event in ({"kind": "note"}, {"kind": "grade", "when": 3, "n": 9}, {"kind": "unknown", "n": 9}):
        design_notes.JOURNAL.record(attempt=attempt.id, design="SD1", **event)
    for n, when in ((1, "2030-01-01T00:00:00+00:00"), (2, "2020-01-01T00:00:00+00:00")):
        facts = {"kind": "note", "phase": "clarify", "text": str(n), "elapsed": 1.0, "n": n, "time": when}
        design_notes.JOURNAL.record(attempt=attempt.id, design="SD1", **facts)
    (read,) = design_notes.attempts()
    assert read.notes() == ["1", "2"]


def test_a_disk_that_takes_nothing_is_said_in_a_sentence(state):
    state.parent.mkdir(exist_ok=True)
    state.write_text("a file where the folder should be")
    with pytest.raises(PracticeError, match=r"cannot be written .* `recsys-course design SD1` goes on"):
        practise("a note")


# --- the clock


@pytest.mark.parametrize(("seconds", "lost"), [(300, 0), (480, 0), (481, 1)])
def test_three_minutes_over_cost_nothing_and_a_second_more_a_point(seconds, lost):
    outcome, script = sit(seconds, *phases(), *["4"] * 8, *[""] * 8)
    assert (outcome.first, outcome.percent) == (100 - lost, 100 - lost) and outcome.seconds == seconds
    assert ("costs a point, and the next phases" in script.words) == bool(lost)


def test_the_prompt_shows_the_clock_of_the_phase_and_says_when_it_is_over():
    _, script = practise(70, "a", 231, "b", "q")
    assert "[0:00 of 5:00]" in script.shown and "[1:10 of 5:00]" in script.shown
    assert "[5:01 of 5:00 over]" in script.shown


def test_the_clock_is_five_five_fifteen_twelve_six_two_and_scales_with_its_grace():
    assert [phase.seconds / 60 for phase in RUBRIC.phases] == [5, 5, 15, 12, 6, 2]
    half = RUBRIC.scaled(22.5)
    assert [phase.seconds / 60 for phase in half.phases] == [2.5, 2.5, 7.5, 6, 3, 1] and half.grace == 90


@hypothesis_given(st.dictionaries(st.sampled_from(KEYS), st.integers(0, 5)), st.integers(0, 6))
def test_points_lie_between_0_and_100_grow_with_each_grade_and_fall_with_lost_points(grades, lost):
    percent = RUBRIC.percent(grades, lost)
    assert 0 <= percent <= 100 and RUBRIC.percent(grades, lost + 1) <= percent
    for key in KEYS:
        assert RUBRIC.percent(grades | {key: min(5, grades.get(key, 0) + 1)}, lost) >= percent


def test_weights_make_the_points_and_points_the_verdict():
    assert [one.weight for one in RUBRIC.dimensions] == [12, 12, 14, 16, 14, 12, 12, 8]
    assert RUBRIC.percent(dict.fromkeys(KEYS, 5)) == 100 and RUBRIC.percent(dict.fromkeys(KEYS, 5), lost=1) == 99
    assert RUBRIC.percent({"ranking": 4}) == 16 and RUBRIC.percent({"monitoring": 5}) == 10
    assert [RUBRIC.verdict(percent) for percent in (85, 84, 64, 39)] == ["strong hire", "hire", "mixed", "no hire"]
    assert RUBRIC.level(dict.fromkeys(KEYS, 4)) == "senior" and RUBRIC.level(dict.fromkeys(KEYS[:4], 5)) == "below mid"
    assert RUBRIC.level(dict.fromkeys(KEYS[:5], 5)) == "staff"


# --- the interviewer


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("100 thousand requests/s", "Within a factor of 2."),
        ("daily_users * opens * 3", "Within a factor of 2."),
        ("34.8万 QPS", "Off by a factor of 2, too high."),
        ("1000 requests/s", "Off by a factor of 174, too low."),
        ("5 GB", "No: the answer is in bytes, wanted is requests/s."),
        ("many", "No: "),
        ("peak", "No: "),
    ],
)
def test_an_estimate_is_judged_within_a_factor_of_two_with_its_unit(typed, said):
    reply = check_estimate(SD1, "peak", typed)
    assert reply.startswith(said)
    assert reply.startswith("No") or "peak = average * 3 = 174 thousand requests/s." in reply


def test_an_estimate_says_what_it_rules_out_and_unknown_names_are_notes():
    assert "It rules out: a remote store for item features" in check_estimate(SD1, "feature_traffic", "200 GB/s")
    assert check_estimate(SD1, "my_number", "5") == "" == check_estimate(SD1, "daily_users", "5 users")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("retrieval 30, rank 45 ms, network 20ms", "3 stages, 95 of 200 ms: 105 ms in reserve."),
        ("召回 150，精排 60", "2 stages, 210 of 200 ms: 10 ms too much."),
        ("as little as possible", "Write it as"),
    ],
)
def test_a_budget_is_added_up_beside_the_limit(typed, said):
    assert add_up(SD1, typed).startswith(said)


def test_questions_are_answered_in_the_first_phase_and_later_too():
    script = sit_until_q("What is the DAU?", "n", "n", "日活多少？", "Should the button be red?")
    assert script.words.count("500 million users on a day") == 2 and "yours to decide" in script.words


def sit_until_q(*lines):
    script = Script(*lines, "q")
    with pytest.raises(Ended):
        designs.sit(script.screen, "SD1", 45, "en")
    return script


def test_the_interviewer_digs_where_the_notes_say_least():
    for said in SD1.dives:
        assert said not in choose_dives(SD1, [said.expect])


def test_the_failure_that_strikes_is_one_that_the_notes_do_not_speak_of():
    said = [failure.failure for failure in SD1.failures[:-1]]
    script = sit_until_q(*said, *phases(notes=said)[:-1])
    assert SD1.failures[-1].failure in script.words


@pytest.mark.parametrize(
    ("note", "found"), [("看P99尾延迟", True), ("先看p99", True), ("xp99", False), ("p991", False)]
)
def test_an_english_word_between_chinese_ones_is_found(note, found):
    assert EdgeCase("tail", ("p99",), "").named_in([note]) == found


def test_units_typed_without_a_space_are_found():
    assert as_words(["25GB and i2i"]) == ["25GB and i2i", "25 GB and i2 i"]
    notes = ["index 25GB"]
    _, script = sit(*notes, *phases(notes=notes), *["4"] * 8, *[""] * 8)
    missing = script.shown.partition("Not in your notes")[2].partition("== Red flags")[0]
    assert "- index-size (" not in missing


def test_the_follow_up_of_the_bank_comes_after_the_deep_dive():
    dive = SD1.dives[2]
    script = sit_until_q(SD1.dives[0].expect.replace("{", "").replace("}", ""), "n", "n", "n", "n", "n", "n")
    assert dive.ask in script.words and f"Further: {design_round.further(dive)[0]}" in script.words


def test_whatever_the_notes_say_is_named_or_missing_and_nothing_else():
    notes = ["two towers, in-batch negatives"]
    _, script = sit(*notes, *phases(notes=notes), *["4"] * 8, *[""] * 8)
    missing = script.shown.partition("Not in your notes")[2].partition("== Red flags")[0]
    assert "- negatives (" not in missing and "- channels (" not in missing and "- calibration (" in missing
    assert "2 of 6 parts in your notes; you granted 4." in script.words and "That is generous" in script.words


def test_red_flags_are_raised_by_words_and_by_their_absence():
    notes = ["we maximize watch time", "P99 and 25 GB"]
    _, script = sit(*notes, *phases(notes=notes), *["4"] * 8, *[""] * 8)
    flags = script.shown.partition("== Red flags")[2].partition("== Model")[0]
    assert "- watch-time-alone:" in flags and "- no-tail:" not in flags


@pytest.mark.parametrize(
    ("note", "is_up"),
    [
        ("we optimise watch time", True),
        ("we do not optimise watch time alone", False),
        ("returns instead of a plan to maximize watch time", False),
        ("no ads, and we maximize watch time", True),
        ("we don’t just maximise watch time", False),
        ("目标是最大化时长", True),
        ("目标不是最大化时长", False),
    ],
)
def test_what_a_note_denies_raises_no_flag(note, is_up):
    flag = next(flag for flag in SD1.red_flags if flag.case.name == "watch-time-alone")
    assert flag.is_up([note]) == is_up


def test_what_was_only_asked_is_not_counted_as_said():
    assert as_words(["Do we need calibration?", "要校准吗？", "two towers"]) == ["two towers"] * 2


@pytest.mark.parametrize(("language", "english", "chinese"), [("en", 1, 0), ("zh", 0, 1), ("both", 1, 1)])
def test_prompt_and_phases_come_in_the_language_wanted(language, english, chinese):
    script = Script("q")
    with pytest.raises(Ended):
        designs.sit(script.screen, "SD4", 45, language)
    assert ("marketplace" in script.shown, "大模型增强" in script.shown or "电商" in script.shown) == (english, chinese)
    assert ("Ask me what" in script.words, "先问清楚" in script.shown) == (english, chinese)


# --- the command


def command(*arguments, **more):
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        [sys.executable, "-m", "recsys_course.cli", "design", *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        env=environment,
        **more,
    )


def test_without_a_name_the_designs_are_listed_and_nothing_heavy_is_imported():
    code = "import sys; from recsys_course import cli; cli.main(['design']);"
    code += "sys.exit(any(name in sys.modules for name in ('torch', 'numpy', 'pandas', 'pint')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert done.returncode == 0 and "SD4  A language model" in done.stdout and "短视频推荐信息流" in done.stdout


def test_show_prints_the_whole_model_answer_and_leaves_no_trace():
    done = command("sd6", "--show")
    assert done.returncode == 0 and "rollback_fast" in done.stdout and "\x1b" not in done.stdout
    assert max(map(cell_len, done.stdout.splitlines())) <= 80
    assert design_notes.attempts() == []


def test_an_unknown_design_is_one_sentence():
    done = command("SD9")
    assert done.returncode == 1
    assert done.stderr == "recsys-course: there is no design 'SD9': there are SD1, SD4, SD6\n"


def test_in_a_pipe_the_end_of_the_input_keeps_what_was_typed():
    done = command("SD1", input="only logged-in users\nn\n")
    assert done.returncode == 0 and "Your notes are kept" in " ".join(done.stdout.split())
    assert design_notes.attempts()[0].notes() == ["only logged-in users"]


# --- a real terminal


def test_in_a_terminal_ctrl_c_keeps_the_notes_and_they_are_gone_on_with(terminal):
    terminal.start("design SD1", "first")
    terminal.until("[0:00 of 5:00]")
    terminal.type("目标是留存", "Enter", "n", "Enter")
    terminal.until("2 of 6: Numbers")
    terminal.type("peak = 17万 QPS", "Enter")
    shown = terminal.until("Within a factor of 2.")
    assert max(map(cell_len, shown.splitlines())) <= 80
    terminal.type("C-c")
    assert "Traceback" not in terminal.until("Your notes are kept")
    terminal.start("design SD1", "second")
    terminal.until("2 lines of")
    terminal.type("Enter")
    shown = terminal.until("2 of 6: Numbers")
    terminal.until("peak = 17万 QPS")
    assert "1 of 6" not in shown
    assert design_notes.attempts()[0].notes() == ["目标是留存", "peak = 17万 QPS"]
