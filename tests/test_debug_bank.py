"""X01, X04, X05, X08, X13 and X16: right fixes of other kinds are green, and what their texts state is so."""

from types import ModuleType

import numpy as np
import pytest

from recsys_course.interview import debugging, runner
from recsys_course.interview.debugging_task import changed

TASKS = {task.id: task for task in debugging.all_tasks()}
LIMITS = runner.Limits(start_seconds=60.0, test_seconds=20.0, total_seconds=120.0, memory_mb=2048)

RATES = '    log["item_ctr"] = log.groupby("item")["click"].transform("mean")\n'
JOIN = '    log = log.join(log.groupby("user")["click"].mean().rename("user_ctr"), on="user")\n'
RANK = "        rivals = scores[user, rng.choice(others, RIVALS, replace=False)]\n"
LIKES = "    likes = train | test\n"
LISTS = 'lists = np.argsort(-scores[active], axis=1, kind="stable")[:, :k]'
FOUND = "return recall(lists, likes[active])"
LOGITS = "    logits = model(torch.as_tensor(rows, dtype=torch.float32))\n"
LOOP = "    for _, held_out in folds(len(x), k):\n"
FIT = "        model.fit(x, y, epochs)\n"
VALUE = "        value = auc(y[held_out], model.predict(x[held_out]))\n"
BEST = "best_auc, best_model = value, model\n"
SHUFFLED = "parts = np.array_split(np.random.default_rng(0).permutation(n), k)"
SCORES = "    logits = scores + log_q[items]\n"

