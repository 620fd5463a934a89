"""Practice from a notebook: the order of things, what is recorded, and a real kernel that runs it all by itself."""

import importlib
import re
import sys
import textwrap
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from recsys_course.interview import bank, coding, drill, practice, reviews
from recsys_course.interview.outcome import PracticeError

QUESTION = replace(
    bank.load_question("C03"),
    rev=1,
    level="mid",
    prompt="Why subtract the log of the proposal?",
    prompt_zh="为什么要减去 log Q？",
    key_insight="The model would learn ratios [test: C03.ratio].",
    answers=(
        ("junior", "See [lesson 05](/notebooks/05.ipynb)."),
        ("mid", "Subtract log Q."),
        ("senior", "Estimate Q."),
    ),
    rubric=((40, "names the proposal"), (40, "says the sign"), (20, "says when it is left out")),
    hints=("First hint.", "Second hint.", "Third hint."),
)
HIDDEN = ("test_hidden", "reference", "recsys_course.interview.bank.coding", "recsys_course.interview.test_hidden")


class Clock:
    """Seconds that pass only when told."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(practice, "monotonic", clock)
    monkeypatch.setattr(practice, "_sittings", [])
    monkeypatch.setattr(bank, "load_question", lambda _: QUESTION)
    return clock


@pytest.fixture
def shown(capsys):
    return lambda: capsys.readouterr().out


def test_the_rubric_comes_before_the_grade_and_the_model_answer_after_it(clock, shown):
    practice.quiz("C03")
    prompt = shown()
    assert "Why subtract" in prompt and "为什么" in prompt and "says the sign" not in prompt
    practice.reveal()
    rubric = shown()
    assert "2. (40) says the sign" in rubric and "Subtract log Q." not in rubric
    practice.grade([1])
    answer = shown()
    assert "40 of 100 points." in answer and "Subtract log Q." in answer and "Estimate Q." not in answer
    assert reviews.read() == []


def test_the_second_grade_records_both_and_says_how_well_one_judged(clock, shown):
    practice.quiz("C03")
    clock.now = 90.0
    practice.reveal()
    clock.now = 900.0  # reading the answer costs no time
    practice.grade([1, 2, 3])
    practice.grade([2, 1])
    assert "80 of 100 points. Before the model answer you said 20 points above that." in " ".join(shown().split())
    (review,) = reviews.read()
    assert (review.item, review.rev, review.mode, review.seconds) == ("C03", 1, "drill", 90.0)
    assert (review.first, review.final, review.missed, review.rating) == (100, 80, (3,), reviews.GOOD)


def test_what_the_drill_and_the_notebook_record_of_the_same_answer_is_the_same(clock):
    practice.quiz("C03")
    practice.hint()
    clock.now = 60.0
    practice.reveal()
    practice.grade([1, 2, 3])
    practice.grade([1, 2])
    grades = (drill.score(QUESTION, met, hints=1) for met in ((1, 2, 3), (1, 2)))
    drill.keep(QUESTION, reviews.GOOD, 60.0, *grades)
    first, second = (vars(review) for review in reviews.read())
    assert first | {"time": None} == second | {"time": None} and first["final"] == 70


def test_hints_come_one_by_one_cost_ten_points_each_and_end(clock, shown):
    practice.quiz("C03")
    for price, text in ((10, "First hint."), (20, "Second hint."), (30, "Third hint.")):
        practice.hint()
        assert f"(-{price} points so far): {text}" in shown()
    with pytest.raises(PracticeError, match="there are no more hints"):
        practice.hint()
    practice.reveal()
    practice.grade([1, 2])
    assert "80 - 30 for hints = 50 of 100 points." in shown()


@pytest.mark.parametrize(("seconds", "said", "rating"), [(120, "In time.", 4), (121, "Over two minutes", 3)])
def test_a_full_answer_is_easy_only_in_time(clock, shown, seconds, said, rating):
    practice.quiz("C03")
    clock.now = seconds
    practice.reveal()
    assert said in shown()
    practice.grade([1, 2, 3])
    practice.grade([1, 2, 3])
    assert reviews.read()[0].rating == rating


def test_the_clock_stops_at_the_first_reveal(clock):
    practice.quiz("C03")
    clock.now = 30.0
    practice.reveal()
    clock.now = 300.0
    practice.reveal()
    practice.grade([])
    practice.grade([])
    assert reviews.read()[0].seconds == 30.0


def test_the_rating_can_be_lowered_and_never_raised(clock):
    practice.quiz("C03")
    practice.reveal()
    with pytest.raises(PracticeError, match="not before it"):
        practice.grade([1, 2], lower="hard")
    practice.grade([1, 2])
    with pytest.raises(PracticeError, match="can only be lowered, to one of again, hard, good, got 'easy'"):
        practice.grade([1, 2], lower="easy")
    assert reviews.read() == []
    practice.grade([1, 2], lower="hard")
    assert reviews.read()[0].rating == reviews.HARD


@pytest.mark.parametrize("met", [[0], [4], [1.0], ["1"], "13", [True], [None], 9])
def test_what_is_no_number_of_a_point_is_refused_and_changes_nothing(clock, met):
    practice.quiz("C03")
    practice.reveal()
    with pytest.raises(PracticeError, match=r"rubric points are numbers from 1 to 3, such as \[1, 3\], got"):
        practice.grade(met)
    practice.grade({3, 1})
    practice.grade((1, 3, 3))
    assert (reviews.read()[0].first, reviews.read()[0].final) == (60, 60)


@pytest.mark.parametrize("act", [practice.hint, practice.reveal, lambda: practice.grade([1])])
def test_nothing_can_be_done_before_a_question(clock, act):
    with pytest.raises(PracticeError, match=r'nothing was asked yet: practice\.quiz\("C03"\) asks a question'):
        act()


def test_nobody_grades_before_the_rubric_takes_hints_after_it_or_records_twice(clock):
    practice.quiz("C03")
    with pytest.raises(PracticeError, match="the rubric comes first"):
        practice.grade([1])
    practice.reveal()
    with pytest.raises(PracticeError, match="a hint comes too late"):
        practice.hint()
    practice.grade([1])
    practice.grade([1])
    with pytest.raises(PracticeError, match="C03 is recorded"):
        practice.grade([1])
    assert len(reviews.read()) == 1


def test_a_question_that_is_not_there_leaves_the_one_that_is_going_on(monkeypatch):
    monkeypatch.setattr(practice, "_sittings", [])
    practice.quiz("c03")
    with pytest.raises(PracticeError, match="no question 'Z99'"):
        practice.quiz("z99")
    practice.reveal()


@pytest.mark.parametrize(
    ("language", "english", "chinese"), [("en", True, False), ("zh", False, True), ("both", True, True)]
)
def test_the_prompt_comes_in_the_language_wanted(clock, shown, language, english, chinese):
    practice.quiz("C03", language)
    text = shown()
    assert ("Why subtract" in text, "为什么" in text) == (english, chinese)


def test_today_lists_what_is_due_why_and_how_to_begin(shown):
    practice.today("en")
    lines = shown().splitlines()
    assert lines[0] == "For today" and sum(line.startswith("- ") for line in lines) == 6
    first = lines[1][2:5]
    assert lines[1].startswith(f"- {first}, {bank.load_question(first).level}, new: ")
    assert lines[-1] == f'Begin with `practice.quiz("{first}")`.'
    practice.quiz(language="en")
    assert shown().startswith(f"{first}, ")


def test_today_names_a_task_to_solve_again_and_that_nothing_is_due(shown, monkeypatch):
    day = datetime.now(UTC) - timedelta(days=9)
    reviews.JOURNAL.record(time=day.isoformat(), item="W01", rev=1, rating=3, mode="code")
    monkeypatch.setattr(bank, "all_questions", list)
    practice.today()
    text = shown()
    assert "Nothing is due today." in text and 'Solve again: `coding.show("W01")`.' in text
    with pytest.raises(PracticeError, match="nothing is due today: name a question"):
        practice.quiz()


def test_check_names_the_cases_that_failed_and_shows_none_of_their_code(shown):
    practice.check("def ndcg_at_k(relevance, scores, k, gain='exponential'):\n    return 1.0\n", "W01")
    text = shown()
    assert re.search(r"^W01 · Hidden tests: \d+ of 13 passed$", text, re.MULTILINE)
    assert "✗ failed: The relevant item comes last." in text and "expected 0.430677, got 1" in text
    lines = coding.load("W01").tests(hidden=True)[1].read_text(encoding="utf-8").splitlines()
    code = [line.strip() for line in lines if len(line) > 25 and not line.strip().startswith('"""')]
    assert code and not any(line in text for line in code)
    (review,) = reviews.read()
    assert (review.item, review.mode, review.rating) == ("W01", "code", reviews.AGAIN)


