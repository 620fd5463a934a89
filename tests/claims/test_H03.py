"""What the answer to H03 (what AUC means, how to compute it, ties) states."""

import numpy as np
import torch
from scipy.special import expit

from recsys_course import claim, metrics


def auc(scores, labels):
    return metrics.auc(torch.as_tensor(scores, dtype=torch.float64), torch.as_tensor(labels))


def by_pairs(scores, labels):
    """The definition: every positive against every negative."""
    gaps = np.subtract.outer(scores[labels], scores[~labels])
    return ((gaps > 0) + (gaps == 0) / 2).mean()


def by_plain_ranks(scores, labels):
    """The circulating short form: ranks from one argsort, so that equal scores get different ranks."""
    ranks = np.empty(len(scores))
    ranks[np.argsort(scores, kind="stable")] = np.arange(1, len(scores) + 1)
    n = labels.sum()
    return (ranks[labels].sum() - n * (n + 1) / 2) / (n * (len(scores) - n))


def test_four_scores_by_hand():
    scores, labels = np.array([0.9, 0.4, 0.4, 0.1]), np.array([True, True, False, False])
    ranks = np.array([4, 2.5, 2.5, 1])
    claim(
        "H03.hand",
        "Positives at 0.9 and 0.4, negatives at 0.4 and 0.1: three pairs right and one tied of four, 0.875; the "
        "positives' average ranks sum to 6.5, minus 3, divided by 4 is the same",
        by_pairs(scores, labels) == 0.875 == (ranks[labels].sum() - 3) / 4 == auc(scores, labels),
    )


def test_a_tie_is_worth_one_half_wherever_the_row_stands():
    labels = np.arange(1_000) < 10
    last, first = (by_plain_ranks(np.zeros(1_000), rows) for rows in (labels, labels[::-1]))
    shuffled = auc(np.zeros(1_000), np.random.default_rng(0).permutation(labels))
    claim(
        "H03.ties",
        "All scores equal: ranks from a plain argsort give 0.0 if the positives stand first in the table and 1.0 if "
        "they stand last; average ranks give 0.5 in any order",
        (last, first) == (0.0, 1.0) and auc(np.zeros(1_000), labels) == shuffled == 0.5,
    )


def test_sorting_is_cheaper_than_comparing_all_pairs():
    n, positives = 1_000_000, 10_000
    claim(
        "H03.cost",
        "A million rows, 1 % of them positive: 9.9 billion pairs; sorting takes about 20 million comparisons",
        positives * (n - positives) == 9_900_000_000 and abs(n * np.log2(n) - 20e6) < 1e5,
    )


def test_buckets_of_equal_width_lose_small_probabilities():
    draw = np.random.default_rng(0)
    rates = expit(draw.normal(-4, 1, 200_000))
    clicks = draw.random(len(rates)) < rates
    exact = auc(rates, clicks)
    wide = auc(np.floor(rates * 10), clicks)
    full = auc(np.searchsorted(np.quantile(rates, np.linspace(0, 1, 11)[1:-1]), rates), clicks)
    fine = auc(np.floor(rates * 10_000), clicks)
    claim(
        "H03.buckets",
        "200,000 click rates around 3 %: AUC 0.758; from ten buckets of equal width 0.58, from ten with equally many "
        "rows 0.752, from ten thousand of equal width the exact value to four places",
        abs(exact - 0.758) < 0.003
        and abs(wide - 0.58) < 0.01
        and abs(full - 0.752) < 0.003
        and abs(fine - exact) < 5e-5,
    )


def test_hardly_any_pair_lies_within_one_user(ratings):
    users, liked = ratings.users.numpy(), ratings.ratings.numpy() >= 4
    likes, others = (np.bincount(users[rows], minlength=ratings.n_users).astype(float) for rows in (liked, ~liked))
    share = (likes * others).sum() / (likes.sum() * others.sum())
    claim(
        "H03.pairs",
        "MovieLens 100K, likes against the other ratings: 0.18 % of the pairs behind the AUC lie within one user",
        abs(share - 0.0018) < 0.00005,
    )