OTHERS = {
    "X01 shifts and expands": [
        (RATES, '    for key in ("item", "user"):\n        rows = log.groupby(key)["click"]\n'),
        (JOIN, '        log[f"{key}_ctr"] = rows.transform(lambda c: c.shift().expanding().mean()).fillna(0.2)\n'),
    ],
    "X01 counts row by row": [
        (RATES, '    for key in ("item", "user"):\n        seen, rates = {}, []\n'),
        (
            JOIN,
            '        for name, click in zip(log[key], log["click"], strict=True):\n'
            "            clicks, views = seen.get(name, (1, 5))\n"
            "            rates.append(clicks / views)\n"
            "            seen[name] = clicks + click, views + 1\n"
            '        log[f"{key}_ctr"] = rates\n',
        ),
    ],
    "X01 joins the counts of the days before": [
        (RATES, '    day = log["time"] // 86_400\n    for key in ("item", "user"):\n'),
        (
            JOIN,
            '        daily = log.assign(day=day).groupby([key, "day"])["click"].agg(["sum", "size"]).sort_index()\n'
            "        until = daily.groupby(level=0).cumsum() - daily\n"
            "        own = until.reindex(pd.MultiIndex.from_arrays([log[key], day]))\n"
            '        log[f"{key}_ctr"] = ((own["sum"] + 2) / (own["size"] + 10)).to_numpy()\n',
        ),
    ],
    "X04 sorts": [
        (RANK, "        rivals, own = np.sort(scores[user, others]), scores[user, item]\n"),
        (
            "1 + (rivals > scores[user, item]).sum() + (rivals == scores[user, item]).sum() / 2",
            '1 + len(rivals) - (np.searchsorted(rivals, own) + np.searchsorted(rivals, own, "right")) / 2',
        ),
    ],
    "X04 masks the row": [
        ("        others = others[others != item]\n", ""),
        (RANK, "        rivals = np.where(owned[user], -np.inf, scores[user])\n        rivals[item] = -np.inf\n"),
    ],
    "X05 masks by hand": [
        (LIKES, "    scores = np.where(train, -np.inf, scores)\n"),
        (FOUND, "return recall(lists, test[active])"),
    ],
    "X05 passes over old likes": [
        (LIKES, ""),
        (LISTS, "best = [[i for i in np.argsort(-row) if not old[i]] for row, old in zip(scores, train)]"),
        (
            FOUND,
            "hits = [new[row[:k]].sum() / new.sum() for row, new in zip(best, test) if new.any()]\n"
            "    return float(np.mean(hits))",
        ),
    ],
    "X08 goes back to training in each epoch": [
        (LOGITS, f"    model.eval()\n{LOGITS}"),
        ("    model.train()\n    for _ in range(epochs):\n", "    for _ in range(epochs):\n        model.train()\n"),
    ],
    "X08 switches around the validation and at the end": [
        ("        history.append(", "        model.eval()\n        history.append("),
        ("    return history\n", "        model.train()\n    model.eval()\n    return history\n"),
    ],
    "X13 goes forward in folds, with a new model each": [
        (SHUFFLED, "parts = np.array_split(np.arange(n), k + 1)"),
        (
            "(np.concatenate(parts[:part] + parts[part + 1 :]), parts[part]) for part in range(k)",
            "(np.concatenate(parts[: part + 1]), parts[part + 1]) for part in range(k)",
        ),
        (LOOP, "    values = []\n    for train, held_out in folds(len(x), k):\n        model = Logistic(x.shape[1])\n"),
        (FIT, "        model.fit(x[train], y[train], epochs)\n"),
        (VALUE, f"{VALUE}        values.append(value)\n"),
        (f"        if value >= best_auc:\n            {BEST}        else:\n            break\n", ""),
        ("    return best_model, best_auc\n", "    model.fit(x, y, 1)\n    return model, float(np.mean(values))\n"),
    ],
    "X13 copies the weights in one split by time": [
        (LOOP, "    cut = len(x) * 3 // 4\n    for _ in range(50):\n"),
        (FIT, "        model.fit(x[:cut], y[:cut], 3)\n"),
        (VALUE, "        value = auc(y[cut:], model.predict(x[cut:]))\n"),
        (BEST, "best_auc, best_model = value, Logistic(x.shape[1])\n            best_model.weights += model.weights\n"),
    ],
    "X16 takes all copies for positives": [
        (SCORES, "    same = items[:, None] == items\n    logits = scores - log_q[items]\n"),
        (
            "    gradient = chances.copy()\n    gradient[own, own] -= 1.0\n"
            "    return float(-np.log(chances[own, own]).mean()), gradient / len(items)\n",
            "    right = (chances * same).sum(axis=1, keepdims=True)\n"
            "    return float(-np.log(right).mean()), (chances - chances * same / right) / len(items)\n",
        ),
    ],
    "X16 turns log q where it is made": [
        ("    log_q = np.log(", "    log_q = -np.log("),
        (SCORES, f"{SCORES}    logits[(items[:, None] == items) & (own[:, None] != own)] = -1e9\n"),
    ],
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_right_fix_of_another_kind_is_green(name):
    task = TASKS[name.partition(" ")[0]]
    assert all(task.buggy.count(old) == 1 for old, _ in OTHERS[name])
    report = runner.run(changed(task.buggy, OTHERS[name]), [task.test], LIMITS)
    assert not report.broken and [(case.title, case.message) for case in report.cases if not case.green] == []


def load(task):
    """The code as it was found, as a module."""
    module = ModuleType(task)
    exec(TASKS[task].buggy, vars(module))
    return module


def test_x01_a_coin_does_not_show_that_later_clicks_are_in_the_means():
    name = next(name for name in TASKS["X01"].wrong_fixes if name.startswith("leaves the row itself out"))
    report = runner.run(TASKS["X01"].wrong_fixes[name], [TASKS["X01"].test], LIMITS)
    green = {case.name: case.green for case in report.cases}
    assert green["test_a_coin_cannot_be_predicted"] and not green["test_a_click_is_unknown_until_it_has_happened"]


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
    report = runner.run(TASKS["X16"].wrong_fixes[name], [TASKS["X16"].test], LIMITS)
    green = {case.name: case.green for case in report.cases}
    assert green["test_the_taste_is_learnt"] and not green["test_the_same_item_twice"]
