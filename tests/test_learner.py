"""The learner's copies: never overwritten, brought up to date without losing an answer, safe beside git."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_course import carry, learner

ROOT = Path(__file__).parents[1]
STUB = "def recall(hits):\n    raise NotImplementedError  # your code here\n\n\ncheck(recall)"
ANSWER = "def recall(hits):\n    return hits.sum()\n\n\ncheck(recall)"
TALK = "*Your answer here.*"


def code(id, source, **more):
    return {
        "id": id,
        "cell_type": "code",
        "metadata": {},
        "source": source,
        "outputs": [],
        "execution_count": None,
        **more,
    }


def text(id, source):
    return {"id": id, "cell_type": "markdown", "metadata": {}, "source": source}


def notebook(*cells):
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return {"cells": list(cells), "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}


FIRST = (
    text("02-top-1", "# 02"),
    code("02-guess-1", "guess = None"),
    code("02-recall-answer-1", STUB),
    text("02-talk-answer-1", TALK),
)


def save(path, *cells):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook(*cells)), "utf-8")


def sources(path):
    """The cells' sources of a notebook that nbformat finds valid."""
    nbformat.validate(nbformat.read(path, 4))
    return ["".join(cell["source"]) for cell in json.loads(path.read_text("utf-8"))["cells"]]


def edit(path, **changes):
    """Change cells as JupyterLab would: by id with "-" written as "_", and with outputs of a run."""
    content = json.loads(path.read_text("utf-8"))
    for cell in content["cells"]:
        source = changes.get(cell["id"].replace("-", "_"), "".join(cell["source"]))
        cell["source"] = source.splitlines(keepends=True)
        if cell["cell_type"] == "code":
            cell["execution_count"], cell["outputs"] = 7, [{"output_type": "stream", "name": "stdout", "text": "ran"}]
    content["metadata"]["language_info"] = {"name": "python", "version": "3.12.1"}
    path.write_text(json.dumps(content, indent=1), "utf-8")


@pytest.fixture
def course(tmp_path):
    """A clone with lessons 00 and 02, and copies of both in my/."""
    save(tmp_path / "notebooks" / learner.FIRST, text("00-top-1", "# 00"))
    save(tmp_path / "notebooks" / "02_measuring.ipynb", *FIRST)
    learner.copy_new(tmp_path)
    return tmp_path


def ship(course, *cells):
    save(course / "notebooks" / "02_measuring.ipynb", *cells)


def mine(course):
    return course / "my" / "02_measuring.ipynb"


def newest(course):
    return learner.current(course, "02")


def test_every_lesson_is_copied_once_and_never_overwritten(course):
    mine(course).write_text("my own", "utf-8")
    assert learner.copy_new(course) == []
    assert mine(course).read_text("utf-8") == "my own"
    save(course / "notebooks" / "03_neighbours.ipynb")
    assert learner.copy_new(course) == ["03_neighbours.ipynb"]


def test_a_copy_can_be_written_though_the_original_is_read_only(course):
    mine(course).unlink()
    (course / "notebooks" / "02_measuring.ipynb").chmod(0o444)
    learner.copy_new(course)
    assert mine(course).stat().st_mode & 0o200


def test_the_clone_is_found_from_any_folder_in_it(course):
    (course / "my" / "deep").mkdir()
    assert learner.find_course(course / "my" / "deep") == course.resolve()


def test_outside_a_clone_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(learner, "__file__", str(tmp_path / "site-packages" / "recsys_course" / "learner.py"))
    with pytest.raises(learner.LearnerError, match="no course is found around"):
        learner.find_course(tmp_path)


def test_without_a_new_version_update_changes_nothing(course):
    edit(mine(course), **{"02_recall_answer_1": ANSWER})
    before = mine(course).read_bytes()
    assert learner.update(course) == []
    assert mine(course).read_bytes() == before


def test_a_copy_that_was_only_run_is_replaced_by_the_new_version(course):
    edit(mine(course))
    ship(course, text("02-top-1", "# 02, better"), *FIRST[1:])
    (change,) = learner.update(course)
    assert change == learner.Change("my/02_measuring.ipynb: brought up to date")
    assert sources(mine(course))[0] == "# 02, better"
    assert newest(course) == mine(course)
    assert learner.update(course) == []


