"""The journal of reviews and the schedule computed from it: nothing is lost, and every date can be recomputed."""

import json
import random
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_course import journal, progress
from recsys_course.interview import reviews, schedule
from recsys_course.interview.reviews import AGAIN, EASY, GOOD, HARD, Review
from recsys_course.interview.schedule import Due, Item

MORNING = datetime(2026, 3, 2, 8, tzinfo=UTC)
A01, B01, W08 = Item("A01", rev=1), Item("B01", rev=1), Item("W08", rev=1, is_task=True)


@pytest.fixture(autouse=True)
def in_utc(monkeypatch):
    live_in(monkeypatch, "UTC")
    yield
    monkeypatch.undo()
    time.tzset()


def live_in(monkeypatch, zone):
    if not hasattr(time, "tzset"):
        pytest.skip("Windows takes the zone from its settings alone")
    monkeypatch.setenv("TZ", zone)
    time.tzset()


def days(count):
    return timedelta(days=count)


def review(item="A01", rating=GOOD, after=0.0, **more):
    """One review, ``after`` days after the morning."""
    return Review(item, more.pop("rev", 1), MORNING + days(after), rating, **more)


def due_after(*ratings):
    """Days from each review to the next due date, when every review is made on its due date."""
    found, at = [], MORNING
    done = []
    for rating in ratings:
        done.append(Review("A01", 1, at, rating))
        due = schedule.replay(done)["A01"].due
        found.append((due - at).days)
        at = due
    return found


# --- the journal


def test_a_review_comes_back_as_it_was_recorded():
    reviews.record("A01", 2, GOOD, "drill", seconds=95.5, missed=[2, 4], first=80, final=65)
    (found,) = reviews.read()
    assert (found.item, found.rev, found.rating, found.mode) == ("A01", 2, GOOD, "drill")
    assert (found.seconds, found.missed, found.first, found.final) == (95.5, (2, 4), 80, 65)
    assert found.time.tzinfo is UTC


@pytest.mark.parametrize(("rating", "mode"), [(0, "drill"), (5, "drill"), (3, "dream")])
def test_a_rating_or_a_mode_that_does_not_exist_is_refused(rating, mode):
    with pytest.raises(ValueError, match="a review is rated"):
        reviews.record("A01", 1, rating, mode)
    assert reviews.read() == []


@pytest.mark.parametrize(
    "change",
    [{"rating": 9}, {"rating": None}, {"time": "yesterday"}, {"time": "2026-03-02T08:00:00"}, {"rev": "x"}],
)
def test_an_event_that_is_no_review_is_skipped(change):
    good = {"time": MORNING.isoformat(), "item": "A01", "rev": 1, "rating": 3}
    assert len(reviews.read([good])) == 1
    assert reviews.read([good | change]) == []


def test_a_review_written_in_another_zone_is_the_same_moment():
    (found,) = reviews.read([{"time": "2026-03-02T16:00:00+08:00", "item": "A01", "rev": 1, "rating": 3}])
    assert found.time == MORNING


def test_lessons_and_reviews_move_in_one_file_and_merging_twice_changes_nothing(tmp_path, monkeypatch):
    both = (progress.JOURNAL, reviews.JOURNAL)
    progress.record("02.recall", "passed")
    reviews.record("A01", 1, GOOD, "drill")
    assert journal.export(both, tmp_path / "moved.jsonl") == 2
    monkeypatch.setenv("RECSYS_COURSE_STATE", str(tmp_path / "other"))
    reviews.record("B01", 1, AGAIN, "drill")
    assert journal.merge(both, tmp_path / "moved.jsonl") == 2
    assert journal.merge(both, tmp_path / "moved.jsonl") == 0
    assert [one.item for one in reviews.read()] == ["A01", "B01"]
    assert [event["exercise"] for event in progress.events()] == ["02.recall"]


def test_two_processes_write_reviews_at_once_and_lose_none():
    code = "from recsys_course.interview import reviews\nfor n in range(50): reviews.record('A01', 1, 3, 'drill', n=n)"
    writers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert len(reviews.read()) == 100


def test_a_torn_last_line_costs_only_itself():
    reviews.record("A01", 1, GOOD, "drill")
    with open(reviews.JOURNAL.path, "ab") as file:
        file.write(b'{"time": "2026-')
    reviews.record("B01", 1, GOOD, "drill")
    assert [one.item for one in reviews.read()] == ["A01", "B01"]


