"""Sitting a mock interview: the order of things, what is kept when, what is recorded, and how it goes on."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.cells import cell_len

from recsys_course.interview import bank, coding, debrief, mock, mock_command, mock_pool, mock_state, reviews
from recsys_course.interview import session as coding_session
from recsys_course.interview.mock_paper import Order, Paper, Part
from recsys_course.interview.outcome import Outcome, PracticeError
from terminal import Script

ROOT = Path(__file__).parents[1]
C03 = replace(
    bank.load_question("C03"),
    rev=1,
    level="mid",
    prompt="Why subtract the log of the proposal?",
    prompt_zh="为什么要减去 log Q？",
    key_insight="The model would learn ratios [test: C03.ratio].",
    answers=(("mid", "Subtract log Q."),),
    follow_ups=(
        bank.FollowUp("the answer leaves the sign open", "Plus or minus?", "Minus, in training only."),
        bank.FollowUp("the answer does not mention duplicates", "And twice the same item?", "Mask it."),
    ),
    rubric=((40, "names the proposal"), (40, "says the sign"), (20, "says when it is left out")),
    hints=("First hint.", "Second hint.", "Third hint."),
)
D01 = replace(C03, id="D01", topic="D", prompt="Which negatives?", prompt_zh="负样本怎么选？", follow_ups=())
PARTS = (Part("concept", "C03", 1, "mid", 6, ("C",)), Part("concept", "D01", 1, "mid", 4, ("D",)))
PAPER = Paper(Order("concept", "mid", 12, 7), PARTS)
GRADED = ("", "1 2", "")  # an answer aloud, two points at first, and the same again
FIRST_PART = (*GRADED, "n", "y", "", "n")  # the second follow-up was called for and could not be answered
WHOLE = (*FIRST_PART, "", "1 2 3", "1 2 3")


@pytest.fixture(autouse=True)
def _small_bank(monkeypatch):
    """Two questions that a reader can keep in mind; every other one is the bank's."""
    load = bank.load_question
    monkeypatch.setattr(bank, "load_question", lambda id: {"C03": C03, "D01": D01}.get(id) or load(id))


