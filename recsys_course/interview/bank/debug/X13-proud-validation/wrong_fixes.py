# ruff: noqa: E501
"""Wrong fixes of X13: what is replaced in the code as it was found, by what the fix does."""

WRONG_FIXES = {
    "keeps a copy of the best model, which is still fitted on all rows": [
        (
            "            best_auc, best_model = value, model\n",
            "            best_auc, best_model = value, Logistic(x.shape[1])\n            best_model.weights = model.weights.copy()\n",
        )
    ],
    "fits on the rows of the fold, with one model for all folds": [
        ("for _, held_out in", "for train, held_out in"),
        ("        model.fit(x, y, epochs)\n", "        model.fit(x[train], y[train], epochs)\n"),
    ],
    "takes a new model for each fold, fitted on all rows": [
        (
            "        model.fit(x, y, epochs)\n",
            "        model = Logistic(x.shape[1])\n        model.fit(x, y, epochs)\n",
        ),
        ("        else:\n            break\n", ""),
    ],
    "takes a new model for each fold, on shuffled rows": [
        ("for _, held_out in", "for train, held_out in"),
        (
            "        model.fit(x, y, epochs)\n",
            "        model = Logistic(x.shape[1])\n        model.fit(x[train], y[train], epochs)\n",
        ),
        ("        else:\n            break\n", ""),
    ],
    "stops within one split by time, and keeps the model instead of a copy": [
        (
            "    for _, held_out in folds(len(x), k):\n",
            "    cut, waited = int(0.8 * len(x)), 0\n    while waited < 50:\n",
        ),
        ("        model.fit(x, y, epochs)\n", "        model.fit(x[:cut], y[:cut], 1)\n"),
        (
            "        value = auc(y[held_out], model.predict(x[held_out]))\n        if value >= best_auc:\n",
            "        value, waited = auc(y[cut:], model.predict(x[cut:])), waited + 1\n        if value > best_auc:\n            waited = 0\n",
        ),
        ("        else:\n            break\n", ""),
    ],
    "stops within one split by time, and copies the model but not its weights": [
        (
            "    for _, held_out in folds(len(x), k):\n",
            "    cut, waited = int(0.8 * len(x)), 0\n    while waited < 50:\n",
        ),
        ("        model.fit(x, y, epochs)\n", "        model.fit(x[:cut], y[:cut], 1)\n"),
        (
            "        value = auc(y[held_out], model.predict(x[held_out]))\n        if value >= best_auc:\n",
            "        value, waited = auc(y[cut:], model.predict(x[cut:])), waited + 1\n        if value > best_auc:\n            waited = 0\n",
        ),
        ("best_auc, best_model = value, model", "best_auc, best_model = value, copy.copy(model)"),
        ("import numpy as np", "import copy\n\nimport numpy as np"),
        ("        else:\n            break\n", ""),
    ],
    "goes through all folds instead of stopping at a worse one": [("        else:\n            break\n", "")],
    "cuts the folds by time and changes nothing else": [
        (
            "parts = np.array_split(np.random.default_rng(0).permutation(n), k)",
            "parts = np.array_split(np.arange(n), k)",
        )
    ],
    "chooses the epochs by time, trains once more on all rows and judges that model on them": [
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
                "    for _ in range(10 * epochs):\n"
                "        model.fit(x[:cut], y[:cut], 1)\n"
                "        values.append(auc(y[cut:], model.predict(x[cut:])))\n"
                "    best_model = Logistic(x.shape[1])\n"
                "    best_model.fit(x, y, int(np.argmax(values)) + 1)\n"
                "    return best_model, auc(y[cut:], best_model.predict(x[cut:]))\n"
            ),
        ),
    ],
}
