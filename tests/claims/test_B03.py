"""What the answer to B03 (which similarity for which data) states."""

import numpy as np
import pytest
import torch

from recsys_course import claim, metrics
from recsys_course.base import Recommender


def cosine(a, b):
    """Cosine of two vectors, or of the columns of two matrices."""
    return (a * b).sum(0) / np.sqrt((a**2).sum(0) * (b**2).sum(0))


def pearson(a, b):
    return cosine(a - a.mean(), b - b.mean())


def test_opposite_tastes_look_alike_to_cosine():
    first, second = np.array([5.0, 4.0, 5.0, 4.0]), np.array([4.0, 5.0, 4.0, 5.0])
    claim(
        "B03.opposite",
        "Ratings 5, 4, 5, 4 and 4, 5, 4, 5 are opposite tastes: cosine 0.976, Pearson -1",
        abs(cosine(first, second) - 0.976) < 0.0005 and abs(pearson(first, second) + 1) < 1e-12,
    )


def test_a_harsh_user_moves_cosine_and_leaves_pearson():
    generous, harsh = np.array([5.0, 3.0, 4.0]), np.array([3.0, 1.0, 2.0])  # the same taste, two stars lower
    claim(
        "B03.shift",
        "The same taste two stars lower: Pearson stays 1, cosine falls to 0.983 although nothing but the scale differs",
        abs(pearson(generous, harsh) - 1) < 1e-12 and abs(cosine(generous, harsh) - 0.983) < 0.0005,
    )


def co_rated(train, centre):
    """Cosine of every pair of items over the users who rated both, and how many these are."""
    x = np.zeros((train.n_users, train.n_items))
    x[train.users, train.items] = train.ratings
    rated = (x > 0).astype(float)
    if centre:
        x = (x - (x.sum(1) / rated.sum(1))[:, None]) * rated
    norm = np.sqrt(((x**2).T @ rated) * (rated.T @ x**2))
    return np.divide(x.T @ x, norm, out=np.zeros_like(norm), where=norm > 1e-9), rated.T @ rated


@pytest.fixture(scope="module")
def item_similarities(random_splits):
    """Raw and adjusted cosine of the pairs of films with five or more common raters."""
    (raw, n), (adjusted, _) = (co_rated(random_splits[0].train, centre) for centre in (False, True))
    enough = np.triu(n >= 5, 1)
    return raw[enough], adjusted[enough]


def test_raw_cosine_of_stars_is_above_nine_tenths_for_most_pairs(item_similarities):
    raw, adjusted = item_similarities
    claim(
        "B03.all-alike",
        "Of the pairs of films with five or more common raters 81 % have a raw cosine above 0.9 over these raters; "
        "after subtracting the users' means 53 % are negative",
        abs((raw > 0.9).mean() - 0.81) < 0.01 and abs((adjusted < 0).mean() - 0.53) < 0.01 and raw.min() > 0,
    )


def rmse(split, centre, shrink):
    """User's mean plus the weighted deviations of the 20 most similar films the user rated; RMSE on all held out."""
    similar, n = co_rated(split.train, centre)
    similar = np.maximum(similar, 0) * n / (n + shrink + 1e-12)
    x = np.zeros((split.train.n_users, split.train.n_items))
    x[split.train.users, split.train.items] = split.train.ratings
    mean, errors = x.sum(1) / (x > 0).sum(1), []
    users, items, stars = (c.numpy() for c in (split.held_out.users, split.held_out.items, split.held_out.ratings))
    for user in np.unique(users):
        mine, wanted = np.flatnonzero(x[user]), items[users == user]
        weights = similar[np.ix_(wanted, mine)]
        if len(mine) > 20:
            weights = weights * (weights >= -np.partition(-weights, 19, axis=1)[:, 19:20])
        total = weights.sum(1)
        move = np.divide(weights @ (x[user, mine] - mean[user]), total, out=np.zeros_like(total), where=total > 0)
        errors.append(np.clip(mean[user] + move, 1, 5) - stars[users == user])
    return np.sqrt(np.mean(np.concatenate(errors) ** 2))


