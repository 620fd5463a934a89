"""What the answer to B04 (SGD for matrix factorisation with biases) states."""

import numpy as np
import pytest
import torch

from recsys_course import claim
from recsys_course.models.mf import MF


def loss(rating, mean, b, c, p, q, reg):
    """Half the regularised squared error of one rating, so that no factor 2 is left in the gradient."""
    error = rating - (mean + b + c + p @ q)
    return (error**2 + reg * (b**2 + c**2 + p @ p + q @ q)) / 2


def gradients(rating, mean, b, c, p, q, reg):
    error = rating - (mean + b + c + p @ q)
    return -(error - reg * b), -(error - reg * c), -(error * q - reg * p), -(error * p - reg * q)


def test_the_gradient_is_the_error_times_the_other_factor():
    draw = np.random.default_rng(0)
    worst = 0.0
    for _ in range(20):
        b, c, p, q = draw.normal(), draw.normal(), draw.normal(size=4), draw.normal(size=4)
        x = np.concatenate([[b, c], p, q])
        value = lambda x: loss(4.0, 3.5, x[0], x[1], x[2:6], x[6:], 0.1)  # noqa: E731
        numeric = [(value(x + step) - value(x - step)) / 2e-6 for step in 1e-6 * np.eye(10)]
        worst = max(worst, np.abs(np.hstack(gradients(4.0, 3.5, b, c, p, q, 0.1)) - numeric).max())
    claim("B04.gradient", "Both gradients agree with finite differences at random points", worst < 1e-7)


def test_one_step_worked_by_hand():
    """Rating 4, mean 3, no biases, p = (1, 0), q = (0.5, 1), rate 0.1, no penalty: the error is 0.5."""
    p, q = np.array([1.0, 0.0]), np.array([0.5, 1.0])
    *_, to_p, to_q = gradients(4.0, 3.0, 0.0, 0.0, p, q, 0.0)
    new_p, new_q = p - 0.1 * to_p, q - 0.1 * to_q
    error_kept = q + 0.1 * 0.5 * new_p  # q moved with the new p
    claim(
        "B04.step",
        "Error 0.5: p goes from (1, 0) to (1.025, 0.05), q from (0.5, 1) to (0.55, 1); with the new p, q would go to "
        "(0.55125, 1.0025)",
        np.allclose(new_p, [1.025, 0.05])
        and np.allclose(new_q, [0.55, 1.0])
        and np.allclose(error_kept, [0.55125, 1.0025]),
    )


def train_by(split, scalar, rate=0.002, epochs=30):
    """The circulating loop in batches, U(0, 1) start and no biases; the ``scalar`` form leaves the other factor out.

    Returns:
        RMSE on the held-out ratings, correlation of the centred item vectors before and after.
    """
    train, test, generator = split.train, split.held_out, torch.Generator().manual_seed(0)
    p, q = torch.rand(train.n_users, 10, generator=generator), torch.rand(train.n_items, 10, generator=generator)
    start = q.clone()
    for _ in range(epochs):
        for rows in torch.randperm(len(train), generator=generator).split(512):
            users, items = train.users[rows], train.items[rows]
            error = (train.ratings[rows] - (p[users] * q[items]).sum(1)).unsqueeze(1)
            to_p, to_q = (error.expand(-1, 10),) * 2 if scalar else (error * q[items], error * p[users])
            p.index_add_(0, users, rate * to_p)
            q.index_add_(0, items, rate * to_q)
    guess = (p[test.users] * q[test.items]).sum(1).clamp(1, 5)
    centred = [(x - x.mean(1, keepdim=True)).flatten() for x in (start, q)]
    return float((guess - test.ratings).square().mean().sqrt()), float(torch.corrcoef(torch.stack(centred))[0, 1])


def test_without_the_other_factor_the_error_falls_and_nothing_is_learnt(random_splits):
    right, moved = train_by(random_splits[0], scalar=False)
    scalar, stayed = train_by(random_splits[0], scalar=True)
    mean = float((random_splits[0].held_out.ratings - random_splits[0].train.ratings.mean()).square().mean().sqrt())
    claim(
        "B04.scalar-error",
        "Random split, 10 dimensions, no biases: RMSE 0.958 with the right gradient, 0.974 with the scalar error, "
        "1.117 for the global mean",
        abs(right - 0.958) < 0.002 and abs(scalar - 0.974) < 0.002 and abs(mean - 1.117) < 0.001,
    )
    claim(
        "B04.never-moves",
        "With the scalar error the item vectors, each less its own mean, correlate at 1.000 with the random start, "
        "with the right gradient they move",
        stayed > 0.9999 and moved < 0.97,
    )