def test_the_users_own_rate_moves_auc_and_no_list(ratings):
    """Rates are learnt on 70 % of the ratings and judged on the rest."""
    held = np.random.default_rng(0).random(len(ratings)) < 0.3
    liked = ratings.ratings.numpy() >= 4
    score = {}
    for name, ids in (("film", ratings.items.numpy()), ("user", ratings.users.numpy())):
        seen, likes = (np.bincount(ids[~held], w, ids.max() + 1) for w in (None, liked[~held]))
        score[name] = ((likes + 5 * 0.55) / (seen + 5))[ids]
    pooled, within = {}, {}
    for name, values in (("film", score["film"]), ("both", score["film"] + score["user"])):
        rows = (ratings.users[torch.from_numpy(held)], torch.from_numpy(values[held]), torch.from_numpy(liked[held]))
        pooled[name], within[name] = auc(values[held], liked[held]), metrics.gauc(*rows)
    claim(
        "H03.user-rate",
        "Is the rating a like, on held-out ratings: the film's rate has AUC 0.711 and per-user AUC 0.721; with the "
        "user's rate added AUC 0.763 and the same per-user AUC; 35 users with one class are left out",
        abs(pooled["film"] - 0.711) < 0.003
        and abs(pooled["both"] - 0.763) < 0.003
        and abs(within["film"].value - 0.721) < 0.003
        and abs(within["film"].value - within["both"].value) < 1e-6
        and within["film"].n_left_out == 35,
    )


def test_many_users_have_no_click_to_compare_with():
    claim(
        "H03.left-out",
        "With 20 impressions and a click rate of 3 %, 54 % of the users have no click, and no AUC of their own",
        abs(0.97**20 - 0.54) < 0.005,
    )


def test_auc_can_rise_while_the_top_gets_worse():
    """One liked item among 201: A puts it first or at rank 101, B always at rank 41."""
    ranks = {"A": np.array([1, 101]), "B": np.array([41, 41])}
    value = {name: ((201 - r) / 200).mean() for name, r in ranks.items()}
    hits = {name: (r <= 10).mean() for name, r in ranks.items()}
    claim(
        "H03.top",
        "A finds the liked item of 201 first half of the time and else at rank 101: AUC 0.75, hit rate at ten 0.5; B "
        "always at rank 41: AUC 0.80, hit rate 0",
        value == {"A": 0.75, "B": 0.8} and hits == {"A": 0.5, "B": 0.0},
    )


def test_the_rarer_class_sets_the_error():
    draw = np.random.default_rng(0)

    def spread(n_positive, n_negative):
        """Mean and standard deviation of the AUC of two normal scores over 300 samples."""
        found = []
        for _ in range(300):
            negative = np.sort(draw.normal(0, 1, n_negative))
            found.append(np.searchsorted(negative, draw.normal(0.954, 1, n_positive)).mean() / n_negative)
        return np.mean(found), np.std(found)

    few, sampled, many = spread(100, 9_900), spread(100, 990), spread(10_000, 9_900)
    claim(
        "H03.error",
        "AUC 0.75 from 100 positives and 9,900 negatives has a standard error of 0.025; with a tenth of the negatives "
        "it is the same on average and 0.026; with 10,000 positives it is 0.003",
        max(abs(mean - 0.75) for mean, _ in (few, sampled, many)) < 0.005
        and abs(few[1] - 0.025) < 0.003
        and abs(sampled[1] - 0.0265) < 0.0035
        and few[1] < 1.15 * sampled[1]
        and abs(many[1] - 0.0034) < 0.0006,
    )


def test_dropping_the_easy_negatives_is_another_question():
    draw = np.random.default_rng(0)
    positive, negative = draw.normal(0.954, 1, 20_000), draw.normal(0, 1, 200_000)
    random, hard = draw.choice(negative, 20_000, replace=False), np.sort(negative)[-100_000:]
    value = [
        auc(np.r_[positive, others], np.r_[np.ones(20_000), np.zeros(len(others))] > 0)
        for others in (negative, random, hard)
    ]
    claim(
        "H03.which-negatives",
        "AUC 0.75 with all negatives stays within 0.005 with a random tenth, and falls to 0.57 with the higher-scored "
        "half of them",
        abs(value[0] - 0.75) < 0.004 and abs(value[1] - value[0]) < 0.005 and abs(value[2] - 0.57) < 0.02,
    )