@pytest.fixture(autouse=True)
def course(tmp_path, monkeypatch):
    """A clone of its own: pages and copies of tasks go to its ``my/``."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "00_start_here.ipynb").write_text("{}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.delenv("VISUAL", raising=False)
    return tmp_path


def sit(*lines, paper=PAPER, language="both", seconds=60):
    script = Script(*lines, minutes=seconds / 60)
    script.page = mock.sit(script.screen, mock_state.begin(paper, language))
    return script


def resume(*lines, seconds=60):
    script = Script(*lines, minutes=seconds / 60)
    mock_command.mock(resume=True, screen=script.screen)
    return script


def kept():
    """The file of the only mock, as JSON."""
    (path,) = mock_state.folder().glob("*.json")
    return json.loads(path.read_text(encoding="utf-8"))


# --- one question


def test_the_order_is_answer_rubric_grade_model_answer_grade_follow_ups():
    shown = sit(*FIRST_PART).shown
    texts = ("Why subtract", "Say it aloud", "says the sign", "Subtract log Q", "Now that you have seen it")
    texts += ("your answer does not mention duplicates", "And twice the same item?", "Mask it.", "Could you say that?")
    places = [shown.index(text) for text in texts]
    assert places == sorted(places)


def test_a_follow_up_is_asked_only_where_the_answer_called_for_it():
    shown = sit(*FIRST_PART).shown
    assert "Is it so that your answer leaves the sign open?" in shown and "Plus or minus?" not in shown


def test_only_a_follow_up_that_could_not_be_answered_is_left_open():
    sit(*GRADED, "y", "", "y", "y", "", "n")
    assert kept()["done"][0]["outcome"]["follow_ups"] == ["And twice the same item?"]


def test_half_of_the_minutes_are_for_the_answer_and_a_sixth_for_a_follow_up():
    shown = sit(*FIRST_PART).shown
    assert "You have 3:00. Say it aloud" in shown and "You have 1:00. Say it aloud" in shown


def test_what_is_recorded_are_both_grades_the_time_and_what_was_missed():
    sit("", "1 2", "1", "n", "n")
    (review,) = reviews.read()
    assert (review.item, review.mode, review.seconds, review.first, review.final) == ("C03", "mock", 60, 80, 40)
    assert (review.missed, review.rating) == ((2, 3), reviews.HARD)


def test_missed_points_come_back_tomorrow_and_nothing_of_what_was_complete_does():
    page = sit(*WHOLE).page
    first, second = mock_state.read(next(mock_state.folder().glob("*.json"))).done
    assert (first.outcome.missed, second.outcome.missed) == (("says when it is left out",), ())
    assert "Back tomorrow: C03." in page.read_text(encoding="utf-8")


def test_an_answer_in_time_rates_better_than_a_late_one():
    sit("", "1 2 3", "", "n", "n")
    sit("a", "b", "c", "", "1 2 3", "", "n", "n")
    assert [review.rating for review in reviews.read()] == [reviews.EASY, reviews.GOOD]


def test_hints_cost_ten_points_each_and_there_are_three():
    shown = sit("h", "h", "h", "h", "", "1 2", "", "n", "n", "", "1", "").shown
    assert "First hint." in shown and "Third hint." in shown and "There are no more hints." in shown
    assert [one["outcome"]["percent"] for one in kept()["done"]] == [50, 40]
    assert [one["outcome"]["hints"] for one in kept()["done"]] == [3, 0]


def test_what_is_typed_is_kept_in_the_file_of_the_mock_and_hints_are_not():
    sit("log q is", "h", "subtracted 减去", "", "1", "", "n", "y", "mask", "", "y")
    (done,) = kept()["done"]
    assert done["answer"] == ["log q is", "subtracted 减去", "", "And twice the same item?", "mask"]


def test_only_y_and_n_answer_a_question_of_yes_or_no():
    assert "Type y or n." in sit("", "1", "", "maybe", "n", "n").shown
    assert kept()["done"]


@pytest.mark.parametrize(
    ("language", "english", "chinese"), [("en", True, False), ("zh", False, True), ("both", True, True)]
)
def test_the_prompt_comes_in_the_language_wanted(language, english, chinese):
    shown = sit(language=language).shown
    assert ("Why subtract" in shown, "为什么" in shown) == (english, chinese)


def test_the_time_used_is_shown_at_every_part():
    shown = sit(*WHOLE).shown
    assert "Part 1 of 2: question, 0:00 of 12:00 used" in shown
    assert "Part 2 of 2: question, 2:00 of 12:00 used" in shown  # a minute for the answer, one for a follow-up


# --- interrupted and gone on with


@pytest.mark.parametrize("stop", range(len(WHOLE)))
@pytest.mark.parametrize("end", ["q", None, KeyboardInterrupt])
def test_wherever_it_is_interrupted_the_rest_is_asked_once_and_the_result_is_the_same(stop, end, state):
    script = sit(*WHOLE[:stop], *([end] if end else []))
    assert script.page is None and "`recsys-course mock --resume` goes on" in script.shown
    again = resume(*LEFT_AFTER[stop])
    assert "Debrief" in again.shown
    outcomes = [{**one["outcome"], "seconds": 0} for one in kept()["done"]]
    assert outcomes == [
        {**OUTCOME, "item": "C03", "percent": 80, "first": 80, "missed": ["says when it is left out"],
         "follow_ups": ["And twice the same item?"]},
        {**OUTCOME, "item": "D01", "percent": 100, "first": 100, "missed": [], "follow_ups": []},
    ]  # fmt: skip
    assert [(review.item, review.final) for review in reviews.read()] == [("C03", 80), ("D01", 100)]


OUTCOME = {"hints": 0, "seconds": 0}
# a follow-up in progress is asked from its start; all other steps go on where they were
LEFT_AFTER = [WHOLE[start:] for start in (0, 1, 2, 3, 4, 4, 4, 7, 8, 9)]


def test_a_killed_process_loses_the_line_being_typed_and_no_more():
    sit("one", "h", "two")
    assert kept()["progress"] == {"rev": 1, "lines": ["one", "two"], "hints": 1, "spent": 180.0}
    shown = resume("three", "h", "", "1 2", "", "n", "n").shown
    assert "You had typed" in shown and "Second hint." in shown and "First hint." not in shown
    (done,) = kept()["done"]
    assert done["answer"] == ["one", "two", "three"]
    assert (done["outcome"]["hints"], done["outcome"]["percent"], done["outcome"]["seconds"]) == (2, 60, 360)


def test_an_answer_to_a_follow_up_that_was_interrupted_is_kept_as_well():
    sit(*GRADED, "n", "y", "mask them")
    assert "You had typed" in resume("y", "the copies", "", "y").shown
    assert kept()["done"][0]["answer"] == ["", "And twice the same item?", "mask them", "the copies"]


def test_the_time_before_an_interruption_counts_and_a_minute_is_always_left():
    sit("one")
    assert "You have 2:00." in resume("two", "three").shown  # of three minutes, one was spent
    assert "You have 1:00." in resume().shown


def test_a_review_that_was_written_just_before_the_process_was_killed_is_not_written_twice():
    sit(*GRADED, "n")
    assert len(reviews.read()) == 1
    resume("n", *WHOLE[-3:])
    assert [review.item for review in reviews.read()] == ["C03", "D01"]


def test_a_question_whose_text_has_changed_is_graded_again(monkeypatch):
    sit(*GRADED)
    load = bank.load_question
    monkeypatch.setattr(bank, "load_question", lambda id: replace(load(id), rev=2) if id == "C03" else load(id))
    shown = resume("1", "1").shown
    assert "The question has changed since you began it" in shown
    assert reviews.read()[-1].rev == 2


def test_the_file_is_never_half_written(monkeypatch):
    sitting = mock_state.begin(PAPER, "both")
    before = sitting.path.read_bytes()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(PracticeError, match=r"cannot be written \(No space left on device\)"):
        sitting.keep(lines=["x"])
    assert sitting.path.read_bytes() == before


def test_a_mock_read_back_is_the_one_that_was_written():
    sitting = mock_state.begin(replace(PAPER, notes=("a note",)), "zh", datetime(2026, 3, 1, 9, tzinfo=UTC))
    sitting.keep(lines=["a"])
    sitting.finish_part(Outcome("C03", 70, 61.5, 1, 80, ("x",), ("y",)))
    assert mock_state.read(sitting.path) == sitting


def test_a_full_disk_is_said_in_one_sentence_and_the_mock_goes_on_later(monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(reviews, "record", full)
        with pytest.raises(
            PracticeError, match=r"cannot be written or read \(No space left on device\); the mock is kept"
        ):
            sit(*GRADED)
    resume("n", "n")
    assert [review.item for review in reviews.read()] == ["C03"]


# --- several mocks


def test_a_second_mock_is_not_started_silently():
    sit()
    script = Script("q")
    assert mock_command.mock(seed=8, screen=script.screen) == 0
    assert "is not finished: 0 of 2 parts are done" in " ".join(script.shown.split())
    assert len(list(mock_state.folder().glob("*.json"))) == 1


def test_enter_goes_on_with_the_unfinished_one():
    sit(*FIRST_PART)
    script = Script("", *WHOLE[-3:])
    mock_command.mock(seed=8, screen=script.screen)
    assert "100 points" in script.shown and kept()["finished"]
    assert mock_pool.finished() == {PAPER.order.round: 1}


def test_new_ends_the_unfinished_one_with_its_debrief_and_begins_another():
    sit(*FIRST_PART)
    script = Script("new")
    mock_command.mock(seed=8, screen=script.screen)
    old, new = map(mock_state.read, sorted(mock_state.folder().glob("*.json")))
    assert "80 of 100 points: hire at level mid (1 of 2 parts)." in script.shown
    assert old.finished and Path(old.page).is_file()
    assert not new.finished and new.paper.order.seed == 8
    assert not mock_pool.finished()  # of two parts one was sat: the plan's step is still to do


def test_an_order_that_cannot_be_drawn_leaves_the_unfinished_mock_alone():
    sit(*FIRST_PART)
    with pytest.raises(PracticeError, match="no question fits in 1 minutes"):
        mock_command.mock(minutes=1, screen=Script("new").screen)
    assert kept()["finished"] is None


def test_without_an_unfinished_mock_there_is_nothing_to_resume():
    with pytest.raises(PracticeError, match="there is no unfinished mock"):
        mock_command.mock(resume=True)


def test_a_damaged_file_is_named(state):
    (state / "mocks").mkdir(parents=True)
    (state / "mocks" / "20260301-090000-7.json").write_text('{"version": 1', encoding="utf-8")
    with pytest.raises(PracticeError, match=r"20260301-090000-7\.json is not the file of a mock"):
        mock_command.mock(screen=Script().screen)


def test_what_was_shown_in_a_mock_is_not_drawn_again_the_next_day_and_what_was_not_reached_can_be():
    paper = mock.draw(Order("concept", "mid", 45, 7))
    assert mock.draw(Order("concept", "mid", 45, 7)) == paper
    sit(paper=paper)  # leaves at the first part
    seen, others = paper.parts[0].id, {part.id for part in paper.parts[1:]}
    again = {part.id for part in mock.draw(Order("concept", "mid", 45, 7)).parts}
    assert seen not in again and others & again
    assert set(mock_pool.history().shown) == {seen}


@pytest.mark.parametrize(
    ("mode", "item", "counts"), [("code", "W01", True), ("debug", "X02", True), ("drill", "C03", False)]
)
def test_a_task_that_was_solved_yesterday_is_not_drawn_but_a_question_may_be(mode, item, counts):
    reviews.record(item, 1, reviews.GOOD, mode)
    assert (item in mock_pool.history().shown) == counts


def test_what_was_shown_and_solved_again_counts_from_the_later_day():
    mock_pool.note_shown(Part("coding", "W01", 1, "junior", 15, ("H",), True, "coding"), 7)
    before = mock_pool.history().shown["W01"]
    reviews.record("W01", 1, reviews.GOOD, "code")
    assert mock_pool.history().shown["W01"] >= before


def test_a_topic_that_was_drilled_counts_as_practised():
    reviews.record("N01", 1, 3, "drill")
    every = [one for one in bank.question_files() if one.name[0] == "N"]
    assert mock_pool.history().coverage["N"] == 1 / len(every) and mock_pool.history().coverage["C"] == 0


# --- the other rounds


def paper_of(*parts):
    return Paper(Order("loop", "mid", 100, 7), parts)


W01 = Part("coding", "W01", coding.load("W01").rev, "junior", 15, ("H",), form="coding")


def answer_path(course):
    return course / "my" / "coding" / "W01-ndcg" / "answer.py"


class Solver(Script):
    """Writes the reference into the learner's copy before a line is typed."""

    def read(self):
        path = answer_path(Path.cwd())
        if self.typed == self.when and path.exists():
            head = 'COMPLEXITY = "O(n log n)"\nEDGE_CASES = ["ties", "no relevant item"]\n'
            path.write_text(head + coding.load("W01").reference, encoding="utf-8")
        return super().read()


