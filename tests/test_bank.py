"""The bank's format, its rendering and its linter: each rule sees one good question broken in one way."""

import json
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest
import yaml

from recsys_course.interview import front_matter
from recsys_course.interview.bank import (
    BANK,
    BankError,
    all_questions,
    answer_markdown,
    load_question,
    prompt_markdown,
    read_question,
)
from recsys_course.interview.lint import ROOT, coverage, lint
from recsys_course.interview.proofs import sentences, show_marks, unproved

GOOD = """\
---
id: H02
rev: 1
topic: H
round: concept
level: mid
minutes: 5
reported: true
articles: [004-Q6]
requires: [H01]
tags: [metrics, top-k]
sources: ["Herlocker et al. 2004, TOIS, evaluating collaborative filtering"]
verified_by: tests/claims/test_h02.py
zh_status: draft
---
## Prompt
Define precision@k and recall@k.

## 题目
定义 Precision@K 与 Recall@K。

## Key insight
Both count hits; they differ in $|R|$ against $k$ [definition].

## Answer by level
### Junior
Count the hits. A list with 3 hits in 10 places has precision 0.3 [definition].

### Mid
Also say what happens without a relevant item. Leaving such users out raised recall by 12 % [claim: 02.left-out].

### Senior
The average over users is not the average over hits. [test: H02.averages] It hides heavy users [opinion].

## Follow-ups
- if: the answer omits empty users | ask: What about $|R| = 0$? | expect: Undefined, so counted and left out.

## Common wrong answers
- "Recall is hits / k": that is precision.

## Rubric
- 30: both denominators
- 30: users without a relevant item
- 20: lists shorter than k
- 20: the average is over users

## Hints
- Count the hits.
- Which list is the denominator?
- What if $|R| = 0$?

## Related
- [the words](/docs/words.md), H01
"""
NAME = "recsys_course/interview/bank/questions/H/H02-precision.md"


def project(folder: Path, text: str = GOOD, name: str = NAME) -> Path:
    """A project that holds the bank's tables, one question and what it points at."""
    bank = folder / "recsys_course/interview/bank"
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    for table in ("schema.json", "topics.yaml", "articles.yaml"):
        text_of_table = (BANK / table).read_text(encoding="utf-8").replace(", done: true", "")
        (bank / table).write_text(text_of_table, encoding="utf-8")
    for file in ("docs/words.md", "tests/claims/test_h02.py"):
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).touch()
    claims = [{"id": "02.left-out"}, {"id": "H02.averages"}]
    (folder / "recsys_course/claims.json").write_text(json.dumps(claims))
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def replaced(old: str, new: str) -> str:
    assert GOOD.count(old) == 1, f"{old!r} must be in the fixture once"
    return GOOD.replace(old, new)


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def test_the_good_question_has_no_problem(tmp_path):
    assert lint(project(tmp_path)) == []


