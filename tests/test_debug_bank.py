"""X01, X04, X05, X08, X13 and X16: what their texts state is so."""

from types import ModuleType

import numpy as np

from in_process import red
from recsys_course.interview import debugging

TASKS = {task.id: task for task in debugging.all_tasks()}


def load(task):
    """The code as it was found, as a module."""
    module = ModuleType(task)
    exec(TASKS[task].buggy, vars(module))
    return module


def test_x01_a_coin_does_not_show_that_later_clicks_are_in_the_means():
    name = next(name for name in TASKS["X01"].wrong_fixes if name.startswith("leaves the row itself out"))
    failed = red(TASKS["X01"], TASKS["X01"].wrong_fixes[name])
    assert "test_a_coin_cannot_be_predicted" not in failed and "test_a_click_is_unknown_until_it_has_happened" in failed


def test_x04_with_nine_rivals_every_purchase_is_a_hit():
    code = load("X04")
    code.RIVALS = 9
    scores = np.tile(np.arange(500.0), (20, 1))
    ranks = code.held_out_ranks(scores, np.zeros(scores.shape, bool), np.arange(20))
    assert code.hit_rate(ranks) == 1.0


def test_x05_each_of_the_two_faults_alone_lowers_recall_and_a_copy_of_the_training_table_beats_both_models():
    code, rng = load("X05"), np.random.default_rng(0)
    taste = np.arange(300)[:, None] % 5 == np.arange(200) % 5
    likes = rng.random((300, 200)) < np.where(taste, 0.2, 0.01)
    test = likes & (rng.random((300, 200)) < 0.25)
    train, active = likes & ~test, test.any(axis=1)
    scores = {"popular": code.popularity(train), "near": code.neighbours(train), "copy": train.astype(float)}
    both = {name: code.evaluate(some, train, test) for name, some in scores.items()}
    assert both["copy"] > both["near"] > both["popular"]
    right = {name: code.recall(code.recommend(some, train), test) for name, some in scores.items()}
    full = {name: code.recall(np.argsort(-some, axis=1)[:, :10], test) for name, some in scores.items()}
    masked = code.recall(code.recommend(scores["near"], train)[active], likes[active])
    assert both["near"] > right["near"] > max(full["near"], masked)
    assert right["near"] - full["near"] > right["popular"] - full["popular"]


def test_x13_fewer_folds_promise_less_and_do_better():
    code, rng = load("X13"), np.random.default_rng(0)
    x = rng.normal(size=(2_300, 300)) * np.repeat([6.0, 1.5], [4, 296])
    y = (rng.random(2_300) < 1 / (1 + np.exp(-x @ np.repeat([0.15, 0.0], [4, 296])))).astype(int)
    (two, less), (five, more) = (code.train_with_early_stopping(x[:300], y[:300], k) for k in (2, 5))
    assert less < more
    assert code.auc(y[300:], two.predict(x[300:])) > code.auc(y[300:], five.predict(x[300:]))


def test_x16_repeated_items_are_not_what_empties_the_lists():
    name = next(name for name in TASKS["X16"].wrong_fixes if name.startswith("turns the sign"))
    failed = red(TASKS["X16"], TASKS["X16"].wrong_fixes[name])
    assert "test_the_taste_is_learnt" not in failed and "test_the_same_item_twice" in failed
