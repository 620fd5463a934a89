"""Tests that are red on the code as it was found, and green once it is mended."""

import copy

import numpy as np
import torch
from answer import score, train
from torch import nn

from recsys_course.interview.expect import close, true

EPOCHS, ROWS = 3, 128
torch.optim.SGD(nn.Linear(1, 1).parameters())  # what the first optimiser loads is no part of a test


def _network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1), nn.Flatten(0))


def _data():
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(ROWS + 37, 3)) + 1.0
    clicks = rng.random(len(rows)) < 1 / (1 + np.exp(-rows[:, 0]))
    return rows[:ROWS], clicks[:ROWS], (rows[ROWS:], clicks[ROWS:])


def _trained():
    model, (rows, clicks, held_out) = _network(), _data()
    return model, train(model, rows, clicks, held_out, epochs=EPOCHS), held_out


def _by_hand(model, rows):
    """The scores of a copy that is in evaluation mode."""
    with torch.no_grad():
        return torch.sigmoid(copy.deepcopy(model).eval()(torch.as_tensor(rows, dtype=torch.float32))).numpy()


def _count(passed, module, rows):
    """Adds the rows that pass a layer in training mode."""
    passed[type(module)] += len(rows) * module.training


def test_the_others_of_a_request():
    """A row has the same score alone and beside others."""
    model, _, (rows, _) = _trained()
    whole = score(model, rows)
    for part in (slice(0, 1), slice(0, 5), slice(20, 37)):
        call = f"scores of rows {part.start} to {part.stop - 1} of 37, alone"
        close(score(model, rows[part]), whole[part].astype(float), call, tolerance=1e-5)


def test_asked_again():
    """The same request has the same scores each time."""
    model, _, (rows, _) = _trained()
    first = score(model, rows)
    close(score(model, rows), first.astype(float), "scores of the same rows, asked again", tolerance=1e-6)


def test_the_scores():
    """Scores are those of the network in evaluation mode, also in requests of another kind than the training."""
    model, _, (rows, _) = _trained()
    for shift in (0.0, 3.0):
        want = _by_hand(model, rows + shift).astype(float)
        close(score(model, rows + shift), want, f"scores of 37 rows shifted by {shift}", tolerance=1e-5)


def test_scoring_leaves_the_model_alone():
    """Weights and running averages are the same after a request."""
    model, _, (rows, _) = _trained()
    before = copy.deepcopy(model.state_dict())
    score(model, rows)
    for name, value in model.state_dict().items():
        close(value.numpy(), before[name].numpy().astype(float), f"`{name}` after a request")


def test_training_trains():
    """Training rows, and no others, pass dropout and batch normalisation in training mode, in every epoch."""
    model, (rows, clicks, held_out) = _network(), _data()
    passed = {nn.BatchNorm1d: 0, nn.Dropout: 0}
    for module in model:
        if type(module) in passed:
            module.register_forward_pre_hook(lambda m, given: _count(passed, m, given[0]))
    train(model, rows, clicks, held_out, epochs=EPOCHS)
    for kind, count in passed.items():
        want = f"{EPOCHS} epochs of {ROWS} rows"
        true(count == EPOCHS * ROWS, f"{count} rows passed {kind.__name__} in training mode, not {want}")


def test_the_loss_on_held_out_rows():
    """The last loss of the history is that of the finished network."""
    model, history, (rows, clicks) = _trained()
    chances = _by_hand(model, rows)
    want = -np.mean(np.log(np.where(clicks, chances, 1 - chances)))
    close(history[-1], float(want), "the last loss on held-out rows", tolerance=1e-4)
