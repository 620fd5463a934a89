"""Bytes by arithmetic, held against numbers that fit on a napkin and against what torch holds."""

import pytest
import torch
from torch import nn

from recsys_course.distributed.arithmetic import (
    OPTIMIZERS,
    efficiency,
    exchange_bytes,
    ring_bytes,
    state_bytes,
    training_bytes,
)

OF_TORCH = {
    "sgd": torch.optim.SGD,
    "momentum": lambda weights: torch.optim.SGD(weights, momentum=0.9),
    "adagrad": torch.optim.Adagrad,
    "adam": torch.optim.Adam,
}


@pytest.mark.parametrize("name", OF_TORCH)
def test_the_state_is_what_torchs_optimiser_holds(name):
    table = nn.Embedding(50, 8)
    optimizer = OF_TORCH[name](table.parameters())
    table.weight.sum().backward()
    optimizer.step()
    kept = [value for value in optimizer.state[table.weight].values() if torch.is_tensor(value) and value.ndim]
    assert sum(value.nbytes for value in kept) == state_bytes(50, 8, name)


def test_a_billion_rows_of_64_numbers_take_256_gb_and_with_adam_four_times_that():
    sizes = training_bytes(10**9, 64)
    assert sizes["weights"] == 256e9
    assert sum(sizes.values()) == 1024e9


def test_rowwise_adagrad_adds_four_bytes_a_row():
    assert state_bytes(10**9, 64, "rowwise_adagrad") == 4e9


@pytest.mark.parametrize(
    ("stage", "total"), [(0, 100 + 100 + 200), (1, 100 + 100 + 50), (2, 100 + 25 + 50), (3, 25 + 25 + 50)]
)
def test_each_stage_divides_one_part_more(stage, total):
    assert sum(training_bytes(25, 1, stage=stage, workers=4).values()) == total


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_fully_sharded_parts_of_all_processes_add_up_to_one_whole(optimizer):
    whole = training_bytes(12, 5, optimizer)
    part = training_bytes(12, 5, optimizer, stage=3, workers=4)
    assert {name: 4 * size for name, size in part.items()} == whole


@pytest.mark.parametrize("call", [{"optimizer": "lion"}, {"stage": 4}, {"workers": 0}])
def test_what_is_unknown_is_refused(call):
    with pytest.raises(ValueError, match="must be"):
        training_bytes(10, 2, **call)


def test_a_process_alone_sends_nothing():
    assert ring_bytes(1000, 1) == 0
    assert exchange_bytes(1000, 8, 1) == 0


def test_an_exchange_sends_ids_vectors_and_gradients_of_the_rows_of_others():
    assert exchange_bytes(lookups=4, dim=1, workers=4) == 3 * (8 + 4 + 4)


def test_an_efficiency_of_one_is_twice_the_throughput_with_two():
    assert efficiency(one=10, many=20, workers=2) == 1
    assert efficiency(one=10, many=10, workers=2) == 0.5