BROKEN = {
    "a missing key": ("rev: 1\n", "", "---", "front matter lacks `rev`"),
    "an unknown key": ("rev: 1", "rev: 1\nhot: true", "hot:", "front matter has an unknown key `hot`"),
    "a value outside its list": ("round: concept", "round: chat", "round:", "`round` is 'chat', not one of concept,"),
    "too many minutes": ("minutes: 5", "minutes: 90", "minutes:", "`minutes` is 90, outside 1 to 45"),
    "no as a tag": ("[metrics, top-k]", "[metrics, no]", "tags:", "`tags`, entry 2, must be a string, got bool False"),
    "a number as a tag": ("[metrics, top-k]", "[007]", "tags:", "`tags`, entry 1, must be a string, got int 7"),
    "a date as a source": (
        '["Herlocker et al. 2004, TOIS, evaluating collaborative filtering"]',
        "[2004-01-31]",
        "sources:",
        "(YAML reads 2024-01-31 as a date: put it in quotes)",
    ),
    "yes as a number": ("rev: 1", "rev: yes", "rev:", "`rev` must be an integer, got bool True"),
    "an article by its number": ("[004-Q6]", "[4]", "articles:", "`articles`, entry 1, must be a string, got int 4"),
    "another topic": ("topic: H", "topic: C", "topic:", "topic C is not that of id H02"),
    "an unplanned requirement": ("[H01]", "[H77]", "requires:", "requires H77, which is not a planned question"),
    "an article that is answered elsewhere": ("[004-Q6]", "[004-Q5]", "articles:", "articles names 004-Q5, but"),
    "a missing test": ("test_h02.py", "test_h03.py", "verified_by:", "tests/claims/test_h03.py, which does not exist"),
    "a missing heading": ("## Related\n", "## Relatd\n", None, "heading `## Related` is missing"),
    "an empty section": ("Define precision@k and recall@k.", "", "## Prompt", "nothing below `## Prompt`"),
    "a prompt without Chinese": ("定义 Precision@K 与 Recall@K。", "Define it.", "## 题目", "no Chinese character"),
    "a Chinese prompt called missing": ("zh_status: draft", "zh_status: missing", "zh_status:", "call it draft"),
    "a long key insight": ("Both count hits;", "Both " + "do " * 60 + ";", "## Key", "key insight has 69 words"),
    "an answer below its level": ("level: mid", "level: staff", "## Answer", "no answer at the question's own level"),
    "levels out of order": (
        "### Junior",
        "### Staff",
        "## Answer",
        "levels must be some of junior, mid, senior, staff",
    ),
    "an empty answer": (
        "The average over users is not the average over hits. [test: H02.averages] It hides heavy users [opinion].",
        "",
        "## Answer",
        "nothing below `### Senior`",
    ),
    "a copied answer": (
        "Also say what",
        "Count the hits. A list with 3 hits in 10 places has precision 0.3 [definition]. Also say what",
        "### Mid",
        "the mid answer repeats the junior answer word for word",
    ),
    "no trigger": ("- if: the answer omits", "- when: the answer omits", "- when:", "line of `## Follow-ups` is not"),
    "four follow-ups": (
        "- if: the answer omits",
        "- if: a | ask: b | expect: c\n" * 3 + "- if: the answer omits",
        "## Follow-ups",
        "`## Follow-ups` has 4 lines `- if: ... | ask: ... | expect: ...`, not 1 to 3",
    ),
    "points that miss 100": ("- 20: lists", "- 25: lists", "## Rubric", "the points of the rubric sum to 105, not 100"),
    "three rubric lines": (
        "- 20: lists shorter than k\n- 20:",
        "- 40:",
        "## Rubric",
        "`## Rubric` has 3 lines `- 30: ...`, not 4",
    ),
    "two hints": ("- Count the hits.\n", "", "## Hints", "`## Hints` has 2 lines `- ...`, not 3"),
    "wrong answers in prose": ('- "Recall is', '"Recall is', "## Common", "`## Common wrong answers` has 0 lines"),
    "a number without proof": (
        "by 12 % [claim: 02.left-out]",
        "by 12 %",
        "Also say",
        "12 has no proof: add [claim: id], [test: id], [source: n], [definition] or [opinion]",
    ),
    "an unknown claim": ("02.left-out]", "02.gone]", "Also say", "[claim: 02.gone] is not in claims.json"),
    "an unknown test": ("H02.averages]", "H02.gone]", "The average", "[test: H02.gone] is not in claims.json"),
    "an unknown source": ("[opinion]", "[source: 2]", "The average", "[source: 2] is none of the 1 entries of sources"),
    "an open formula": ("$|R|$ against", "$|R| against", "## Key", "a `$` below `## Key insight` is not closed"),
    "a picture from the network": (
        "recall@k.\n",
        "recall@k. ![x](https://x.org/x.png)\n",
        "Define",
        "picture from the network: https://x.org/x.png",
    ),
    "a dead link": ("docs/words", "docs/gone", "- [the", "link to /docs/gone.md, which does not exist"),
    "a link from the file": (
        "(/docs",
        "(../docs",
        "- [the",
        "link to ../docs/words.md: write it from the top of the project, /docs/words.md",
    ),
}


