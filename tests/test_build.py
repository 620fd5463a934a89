"""The build: what learners and solutions contain, when something is stale, and what a failure leaves behind."""

import json
import re
import shutil
from pathlib import Path

import nbformat
import pytest

import build
import compose
import lesson
from test_bank import NAME, project

LESSON = """\
# ---
# course:
#   title: Count
#   level: beginner
#   minutes_read: 1
#   minutes_do: 2
#   cpu_seconds: 1
#   ram_mb: 100
#   requires: []
#   articles: []
#   builds: a counter
# ---

# %% [markdown]
# # 01 Count hits
#
# Hello, *reader*: $x$.

# %%
import os  # noqa: F401

print("one")
print("two")

# %% [markdown]
# ### Exercise 1.1 - twice  |  easy  |  5 min

# %%
def twice(x: int) -> int:
    \"\"\"Two times x.\"\"\"
    ### BEGIN SOLUTION
    secret = x
    return secret + x
    ### END SOLUTION


print(twice.__name__)

# %% [markdown]
# Why twice?
#
# ### BEGIN SOLUTION
# Because one is not enough.
# ### END SOLUTION

# %% [markdown] tags=["question"]
# H02

# %% [markdown] tags=["teacher"]
# Ask the class to count aloud.
"""


@pytest.fixture
def root(tmp_path):
    """A project with lesson 01 and question H02."""
    return with_lesson(project(tmp_path))


def with_lesson(root: Path, text: str = LESSON, name: str = "01_count.py") -> Path:
    (root / "lessons").mkdir(exist_ok=True)
    (root / "lessons" / name).write_text(text, encoding="utf-8")
    return root


def lesson_with(cell: str, tags: str = "") -> str:
    return LESSON.partition("# %% [markdown]")[0] + f"# %% {tags}\n{cell}\n"


def learners(root: Path) -> nbformat.NotebookNode:
    course = compose.Course(root)
    return course.learners(lesson.read_lesson(course.lessons[0]))


def solved(root: Path) -> nbformat.NotebookNode:
    course = compose.Course(root)
    return course.solved(lesson.read_lesson(course.lessons[0]))


def stored(root: Path, folder: str = "solutions") -> nbformat.NotebookNode:
    return nbformat.read(root / folder / "01_count.ipynb", as_version=4)


def cell(notebook: nbformat.NotebookNode, name: str) -> nbformat.NotebookNode:
    return next(cell for cell in notebook.cells if cell.id == name)


