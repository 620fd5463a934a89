"""Tests that are run when an answer is handed in."""

import numpy as np
from answer import BiasedMF

from recsys_course.interview.expect import Growth, close, edge, equal, raises, safety, true


def _model(seed=0, **options):
    """A model with factors that are not small."""
    model = BiasedMF(4, 5, 3, **{"lr": 0.1, "reg": 0.3, **options})
    rng = np.random.default_rng(seed)
    for table in (model.user_bias, model.item_bias, model.user_factors, model.item_factors):
        table[...] = rng.normal(size=table.shape)
    return model


def _step(model, user, item, rating):
    """The values after one step, from the definition."""
    p, q, b, c = (
        table[row].copy()
        for table, row in (
            (model.user_factors, user),
            (model.item_factors, item),
            (model.user_bias, user),
            (model.item_bias, item),
        )
    )
    e = rating - (model.mean_ + b + c + p @ q)
    return e, p + 0.1 * (e * q - 0.3 * p), q + 0.1 * (e * p - 0.3 * q), b + 0.1 * (e - 0.3 * b), c + 0.1 * (e - 0.3 * c)


class _Watched(BiasedMF):
    """Remembers what `fit` trains on."""

    def update(self, user, item, rating):
        self.__dict__.setdefault("steps", []).append((int(user), int(item), float(rating)))
        return super().update(user, item, rating)


def _watch(epochs, seed=0):
    users, items = list(range(20)), list(range(19, -1, -1))
    model = _Watched(20, 20, 2, seed=seed).fit(users, items, [1.0 + i % 5 for i in range(20)], epochs)
    return [model.steps[start : start + 20] for start in range(0, len(model.steps), 20)], model


@edge("old-values")
def test_both_factors_use_the_old_values():
    """Both factors move by the other's value from before the step."""
    model = _model()
    error, user_row, item_row, _, _ = _step(model, 2, 3, 4.0)
    close(model.update(2, 3, 4.0), error, "the error of update(2, 3, 4.0)")
    close(model.user_factors[2], user_row, "the user's factors after the step")
    close(model.item_factors[3], item_row, "the item's factors after the step")


def test_biases_are_regularised():
    """The biases move by the error and shrink by reg."""
    model = _model(1)
    _, _, _, user_bias, item_bias = _step(model, 0, 1, 2.0)
    model.update(0, 1, 2.0)
    close(model.user_bias[0], float(user_bias), "the user's bias after the step")
    close(model.item_bias[1], float(item_bias), "the item's bias after the step")


def test_other_rows_stay():
    """A step changes one row of each table."""
    model, before = _model(2), _model(2)
    model.update(1, 1, 3.0)
    keep = [0, 2, 3]
    close(model.user_factors[keep], before.user_factors[keep], "the other users' factors")
    close(model.item_bias[keep], before.item_bias[keep], "the other items' biases")


def test_the_mean():
    """The mean is that of the ratings, and the predictions start from it."""
    model = BiasedMF(3, 3, 2).fit([0, 1], [0, 1], [2.0, 5.0], epochs=0)
    close(model.mean_, 3.5, "mean_ of the ratings 2 and 5")
    close(model.predict(9, 9), 3.5, "predict of nobody and nothing")


def test_every_rating_once_an_epoch():
    """Every rating is used once in every epoch."""
    epochs, _ = _watch(3)
    equal([sorted(steps) for steps in epochs], [sorted(epochs[0])] * 3, "the ratings of three epochs, sorted")
    equal(len(set(epochs[0])), 20, "different ratings in one epoch of 20")


@edge("shuffle")
def test_a_new_order_each_epoch():
    """Each epoch has an order of its own, and it is not that of the data."""
    epochs, _ = _watch(3)
    true(len({tuple(steps) for steps in epochs}) == 3, "two of three epochs have the same order")
    true([u for u, _, _ in epochs[0]] != list(range(20)), "the first epoch has the order of the data")


