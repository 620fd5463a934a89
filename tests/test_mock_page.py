"""The debrief of a mock interview as a page: what it says, that it is safe and alone, and how a browser shows it."""

import os
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from playwright.sync_api import sync_playwright

import test_browser
from recsys_course.interview import debrief, debrief_page, debrief_summary, mock_state, reviews
from recsys_course.interview.mock_paper import Order, Paper, Part
from recsys_course.interview.outcome import Outcome, PracticeError

NASTY = '<script>document.title = "mine"</script><img src="http://example.com/x.png"> & "q" \'s\' <b>减去'
PARTS = tuple(
    Part("concept", id, 1, level, minutes, (id[0],))
    for id, level, minutes in (("C01", "junior", 5), ("C03", "mid", 7), ("H01", "mid", 5), ("J01", "senior", 6))
)
PAPER = Paper(Order("concept", "mid", 30, 7), PARTS, ("A note <on> the draw.",))
OUTCOMES = (
    Outcome("C01", 90, 140, 0, 95, ()),
    Outcome("C03", 60, 200, 2, 90, ("masks duplicates and says how $q < 1$ is estimated",), ("Plus or minus?",)),
    Outcome("H01", 80, 160, 0, 70, ("names a guardrail",)),
    Outcome("J01", 20, 400, 1, 60, ("names the cost", "says when not")),
)


@pytest.fixture(autouse=True)
def course(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    for name in ("00_start_here.ipynb", "05_retrieval.ipynb"):
        (tmp_path / "notebooks" / name).write_text("{}", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(outcomes=OUTCOMES, started=None):
    """A debrief as `debrief.make` gives it, from what a learner did."""
    sitting = mock_state.begin(PAPER, "both", started)
    for outcome in outcomes:
        sitting.progress = {"lines": [NASTY] if outcome.item == "C03" else []}
        missed = list(range(1, len(outcome.missed) + 1))
        reviews.record(outcome.item, 1, 3, "mock", missed=missed, first=outcome.first, final=outcome.percent)
        sitting.finish_part(outcome)
    return debrief.make(sitting)


class Page(HTMLParser):
    """The text of a page and its tags."""

    def __init__(self, html):
        super().__init__()
        self.texts, self.tags = [], []
        self.feed(html)
        self.text = " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.texts.append(data)

    def count(self, tag):
        return sum(one == tag for one, _ in self.tags)


def page_of(value):
    return Page(debrief_page.render(value))


# --- what it says


def test_points_verdict_level_clock_and_hints_stand_at_the_top():
    text = page_of(found()).text
    # (90 * 5 + 60 * 7 + 80 * 5 + 20 * 6) / 23 = 60.4; mid alone: (60 * 7 + 80 * 5) / 12 = 68.3
    assert "60 of 100 points: mixed at level mid. Level reached: mid." in text and "mid 68 2" in text
    assert "15:00 of 23:00 minutes on the clock, 3 hints." in text


def test_every_part_has_its_points_time_hints_and_the_day_it_comes_back():
    text = page_of(found()).text
    tomorrow = (datetime.now(UTC).astimezone() + timedelta(days=1)).date()
    assert f"C03 question mid 90 60 3:20 7:00 2 1 {tomorrow}" in text


def test_missed_points_open_follow_ups_and_what_comes_back_are_named():
    text = page_of(found()).text
    assert "Back tomorrow: C03, H01, J01." in text
    assert "masks duplicates and says how q < 1 is estimated" in text and "C03: Plus or minus?" in text


def test_the_lessons_to_read_are_those_of_the_weakest_parts_first_and_of_no_strong_one():
    value = found()
    lessons = [name for name, _ in value.read]
    assert value.read[0][1] == "because of J01 (20 points)" and len(lessons) == len(set(lessons)) <= 3
    assert all("C01" not in why for _, why in value.read)
    assert any(name == "lesson 05 (notebooks/05_retrieval.ipynb)" for name in lessons)


def test_the_rules_of_points_verdict_and_level_are_stated_on_the_page():
    text = page_of(found()).text
    assert all(rule in text for rule in debrief.RULES)
    assert "85 or more is a strong hire" in text and "65 to 84 a hire" in text and "40 to 64 mixed" in text


def test_every_figure_has_words_and_a_table_with_its_numbers():
    page = page_of(found())
    figures = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert [one["role"] for one in figures] == ["img", "img"]
    assert "Retrieval and ANN 75, Offline evaluation 80" in figures[0]["aria-label"]
    assert "Calibration curve of 4 answers. You grant yourself" in figures[1]["aria-label"]
    assert page.count("caption") == page.count("table") == 4
    assert "Retrieval and ANN 75" in page.text


def test_the_calibration_is_over_all_reviews_and_not_this_mock_alone():
    reviews.record("A01", 1, 3, "drill", first=90, final=40)
    assert "Calibration curve of 5 answers" in debrief_page.render(found())


def test_two_topics_make_no_radar_of_the_mock_and_the_one_of_all_reviews_stands_in():
    few = OUTCOMES[:2]
    assert "A radar needs three topics or more." in page_of(found(few)).text
    for item in ("A01", "B01", "H01"):
        reviews.record(item, 1, 3, "drill", first=50, final=50)
    assert "Points by topic so far" in debrief_page.render(found(few))


def test_a_mock_that_was_ended_early_says_what_was_not_sat_and_judges_the_rest():
    text = page_of(found(OUTCOMES[:1])).text
    assert "90 of 100 points: strong hire at level mid. Level reached: junior." in text
    assert "Not sat: 3 parts of 4." in text


def test_a_mock_without_any_part_has_a_page_as_well():
    assert "No part was sat." in page_of(found(())).text


def test_an_item_that_has_left_the_bank_is_said_to_have():
    part = Part("concept", "Z99", 1, "mid", 6, ("C",))
    sitting = mock_state.begin(replace(PAPER, parts=(part,)), "both")
    sitting.finish_part(Outcome("Z99", 50, 60.0))
    assert "Z99 (not in the bank any more)" in page_of(debrief.make(sitting)).text


# --- that it is safe and alone


def test_what_the_learner_typed_is_text_and_never_code():
    html = debrief_page.render(found())
    page = Page(html)
    assert page.count("script") == page.count("img") == page.count("b") == 0
    assert NASTY in "".join(page.texts) and "A note <on> the draw." in page.text


def test_nothing_is_fetched_and_the_page_forbids_it_to_itself():
    html = debrief_page.render(found())
    page = Page(html)
    (policy,) = [a["content"] for tag, a in page.tags if tag == "meta" and "http-equiv" in a]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"
    assert not [a for _, a in page.tags if a.keys() & {"src", "href"}]
    assert not re.search(r"@import|url\(", html)


def test_chinese_is_marked_as_chinese_and_headings_go_down_step_by_step():
    page = page_of(found())
    assert ("html", {"lang": "en"}) in page.tags and ("div", {"lang": "zh"}) in page.tags
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1 and all(after - before <= 1 for before, after in pairwise(levels))


def test_the_page_is_in_my_mocks_under_its_day_and_seed_and_replaces_no_other(course):
    value = found(started=datetime(2026, 3, 5, 12, tzinfo=UTC))
    paths = [debrief_page.write(value) for _ in range(2)]
    assert [path.name for path in paths] == ["2026-03-05-7.html", "2026-03-05-7-2.html"]
    assert paths[0].parent == course / "my" / "mocks" and len(list(paths[0].parent.iterdir())) == 2


def test_a_page_that_cannot_be_written_is_said_in_one_sentence(course):
    (course / "my").write_text("a file in the way", encoding="utf-8")
    with pytest.raises(PracticeError, match=r"cannot be written .*--resume` writes the debrief"):
        debrief_page.write(found())


# --- in a browser


@pytest.fixture(scope="module")
def browser():
    if test_browser.CHROMIUM is None:
        missing = "no Chromium on this machine (Debian: apt install chromium)"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    with sync_playwright() as playwright:
        options = test_browser.OPTIONS + test_browser.WITHOUT_NEWS
        browser = playwright.chromium.launch(executable_path=test_browser.CHROMIUM, args=options)
        yield browser
        browser.close()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1100, 390])
