"""Tests that are red on the code as it was found, and green once it is mended."""

import numpy as np
from answer import evaluate, recommend

from recsys_course.interview.expect import close, true


def _by_hand(scores, train, test, k):
    """Goes through each user's items from the best on, and passes over those liked before the test month."""
    shares = []
    for row, old, new in zip(scores, train, test, strict=True):
        best = [item for item in sorted(range(len(row)), key=lambda item: -row[item]) if not old[item]][:k]
        if new.any():
            shares.append(sum(bool(new[item]) for item in best) / new.sum())
    return sum(shares) / len(shares)


def _likes(seed, users=30, items=40):
    rng = np.random.default_rng(seed)
    likes = rng.random((users, items)) < 0.3
    test = likes & (rng.random((users, items)) < 0.3)
    test[:3] = False
    return likes & ~test, test, rng


def _evaluate(scores, train, test, k):
    return evaluate(scores.copy(), train.copy(), test.copy(), k)


def test_a_model_that_repeats_the_past():
    """A model that knows nothing but the old likes catches no new one."""
    train, test, _ = _likes(0)
    close(_evaluate(2.0 * train - test, train, test, 5), 0.0, "recall@5 of a model that repeats the old likes")


def test_a_model_that_knows_the_future():
    """A model that has the new likes right behind the old ones catches all of them."""
    train, test, _ = _likes(1)
    k = int(test.sum(axis=1).max())
    close(_evaluate(2.0 * train + test, train, test, k), 1.0, f"recall@{k} of old likes first, then the new ones")


def test_random_scores():
    """Recall is what going through the lists item by item gives, also where all scores are negative."""
    for seed, shift in ((2, 0.0), (3, -9.0), (4, 9.0)):
        train, test, rng = _likes(seed)
        scores = rng.normal(size=train.shape) + train + shift
        for k in (1, 5, 20):
            call = f"recall@{k} of random scores around {shift}"
            close(_evaluate(scores, train, test, k), _by_hand(scores, train, test, k), call)


def test_one_user():
    """One user: the old like stands first, one of two new likes is among the next two."""
    scores, old, new = np.array([[5.0, 4.0, 3.0, 2.0, 1.0]]), [0], [2, 3]
    train, test = (np.isin(np.arange(5), items)[None] for items in (old, new))
    close(_evaluate(scores, train, test, 2), 0.5, "recall@2 of the order 0 1 2 3 4, liked before: 0, new: 2 and 3")


def test_the_shop_shows_nothing_old():
    """The lists of the shop have no item that the user has liked, and the best of the others in order."""
    train, _, rng = _likes(5)
    lists = recommend(rng.normal(size=train.shape), train, 6)
    true(not np.take_along_axis(train, lists, axis=1).any(), "the shop shows an item that its user has liked")
    scores, liked = np.array([[1.0, 4.0, 2.0, 3.0]]), np.array([[False, True, False, False]])
    close(recommend(scores, liked, 2), [[3, 2]], "the two best new items of scores 1 4 2 3, item 1 liked")