def everything(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


# What learners get


def test_an_answer_in_code_becomes_a_stub_at_its_indentation(root):
    source = cell(learners(root), "01-exercise-1-1-twice-answer-1").source
    assert source == (
        'def twice(x: int) -> int:\n    """Two times x."""\n'
        "    raise NotImplementedError  # your code here\n\n\nprint(twice.__name__)"
    )


def test_an_answer_in_prose_becomes_a_place_to_write(root):
    assert cell(learners(root), "01-exercise-1-1-twice-answer-2").source == "Why twice?\n\n*Your answer here.*"


def test_no_answer_reaches_the_learner(root):
    text = nbformat.writes(learners(root))
    for secret in ("secret", "not enough", "SOLUTION", "Count the hits", "count aloud", "F401"):
        assert secret not in text, secret


def test_the_learners_notebook_has_no_outputs_and_no_counts(root):
    assert all(not c.outputs and c.execution_count is None for c in learners(root).cells if c.cell_type == "code")


def test_a_question_brings_its_prompt_in_two_languages_and_a_place_to_answer(root):
    prompt = cell(learners(root), "01-question-h02").source
    assert "#### Question H02 · mid · 5 min" in prompt
    assert "Define precision@k and recall@k." in prompt
    assert "定义 Precision@K" in prompt
    assert "(../solutions/01_count.ipynb#cell-id=01-reply-h02)" in prompt
    assert cell(learners(root), "01-reply-h02").source == "*Your answer here.*"


def test_the_head_leads_to_the_neighbours_and_to_the_source(root):
    with_lesson(root, name="00_start.py")
    with_lesson(root, name="02_next.py")
    course = compose.Course(root)
    first, head = (course.learners(lesson.read_lesson(path)).cells[0].source for path in course.lessons[:2])
    assert "[← lesson 00](00_start.ipynb) · **Lesson 01** · [lesson 02 →](02_next.ipynb)" in head
    assert "beginner · 1 min to read, 2 min to do · 1 s of CPU, 100 MB · generated from `lessons/01_count.py`" in head
    assert first.startswith("**Lesson 00** · [lesson 01 →](01_count.ipynb)\n")


# What solutions contain


def test_the_solution_has_the_answers_without_the_markers(root):
    assert "secret = x\n    return secret + x" in cell(solved(root), "01-exercise-1-1-twice-answer-1").source
    assert "Because one is not enough." in cell(solved(root), "01-exercise-1-1-twice-answer-2").source
    assert "SOLUTION" not in nbformat.writes(solved(root)).replace("Solutions of", "")


def test_the_solution_has_the_model_answer_and_the_notes_for_teachers(root):
    answer = cell(solved(root), "01-reply-h02").source
    assert "**Junior answer.** Count the hits." in answer
    assert "| 30 | both denominators |" in answer
    assert "[the words](../docs/words.md)" in answer
    assert "count aloud" in nbformat.writes(solved(root))


def test_both_notebooks_call_the_same_cell_by_the_same_id(root):
    given, solution = ([c.id for c in book.cells] for book in (learners(root), solved(root)))
    assert set(given) == {i for i in solution if "teacher" not in cell(solved(root), i).metadata.get("tags", [])}


# Ids


def test_ids_are_lesson_heading_and_ordinal(root):
    assert [c.id for c in learners(root).cells] == [
        "01-head",
        "01-count-hits-1",
        "01-count-hits-2",
        "01-exercise-1-1-twice-1",
        "01-exercise-1-1-twice-answer-1",
        "01-exercise-1-1-twice-answer-2",
        "01-question-h02",
        "01-reply-h02",
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('print("one")', 'print("1")'),
        ("# Hello", "# ## A new heading\n#\n# Hello"),
        ("| easy |", "| hard |"),
        ("# %% [markdown]\n# ### Exercise", "# %% [markdown]\n# More.\n\n# %% [markdown]\n# ### Exercise"),
        ("5 min\n", "5 min\n#\n# Text.\n\n# %% [markdown]\n# A new cell below the heading.\n"),
    ],
)
def test_an_edit_elsewhere_does_not_move_what_learners_wrote(root, old, new):
    before = learners(root)
    edited = LESSON.replace("  |  ", " | ").replace(old, new)
    assert edited != LESSON
    after = learners(with_lesson(root, edited))
    for name in ("01-exercise-1-1-twice-answer-1", "01-exercise-1-1-twice-answer-2", "01-reply-h02"):
        assert cell(before, name).source == cell(after, name).source


def test_two_sections_of_one_name_have_ids_of_their_own_and_every_id_is_valid(root):
    long = "# %% [markdown]\n# ## " + "Überraschend lange Überschrift " * 5 + "\n\n# %% [markdown]\n# ## 数据\n\n"
    ids = [c.id for c in learners(with_lesson(root, LESSON + "\n" + long * 2)).cells]
    assert len(ids) == len(set(ids))
    assert all(re.fullmatch(r"[a-zA-Z0-9-_]{1,64}", i) for i in ids), ids


