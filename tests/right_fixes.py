# ruff: noqa: E501
"""Right fixes of the debugging tasks, other than ``fixed.py``: what is replaced in the code, by what the fix does."""

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

RIGHT_FIXES = {
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
    "X02 takes both steps at once": [
        ("        self.users[user] -= lr * (error + decay * self.users[user])\n", ""),
        (
            "        self.items[item] -= lr * (error + decay * self.items[item])\n",
            (
                "        p, q = self.users[user], self.items[item]\n"
                "        self.users[user], self.items[item] = (1 - lr * decay) * p - lr * error * q, (1 - lr * decay) * q - lr * error * p\n"
            ),
        ),
        ("        for _ in range(epochs):", ("        for _ in range(epochs):\n            losses = []")),
        ("loss = self.step(user, item, rating)", "losses.append(self.step(user, item, rating))"),
        ("history.append(loss)", "history.append(sum(losses) / len(losses))"),
    ],
    "X03 replaces NaN in the weights": [
        ("torch.softmax(scores * keep, dim=-1)", "torch.where(keep, scores, -torch.inf).softmax(-1).nan_to_num(0.0)"),
        ("torch.softmax(scores, dim=-1) @ items", "torch.softmax(scores, dim=-1).nan_to_num(0.0) @ items"),
        ("    shares = torch.softmax(-rate * ages, dim=-1)  # [batch, length]\n", ""),
        ("    shares[~keep] = 0.0\n", "    weights = torch.exp(-rate * ages) * keep\n"),
        ("return shares", "return weights / weights.sum(dim=-1, keepdim=True).clamp(min=1e-9)"),
    ],
    "X01 lets old clicks fade": [
        (
            '    log["item_ctr"] = log.groupby("item")["click"].transform("mean")\n',
            ('    for key in ("item", "user"):\n        rows = log.groupby(key)["click"]\n'),
        ),
        (
            '    log = log.join(log.groupby("user")["click"].mean().rename("user_ctr"), on="user")\n',
            '        log[f"{key}_ctr"] = rows.transform(lambda c: c.shift().ewm(halflife=20).mean()).fillna(0.2)\n',
        ),
    ],
    "X01 takes a strong prior of 100 views": [
        (
            '    log["item_ctr"] = log.groupby("item")["click"].transform("mean")\n',
            ('    for key in ("item", "user"):\n        rows = log.groupby(key)["click"]\n'),
        ),
        (
            '    log = log.join(log.groupby("user")["click"].mean().rename("user_ctr"), on="user")\n',
            '        log[f"{key}_ctr"] = (rows.cumsum() - log["click"] + 20) / (rows.cumcount() + 100)\n',
        ),
    ],
    "X02 measures all ratings after each epoch": [
        (
            "        self.users[user] -= lr * (error + decay * self.users[user])\n",
            (
                "        p, q = self.users[user].copy(), self.items[item].copy()\n"
                "        self.users[user] -= lr * (error * q + decay * p)\n"
            ),
        ),
        (
            "        self.items[item] -= lr * (error + decay * self.items[item])\n",
            "        self.items[item] -= lr * (error * p + decay * q)\n",
        ),
        ("loss = self.step(user, item, rating)", "self.step(user, item, rating)"),
        (
            "history.append(loss)",
            "history.append(float(np.mean([(self.predict(u, i) - r) ** 2 for u, i, r in ratings])))",
        ),
    ],
    "X03 keeps one place of empty rows open and closes it afterwards": [
        (
            "torch.softmax(scores * keep, dim=-1)",
            "torch.softmax(scores.masked_fill(~(keep | ~keep.any(-1, keepdim=True)), -torch.inf), dim=-1) * keep",
        ),
        (
            'scores = scores.masked_fill(~keep.unsqueeze(1), float("-inf"))',
            (
                "keep = keep.unsqueeze(1)\n"
                "    scores = scores.masked_fill(~(keep | ~keep.any(-1, keepdim=True)), -torch.inf)"
            ),
        ),
        ("torch.softmax(scores, dim=-1) @ items", "torch.softmax(scores, dim=-1) * keep @ items"),
        (
            ("torch.softmax(-rate * ages, dim=-1)  # [batch, length]\n    shares[~keep] = 0.0\n"),
            "torch.softmax((-rate * ages).masked_fill(~(keep | ~keep.any(-1, keepdim=True)), -torch.inf), dim=-1) * keep\n",
        ),
    ],
    "X04 compares the whole table at once": [
        (
            (
                "    ranks = np.empty(len(scores))\n"
                "    for user, item in enumerate(bought):\n"
                "        others = np.flatnonzero(~owned[user])\n"
                "        others = others[others != item]\n"
                "        rivals = scores[user, rng.choice(others, RIVALS, replace=False)]\n"
                "        ranks[user] = 1 + (rivals > scores[user, item]).sum() + (rivals == scores[user, item]).sum() / 2\n"
            ),
            (
                "    own = scores[np.arange(len(scores)), bought][:, None]\n"
                "    rivals = ~owned & (np.arange(scores.shape[1]) != bought[:, None])\n"
                "    ranks = 1 + (rivals & (scores > own)).sum(axis=1) + (rivals & (scores == own)).sum(axis=1) / 2\n"
            ),
        ),
    ],
    "X05 takes old likes away from the finished order": [
        ("    likes = train | test\n", ""),
        (
            'lists = np.argsort(-scores[active], axis=1, kind="stable")[:, :k]',
            (
                "order = np.argsort(-scores, axis=1)\n"
                "    known = np.take_along_axis(train, order, axis=1)\n"
                '    lists = np.take_along_axis(order, np.argsort(known, axis=1, kind="stable"), axis=1)[active, :k]'
            ),
        ),
        ("return recall(lists, likes[active])", "return recall(lists, test[active])"),
    ],
    "X08 scores with a copy": [
        (
            "    logits = model(torch.as_tensor(rows, dtype=torch.float32))\n",
            (
                "    model = copy.deepcopy(model).eval()\n"
                "    logits = model(torch.as_tensor(rows, dtype=torch.float32))\n"
            ),
        ),
        ("import numpy as np\n", ("import copy\n\nimport numpy as np\n")),
    ],
    "X08 goes back to training after each call": [
        (
            "    logits = model(torch.as_tensor(rows, dtype=torch.float32))\n",
            ("    model.eval()\n    logits = model(torch.as_tensor(rows, dtype=torch.float32))\n    model.train()\n"),
        ),
    ],
    "X13 judges on a third part": [
        (
            (
                "    model, best_model, best_auc = Logistic(x.shape[1]), None, 0.0\n"
                "    for _, held_out in folds(len(x), k):\n"
                "        model.fit(x, y, epochs)\n"
                "        value = auc(y[held_out], model.predict(x[held_out]))\n"
                "        if value >= best_auc:\n"
                "            best_auc, best_model = value, model\n"
                "        else:\n"
                "            break\n"
                "    return best_model, best_auc\n"
            ),
            (
                "    first, second = int(0.6 * len(x)), int(0.8 * len(x))\n"
                "    model, best_model, best, waited = Logistic(x.shape[1]), Logistic(x.shape[1]), 0.0, 0\n"
                "    while waited < epochs:\n"
                "        model.fit(x[:first], y[:first], 1)\n"
                "        value, waited = auc(y[first:second], model.predict(x[first:second])), waited + 1\n"
                "        if value > best:\n"
                "            best, best_model.weights, waited = value, model.weights.copy(), 0\n"
                "    return best_model, auc(y[second:], best_model.predict(x[second:]))\n"
            ),
        ),
    ],
    "X13 trains once more on all rows, for as many epochs": [
        (
            (
                "    model, best_model, best_auc = Logistic(x.shape[1]), None, 0.0\n"
                "    for _, held_out in folds(len(x), k):\n"
                "        model.fit(x, y, epochs)\n"
                "        value = auc(y[held_out], model.predict(x[held_out]))\n"
                "        if value >= best_auc:\n"
                "            best_auc, best_model = value, model\n"
                "        else:\n"
                "            break\n"
                "    return best_model, best_auc\n"
            ),
            (
                "    cut, model, values = int(0.8 * len(x)), Logistic(x.shape[1]), []\n"
                "    for _ in range(5 * epochs):\n"
                "        model.fit(x[:cut], y[:cut], 1)\n"
                "        values.append(auc(y[cut:], model.predict(x[cut:])))\n"
                "    best_model = Logistic(x.shape[1])\n"
                "    best_model.fit(x, y, int(np.argmax(values)) + 1)\n"
                "    return best_model, max(values)\n"
            ),
        ),
    ],
    "X16 sums over different items only": [
        (
            "    logits = scores + log_q[items]\n",
            ("    same = items[:, None] == items\n    logits = scores - log_q[items]\n"),
        ),
        (
            "    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)\n",
            (
                "    weights = np.exp(logits) * (~same | np.eye(len(items), dtype=bool))\n"
                "    chances = weights / weights.sum(axis=1, keepdims=True)\n"
            ),
        ),
    ],
}
