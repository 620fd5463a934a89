"""The deck for Anki: opened as what it is, a zip with a SQLite file, and held to rows that are committed."""

import html
import json
import os
import re
import sqlite3
import subprocess
import sys
import warnings
import zipfile
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys_course.interview import anki, bank
from recsys_course.interview.anki_html import to_html, to_text
from recsys_course.interview.outcome import PracticeError

GOLDEN = Path(__file__).parent / "golden" / "anki.json"
CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"
DAY = date(2026, 1, 1)  # 1,767,225,600 seconds since 1970, UTC
QUESTIONS = bank.all_questions()
PLAIN = replace(
    bank.load_question("C03"),
    id="A01",
    topic="A",
    level="mid",
    minutes=5,
    round="concept",
    reported=True,
    tags=("softmax", "two words"),
    sources=("Yi et al. 2019, RecSys",),
    prompt="Which *sign* does $\\log q$ get?",
    prompt_zh="log Q 取什么\n符号？",
    key_insight="**Minus** [test: C03.signs]. I would say so [opinion].",
    answers=(("junior", "Popular items [source: 1]."), ("mid", "- one\n- two, `q < p`"), ("senior", "Estimate q.")),
    wrong_answers=('"Plus": no.',),
    related="- [lesson 05](/notebooks/05_retrieval.ipynb)",
)
HOSTILE = replace(
    PLAIN,
    id="B01",
    topic="B",
    level="junior",
    reported=False,
    tags=(),
    sources=(),
    prompt="Is {{Insight}} < 3 & {{c1::x}} <b>bold</b>?",
    prompt_zh="",
    key_insight="$$\\frac{a_{i}}{b_{j}} < \\sqrt{c^{d}}$$",
    answers=(("junior", "| a | b |\n| --- | ---: |\n| $x_{1}$ | `y` |"),),
    wrong_answers=("<script>alert(1)</script>",),
    related="- B02",
)


def collection(path: Path) -> dict:
    """What is in a deck, table by table."""
    with zipfile.ZipFile(path) as file:
        assert sorted(file.namelist()) == ["collection.anki2", "media"] and json.loads(file.read("media")) == {}
        content = file.read("collection.anki2")
    database = path.with_suffix(".anki2")
    database.write_bytes(content)
    with closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        (models, decks) = connection.execute("SELECT models, decks FROM col").fetchone()
        tables = {name: connection.execute(f"SELECT * FROM {name} ORDER BY id") for name in ("notes", "cards")}
        rows = {name: [dict(row) for row in found] for name, found in tables.items()}
    names = {int(number): deck["name"] for number, deck in json.loads(decks).items()}
    return {"models": json.loads(models), "decks": names, **rows}


def exported(path: Path, questions=None, lang="both", released=DAY) -> dict:
    with pytest.MonkeyPatch.context() as patch:
        if questions is not None:
            patch.setattr(bank, "all_questions", lambda: list(questions))
        anki.export(path, lang, released)
    return collection(path)