# Refusals


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LESSON.partition("# ---\n\n")[2], "lessons/01_count.py: the front matter at the top lacks the key `course:`"),
        (LESSON.replace("# course:", "# cours:"), "lacks the key `course:`"),
        (LESSON.replace("    ### END SOLUTION\n", ""), "cell 01-exercise-1-1-twice-answer-1: the line `### END"),
        (LESSON.replace("    ### BEGIN", "    ## BEGIN"), "expected the line `### BEGIN SOLUTION`, got `## BEGIN"),
        (LESSON.replace("    ### BEGIN", "    # begin"), "expected the line `### BEGIN SOLUTION`, got `# begin"),
        (LESSON.replace("    ### ", "### "), "an answer outside a function would stop the learner's notebook"),
        (LESSON.replace("# H02", "# H03"), "lessons/01_count.py: cell 01-exercise-1-1-twice-2: no question 'H03'"),
    ],
)
def test_a_lesson_that_cannot_be_built_is_refused_by_cell(root, text, message):
    with pytest.raises(lesson.LessonError) as error:
        learners(with_lesson(root, text))
    assert message in str(error.value)


# Building


def test_a_build_runs_the_solution_and_a_second_one_changes_no_byte(root, capsys):
    assert build.main([], root) == 0
    first = everything(root)
    assert "built solutions/01_count.ipynb: " in capsys.readouterr().out
    outputs = cell(stored(root), "01-count-hits-2").outputs
    assert [(o.name, o.text) for o in outputs] == [("stdout", "one\ntwo\n")]
    assert set(stored(root).metadata) == {"kernelspec", "course"}
    assert all(not set(c.metadata) - {"tags"} for c in stored(root).cells)
    assert build.main([], root) == 0
    assert capsys.readouterr().out == ""
    assert build.main(["--force", "--jobs", "1"], root) == 0
    assert everything(root) == first


def test_figures_and_results_are_the_same_in_every_run(root):
    cells = "import time\n\nimport matplotlib.pyplot as plt\n\n_ = plt.plot([1, 2])\nplt.show()\n\n# %%\n"
    cells += "print(1, flush=True)\ntime.sleep(0.5)\nprint(2)\n\n# %%\n{'b': 1, 'a': 2}\n"
    with_lesson(root, lesson_with(cells))
    assert build.main([], root) == 0
    first = everything(root)
    assert [o.text for o in cell(stored(root), "01-top-2").outputs] == ["1\n2\n"]
    kinds = {kind for c in stored(root).cells for o in c.get("outputs", []) for kind in o.get("data", {})}
    assert kinds == {"image/png", "text/plain"}
    assert build.main(["--force"], root) == 0
    assert everything(root) == first


def test_only_prose_changed_so_no_kernel_starts(root, monkeypatch, capsys):
    build.main([], root)
    monkeypatch.setattr(build, "execute", lambda *_: pytest.fail("a kernel was started"))
    with_lesson(root, LESSON.replace("Hello", "Good evening"))
    assert build.main([], root) == 0
    assert "outputs carried over" in capsys.readouterr().out
    assert "Good evening" in nbformat.writes(stored(root))
    assert cell(stored(root), "01-count-hits-2").outputs[0].text == "one\ntwo\n"
    assert build.main(["--check"], root) == 0


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = with_lesson(project(tmp_path_factory.mktemp("built")))
    assert build.main([], root) == 0
    return root


