"""The weak answers themselves: the rules that hold them, and the table of what independent graders gave them."""

import shutil
from collections import Counter
from dataclasses import replace

import jsonschema
import pytest

from recsys_course.interview import front_matter, grading_rules, gradings, lint, weak_answer
from recsys_course.interview.bank import BANK, BankError
from recsys_course.interview.outcome import PracticeError

ANSWERS = weak_answer.all_answers()


def test_there_are_twenty_answers_to_twenty_questions_over_topics_and_levels():
    questions = [answer.question for answer in ANSWERS]
    assert len({question.id for question in questions}) == len(ANSWERS) >= 20
    assert len({question.topic for question in questions}) >= 12
    assert set(Counter(question.level for question in questions)) == {"junior", "mid", "senior", "staff"}
    assert sum(bool(question.articles) for question in questions) >= 10


def test_no_two_references_are_all_the_same_so_that_a_guess_does_not_fit():
    assert len({answer.points for answer in ANSWERS}) >= 10
    assert {grade for answer in ANSWERS for grade in answer.grades} == set(weak_answer.SHARES)


def test_the_numbers_of_the_replies_are_right():
    odds = 0.99 / 0.01 * 0.1
    assert (round(0.99 * 0.1, 3), round(odds / (1 + odds), 3)) == (0.099, 0.908)
    assert "It gives 0.099 and should give 0.908" in weak_answer.load("D06").expect
    assert round(1 - 0.99**20, 2) == 0.18 and "About 18 in a hundred" in weak_answer.load("L02").expect
    assert 100_000 * 1_800 * 300 == 54e9 and "54 GB of state" in weak_answer.load("L04").text
    assert round(0.02**2, 6) == 0.0004 and "0.02 becomes 0.0004" in weak_answer.load("F06").expect


def test_the_schema_is_one_that_jsonschema_reads():
    schema = front_matter.load_schema(BANK / "answers" / "schema.json")
    jsonschema.Draft202012Validator.check_schema(schema)
    for path in weak_answer.answer_files():
        jsonschema.validate(weak_answer.read_document(path).meta, schema)


# --- the rules


REAL, _ = lint._load(lint.ROOT)
FILE = BANK / "answers" / "C03-a.md"


def broken(tmp_path, text, name="C03-a.md"):
    folder = tmp_path / "recsys_course" / "interview" / "bank" / "answers"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(FILE.with_name("schema.json"), folder)
    (folder / name).write_text(text, encoding="utf-8")
    return [message for _, _, message in grading_rules.problems(replace(REAL, root=tmp_path))]


def test_the_answers_of_the_bank_have_no_problem():
    assert list(grading_rules.problems(REAL)) == []


GOOD = FILE.read_text(encoding="utf-8")
LONG = "The correction belongs to the training data, not to the user."  # of C03's own answer
BROKEN = {
    "a missing key": ("level_claimed: senior\n", "", "front matter lacks `level_claimed`"),
    "an unknown key": ("id: C03.a\n", "id: C03.a\nhot: true\n", "front matter has an unknown key `hot`"),
    "a level that does not exist": ("claimed: senior", "claimed: god", "`level_claimed` is 'god', not one of"),
    "an id of another file": ("id: C03.a", "id: C03.b", "id C03.b belongs in the file C03-b.md"),
    "an id of another question": ("question: C03", "question: C02", "id C03.a does not begin with its question C02"),
    "no such question": ("question: C03", "question: C99", "there is no question C99"),
    "a changed rubric": ("question_rev: 1", "question_rev: 7", "graded was rev 7: grade it again, change question_rev"),
    "a missing heading": ("## Tell\n", "", "headings must be Answer, 回答, Grades, Tell, in this order"),
    "an unknown heading": ("## Tell\n", "## Notes\nx\n\n## Tell\n", "headings must be Answer, 回答, Grades, Tell"),
    "an empty heading": ("## Tell\n", "## Tell\n\n## Tail\n", "nothing below `## Tell`"),
    "a short answer": (GOOD[GOOD.index("We score") : GOOD.index("One weakness")], "", "not 80 to 200"),
    "a short Chinese answer": (GOOD[GOOD.index("一个 batch") : GOOD.index("还有一个弱点")], "", "not 120 to 500"),
    "a status that is too good": (
        GOOD[GOOD.index("## 回答") : GOOD.index("## Grades")],
        "",
        "zh_status is reviewed, but",
    ),
    "a status that is too bad": (
        "zh_status: reviewed",
        "zh_status: missing",
        "there is a Chinese answer: call it draft",
    ),
    "a grade that is none": ("- 1: met", "- 1: good", "is not of the form `- 1: met|half|missed"),
    "a grade without a reason": (" | says: The sign is plus", "", "is not of the form `- 1: met|half|missed"),
    "a grade too few": (GOOD[GOOD.index("- 5: met") : GOOD.index("\n## Tell")], "", "4 grades for 5 rubric points"),
    "a grade out of order": ("- 5: met", "- 6: met", "5 grades for 5 rubric points: one for each, numbered"),
    "an answer that is not weak": ("- 2: missed", "- 2: met", "the answer earns 85 points: a weak one has at most 70"),
    "a tell without its question": ("- ask: Two", "- Two", "`## Tell` needs 3 lines"),
    "a sentence nobody said": ("- sentence: popular", "- sentence: rare", "the sentence is not in the answer"),
    "a number without proof": (
        " plain score [test",
        " plain score of 17 %. It is it [opinion] [tset",
        "17 has no proof",
    ),
    "a proof that does not exist": (
        "[test: C03.signs]",
        "[test: C03.never]",
        "[test: C03.never] is not in claims.json",
    ),
    "a sentence of the bank": ("Forget\nit, and the head", f"{LONG} Forget\nit, and the head", "also stands in C03-"),
    "an open formula": ("skew of that kind", "$skew of that kind", "is not closed"),
}