def test_beside_an_edited_copy_comes_the_new_version_with_the_answers(course):
    said = "Recall divides by what there was to find."
    edit(mine(course), **{"02_recall_answer_1": ANSWER, "02_talk_answer_1": said, "02_guess_1": "guess = 3"})
    before = mine(course).read_bytes()
    ship(course, text("02-top-1", "# 02, better"), text("02-new-1", "A new paragraph."), *FIRST[1:])
    (change,) = learner.update(course)
    assert change.ok and "with your answers" in change.message
    assert mine(course).read_bytes() == before
    assert re.fullmatch(r"02_measuring\.\d{4}-\d\d-\d\d\.ipynb", newest(course).name)
    assert sources(newest(course)) == ["# 02, better", "A new paragraph.", "guess = 3", ANSWER, said]


def test_a_second_new_version_carries_on_from_the_newest_copy(course):
    edit(mine(course), **{"02_recall_answer_1": ANSWER})
    ship(course, text("02-top-1", "# second"), *FIRST[1:])
    learner.update(course)
    edit(newest(course), **{"02_guess_1": "guess = 8"})
    first = newest(course)
    ship(course, text("02-top-1", "# third"), *FIRST[1:])
    learner.update(course)
    assert newest(course) not in (first, mine(course))
    assert sources(newest(course)) == ["# third", "guess = 8", ANSWER, TALK]
    assert learner.update(course) == []


def test_an_exercise_that_changed_keeps_the_answer_and_shows_the_new_start(course):
    edit(mine(course), **{"02_recall_answer_1": ANSWER})
    changed = STUB.replace("hits", "hits, n_relevant")
    ship(course, *FIRST[:2], code("02-recall-answer-1", changed), FIRST[3])
    learner.update(course)
    shown = sources(newest(course))
    assert shown[2] == ANSWER
    assert "It now starts from" in shown[3] and changed in shown[3]


def test_an_answer_goes_by_its_id_even_where_another_cell_looks_like_the_old_one(course):
    edit(mine(course), **{"02_recall_answer_1": ANSWER})
    changed = code("02-recall-answer-1", STUB + "  # new")
    ship(course, *FIRST[:2], changed, code("02-recall-answer-2", STUB))
    learner.update(course)
    assert sources(newest(course))[2] == ANSWER
    assert sources(newest(course))[4] == STUB


def test_a_line_end_at_the_end_of_a_cell_is_no_edit(course):
    edit(mine(course), **{"02_top_1": "# 02\n", "02_guess_1": "guess = None\n\n"})
    ship(course, text("02-top-1", "# 02, better"), *FIRST[1:])
    learner.update(course)
    assert newest(course) == mine(course)


def test_a_cell_that_both_changed_takes_the_new_text_and_quotes_the_learners(course):
    edit(mine(course), **{"02_top_1": "# 02, my title"})
    ship(course, text("02-top-1", "# 02, better"), *FIRST[1:])
    learner.update(course)
    shown = sources(newest(course))
    assert shown[0] == "# 02, better"
    assert "# 02, my title" in shown[1]


def test_an_answer_whose_cell_is_gone_stands_at_the_end_under_a_heading(course):
    edit(mine(course), **{"02_recall_answer_1": ANSWER})
    ship(course, *FIRST[:2], FIRST[3])
    learner.update(course)
    assert sources(newest(course))[-2:] == [carry.HEADING, ANSWER]


def test_a_prediction_follows_its_cell_when_the_course_puts_another_before_it(course):
    edit(mine(course), **{"02_guess_1": "guess = 3"})
    ship(course, FIRST[0], code("02-guess-1", "import math"), code("02-guess-2", "guess = None"), *FIRST[2:])
    learner.update(course)
    assert sources(newest(course)) == ["# 02", "import math", "guess = 3", STUB, TALK]


def test_a_cell_that_the_learner_added_stays_behind_its_neighbour(course):
    content = json.loads(mine(course).read_text("utf-8"))
    content["cells"].insert(2, code("a1b2c3", "hint(recall)", outputs=[], execution_count=3))
    content["cells"].insert(0, text("d4e5f6", "my notes"))
    mine(course).write_text(json.dumps(content), "utf-8")
    ship(course, text("02-top-1", "# 02, better"), *FIRST[1:])
    learner.update(course)
    assert sources(newest(course)) == ["my notes", "# 02, better", "guess = None", "hint(recall)", STUB, TALK]


def test_an_emptied_exercise_gets_its_start_back(course):
    edit(mine(course), **{"02_recall_answer_1": ""})
    ship(course, text("02-top-1", "# 02, better"), *FIRST[1:])
    learner.update(course)
    assert sources(newest(course)) == ["# 02, better", "guess = None", STUB, TALK]


