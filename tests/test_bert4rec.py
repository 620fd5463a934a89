"""BERT4Rec: the contract, which items are hidden, and that no hidden item is read."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import tensor

from contract import sequential, trained, uneven
from recsys_course.base import device
from recsys_course.data import Interactions
from recsys_course.models.bert4rec import BERT4Rec, hide

SMALL = {"dim": 16, "n_layers": 1, "length": 6, "batch_size": 12, "learning_rate": 0.02, "dropout": 0.1}

TestBERT4Rec = trained(sequential(BERT4Rec, **SMALL, epochs=120, last=0.5))

FILLER = 99


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=6), st.floats(0.01, 0.99), st.integers(0, 99))
def test_at_least_one_item_is_hidden_never_all_and_never_filler(lengths, share, seed):
    items = torch.full((len(lengths), 6), FILLER)
    for row, length in enumerate(lengths):
        items[row, 6 - length :] = torch.arange(length)
    hidden = hide(items, share, FILLER, generator(seed))
    assert not hidden[items == FILLER].any()
    for count, length in zip(hidden.sum(dim=1).tolist(), lengths, strict=True):
        assert (1 <= count < length) if length > 1 else count == 0


def test_items_are_hidden_as_often_as_the_share_says_and_everywhere_alike():
    hidden = hide(torch.zeros(4000, 50, dtype=torch.int64), 0.3, FILLER, generator()).float()
    assert hidden.mean() == pytest.approx(0.3, abs=0.005)
    assert hidden.mean(dim=0).min() > 0.26 and hidden.mean(dim=0).max() < 0.34


def test_another_draw_hides_other_items():
    items, source = torch.zeros(1, 20, dtype=torch.int64), generator()
    assert len({tuple(hide(items, 0.5, FILLER, source)[0].tolist()) for _ in range(20)}) == 20


def unlearnt(**settings) -> BERT4Rec:
    train = Interactions.from_events([0] * 6 + [1] * 2, [1, 2, 3, 4, 5, 0, 7, 8], None, None, 2, 12)
    return BERT4Rec(**{**SMALL, "epochs": 0, "dropout": 0.0, **settings}).fit(train)


def test_every_place_reads_both_sides():
    model = unlearnt()
    one, other = tensor([[3, 13, 4, 5]]), tensor([[3, 13, 4, 9]])
    a, b = (model.network_(row.to(device())).detach() for row in (one, other))
    assert (a - b).abs().amax(dim=2).min() > 1e-4  # the first places notice the last


def test_a_step_reads_no_hidden_item_and_judges_hidden_places_alone():
    model, read = unlearnt(), []
    model.network_.register_forward_pre_hook(lambda _, given: read.append(given[0].cpu()))
    window = tensor([[12, 12, 12, 12, 7, 8], [1, 2, 3, 4, 5, 0]])
    judged = []
    model._compare = lambda vectors, targets, users, _: judged.append((len(vectors), targets, users))
    model._loss(tensor([1, 0]), window, generator(4))
    hidden = read[0] == 13
    assert torch.equal(read[0], window.masked_fill(hidden, 13)) and hidden.any(dim=1).all()
    count, targets, users = judged[0]
    assert count == hidden.sum() and torch.equal(targets, window[hidden])
    assert users.tolist() == tensor([1, 0])[hidden.nonzero()[:, 0]].tolist()


def test_some_windows_hide_the_newest_item_alone():
    model, read = unlearnt(last=1.0), []
    model.network_.register_forward_pre_hook(lambda _, given: read.append(given[0].cpu()))
    model._loss(tensor([0]), tensor([[1, 2, 3, 4, 5, 0]]), generator())
    assert read[0].tolist() == [[1, 2, 3, 4, 5, 13]]


def test_the_next_item_is_asked_for_by_one_more_hidden_place():
    model = unlearnt()
    asked = model.network_(tensor([[7, 8, 13]]).to(device()))[0, -1].cpu()
    torch.testing.assert_close(model.sequence_vectors(tensor([1]))[0], asked)
    assert model.item_vectors().shape == (12, 16)


def test_the_hole_for_the_next_item_has_the_same_position_for_everybody():
    model, places = unlearnt(), []
    model.network_.blocks.register_forward_pre_hook(
        lambda _, args, kwargs: places.append(kwargs["places"].cpu()), with_kwargs=True
    )
    model.sequence_vectors(tensor([0]))  # six items
    model.sequence_vectors(tensor([1]))  # two
    assert places[0].tolist() == [[0, 1, 2, 3, 4, 5, 6]] and places[1].tolist() == [[4, 5, 6]]


def test_the_first_loss_is_about_that_of_guessing_among_all_items():
    items = torch.stack([torch.randperm(300, generator=generator(seed))[:8] for seed in range(50)])
    train = Interactions.from_events(torch.arange(50).repeat_interleave(8), items.flatten(), None, None, 50, 300)
    assert BERT4Rec(epochs=1).fit(train).history_.first_loss == pytest.approx(math.log(300), abs=0.12)


@pytest.mark.parametrize("settings", [{"hidden": 0.0}, {"hidden": 1.0}, {"last": 1.5}])
def test_settings_that_make_no_sense_are_refused_in_a_sentence(settings):
    with pytest.raises(ValueError, match="hidden must lie between 0 and 1 and last in 0 to 1, got"):
        BERT4Rec(**settings).fit(uneven())