@pytest.fixture
def copy(built, tmp_path):
    """A built project to break."""
    return Path(shutil.copytree(built, tmp_path / "copy"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


BOTH = {"notebooks/01_count.ipynb", "solutions/01_count.ipynb"}


@pytest.mark.parametrize(
    ("file", "old", "new", "stale"),
    [
        ("lessons/01_count.py", "Hello", "Good day", BOTH),
        ("lessons/01_count.py", 'tags=["teacher"]', 'tags=["teacher", "long"]', {"solutions/01_count.ipynb"}),
        ("lessons/01_count.py", "return secret + x", "return x + secret", {"solutions/01_count.ipynb"}),
        (NAME, "Count the hits.", "Count all hits.", {"solutions/01_count.ipynb"}),
        (NAME, "Define precision", "Explain precision", BOTH),
        ("notebooks/01_count.ipynb", "Hello", "Hallo", {"notebooks/01_count.ipynb"}),
        ("solutions/01_count.ipynb", "Hello", "Hallo", {"solutions/01_count.ipynb"}),
        ("solutions/01_count.ipynb", '"nbformat"', "nbformat", {"solutions/01_count.ipynb"}),
        ("recsys_course/claims.json", "[", "[{},", {"recsys_course/claims.json"}),
    ],
)
def test_check_names_what_is_stale(copy, capsys, file, old, new, stale):
    assert build.main(["--check"], copy) == 0
    edit(copy / file, old, new)
    before = everything(copy)
    assert build.main(["--check"], copy) == 1
    lines = capsys.readouterr().out.splitlines()
    assert {line.removeprefix("stale: ").partition(" ")[0] for line in lines} == stale
    assert everything(copy) == before


def test_check_names_what_is_missing(copy, capsys):
    shutil.rmtree(copy / "solutions")
    assert build.main(["--check"], copy) == 1
    assert "stale: solutions/01_count.ipynb (run: python tools/build.py)" in capsys.readouterr().out


def test_a_change_of_the_build_makes_solutions_stale(copy, monkeypatch):
    monkeypatch.setattr(compose, "RUNNER", "another way to run notebooks")
    assert build.main(["--check"], copy) == 1
    course = compose.Course(copy)
    assert build.stale(course, course.lessons[0]) == [copy / "solutions/01_count.ipynb"]


@pytest.mark.parametrize("options", [["--check"], []])
def test_a_notebook_without_lesson_is_an_orphan(copy, capsys, options):
    (copy / "solutions/07_gone.ipynb").write_text("{}")
    (copy / "notebooks/my_own.ipynb").write_text("{}")
    assert build.main(options, copy) == 1
    assert capsys.readouterr().out.splitlines() == ["orphan: solutions/07_gone.ipynb has no lesson: remove it"]
    assert (copy / "solutions/07_gone.ipynb").exists()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("print('fine')\nraise ValueError('too few hits')", "cell 01-top-1: ValueError: too few hits"),
        (
            "import sys\nprint('careful', file=sys.stderr)",
            "cell 01-top-1 writes to stderr (mend it, or tag",
        ),
        ("import warnings\nwarnings.warn('old')", "cell 01-top-1 writes to stderr"),
        ("import os\nos._exit(1)", "cell 01-top-1: the kernel died"),
    ],
)
def test_a_failing_lesson_names_its_cell_and_leaves_the_old_solution(copy, capsys, source, message):
    old = (copy / "solutions/01_count.ipynb").read_bytes()
    with_lesson(copy, lesson_with(source))
    with_lesson(copy, name="02_good.py")
    assert build.main([], copy) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith(f"failed: lessons/01_count.py: {message}")
    assert len(printed.err.splitlines()) < 8
    assert "built solutions/02_good.ipynb" in printed.out
    assert (copy / "solutions/01_count.ipynb").read_bytes() == old
    assert not list(copy.rglob("*.tmp"))


def test_check_names_a_broken_lesson_and_goes_on_with_the_others(copy, capsys):
    with_lesson(copy, LESSON.replace("    ### END SOLUTION\n", ""))
    with_lesson(copy, name="02_next.py")
    assert build.main(["--check"], copy) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("broken: lessons/01_count.py: cell 01-exercise-1-1-twice-answer-1: the line")
    assert [line.partition(" (")[0] for line in lines[1:]] == [
        "stale: notebooks/02_next.ipynb",
        "stale: solutions/02_next.ipynb",
    ]


def test_a_cell_that_takes_too_long_is_named(root, capsys, monkeypatch):
    monkeypatch.setattr("execute.CELL_TIMEOUT", 2)
    with_lesson(root, lesson_with("import time\ntime.sleep(60)"))
    assert build.main([], root) == 1
    assert "cell 01-top-1: took more than 2 s" in capsys.readouterr().err


