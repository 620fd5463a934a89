"""What the answer to M01 (new items, from upload to fair exposure) states."""

import numpy as np
import torch

from recsys_course import claim, models
from recsys_course.data import cold_item_split


def test_collaborative_filtering_has_nothing_to_say(ratings, cold_films):
    largest = []
    for seed, films in enumerate(cold_films):
        model = models.EASE().fit(cold_item_split(ratings, seed=seed).train)
        scores = model.scores(torch.arange(ratings.n_users)).numpy()
        largest.append(np.abs(scores[:, films.cold]).max())
    claim(
        "M01.zero",
        "EASE gives every withheld film the score 0 for every user, in three draws of withheld films",
        largest == [0, 0, 0],
    )


def test_content_mapped_to_tastes_ranks_films_nobody_has_seen(cold_films, content):
    rows = {"chance": [], "content": [], "map": [], "fame": []}
    unit = content - content.mean(0)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    for seed, films in enumerate(cold_films):
        draw = np.random.default_rng(seed)
        scores = {
            "chance": draw.random(films.likes.shape),
            "content": films.likes @ unit @ unit.T,
            "map": films.tastes @ films.vectors.T,
            "fame": np.broadcast_to(films.hidden.sum(0), films.likes.shape).astype(float),
        }
        for name, table in scores.items():
            rows[name].append(films.ndcg(table, films.cold))
    means = {name: np.mean(values) for name, values in rows.items()}
    claim(
        "M01.content",
        "Withheld films among each other, NDCG@10, mean of three draws: chance 0.05, nearest content 0.18, genres and "
        "year mapped to tastes 0.24, their later number of likes 0.38; in this order in each draw",
        np.allclose([means[n] for n in rows], [0.047, 0.182, 0.242, 0.382], atol=0.01)
        and all(np.diff([rows[n][draw] for n in rows]).min() > 0 for draw in range(3)),
    )


def wilson(clicks, n):
    rate, z2 = clicks / n, 1.96**2
    half = 1.96 * np.sqrt(rate * (1 - rate) / n + z2 / (4 * n * n))
    return (rate + z2 / (2 * n) - half) / (1 + z2 / n), (rate + z2 / (2 * n) + half) / (1 + z2 / n)


def test_what_three_hundred_impressions_say():
    low, high = wilson(15, 300)
    needed = 1.96**2 * 0.05 * 0.95 / 0.01**2
    claim(
        "M01.impressions",
        "15 clicks of 300: 95 % interval 3.1 to 8.1 %; plus or minus one point takes 1,825 impressions",
        abs(low - 0.031) < 0.001 and abs(high - 0.081) < 0.001 and round(needed) == 1_825,
    )


def newcomer(thompson, weight, runs=2_000, rounds=2_000):
    """Impressions of a new item of 8 % beside an old one of 5 %; the prior is 5 % with this weight."""
    draw = np.random.default_rng(0)
    clicks, shown = np.full(runs, 0.05 * weight), np.full(runs, float(weight))
    for _ in range(rounds):
        guess = draw.beta(clicks, shown - clicks) if thompson else clicks / shown + 1e-12
        show = guess >= 0.05
        clicks += show & (draw.random(runs) < 0.08)
        shown += show
    return shown - weight


def test_greed_buries_the_better_newcomer():
    greedy = [newcomer(False, weight) for weight in (20, 400)]
    sampled = newcomer(True, 20)
    claim(
        "M01.greedy",
        "A newcomer of 8 % beside an old item of 5 %, guessed at 5 %: shown only while its mean is no lower it is "
        "dropped for good in 95 % of 2,000 runs, whether the guess weighs 20 or 400 impressions",
        all(abs((g < 2_000).mean() - 0.95) < 0.01 for g in greedy),
    )
    claim(
        "M01.thompson",
        "Drawn from its posterior it gets 88 % of 2,000 impressions on average",
        abs(sampled.mean() / 2_000 - 0.88) < 0.02,
    )


def launch(thompson, seed, n=100, budget=30_000, batch=100):
    """Clicks, how many of the ten best are found, and the fewest impressions of an item, a hundred new items."""
    draw = np.random.default_rng(seed)
    rate, clicks, shown = draw.beta(2, 38, n), np.zeros(n), np.zeros(n)
    for _ in range(budget // batch):
        chosen = draw.beta(2 + clicks, 38 + shown - clicks, (batch, n)).argmax(1) if thompson else np.arange(n)
        np.add.at(shown, chosen, 1)
        np.add.at(clicks, chosen, draw.random(batch) < rate[chosen])
    found = np.isin(np.argsort(-(2 + clicks) / (40 + shown))[:10], np.argsort(-rate)[:10]).mean()
    return clicks.sum(), found, shown.min()


def test_a_quota_against_a_bandit():
    quota, bandit = (np.mean([launch(kind, seed) for seed in range(10)], axis=0) for kind in (False, True))
    claim(
        "M01.quota",
        "A hundred new items of 5 % on average, 30,000 impressions, ten runs: 300 each bring about 1,450 clicks and "
        "find 82 % of the ten best; Thompson sampling brings 2.8 times the clicks, finds 70 % of them, and leaves an "
        "item with under 30 impressions",
        abs(quota[0] - 1_453) < 100
        and abs(quota[1] - 0.82) < 0.02
        and abs(bandit[0] / quota[0] - 2.8) < 0.2
        and abs(bandit[1] - 0.70) < 0.02
        and bandit[2] < 30,
    )