def test_the_interview_is_the_day_set_last_and_can_be_forgotten():
    assert reviews.interview_day() is None
    reviews.set_interview(date(2026, 3, 20))
    reviews.set_interview(date(2026, 3, 23))
    assert reviews.interview_day() == date(2026, 3, 23)
    assert reviews.read() == []
    reviews.set_interview(None)
    assert reviews.interview_day() is None


@pytest.mark.parametrize(
    ("share", "in_time", "rating"),
    [
        (0.39, True, 1),
        (0.4, True, 2),
        (0.64, True, 2),
        (0.65, True, 3),
        (0.84, True, 3),
        (0.85, True, 4),
        (1, False, 3),
    ],
)
def test_the_evidence_rates(share, in_time, rating):
    assert reviews.rate(share, in_time) == rating


# --- the schedule


@pytest.mark.parametrize(("rating", "expected"), [(AGAIN, 1), (HARD, 1), (GOOD, 2), (EASY, 8)])
def test_the_first_review_decides_when_the_second_comes(rating, expected):
    assert due_after(rating) == [expected]


def test_golden_sequences():
    assert due_after(GOOD, GOOD, GOOD, GOOD) == [2, 11, 46, 163]
    assert due_after(GOOD, GOOD, AGAIN, GOOD) == [2, 11, 2, 5]


def test_no_card_waits_longer_than_a_year():
    assert max(due_after(*[EASY] * 8)) == 365


@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from((1, 2, 3, 4)), st.sampled_from("AB")), max_size=12))
def test_replaying_one_by_one_is_replaying_all(steps):
    done, at = [], 0
    for gap, rating, item in steps:
        at += gap
        done.append(review(item, rating, after=at))
    whole = schedule.replay(done)
    assert whole == schedule.replay(list(done))
    for item in whole:
        assert whole[item] == schedule.replay([one for one in done if one.item == item])[item]


@given(st.permutations(range(6)))
def test_machines_merged_in_any_order_give_the_same_dates(order):
    events = [{"time": (MORNING + days(n)).isoformat(), "item": "A01", "rev": 1, "rating": 1 + n % 4} for n in range(6)]
    assert schedule.replay(reviews.read([events[n] for n in order])) == schedule.replay(reviews.read(events))


def test_a_clock_that_goes_back_loses_nothing():
    standing = schedule.replay([review(after=10), review(after=3, rating=EASY)])["A01"]
    assert standing.last == MORNING + days(10)
    assert standing.due > MORNING + days(10)


def test_a_review_dated_by_a_clock_that_was_ahead_waits_for_its_day_and_the_card_is_asked_again():
    ahead = review(after=400)
    assert [due.why for due in schedule.today([A01], [ahead], MORNING)] == [schedule.NEW]
    assert schedule.today([A01], [review(rating=EASY), ahead], MORNING + days(2)) == []
    assert schedule.today([A01], [ahead], MORNING + days(401)) == []


def test_a_new_card_is_new_until_it_is_reviewed_and_due_when_its_time_comes():
    assert schedule.today([A01], [], MORNING) == [Due(A01, schedule.NEW)]
    assert schedule.today([A01], [review()], MORNING + days(1)) == []
    (due,) = schedule.today([A01], [review()], MORNING + days(2))
    assert (due.item, due.why) == (A01, schedule.DUE)


def test_missed_points_come_back_the_next_morning_and_only_once():
    done = [review(rating=EASY, missed=(2,))]
    assert schedule.today([A01], done, MORNING + timedelta(hours=12)) == []
    (due,) = schedule.today([A01], done, MORNING + timedelta(hours=17))
    assert (due.why, due.standing.missed) == (schedule.POINTS, (2,))
    done.append(review(mode="points", after=1))
    assert schedule.today([A01], done, MORNING + days(2)) == []
    (due,) = schedule.today([A01], done, MORNING + days(8))
    assert due.why == schedule.DUE  # what FSRS said on the first day still holds


def test_an_answer_that_changed_is_asked_again_once():
    newer = Item("A01", rev=2)
    (due,) = schedule.today([newer], [review(rating=EASY)], MORNING + days(1))
    assert due.why == schedule.CHANGED
    done = [review(rating=EASY), review(rating=EASY, rev=2, after=1)]
    assert schedule.today([newer], done, MORNING + days(2)) == []


