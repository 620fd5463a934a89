"""The draw of a mock interview: what a paper depends on, and what holds for every paper."""

import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from recsys_course.interview.bank import LEVELS
from recsys_course.interview.mock_paper import FREE, KINDS, REST, History, Order, Part, draw
from recsys_course.interview.outcome import PracticeError

NOW = datetime(2026, 3, 20, 8, tzinfo=UTC)
TOPICS = "ABCDEFGH"


def part(id, level="mid", minutes=6, topics=None, reported=False, kind="concept", form="concept"):
    return Part(kind, id, 1, level, minutes, tuple(topics or id[0]), reported, form)


def order(level="mid", minutes=45, seed=7, round="concept"):
    return Order(round, level, minutes, seed)


def ids(paper):
    return [one.id for one in paper.parts]


def days_ago(days):
    return NOW - timedelta(days=days)


PLENTY = [part(f"{topic}{level[0]}{n}", level) for topic in TOPICS for level in LEVELS for n in range(4)]
GOLDEN = ["Aj2", "Gm3", "Dm3", "Fm3", "Bm3", "Cm2", "Es2"]  # seed 7
LOOP = [
    *PLENTY,
    *(part(f"W{n}", minutes=20 + 5 * n, kind="coding", form="coding", topics="C") for n in range(4)),
    *(part(f"X{n}", minutes=10 + n, kind="debug", form="debug", topics="D") for n in range(4)),
    *(part(f"SD{n}", "senior", minutes=40 + 5 * n, kind="design", form="design", topics="E") for n in range(3)),
]

some_parts = st.builds(
    part,
    id=st.builds("{}{}".format, st.sampled_from(TOPICS), st.integers(1, 30)),
    level=st.sampled_from(LEVELS),
    minutes=st.integers(4, 10),
    reported=st.booleans(),
    form=st.sampled_from(["concept", "concept", "design", "product"]),
)
some_pools = st.lists(some_parts, min_size=1, max_size=40, unique_by=lambda one: one.id)
some_orders = st.builds(order, st.sampled_from(LEVELS), st.integers(10, 90), st.integers())


@st.composite
def some_draws(draw_):
    pool = draw_(some_pools)
    shown = draw_(st.dictionaries(st.sampled_from([one.id for one in pool]), st.integers(0, 40).map(days_ago)))
    coverage = draw_(st.dictionaries(st.sampled_from(TOPICS), st.floats(0, 1)))
    return pool, History(coverage, shown), draw_(some_orders)


def paper_of(pool, history, wanted, now=NOW):
    try:
        return draw(pool, history, wanted, now)
    except PracticeError:
        assume(False)


# --- what a paper depends on


@given(some_draws(), st.randoms())
def test_the_same_seed_bank_and_history_give_the_same_paper_in_whatever_order_the_files_come(sample, chance):
    pool, history, wanted = sample
    paper = paper_of(pool, history, wanted)
    shuffled = pool[:]
    chance.shuffle(shuffled)
    assert draw(shuffled, history, wanted, NOW) == paper


def test_the_global_random_numbers_are_neither_used_nor_moved():
    random.seed(1)
    state = random.getstate()
    first = draw(PLENTY, History(), order(), NOW)
    assert random.getstate() == state
    random.seed(2)
    assert draw(PLENTY, History(), order(), NOW) == first


def test_a_paper_drawn_today_is_the_one_that_every_machine_draws():
    assert ids(draw(PLENTY, History(), order(seed=7), NOW)) == ids(draw(PLENTY, History(), order(seed=7), days_ago(9)))
    assert ids(draw(PLENTY, History(), order(seed=7), NOW)) == GOLDEN


def test_other_seeds_give_other_papers():
    papers = {tuple(ids(draw(PLENTY, History(), order(seed=seed), NOW))) for seed in range(50)}
    assert len(papers) == 50


@given(some_draws())
def test_texts_and_revisions_change_nothing(sample):
    pool, history, wanted = sample
    newer = [replace(one, rev=one.rev + 1) for one in pool]
    assert ids(draw_or_none(newer, history, wanted)) == ids(draw_or_none(pool, history, wanted))