def test_answers_from_colab_which_keeps_ids_in_the_metadata_are_carried_over(course):
    edit(mine(course), **{"02_recall_answer_1": ANSWER})
    content = json.loads(mine(course).read_text("utf-8"))
    for cell in content["cells"]:
        cell["metadata"]["id"] = cell.pop("id")
    mine(course).write_text(json.dumps(content | {"nbformat_minor": 0}), "utf-8")
    ship(course, text("02-top-1", "# 02, better"), *FIRST[1:])
    learner.update(course)
    assert sources(newest(course)) == ["# 02, better", "guess = None", ANSWER, TALK]


def test_two_cells_with_one_id_are_both_kept(course):
    content = json.loads(mine(course).read_text("utf-8"))
    content["cells"] += [code("02-recall-answer-1", ANSWER)]
    mine(course).write_text(json.dumps(content), "utf-8")
    ship(course, text("02-top-1", "# 02, better"), *FIRST[1:])
    learner.update(course)
    assert ANSWER in sources(newest(course))


words = st.sampled_from(["", "a", "b", "c", STUB, TALK])
cells = st.tuples(st.sampled_from([f"02-x-{n}" for n in range(5)]), words, st.booleans())
shipped = st.lists(cells, max_size=5, unique_by=lambda cell: cell[0])


def build(drawn):
    return notebook(*(code(id, source) if is_code else text(id, source) for id, source, is_code in drawn))


@given(handed=shipped, changed=st.lists(cells, max_size=7), new=shipped)
@settings(max_examples=300, deadline=None)
def test_whatever_the_learner_wrote_is_in_the_result(handed, changed, new):
    changed = [
        (id, f"mine {n} {source}".strip() if n % 2 else source, is_code)
        for n, (id, source, is_code) in enumerate(changed)
    ]
    merged = carry.carry(build(handed), build(changed), build(new))
    whole = "\n".join("".join(cell["source"]) for cell in merged["cells"])
    assert all(source in whole for _, source, _ in changed if source.startswith("mine"))
    ids = [cell["id"] for cell in merged["cells"]]
    assert len(set(ids)) == len(ids)


@given(handed=shipped, new=shipped)
@settings(max_examples=100, deadline=None)
def test_an_untouched_copy_becomes_the_new_version(handed, new):
    merged = carry.carry(build(handed), build(handed), build(new))
    assert [cell["source"] for cell in merged["cells"]] == [source for _, source, _ in new]


@pytest.mark.parametrize("torn", ["", "{", '{"cells": [', "[]", '{"cells": [{"source": 3}]}', '{"worksheets": []}'])
def test_a_damaged_copy_is_left_alone_and_the_other_lessons_go_on(course, torn):
    mine(course).write_text(torn, "utf-8")
    ship(course, text("02-top-1", "# 02, better"), *FIRST[1:])
    save(course / "notebooks" / "03_neighbours.ipynb")
    new, problem = learner.update(course)
    assert new == learner.Change("my/03_neighbours.ipynb: new")
    assert not problem.ok and "\n" not in problem.message
    assert problem.message.startswith("my/02_measuring.ipynb is ") and "`recsys-course reset 02`" in problem.message
    assert mine(course).read_text("utf-8") == torn
    assert sorted(path.name for path in (course / "my").glob("02*")) == ["02_measuring.ipynb"]


@pytest.mark.parametrize("torn", [b"{", b"\xff\xfe\x00"])
def test_reset_keeps_even_a_damaged_copy_in_the_backup(course, torn):
    mine(course).write_bytes(torn)
    backed_up, fresh = learner.reset(course, "2")
    (copy,) = (course / "my" / "backup").iterdir()
    assert copy.read_bytes() == torn
    assert backed_up.message == f"my/backup/{copy.name}: your copy so far"
    assert fresh.message.startswith("my/02_measuring.ipynb: fresh")
    assert sources(mine(course)) == [STUB if c["id"] == "02-recall-answer-1" else c["source"] for c in FIRST]


def test_reset_twice_in_a_second_keeps_both_copies(course):
    for answer in ("first", "second"):
        mine(course).write_text(answer, "utf-8")
        learner.reset(course, "02")
    assert {path.read_text("utf-8") for path in (course / "my" / "backup").iterdir()} == {"first", "second"}


