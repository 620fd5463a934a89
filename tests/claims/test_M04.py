"""What the answer to M04 (interest profiles one can trust) states."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from recsys_course import claim
from recsys_course.data.movielens import movielens


@torch.inference_mode()
def test_a_sentence_about_being_new_is_no_taste(minilm, film_vectors):
    network, tokenizer = minilm
    batch = tokenizer(["I am new to this platform."], return_tensors="pt")
    out = network(**batch)
    by_mean = normalize(out.last_hidden_state.mean(1), dim=1) @ film_vectors[0].T
    by_pooler = normalize(out.pooler_output, dim=1) @ normalize(film_vectors[1], dim=1).T
    claim(
        "M04.new-user",
        "'I am new to this platform.' against 300 films: by the pooler all have a cosine of 0.5 or more, by the "
        "masked mean the nearest has 0.17",
        bool((by_pooler >= 0.5).all()) and abs(float(by_mean.max()) - 0.17) < 0.01,
    )


@pytest.fixture(scope="module")
def genres():
    """Which genres each film has: ``[n_items, 18]``, and their names."""
    rows = movielens().items["genres"]
    names = sorted({name for row in rows for name in row})
    return np.array([[name in row for name in names] for row in rows], dtype=float), names


def profiles(likes, table, prior, weight):
    """Share of each genre in a user's likes, everybody's counted as that many genres: ``[n_users, n_genres]``."""
    matrix = likes.matrix().astype(float)
    counts = matrix @ table
    total = counts.sum(1, keepdims=True)
    return (counts + weight * prior) / (total + weight)


def test_a_profile_is_judged_by_what_it_predicts(random_splits, genres):
    table, _ = genres
    split = random_splits[0]
    likes = split.train.positives()
    everybody = likes.item_counts().numpy() @ table
    prior = everybody / everybody.sum()
    held = split.test.matrix().astype(float) @ table
    judged = held.sum(1) >= 10

    def gain(profile):
        """Log-probability a genre of the held-out likes, above that of everybody's profile: one number a user."""
        better = np.log(profile[judged]) - np.log(prior)
        return (held[judged] * better).sum(1) / held[judged].sum(1)

    own = {weight: profiles(likes, table, prior, weight) for weight in (5, 50)}
    strangers = gain(np.roll(own[50], 1, axis=0)).mean()
    error = {weight: 1.96 * gain(p).std(ddof=1) / judged.sum() ** 0.5 for weight, p in own.items()}
    claim(
        "M04.predicts",
        "Genres of held-out likes, 642 users: a profile with everybody's shares as 50 genres more predicts them by "
        "0.041 a genre better than everybody's, another user's by 0.049 worse; with 5 genres the gain is gone",
        judged.sum() == 642
        and abs(gain(own[50]).mean() - 0.041) < 0.003
        and gain(own[50]).mean() > error[50]
        and abs(strangers + 0.049) < 0.003
        and abs(gain(own[5]).mean()) < error[5],
    )


def test_an_interest_without_evidence_is_found_by_counting(random_splits, genres):
    """A made-up profile names three genres for each user; the true one the three that stand out most."""
    table, names = genres
    likes = random_splits[0].train.positives()
    matrix = likes.matrix().astype(float)
    counts, n = matrix @ table, np.asarray(matrix.sum(1)).ravel()
    base = counts.sum(0) / n.sum()
    busy = n >= 20
    lift = (counts - n[:, None] * base) / np.sqrt(n[:, None].clip(1) * base * (1 - base))
    draw = np.random.default_rng(0)
    invented = np.array([draw.choice(len(names), 3, replace=False) for _ in n])

    def supported(chosen):
        return (np.take_along_axis(lift, chosen, 1) > 1)[busy].mean()

    true = supported(np.argsort(-lift, axis=1)[:, :3])
    made_up = supported(invented)
    claim(
        "M04.evidence",
        "Three genres named for each user with 20 likes: one standard error above everybody's share are 90 % of those "
        "that stand out most and 21 % of those drawn by lot",
        abs(true - 0.90) < 0.01 and abs(made_up - 0.21) < 0.02,
    )


def test_the_mean_of_two_tastes_is_a_third():
    angle = np.deg2rad([0, 60, 120])  # crime, something else, romance
    topics = np.stack([np.cos(angle), np.sin(angle)], 1)
    profile = topics[[0, 2]].mean(0)
    claim(
        "M04.mean",
        "Likes at 0 and 120 degrees: their mean points to the topic at 60, which was never liked; the larger of two "
        "cosines does not",
        int((topics @ profile).argmax()) == 1 and int((topics @ topics[[0, 2]].T).max(1).argmin()) == 1,
    )


def test_what_profiles_for_everybody_cost():
    flop = 2 * 8e9 * 2_000 * 1e8  # parameters, tokens, users
    hours = flop / (0.4 * 989e12) / 3_600
    claim(
        "M04.cost",
        "100 million users, 2,000 tokens each, 8 billion parameters: 3.2e21 operations, 2,250 hours of a 989 TFLOP/s "
        "card at 40 %; if a tenth changed enough, 225",
        abs(flop / 3.2e21 - 1) < 1e-9 and abs(hours - 2_247) < 5,
    )