@edge("divergence")
def test_a_learning_rate_that_is_too_high():
    """An error that is not finite any more is a FloatingPointError."""
    model = BiasedMF(2, 2, 4, lr=50.0, reg=0.0)
    raises(FloatingPointError, lambda: model.fit([0, 1, 0], [0, 1, 1], [5.0, 1.0, 3.0], 300), "fit with lr=50")


@edge("unknown")
def test_unknown_users_and_items():
    """Who has no rating adds nothing: inside the table, beyond it, or a negative id."""
    model = BiasedMF(4, 5, 3).fit([0, 0, 1], [0, 1, 0], [5.0, 3.0, 1.0], epochs=20)
    known = float(np.clip(model.mean_ + model.item_bias[0], 1, 5))
    for user in (3, 99, -1):
        close(model.predict(user, 0), known, f"predict({user}, 0) where user {user} has no rating")
    close(model.predict(0, 4), float(np.clip(model.mean_ + model.user_bias[0], 1, 5)), "predict(0, 4), no rating of 4")
    close(model.predict(99, 99), model.mean_, "predict(99, 99)")


@edge("clip")
def test_predictions_are_clipped_but_errors_are_not():
    """What is shown is clipped to the range, what is learnt from is not."""
    model = BiasedMF(2, 2, 1, lr=0.1, reg=0.0).fit([0, 1], [0, 1], [5.0, 5.0], epochs=0)
    model.user_bias[0], model.item_bias[0] = 3.0, 2.0
    close(model.predict(0, 0), 5.0, "predict where the sum is 10")
    close(model.update(0, 0, 5.0), -5.0, "the error where the sum is 10", tolerance=0.1)
    model.user_bias[1] = -20.0
    close(model.predict(1, 1), 1.0, "predict where the sum is -15")


@edge("sparse")
@safety
def test_a_large_table_with_few_ratings():
    """100,000 users, 100,000 items and three ratings need no matrix."""
    n = 100_000
    model = BiasedMF(n, n, 2).fit([0, 5, n - 1], [n - 1, 7, 0], [1.0, 3.0, 5.0], epochs=2)
    true(1 <= model.predict(n - 1, 0) <= 5, "predict of the last user is outside the range")


@safety
def test_the_same_seed_gives_the_same_model():
    """The same seed gives the same model, another one another; the global generator is left alone."""
    np.random.seed(5)
    before = np.random.get_state()[1].copy()
    (_, one), (_, same), (_, other) = _watch(2), _watch(2), _watch(2, seed=1)
    close(one.user_factors, same.user_factors, "factors of two models with one seed")
    true(not np.allclose(one.user_factors, other.user_factors), "another seed gives the same factors")
    true((np.random.get_state()[1] == before).all(), "NumPy's global generator was used or seeded")


@safety
def test_results_are_numbers():
    """Errors and predictions are plain numbers, columns may be arrays, and factors are no zeros."""
    columns = np.array([0, 1]), np.array([1, 0]), np.array([4.0, 2.0])
    model = BiasedMF(2, 2, 3).fit(*columns, epochs=1)
    close(model.predict(0, 1), model.predict(np.int64(0), np.int64(1)), "predict with NumPy's integers")
    true(isinstance(model.predict(0, 1), float) and isinstance(model.update(0, 1, 3.0), float), "not a float")
    true(np.abs(BiasedMF(50, 2, 4).user_factors).mean() > 0.02, "the factors start at zero and can never move")


def _prepare(n):
    rng = np.random.default_rng(n)
    users, items = rng.integers(0, n, n).tolist(), rng.integers(0, n, n).tolist()
    ratings = rng.integers(1, 6, n).astype(float).tolist()
    return lambda: BiasedMF(n, n, 4).fit(users, items, ratings, epochs=1)


GROWTH = Growth(_prepare, exponent=1, start=400)
