"""What the answer to O08 (three ways to be misled by importances) states."""

from itertools import permutations

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression

from recsys_course import claim

TRAIN, HELD = slice(0, 1000), slice(1000, 2000)


def permuted(model, x, y, scoring=None):
    """Fall of the score when a column is shuffled, mean of ten times."""
    return permutation_importance(model, x, y, n_repeats=10, random_state=0, scoring=scoring).importances_mean


def test_impurity_likes_columns_with_many_values():
    draw = np.random.default_rng(0)
    taste, ids = draw.integers(0, 2, 2000), draw.permutation(2000) % 1000
    liked = draw.random(2000) < np.where(taste, 0.65, 0.35)
    x = np.c_[taste, ids]
    forest = RandomForestClassifier(50, random_state=0).fit(x[TRAIN], liked[TRAIN])
    impurity = forest.feature_importances_
    on_train = permuted(forest, x[TRAIN], liked[TRAIN], "roc_auc")
    held = permuted(forest, x[HELD], liked[HELD], "roc_auc")
    claim(
        "O08.ids",
        "A taste that moves the like rate from 35 to 65 % and an id of 1,000 values that says nothing: impurity gives "
        "the id 90 %; shuffling costs 0.42 of AUC on the training rows for the id, 0.28 for the taste; on held-out "
        "rows 0.05 for the taste and nothing for the id",
        abs(impurity[1] - 0.90) < 0.03
        and abs(on_train[1] - 0.42) < 0.04
        and abs(on_train[0] - 0.28) < 0.04
        and abs(held[0] - 0.054) < 0.02
        and held[1] <= 0.005,
    )


@pytest.fixture(scope="module")
def twins():
    """Two noisy copies of one signal, a weaker signal of its own, and a target, 2,000 rows."""
    draw = np.random.default_rng(0)
    signal, own = draw.normal(size=(2, 2000))
    first, second = signal + 0.1 * draw.normal(size=(2, 2000))
    return np.c_[first, second, own], signal + 0.5 * own + 0.3 * draw.normal(size=2000)


def forest_on(x, y, columns):
    return RandomForestRegressor(30, random_state=0, min_samples_leaf=5).fit(x[TRAIN][:, columns], y[TRAIN])


def test_correlated_columns_share_or_hide_their_importance(twins):
    x, y = twins
    score = lambda columns: forest_on(x, y, columns).score(x[HELD][:, columns], y[HELD])  # noqa: E731
    full, both = forest_on(x, y, [0, 1, 2]), score([0, 1, 2])
    alone = permuted(forest_on(x, y, [0, 2]), x[HELD][:, [0, 2]], y[HELD])
    shuffled = permuted(full, x[HELD], y[HELD])
    dropped = [both - score(kept) for kept in ([1, 2], [0, 2], [0, 1], [2])]
    claim(
        "O08.twins",
        "Two copies of one signal, fall of R2: shuffling costs 1.4 with one copy in the model, 0.16 and 0.82 with two; "
        "leaving one out and fitting again costs under 0.01, leaving out both 0.83",
        abs(alone[0] - 1.44) < 0.1
        and np.allclose(shuffled[:2], [0.16, 0.82], atol=0.08)
        and max(dropped[:2]) < 0.01
        and abs(dropped[3] - 0.826) < 0.03,
    )
    claim(
        "O08.order",
        "The weaker signal of its own costs 0.32 when shuffled, twice as much as one of the copies, and 0.19 when left "
        "out, more than either copy",
        abs(shuffled[2] - 0.318) < 0.05
        and shuffled[2] > 1.5 * shuffled[0]
        and abs(dropped[2] - 0.192) < 0.03
        and dropped[2] > 10 * max(dropped[:2]),
    )
    together = x[HELD].copy()
    together[:, :2] = together[np.random.default_rng(1).permutation(1000)][:, :2]
    group = full.score(x[HELD], y[HELD]) - full.score(together, y[HELD])
    claim("O08.group", "Shuffling both copies together, by rows, costs 1.5", abs(group - 1.5) < 0.1)


def test_shuffling_one_copy_makes_rows_that_do_not_exist(twins):
    first, second = twins[0][HELD, 0], twins[0][HELD, 1]
    real = np.abs(first - second)
    made = np.abs(np.random.default_rng(1).permutation(first) - second)
    claim(
        "O08.off-the-data",
        "After shuffling one copy three rows in four have the two further apart than any real row",
        abs((made > real.max()).mean() - 0.75) < 0.06,
    )


@pytest.fixture(scope="module")
def other_model():
    """Rows of three columns, what happened (it hangs on column 0), and what a model says (it never reads column 0)."""
    draw = np.random.default_rng(0)
    x = np.c_[draw.integers(0, 2, 2000), draw.normal(size=(2000, 2))]
    happened = draw.random(2000) < 1 / (1 + np.exp(-(4 * x[:, 0] - 2) - 0.5 * x[:, 1]))
    return x, happened, 1 / (1 + np.exp(-x[:, 1] * x[:, 2]))


def test_a_forest_on_the_labels_explains_the_forest(other_model):
    x, happened, said = other_model
    forest = RandomForestClassifier(50, random_state=0, min_samples_leaf=5).fit(x[TRAIN], happened[TRAIN])
    found = permuted(forest, x[HELD], happened[HELD], "roc_auc")
    fidelity = np.corrcoef(forest.predict_proba(x[HELD])[:, 1], said[HELD])[0, 1]
    claim(
        "O08.other-model",
        "A model that never reads column 0, and a forest fitted to the labels: the forest calls column 0 the most "
        "important, 0.4 of AUC against under 0.03, and its answers correlate below 0.15 with the model's",
        abs(found[0] - 0.39) < 0.05 and max(found[1:]) < 0.03 and abs(fidelity) < 0.15,
    )


def test_a_surrogate_needs_its_fidelity(other_model):
    x, _, said = other_model
    forest = RandomForestRegressor(50, random_state=0, min_samples_leaf=5).fit(x[TRAIN], said[TRAIN])
    line = LinearRegression().fit(x[TRAIN], said[TRAIN])
    shares = forest.feature_importances_
    claim(
        "O08.fidelity",
        "Fitted to that model's answers, held-out R2: a forest has 0.97 and gives column 0 nothing, a line has 0.0",
        abs(forest.score(x[HELD], said[HELD]) - 0.97) < 0.02
        and shares[0] < 0.005
        and abs(line.score(x[HELD], said[HELD])) < 0.03,
    )


def shapley(value, players):
    """Mean over all orders of what each player adds on its arrival."""
    orders = list(permutations(range(players)))
    parts = np.zeros(players)
    for order in orders:
        for place, player in enumerate(order):
            parts[player] += value(frozenset(order[: place + 1])) - value(frozenset(order[:place]))
    return parts / len(orders)


def test_two_shapley_values_of_one_model():
    # f(x1, x2) = x1, both always equal; the row has x1 = x2 = 1, the mean is 0
    model_alone = shapley(lambda known: float(0 in known), 2)
    with_the_data = shapley(lambda known: float(len(known) > 0), 2)  # knowing either tells x1
    claim(
        "O08.shapley",
        "A model that reads only the first of two equal columns: Shapley values with columns set independently give "
        "it all, (1, 0), with expectations from the data half each, (.5, .5)",
        model_alone.tolist() == [1, 0] and with_the_data.tolist() == [0.5, 0.5],
    )