def by_name(note: dict) -> dict[str, str]:
    return dict(zip(anki.FIELDS, note["flds"].split("\x1f"), strict=True))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The whole bank, in both languages."""
    return exported(tmp_path_factory.mktemp("anki") / "deck.apkg")


def test_the_rows_are_those_that_are_committed(tmp_path):
    found = exported(tmp_path / "deck.apkg", [PLAIN, HOSTILE])
    (model,) = found["models"].values()
    rows = {
        "model": {"id": model["id"], "name": model["name"], "mod": model["mod"], "req": model["req"]},
        "fields": [field["name"] for field in model["flds"]],
        "templates": [[one["name"], one["qfmt"], one["afmt"]] for one in model["tmpls"]],
        "decks": {str(number): name for number, name in found["decks"].items()},
        "notes": [
            {**{key: note[key] for key in ("id", "guid", "mid", "mod", "tags", "sfld")}, "fields": by_name(note)}
            for note in found["notes"]
        ],
        "cards": [
            [card[key] for key in ("id", "nid", "did", "ord", "mod", "type", "queue")] for card in found["cards"]
        ],
    }
    assert rows == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_every_question_is_there_once_and_has_a_card_for_each_language(whole):
    assert len(QUESTIONS) >= 107
    assert sorted(note["sfld"] for note in whole["notes"]) == [question.id for question in QUESTIONS]
    chinese = sum(bool(question.prompt_zh) for question in QUESTIONS)
    assert [card["ord"] for card in whole["cards"]].count(0) == len(QUESTIONS)
    assert [card["ord"] for card in whole["cards"]].count(1) == chinese


@pytest.mark.parametrize(("lang", "cards"), [("en", [0, 0]), ("zh", [1, 0]), ("both", [0, 1, 0])])
def test_cards_by_language_where_one_question_has_no_chinese_prompt(tmp_path, lang, cards):
    found = exported(tmp_path / "deck.apkg", [PLAIN, HOSTILE], lang)
    assert [card["ord"] for card in found["cards"]] == cards


def test_without_a_chinese_prompt_zh_falls_back_to_the_english_one_with_a_mark(tmp_path):
    first, second = exported(tmp_path / "deck.apkg", [PLAIN, HOSTILE], "zh")["notes"]
    assert (by_name(first)["Prompt"], by_name(first)["PromptZh"]) == ("", "<p>log Q 取什么符号？</p>")
    assert by_name(second)["PromptZh"] == ""
    assert "Is " in by_name(second)["Prompt"] and "(no Chinese prompt yet)" in by_name(second)["Prompt"]


def test_no_card_is_empty_in_any_language(tmp_path):
    for lang in ("en", "zh", "both"):
        found = exported(tmp_path / f"{lang}.apkg", lang=lang)
        fields = {note["id"]: by_name(note) for note in found["notes"]}
        assert {card["nid"] for card in found["cards"]} == set(fields)
        assert all(fields[card["nid"]][("Prompt", "PromptZh")[card["ord"]]] for card in found["cards"])


def test_a_card_lies_in_the_deck_of_its_topic_below_that_of_the_course(whole):
    topics = {note["id"]: note["sfld"][0] for note in whole["notes"]}
    for card in whole["cards"]:
        letter = topics[card["nid"]]
        assert card["did"] == anki.PARENT_ID + 1 + "ABCDEFGHIJKLMNOP".index(letter)
        assert whole["decks"][card["did"]].startswith(f"{anki.DECK_NAME}::{letter} ")
    assert whole["decks"][anki.PARENT_ID] == anki.DECK_NAME


def test_a_later_release_of_an_edited_question_updates_the_note_that_is_there(tmp_path):
    edited = replace(PLAIN, rev=2, prompt="Plus or minus?", prompt_zh="加还是减？")
    old = exported(tmp_path / "old.apkg", [PLAIN, HOSTILE], released=date(2026, 1, 1))
    new = exported(tmp_path / "new.apkg", [HOSTILE, edited], released=date(2026, 1, 2))
    notes = [{note["sfld"]: note for note in deck["notes"]} for deck in (old, new)]
    for name in ("A01", "B01"):
        before, after = (by_id[name] for by_id in notes)
        assert (before["guid"], before["mid"]) == (after["guid"], after["mid"])
        assert after["mod"] == before["mod"] + 24 * 3600
    assert by_name(notes[1]["A01"])["Prompt"] == "<p>Plus or minus?</p>"
    models = [next(iter(deck["models"].values())) for deck in (old, new)]
    for part, key in (("flds", "name"), ("tmpls", "name"), ("tmpls", "qfmt")):
        assert [one[key] for one in models[0][part]] == [one[key] for one in models[1][part]]
    assert models[0]["id"] == models[1]["id"] and models[0]["mod"] < models[1]["mod"]
    assert old["decks"] == new["decks"]


def test_guids_are_all_different_and_do_not_depend_on_the_language(tmp_path, whole):
    english = exported(tmp_path / "en.apkg", lang="en")
    guids = [note["guid"] for note in whole["notes"]]
    assert len(set(guids)) == len(guids) and [note["guid"] for note in english["notes"]] == guids
    assert next(note["guid"] for note in whole["notes"] if note["sfld"] == "C03") == "eSbD&#F=s7"


def test_the_same_questions_and_release_give_the_same_bytes(tmp_path):
    for name in ("a.apkg", "b.apkg"):
        anki.export(tmp_path / name)
    assert (tmp_path / "a.apkg").read_bytes() == (tmp_path / "b.apkg").read_bytes()


def test_the_day_of_the_release_is_that_of_the_changelog():
    released = re.findall(r"^## \[\d[^]]*\] - (\d{4}-\d\d-\d\d)$", CHANGELOG.read_text(encoding="utf-8"), re.MULTILINE)
    assert max(map(date.fromisoformat, released), default=anki.RELEASED) == anki.RELEASED
    assert date(2026, 11, 23) <= anki.RELEASED


def test_a_back_has_the_answer_up_to_the_level_of_the_question_what_is_wrong_and_where_to_read():
    fields = anki.fields(PLAIN)
    assert "Popular items" in fields["Answer"] and "one" in fields["Answer"] and "Estimate q" not in fields["Answer"]
    assert "Plus" in fields["Wrong"] and "lesson 05 (<code>notebooks/05_retrieval.ipynb</code>)" in fields["Links"]
    assert "[1] Yi et al. 2019" in fields["Links"]
    assert [name for name, text in fields.items() if not text] == list(anki.SPARE)


def test_tags_have_no_spaces_and_name_topic_and_level(whole):
    assert anki.tags(PLAIN)[:2] == ["recsys::topic::A", "recsys::level::mid"]
    assert "recsys::two-words" in anki.tags(PLAIN) and "recsys::reported" not in anki.tags(HOSTILE)
    assert all(tag.startswith("recsys::") for note in whole["notes"] for tag in note["tags"].split())


# --- Markdown to HTML


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("one\n\ntwo", "<p>one</p>\n<p>two</p>"),
        ("**a** *b* `c < d`", "<p><strong>a</strong> <em>b</em> <code>c &lt; d</code></p>"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>"),
        ("R&D <b>x</b> & <script>", "<p>R&amp;D &lt;b&gt;x&lt;/b&gt; &amp; &lt;script&gt;</p>"),
        ("$a_1 * b * c_1$", "<p>\\(a_1 * b * c_1\\)</p>"),
        ("$a < b$ and $$c > d$$", "<p>\\(a &lt; b\\) and \\[c &gt; d\\]</p>"),
        ("`$a$` costs \\$5", "<p><code>$a$</code> costs $5</p>"),
        ("It is 4 [test: H06.x]. So [opinion].", "<p>It is 4. So <small>(our opinion)</small>.</p>"),
        ("Known [source: 2].", "<p>Known <small>[2]</small>.</p>"),
        ("双塔召回，\n批内负采样", "<p>双塔召回，批内负采样</p>"),
        ("{{Front}}", "<p>&#123;&#123;Front&#125;&#125;</p>"),
        ("![x](http://a.b/c.png)", '<p>!<a href="http://a.b/c.png">x</a></p>'),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>"),
    ],
)
def test_html_of_what_the_bank_uses(markdown, expected):
    assert to_html(markdown) == expected


def test_two_braces_in_a_formula_reach_mathjax_and_no_template():
    found = to_html(r"$\frac{a}{b_{i}}$")
    assert "}}" not in found and html.unescape(found) == r"<p>\(\frac{a}{b_{i}}\)</p>"


TAGS = "p|strong|em|code|pre|ul|ol|li|table|thead|tbody|tr|th|td|a|br|hr|blockquote|small|h[1-6]"


@given(st.text(alphabet="<>&{}[]()$`*_|-#\\/ \n\"'abc1:!", max_size=60))
def test_no_text_makes_a_tag_of_its_own_or_a_template(text):
    found = to_html(text)
    assert "{{" not in found and "}}" not in found
    assert all(re.fullmatch(rf"</?(?:{TAGS})(?: [^<>]*)?/?>", tag.strip()) for tag in re.findall(r"<[^>]*>?", found))
    assert "<" not in to_text(text) and "{{" not in to_text(text)


@given(st.text(alphabet="ab12\\{}^_<>&|+-= ()[]*`'", min_size=1, max_size=40))
def test_a_formula_arrives_as_it_was(tex):
    assert rf"\({tex}\)" in html.unescape(to_html(f"x ${tex}$ y"))


def test_every_formula_of_the_bank_arrives_as_it_was(whole):
    formula, formulas = re.compile(r"\$\$?([^$]+)\$\$?"), 0
    for note, question in zip(whole["notes"], QUESTIONS, strict=True):
        found = html.unescape(note["flds"])
        answers = [text for _, text in bank.answers_up_to(question)]
        texts = [question.prompt, question.prompt_zh, question.key_insight, *answers, *question.wrong_answers]
        for tex in (match[1] for text in texts for match in formula.finditer(re.sub(r"`[^`]*`", "", text))):
            formulas += 1
            assert f"\\({tex}\\)" in found or f"\\[{tex}\\]" in found, (question.id, tex)
    assert formulas > 50


def test_the_package_has_nothing_to_warn_of(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        anki.export(tmp_path / "deck.apkg")


# --- the file


def test_a_deck_that_cannot_be_written_leaves_the_old_one_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "deck.apkg"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(PracticeError, match=r"deck\.apkg cannot be written"):
        anki.export(path)
    assert [one.name for one in tmp_path.iterdir()] == ["deck.apkg"] and path.read_bytes() == b"old"


def command(*arguments):
    line = [sys.executable, "-m", "recsys_course.cli", "more", "export-anki", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, encoding="utf-8", timeout=60)


def test_the_command_says_what_it_wrote(tmp_path):
    result = command(tmp_path / "deck.apkg", "--lang", "zh")
    count = len(QUESTIONS)
    assert result.stdout.startswith(f"deck.apkg: {count} questions, 0 cards in English, {count} in Chinese.")
    assert result.returncode == 0 and zipfile.is_zipfile(tmp_path / "deck.apkg")


@pytest.mark.parametrize("name", ["deck.zip", "missing/deck.apkg"])
def test_what_cannot_be_is_said_in_one_sentence(tmp_path, name):
    result = command(tmp_path / name)
    assert result.returncode == 1 and len(result.stderr.splitlines()) == 1 and "Traceback" not in result.stderr