def solve(*lines, when=0):
    script = Solver(*lines)
    script.when = when
    mock.sit(script.screen, mock_state.begin(paper_of(W01), "both"))
    return script


def test_a_coding_part_opens_a_copy_runs_hands_in_and_asks_what_could_not_be_answered(course):
    script = solve("r", "", "10", "1")
    assert "Public tests" in script.shown and "Hidden tests" in script.shown
    (done,) = kept()["done"]
    assert done["outcome"]["percent"] == 100 - 20 + 8 and done["outcome"]["seconds"] == 120  # two edge cases of five
    assert done["outcome"]["follow_ups"] == [coding.load("W01").probes[0][0]]
    assert done["outcome"]["missed"] == ["names 5 edge cases before the first run (2 named)"]
    assert "def ndcg_at_k" in "\n".join(done["answer"])
    assert [review.mode for review in reviews.read()] == ["code"]


def test_without_points_for_talking_ninety_are_all(course):
    solve("", "", "")
    assert kept()["done"][0]["outcome"]["percent"] == round(100 * 78 / 90)


def test_the_starter_handed_in_as_it_is_fails_and_says_what_was_missed(course):
    script = Script("", "", "")
    mock.sit(script.screen, mock_state.begin(paper_of(W01), "both"))
    outcome = kept()["done"][0]["outcome"]
    assert outcome["percent"] == 0 and len(outcome["missed"]) > 5


