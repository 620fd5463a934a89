"""Second right answers for lesson 06: plain loops, lists and definitions, one number at a time."""

import copy
import math
import random

import numpy as np
import torch


class EarlyStopper:
    """Keeps the whole trace and reads everything off it."""

    def __init__(self, patience, min_delta=0.0, mode="max"):
        self.patience, self.min_delta, self.mode = patience, min_delta, mode
        self.trace, self.best_weights = [], None

    def step(self, score, weights):
        self.trace.append(score)
        if self._best_epoch() == len(self.trace):
            self.best_weights = copy.deepcopy(weights)
        return len(self.trace) - self._best_epoch() >= self.patience

    def _best_epoch(self):
        best, epoch = None, 0
        for number, score in enumerate(self.trace, start=1):
            if math.isnan(score):
                continue
            better = best is None
            if best is not None:
                better = score > best + self.min_delta if self.mode == "max" else score < best - self.min_delta
            if better:
                best, epoch = score, number
        return epoch


def shrink(weights, rate, l1, l2):
    """The lowest point of the objective: at 0, or where a side's slope is 0."""

    def objective(x, w):
        return 0.5 * (x - w) ** 2 + rate * (l1 * abs(x) + 0.5 * l2 * x * x)

    found = []
    for w in weights.tolist():
        right, left = (w - rate * l1) / (1 + rate * l2), (w + rate * l1) / (1 + rate * l2)
        candidates = [0.0, *([right] if right > 0 else []), *([left] if left < 0 else [])]
        found.append(min(candidates, key=lambda x, w=w: objective(x, w)))
    return np.array(found)


def dropout(x, upstream, draws, rate, training):
    """Automatic differentiation brings the slope back."""
    x = x.clone().requires_grad_()
    out = torch.where(draws < rate, torch.zeros(()), x / (1 - rate)) if training else 1.0 * x
    (slope,) = torch.autograd.grad(out, x, upstream)
    return out.detach(), slope


def augment(films, kind, n, mask, generator):
    dice = random.Random(int(torch.randint(2**31, (), generator=generator)))
    *history, target = films.tolist()
    n = min(n, len(history))
    if kind == "mask":
        places = dice.sample(range(len(history)), n)
        return [mask if place in places else film for place, film in enumerate(history)], target
    start = dice.randint(0, len(history) - n)
    run = history[start : start + n]
    if kind == "crop":
        return run, target
    dice.shuffle(run)
    return history[:start] + run + history[start + n :], target


def folds(users, times, kind, n_folds, gap, generator):
    n = len(users)
    if kind == "time":
        ordered, pairs = sorted(times.tolist()), []
        cuts = [ordered[n * i // (n_folds + 1)] for i in range(1, n_folds + 1)]
        for number, start in enumerate(cuts):
            train, held = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
            for event, time in enumerate(times.tolist()):
                train[event] = time + gap < start
                held[event] = time >= start and (number + 1 == n_folds or time < cuts[number + 1])
            pairs.append((train, held))
        return pairs
    groups = users.tolist() if kind == "users" else list(range(n))
    names = sorted(set(groups))
    random.Random(int(torch.randint(2**31, (), generator=generator))).shuffle(names)
    pairs = []
    for number in range(n_folds):
        mine = set(names[number::n_folds])
        held = np.array([group in mine for group in groups])
        pairs.append((~held, held))
    return pairs


def cv_score(make, ratings, parts):
    found = []
    for train, held in parts:
        model = make()
        model.fit(ratings.select(train))
        predictions = model.predict(ratings.users, ratings.items).tolist()
        squares = []
        for stars, predicted, judged in zip(ratings.ratings.tolist(), predictions, held.tolist(), strict=True):
            if judged:
                squares.append((stars - predicted) ** 2)
        found.append(math.sqrt(sum(squares) / len(squares)))
    return found
