"""Packets: no answer for the candidate, everything for the interviewer, and a file that is whole or not there."""

import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from recsys_course.interview import bank, coding, debugging, designs, drill, packet
from recsys_course.interview.coding_result import PARTS
from recsys_course.interview.outcome import PracticeError
from recsys_course.interview.packet_pages import REVIEW_PARTS
from recsys_course.interview.proofs import MARK

QUESTIONS, TASKS = bank.all_questions(), coding.all_tasks()
C03, W08 = bank.load_question("C03"), coding.load("W08")


def plain(markdown: str) -> str:
    """Letters without proof marks, small print, emphasis and spaces, to find a sentence of the bank in a page."""
    text = re.sub(r"<small>.*?</small>", "", MARK.sub("", bank.file_names(markdown)))
    return re.sub(r"[\s*\\]", "", text)


def holds(page: str, text: str) -> bool:
    return plain(text) in plain(page)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.id)
def test_a_candidate_sees_no_answer_and_an_interviewer_sees_all(question):
    candidate, interviewer = (packet.render(question.id, role) for role in packet.ROLES)
    answers = [text for _, text in question.answers]
    follow_ups = [text for one in question.follow_ups for text in (one.trigger, one.ask, one.expect)]
    rubric = [text for _, text in question.rubric]
    for text in (question.key_insight, *answers, *follow_ups, *rubric, *question.hints, *question.wrong_answers):
        assert not holds(candidate, text), text
        assert holds(interviewer, text), text
    for page in (candidate, interviewer):
        assert holds(page, question.prompt) and holds(page, question.prompt_zh)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.id)
def test_a_coding_task_has_statement_and_starter_for_one_and_the_reference_for_the_other(task):
    candidate, interviewer = (packet.render(task.id, role) for role in packet.ROLES)
    for page in (candidate, interviewer):
        assert task.prompt in page and task.prompt_zh in page and task.examples in page and task.starter.strip() in page
    for text in (*(edge.says for edge in task.edges), *(text for probe in task.probes for text in probe)):
        assert not holds(candidate, text) and holds(interviewer, text), text
    assert task.reference.strip() in interviewer and task.reference.strip() not in candidate
    assert f"### Complexity\n\n{task.complexity}" in interviewer
    assert f"Complexity · 复杂度\n\n{task.complexity}" not in candidate


@pytest.mark.parametrize("task", debugging.all_tasks(), ids=lambda task: task.id)
def test_a_debugging_task_has_the_report_for_one_and_the_explanation_for_the_other(task):
    candidate, interviewer = (packet.render(task.id, role) for role in packet.ROLES)
    assert holds(candidate, task.title) and holds(interviewer, task.title)
    for text in (task.explanation, *task.hints, *(text for _, text in task.mechanism)):
        assert not holds(candidate, text) and holds(interviewer, text), text
    assert "| line | blocker, major or minor | why |" in candidate
    assert all(f"| {title} | {most} | ____ |" in interviewer for title, most in REVIEW_PARTS)


@pytest.mark.parametrize("design", designs.all_designs(), ids=lambda design: design.id)
def test_a_design_has_the_prompt_for_one_and_what_can_fail_for_the_other(design):
    candidate, interviewer = (packet.render(design.id, role) for role in packet.ROLES)
    assert holds(candidate, design.prompt) and holds(interviewer, design.prompt)
    for one in design.failures:
        assert one.failure not in candidate and holds(interviewer, design.fill(one.failure))


def test_the_script_goes_as_an_interview_goes():
    page = packet.render("C03", "interviewer")
    order = ("Explain in-batch", "Clock", "Hints, in", "Follow-ups, by", "What to expect", "Commonly said", "Scoring")
    places = [page.index(text) for text in order]
    assert places == sorted(places)
    assert "each costs 10 points" in page and drill.HINT_COSTS == 10
    assert "- 3.5 min: the answer is over\n- 7 min: the follow-ups are over" in page


def test_the_sheet_has_the_weights_of_the_rubric_and_boxes():
    page = packet.render("C03", "interviewer")
    rows = re.findall(r"^\| (\d+) \| .* \| ☐ \| ☐ \| ☐ \|$", page, re.MULTILINE)
    assert [int(points) for points in rows] == [points for points, _ in C03.rubric]
    assert "______ of 100" in page
    assert [sum(most for _, most in parts) for parts in (PARTS, REVIEW_PARTS)] == [100, 100]