def test_an_old_copy_is_put_away_once_and_the_new_one_survives_an_interruption(course):
    answer_path(course).parent.mkdir(parents=True)
    answer_path(course).write_text("my old answer", encoding="utf-8")
    script = Script("q")
    mock.sit(script.screen, mock_state.begin(paper_of(W01), "both"))
    (backup,) = (course / "my" / "backup").iterdir()
    assert backup.read_text(encoding="utf-8") == "my old answer"
    answer_path(course).write_text("half of the new one", encoding="utf-8")
    resume("q")
    assert answer_path(course).read_text(encoding="utf-8") == "half of the new one"
    assert coding_session.current("W01", W01.rev) is not None


def test_a_copy_that_was_deleted_is_asked_for_again_and_nothing_is_handed_in(course):
    class Clumsy(Script):
        def read(self):
            answer_path(course).unlink(missing_ok=True)
            return super().read()

    script = Clumsy("")
    mock.sit(script.screen, mock_state.begin(paper_of(W01), "both"))
    assert "answer.py is not there yet" in " ".join(script.shown.split()) and reviews.read() == []


class Auto(Script):
    """A learner who does the least that each prompt takes, and types one note; the clock runs by 30 s a line."""

    REPLIES = (("y or n:", "n"), ("Their numbers", "1"), ("Grade", "2"), ("[", "n"))

    def __init__(self):
        super().__init__(minutes=0.5)

    def read(self):
        self.typed += 1
        prompt = self.shown.splitlines()[-1].strip()
        self.file.write("\n")
        assert self.typed < 400, "it does not end"
        return next((reply for text, reply in self.REPLIES if prompt.startswith(text)), "")


