"""Tests that a candidate sees and runs at once."""

import numpy as np
from answer import BiasedMF

from recsys_course.interview.expect import close, true


def test_the_error_of_a_fresh_model():
    """The error before the step is returned."""
    model = BiasedMF(2, 2, 1, lr=0.1, reg=0.0)
    model.user_factors[0], model.item_factors[0] = 1.0, 2.0
    close(model.update(0, 0, 5.0), 3.0, "the error of a rating of 5 where 2 is predicted")


def test_biases_move():
    """Both biases move by lr * error."""
    model = BiasedMF(2, 2, 1, lr=0.1, reg=0.0)
    error = model.update(1, 0, 4.0)
    close(model.user_bias, [0.0, 0.1 * error], "user_bias after update(1, 0, 4.0)")
    close(model.item_bias, [0.1 * error, 0.0], "item_bias after update(1, 0, 4.0)")


def test_it_learns():
    """It learns four ratings by heart."""
    model = BiasedMF(2, 2, 2, lr=0.1, reg=0.0).fit([0, 0, 1, 1], [0, 1, 0, 1], [5.0, 1.0, 2.0, 4.0], epochs=600)
    got = np.array([[model.predict(u, i) for i in range(2)] for u in range(2)])
    true(np.abs(got - [[5, 1], [2, 4]]).max() < 0.2, f"after 600 epochs it predicts {got.round(2).tolist()}")