def rmse(model, events):
    return float((model.predict(events.users, events.items) - events.ratings).square().mean().sqrt())


def bias_rmse(split, shrink=5):
    """Mean plus item bias plus user bias, each an average of what is left, shrunk a little."""
    users, items, left = split.train.users, split.train.items, split.train.ratings - split.train.ratings.mean()
    total = lambda ids, n, x: torch.zeros(n).index_add(0, ids, x)  # noqa: E731
    of_item = total(items, split.train.n_items, left) / (split.train.item_counts() + shrink)
    left = left - of_item[items]
    of_user = total(users, split.train.n_users, left) / (torch.bincount(users, minlength=split.train.n_users) + shrink)
    test = split.held_out
    guess = (split.train.ratings.mean() + of_item[test.items] + of_user[test.users]).clamp(1, 5)
    return float((guess - test.ratings).square().mean().sqrt())


def test_biases_do_most_of_the_work(random_splits):
    split = random_splits[0]
    model = MF(dim=32, epochs=30, learning_rate=0.02, reg=0.1).fit(split.train)
    claim(
        "B04.biases",
        "Random split, RMSE: 1.117 for the global mean, 0.938 with biases, 0.91 with biases and 32 dimensions",
        abs(bias_rmse(split) - 0.938) < 0.002 and abs(rmse(model, split.held_out) - 0.91) < 0.005,
    )


def test_the_two_curves_tell_the_penalty(random_splits):
    split, found = random_splits[0], {}
    for reg in (0.0, 1.0):
        model = MF(dim=32, epochs=30, learning_rate=0.02, reg=reg).fit(split.train)
        found[reg] = rmse(model, split.train), rmse(model, split.held_out)
    claim(
        "B04.no-penalty",
        "Without a penalty the RMSE is 0.40 on the training ratings and 1.13 on the held-out ones, worse than the mean",
        abs(found[0.0][0] - 0.40) < 0.01 and abs(found[0.0][1] - 1.13) < 0.01,
    )
    claim(
        "B04.large-penalty",
        "With a penalty of 1 both are high, 0.97 and 0.98",
        abs(found[1.0][0] - 0.97) < 0.01 and abs(found[1.0][1] - 0.98) < 0.01,
    )


def test_a_learning_rate_that_is_too_high_is_stopped(random_splits):
    with pytest.raises(ValueError) as error:
        MF(dim=32, epochs=5, learning_rate=1.0, reg=0.1).fit(random_splits[0].train)
    claim(
        "B04.diverges",
        "At a learning rate of 1 the loss leaves the numbers in the first epoch, and fit says so",
        "learning rate 1 is too high" in str(error.value) and "in epoch 1" in str(error.value),
    )


def test_repeated_rows_are_summed_by_add_at_only():
    plain, summed, rows = np.zeros(2), np.zeros(2), np.array([0, 0, 1])
    plain[rows] += 1.0
    np.add.at(summed, rows, 1.0)
    tensor = torch.zeros(2).index_add(0, torch.from_numpy(rows), torch.ones(3))
    claim(
        "B04.repeated-ids",
        "Adding 1 to rows 0, 0 and 1: indexing with += gives 1 and 1, np.add.at and index_add 2 and 1",
        plain.tolist() == [1, 1] and summed.tolist() == [2, 1] and tensor.tolist() == [2, 1],
    )


def test_triples_are_not_the_table():
    triples = np.array(
        [[0, 0, 5], [0, 1, 3], [1, 2, 4], [2, 3, 1], [3, 1, 2], [4, 0, 4], [5, 2, 5], [6, 3, 3], [7, 1, 1]]
    )
    n_users, n_items = triples.shape
    with pytest.raises(IndexError):
        np.zeros((n_items, 2))[triples[:, 1]]
    claim(
        "B04.triples",
        "Nine triples read as the table give 9 users and 3 items, so item 3 is out of range",
        (n_users, n_items) == (9, 3) and triples[:, 1].max() == 3,
    )
