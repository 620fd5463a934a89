"""What the answer to M02 (new users, the first three sessions) states: users withheld whole, three draws of a fifth."""

import numpy as np
import pytest

from recsys_course import claim, models
from recsys_course.data import cold_user_split
from recsys_course.data.movielens import movielens


@pytest.fixture(scope="module")
def newcomers(ratings):
    """For each draw: likes of the old users, EASE's weights, and likes and ratings of new users with 30 likes."""
    found = []
    for seed in (0, 1, 2):
        split = cold_user_split(ratings, share=0.2, seed=seed)
        liked, rated = (part.matrix().toarray() > 0 for part in (split.held_out.positives(), split.held_out))
        new = np.flatnonzero(liked.sum(1) >= 30)
        old = split.train.positives().matrix().toarray()
        weights = models.EASE().fit(split.train).weights_.numpy()
        found.append((old, weights, liked[new], rated[new], new, split.train.item_counts().numpy()))
    return found


def fame(old):
    return old.sum(0) / old.sum(0).max()


@pytest.fixture(scope="module")
def mean_ndcg(ndcg_at_ten):
    """Mean over users; the scores and the allowed items may be one row for all."""

    def mean(scores, liked, allowed):
        tables = (np.broadcast_to(table, liked.shape) for table in (scores, liked, allowed))
        return np.nanmean(ndcg_at_ten(*tables))

    return mean


def after(mean_ndcg, n, old, weights, liked, seed):
    """NDCG@10 of popularity, fold-in and their sum after ``n`` likes drawn by lot; likes 21 and later are judged."""
    draw = np.random.default_rng(seed)
    place = np.where(liked, draw.random(liked.shape), 2).argsort(1).argsort(1)
    given, judged = liked & (place < n), liked & (place >= 20)
    folded = given @ weights
    scores = (fame(old), folded, folded + 0.2 * fame(old))
    return [mean_ndcg(table, judged, ~given) for table in scores]


def test_when_personal_scores_overtake_popularity(newcomers, mean_ndcg):
    table = {
        n: np.array([after(mean_ndcg, n, *row[:3], seed) for seed, row in enumerate(newcomers)])
        for n in (0, 1, 5, 10, 20)
    }
    means = {n: rows.mean(0).round(3) for n, rows in table.items()}
    claim(
        "M02.crossover",
        "NDCG@10 on later likes, about 108 new users in each of three draws: after 5 likes popularity 0.42, EASE by "
        "fold-in 0.40; after 10 it is 0.43 against 0.46, after 20 0.46 against 0.57; the same order in each draw",
        round(np.mean([len(row[2]) for row in newcomers])) == 108
        and np.allclose(
            np.concatenate([means[n][:2] for n in (5, 10, 20)]), [0.417, 0.396, 0.429, 0.463, 0.461, 0.568], atol=0.012
        )
        and (table[5][:, 0] > table[5][:, 1]).all()
        and all((table[n][:, 0] < table[n][:, 1]).all() for n in (10, 20)),
    )
    claim(
        "M02.blend",
        "EASE plus 0.2 of popularity: 0.42 after one like, 0.45 after five, 0.58 after twenty; on the mean of draws "
        "never below the better of the two",
        np.allclose([means[n][2] for n in (1, 5, 20)], [0.42, 0.453, 0.576], atol=0.012)
        and all(rows.mean(0)[2] >= rows.mean(0)[:2].max() - 1e-9 for rows in table.values()),
    )


def information(old, n):
    """Films whose answers explain most of the variance that the answers before left, one after the other."""
    centred, chosen = old - old.mean(0), []
    left = centred.T @ centred / len(old)
    for _ in range(n):
        gain = (left**2).sum(0) / (left.diagonal() + 0.05)
        gain[chosen] = -1
        chosen.append(int(gain.argmax()))
        column = left[:, chosen[-1]].copy()
        left -= np.outer(column, column) / (column[chosen[-1]] + 0.05)
    return np.array(chosen)


def answers(old, liked, asked):
    """Ridge from the answers, yes and no, to every film's rate of likes: ``[n_new, n_items]``."""
    x, rate = old[:, asked] - old[:, asked].mean(0), old.mean(0)
    weights = np.linalg.solve(x.T @ x + 30 * np.eye(len(asked)), x.T @ (old - rate))
    return rate + (liked[:, asked] - rate[asked]) @ weights


def test_five_questions(newcomers, mean_ndcg):
    rows, known = [], []
    for old, weights, liked, rated, _, counts in newcomers:
        share = old.sum(0) / counts.clip(1)
        clipped = share.clip(1e-9, 1 - 1e-9)
        entropy = -clipped * np.log(clipped) - (1 - clipped) * np.log(1 - clipped)
        famous, split_opinion, telling = (
            np.argsort(-counts)[:5],
            np.argsort(-entropy, kind="stable")[:5],
            information(old, 5),
        )
        known.append([rated[:, asked].sum(1).mean() for asked in (famous, split_opinion, telling)])
        allowed = ~np.isin(np.arange(len(counts)), np.concatenate([famous, telling]))
        judged, said = liked & allowed, np.zeros_like(liked)
        said[:, famous] = liked[:, famous]
        tables = (
            fame(old),
            said @ weights + 0.2 * fame(old),
            answers(old, liked, famous),
            answers(old, liked, telling),
        )
        rows.append([mean_ndcg(table, judged, allowed) for table in tables])
    claim(
        "M02.questions",
        "Five questions, NDCG@10 on all other films: none asked 0.42; the five most rated, likes counted alone, 0.44; "
        "the same with no as an answer 0.49; five chosen by what they explain 0.54, best in each draw",
        np.allclose(np.mean(rows, 0), [0.423, 0.44, 0.495, 0.536], atol=0.012) and all(np.argmax(r) == 3 for r in rows),
    )
    claim(
        "M02.known",
        "Of the five most rated films these users had rated 3.3, of the five with the highest entropy of opinion 0.6",
        np.allclose(np.mean(known, 0)[:2], [3.3, 0.57], atol=0.15),
    )


def test_age_and_gender_are_a_weak_prior(newcomers, ndcg_at_ten):
    people, gains = movielens().users, []
    group = people["gender"].eq("M").to_numpy() * 4 + np.digitize(people["age"], [25, 35, 50])
    for old, _, liked, _, new, _ in newcomers:
        active, rate = old.sum(1) > 0, old.sum(0) / (old.sum(1) > 0).sum()
        tables = np.stack([(old[group == g].sum(0) + 50 * rate) / (active[group == g].sum() + 50) for g in range(8)])
        scores = tables[group[new]]
        everything = np.ones_like(liked)
        gains.append(
            ndcg_at_ten(scores, liked, everything) - ndcg_at_ten(np.tile(rate, (len(new), 1)), liked, everything)
        )
    gain = np.concatenate(gains)
    error = 1.96 * gain.std(ddof=1) / len(gain) ** 0.5
    claim(
        "M02.demographics",
        "Popularity among people of the same gender and one of four age groups, shrunk by 50 users, instead of among "
        "all: NDCG@10 of newcomers rises by 0.011, 95 % interval 0.002 to 0.020, in each of three draws",
        abs(gain.mean() - 0.011) < 0.002 and abs(error - 0.009) < 0.002 and all(part.mean() > 0 for part in gains),
    )