def test_a_bar_in_a_rubric_does_not_end_its_cell(monkeypatch):
    barred = replace(C03, rubric=((60, "writes a | b"), (40, "writes $|x|$")))
    monkeypatch.setattr(bank, "load_question", lambda _: barred)
    page = packet.render("C03", "interviewer")
    assert "| 60 | writes a \\| b | ☐ |" in page and "| 40 | writes $\\vert x\\vert $ | ☐ |" in page


@pytest.mark.parametrize(("language", "english", "chinese"), [("en", True, False), ("zh", False, True)])
def test_the_prompts_and_the_headlines_come_in_the_language_wanted(language, english, chinese):
    page = packet.render("C03,W08", "candidate", language)
    assert ("Explain in-batch softmax" in page, "请讲讲批内 softmax" in page) == (english, chinese)
    assert ("### Your answer" in page, "### 你的回答" in page) == (english, chinese)
    assert ("A batch has B rows" in page, "实现双塔召回" in page) == (english, chinese)


def test_a_packet_has_each_item_once_in_the_order_wanted_and_the_sum_of_the_minutes():
    page = packet.render("w08, C03,W08", "candidate", "en")
    assert re.findall(r"^## (\w+)", page, re.MULTILINE) == ["W08", "C03"]
    assert f"W08, C03: {25 + 7} min in all" in page
    assert packet.render(["W08", "C03"], "candidate", "en") == page


def test_headlines_are_one_level_down_and_comments_in_code_are_left_alone(monkeypatch):
    task = replace(W08, prompt="Write it.\n\n# A headline", examples="# a comment\n>>> 1\n1")
    monkeypatch.setattr(coding, "load", lambda _: task)
    for role in packet.ROLES:
        lines = packet.render("W08", role).splitlines()
        assert [line for line in lines if line.startswith("# ")] == [lines[0], "# a comment"]
        assert "## A headline" in lines and "### Examples" in "\n".join(lines)


def test_no_link_leads_to_a_file_that_a_packet_does_not_have():
    page = packet.render([one.id for one in QUESTIONS], "interviewer")
    assert "](/" not in page and "`notebooks/05_retrieval.ipynb`" in page
    assert "[test:" not in page and "[claim:" not in page and "[source:" not in page


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ("", r"no id was given: name questions, tasks or designs, such as C03,W08,X16,SD1"),
        ("C99", r"there is no question 'C99': topic C has C01, C02"),
        ("W99", r"there is no coding task 'W99': there are W01, W02"),
        ("X99", r"there is no debugging task 'X99': there are X0"),
        ("SD99", r"there is no design 'SD99'"),
        ("C03,hello", r"there is no 'HELLO': ids are such as C03, W08, X16 and SD1, and questions begin with A, B"),
        ("../C03", r"there is no '\.\./C03'"),
    ],
)
def test_an_id_that_there_is_none_of_is_said_in_one_sentence(ids, message):
    with pytest.raises(PracticeError, match=message):
        packet.render(ids)


def test_a_role_that_there_is_none_of_is_said():
    with pytest.raises(PracticeError, match="a packet is for a candidate or an interviewer, got 'judge'"):
        packet.render("C03", "judge")


def test_a_file_is_written_whole_and_the_sentence_says_what(tmp_path):
    said = packet.export("C03,W08", tmp_path / "paper.md", "interviewer", "en")
    assert said == "paper.md: C03, W08 for the interviewer, 32 min."
    written = (tmp_path / "paper.md").read_bytes().decode()
    assert written == packet.render("C03,W08", "interviewer", "en") and "\r" not in written


def test_a_file_that_cannot_be_written_leaves_the_old_one_and_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "paper.md").write_text("old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(PracticeError, match=r"paper\.md cannot be written \(No space left on device\)"):
        packet.export("C03", tmp_path / "paper.md")
    assert [one.name for one in tmp_path.iterdir()] == ["paper.md"] and (tmp_path / "paper.md").read_text() == "old"


def command(*arguments):
    line = [sys.executable, "-m", "recsys_course.cli", "more", "export-packet", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, encoding="utf-8", timeout=60)


def test_the_command_writes_a_packet(tmp_path):
    result = command("C03", tmp_path / "paper.md", "--role", "candidate", "--lang", "zh")
    assert (result.returncode, result.stdout) == (0, "paper.md: C03 for the candidate, 7 min.\n")
    assert "请讲讲批内 softmax" in (tmp_path / "paper.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("ids", "name"), [("C99", "paper.md"), ("C03", "missing/paper.md")])
def test_the_command_says_what_is_wrong_in_one_line(tmp_path, ids, name):
    result = command(ids, tmp_path / name)
    assert result.returncode == 1 and len(result.stderr.splitlines()) == 1 and "Traceback" not in result.stderr
