"""The README says what is there: its table of lessons, its commands and its numbers."""

import re
from pathlib import Path

import pytest

from lesson import lesson_files, read_lesson
from recsys_course import claims

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", lesson_files(ROOT), ids=lambda path: path.stem)
def test_the_table_of_lessons_says_what_the_front_matter_says(path):
    course = read_lesson(path).course
    minutes = course["minutes_read"] + course["minutes_do"]
    link = f"[{path.stem[:2]} {course['title']}](notebooks/{path.stem}.ipynb)"
    assert f"| {link} | {course['builds']} | {minutes} | {course['cpu_seconds']} |" in README


def test_the_table_of_lessons_has_no_lesson_that_is_not_there():
    listed = re.findall(r"\(notebooks/(\w+)\.ipynb\)", README)
    assert listed == [path.stem for path in lesson_files(ROOT)]


def test_the_first_evening_adds_up():
    minutes = [int(number) for number in re.findall(r"^\| (\d+) \| ", README, re.MULTILINE)]
    assert sum(minutes) == 75 and "First evening (75 minutes)".lower() in README.lower()


def test_every_make_target_of_the_readme_exists():
    targets = set(re.findall(r"^([a-z]+): ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"`?make ([a-z]+)", README)) <= targets


def test_every_command_of_the_readme_is_in_the_help(capsys):
    from recsys_course.cli import main

    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    for command in set(re.findall(r"recsys-course ([a-z]+)", README)):
        assert re.search(rf"^\s+{command}\b", text, re.MULTILINE), command


def test_the_numbers_of_the_readme_are_claimed():
    stated = {entry["id"]: entry["text"] for entry in claims.index()}
    proofs = {"0.20": "02.gap-random", "0.14": "02.gap-time", "0.62": "02.circulating-ndcg", "0.36": "02.right-ndcg"}
    for number, id in proofs.items():
        assert number in README and number.rstrip("0") in stated[id]