ALSO_BREAKS_ANOTHER_RULE = {
    "an article by its number",
    "a missing heading",
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_linter_sees(tmp_path, name):
    old, new, where, message = BROKEN[name]
    text = replaced(old, new)
    found = [str(problem) for problem in lint(project(tmp_path, text))]
    line = line_of(text, where) if where else 1
    assert any(problem.startswith(f"{NAME}:{line}: ") and message in problem for problem in found), found
    assert len(found) == (2 if name in ALSO_BREAKS_ANOTHER_RULE else 1), found


def test_the_linter_sees_an_id_that_is_not_the_files_name(tmp_path):
    name = NAME.replace("/H/H02", "/C/C02")
    found = [problem.message for problem in lint(project(tmp_path, name=name))]
    assert found == [
        "id H02 belongs in the folder H, not in C",
        "id H02 does not begin the file's name C02-precision.md",
    ]


def test_the_linter_sees_an_id_beyond_the_plan(tmp_path):
    text = GOOD.replace("id: H02", "id: H99").replace("[004-Q6]", "[]")
    found = [problem.message for problem in lint(project(tmp_path, text, NAME.replace("H02", "H99")))]
    assert found == ["id H99 is beyond the 11 questions planned in topics.yaml"]


def second_question(folder: Path, text: str, name: str = NAME.replace("H02-", "H03-")) -> list[str]:
    (project(folder) / name).write_text(text, encoding="utf-8")
    return [str(problem) for problem in lint(folder)]


OTHER = (
    GOOD.replace("id: H02", "id: H03")
    .replace("Both count hits;", "Hits are counted;")
    .replace("[004-Q6]", "[]")
    .replace("Leaving such users out raised recall by 12 %", "Nothing here is said twice")
    .replace("A list with 3 hits in 10 places has precision 0.3", "Something else entirely")
    .replace("The average over users is not the average over hits.", "A mean of means.")
    .replace("Also say what happens without a relevant item.", "Be brief.")
    .replace("| ask: What about $|R| = 0$? | expect:", "| ask: Why? | expect: Because. ")
)


def test_the_linter_sees_a_sentence_of_another_question(tmp_path):
    copied = OTHER.replace("Be brief.", "Leaving such users out raised recall\nby 12 % [definition].")
    found = second_question(tmp_path, copied)
    assert len(found) == 1
    line = line_of(copied, "Leaving such users")
    assert f"H03-precision.md:{line}: this sentence also stands in H02-precision.md: leaving such users out" in found[0]


def test_the_linter_sees_a_circle_of_requirements(tmp_path):
    circle = OTHER.replace("requires: [H01]", "requires: [H03]")
    assert [message.partition(": ")[2] for message in second_question(tmp_path, circle)] == [
        "H03 requires itself, through others"
    ]


def test_the_linter_sees_two_files_with_one_id(tmp_path):
    found = second_question(tmp_path, OTHER.replace("id: H03", "id: H02"), NAME.replace("precision", "recall"))
    assert [message.partition(": ")[2] for message in found] == ["id H02 is also that of H02-precision.md"]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("# no front matter\n", 1, "front matter is missing"),
        ("", 1, "front matter is missing"),
        (replaced("rev: 1", "rev: [1"), 4, "front matter is not YAML"),
        (replaced("## Hints", "## Rubric"), line_of(GOOD, "## Hints"), "second heading `## Rubric`"),
    ],
)
def test_the_linter_reports_a_file_that_cannot_be_read(tmp_path, text, line, message):
    (problem,) = lint(project(tmp_path, text))
    assert (problem.path, problem.line) == (NAME, line)
    assert problem.message.startswith(message)


