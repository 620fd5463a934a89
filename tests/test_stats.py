"""What the statistics say of a learner, on records small enough to count by hand."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from recsys_course.interview import reviews, stats
from recsys_course.interview.reviews import Review
from recsys_course.interview.screen import Screen

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def review(item, days_ago=0, mode="drill", **more):
    return Review(item, 1, NOW - timedelta(days=days_ago), more.pop("rating", 3), mode, **more)


def shown(width=80):
    file = io.StringIO()
    stats.show(Screen(Console(file=file, width=width, highlight=False)), NOW)
    return file.getvalue()


def test_a_topics_grade_is_the_mean_of_the_last_final_grades_of_its_questions():
    done = [review("C03", 9, final=20), review("C03", 2, final=60), review("C01", 1, final=90), review("C02", 1)]
    topic = next(one for one in stats.topics(done, NOW) if one.code == "C")
    assert (topic.met, topic.percent) == (3, 75)


def test_a_topic_without_a_grade_has_none_and_all_its_questions_are_counted():
    topic = next(one for one in stats.topics([], NOW) if one.code == "C")
    assert (topic.met, topic.percent, topic.due) == (0, None, 0) and topic.total >= 5


def test_due_cards_are_counted_beyond_the_caps_of_a_day_and_new_ones_are_not():
    ids = [question.id for question in stats.bank.all_questions()][:70]
    found = stats.topics([review(id, 400) for id in ids], NOW)
    assert sum(topic.due for topic in found) == 70


def test_only_answers_that_were_graded_twice_tell_how_one_judges_oneself():
    done = [
        review("C03", first=80, final=60),
        review("C01", first=None, final=60),
        review("C02", first=70, final=None),
        review("W01", mode="code"),
        review("C01", mode="mock", first=50, final=50),
        review("SD1", mode="design", first=40, final=30),
        review("C03.a", mode="grade", first=90, final=10),
    ]
    assert stats.pairs(done) == [(80, 60), (50, 50), (40, 30)]


@pytest.mark.parametrize(
    ("grades", "sentence"),
    [
        ([(80, 60), (50, 50)], "You grant yourself 10 points too much on average, over 2 answers."),
        ([(40, 60)], "You grant yourself 20 points too little on average, over 1 answer."),
        ([(60, 60), (62, 60)], "You judge yourself well: +1 points on average over 2 answers."),
    ],
)
def test_the_gap_is_said_with_its_direction(grades, sentence):
    assert stats.judgement(grades) == sentence


def test_without_a_record_the_statistics_say_how_to_begin():
    assert shown() == "Nothing was practised yet. `recsys-course drill` begins.\n"


def test_what_was_practised_is_counted_by_round_and_fits_into_eighty_columns():
    reviews.record("C03", 1, 3, "drill", seconds=1800, first=80, final=60)
    reviews.record("C03", 1, 3, "mock", seconds=1800, first=60, final=60)
    reviews.record("W01", 1, 3, "code", seconds=3600)
    text = shown()
    assert "questions              1 done, 30 min, mean 60 of 100" in text
    assert "coding tasks           1 done, 1.0 h" in text
    assert "You grant yourself 10 points too much" in text
    assert max(map(len, text.splitlines())) <= 80


def test_who_forgets_a_card_six_times_is_sent_to_the_lesson():
    for _ in range(7):
        reviews.record("C03", 1, 1, "drill")
    assert "C03: read the lesson before the next try" in shown()