def test_expected_errors_and_allowed_warnings_get_the_tags_that_nbval_knows(root):
    text = lesson_with("1 / 0", 'tags=["raises-exception"]')
    text += '\n# %% tags=["allow-stderr"]\nimport sys\nprint("careful", file=sys.stderr)\nprint("done")\n'
    assert build.main([], with_lesson(root, text)) == 0
    failing, warning = (c for c in stored(root).cells if c.cell_type == "code")
    assert failing.metadata.tags == ["nbval-raises-exception", "raises-exception"]
    assert failing.outputs[0].ename == "ZeroDivisionError"
    assert warning.metadata.tags == ["allow-stderr", "nbval-ignore-output"]
    assert [o.name for o in warning.outputs] == ["stdout"]


def test_a_solution_runs_in_an_empty_folder_without_progress_bars_and_with_a_record_of_its_own(root, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setenv("RECSYS_COURSE_STATE", str(root))
    names = ["MPLBACKEND", "TQDM_DISABLE", "RECSYS_COURSE_STATE"]
    with_lesson(root, lesson_with(f"import os\nprint(os.listdir(), *map(os.environ.get, {names}))"))
    assert build.main([], root) == 0
    printed = cell(stored(root), "01-top-1").outputs[0].text
    assert re.match(r"\[\] .*inline 1 \S", printed), printed
    assert str(root) not in printed


def test_the_build_measures_memory_and_cpu_of_the_kernel(root, capsys):
    work = "import time\nfull = bytearray(300_000_000)\nend = time.process_time() + 1.5\n"
    with_lesson(root, lesson_with(work + "while time.process_time() < end:\n    pass"))
    assert build.main([], root) == 0
    found = re.search(r"([\d.]+) s of CPU, (\d+) MB at most", capsys.readouterr().out)
    assert 1.5 < float(found[1]) < 10
    assert 330 < int(found[2]) < 900


def test_one_lesson_can_be_built_by_number_or_name_and_unknown_ones_are_named(root, capsys):
    with_lesson(root, name="02_next.py")
    assert build.main(["02"], root) == 0
    assert not (root / "solutions/01_count.ipynb").exists()
    assert build.main(["01_count"], root) == 0
    assert (root / "solutions/01_count.ipynb").exists()
    with pytest.raises(SystemExit) as error:
        build.main(["01", "99"], root)
    assert error.value.code == 2
    assert "lessons/ has no lesson 99" in capsys.readouterr().err


def test_the_build_writes_the_index_of_claims(root, capsys):
    with_lesson(root, LESSON + "\n# %%\nfrom recsys_course import claim\n\nclaim('01.two', 'Two is more', 2 > 1)\n")
    assert build.main([], root) == 0
    assert "built recsys_course/claims.json" in capsys.readouterr().out
    (entry,) = json.loads((root / "recsys_course/claims.json").read_text(encoding="utf-8"))
    assert (entry["id"], entry["where"]) == ("01.two", "lessons/01_count.py")


def test_a_claim_that_cannot_be_indexed_is_named_and_the_lessons_are_built_all_the_same(copy, capsys):
    with_lesson(copy, "from recsys_course import claim\n\nclaim(NAME, 'x', True)\n", "02_next.py")
    assert build.main(["--check"], copy) == 1
    assert "broken: the index of claims: lessons/02_next.py:3: the id of a claim" in capsys.readouterr().out
    with_lesson(copy, LESSON.replace("Hello", "Good day"))
    assert build.main(["01"], copy) == 1
    printed = capsys.readouterr()
    assert (
        printed.err
        == "failed: the index of claims: lessons/02_next.py:3: the id of a claim must be written out, not computed\n"
    )
    assert "built solutions/01_count.ipynb" in printed.out


def test_what_is_committed_is_what_the_build_would_make():
    course = compose.Course()
    assert course.lessons, "lessons/ is empty"
    assert build.check(course) == []
