"""What the answer to H10 (K-fold with time stamps) states."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, TimeSeriesSplit

from recsys_course import claim
from recsys_course.models.mf import MF

DAY = 86_400


def rmse(train, held_out):
    model = MF(dim=8, epochs=12, learning_rate=0.03, reg=0.1).fit(train)
    return float((model.predict(held_out.users, held_out.items) - held_out.ratings).square().mean().sqrt())


@pytest.fixture(scope="module")
def past_and_future(ratings):
    """The first four fifths in time, to tune on, and the last fifth."""
    moment = ratings.times.sort().values[len(ratings) * 4 // 5]
    return ratings.select(ratings.times < moment), ratings.select(ratings.times >= moment)


def expanding(events, n_folds=4):
    """Train on everything before a moment, validate on the stretch after it; equal numbers of ratings a stretch."""
    edges = events.times.sort().values[[len(events) * f // (n_folds + 1) for f in range(1, n_folds + 1)]]
    ends = [*edges[1:].tolist(), int(events.times.max()) + 1]
    for start, end in zip(edges.tolist(), ends, strict=True):
        yield events.select(events.times < start), events.select((events.times >= start) & (events.times < end))


def test_shuffled_folds_promise_what_the_future_does_not_keep(past_and_future):
    past, future = past_and_future
    fold = torch.randint(5, (len(past),), generator=torch.Generator().manual_seed(0))
    shuffled = np.mean([rmse(past.select(fold != f), past.select(fold == f)) for f in range(5)])
    forward = np.mean([rmse(train, later) for train, later in expanding(past)])
    truth = rmse(past, future)
    claim(
        "H10.promise",
        "RMSE of MF: shuffled folds of the first 80 % say 0.92, folds forward in time 1.04, the last 20 % then show "
        "1.02",
        abs(shuffled - 0.925) < 0.005 and abs(forward - 1.04) < 0.01 and abs(truth - 1.02) < 0.01,
    )


def test_most_ratings_of_a_later_fold_are_by_strangers(past_and_future):
    shares = []
    for train, later in expanding(past_and_future[0]):
        known = torch.zeros(train.n_users, dtype=torch.bool)
        known[train.users] = True
        shares.append(float((~known[later.users]).double().mean()))
    claim(
        "H10.strangers",
        "In four folds forward in time 86 % of the validation ratings are by users without a training rating",
        abs(np.mean(shares) - 0.865) < 0.01,
    )


def test_a_cut_by_row_number_goes_through_a_second(ratings):
    times = ratings.times.sort().values.numpy()
    cuts = [train[-1] + 1 for train, _ in TimeSeriesSplit(n_splits=20).split(times)]
    through = sum(times[cut - 1] == times[cut] for cut in cuts)
    several = float((np.unique(times, return_counts=True)[1] > 1).mean())
    claim(
        "H10.ties",
        "MovieLens sorted by time: of 20 cuts by row number, 8 separate ratings of one second",
        through == 8 and several > 0.5,
    )


def test_a_target_mean_from_outside_the_fold_finds_signal_in_noise():
    draw = np.random.default_rng(0)
    items, labels = draw.integers(5_000, size=20_000), draw.integers(2, size=20_000)
    held = draw.random(20_000) < 0.2

    def mean_by_item(rows):
        ones, all_ = (np.bincount(items[rows], weights=w, minlength=5_000) for w in (labels[rows], None))
        return (ones + 0.5) / (all_ + 1)

    auc = [roc_auc_score(labels[held], mean_by_item(rows)[items[held]]) for rows in (slice(None), ~held)]
    claim(
        "H10.target-mean",
        "Labels drawn by a coin, items seen 4 times: an item's mean label over all rows has a held-out AUC of 0.78, "
        "the mean over the training rows 0.50",
        abs(auc[0] - 0.78) < 0.02 and abs(auc[1] - 0.50) < 0.02,
    )


def test_without_a_gap_the_last_labels_were_not_known_yet(ratings):
    shares = []
    for train, _ in expanding(ratings):
        cut = int(train.times.max()) + 1
        shares.append(float((train.times > cut - 7 * DAY).double().mean()))
    claim(
        "H10.gap",
        "Label 'comes back within 7 days', four folds forward on MovieLens: of the training rows 14, 9, 7 and 4 % "
        "have a window that ends after the cut",
        all(abs(s - w) < 0.006 for s, w in zip(shares, (0.14, 0.09, 0.07, 0.035), strict=True)),
    )


def test_groups_ask_about_new_users(ratings):
    users = ratings.users.numpy()
    shared = [
        len(np.intersect1d(users[train], users[held]))
        for train, held in GroupKFold(n_splits=5).split(users, groups=users)
    ]
    claim("H10.groups", "Folds by user: no user is on both sides of any of five folds", shared == [0] * 5)