@given(some_draws(), st.data())
def test_an_item_that_is_not_drawn_can_leave_the_bank_and_the_paper_stays(sample, data):
    pool, history, wanted = sample
    paper = paper_of(pool, history, wanted)
    others = [one for one in pool if one not in paper.parts]
    assume(others)
    left = data.draw(st.sampled_from(others))
    assert draw([one for one in pool if one != left], history, wanted, NOW).parts == paper.parts


def draw_or_none(pool, history, wanted):
    try:
        return draw(pool, history, wanted, NOW)
    except PracticeError:
        return draw([part("A1")], History(), order(), NOW)


# --- what holds for every paper


@given(some_draws())
def test_a_paper_fits_into_the_minutes_and_asks_nothing_twice(sample):
    paper = paper_of(*sample)
    assert 0 < paper.minutes <= sample[2].minutes
    assert len(set(ids(paper))) == len(paper.parts)


@given(some_draws())
def test_a_paper_ends_only_where_nothing_new_near_the_level_fits(sample):
    pool, history, wanted = sample
    paper = paper_of(pool, history, wanted)
    room = wanted.minutes - paper.minutes
    left = [one for one in pool if one not in paper.parts and one.minutes <= room and is_near(one, wanted)]
    assert not [one for one in left if not is_recent(one, history)]
    assert room < FREE or not left


@given(some_draws())
def test_what_was_in_a_mock_in_the_last_14_days_comes_only_where_nothing_else_near_the_level_is_left(sample):
    pool, history, wanted = sample
    paper = paper_of(pool, history, wanted)
    repeated = [one for one in paper.parts if is_recent(one, history)]
    assert bool(repeated) == any("was in no mock for 14 days" in note for note in paper.notes)
    assert all(one.id in "".join(paper.notes) for one in repeated)
    for one in repeated:
        room = wanted.minutes - paper.minutes + one.minutes
        fresh = (two for two in pool if two not in paper.parts and not is_recent(two, history))
        assert not [two for two in fresh if is_near(two, wanted) and two.minutes <= min(room, one.minutes)]


@given(some_draws())
def test_of_what_is_repeated_the_oldest_comes_first(sample):
    pool, history, wanted = sample
    paper = paper_of(pool, history, wanted)
    repeated = [one for one in paper.parts if is_recent(one, history) and is_near(one, wanted)]
    room = wanted.minutes - paper.minutes
    for one in repeated:
        left = [two for two in pool if two not in paper.parts and is_near(two, wanted) and is_recent(two, history)]
        older = [two for two in left if history.shown[two.id] < history.shown[one.id]]
        assert all(two.minutes > room + one.minutes for two in older)


@given(some_orders)
def test_with_enough_of_the_level_wanted_one_question_is_below_one_above_and_the_others_are_of_it(wanted):
    paper = draw(PLENTY, History(), wanted, NOW)
    ranks = Counter(LEVELS.index(one.level) - LEVELS.index(wanted.level) for one in paper.parts)
    places = len(paper.parts)
    below, above = wanted.level != "junior" and places >= 3, wanted.level != "staff" and places >= 5
    assert ranks == Counter({-1: below, 0: places - below - above, 1: above})
    assert paper.notes == ()
    assert [LEVELS.index(one.level) for one in paper.parts] == sorted(LEVELS.index(one.level) for one in paper.parts)


@given(st.integers(), st.sampled_from(LEVELS))
def test_no_topic_comes_twice_while_another_is_left(seed, level):
    paper = draw(PLENTY, History(), order(level, 6 * len(TOPICS), seed), NOW)
    assert Counter(one.topics for one in paper.parts) == Counter((letter,) for letter in TOPICS)


@given(st.integers(), st.sets(st.sampled_from(TOPICS), min_size=1, max_size=7))
def test_what_was_practised_least_comes_first(seed, known):
    coverage = dict.fromkeys(known, 0.5)
    new = set(TOPICS) - known
    paper = draw(PLENTY, History(coverage, {}), order(minutes=6 * len(new), seed=seed), NOW)
    assert {one.topics[0] for one in paper.parts} == new


def test_what_is_reported_comes_up_twice_as_often():
    pool = [part("A1"), part("A2", reported=True)]
    first = Counter(ids(draw(pool, History(), order(minutes=6, seed=seed), NOW))[0] for seed in range(3000))
    assert 1.8 < first["A2"] / first["A1"] < 2.2


