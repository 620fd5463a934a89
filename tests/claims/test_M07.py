"""What the answer to M07 (interest stratification as an engineering design) states."""

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

from recsys_course import claim
from recsys_course.data.movielens import movielens


@pytest.fixture(scope="module")
def genres():
    rows = movielens().items["genres"]
    names = sorted({name for row in rows for name in row})
    return np.array([[name in row for name in names] for row in rows], dtype=float)


def gains(ease_results, popular_results, random_splits):
    """Likes in training, EASE's NDCG@10 and its gain over popularity, of each judged user, for each split."""
    found = []
    for split, ease, popular in zip(random_splits, ease_results, popular_results, strict=True):
        personal, plain = ease.per_user["ndcg"], popular.per_user["ndcg"]
        likes = np.asarray(split.train.positives().matrix().sum(1)).ravel()[personal.index]
        found.append((likes, personal.to_numpy(), (personal - plain).to_numpy()))
    return found


def test_for_whom_personalisation_pays(ease_results, popular_results, random_splits):
    rows = []
    for likes, personal, gain in gains(ease_results, popular_results, random_splits):
        tier = np.digitize(likes, np.quantile(likes, [0.25, 0.5, 0.75]))
        rows.append([[personal[tier == t].mean() for t in range(4)], [gain[tier == t].mean() for t in range(4)]])
    score, gain = np.mean(rows, 0)
    claim(
        "M07.tiers",
        "Quarters of users by likes in training, mean of three splits: EASE's NDCG@10 is 0.29, 0.31, 0.34, 0.55; its "
        "gain over popularity 0.20, 0.18, 0.17, 0.24",
        np.allclose(score, [0.291, 0.309, 0.339, 0.546], atol=0.01)
        and np.allclose(gain, [0.198, 0.182, 0.174, 0.237], atol=0.01),
    )


def test_small_strata_are_noise(ease_results, popular_results, random_splits):
    personal = gains(ease_results, popular_results, random_splits)[0][1]
    half = {n: 1.96 * personal.std(ddof=1) / n**0.5 for n in (20, 100, 400)}
    claim(
        "M07.noise",
        "A user's NDCG@10 deviates so much that a stratum of 20 users has a 95 % interval of plus or minus 0.11, of "
        "100 users 0.05, of 400 users 0.025",
        np.allclose(list(half.values()), [0.112, 0.05, 0.025], atol=0.004),
    )


def test_more_strata_are_less_stable(ratings, genres):
    likes = ratings.positives().matrix().toarray() > 0
    likes = likes[likes.sum(1) >= 40]
    first = np.random.default_rng(0).random(likes.shape) < 0.5
    counts = [(likes & part) @ genres for part in (first, ~first)]
    base = (likes @ genres).sum(0) / (likes @ genres).sum()
    halves = [(c + 10 * base) / (c.sum(1, keepdims=True) + 10) for c in counts]
    kept = {}
    for n in (2, 4, 8, 20):
        model = KMeans(n, n_init=5, random_state=0).fit(np.vstack(halves))
        kept[n] = np.mean(model.predict(halves[0]) == model.predict(halves[1]))
    numbers = [(likes & part).sum(1) for part in (first, ~first)]
    three = [np.digitize(n, np.quantile(n, [1 / 3, 2 / 3])) for n in numbers]
    same = np.mean(three[0] == three[1])
    claim(
        "M07.stable",
        "Two random halves of a user's likes fall in the same cluster of genre shares for 81 % of users with 2 "
        "clusters, 61 % with 4, 45 % with 8, 31 % with 20",
        np.allclose(list(kept.values()), [0.813, 0.614, 0.452, 0.308], atol=0.03),
    )
    claim("M07.activity", "With three tiers of activity 79 % of them agree", abs(same - 0.794) < 0.01)


def best_ten(scores, seen):
    return np.argsort(-np.where(seen, -np.inf, scores), axis=1, kind="stable")[:, :10]


def kept(before, after):
    return np.mean([len(set(a) & set(b)) / 10 for a, b in zip(before.tolist(), after.tolist(), strict=True)])


def test_a_threshold_is_a_cliff(random_splits, ease, popular):
    likes = random_splits[0].train.positives().matrix().toarray() > 0
    likes = likes[likes.sum(1) >= 20]
    fame = popular[0].counts_.numpy() / popular[0].counts_.numpy().max()
    place = np.where(likes, np.random.default_rng(0).random(likes.shape), 2).argsort(1).argsort(1)
    nine, ten = likes & (place < 9), likes & (place < 10)
    personal = [torch.from_numpy(seen.astype(np.float32)) @ ease[0].weights_ for seen in (nine, ten)]
    personal = [scores.numpy() for scores in personal]
    mixed = [n / (n + 10) * scores + 10 / (n + 10) * fame for n, scores in zip((9, 10), personal, strict=True)]
    hard = kept(best_ten(np.broadcast_to(fame, nine.shape), nine), best_ten(personal[1], ten))
    soft = kept(best_ten(mixed[0], nine), best_ten(mixed[1], ten))
    claim(
        "M07.cliff",
        "From nine likes to ten: a switch from popularity to EASE at ten keeps 21 % of a list, the weight n / (n + 10) "
        "96 %",
        abs(hard - 0.21) < 0.02 and abs(soft - 0.955) < 0.02,
    )


def test_a_membership_that_fades():
    weeks = np.array([0, 4, 8, 12])
    weight = 0.5 ** (weeks / 4)
    claim(
        "M07.half-life",
        "With a half-life of four weeks an interest without events weighs 1, 0.5, 0.25, 0.125 after 0, 4, 8, 12 weeks",
        weight.tolist() == [1, 0.5, 0.25, 0.125],
    )
