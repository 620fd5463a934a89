"""What one process can show: the data on disk, checkpoints, and the loop without a group."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_course.data import Interactions
from recsys_course.distributed import ShardedEmbedding, Shards, alone, launch, launch_all, write_shards
from recsys_course.distributed.checkpoint import load_checkpoint, save_checkpoint
from soak import likes


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_shards(likes(), tmp_path_factory.mktemp("likes"), n_shards=6)


def same_weights(one, other) -> bool:
    return all(torch.equal(one["weights"][name], weight) for name, weight in other["weights"].items())


# --- data on disk


def test_four_likes_in_two_shards_are_read_back_as_they_were(tmp_path):
    four = Interactions.from_events([0, 1, 2, 3], [5, 6, 7, 8])
    shards = Shards(write_shards(four, tmp_path, n_shards=2))
    rows, users, items = shards.batch(0, 4)
    assert rows.tolist() == [0, 1, 2, 3]
    assert sorted(zip(users.tolist(), items.tolist(), strict=True)) == [(0, 5), (1, 6), (2, 7), (3, 8)]
    assert users.dtype == items.dtype == rows.dtype == torch.int64
    assert (shards.n_users, shards.n_items, shards.n_rows, shards.steps(2)) == (4, 9, 4, 2)


def test_what_does_not_fill_the_shards_evenly_is_left_out(tmp_path):
    five = Interactions.from_events([0, 1, 2, 3, 4], [0, 0, 0, 0, 0])
    assert Shards(write_shards(five, tmp_path, n_shards=2)).n_rows == 4


def test_a_process_opens_its_own_files_alone_and_maps_them(tmp_path):
    write_shards(likes(), tmp_path, n_shards=4)
    for shard in (0, 2):
        for name in ("users", "items"):
            (tmp_path / f"{name}-{shard}.npy").unlink()
    shards = Shards(tmp_path, rank=1, world=2)
    assert len(shards.batch(0, 8)[0]) == 4
    assert all(isinstance(column, np.memmap) for column in shards._columns.values())


@settings(max_examples=30, deadline=None)
@given(
    world=st.sampled_from([1, 2, 3, 6]), share=st.integers(1, 40), epoch=st.integers(0, 3), seed=st.integers(0, 2**31)
)
def test_all_processes_together_read_each_row_once_an_epoch_in_the_batches_of_one(data, world, share, epoch, seed):
    size = 6 * share
    one = Shards(data, seed=seed)
    many = [Shards(data, rank, world, seed=seed) for rank in range(world)]
    steps, read = one.steps(size), []
    for step in range(epoch * steps, (epoch + 1) * steps):
        parts = [shards.batch(step, size)[0] for shards in many]
        assert {len(part) for part in parts} == {size // world}
        together = torch.cat(parts).sort().values
        assert torch.equal(together, one.batch(step, size)[0].sort().values)
        read += together.tolist()
    assert len(set(read)) == len(read) == steps * size


def test_a_batch_depends_on_its_step_alone_and_not_on_what_was_read_before(data):
    read = [rows for step in range(20) for rows in [Shards(data).batch(step, 96)[0]]]
    shards = Shards(data)
    assert all(torch.equal(shards.batch(step, 96)[0], read[step]) for step in reversed(range(20)))


def test_each_epoch_has_an_order_of_its_own_unless_reshuffling_is_forgotten(data):
    right, wrong = Shards(data), Shards(data, reshuffle=False)
    steps = right.steps(96)
    assert torch.equal(wrong.batch(0, 96)[0], wrong.batch(steps, 96)[0])
    assert not torch.equal(right.batch(0, 96)[0], right.batch(steps, 96)[0])
    assert torch.equal(right.batch(0, 96)[0], wrong.batch(0, 96)[0])


def test_what_cannot_be_dealt_evenly_is_refused_in_one_sentence(data, tmp_path):
    with pytest.raises(ValueError, match="6 shards cannot be dealt evenly to 4 processes: write a multiple of 4"):
        Shards(data, world=4)
    with pytest.raises(ValueError, match=r"must be a multiple of 6 shards and at most 996, got 64"):
        Shards(data).batch(0, 64)
    with pytest.raises(ValueError, match="1000 events cannot be dealt to 1001 shards"):
        write_shards(likes(), tmp_path, n_shards=1001)


# --- checkpoints


def test_a_checkpoint_is_read_back_as_it_was_and_leaves_no_other_file(tmp_path):
    path = tmp_path / "c.pt"
    assert load_checkpoint(path) is None
    save_checkpoint({"step": 3, "weights": torch.arange(4)}, path)
    state = load_checkpoint(path, step=3)
    assert state["weights"].tolist() == [0, 1, 2, 3]
    assert [file.name for file in tmp_path.iterdir()] == ["c.pt"]


def test_whoever_dies_half_way_leaves_the_old_checkpoint_whole(tmp_path):
    path = tmp_path / "c.pt"
    save_checkpoint({"step": 1}, path)

    def die():
        assert load_checkpoint(path) == {"step": 1}
        assert (tmp_path / "c.pt.part").stat().st_size > 0
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_checkpoint({"step": 2}, path, die)
    assert load_checkpoint(path) == {"step": 1}
    save_checkpoint({"step": 3}, path)
    assert load_checkpoint(path) == {"step": 3}
    assert [file.name for file in tmp_path.iterdir()] == ["c.pt"]


def test_a_checkpoint_reaches_the_disk_before_it_gets_its_name(tmp_path, monkeypatch):
    done = []
    sync, replace = "recsys_course.distributed.checkpoint.os.fsync", "recsys_course.distributed.checkpoint.os.replace"
    monkeypatch.setattr(sync, lambda _: done.append("fsync"))
    monkeypatch.setattr(replace, lambda *_: done.append("rename"))
    save_checkpoint({}, tmp_path / "c.pt")
    assert done[:2] == ["fsync", "rename"]


def test_the_checkpoint_of_another_training_is_refused(data, tmp_path):
    options = {"data": data, "batch_size": 96, "steps": 4, "every": 2, "folder": tmp_path}
    alone("ddp", **options)
    with pytest.raises(ValueError, match="belongs to another training, its recipe is"):
        alone("ddp", **options, learning_rate=0.5)


# --- the loop, alone


def test_it_learns_from_the_logarithm_of_the_catalogue_downwards(data):
    result = alone("ddp", data=data, batch_size=96, steps=60, optimizer="adam", learning_rate=0.02)
    assert result["losses"][0] == pytest.approx(np.log(60), rel=0.1)
    assert result["losses"][-5:].mean() < result["losses"][:5].mean() - 0.2


def test_parts_of_a_batch_whatever_their_lengths_give_the_same_weights(data):
    options = {"data": data, "batch_size": 96, "steps": 5}
    whole = alone("ddp", **options)
    for accumulate in (2, 7, 96):  # 96 events in 7 parts: some have 14 and some 13
        parts = alone("ddp", **options, accumulate=accumulate)
        for name, weight in whole["weights"].items():
            assert torch.allclose(parts["weights"][name], weight, atol=1e-6)


def test_a_training_in_two_parts_ends_where_one_in_one_part_does_dropout_included(data, tmp_path):
    options = {"data": data, "batch_size": 96, "optimizer": "adam", "learning_rate": 0.01, "dropout": 0.3, "every": 3}
    straight = alone("ddp", **options, steps=10)
    alone("ddp", **options, steps=7, folder=tmp_path)
    resumed = alone("ddp", **options, steps=10, folder=tmp_path)
    assert resumed["resumed_at"] == 6  # step 7 was never saved and is done again
    assert torch.equal(resumed["rows"], straight["rows"])
    assert torch.equal(resumed["losses"], straight["losses"])
    assert same_weights(resumed, straight)


def test_a_training_leaves_the_global_generator_as_it_was(data):
    before = torch.get_rng_state()
    alone("ddp", data=data, batch_size=96, dropout=0.5)
    assert torch.equal(torch.get_rng_state(), before)


def test_bfloat16_stays_near_float32_with_weights_in_float32(data):
    options = {"data": data, "batch_size": 96}
    exact, rough = alone("ddp", **options), alone("ddp", **options, precision="bfloat16")
    assert all(weight.dtype == torch.float32 for weight in rough["weights"].values())
    assert not same_weights(rough, exact)
    assert torch.allclose(rough["losses"], exact["losses"], atol=0.05)


def test_a_process_knows_the_bytes_that_it_holds(data):
    options = {"data": data, "batch_size": 96, "dim": 8}
    numbers = 40 * 8 + (8 * 8 + 8) + (8 * 60 + 60)  # users, one layer, items
    held = alone("ddp", **options)["bytes"]
    assert held == {"parameters": 4 * numbers, "gradients": 4 * numbers, "optimizer": 0}
    adam = alone("ddp", **options, optimizer="adam")["bytes"]["optimizer"]
    assert adam == 2 * 4 * numbers + 5 * 4  # and a counter of its steps for each of the five tensors


# --- what is refused


@pytest.mark.parametrize(
    "job, options, sentence",
    [
        ("dp", {}, "no job is called 'dp': choose from ddp, elastic, fsdp2, sharded"),
        ("ddp", {"step": 3}, "no option is called 'step': choose from data, steps"),
        ("ddp", {"data": None}, "data is missing"),
        ("ddp", {"optimizer": "lion"}, "optimizer must be one of sgd, adam, got 'lion'"),
        ("ddp", {"reduce": "max"}, "reduce must be one of mean, sum, got 'max'"),
        ("ddp", {"precision": "float16"}, "precision must be one of float32, bfloat16, got 'float16'"),
        ("ddp", {"steps": 0}, "steps must be at least 1, got 0"),
        ("sharded", {"every": 5}, "with sharded none has a whole one: leave every at 0"),
        ("fsdp2", {"every": 5}, "with fsdp2 none has a whole one: leave every at 0"),
        ("ddp", {"accumulate": 0}, "accumulate must be at least 1, got 0"),
    ],
)
def test_a_mistake_is_refused_before_any_process_starts(job, options, sentence, data, monkeypatch):
    monkeypatch.setattr("recsys_course.distributed.processes._run", lambda *_: pytest.fail("processes were started"))
    options = {name: value for name, value in ({"data": data} | options).items() if value is not None}
    for way in (launch, alone):
        with pytest.raises(ValueError, match=sentence):
            way(job, **options)


def test_processes_that_could_not_share_the_data_are_refused_before_any_starts(data, monkeypatch):
    monkeypatch.setattr("recsys_course.distributed.processes._run", lambda *_: pytest.fail("processes were started"))
    with pytest.raises(ValueError, match="6 shards cannot be dealt evenly to 4 processes"):
        launch_all([("ddp", {"data": data})], processes=4)
    with pytest.raises(ValueError, match="processes must be at least 1, got 0"):
        launch("ddp", 0, data=data)


def test_rows_are_dealt_in_a_group_alone():
    with pytest.raises(ValueError, match="start it first"):
        ShardedEmbedding(torch.zeros(4, 2))


# --- logs


def test_tensorboard_reads_each_step_once_though_some_were_done_twice(data, tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    options = {"data": data, "batch_size": 96, "every": 3, "log": True, "folder": tmp_path}
    alone("ddp", **options, steps=5)
    result = alone("ddp", **options, steps=8)  # goes on at step 3: steps 4 and 5 are logged again
    logs = EventAccumulator(str(tmp_path / "logs")).Reload()
    scalars = logs.Scalars("loss")
    assert [scalar.step for scalar in scalars] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [scalar.value for scalar in scalars] == pytest.approx(result["losses"].tolist())
    assert all(scalar.value > 0 for scalar in logs.Scalars("events per second"))