def test_coverage_is_information_until_an_article_question_is_done(tmp_path):
    project(tmp_path)
    assert coverage(tmp_path).startswith("1 of 150 questions, 1 of 32 article questions answered; open: 000-Q1, ")
    articles = tmp_path / "recsys_course/interview/bank/articles.yaml"
    text = articles.read_text(encoding="utf-8")
    articles.write_text(text.replace("questions: [J01]}", "questions: [J01], done: true}"), encoding="utf-8")
    assert [problem.message for problem in lint(tmp_path)] == ["000-Q1 is answered by none of J01"]


def test_a_complete_bank_answers_every_article_question(tmp_path):
    assert len(lint(project(tmp_path), complete=True)) == 31


def test_every_article_question_has_a_planned_answer():
    articles = yaml.safe_load((BANK / "articles.yaml").read_text(encoding="utf-8"))
    topics = yaml.safe_load((BANK / "topics.yaml").read_text(encoding="utf-8"))
    assert len({entry["id"] for entry in articles}) == 32
    assert all(entry["questions"] for entry in articles)
    assert sum(topic["planned"] for topic in topics) == 150


@pytest.mark.parametrize(
    "text",
    ["recall@10 of H06 in 2020", "top 10, k = 20", "zero or 1", "`x = 3`", "$2^{r} - 1$", "Word2Vec, p99", "lesson 02"],
)
def test_a_name_a_year_or_a_formula_is_not_a_number_to_prove(text):
    assert sentences([(1, text)])[0].numbers == []


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("4.6 times", ["4.6"]), ("$0.154$", ["0.154"]), ("10^8 items", ["10", "8"]), ("2 % of 1.5 s", ["2", "1.5"])],
)
def test_a_measured_number_is_one_to_prove(text, numbers):
    assert sentences([(1, text)])[0].numbers == numbers


def test_a_mark_belongs_to_the_sentence_before_it_and_lines_are_counted():
    lines = [(7, "The first holds e.g. here. [claim: a.b] The"), (8, "second. The third"), (9, "- an entry [opinion]")]
    found = [(s.line, s.text, s.marks) for s in sentences(lines)]
    assert found == [
        (7, "The first holds e.g. here [claim: a.b].", [("claim", "a.b")]),
        (7, "The second.", []),
        (8, "The third", []),
        (9, "- an entry [opinion]", [("opinion", "")]),
    ]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("Take 10 items. It finds 3 [test: H06.x].", []),
        ("It finds 3 [test: H06.x]. That is 30 %.", ["30"]),
        ("Take 10 items. That is few [opinion].", ["10"]),
        ("Take 10 items [definition]. It finds 3. It is few [opinion].", ["3"]),
        ("Take 10 items.\n\nIt finds 3 [test: H06.x].", ["10"]),
        ("- Take 10 items.\n- It finds 3 [test: H06.x].", ["10"]),
        ("It falls from 0.2 to\n0.1 or by\n-0.1 [test: H06.x].", []),
    ],
)
def test_a_proof_holds_back_to_the_mark_before_it_within_its_paragraph(text, numbers):
    assert [number for _, number in unproved(sentences(enumerate(text.split("\n"), 1)))] == numbers


def test_marks_become_small_print():
    assert show_marks("It rises [claim: 02.x] [source: 1].") == (
        "It rises <small>(proved by 02.x)</small> <small>[1]</small>."
    )
    assert show_marks("One is one [definition]. So it is [opinion].") == (
        "One is one. So it is <small>(our opinion)</small>."
    )


def test_a_question_is_read_into_a_record(tmp_path):
    bank = project(tmp_path) / "recsys_course/interview/bank"
    question = load_question("H02", bank)
    assert (question.id, question.level, question.minutes, question.articles) == ("H02", "mid", 5, ("004-Q6",))
    assert [level for level, _ in question.answers] == ["junior", "mid", "senior"]
    assert question.follow_ups[0].ask == "What about $|R| = 0$?"
    assert question.rubric[1] == (30, "users without a relevant item")
    assert all_questions(bank) == [question]