def test_a_browser_shows_it_in_light_and_dark_wide_and_narrow(browser, tmp_path, scheme, width):
    path = debrief_page.write(found())
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    assert page.title().startswith("Mock interview of") and said == [] and asked == [path.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    paper, ink = (brightness(page, f"getComputedStyle(document.body).{name}") for name in ("backgroundColor", "color"))
    assert paper - ink > 180 if scheme == "light" else ink - paper > 180
    label = brightness(page, "getComputedStyle(document.querySelector('svg text.label')).fill")
    assert abs(label - paper) > 180
    if folder := os.environ.get("RECSYS_COURSE_PICTURES"):
        page.screenshot(path=f"{folder}/debrief-{scheme}-{width}.png", full_page=True)
    page.close()


def brightness(page, expression):
    """Mean of red, green and blue of a computed colour, 0 to 255."""
    return sum(map(int, re.findall(r"\d+", page.evaluate(expression))[:3])) / 3


# --- the terminal


def test_the_summary_says_the_same_in_eighty_columns(tmp_path):
    from test_mock import Script

    script = Script()
    debrief_summary.show(script.screen, found(), tmp_path / "x.html")
    lines = script.shown.splitlines()
    assert "60 of 100 points: mixed at level mid (4 of 4 parts)." in lines
    assert "  - missed: names a guardrail" in lines and "  - not answered: Plus or minus?" in lines
    assert all(len(line) <= 80 for line in lines if "x.html" not in line)


def test_a_design_is_no_card_and_does_not_come_back():
    part = Part("design", "SD1", 1, "senior", 45, ("A",), form="design")
    reviews.record("SD1", 1, 2, "design", first=50, final=50)
    sitting = mock_state.begin(replace(PAPER, parts=(part,)), "both")
    sitting.finish_part(Outcome("SD1", 50, 60.0))
    (row,) = debrief.make(sitting).rows
    assert row.back is None and "no card" in page_of(debrief.make(sitting)).text