def test_check_of_the_public_tests_records_nothing(shown):
    practice.check(coding.load("W01").reference, "W01", hidden=False)
    assert shown().startswith("W01 · Public tests: 3 of 3 passed") and "Hidden" not in shown()
    assert reviews.read() == []


@pytest.mark.parametrize(
    ("answer", "task", "message"),
    [
        (3, "W01", "give your functions or classes"),
        ([], "W01", "give your functions or classes"),
        (len, "W01", "the source of len is not to be found"),
        ("x = 1", "W99", "there is no coding task 'W99'"),
    ],
)
def test_what_cannot_be_checked_is_said_in_one_sentence(answer, task, message):
    with pytest.raises(PracticeError, match=message):
        practice.check(answer, task)


@pytest.mark.parametrize("name", HIDDEN)
def test_hidden_tests_cannot_be_imported_by_name(name):
    assert name not in sys.modules
    with pytest.raises(ImportError):
        importlib.import_module(name)


# --- a notebook

CELLS = {
    "import": "from recsys_course.interview import practice",
    "early": "practice.reveal()",
    "today": "practice.today()",
    "quiz": 'practice.quiz("C03")',
    "hint": "practice.hint()",
    "reveal": "practice.reveal()",
    "first": "practice.grade([1, 3])",
    "second": "practice.grade([1, 3, 4])",
    "answer": """
        def ndcg_at_k(relevance, scores, k, gain="exponential"):
            if k < 2:
                raise ValueError("too short")
            return 1.0


        practice.check(ndcg_at_k, "W01")
    """,
    "builtin": 'practice.check(len, "W01")',
    "hidden": f"""
        import importlib.util

        for name in {HIDDEN!r}:
            try:
                print(importlib.util.find_spec(name))
            except ModuleNotFoundError as error:
                print("no such module")
    """,
    "widgets": 'import sys\n\nprint("ipywidgets" in sys.modules)',
}