@pytest.mark.parametrize(("old", "new", "message"), BROKEN.values(), ids=BROKEN)
def test_a_rule_catches(old, new, message, tmp_path):
    assert GOOD.count(old) == 1, f"{old!r} must be there once"
    assert any(message in problem for problem in broken(tmp_path, GOOD.replace(old, new)))


def test_a_sentence_of_another_answer_is_caught_and_an_unreadable_file_named(tmp_path):
    assert broken(tmp_path, GOOD) == []
    twin = GOOD.replace("C03.a", "C03.b")
    assert any("also stands in C03-a.md" in problem for problem in broken(tmp_path, twin, "C03-b.md"))
    assert any("front matter is missing" in problem for problem in broken(tmp_path, "x", "C03-c.md"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("- 1: met", "- 1: good", "wrong form"),
        ("- ask:", "- asks:", "wrong form"),
        (GOOD[GOOD.index("- 5: met") : GOOD.index("\n## Tell")], "", "4 grades for 5 rubric points"),
    ],
)
def test_a_file_of_the_wrong_form_is_not_read(old, new, message, tmp_path, monkeypatch):
    broken(tmp_path, GOOD.replace(old, new))
    bank = tmp_path / "recsys_course" / "interview" / "bank"
    shutil.copytree(BANK / "questions" / "C", bank / "questions" / "C")
    monkeypatch.setattr(weak_answer, "BANK", bank)
    with pytest.raises(PracticeError, match=message):
        weak_answer.load("C03")


# --- the table of gradings


C03 = weak_answer.load("C03.a")
ANSWER = replace(  # reference: 20 + 0 + 15 / 2 + 0 + 20 = 47.5
    C03,
    question=replace(C03.question, rubric=((20, "why"), (25, "sign"), (15, "serving"), (20, "masks"), (20, "limit"))),
    grades=("met", "missed", "half", "missed", "met"),
)


def table(tmp_path, *rows, header="answer,grader,point,grade,points"):
    path = tmp_path / "gradings.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def rows(grader, *given):
    worth = [points for points, _ in ANSWER.question.rubric]
    points = [weak_answer.SHARES[grade] * worth for grade, worth in zip(given, worth, strict=True)]
    return [f"C03.a,{grader},{n},{grade},{p:g}" for n, (grade, p) in enumerate(zip(given, points, strict=True), 1)]


SAME = rows("g1", "met", "missed", "half", "missed", "met")  # 47.5


def found(tmp_path, *lines):
    return list(gradings.disagreements(gradings.read(table(tmp_path, *lines)), [ANSWER]))


def test_graders_that_agree_within_ten_points_agree(tmp_path):
    other = rows("g2", "met", "missed", "half", "half", "met")  # 57.5: ten points more
    assert found(tmp_path, *SAME, *other) == []
    assert gradings.read(table(tmp_path, *SAME))[0].points == (20, 0, 7.5, 0, 20)


def test_graders_that_are_more_than_ten_points_apart_are_named(tmp_path):
    low = rows("g1", "met", "missed", "missed", "missed", "met")
    high = rows("g2", "met", "half", "missed", "missed", "met")
    assert found(tmp_path, *low, *high) == ["C03.a: the graders are more than 10 points apart: g1 40, g2 52.5"]


def test_a_reference_that_is_more_than_ten_points_from_a_grader_is_named(tmp_path):
    high = [rows(name, "met", "half", "half", "missed", "met") for name in ("g1", "g2")]  # 60
    (message,) = found(tmp_path, *high[0], *high[1])
    assert message == "C03.a: the reference, 47.5, is more than 10 points from a grader: g1 60, g2 60"


def test_a_table_of_another_rubric_of_another_answer_or_of_one_grader_is_noticed(tmp_path):
    stale = [row.replace(",20", ",25") for row in SAME]
    assert found(tmp_path, *stale) == ["C03.a: the points of g1 are not those of its rubric"]
    assert found(tmp_path, *SAME[:4], *rows("g2", *ANSWER.grades)) == [
        "C03.a: the points of g1 are not those of its rubric"
    ]
    assert found(tmp_path, *[row.replace("half", "good") for row in SAME])[0].endswith("not those of its rubric")
    assert found(tmp_path, *[row.replace("C03", "Z99") for row in SAME]) == ["Z99.a is no weak answer"]
    assert found(tmp_path, *SAME) == ["C03.a was graded once only"]


@pytest.mark.parametrize(
    ("lines", "more", "message"),
    [
        (SAME, {"header": "answer,point"}, "the header must be answer,grader,point,grade,points"),
        (SAME[1:], {}, "2: point 2, expected 1"),
        ([SAME[0], SAME[0]], {}, "3: point 1, expected 2"),
        (["C03.a,g1,1,met,many"], {}, "points must be numbers"),
        (["C03.a,g1,1,met"], {}, "points must be numbers"),
    ],
)
def test_a_table_that_cannot_be_read_says_where(lines, more, message, tmp_path):
    with pytest.raises(BankError, match=message):
        gradings.read(table(tmp_path, *lines, **more))


def test_without_a_table_that_is_said(tmp_path):
    with pytest.raises(BankError, match="there is no table"):
        gradings.read(tmp_path / "gradings.csv")


def test_independent_graders_agree_with_each_other_and_with_the_reference():
    committed = gradings.read()
    assert list(gradings.disagreements(committed, ANSWERS)) == []
    assert len({grading.answer for grading in committed}) >= 5
