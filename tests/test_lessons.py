"""The length rules of lessons: each rule sees a good lesson broken in one way; the lessons of the course break none."""

import re
import shutil
import warnings
from pathlib import Path

import pytest

import lint_lessons
import prose
from lesson import lesson_files, read_lesson

ROOT = Path(__file__).resolve().parent.parent
HEAD = """\
# ---
# course:
#   title: Count
#   level: beginner
#   minutes_read: 20
#   minutes_do: 60
#   cpu_seconds: 30
#   ram_mb: 700
#   requires: ["00"]
#   articles: [004-Q6, 001-§2.1]
#   builds: a counter
# ---

# %% [markdown]
# # 01 Count hits
#
# ## The interview moment
#
# Start [before](00_start.ipynb).

# %%
import matplotlib.pyplot as plt

from recsys_course import claim, data, metrics
from recsys_course.exercises.l01 import check, hint

my_guess = None
"""
EXERCISE = """
# %% [markdown]
# ### Exercise 1.{n} - count_{n}  |  {level}  |  8 min
#
# Count.


# %%
def count_{n}(hits):
    ### BEGIN SOLUTION
    return hits.sum()
    ### END SOLUTION


check(count_{n})
"""
TAIL = (
    """
# %% [markdown]
# ## The experiment

# %%
figure, panel = plots.axes()
plots.show(figure, alt="Popular wins")
print(my_guess)

# %% [markdown]
# ## Spot the bug

# %% [markdown] tags=["question"]
# A01 A02
# A03

# %% [markdown] tags=["question"]
# A04 A05

# %% [markdown]
# ## Recap
#
# <!--
"""
    + "# filler\n" * 100
    + "# -->\n"
)
GOOD = (
    HEAD + "".join(EXERCISE.format(n=n, level="easy") for n in (1, 2, 3)) + EXERCISE.format(n=4, level="stretch") + TAIL
)


def project(folder: Path, text: str = GOOD, name: str = "01_count.py") -> Path:
    """A project with lesson 00, the lesson under test and five questions."""
    bank = folder / "recsys_course/interview/bank"
    (bank / "questions/A").mkdir(parents=True)
    for n in range(1, 6):
        (bank / f"questions/A/A0{n}-x.md").touch()
    shutil.copy(ROOT / "recsys_course/interview/bank/articles.yaml", bank)
    for module in ("data", "metrics", "models", "plots", "base", "assets"):
        (folder / f"recsys_course/{module}.py").touch()
    (folder / "lessons").mkdir()
    (folder / "lessons/00_start.py").touch()
    (folder / "lessons" / name).write_text(text, encoding="utf-8")
    return folder


def found(root: Path, name: str = "01_count.py") -> list[str]:
    return lint_lessons.problems(read_lesson(root / "lessons" / name), root)


def test_the_good_lesson_breaks_no_rule(tmp_path):
    assert found(project(tmp_path)) == []


