"""A learner's record: nothing is lost, whoever writes and whatever is killed."""

import json
import os
import subprocess
import sys
import time

import pytest

from recsys_course import journal, progress

WRITER = """
import sys
from recsys_course import progress
for n in range(int(sys.argv[2])):
    progress.record(f"02.{sys.argv[1]}", "failed", n=n)
"""


def writer(name, n_events):
    return subprocess.Popen([sys.executable, "-c", WRITER, name, str(n_events)])


def file():
    return progress.JOURNAL.path


def test_an_event_is_one_line_of_json(state):
    progress.record("02.recall", "hint", n=2)
    (line,) = (state / "progress.jsonl").read_text(encoding="utf-8").splitlines()
    event = json.loads(line)
    assert {key: event[key] for key in ("exercise", "outcome", "n")} == {
        "exercise": "02.recall",
        "outcome": "hint",
        "n": 2,
    }
    assert event["time"].endswith("+00:00")


def test_without_a_record_there_is_nothing_and_nothing_is_made(state):
    assert progress.events() == []
    assert progress.summary() == {}
    assert not state.exists()


def test_an_outcome_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match="no outcome 'perfect': one of passed, failed"):
        progress.record("02.recall", "perfect")


def test_the_summary_counts_attempts_hints_and_the_first_pass():
    for outcome in ("unwritten", "failed", "failed", "passed", "failed", "passed", "solution"):
        progress.record("02.recall", outcome)
    for n in (1, 2, 2):
        progress.record("02.recall", "hint", n=n)
    times = [event["time"] for event in progress.events()]
    assert progress.summary() == {
        "02.recall": progress.Standing(attempts=5, passed=times[3], hints=2, seen=True, last=times[-1])
    }


def test_several_processes_write_at_once_and_lose_nothing():
    writers = [writer(f"writer-{n}", 60) for n in range(4)]
    assert [one.wait(60) for one in writers] == [0] * 4
    assert len(file().read_bytes().splitlines()) == 240
    standings = progress.summary()
    assert [standings[f"02.writer-{n}"].attempts for n in range(4)] == [60] * 4


def test_a_process_killed_in_the_middle_loses_no_line_but_its_last():
    victim, bystander = writer("victim", 10**6), writer("bystander", 60)
    while not any(event["exercise"] == "02.victim" for event in progress.events()):
        time.sleep(0.01)
    victim.kill()
    assert bystander.wait(60) == 0
    assert victim.wait(60) != 0
    progress.record("02.recall", "passed")
    lines = file().read_bytes().splitlines()
    assert len(progress.events()) >= len(lines) - 1
    numbers = [event["n"] for event in progress.events() if event["exercise"] == "02.victim"]
    assert sorted(numbers) == list(range(len(numbers)))
    assert progress.summary()["02.bystander"].attempts == 60
    assert progress.summary()["02.recall"].passed


def test_a_process_that_keeps_the_lock_is_waited_for_but_not_for_ever(monkeypatch):
    progress.record("02.recall", "failed")
    code = "import sys; from recsys_course import progress\n"
    code += "with progress.JOURNAL.open(): print(flush=True); sys.stdin.read()"
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.PIPE)
    try:
        holder.stdout.readline()
        monkeypatch.setattr(journal, "LOCK_WAIT", 0.3)
        began = time.monotonic()
        progress.record("02.recall", "passed")
        assert 0.3 <= time.monotonic() - began < 3
        assert progress.summary()["02.recall"].passed
    finally:
        holder.kill()
        holder.communicate()


@pytest.mark.parametrize(
    "torn", [b'{"time": "2026', b"\0\0\0\0", b"[1, 2]", b'{"time": 5, "exercise": "a", "outcome": "b"}', b"\xff\xfe"]
)
def test_a_torn_line_is_skipped_and_the_next_one_starts_afresh(torn):
    progress.record("02.recall", "failed")
    with open(file(), "ab") as record:
        record.write(torn)
    assert len(progress.events()) == 1
    progress.record("02.recall", "passed")
    assert [event["outcome"] for event in progress.events()] == ["failed", "passed"]


def test_a_full_disk_is_an_error_and_does_not_spoil_the_next_event(monkeypatch):
    write = os.write
    with monkeypatch.context() as disk, pytest.raises(OSError, match="is full"):
        disk.setattr(os, "write", lambda file, data: write(file, data[:10]))
        progress.record("02.recall", "failed")
    progress.record("02.recall", "passed")
    assert [event["outcome"] for event in progress.events()] == ["passed"]