def test_a_loop_sits_one_of_every_round_with_the_real_tasks_and_breaks_between_them(course):
    script = Auto()
    mock_command.mock(round="loop", seed=3, lang="en", screen=script.screen)
    (path,) = mock_state.folder().glob("*.json")
    sitting = mock_state.read(path)
    assert [one.part.kind for one in sitting.done][-3:] == ["coding", "debug", "design"]
    assert script.shown.count("Break of 5 minutes") == 3 and "Debrief" in script.shown
    assert sitting.finished and Path(sitting.page).is_file()
    modes = [review.mode for review in reviews.read()]
    assert modes == [*["mock"] * (len(sitting.done) - 3), "code", "debug", "design"]
    assert max(cell_len(line) for line in script.shown.splitlines() if "/my/" not in line) <= 80


X02 = Part("debug", "X02", 1, "mid", 12, ("H",), form="debug")


def test_a_debugging_part_that_was_interrupted_goes_on_with_the_same_copy_and_its_time(course):
    sit("h", "q", paper=paper_of(X02))
    (folder,) = (course / "my" / "debug").iterdir()
    review = folder / "review.md"
    review.write_text(review.read_text(encoding="utf-8") + "\nmy explanation\n", encoding="utf-8")
    resume("", "", "", "", "", "", "", "", "", "", "")
    (done,) = kept()["done"]
    assert "my explanation" in review.read_text(encoding="utf-8") and not (course / "my" / "backup").exists()
    assert done["outcome"]["seconds"] == 180  # two lines before, one after


def test_a_design_that_was_interrupted_goes_on_with_its_notes(course):
    sd1 = Part("design", "SD1", 1, "senior", 45, ("A",), form="design")
    sit("500M users 用户", paper=paper_of(sd1))
    script = Auto()
    mock_command.mock(resume=True, screen=script.screen)
    (done,) = kept()["done"]
    assert done["answer"] == ["500M users 用户"] and done["outcome"]["percent"] > 0
    assert [review.mode for review in reviews.read()] == ["design"]


