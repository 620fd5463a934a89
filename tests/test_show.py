"""What `recsys-course show` prints for each kind of name."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from recsys_course.interview import bank, designs, estimate_bank, show_command
from recsys_course.interview.outcome import PracticeError
from recsys_course.interview.screen import Screen


def shown(name, level=None):
    file = io.StringIO()
    show_command.show(Screen(Console(file=file, width=80, highlight=False)), name, level)
    return file.getvalue()


def test_a_question_is_shown_with_its_answer_up_to_the_level_wanted():
    assert "Rubric" not in shown("c03") and "Senior:" in shown("C03")
    assert "Senior:" not in shown("C03", "mid") and "Mid:" in shown("C03", "mid")


def test_an_estimate_is_shown_with_its_computed_answer():
    first = estimate_bank.all_estimates()[0]
    text = " ".join(shown(first.id).split())
    assert (
        text.startswith(f"{first.id}, {first.title}, ")
        and first.answer.shown in text
        and first.prompt.split()[0] in text
    )


def test_a_design_is_shown_with_its_numbers():
    assert designs.load("SD1").title in shown("sd1")


@pytest.mark.parametrize(("name", "command"), [("W08", "code W08"), ("x16", "debug X16"), ("c03.A", "grade C03.a")])
def test_a_task_is_not_given_away(name, command):
    with pytest.raises(PracticeError, match=command):
        shown(name)


@pytest.mark.parametrize(
    ("name", "other"), [("retrieval", "召回"), ("召回", "retrieval"), ("Negative Sampling", "负采样")]
)
def test_a_term_is_shown_in_both_languages_with_where_to_read(name, other):
    text = shown(name)
    assert other in text and "See lesson" in " ".join(text.split())
    assert max(map(cell_len, text.splitlines())) <= 80


@pytest.mark.parametrize("name", ["C99", "SD9", "EST99", "no such term", " "])
def test_what_there_is_not_is_said_in_one_sentence(name):
    with pytest.raises(PracticeError) as caught:
        shown(name)
    assert "\n" not in str(caught.value)


def test_every_question_can_be_shown():
    assert all(question.id in shown(question.id) for question in bank.all_questions())