class TestMoving:
    @pytest.fixture
    def machines(self, tmp_path, monkeypatch):
        """Two exported records: ``a`` and ``b`` share one event and have one of their own each."""

        def on(machine):
            monkeypatch.setenv("RECSYS_COURSE_STATE", str(tmp_path / machine))

        on("a")
        progress.record("01.shared", "passed")
        journal.export([progress.JOURNAL], tmp_path / "shared.jsonl")
        progress.record("02.only-a", "failed")
        journal.export([progress.JOURNAL], tmp_path / "a.jsonl")
        on("b")
        journal.merge([progress.JOURNAL], tmp_path / "shared.jsonl")
        progress.record("03.only-b", "passed")
        journal.export([progress.JOURNAL], tmp_path / "b.jsonl")
        return on

    def test_the_order_of_merging_does_not_matter(self, machines, tmp_path):
        results = []
        for order in (("a", "b"), ("b", "a")):
            machines("-".join(order))
            assert [journal.merge([progress.JOURNAL], tmp_path / f"{name}.jsonl") for name in order] == [2, 1]
            journal.export([progress.JOURNAL], tmp_path / "both.jsonl")
            results.append((tmp_path / "both.jsonl").read_bytes())
        assert results[0] == results[1]
        assert [event["exercise"] for event in progress.events()] == ["01.shared", "02.only-a", "03.only-b"]

    def test_merging_twice_changes_nothing(self, machines, tmp_path):
        machines("b")
        assert journal.merge([progress.JOURNAL], tmp_path / "a.jsonl") == 1
        before = file().read_bytes()
        assert journal.merge([progress.JOURNAL], tmp_path / "a.jsonl") == 0
        assert journal.merge([progress.JOURNAL], tmp_path / "b.jsonl") == 0
        assert file().read_bytes() == before

    def test_a_file_that_is_no_record_is_refused(self, tmp_path):
        (tmp_path / "ratings.csv").write_text("user,item\n1,2\n")
        with pytest.raises(ValueError, match=r"ratings.csv holds no events: was it written by"):
            journal.merge([progress.JOURNAL], tmp_path / "ratings.csv")
        with pytest.raises(FileNotFoundError):
            journal.merge([progress.JOURNAL], tmp_path / "missing")

    def test_an_empty_record_can_be_moved_as_well(self, tmp_path):
        assert journal.export([progress.JOURNAL], tmp_path / "empty.jsonl") == 0
        assert journal.merge([progress.JOURNAL], tmp_path / "empty.jsonl") == 0

    def test_export_leaves_no_half_written_file(self, tmp_path, monkeypatch):
        progress.record("02.recall", "passed")
        (tmp_path / "old.jsonl").write_text("old")

        def fails(*_):
            raise OSError("no space")

        monkeypatch.setattr(os, "replace", fails)
        with pytest.raises(OSError, match="no space"):
            journal.export([progress.JOURNAL], tmp_path / "old.jsonl")
        assert (tmp_path / "old.jsonl").read_text() == "old"
        assert [path.name for path in tmp_path.glob("*.jsonl*")] == ["old.jsonl"]


class TestTable:
    @pytest.fixture
    def course(self, tmp_path, monkeypatch):
        (tmp_path / "l01.py").write_text('A = Exercise(id="01.a", points=1)\nB = Exercise(points=2, id="01.b")\n')
        (tmp_path / "l02.py").write_text('EXERCISES = (Exercise(id="02.c"),)\nraise RuntimeError("never imported")\n')
        ids = progress.exercise_ids(tmp_path)
        monkeypatch.setattr(progress, "exercise_ids", lambda: ids)
        return ids

    def test_exercises_are_found_without_importing_them(self, course):
        assert course == {"01": ["01.a", "01.b"], "02": ["02.c"]}

    def test_a_lesson_counts_what_passed(self, course):
        progress.record("01.a", "failed")
        progress.record("01.a", "passed")
        progress.record("01.b", "failed")
        last = progress.events()[-1]["time"]
        assert progress.table() == [progress.Row("01", 1, 2, last), progress.Row("02", 0, 1, "")]
        assert progress.table(["02", "07"]) == [progress.Row("02", 0, 1, ""), progress.Row("07", 0, 0, "")]

    def test_the_report_has_a_line_for_each_lesson(self, course):
        progress.record("02.c", "passed")
        header, first, second = progress.report().splitlines()
        assert header.split() == ["lesson", "passed", "last", "activity"]
        assert first.split() == ["01", "0", "of", "2", "-"]
        assert second.split()[:4] == ["02", "1", "of", "1"]

    def test_nothing_heavy_is_imported(self):
        code = (
            "import sys; from recsys_course import progress; progress.report()\n"
            "print({'torch', 'numpy', 'pandas', 'rich'} & set(sys.modules))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == "set()\n"