def test_a_heading_in_a_block_of_code_is_code(tmp_path):
    text = replaced("Count the hits. A", "```python\n## Hints\nhits.sum()\n```\n\nCount the hits. A")
    assert "## Hints" in dict(read_question(project(tmp_path, text) / NAME).answers)["junior"]


def test_the_prompt_shows_both_languages_and_no_answer(tmp_path):
    text = prompt_markdown(read_question(project(tmp_path) / NAME))
    assert text.startswith("#### Question H02 · mid · 5 min\n\nDefine precision@k")
    assert "定义 Precision@K" in text
    assert "Count the hits" not in text


def test_the_answer_shows_levels_follow_ups_rubric_and_folded_hints(tmp_path):
    text = answer_markdown(read_question(project(tmp_path) / NAME))
    assert "**Mid answer.** Also say what happens" in text
    assert "- If the answer omits empty users: *What about $|R| = 0$?* Undefined, so counted" in text
    assert "| 30 | both denominators |" in text
    assert "<details><summary>Three hints</summary>\n\n1. Count the hits." in text
    assert "[claim:" not in text


def test_a_bar_in_a_rubric_does_not_end_its_table_cell(tmp_path):
    text = replaced("both denominators", "$|R|$ or k | nothing")
    answer = answer_markdown(read_question(project(tmp_path, text) / NAME))
    assert r"| 30 | $\vert R\vert $ or k \| nothing |" in answer


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("- 30: both", "- thirty: both", "line of `## Rubric` has the wrong form: 'thirty: both denominators'"),
        ("## Hints", "## Tips", "heading `## Hints` is missing"),
        ("rev: 1\n", "", "front matter: missing 1 required positional argument: 'rev'"),
    ],
)
def test_a_broken_question_is_refused_by_name(tmp_path, old, new, message):
    with pytest.raises(BankError, match=r"H02-precision.md:[0-9]+: ") as error:
        read_question(project(tmp_path, replaced(old, new)) / NAME)
    assert message in str(error.value)


def test_an_unknown_question_is_refused_by_name():
    with pytest.raises(BankError, match="no question 'Z99'"):
        load_question("Z99")


def test_the_schema_check_agrees_with_jsonschema():
    schema = json.loads((BANK / "schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    good = yaml.safe_load(GOOD.split("---")[1])
    metas = [good, {k: v for k, v in good.items() if k != "rev"}, {**good, "more": 1}, {**good, "verified_by": []}]
    for key in good:
        metas += [{**good, key: value} for value in (True, 0, 99, "", "no!", [], ["A01"], [1], None, {})]
    for meta in metas:
        ours = bool(list(front_matter.problems(meta, schema)))
        assert ours == (not validator.is_valid(meta)), meta


def test_reading_the_bank_does_not_import_torch():
    code = "import sys, recsys_course.interview.lint; assert not {'torch', 'pandas', 'jsonschema'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_124_questions_are_read_in_three_seconds(tmp_path):
    project(tmp_path)
    for code, planned in (("A", 6), ("B", 8), ("J", 15), *((c, 9) for c in "CEHKL"), ("I", 10)):
        folder = tmp_path / f"recsys_course/interview/bank/questions/{code}"
        folder.mkdir(exist_ok=True)
        for number in range(1, planned + 1):
            text = GOOD.replace("id: H02", f"id: {code}{number:02}")
            (folder / f"{code}{number:02}-x.md").write_text(text, encoding="utf-8")
    start = time.process_time()
    assert lint(tmp_path)
    assert time.process_time() - start < 3


def test_the_bank_of_the_course_has_questions_and_no_problem():
    assert all_questions(), "the bank is empty"
    assert [str(problem) for problem in lint(ROOT)] == []
