"""The practice's pictures: shapes where the numbers say, words for who cannot see them."""

import re
from xml.etree import ElementTree

import pytest

from recsys_course.interview import figures

NAMESPACE = "{http://www.w3.org/2000/svg}"


def drawn(svg: str, kind: str) -> list[ElementTree.Element]:
    return [element for element in ElementTree.fromstring(svg).iter() if element.get("class") == kind]


def points(polygon: ElementTree.Element) -> list[tuple[float, float]]:
    return [tuple(map(float, pair.split(","))) for pair in polygon.get("points").split()]


def test_the_radars_first_topic_is_straight_up_as_far_from_the_middle_as_its_percent():
    area = drawn(figures.radar({"A": 100, "B": 0, "C": 50, "D": 25}, "Known", "alt"), "area")
    middle_x, middle_y = 360, 300
    assert points(area[0]) == [
        (middle_x, middle_y - 175),
        (middle_x, middle_y),
        (middle_x, middle_y + 87.5),
        (middle_x - 43.8, middle_y),
    ]


def test_the_radar_names_every_topic_with_its_percent_and_says_in_words_what_it_shows():
    svg = figures.radar({"A & B": 12.6, "C": 50, "D": 1}, "Known <by topic>", 'says "this"')
    texts = [element.text for element in ElementTree.fromstring(svg).iter(f"{NAMESPACE}text")]
    assert {"A & B 13", "C 50", "D 1"} <= set(texts)
    root = ElementTree.fromstring(svg)
    assert root.get("aria-label") == 'says "this"' and root.get("role") == "img"
    assert root.find(f"{NAMESPACE}title").text == "Known <by topic>"


def test_long_names_of_topics_are_broken_into_lines_that_stay_in_the_picture():
    names = [f"a topic whose name is as long as the longest {number}" for number in range(16)]
    svg = figures.radar(dict.fromkeys(names, 50), "t", "a")
    labels = [e for e in ElementTree.fromstring(svg).iter(f"{NAMESPACE}text") if e.get("class") == "label"]
    for label in labels:
        width = 7 * len(label.text)  # of a letter at this size, generously
        x, anchor = float(label.get("x")), label.get("text-anchor")
        left = {"start": x, "middle": x - width / 2, "end": x - width}[anchor]
        assert left >= -20 and left + width <= figures.WIDTH + 20


@pytest.mark.parametrize("values", [{"A": 1, "B": 2}, {"A": 1, "B": 2, "C": 101}, {"A": 1, "B": 2, "C": -1}])
def test_a_radar_without_an_area_or_with_a_number_that_is_no_percent_is_refused(values):
    with pytest.raises(ValueError, match="three topics or more with percents"):
        figures.radar(values, "t", "a")


def test_the_calibration_has_a_point_for_each_answer_and_a_square_for_the_mean_of_each_bin():
    svg = figures.calibration([(50, 30), (60, 50), (100, 90)], "t", "a")
    dots = [(float(dot.get("cx")), float(dot.get("cy"))) for dot in drawn(svg, "dot")]
    assert dots == [(360, 350), (400, 270), (560, 110)]
    assert [(float(e.get("x")) + 6, float(e.get("y")) + 6) for e in drawn(svg, "mean")] == [(380, 310), (560, 110)]
    assert len(drawn(svg, "curve")) == 1 and len(drawn(svg, "equal")) == 1


def test_the_table_beside_the_curve_holds_the_same_means():
    assert figures.calibration_table([(39, 10), (40, 20), (64, 40), (100, 90)]) == [
        (39, 10, 1),
        (52, 30, 2),
        (100, 90, 1),
    ]


def test_without_answers_there_is_no_curve():
    with pytest.raises(ValueError, match="graded twice"):
        figures.calibration([], "t", "a")


def test_both_pictures_follow_the_readers_colours_and_load_nothing():
    for svg in (figures.radar({"A": 1, "B": 2, "C": 3}, "t", "a"), figures.calibration([(1, 2)], "t", "a")):
        assert "currentColor" in svg and not re.search(r"(href|src|url)\W", svg)