@given(st.integers(), st.sampled_from(LEVELS), st.integers(1, 12))
def test_at_most_a_third_are_of_another_form_while_plain_questions_are_left(seed, level, places):
    odd = [part(f"{topic}p{n}", level, form="product", reported=True) for topic in TOPICS for n in range(9)]
    paper = draw(PLENTY + odd, History(), order(level, 6 * places, seed), NOW)
    assert 3 * sum(one.form != "concept" for one in paper.parts) <= len(paper.parts) == places


def test_other_forms_come_up_and_stand_in_where_plain_questions_are_not_left():
    odd = [part(f"{topic}p", form="product") for topic in TOPICS]
    papers = [draw(PLENTY + odd, History(), order(seed=seed), NOW) for seed in range(20)]
    assert any(one.form == "product" for paper in papers for one in paper.parts)
    assert len(draw(odd, History(), order(minutes=18), NOW).parts) == 3


# --- the border


def test_the_fourteenth_day_is_over_after_fourteen_times_24_hours():
    pool = [part("A1"), part("A2")]
    for seed in range(20):
        recent = draw(pool, History({}, {"A1": NOW - REST + timedelta(seconds=1)}), order(minutes=6, seed=seed), NOW)
        assert ids(recent) == ["A2"]
    over = {ids(draw(pool, History({}, {"A1": NOW - REST}), order(minutes=6, seed=s), NOW))[0] for s in range(20)}
    assert over == {"A1", "A2"}


def test_where_all_were_asked_the_oldest_comes_again_and_the_paper_says_so():
    shown = {"A1": days_ago(2), "B1": days_ago(9), "C1": days_ago(5)}
    paper = draw([part("A1"), part("B1"), part("C1")], History({}, shown), order(minutes=6), NOW)
    assert ids(paper) == ["B1"]
    assert paper.notes == ("Not enough is left that was in no mock for 14 days: B1 came before.",)


def test_a_paper_rather_ends_ten_minutes_early_than_repeats():
    pool, shown = [part("A1"), part("B1")], {"B1": days_ago(1)}
    assert ids(draw(pool, History({}, shown), order(minutes=15), NOW)) == ["A1"]
    assert ids(draw(pool, History({}, shown), order(minutes=16), NOW)) == ["A1", "B1"]


def test_where_a_level_has_run_out_the_nearest_stands_in_and_the_paper_says_so():
    paper = draw([part("A1", "staff"), part("B1", "senior")], History(), order("staff", 20), NOW)
    assert ids(paper) == ["B1", "A1"]
    assert paper.notes == ("Too little of level staff is left or fits; the nearest instead: B1 (senior).",)


def test_a_loop_has_every_round_in_its_order_and_at_most_three_questions():
    for seed in range(30):
        paper = draw(LOOP, History(), order("mid", 120, seed, "loop"), NOW)
        kinds = [one.kind for one in paper.parts]
        assert kinds == sorted(kinds, key=KINDS.index) and paper.minutes <= 120
        assert {kind: kinds.count(kind) for kind in KINDS} == {
            "concept": kinds.count("concept"),
            "coding": 1,
            "debug": 1,
            "design": 1,
        }
        assert 1 <= kinds.count("concept") <= 3


def test_the_shortest_loop_that_fits_is_drawn_and_one_minute_less_is_refused():
    paper = draw(LOOP, History(), order("mid", 76, round="loop"), NOW)
    assert ids(paper)[1:] == ["W0", "X0", "SD0"] and paper.minutes == 76
    with pytest.raises(PracticeError, match="a loop at level mid takes at least 76 minutes, got 75"):
        draw(LOOP, History(), order("mid", 75, round="loop"), NOW)


@pytest.mark.parametrize(
    ("pool", "round", "message"),
    [
        ([part("A1")], "concept", "no question fits in 5 minutes, the shortest takes 6"),
        ([part("A1")], "coding", "the bank has no coding task yet"),
        ([part("A1")], "loop", "the bank has no coding task yet"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_sentence(pool, round, message):
    with pytest.raises(PracticeError, match=message):
        draw(pool, History(), order(minutes=5, round=round), NOW)


def is_near(one, wanted):
    return abs(LEVELS.index(one.level) - LEVELS.index(wanted.level)) <= 1


def is_recent(one, history):
    return one.id in history.shown and NOW - history.shown[one.id] < REST
