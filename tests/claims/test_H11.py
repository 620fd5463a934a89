"""What the answer to H11 (200 configurations on one validation week) states."""

import numpy as np
import pytest
import torch

from recsys_course import claim


def test_the_best_of_200_equals_looks_better_by_chance():
    noise = np.random.default_rng(0).normal(size=(20_000, 200))
    gains = {n: noise[:, :n].max(1).mean() for n in (10, 50, 200)}
    claim(
        "H11.best-of-many",
        "Of 10, 50 or 200 equal configurations the best looks 1.54, 2.25 or 2.75 standard errors better than it is",
        all(abs(gains[n] - w) < 0.02 for n, w in ((10, 1.54), (50, 2.25), (200, 2.75))),
    )
    shared = np.sqrt(0.9) * np.random.default_rng(1).normal(size=(20_000, 1)) + np.sqrt(0.1) * noise
    claim(
        "H11.shared-noise",
        "If nine tenths of that variance is shared by all configurations, the bias is 0.87 standard errors",
        abs(shared.max(1).mean() - 0.87) < 0.02,
    )


def test_the_winner_keeps_the_share_that_is_signal():
    draw = np.random.default_rng(0)
    true, noise = draw.normal(size=(20_000, 200)), draw.normal(size=(20_000, 200))
    winner = (true + noise).argmax(1)
    rows = np.arange(20_000)
    shown, real = (true + noise)[rows, winner].mean(), true[rows, winner].mean()
    claim(
        "H11.half",
        "200 configurations that differ as much as the noise: the winner's lead of 3.9 is half real",
        abs(shown - 3.88) < 0.03 and abs(real / shown - 0.5) < 0.01,
    )
    finalists = np.argsort(-(true + noise), axis=1)[:, :5]
    fresh = np.take_along_axis(true, finalists, 1) + draw.normal(size=(20_000, 5))
    again = np.take_along_axis(finalists, fresh.argmax(1)[:, None], 1)[:, 0]
    kept = true[rows, again].mean()
    left = fresh.max(1).mean() - kept
    claim(
        "H11.second-week",
        "The best five judged again on a fresh week: the one chosen is better by 0.21 and its number too high by 0.93 "
        "standard errors instead of 1.94",
        abs(kept - real - 0.21) < 0.02 and abs(left - 0.93) < 0.02 and abs(shown - real - 1.94) < 0.02,
    )


@pytest.fixture(scope="module")
def variants(random_splits):
    """NDCG@10 of 200 lists for everybody, near popularity, for each judged user: ``[200, n_users]``."""
    split, draw = random_splits[0], np.random.default_rng(0)
    likes = split.train.positives().item_counts().numpy()
    seen = split.train.dense(torch.arange(split.train.n_users)).numpy()
    test = split.test.dense(torch.arange(split.train.n_users)).numpy()
    judged = np.flatnonzero(test.sum(1))
    seen, test = seen[judged], test[judged]
    discount = 1 / np.log2(np.arange(2, 12))
    ideal = np.array([discount[: min(10, n)].sum() for n in test.sum(1)])
    found = []
    for _ in range(200):
        order = np.argsort(-likes * draw.lognormal(sigma=0.2, size=len(likes)))[:600]
        place = np.cumsum(~seen[:, order], 1)
        listed = ~seen[:, order] & (place <= 10)
        worth = np.where(listed, discount[np.clip(place - 1, 0, 9)], 0) * test[:, order]
        found.append(worth.sum(1) / ideal)
    return np.array(found)


def test_on_real_users_the_chosen_configuration_disappoints(variants):
    draw, lead, kept = np.random.default_rng(0), [], []
    for _ in range(300):
        order = draw.permutation(variants.shape[1])
        week, rest = order[:100], order[100:]
        chosen = variants[:, week].mean(1).argmax()
        lead.append(variants[chosen][week].mean() - variants[:, week].mean())
        kept.append(variants[chosen][rest].mean() - variants[:, rest].mean())
    lead, kept = np.mean(lead), np.mean(kept)
    claim(
        "H11.real",
        "200 disturbed popularity lists, random split, tuned on 100 users: the chosen one leads their mean by 0.025 "
        "NDCG@10 there and by 0.007 on the other users",
        abs(lead - 0.025) < 0.002 and abs(kept - 0.0074) < 0.002,
    )


def test_nested_validation_is_honest():
    draw = np.random.default_rng(0)
    scores = draw.normal(size=(20_000, 5, 40))  # studies, folds, configurations without any difference
    flat = scores.mean(1).max(1).mean()
    nested = np.mean([scores[np.arange(20_000), f, np.delete(scores, f, 1).mean(1).argmax(1)].mean() for f in range(5)])
    claim(
        "H11.nested",
        "40 equal configurations, five folds: the best mean over the folds is 0.97 of a fold's standard error too "
        "high, nested it is 0 within 0.01",
        abs(flat - 0.97) < 0.02 and abs(nested) < 0.01,
    )