# --- the interviewer


def test_the_interviewer_gets_the_same_paper_and_nothing_is_recorded(capsys, state):
    order = Order("concept", "mid", 45, 7)
    paper = mock.draw(order)
    mock_command.mock(seed=7, role="interviewer")
    page = capsys.readouterr().out
    assert not state.exists() or not list(state.rglob("*.json*"))
    places = [page.index(f"| {number} | {part.id} |") for number, part in enumerate(paper.parts, 1)]
    assert places == sorted(places) and "# Scoring sheet" in page
    assert all(hint in page for part in paper.parts for hint in bank.load_question(part.id).hints)


def test_the_interviewer_is_told_how_the_candidate_opens_the_tasks(capsys):
    mock_command.mock(round="coding", minutes=15, level="junior", role="interviewer", lang="en")
    page = capsys.readouterr().out
    (task,) = [task.id for task in coding.all_tasks() if f"| 1 | {task.id} |" in page]
    assert f"For the tasks the candidate types `recsys-course code {task} --again`." in page


def test_the_interviewer_of_a_mock_that_has_begun_gets_its_paper(capsys):
    paper = mock.draw(Order("concept", "mid", 45, 7))
    sit(paper=paper)
    for options in ({"seed": 7}, {"resume": True}):
        mock_command.mock(role="interviewer", **options)
        assert f"| 1 | {paper.parts[0].id} |" in capsys.readouterr().out


def test_without_an_unfinished_mock_there_is_no_script_to_resume():
    with pytest.raises(PracticeError, match="leave --resume out"):
        mock_command.mock(role="interviewer", resume=True)


# --- the command


def command(*arguments, **more):
    return subprocess.run(
        [sys.executable, "-m", "recsys_course.cli", "mock", *arguments],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        **more,
    )


def test_in_a_pipe_there_is_no_colour_and_the_end_of_the_input_keeps_what_was_done():
    result = command("--seed", "7", "--minutes", "6", input="\n1\n\n")
    assert result.returncode == 0, result.stderr
    assert "\x1b" not in result.stdout and "Stopped. 0 of 1 parts done and kept" in result.stdout
    assert max(cell_len(line) for line in result.stdout.splitlines()) <= 80
    assert len(reviews.read()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--resume"], "there is no unfinished mock: `recsys-course mock` begins one"),
        (["--minutes", "2"], "no question fits in 2 minutes"),
        (["--round", "loop", "--minutes", "30"], "a loop at level mid takes at least"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(arguments, message):
    result = command(*arguments)
    assert result.returncode == 1
    assert message in result.stderr and len(result.stderr.splitlines()) == 1


def test_the_first_question_is_shown_without_torch_numpy_or_pandas():
    code = "import io, sys; sys.stdin = io.StringIO(); from recsys_course import cli; cli.main(['mock']);"
    code += "sys.exit(any(name in sys.modules for name in ('torch', 'numpy', 'pandas', 'matplotlib', 'pint')))"
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=ROOT).returncode == 0


def test_the_rules_of_level_and_verdict():
    assert [debrief.verdict(points) for points in (100, 85, 84, 65, 64, 40, 39, 0, None)] == [
        *["strong hire"] * 2, *["hire"] * 2, *["mixed"] * 2, *["no"] * 2, "nothing to judge"
    ]  # fmt: skip
    levels = (("junior", 90, 1), ("mid", 65, 3), ("senior", 64, 1), ("staff", 100, 1))
    assert debrief.level_reached(levels) == "mid"
    assert debrief.level_reached(levels[2:]) == "below senior"
    assert debrief.level_reached(()) == "none"


def test_the_points_are_weighted_by_the_planned_minutes():
    rows = [
        debrief.Row(part, mock_pool.About("", "", ""), Outcome(part.id, points, 1.0), (), None)
        for part, points in zip(PARTS, (80, 30), strict=True)
    ]
    assert debrief.weighted(rows) == 60  # (80 * 6 + 30 * 4) / 10
    assert debrief.weighted([]) is None