WORDY = "# " + "word " * 149 + "\n"
BROKEN = {
    "a missing key": ("#   builds: a counter\n", "", "front matter: builds must be str, got None"),
    "a number in quotes": ("cpu_seconds: 30", "cpu_seconds: '30'", "front matter: cpu_seconds must be int, got '30'"),
    "too much CPU": ("cpu_seconds: 30", "cpu_seconds: 121", "front matter: cpu_seconds is 121, must be 1 to 120"),
    "too much memory": ("ram_mb: 700", "ram_mb: 2100", "front matter: ram_mb is 2100, must be 1 to 2048"),
    "too long a read": ("minutes_read: 20", "minutes_read: 26", "front matter: minutes_read is 26, must be 1 to 25"),
    "too long an evening": ("minutes_do: 60", "minutes_do: 71", "91 minutes, at most 90"),
    "an unknown key": ("#   builds", "#   colour: red\n#   builds", "front matter: unknown key colour"),
    "a later lesson": ('requires: ["00"]', 'requires: ["02"]', "front matter: requires '02' is no earlier lesson"),
    "a lesson as a number": ('requires: ["00"]', "requires: [00]", "front matter: requires 0 is no earlier lesson"),
    "an unknown article": ("004-Q6", "004-Q9", "front matter: articles names '004-Q9', neither in articles.yaml"),
    "too many words": ("# Start", "# " + "word " * 2200 + "\n# Start", "at most 2200"),
    "nine headings": ("# ## Recap", "# ## B\n# ## C\n# ## D\n# ## E\n# ## F\n# ## Recap", "9 headings, at most 8"),
    "a long stretch of prose": ("# Count.\n", WORDY + WORDY, "cell 01-exercise-1-1-count-1-1: 304 words without code"),
    "a long cell": ("print(my_guess)", "print(my_guess)\n" * 24, "26 lines, at most 25"),
    "a short source": ("# filler\n", "", "lines of source, should be 150 to 700"),
    "a long source": ("# filler\n", "# filler\n" * 9, "lines of source, should be 150 to 700"),
    "six modules": (
        "import claim, data, metrics",
        "import assets, base, data, metrics, models, plots",
        "6 package modules, at most 5",
    ),
    "a second title": ("# ## Recap", "# # Recap", "2 headings of level 1, must be one: the title"),
    "no experiment": ("# ## The experiment", "# ## The test", "0 sections `## The experiment`, must be one"),
    "two bugs": ("# ## Recap", "# ## Spot the bug again", "2 sections `## Spot the bug`, must be one"),
    "no prediction": ("my_guess = None", "mine = None", "no prediction: let a cell bind"),
    "a prediction that is forgotten": ("print(my_guess)", "print()", "no prediction: let a cell bind"),
    "a header without minutes": ("count_1  |  easy  |  8 min", "count_1  |  easy", "header `Exercise 1.1 - count_1  |"),
    "a number of another lesson": (
        "Exercise 1.4",
        "Exercise 2.4",
        "exercises are numbered 1.1, 1.2, 1.3, 2.4, not 1.1",
    ),
    "a gap in the numbers": ("Exercise 1.4", "Exercise 1.5", "exercises are numbered 1.1, 1.2, 1.3, 1.5, not 1.1"),
    "two core exercises": ("count_1  |  easy", "count_1  |  stretch", "2 core exercises, must be 3"),
    "minutes that do not fit": (
        "minutes_do: 60",
        "minutes_do: 20",
        "the core exercises take 24 min, more than minutes_do",
    ),
    "an endless exercise": (
        "count_1  |  easy  |  8",
        "count_1  |  easy  |  11",
        "exercise 1.1 takes 11 min, at most 10",
    ),
    "an exercise without answer": ("def count_1", "def count", "exercise 1.1 has no cell that defines count_1"),
    "an exercise without check": ("check(count_1)", "", "exercise 1.1 never calls check(count_1)"),
    "four questions": ("# A04 A05", "# A04", "4 interview questions, must be 5"),
    "a question twice": ("# A04 A05", "# A04 A01", "4 interview questions, must be 5"),
    "a question that is not there": ("# A04 A05", "# A04 A06", "question A06 is not in the bank"),
    "a picture without words": (', alt="Popular wins"', "", "a picture without alternative text"),
    "a picture with empty words": ('alt="Popular wins"', 'alt=" "', "a picture without alternative text"),
    "a bare figure": ('plots.show(figure, alt="Popular wins")', "", "show the figure with plots.show(figure, alt=...)"),
    "a figure of its own way": ("print(my_guess)", "print(my_guess)\nplt.show()", "show the figure with plots.show"),
    "a Markdown picture": ("# Start", "# ![](https://x.org/x.png) Start", "a picture without alternative text: https"),
    "a dead link": ("(00_start.ipynb)", "(00_gone.ipynb)", "link to 00_gone.ipynb, which does not exist"),
    "a path of one machine": ("# Start", "# In `/home/ada/course`: Start", "a path of one machine: /home/ada/course"),
    "a path in code": ("print(my_guess)", "print(my_guess, '/home/me')", "a path of one machine: /home/me"),
    "an unkind word": ("# Start", "# Simply start", "'Simply' tells a struggling reader off"),
    "a cell that is no Python": ("print(my_guess)", "print(my_guess", "line 3: '(' was never closed"),
    "a cell that needs the answer": ("print(my_guess)", "print(my_guess, count_2)", "uses the learner's count_2"),
}
ALSO_BREAKS = {"a long stretch of prose": 3, "a header without minutes": 2}  # other exercises, numbers and counts


@pytest.mark.parametrize("name", BROKEN)
def test_the_linter_sees(tmp_path, name):
    old, new, message = BROKEN[name]
    assert old in GOOD
    messages = found(project(tmp_path, GOOD.replace(old, new)))
    assert sum(message in m for m in messages) == 1, messages
    assert len(messages) == 1 + ALSO_BREAKS.get(name, 0), messages


def test_a_short_lesson_00_is_a_warning_and_has_one_core_exercise(tmp_path):
    text = HEAD + EXERCISE.format(n=1, level="easy") + TAIL.replace("# filler\n", "")
    text = text.replace("Exercise 1.", "Exercise 0.").replace('["00"]', "[]").replace("(00_start", "(00_count")
    root = project(tmp_path, text, "00_count.py")
    (message,) = found(root, "00_count.py")
    assert message.startswith("warning: ")