def test_centring_pays_for_ratings_and_shrinking_pays_again(random_splits):
    raw, centred, shrunk = (rmse(random_splits[0], c, s) for c, s in ((False, 0), (True, 0), (True, 25)))
    claim(
        "B03.rmse",
        "Twenty neighbouring films, random split: RMSE 1.04 with raw cosine, 0.98 with adjusted cosine, 0.94 with "
        "adjusted cosine shrunk by 25",
        abs(raw - 1.04) < 0.01 and abs(centred - 0.98) < 0.01 and abs(shrunk - 0.94) < 0.01,
    )


class Likes(Recommender):
    """Sum of similarities to what the user liked; similarities from counts of common likers."""

    def __init__(self, measure, k=50):
        self.measure, self.k = measure, k

    def fit(self, train):
        self.train_, self.likes_ = train, train.positives()
        likes = self.likes_.matrix().toarray().astype(float)
        n = likes.sum(0).clip(1)
        similar = self.measure(likes.T @ likes, n[:, None], n[None])
        np.fill_diagonal(similar, 0)
        kept = similar >= -np.partition(-similar, self.k, axis=1)[:, self.k - 1 : self.k]
        self.similar_ = similar * kept
        return self

    def scores(self, users, history=None):
        likes = self.likes_ if history is None else history.positives()
        return torch.from_numpy(likes.matrix(users) @ self.similar_.T)


MEASURES = {
    "count": lambda both, a, b: both,
    "cosine": lambda both, a, b: both / np.sqrt(a * b),
    "jaccard": lambda both, a, b: both / (a + b - both),
}


def test_for_clicks_cosine_and_jaccard_are_close_and_counts_push_the_head(random_splits, popular_results):
    found = {}
    for name, measure in MEASURES.items():
        results = [metrics.evaluate(Likes(measure).fit(s.train), s.test) for s in random_splits]
        found[name] = [np.mean([r.mean(metric) for r in results]) for metric in ("ndcg", "coverage")]
    popular = np.mean([result.mean("ndcg") for result in popular_results])
    stated = {"cosine": 0.32, "jaccard": 0.32, "count": 0.29}
    claim(
        "B03.clicks",
        "Item neighbours from likes, k=50, random split: NDCG@10 0.32 with cosine and with Jaccard, 0.29 with plain "
        "counts, and 0.17 for popularity",
        all(abs(found[name][0] - wanted) < 0.01 for name, wanted in stated.items()) and abs(popular - 0.17) < 0.01,
    )
    claim(
        "B03.coverage",
        "The lists of counts show 11 % of the films, those of cosine 27 %",
        abs(found["count"][1] - 0.11) < 0.01 and abs(found["cosine"][1] - 0.27) < 0.01,
    )


def test_a_small_item_inside_a_large_one():
    both, a, b = 10, 10, 1_000  # ten fans, all of whom also liked the blockbuster
    claim(
        "B03.nested",
        "Ten fans who all liked a film with 1,000 likes: cosine 0.1, Jaccard 0.01",
        MEASURES["cosine"](both, a, b) == 0.1 and MEASURES["jaccard"](both, a, b) == 0.01,
    )


def test_cosine_is_never_below_jaccard():
    draw = np.random.default_rng(0)
    both = draw.integers(1, 50, 10_000)
    a, b = both + draw.integers(0, 1_000, 10_000), both + draw.integers(0, 1_000, 10_000)
    claim(
        "B03.order",
        "On sets cosine is never below Jaccard, and both rank pairs of equally popular items alike",
        bool((MEASURES["cosine"](both, a, b) >= MEASURES["jaccard"](both, a, b) - 1e-12).all())
        and bool((np.diff(MEASURES["jaccard"](np.arange(1, 50), 50, 50)) > 0).all()),
    )


def test_pearson_over_the_common_users_is_undefined_for_clicks():
    with np.errstate(invalid="ignore"):
        value = pearson(np.ones(7), np.ones(7))
    claim("B03.pearson-clicks", "Pearson over the common users of two clicked items is 0 / 0", bool(np.isnan(value)))
