"""What several processes do: the same as one, whatever dies, and without a trace."""

import contextlib
import subprocess
import sys
import tempfile
import time

import psutil
import pytest
import torch

import soak
from recsys_course.data import Interactions
from recsys_course.distributed import LaunchError, alone, launch, launch_all, write_shards

TEN = {"batch_size": 96, "steps": 10}
SGD = {"optimizer": "sgd", "learning_rate": 1.0}
ADAM = {"optimizer": "adam", "learning_rate": 0.01}
JOBS = {
    "ddp": ("ddp", SGD),
    "ddp in parts": ("ddp", SGD | {"accumulate": 5}),
    "ddp with adam": ("ddp", ADAM),
    "ddp in bfloat16": ("ddp", SGD | {"precision": "bfloat16"}),
    "fsdp2": ("fsdp2", SGD),
    "fsdp2 in parts": ("fsdp2", SGD | {"accumulate": 5}),
    "fsdp2 with adam": ("fsdp2", ADAM),
    "sharded": ("sharded", SGD),
    "sharded in parts": ("sharded", SGD | {"accumulate": 5}),
    "sharded with adam": ("sharded", ADAM),
    "sum": ("ddp", SGD | {"reduce": "sum"}),
    "sum with adam": ("ddp", ADAM | {"reduce": "sum"}),
}
RIGHT = [name for name in JOBS if "sum" not in name and "bfloat16" not in name]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_shards(soak.likes(), tmp_path_factory.mktemp("likes"), n_shards=6)


@pytest.fixture
def own_temporary_files(tmp_path, monkeypatch):
    """A folder of temporary files that is empty, and must be so again."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture(scope="module")
def of_two(data):
    """The results of every job in two processes, which start once."""
    jobs = [(job, {"data": data} | TEN | options) for job, options in JOBS.values()]
    return dict(zip(JOBS, launch_all(jobs), strict=True))


@pytest.fixture(scope="module")
def of_one(data):
    """The results of the same jobs in one process."""
    return {name: alone(job, data=data, **TEN, **options) for name, (job, options) in JOBS.items()}


def distance(result, other) -> float:
    return max(float((weight - other["weights"][name]).abs().max()) for name, weight in result["weights"].items())


def workers(folder) -> list[psutil.Process]:
    """torchrun and its processes that keep their files below this folder; they say so on their command lines."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "recsys_course.distributed" in words and any(str(folder) in word for word in words):
            found.append(process)
    return found


# --- several equal one


@pytest.mark.parametrize("name", RIGHT)
def test_two_processes_equal_one_on_the_same_batches(name, of_one, of_two):
    one, two = of_one[name], of_two[name]
    assert set(two["weights"]) == set(one["weights"])
    assert distance(two, one) < 1e-5
    assert torch.allclose(two["losses"], one["losses"], atol=1e-5)
    assert torch.equal(two["rows"].sort().values, one["rows"].sort().values)
    assert len(two["ranks"]) == 2


@pytest.mark.parametrize("name", RIGHT)
def test_the_processes_end_with_the_same_weights_bit_for_bit(name, of_two):
    first, second = of_two[name]["ranks"]
    assert distance(first, second) == 0


def test_the_weights_have_moved_a_thousand_times_further_than_one_and_two_differ(of_one, data):
    start = alone("ddp", data=data, **TEN | {"steps": 1}, learning_rate=1e-9)
    assert distance(of_one["ddp"], start) > 1e-2


def test_a_sum_of_gradients_is_twice_the_learning_rate_with_sgd_and_hidden_by_adam(of_one, of_two, data):
    twice = alone("ddp", data=data, **TEN, **SGD | {"learning_rate": 2.0})
    assert distance(of_two["sum"], twice) < 1e-5
    assert distance(of_two["sum"], of_one["ddp"]) > 1e-2
    assert distance(of_two["sum with adam"], of_one["ddp with adam"]) < 1e-3


def test_bfloat16_in_two_processes_stays_near_bfloat16_in_one(of_one, of_two):
    assert distance(of_two["ddp in bfloat16"], of_one["ddp in bfloat16"]) < 1e-2


def test_fsdp2_holds_half_of_everything_and_ddp_all(of_one, of_two):
    for name in ("ddp with adam", "fsdp2 with adam"):
        whole = of_one[name]["bytes"]
        for rank in of_two[name]["ranks"]:
            share = 2 if name.startswith("fsdp2") else 1
            assert rank["bytes"]["parameters"] == whole["parameters"] / share
            assert rank["bytes"]["gradients"] == whole["gradients"] / share
    counters = 5 * 4  # Adam counts its steps for each of five tensors, wherever they are
    whole, half = (of_two[f"{job} with adam"]["bytes"]["optimizer"] - counters for job in ("ddp", "fsdp2"))
    assert half == whole / 2