def test_model_answers_and_questions_do_not_count_as_prose(tmp_path):
    answer = "# Say it.\n#\n# ### BEGIN SOLUTION\n# " + "word " * 3000 + "\n# ### END SOLUTION\n"
    assert found(project(tmp_path, GOOD.replace("# ## Spot the bug\n", "# ## Spot the bug\n#\n" + answer))) == []


@pytest.mark.parametrize(
    ("markdown", "count"),
    [
        ("One, two - three.", 3),
        ("| a | b |\n| --- | --- |\n| c | d |", 4),
        ("a $x + y = z$ b", 3),
        ("a\n\n```\nnot this\n```\nb", 2),
        ("a [link text](https://example.org/some/where) b", 4),
        ("<details><summary>answer</summary>6.30 %</details>", 2),
    ],
)
def test_words_are_what_is_read(markdown, count):
    assert prose.words(markdown) == count


USES = {
    "count_1(x)": True,
    "x = [count_1(y) for y in z]": True,
    "def f():\n    return count_1": True,
    "class C:\n    f = count_1": True,
    "f(key=lambda: count_1)": True,
    "check(count_1)\nhint(count_1, 2)\nsolution(count_1)": False,
    "check(count_1(3))": True,
    "def f(count_1):\n    return count_1": False,
    "metrics.count_1(x)": False,
    "count_1 = metrics.recall\ncount_1(x)": False,
    "count_1 = metrics.recall(count_1)": True,
    "from recsys_course.metrics import recall as count_1\ncount_1(x)": False,
    "print('count_1')": False,
}


@pytest.mark.parametrize("source", USES)
def test_a_cell_that_uses_the_learners_answer_is_seen_through_every_scope(tmp_path, source):
    text = GOOD.replace("print(my_guess)", f"print(my_guess)\n\n# %%\n{source}")
    messages = [message for message in found(project(tmp_path, text)) if "uses the learner's count_1" in message]
    assert bool(messages) == USES[source]


def test_a_link_out_of_the_project_is_dead_on_every_other_machine(tmp_path):
    (tmp_path / "x.md").touch()
    root = project(tmp_path / "project", GOOD.replace("(00_start.ipynb)", "(../../x.md)"))
    assert found(root) == ["cell 01-count-hits-1: link to ../../x.md, which does not exist"]


def test_texts_around_the_lessons_are_read_too(tmp_path):
    root = project(tmp_path)
    (root / "docs").mkdir()
    (root / "docs/words.md").write_text("Obviously [gone](../nowhere.md) in `simply`", encoding="utf-8")
    (root / "README.md").write_text('<img src="docs/x.png"> [fine](docs/words.md#part) [n](notebooks/01_count.ipynb)')
    assert lint_lessons.text_problems(root) == [
        "README.md: link to docs/x.png, which does not exist",
        "docs/words.md: link to ../nowhere.md, which does not exist",
        "docs/words.md: 'Obviously' tells a struggling reader off: leave it out",
    ]


def test_the_command_prints_a_table_and_fails_on_a_problem(tmp_path, capsys):
    root = project(tmp_path, GOOD.replace("# Start", "# Simply start"))
    assert lint_lessons.main(["01"], root) == 1
    printed = capsys.readouterr().out
    assert re.search(r"^ *limit +2200 +8 +150 +25 +5 +90 +150 to 700$", printed, re.MULTILINE)
    assert re.search(r"^ *01_count +43 +4 +7 +6 +2 +80 +211$", printed, re.MULTILINE), printed
    assert "lessons/01_count.py: cell 01-count-hits-1: 'Simply' tells" in printed


@pytest.mark.parametrize("path", lesson_files(ROOT), ids=lambda path: path.stem)
def test_a_lesson_of_the_course_breaks_no_rule(path):
    messages = lint_lessons.problems(read_lesson(path))
    for message in messages:
        if message.startswith("warning: "):
            warnings.warn(f"{path.name}: {message}", stacklevel=1)
    assert [message for message in messages if not message.startswith("warning: ")] == []


def test_there_are_lessons_and_their_sizes_are_printed(say):
    lessons = [read_lesson(path) for path in lesson_files(ROOT)]
    assert lessons, "lessons/ is empty"
    say(lint_lessons.table(lessons, ROOT))


def test_the_texts_of_the_course_lead_nowhere_wrong():
    assert lint_lessons.text_problems() == []
