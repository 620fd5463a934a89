"""What the answer to K01 (overfitting and early stopping) states."""

import copy
import dataclasses
import math

import numpy as np
import pytest
import torch

from recsys_course import claim
from recsys_course.models.mf import MF, shuffled_batches
from recsys_course.training.stopping import EarlyStopping


class Watched(MF):
    """MF that goes on from its own weights, one epoch at a time."""

    def start(self, train):
        self.generator_ = self._start(train)
        return self

    def epoch(self, train):
        self.train_ = train
        for rows in shuffled_batches(len(train), self.batch_size, self.generator_):
            self._step(rows)

    def rmse(self, events):
        return float((self.predict(events.users, events.items) - events.ratings).square().mean().sqrt())


@pytest.fixture(scope="module")
def curves(random_splits):
    """Training and held-out RMSE after each of 40 epochs, for two penalties: ``{reg: [40, 2]}``."""
    split, found = random_splits[0], {}
    for reg in (0.0, 0.1):
        model = Watched(dim=32, learning_rate=0.03, reg=reg).start(split.train)
        rows = []
        for _ in range(40):
            model.epoch(split.train)
            rows.append((model.rmse(split.train), model.rmse(split.held_out)))
        found[reg] = np.array(rows)
    return found


def test_two_curves_tell_what_one_hides(curves):
    loose, tight = curves[0.0], curves[0.1]
    best = int(loose[:, 1].argmin()) + 1
    claim(
        "K01.curves",
        "MF with 32 dimensions and no penalty, random split: in 40 epochs the training RMSE falls to 0.35; the held- "
        "out RMSE falls to 0.94 by epoch 3 and rises to 1.19",
        abs(loose[-1, 0] - 0.35) < 0.02
        and abs(loose[:, 1].min() - 0.94) < 0.005
        and best == 3
        and abs(loose[-1, 1] - 1.19) < 0.02,
    )
    claim(
        "K01.penalty",
        "With a penalty of 0.1 the lowest held-out RMSE is 0.91 and the last within 0.01 of it",
        tight[-1, 1] - tight[:, 1].min() < 0.01 and abs(tight[:, 1].min() - 0.911) < 0.005,
    )


def first_stop(curve, patience):
    """Epoch, from 0, that early stopping keeps on a curve to be maximised."""
    stopper, kept = EarlyStopping(patience=patience), 0
    for epoch, score in enumerate(curve):
        if stopper.improved(score):
            kept = epoch
        if stopper.stop:
            break
    return kept


def test_patience_outlasts_the_noise_of_the_validation_set():
    epochs = np.arange(60)
    truth = -(((epochs - 25) / 25) ** 2)
    noisy = truth + 0.1 * np.random.default_rng(0).normal(size=(2_000, 60))
    kept = {p: np.array([first_stop(row, p) for row in noisy]) for p in (1, 3, 10)}
    lost = {p: -truth[k].mean() for p, k in kept.items()}
    claim(
        "K01.patience",
        "A validation curve that rises for 25 epochs under noise of a tenth of that rise: patience 1 gives away 87 % "
        "of the rise, patience 3 34 %, patience 10 2 %",
        abs(lost[1] - 0.87) < 0.02 and abs(lost[3] - 0.34) < 0.02 and abs(lost[10] - 0.02) < 0.01,
    )
    seen, real = noisy[np.arange(2_000), kept[10]].mean(), truth[kept[10]].mean()
    claim(
        "K01.optimism",
        "With patience 10 the best validation score lies 0.17 above the truth of the kept epoch, 1.7 times the noise",
        abs(seen - real - 0.17) < 0.01,
    )


def test_what_is_kept_as_best_must_be_a_copy():
    model = torch.nn.Linear(2, 1)
    kept = {"the model": model, "its state_dict": model.state_dict(), "a deep copy": copy.deepcopy(model.state_dict())}
    before = model.weight.detach().clone()
    with torch.no_grad():
        model.weight += 1
    same = {name: torch.equal(k.weight if name == "the model" else k["weight"], before) for name, k in kept.items()}
    claim(
        "K01.alias",
        "After one more step the kept model and the kept state_dict hold the new weights; a deep copy holds the best",
        same == {"the model": False, "its state_dict": False, "a deep copy": True},
    )


def test_nan_never_improves_and_must_not_be_the_first_best():
    stopper = EarlyStopping(patience=2)
    found = [stopper.improved(score) for score in (0.1, math.nan, 0.2, math.nan, math.nan)]
    naive_best, naive = math.nan, []
    for score in (0.1, 0.2, 0.3):
        naive.append(score > naive_best)
        naive_best = score if naive[-1] else naive_best
    claim(
        "K01.nan",
        "NaN is no improvement and uses up patience; a best score that starts as NaN is never beaten",
        found == [True, False, True, False, False] and stopper.stop and naive == [False, False, False],
    )


def test_one_model_over_all_folds_has_learnt_its_own_validation_rows(ratings):
    """The ratings are shuffled: nothing can be predicted but their mean."""
    order = torch.randperm(len(ratings), generator=torch.Generator().manual_seed(0))
    noise = dataclasses.replace(ratings, ratings=ratings.ratings[order])
    fold = torch.randint(5, (len(ratings),), generator=torch.Generator().manual_seed(1))
    parts = [(noise.select(fold != f), noise.select(fold == f)) for f in range(5)]
    warm, fresh, one = [], [], None
    for train, validation in parts:
        one = one or Watched(dim=32, learning_rate=0.03, reg=0.0).start(train)
        new = Watched(dim=32, learning_rate=0.03, reg=0.0).start(train)
        for model, found in ((one, warm), (new, fresh)):
            for _ in range(15):
                model.epoch(train)
            found.append(model.rmse(validation))
    spread = float(noise.ratings.std())
    claim(
        "K01.one-model",
        "Shuffled ratings with a spread of 1.13, five folds of 15 epochs: one model carried on has a validation RMSE "
        "of 1.45 in the first fold and 1.03 in the fifth, a new model each time 1.45 in all",
        abs(spread - 1.13) < 0.005
        and abs(warm[0] - 1.45) < 0.02
        and abs(warm[-1] - 1.03) < 0.03
        and max(abs(r - 1.45) for r in fresh) < 0.02,
    )


def test_stopping_early_is_nearly_ridge():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(200, 30)) * np.geomspace(3, 0.1, 30)
    y = x @ draw.normal(size=30) + 3 * draw.normal(size=200)
    rate, steps = 1e-4, 300
    stopped = np.zeros(30)
    for _ in range(steps):
        stopped -= rate * x.T @ (x @ stopped - y)
    ridge = np.linalg.solve(x.T @ x + np.eye(30) / (rate * steps), x.T @ y)
    full = np.linalg.lstsq(x, y, rcond=None)[0]
    away = [np.linalg.norm(x @ (w - stopped)) / np.linalg.norm(x @ stopped) for w in (ridge, full)]
    norms = [np.linalg.norm(w) for w in (stopped, ridge, full)]
    claim(
        "K01.ridge",
        "Least squares stopped after t steps of rate eta: its predictions are 7 % from those of ridge with penalty "
        "1 / (eta t), 15 % from those at the end, its weights half as long",
        abs(away[0] - 0.07) < 0.01 and abs(away[1] - 0.15) < 0.01 and abs(norms[0] / norms[2] - 0.5) < 0.05,
    )
