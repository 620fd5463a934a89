"""GRU4Rec: the contract, and that neither the future nor filler reaches a state."""

import math

import pytest
import torch
from torch import tensor

from contract import sequential, trained, uneven
from recsys_course.base import device
from recsys_course.data import Interactions
from recsys_course.models.gru4rec import GRU4Rec, Recurrent
from recsys_course.training import seeded

SMALL = {"dim": 16, "length": 6, "epochs": 60, "batch_size": 12, "learning_rate": 0.02, "dropout": 0.1}

TestGRU4Rec = trained(sequential(GRU4Rec, **SMALL))
TestGRU4RecLSTM = sequential(GRU4Rec, **SMALL, cell="lstm")


def reader(cell: str) -> Recurrent:
    with seeded(1):
        return Recurrent(9, 8, 1, 0.0, cell).eval()


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_another_future_never_changes_what_a_place_has_read(cell):
    one, other = (reader(cell)(tensor([row])) for row in ([3, 1, 4, 0, 5], [3, 1, 4, 7, 2]))
    torch.testing.assert_close(one[:, :3], other[:, :3])
    assert (one[:, 3:] - other[:, 3:]).abs().amax(dim=2).min() > 1e-3


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_filler_in_front_never_changes_a_state(cell):
    alone = reader(cell)(tensor([[3, 1]]))
    padded = reader(cell)(tensor([[9, 9, 9, 3, 1], [2, 8, 0, 4, 6]]))
    torch.testing.assert_close(padded[:1, 3:], alone)
    naive = reader(cell).cells(reader(cell).items(tensor([[9, 9, 9, 3, 1]])))[0]
    assert (reader(cell).norm(naive)[:, 3:] - alone).abs().max() > 1e-3  # what the turn is for


def test_every_place_reads_the_items_up_to_itself_whatever_stands_in_other_rows():
    rows = tensor([[9, 9, 3, 1, 4], [9, 9, 9, 9, 2], [5, 6, 7, 8, 0]])
    every = reader("gru")(rows)
    for row, states in zip(rows, every, strict=True):
        items = row[row != 9]
        torch.testing.assert_close(states[5 - len(items) :], reader("gru")(items[None])[0])


def test_the_first_loss_is_about_that_of_guessing_among_all_items():
    generator = torch.Generator().manual_seed(0)
    items = torch.stack([torch.randperm(300, generator=generator)[:8] for _ in range(50)])
    train = Interactions.from_events(torch.arange(50).repeat_interleave(8), items.flatten(), None, None, 50, 300)
    model = GRU4Rec(epochs=1).fit(train)
    assert model.history_.first_loss == pytest.approx(math.log(300), abs=0.12)
    assert model.network_.items.weight.device.type == device().type


def test_an_unknown_cell_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="cell must be one of gru, lstm, got 'rnn'"):
        GRU4Rec(cell="rnn").fit(uneven())