def run_notebook(state: Path) -> dict:
    """The outputs of each cell, run by a kernel of its own with a learner's record of its own."""
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    cells = [nbformat.v4.new_code_cell(textwrap.dedent(cell).strip()) for cell in CELLS.values()]
    notebook = nbformat.v4.new_notebook(cells=cells)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECSYS_COURSE_STATE", str(state))
        here = {"metadata": {"path": str(Path(__file__).parent)}}
        nbclient.NotebookClient(notebook, allow_errors=True, timeout=60, resources=here).execute()
    return {name: cell.outputs for name, cell in zip(CELLS, cells, strict=True)}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    return run_notebook(tmp_path_factory.mktemp("state"))


def text_of(cell_outputs: list) -> str:
    found = []
    for out in cell_outputs:
        data = out.get("data", {})
        found += [
            out.get("text", ""),
            data.get("text/plain", ""),
            data.get("text/markdown", ""),
            *out.get("traceback", []),
        ]
    return "\n".join(filter(None, found))


class TestInANotebook:
    def test_it_runs_from_top_to_bottom_and_shows_markdown_with_a_text_for_where_there_is_none(self, outputs):
        errors = {name for name, found in outputs.items() if any(out.output_type == "error" for out in found)}
        assert errors == {"early", "builtin"}
        for name in ("today", "quiz", "hint", "reveal", "first", "second"):
            (shown,) = outputs[name]
            assert set(shown.data) == {"text/markdown", "text/plain"}
            assert "<small>" not in shown.data["text/plain"] and "**" not in shown.data["text/plain"]
            assert max(map(len, shown.data["text/plain"].splitlines())) <= 80

    def test_formulas_and_small_print_are_left_to_the_notebook(self, outputs):
        markdown = outputs["first"][0].data["text/markdown"]
        assert r"$\log p - \log q$" in markdown and "<small>(proved by C03.signs)</small>" in markdown

    def test_an_error_is_one_sentence(self, outputs):
        assert outputs["early"][0].traceback == ['nothing was asked yet: practice.quiz("C03") asks a question']
        (said,) = outputs["builtin"][0].traceback
        assert said == "the source of len is not to be found: define it with `def` or `class` in a cell"

    def test_a_cell_with_an_answer_says_which_hidden_cases_failed(self, outputs):
        text = text_of(outputs["answer"])
        assert "✗ failed: The relevant item comes last." in text and "of 90 points" in text

    def test_hidden_tests_are_not_to_be_found_and_no_widget_is_needed(self, outputs):
        assert set(text_of(outputs["hidden"]).split("\n")) <= {"None", "no such module", ""}
        assert text_of(outputs["widgets"]).strip() == "False"

    def test_no_output_has_a_path_or_a_time_in_it(self, outputs):
        text = "\n".join(map(text_of, outputs.values()))
        assert not re.search(r"(?<![\w.])/(?:home|tmp|root|usr|work|Users|var|opt)\b|[A-Z]:\\\\|site-packages", text)
        assert str(Path(__file__).parents[1]) not in text
        assert not re.search(r"\d{4}-\d\d-\d\d|\d:\d\d|\b\d+(?:\.\d+)? ?(?:s|ms|seconds)\b", text)

    def test_a_second_run_shows_the_same(self, outputs, tmp_path):
        again = run_notebook(tmp_path)
        assert {name: text_of(found) for name, found in again.items()} == {
            name: text_of(found) for name, found in outputs.items()
        }