def test_a_task_comes_back_after_a_week_unless_it_failed():
    assert schedule.replay([review("W08", GOOD, mode="code")])["W08"].due == MORNING + days(7)
    assert schedule.replay([review("W08", AGAIN, mode="code")])["W08"].due == MORNING + days(1)


def test_six_lapses_make_a_leech_and_a_first_failure_is_none():
    assert schedule.replay([review(rating=AGAIN)])["A01"].lapses == 0
    done = [review(rating=AGAIN, after=n) for n in range(7)]
    assert schedule.replay(done[:6])["A01"].is_leech is False
    assert schedule.replay(done)["A01"].is_leech is True


def test_six_new_cards_and_sixty_others_a_day_and_those_of_this_morning_count():
    items = [Item(f"A{n:02}", 1) for n in range(100)]
    assert len(schedule.today(items, [], MORNING)) == schedule.NEW_A_DAY == 6
    met = [review(f"A{n:02}", after=0.01 * n) for n in range(4)]
    assert len(schedule.today(items, met, MORNING + timedelta(hours=2))) == 2
    old = [review(f"A{n:02}", after=-30) for n in range(100)]
    assert len(schedule.today(items, old, MORNING)) == schedule.REVIEWS_A_DAY == 60
    again = [*old, *(review(f"A{n:02}") for n in range(10))]
    assert len(schedule.today(items, again, MORNING + timedelta(hours=1))) == 50


def test_of_todays_reviews_the_first_meetings_do_not_count_against_the_cap_of_the_others():
    items = [Item(f"A{n:02}", 1) for n in range(8)]
    done = [review(f"A{n:02}", after=-30) for n in range(6)]
    done += [review(name, after=0.01) for name in ("A00", "A01", "A06", "A07")]
    found = schedule.today(items, done, MORNING + days(0.1), reviews_a_day=3)
    assert len(found) == 1


def test_the_heavier_and_the_more_forgotten_come_first():
    heavy, light, fresh = Item("A01", 1, weight=3), Item("B01", 1), Item("C01", 1)
    done = [review("A01"), review("B01"), review("C01", after=1)]
    found = schedule.today([light, fresh, heavy], done, MORNING + days(4))
    assert [due.item for due in found] == [heavy, light, fresh]
    assert [due.item.id for due in schedule.today([light, heavy], [], MORNING)] == ["A01", "B01"]


def test_an_interview_brings_every_card_once_more_in_its_last_week():
    done = [review(rating=EASY, after=-20), review(rating=EASY, after=-12)]
    interview = date(2026, 3, 5)
    assert schedule.replay(done)["A01"].due > MORNING + days(4)
    assert schedule.today([A01], done, MORNING) == []
    (due,) = schedule.today([A01], done, MORNING, interview=interview)
    assert due.why == schedule.DUE
    assert schedule.today([A01], [*done, review(rating=EASY)], MORNING + days(1), interview=interview) == []
    assert schedule.today([A01], done, MORNING + days(4), interview=interview) == []  # it is over


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Shanghai", "Pacific/Apia"])
@pytest.mark.parametrize("day", ["2026-03-28", "2026-10-24", "2026-03-07", "2026-10-31", "2028-02-28"])
def test_a_day_ends_at_local_midnight_also_when_clocks_change(zone, day, monkeypatch):
    live_in(monkeypatch, zone)
    evening = datetime.fromisoformat(f"{day}T22:30:00").astimezone(UTC)
    morning = schedule.next_day(evening)
    assert schedule.local_day(morning) == schedule.local_day(evening) + days(1)
    assert schedule.local_day(morning - timedelta(seconds=1)) == schedule.local_day(evening)
    assert (morning.astimezone().hour, morning.astimezone().minute) == (0, 0)


def test_a_hundred_thousand_reviews_are_read_and_replayed_within_three_seconds():
    draw = random.Random(1)
    journal.folder().mkdir(parents=True)
    with open(reviews.JOURNAL.path, "w", encoding="ascii") as file:
        for n in range(100_000):
            event = {"item": f"A{draw.randrange(300):03}", "rating": draw.choice((1, 2, 3, 3, 3, 4)), "rev": 1}
            at = MORNING + timedelta(minutes=n)
            file.write(json.dumps(event | {"time": at.isoformat(), "mode": "drill", "seconds": 60}) + "\n")
    start = time.process_time()
    standings = schedule.replay(reviews.read())
    assert time.process_time() - start < 3
    assert len(standings) == 300


def test_the_schedule_needs_no_torch():
    code = "import sys, recsys_course.interview.schedule; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
