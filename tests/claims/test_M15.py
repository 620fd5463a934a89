"""What the answer to M15 (two commonly seen cures for cold start) states."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from recsys_course import claim, metrics, models
from recsys_course.data import Interactions, cold_user_split


@pytest.fixture(scope="module")
def split(ratings):
    return cold_user_split(ratings, share=0.2, seed=0)


@pytest.mark.parametrize("kind", ["EASE", "ItemKNN"])
def test_without_an_event_there_is_one_score_for_all(split, kind):
    model = getattr(models, kind)().fit(split.train)
    nothing = Interactions.from_events([], [], n_users=5, n_items=split.train.n_items)
    scores = model.scores(torch.arange(5), nothing)
    if kind == "EASE":
        claim("M15.ease-empty", "EASE scores every film 0 for a user without events", bool((scores == 0).all()))
    else:
        claim("M15.knn-empty", "Item-KNN scores every film 0 for a user without events", bool((scores == 0).all()))


def test_a_few_events_are_enough_for_fold_in(split, ndcg_at_ten):
    """Later likes of new users, ranked with popularity or with both; likes by lot."""
    weights = models.EASE().fit(split.train).weights_.numpy()
    liked = split.held_out.positives().matrix().toarray() > 0
    liked = liked[liked.sum(1) >= 30]
    place = np.where(liked, np.random.default_rng(0).random(liked.shape), 2).argsort(1).argsort(1)
    judged, found = liked & (place >= 20), {}
    for n in (1, 3, 5):
        given = liked & (place < n)
        found[n] = np.nanmean(ndcg_at_ten(given @ weights, judged, ~given))
    chance = np.nanmean(ndcg_at_ten(np.random.default_rng(0).random(liked.shape), judged, judged | ~liked))
    claim(
        "M15.fold-in",
        "104 withheld users, EASE by fold-in, no training: NDCG@10 of 0.28 after one like, 0.35 after three, 0.39 "
        "after five; chance 0.05",
        len(liked) == 104
        and np.allclose([found[n] for n in (1, 3, 5)], [0.281, 0.354, 0.387], atol=0.015)
        and abs(chance - 0.047) < 0.01,
    )


def test_its_own_training_data_flatter_a_model(random_splits, ease, ease_results):
    split = random_splits[0]
    own = metrics.evaluate(ease[0], split.train.positives(), exclude_seen=False).mean("ndcg")
    claim(
        "M15.own-data",
        "EASE on the likes it was fitted on: NDCG@10 of 0.72, on held-out ones 0.36",
        abs(own - 0.724) < 0.01 and abs(ease_results[0].mean("ndcg") - 0.365) < 0.01,
    )


def accuracy(table, liked, disliked, n, draw):
    """Of a classifier fitted on n likes and n dislikes of one user: on these, and on the user's others."""
    rows = [draw.permutation(np.flatnonzero(which)) for which in (liked, disliked)]
    fit, rest = (np.concatenate(part) for part in zip(*[(r[:n], r[n : n + 10]) for r in rows], strict=True))
    y = {len(part): liked[part] for part in (fit, rest)}
    model = LogisticRegression(C=10.0).fit(table[fit], y[len(fit)])
    return model.score(table[fit], liked[fit]), model.score(table[rest], liked[rest])


def test_a_model_tuned_to_one_newcomer(split, content):
    liked = split.held_out.positives().matrix().toarray() > 0
    disliked = (split.held_out.matrix().toarray() > 0) & ~liked
    counts, likes = (part.item_counts().numpy() for part in (split.train, split.train.positives()))
    quality = (likes + 5 * likes.sum() / counts.sum()) / (counts + 5)  # share of likes of each film among old users
    draw, rows = np.random.default_rng(0), []
    for user in np.flatnonzero((liked.sum(1) >= 15) & (disliked.sum(1) >= 15)):
        own = accuracy(content, liked[user], disliked[user], 5, draw)
        judged = np.concatenate([draw.permutation(np.flatnonzero(part[user]))[:10] for part in (liked, disliked)])
        right = (quality[judged] >= np.median(quality[judged])) == liked[user, judged]
        rows.append([*own, right.mean()])
    means = np.mean(rows, 0)
    claim(
        "M15.fine-tuned",
        "119 newcomers, a classifier on genres and year for each, fitted on five likes and five dislikes: 96 % right "
        "on these, 54 % on others; everybody's share of likes, with nothing of theirs, 64 %",
        len(rows) == 119 and np.allclose(means, [0.96, 0.54, 0.645], atol=0.02),
    )


def test_a_model_for_each_user_in_bytes():
    claim(
        "M15.bytes",
        "22.7 million weights in fp16 for each of a million newcomers are 45 TB, a vector of 64 numbers 0.13 GB",
        abs(22.7e6 * 2 * 1e6 / 45.4e12 - 1) < 1e-9 and abs(64 * 2 * 1e6 / 0.128e9 - 1) < 1e-9,
    )
