"""What the answer to M10 (one vector a user or several) states."""

import numpy as np
import pytest
from scipy.sparse.linalg import svds
from sklearn.cluster import KMeans

from recsys_course import claim


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True).clip(1e-9)


def interests(liked, k):
    """Centres of ``k`` clusters of a user's liked vectors, or their mean, each of length 1: ``[k, dim]``."""
    if k == 1:
        return unit(liked.mean(0, keepdims=True))
    return unit(KMeans(k, n_init=1, random_state=0).fit(liked).cluster_centers_)


@pytest.fixture(scope="module")
def films(random_splits):
    """Vectors of all films, and likes, seen films and held-out likes of users with 20 likes, one random split."""
    split = random_splits[0]
    table = split.train.positives().matrix().astype(float)
    _, sizes, right = svds(table, k=64, v0=np.ones(min(table.shape)))
    likes, seen, hidden = (part.matrix().toarray() > 0 for part in (split.train.positives(), split.train, split.test))
    users = (likes.sum(1) >= 20) & (hidden.sum(1) > 0)
    return right.T * sizes**0.5, likes[users], seen[users], hidden[users]


def test_on_movielens_one_vector_is_enough(films, ndcg_at_ten):
    vectors, likes, seen, hidden = films
    directions = unit(vectors)
    found, lists = {}, []
    for k in (1, 3):
        scores = np.empty(likes.shape)
        for row, liked in enumerate(likes):
            each = interests(directions[liked], k) @ vectors.T  # [k, n_items]
            scores[row] = each.max(0)
            if k == 3:
                best = np.argsort(-np.where(seen[row], -np.inf, each), axis=1)[:, :100]
                lists.append(len(np.unique(best)))
        found[k] = ndcg_at_ten(scores, hidden, ~seen)
    spread = np.array([np.linalg.norm(directions[liked].mean(0)) for liked in likes])
    widest = spread <= np.quantile(spread, 0.25)
    lost = found[1] - found[3]
    half = 1.96 * lost.std(ddof=1) / len(lost) ** 0.5
    claim(
        "M10.movielens",
        "620 users with 20 likes, vectors of 64 numbers, NDCG@10: one mean 0.38, the best of three interests 0.34; the "
        "quarter with the most scattered likes loses as well",
        len(likes) == 620
        and abs(found[1].mean() - 0.38) < 0.01
        and abs(found[3].mean() - 0.342) < 0.01
        and lost.mean() > half
        and found[1][widest].mean() > found[3][widest].mean(),
    )
    claim(
        "M10.merge",
        "Three lists of 100 films hold 187 different ones on average",
        abs(np.mean(lists) - 187) < 8,
    )


def shares(minor, draw, dim=16, noise=0.15):
    """Share of the ten best that belong to the minor taste, by the mean and by two interests; 20 films a topic."""
    topics = np.eye(dim)[:8]
    items = unit(np.repeat(topics, 20, axis=0) + noise * draw.normal(size=(160, dim)))
    topic = np.repeat(np.arange(8), 20)
    liked = unit(np.repeat(topics[:2], [10 - minor, minor], axis=0) + noise * draw.normal(size=(10, dim)))
    by_mean, by_two = (items @ interests(liked, k).T for k in (1, 2))
    found = [np.mean(topic[np.argsort(-by_mean[:, 0])[:10]] == 1)]
    found.append(np.mean(topic[np.argsort(-by_two.max(1))[:10]] == 1))
    ranked = np.argsort(-by_two, axis=0)[:5].ravel()
    return [*found, np.mean(topic[ranked] == 1)]


def test_a_minor_taste_drowns_in_the_mean():
    draw = np.random.default_rng(0)
    table = {minor: np.mean([shares(minor, draw) for _ in range(200)], axis=0) for minor in (2, 5)}
    claim(
        "M10.minor",
        "Two tastes at right angles, eight likes and two: the mean's ten best hold none of the minor one, the larger "
        "of two cosines 28 % of it, five places for each interest 50 %",
        table[2][0] < 0.01 and abs(table[2][1] - 0.28) < 0.05 and abs(table[2][2] - 0.5) < 0.01,
    )
    claim(
        "M10.even",
        "With five likes each the mean finds both: 50 % of its ten best belong to the second taste",
        abs(table[5][0] - 0.5) < 0.05,
    )


def test_what_several_vectors_cost():
    requests, vectors, users, dim = 10_000, 4, 10**8, 64
    claim(
        "M10.cost",
        "10,000 requests a second with 4 vectors are 40,000 searches; 100 million users with 4 vectors of 64 "
        "numbers in fp16 are 51 GB instead of 13",
        requests * vectors == 40_000
        and abs(users * vectors * dim * 2 / 51.2e9 - 1) < 0.01
        and abs(users * dim * 2 / 12.8e9 - 1) < 0.01,
    )
