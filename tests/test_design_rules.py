"""The linter's rules for designs: the three are clean, and each rule is seen to find its fault."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import jsonschema
import pytest

from recsys_course.interview import design_rules, designs, lint
from recsys_course.interview.bank import BANK, BankError, read_document
from recsys_course.interview.design_file import read_design

REAL, _ = lint._load(lint.ROOT)


def test_the_designs_and_their_rubric_are_clean():
    assert [f"{path.name}:{line}: {message}" for path, line, message in design_rules.problems(REAL)] == []


def broken(tmp_path, old, new, file="SD1-short-video.md"):
    """What the linter says when one text of a file is replaced by another."""
    folder = tmp_path / "recsys_course" / "interview" / "bank" / "design"
    shutil.copytree(BANK / "design", folder)
    for name in ("lessons", "notebooks"):
        shutil.copytree(lint.ROOT / name, tmp_path / name)
    text = (folder / file).read_text(encoding="utf-8")
    assert text.count(old) >= 1, old
    (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")
    return [message for _, _, message in design_rules.problems(replace(REAL, root=tmp_path))]


SD4 = "SD4-llm-recommender.md"
FAULTS = {
    "schema": ("level: senior", "level: junior", "`level` is 'junior', not one of"),
    "an unknown key": ("level: senior", "level: senior\nprice: 3", "unknown key `price`"),
    "the file's name": ("id: SD1", "id: SD2", "id SD2 does not begin the file's name"),
    "a heading": ("## Anchors", "## Levels", "headings must be Prompt"),
    "a wrong line": ("- gateway | 10 ms |", "- gateway | ten ms |", "line of `## Budget` has the wrong form"),
    "too few lines": ("- rank | 45 ms | says: one batched", "- x\n\n## Other\n- one batched", "headings must be"),
    "an unplanned question": ("questions: [F07, G05", "questions: [F99, G05", "names F99, which is not a planned one"),
    "a deep dive outside": ("- E03 | ask", "- E04 | ask", "deep dive E04 is not a planned question that"),
    "a lesson": ('lesson: "11"', 'lesson: "99"', "there is no lesson 99"),
    "a formula": ("average * 3 in", "average * (3 in", "peak: "),
    "an order": ("average * 3 in requests/s", "link_store * 3 in requests/s", "link_store, which is not above it"),
    "a name twice": ("- code_store |", "- link_store |", "link_store stands twice"),
    "a placeholder": (
        "{feature_traffic} of item",
        "{feature_trafic} of item",
        "{feature_trafic} is none of the numbers",
    ),
    "a budget": ("- rank | 45 ms", "- rank | 145 ms", "the stages take 275 ms, the limit is 200"),
    "a dimension": ("dimension: serving | words: p99", "dimension: speed | words: p99", "there is no dimension speed"),
    "a Chinese word": ("峰值, 高峰 | says", "top | says", "peak-load has no Chinese word"),
    "a part twice": ("- guardrails |", "- peak-load |", "part peak-load stands twice"),
    "a bare number": ("at most two videos of a creator", "at most 17 videos of it", "17 has no proof"),
    "a bare unit": ("minutes old.", "45 GB old.", "45 has no proof"),
    "a lost source": ("drifts [source: 3]", "drifts", "source 3 is used nowhere"),
    "a mark": ("drifts [source: 3]", "drifts [source: 9]", "[source: 9] is none of the 3"),
    "a formula's end": ("**Objective.**", "**Objective $x.**", "a `$` below `## Architecture` is not closed"),
    "a link": ("**Objective.**", "**Objective** [x](/none.md).", "link to /none.md, which does not exist"),
}


@pytest.mark.parametrize(("old", "new", "message"), FAULTS.values(), ids=FAULTS)
def test_each_rule_finds_its_fault(tmp_path, old, new, message):
    found = broken(tmp_path, old, new)
    assert any(message in one for one in found), found


def test_a_claim_that_does_not_exist_and_a_prompt_that_is_not_chinese_are_found(tmp_path):
    assert any("[test: J08.none]" in one for one in broken(tmp_path / "a", "J08.first]", "J08.none]", SD4))
    document = read_document(BANK / "design" / SD4)
    assert "题目 has no Chinese character" in broken(tmp_path / "b", document.text("题目"), "In English.", SD4)
    assert "title_zh has no Chinese character" in broken(tmp_path / "c", document.meta["title_zh"], "shop", SD4)


def test_lists_that_are_too_short_and_numbers_that_rule_nothing_out_are_found(tmp_path):
    document = read_document(BANK / "design" / SD4)
    failures = document.text("Failure modes").splitlines()
    short = broken(tmp_path / "a", "\n".join(failures[:2]), "", SD4)
    assert "`## Failure modes` has 4 lines, at least 5 are wanted" in short
    numbers = document.text("Numbers")
    kept = "\n".join(line.partition(" | kills:")[0] for line in numbers.splitlines())
    assert "0 numbers rule an option out, at least 3 should" in broken(tmp_path / "b", numbers, kept, SD4)
    parts = [line for line in document.text("Checklist").splitlines() if "dimension: monitoring" in line]
    assert "dimension monitoring has 1 parts, at least 2 are wanted" in broken(
        tmp_path / "c", "\n".join(parts), parts[0], SD4
    )


def test_a_file_without_front_matter_and_one_without_a_heading_are_named(tmp_path):
    assert any("front matter is missing" in one for one in broken(tmp_path / "a", "---\nid", "id", SD4))
    path = tmp_path / SD4
    path.write_text((BANK / "design" / SD4).read_text("utf-8").replace("## Budget", "## Money"), encoding="utf-8")
    with pytest.raises(BankError, match="heading `## Budget` is missing"):
        read_design(path)
    path.write_text((BANK / "design" / SD4).read_text("utf-8").replace("limit_ms: 200\n", ""), encoding="utf-8")
    with pytest.raises(BankError, match="front matter: missing 1 required"):
        read_design(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("minutes: 15", "minutes: 14", "the phases take 44 of 45 minutes"),
        ("weight: 16", "weight: 15", "the weights of the dimensions sum to 99, not 100"),
        ("      - one source\n", "", "dimension retrieval has 3 anchors, not 4"),
        ("zh: 召回", "zh: retrieval", "retrieval has no Chinese text"),
        ("{percent: 0,", "{percent: 5,", "verdicts must fall to 0"),
    ],
)
def test_the_rubric_sums_up(tmp_path, old, new, message):
    assert any(message in one for one in broken(tmp_path, old, new, "rubric.yaml"))


def test_the_schema_is_one_and_every_front_matter_follows_it():
    schema = json.loads((BANK / "design" / "schema.json").read_text(encoding="utf-8"))
    for path in designs.design_files():
        jsonschema.Draft202012Validator(schema).validate(read_document(path).meta)


def test_the_rules_compute_nothing():
    code = "import sys; from recsys_course.interview import design_rules, lint;"
    code += "list(design_rules.problems(lint._load(lint.ROOT)[0]));"
    code += "sys.exit(any(name in sys.modules for name in ('pint', 'numpy', 'torch', 'pandas')))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
