"""What the answer to D01 (which negatives for retrieval, which for ranking) states."""

import numpy as np
import pytest
import torch
from scipy.special import expit
from scipy.stats import rankdata

from recsys_course import claim


def items(n, draw):
    """Each fits the user's subject (1 in 20), has a trait that the old system favoured, and a quality: ``[n, 3]``."""
    return np.stack([draw.random(n) < 0.05, draw.normal(size=n), draw.normal(size=n)], 1).astype(float)


def click_rate(x):
    """Only subject and quality count for the user."""
    return expit(-5 + 3 * x[:, 0] + x[:, 2])


def impressions(n, draw):
    """What the old system shows: items of the subject with a high value of its favourite trait, and the clicks."""
    x = items(n, draw)
    x = x[(x[:, 0] == 1) & (x[:, 1] > 1)]
    return x, draw.random(len(x)) < click_rate(x)


def logistic(x, labels):
    """Weights of a logistic regression with a small ridge penalty, by Newton's method."""
    x, weights = np.hstack([np.ones((len(x), 1)), x]), np.zeros(4)
    for _ in range(25):
        p = expit(x @ weights)
        curvature = (x * (p * (1 - p))[:, None]).T @ x + 0.01 * np.eye(4)
        weights += np.linalg.solve(curvature, x.T @ (labels - p) - 0.01 * weights)
    return weights[1:]


@pytest.fixture(scope="module")
def trained():
    """One model on clicked against shown, one on clicked against random items."""
    draw = np.random.default_rng(0)
    shown, clicked = impressions(2_000_000, draw)
    positive, random = shown[clicked], items(5 * int(clicked.sum()), draw)
    return {
        "impressions": logistic(shown, clicked),
        "random": logistic(np.vstack([positive, random]), np.repeat([1, 0], [len(positive), len(random)])),
    }


def test_impressions_train_a_bad_retriever(trained):
    catalogue = items(200_000, np.random.default_rng(1))
    rates = {name: click_rate(catalogue[np.argsort(-catalogue @ w)[:2_000]]).mean() for name, w in trained.items()}
    fits = {name: catalogue[np.argsort(-catalogue @ w)[:2_000], 0].mean() for name, w in trained.items()}
    best = np.sort(click_rate(catalogue))[-2_000:].mean()
    claim(
        "D01.retrieval",
        "Best 1 % of a catalogue of which 5 % fit the subject: click rate 0.09 for the model trained on impressions, "
        "under 1 % of its items fit; 0.18 with random negatives, over 99 % fit; the best possible is 0.36",
        abs(rates["impressions"] - 0.093) < 0.01
        and abs(rates["random"] - 0.18) < 0.015
        and abs(best - 0.36) < 0.01
        and fits["impressions"] < 0.01
        and fits["random"] > 0.99,
    )


def test_random_negatives_train_a_bad_ranker(trained):
    shown, clicked = impressions(2_000_000, np.random.default_rng(2))
    auc = {}
    for name, weights in trained.items():
        ranks = rankdata(shown @ weights)
        n = clicked.sum()
        auc[name] = (ranks[clicked].sum() - n * (n + 1) / 2) / (n * (len(shown) - n))
    claim(
        "D01.ranking",
        "Among items that were shown, AUC of click: 0.75 for the model trained on impressions, 0.60 for the one "
        "trained on random negatives, which has learnt what the old system favoured",
        abs(auc["impressions"] - 0.745) < 0.01
        and abs(auc["random"] - 0.60) < 0.03
        and trained["random"][1] > 1
        and abs(trained["impressions"][1]) < 0.1,
    )


def test_the_hardest_negatives_are_often_positives(random_splits, ease):
    """Unrated in training, by rank in EASE's list: how many are held-out likes?"""
    shares = {"top": [], "middle": [], "any": []}
    for split, model in zip(random_splits, ease, strict=True):
        users = torch.arange(split.train.n_users)
        answers, unseen = split.test.dense(users), ~split.train.dense(users)
        lists = model.recommend(users, k=500)
        for name, part in (("top", lists[:, :10]), ("middle", lists[:, 100:500])):
            shares[name].append(float(answers.gather(1, part).double().mean()))
        shares["any"].append(float(answers[unseen].double().mean()))
    mean = {name: np.mean(found) for name, found in shares.items()}
    claim(
        "D01.false-negatives",
        "Random split: 26 % of EASE's ten best unrated films are held-out likes, of ranks 101 to 500 0.8 %, of all "
        "unrated films 0.7 %",
        abs(mean["top"] - 0.26) < 0.01 and abs(mean["middle"] - 0.008) < 0.001 and abs(mean["any"] - 0.007) < 0.001,
    )


def test_how_many_random_negatives_are_far_too_easy():
    """A user's subject is 1 in 1,000 items: how many of 100 random negatives are of that subject?"""
    none = (1 - 1 / 1_000) ** 100
    claim(
        "D01.easy",
        "If one item in a thousand is of the user's subject, 90 % of samples of 100 random negatives hold none of it",
        abs(none - 0.90) < 0.01,
    )