def test_each_process_holds_its_rows_of_a_sharded_table_and_all_of_the_rest(of_one, of_two):
    users = 4 * 40 * 32  # bytes of 40 vectors of 32 numbers
    rest = of_one["sharded"]["bytes"]["parameters"] - users
    assert [rank["bytes"]["parameters"] for rank in of_two["sharded"]["ranks"]] == [rest + users / 2] * 2


def test_with_three_processes_one_may_have_no_row_and_nobody_asks_it(tmp_path, data):
    generator = torch.Generator().manual_seed(5)
    users, items = (torch.randint(n, (120,), generator=generator) for n in (2, 9))
    two_users = write_shards(Interactions.from_events(users, items), tmp_path, n_shards=3)
    options = {"data": two_users, "batch_size": 12, **SGD}
    jobs = [("sharded", options), ("fsdp2", {"data": data} | TEN | SGD), ("ddp", {"data": data} | TEN | SGD)]
    for (job, chosen), three in zip(jobs, launch_all(jobs, processes=3), strict=True):
        assert distance(three, alone(job, **chosen)) < 1e-5


# --- whatever dies


@pytest.fixture(scope="module")
def calm(data, tmp_path_factory):
    folder = write_shards(soak.likes(), tmp_path_factory.mktemp("soak"))
    return folder, soak.undisturbed(folder)


@pytest.mark.parametrize("seed", [1, 5, 7])
def test_a_run_whose_worker_was_killed_equals_an_undisturbed_one(seed, calm, own_temporary_files):
    print(soak.trial(seed, *calm))
    assert list(own_temporary_files.iterdir()) == []


def test_the_three_trials_kill_within_a_step_from_outside_and_within_a_checkpoint():
    assert [soak.draw(seed).moment for seed in (1, 5, 7)] == ["gradient", "outside", "writing"]


# --- without a trace


def test_a_worker_that_is_killed_for_good_is_named_and_nothing_stays_behind(data, tmp_path, own_temporary_files):
    options = {"data": data, "batch_size": 96, "every": 3, "folder": tmp_path / "kept"}
    with pytest.raises(LaunchError, match=r"^process 1 was killed by signal 9, and no restart was left$"):
        launch("elastic", **options, kills=[[1, 7, "step"]])
    assert not psutil.Process().children(recursive=True)
    assert list(own_temporary_files.iterdir()) == []
    assert [file.name for file in (tmp_path / "kept").iterdir()] == ["checkpoint.pt"]
    with pytest.raises(ValueError, match="belongs to another training, its world is 2 and not 1"):
        alone("elastic", **options)


def test_a_worker_that_fails_says_why_and_nothing_stays_behind(tmp_path, own_temporary_files):
    broken = write_shards(soak.likes(), tmp_path, n_shards=2)
    (broken / "items-1.npy").unlink()
    with pytest.raises(LaunchError, match=r"^process 1 failed: FileNotFoundError: .*items-1.npy'$"):
        launch("ddp", data=broken)
    assert not psutil.Process().children(recursive=True)
    assert list(own_temporary_files.iterdir()) == []


def test_who_takes_too_long_is_stopped_and_nothing_stays_behind(data, own_temporary_files):
    connections = {c.laddr for c in psutil.Process().net_connections()}
    with pytest.raises(LaunchError, match="not done after 2 seconds and have been stopped"):
        launch("ddp", data=data, batch_size=96, steps=10**6, timeout=2)
    assert not psutil.Process().children(recursive=True)
    assert {c.laddr for c in psutil.Process().net_connections()} == connections
    assert list(own_temporary_files.iterdir()) == []


def test_without_a_port_one_sentence_says_so(data, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("socket.socket.bind", refuse)
    with pytest.raises(LaunchError, match=r"no port can be opened for the processes to talk .*Permission denied"):
        launch("ddp", data=data, batch_size=96)


def test_when_the_notebook_is_killed_its_processes_end_and_take_their_files_with_them(data, own_temporary_files):
    code = (
        "import sys, tempfile; from recsys_course.distributed import launch; tempfile.tempdir = sys.argv[1]; "
        "launch('ddp', data=sys.argv[2], batch_size=96, steps=10**9, timeout=600)"
    )
    notebook = subprocess.Popen([sys.executable, "-c", code, str(own_temporary_files), str(data)])
    try:
        started = _wait(lambda: workers(own_temporary_files)[2:] and workers(own_temporary_files))
        _wait(lambda: [address for process in started for address in _listening(process)][1:])
        assert {address for process in started for address in _listening(process)} == {"127.0.0.1"}
    finally:
        notebook.kill()
        notebook.wait()
    _wait(lambda: not workers(own_temporary_files))
    _wait(lambda: not list(own_temporary_files.iterdir()))


def _listening(process: psutil.Process) -> list[str]:
    """Addresses at which a process waits for others."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return [c.laddr.ip for c in process.net_connections() if c.status == psutil.CONN_LISTEN]
    return []


def _wait(condition, seconds=60.0):
    """Until the condition holds; its value then."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)
    return value
