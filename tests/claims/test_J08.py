"""What the answer to J08 (a language model re-ranks twenty candidates) states."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from recsys_course import claim
from recsys_course.data.movielens import movielens

N = 20  # candidates
LETTERS = [" A", " B", " C", " D", " E"]


def rankings(orders, noise, seed=0, trials=200):
    """Mean Spearman correlation of the mean score over these orders, int ``[n_orders, N]``, with true quality.

    A score is the candidate's quality, a bonus for its place from 2 (first) to 0 (last), and noise in each call.
    """
    draw, bonus, found = np.random.default_rng(seed), np.linspace(2, 0, N), []
    for _ in range(trials):
        quality = draw.normal(size=N)
        places = (draw.permuted(np.tile(np.arange(N), (orders, 1)), axis=1)) if isinstance(orders, int) else orders
        scores = quality + bonus[places] + noise * draw.normal(size=places.shape)
        found.append(spearmanr(scores.mean(0), quality)[0])
    return np.mean(found)


def turned(n_orders):
    """The place of each candidate when the list is turned by equal steps, ``[n_orders, N]``."""
    return (np.arange(N)[None] + np.arange(n_orders)[:, None] * (N // n_orders)) % N


def test_orders_take_the_bias_out():
    found = [rankings(1, 0.5), rankings(5, 0.5), rankings(turned(5), 0.5), rankings(turned(20), 0.5)]
    claim(
        "J08.orders",
        "Planted bonus for the place from 2 to 0, quality with standard deviation 1, noise 0.5: Spearman correlation "
        "with quality 0.73 from one order, 0.92 from five at random, 0.95 from five turned by 4, 0.98 from all 20",
        np.allclose(found, [0.728, 0.918, 0.948, 0.983], atol=0.008),
    )
    claim(
        "J08.exact",
        "Without noise the 20 turns give each candidate every place once: the order of quality comes back exactly",
        abs(rankings(turned(20), 0.0) - 1) < 1e-12 and bool((np.sort(turned(20), 0) == np.arange(N)[:, None]).all()),
    )


def test_what_orders_and_pairs_cost():
    history, each = 600, 60
    whole = history + N * each
    claim(
        "J08.tokens",
        "600 tokens of history and 20 candidates of 60: one list 1,800 tokens, five orders 9,000, with the history "
        "computed once 6,600; all 190 pairs 23,400",
        (whole, 5 * whole, history + 5 * N * each, history + N * (N - 1) // 2 * 2 * each)
        == (1_800, 9_000, 6_600, 23_400),
    )
    claim("J08.lines", "20 lines, each right with 99 %: a list without an error in 82 %", abs(0.99**N - 0.818) < 0.001)


@pytest.fixture(scope="module")
def model():
    from recsys_course.language.model import LanguageModel

    return LanguageModel(dtype=torch.float32)


@pytest.fixture(scope="module")
def answers(model, random_splits, films):
    """Log chance of each candidate at each place, ``[6 users, 5 candidates, 5 places]``: five likes, five turns."""
    split, titles, draw, found = random_splits[0], movielens().titles, np.random.default_rng(1), []
    likes, seen = split.train.positives().matrix().toarray() > 0, split.train.matrix().toarray() > 0
    for user in draw.permutation(np.flatnonzero(likes.sum(1) >= 5))[:6]:
        history = draw.choice(np.flatnonzero(likes[user]), 5, replace=False)
        candidates = draw.choice(films.items[~seen[user, films.items]].numpy(), 5, replace=False)
        prefix = "A person liked these films: " + "; ".join(titles[i] for i in history)
        turns = [np.roll(np.arange(5), turn) for turn in range(5)]
        lines = [[f"{a.strip()}. {titles[candidates[i]]}\n" for a, i in zip(LETTERS, t, strict=True)] for t in turns]
        question = ".\nWhich of these would the same person like most?\n"
        scores = model.option_scores(prefix + question, ["".join(row) + "Answer:" for row in lines], LETTERS)
        table = np.zeros((5, 5))
        for turn, row in zip(turns, scores.numpy(), strict=True):
            table[turn, np.arange(5)] = row
        found.append(table)
    return np.array(found)


def test_a_small_model_answers_by_place(answers):
    turns = np.array([np.roll(np.arange(5), turn) for turn in range(5)])
    prompts = answers[:, turns, np.arange(5)]  # [6 users, 5 turns, 5 places]
    centred = answers - answers.mean((1, 2), keepdims=True)
    parts = [(centred.mean(axis, keepdims=True) ** 2).mean() / (centred**2).mean() for axis in (1, 2)]
    claim(
        "J08.first",
        "SmolLM2 with 135 million parameters, five candidates in five orders for each of six users: in all 30 prompts "
        "the first place wins",
        bool((prompts.argmax(2) == 0).all()),
    )
    claim(
        "J08.share",
        "The place explains over 95 % of the variance of its scores, the film under 2 %",
        parts[0] > 0.95 and parts[1] < 0.02,
    )
