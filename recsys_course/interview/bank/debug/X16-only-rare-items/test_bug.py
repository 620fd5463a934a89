"""Tests that are red on the code as it was found, and green once it is mended."""

import numpy as np
from answer import batch_loss, recommend, train

from recsys_course.interview.expect import close, true


def _choices(seed, n_users=6, n_items=40, n=30_000):
    """Choices by users whose tastes are known."""
    rng = np.random.default_rng(seed)
    taste = np.exp(rng.normal(size=(n_users, n_items)) - 1.2 * np.log(np.arange(1, n_items + 1)))
    taste /= taste.sum(axis=1, keepdims=True)
    users = rng.integers(n_users, size=n)
    items = np.minimum((taste.cumsum(axis=1)[users] < rng.random((n, 1))).sum(axis=1), n_items - 1)
    return taste, users, items


def test_the_taste_is_learnt():
    """Lists hold what users with known tastes choose, and rare items have no more places than tastes give them."""
    taste, users, items = _choices(seed=5)
    lists, best = recommend(train(users, items, 6, 40, steps=1_500)), recommend(taste)
    caught, possible = (np.take_along_axis(taste, some, axis=1).sum(axis=1).mean() for some in (lists, best))
    true(caught > 0.95 * possible, f"the lists catch {caught:.0%} of the choices; {possible:.0%} are possible")
    rare = np.argsort(np.argsort(-np.bincount(items, minlength=40))) >= 8
    shares = rare[lists].mean(), rare[best].mean()
    true(abs(shares[0] - shares[1]) < 0.1, f"rare items have {shares[0]:.0%} of the places, not {shares[1]:.0%}")


def test_the_shares_are_learnt():
    """Without tastes of their own, users' scores follow the logarithm of how often an item is chosen."""
    rng = np.random.default_rng(6)
    share = np.array([0.4, 0.2, 0.2, 0.1, 0.05, 0.05])
    items = rng.choice(6, size=20_000, p=share)
    found = train(np.zeros(len(items), dtype=int), items, 1, 6, steps=1_000)[0]
    found = np.exp(found - found.max())
    found = (found / found.sum()).round(2).tolist()
    true(all(np.diff(found)[[0, 2, 3]] < 0), f"items chosen by shares of {share.tolist()} were learnt as {found}")


def test_the_same_item_twice():
    """Perfect scores have a loss of 0, whichever items come up in several rows."""
    for items in ([0, 0, 0, 0, 1, 2, 3, 4], [5, 5, 5, 5, 5, 5, 5, 5], [0, 1, 2, 3, 4, 5, 6, 7]):
        items = np.array(items)
        loss, gradient = batch_loss(40.0 * (items[:, None] == items), items, np.zeros(8))
        close(loss, 0.0, f"loss of perfect scores for the items {items}", tolerance=1e-6)
        close(gradient, np.zeros((8, 8)), f"its gradient for the items {items}", tolerance=1e-6)


def test_rows_that_differ():
    """Where all items differ and are equally frequent, the loss is the cross-entropy of the diagonal."""
    scores = np.random.default_rng(7).normal(size=(5, 5))
    want = np.mean(np.log(np.exp(scores).sum(axis=1)) - scores.diagonal())
    for shift in (0.0, 900.0, -900.0):
        loss, _ = batch_loss(scores + shift, np.arange(5), np.full(5, np.log(0.2)))
        close(loss, float(want), f"loss of five rows with scores around {shift}", tolerance=1e-6)


def test_only_differences_count():
    """Another constant on all scores of a batch with repeated items changes nothing."""
    items, scores = np.array([0, 1, 0, 2]), np.random.default_rng(8).normal(size=(4, 4))
    want, _ = batch_loss(scores, items, np.zeros(3))
    for shift in (50.0, -50.0):
        loss, _ = batch_loss(scores + shift, items, np.zeros(3))
        close(loss, want, f"loss of the items {items} with {shift} added to all scores", tolerance=1e-6)


def test_the_gradient_belongs_to_the_loss():
    """The gradient is the one that finite differences give, with and without repeated items."""
    rng = np.random.default_rng(9)
    for items in (np.array([0, 1, 2]), np.array([0, 1, 0]), np.array([2, 2, 2])):
        scores, log_q, wanted = rng.normal(size=(3, 3)), np.log([0.6, 0.3, 0.1]), np.zeros((3, 3))
        for place in np.ndindex(3, 3):
            step = np.zeros((3, 3))
            step[place] = 1e-5
            above, below = (batch_loss(scores + sign * step, items, log_q)[0] for sign in (1, -1))
            wanted[place] = (above - below) / 2e-5
        close(batch_loss(scores, items, log_q)[1], wanted, f"gradient for the items {items}", tolerance=1e-6)
