"""The glossary: its rules, its page, looking up, and prompts that say the same in both languages."""

import csv
import dataclasses

import pytest

from recsys_course.interview import glossary, glossary_rules, lint
from recsys_course.interview.glossary import COLUMNS, Term, load, look_up, markdown

HERE, _ = lint._load(lint.ROOT)
TERMS = load()
SMALL = [
    Term("retrieval", "召回", ("candidate generation",), (), "the first stage", ("A01",), ("retriev",)),
    Term("recall@k", "召回率", ("recall",), (), "share of the relevant items found", ("H02",), ("recall",)),
    Term("seesaw effect", "跷跷板", (), (), "one task gets better as another gets worse", ("F05",), ()),
]


def test_it_has_the_words_that_a_chinese_interview_is_held_in():
    pairs = {term.chinese: term.english for term in TERMS}
    wanted = {"召回": "retrieval", "粗排": "pre-ranking", "精排": "ranking", "重排": "re-ranking", "穿越": "leakage"}
    wanted |= {
        "跷跷板": "seesaw effect",
        "打散": "spacing",
        "老汤模型": "warm-started baseline",
        "冷启动": "cold start",
    }
    assert wanted.items() <= pairs.items()
    assert len(TERMS) >= 120


def test_the_glossary_keeps_its_rules():
    assert [str(problem) for problem in glossary_rules.problems(HERE) if problem[0].name == glossary.FILE] == []


def test_reviewed_chinese_prompts_say_what_the_english_ones_say():
    found = [(path.stem, message) for path, _, message in glossary_rules.disagreements(HERE, only_reviewed=True)]
    assert found == []


@pytest.mark.parametrize(
    ("text", "english"),
    [
        ("召回", "retrieval"),
        ("Candidate  Generation", "retrieval"),
        ("穿越", "leakage"),
        ("泄漏", "leakage"),
        ("CTR", "click-through rate"),
        ("qps", "queries per second"),
        ("跷跷板效应", "seesaw effect"),
    ],
)
def test_a_word_is_found_by_any_of_its_names_in_either_language(text, english):
    assert [term.english for term in look_up(text)] == [english]


def test_a_part_of_a_name_finds_all_that_contain_it_and_else_the_meaning_counts():
    assert {term.english for term in look_up("towers")} == {"two towers"}
    assert [term.english for term in look_up("first stage", SMALL)] == ["retrieval"]
    assert look_up("quaternion") == look_up("  ") == []


def test_the_page_has_a_row_for_each_term_in_the_order_of_the_alphabet():
    rows = markdown(SMALL).splitlines()
    assert rows[2] == "| **recall@k** (recall) | **召回率** | share of the relevant items found | H02 |"
    assert [row.split("**")[1] for row in rows[2:]] == ["recall@k", "retrieval", "seesaw effect"]
    assert len(markdown().splitlines()) == 2 + len(TERMS)
    assert all(row.count("|") == 5 for row in markdown().splitlines())


@pytest.mark.parametrize(
    ("english", "chinese", "missing"),
    [
        ("How does retrieval work?", "召回怎么做？", []),
        ("How does it work?", "召回怎么做？", ["retrieval"]),
        ("Define recall.", "请定义召回率。", []),  # a longer term hides the shorter one in it
        ("Define it.", "请定义召回率。", ["recall@k"]),
        ("How do tasks hurt each other?", "什么是跷跷板？", []),  # without stems nothing is checked
    ],
)
def test_a_chinese_term_wants_its_english_word(english, chinese, missing):
    assert [term.english for term in glossary_rules.missing_terms(english, chinese, SMALL)] == missing


def test_when_to_choose_is_not_a_candidate():
    assert glossary_rules.missing_terms("When do you choose which?", "什么时候选哪个？", TERMS) == []


def problems(tmp_path, change):
    """What the rules say of the file after one change of its rows."""
    rows = glossary.rows()
    change(rows)
    path = tmp_path / "recsys_course" / "interview" / "bank" / "glossary.csv"
    path.parent.mkdir(parents=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    (tmp_path / "lessons").symlink_to(lint.ROOT / "lessons")
    bank = dataclasses.replace(HERE, root=tmp_path, documents=[])
    return [f"{line}: {message}" for _, line, message in glossary_rules.problems(bank)]


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("chinese", "", "2: retrieval: chinese is empty"),
        ("meaning", "", "2: retrieval: meaning is empty"),
        ("meaning", "It is the first stage.", "2: retrieval: a meaning is one line of at most 110 characters"),
        ("meaning", "long " * 30, "2: retrieval: a meaning is one line of at most 110 characters"),
        ("chinese", "zhaohui", "2: retrieval: zhaohui is not Chinese"),
        ("see", "chapter 5", "2: retrieval: see 'chapter 5' must be like lesson 05 or C03"),
        ("see", "lesson 99", "2: retrieval: there is no lesson 99"),
        ("see", "A99", "2: retrieval: A99 is not a planned question"),
        ("also_english", "leakage", "is also a word for retrieval"),
        ("also_chinese", "穿越", "is also a word for retrieval"),
    ],
)
def test_the_rules_find_what_is_wrong(tmp_path, column, value, message):
    found = problems(tmp_path, lambda rows: rows[0].update({column: value}))
    assert any(message in one for one in found), found


def test_a_line_with_a_comma_too_many_is_found(tmp_path):
    path = tmp_path / "recsys_course" / "interview" / "bank" / "glossary.csv"
    path.parent.mkdir(parents=True)
    path.write_text(",".join(COLUMNS) + "\na,甲,,,one, two,C03,\n", encoding="utf-8")
    bank = dataclasses.replace(HERE, root=tmp_path, documents=[])
    (problem,) = glossary_rules.problems(bank)
    assert problem[1] == 2 and "a comma in a text needs quotes" in problem[2]