def test_reset_gathers_every_copy_of_the_lesson(course):
    edit(mine(course), **{"02_recall_answer_1": ANSWER})
    ship(course, text("02-top-1", "# 02, better"), *FIRST[1:])
    learner.update(course)
    learner.reset(course, "02")
    assert len(list((course / "my" / "backup").iterdir())) == 2
    assert newest(course) == mine(course)
    assert learner.update(course) == []


def test_reset_of_an_unknown_lesson_names_those_there_are(course):
    with pytest.raises(learner.LearnerError, match=r"no lesson '7': the lessons are 00, 02"):
        learner.reset(course, "7")


def test_a_backup_that_cannot_be_written_changes_nothing(course, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied", "my/backup")

    monkeypatch.setattr(shutil, "copyfile", refuse)
    before = mine(course).read_bytes()
    with pytest.raises(learner.LearnerError, match="my/backup cannot be written"):
        learner.reset(course, "02")
    assert mine(course).read_bytes() == before


def test_a_read_only_copy_can_be_brought_up_to_date_and_reset(course):
    mine(course).chmod(0o444)
    ship(course, text("02-top-1", "# 02, better"), *FIRST[1:])
    learner.update(course)
    assert sources(mine(course))[0] == "# 02, better"
    mine(course).chmod(0o444)
    learner.reset(course, "02")
    assert mine(course).stat().st_mode & 0o200


def test_a_kill_in_the_middle_of_writing_leaves_the_copy_whole(course, monkeypatch):
    before = mine(course).read_bytes()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    ship(course, text("02-top-1", "# 02, better"), *FIRST[1:])
    with pytest.raises(KeyboardInterrupt):
        learner.update(course)
    monkeypatch.undo()
    assert mine(course).read_bytes() == before
    learner.update(course)
    assert sources(mine(course))[0] == "# 02, better"


def test_a_learners_own_notebook_is_no_copy_of_a_lesson(course):
    save(course / "my" / "02_scratch.ipynb", text("x", "mine"))
    ship(course, text("02-top-1", "# 02, better"), *FIRST[1:])
    learner.update(course)
    learner.reset(course, "02")
    assert sources(course / "my" / "02_scratch.ipynb") == ["mine"]


def test_a_lost_record_of_what_was_handed_out_loses_no_answer(course):
    edit(mine(course), **{"02_recall_answer_1": ANSWER})
    shutil.rmtree(course / "my" / ".given")
    ship(course, text("02-top-1", "# 02, better"), *FIRST[1:])
    learner.update(course)
    assert ANSWER in sources(newest(course))


def test_windows_line_ends_in_the_clone_are_no_new_version(course):
    path = course / "notebooks" / "02_measuring.ipynb"
    path.write_bytes(json.dumps(json.loads(path.read_text("utf-8")), indent=1).replace("\n", "\r\n").encode())
    assert learner.outdated(course) == []
    assert learner.update(course) == []


def git(folder, *arguments):
    author = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    done = subprocess.run(["git", *author, *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_whatever_a_learner_does_git_sees_nothing_and_pulls_without_conflict(tmp_path):
    upstream, clone = tmp_path / "upstream", tmp_path / "clone"
    save(upstream / "notebooks" / learner.FIRST, text("00-top-1", "# 00"))
    save(upstream / "notebooks" / "02_measuring.ipynb", *FIRST)
    shutil.copy(ROOT / ".gitignore", upstream)
    git(upstream, "init")
    git(upstream, "add", ".")
    git(upstream, "commit", "-m", "one")
    git(tmp_path, "clone", str(upstream), str(clone))
    learner.copy_new(clone)
    edit(mine(clone), **{"02_recall_answer_1": ANSWER})
    (clone / "my" / "test_mine.py").write_text("def test_it(): assert 0")
    (clone / "my" / ".ipynb_checkpoints").mkdir()
    learner.reset(clone, "00")
    save(upstream / "notebooks" / "02_measuring.ipynb", text("02-top-1", "# 02, better"), *FIRST[1:])
    git(upstream, "commit", "-am", "two")
    git(clone, "pull")
    learner.update(clone)
    assert git(clone, "status", "--porcelain") == ""
    assert ANSWER in sources(newest(clone))


def test_whatever_a_learner_puts_into_my_is_neither_linted_nor_collected(tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "my").mkdir()
    (tmp_path / "my" / "test_mine.py").write_text("import os, sys\ndef test_it(): assert 0\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_ok.py").write_text("def test_ok():\n    pass\n")
    for command in (["ruff", "check", "."], ["pytest", "-p", "no:cacheprovider"]):
        done = subprocess.run([sys.executable, "-m", *command], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
