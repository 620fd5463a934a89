"""Tests that are red on the code as it was found, and green once it is mended."""

import numpy as np
from answer import MatrixFactorisation

from recsys_course.interview.expect import close, true


def _loss(model, user, item, rating, decay):
    p, q = model.users[user], model.items[item]
    return (p @ q - rating) ** 2 / 2 + decay / 2 * (p @ p + q @ q)


def _slopes(model, vectors, row, loss, width=1e-6):
    """The gradient of the loss in one vector, by finite differences."""
    slopes = []
    for place in range(vectors.shape[1]):
        kept = vectors[row, place]
        vectors[row, place] = kept + width
        above = loss()
        vectors[row, place] = kept - width
        below = loss()
        vectors[row, place] = kept
        slopes.append((above - below) / (2 * width))
    return np.array(slopes)


def test_a_step_follows_the_gradient():
    """One step moves both vectors down the gradient, as finite differences find it."""
    model = MatrixFactorisation(2, 2, 3, seed=4)
    user, item, rating, decay = 0, 1, 2.0, 0.1

    def loss():
        return _loss(model, user, item, rating, decay)

    want = [_slopes(model, model.users, user, loss), _slopes(model, model.items, item, loss)]
    before = model.users[user].copy(), model.items[item].copy()
    model.step(user, item, rating, lr=0.01, decay=decay)
    close((before[0] - model.users[user]) / 0.01, want[0], "the user's step over lr", tolerance=1e-6)
    close((before[1] - model.items[item]) / 0.01, want[1], "the item's step over lr", tolerance=1e-6)


def test_ratings_of_rank_one_are_learnt():
    """Ratings of rank one are learnt to an error below 0.05."""
    row, column = [1.0, -1.0, 2.0, 0.5], [1.0, 0.5, -1.0]
    ratings = [(u, i, row[u] * column[i]) for u in range(4) for i in range(3)]
    model = MatrixFactorisation(4, 3, 2)
    model.fit(ratings, epochs=500)
    worst = max(abs(model.predict(u, i) - rating) for u, i, rating in ratings)
    true(worst < 0.05, f"after 500 epochs a training rating is still missed by {worst:.2f}")


def test_the_loss_of_an_epoch_is_that_of_all_ratings():
    """The loss of an epoch is the mean over its steps, or that over all ratings after it."""
    ratings = [(0, 0, 1.0), (1, 1, -2.0), (0, 1, 3.0)]
    model, steps, after = MatrixFactorisation(2, 2, 2), [], []
    step = model.step

    def spy(*arguments, **options):
        steps.append(step(*arguments, **options))
        after.append(np.mean([(model.predict(u, i) - rating) ** 2 for u, i, rating in ratings]))
        return steps[-1]

    model.step = spy
    found = np.array(model.fit(ratings, epochs=2))
    if not np.allclose(found, after[2::3]):
        close(found, np.reshape(steps, (2, 3)).mean(axis=1), "the losses of two epochs of three ratings")


def test_other_vectors_stay():
    """A step moves one user and one item only."""
    model = MatrixFactorisation(3, 3, 2)
    users, items = model.users.copy(), model.items.copy()
    model.step(1, 2, 4.0)
    close(model.users[[0, 2]], users[[0, 2]], "the other users")
    close(model.items[:2], items[:2], "the other items")
