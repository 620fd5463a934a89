# ruff: noqa: E501
"""Wrong answers to W08: what is replaced in the reference, by what is wrong about it."""

MUTANTS = {
    "log-q is added": [("scores = scores - np.asarray(log_q)", "scores = scores + np.asarray(log_q)")],
    "log-q belongs to the row": [("- np.asarray(log_q)", "- np.asarray(log_q)[:, None]")],
    "log-q spares the own item": [
        ("own = scores.diagonal()", "own = scores.diagonal() + (0 if log_q is None else log_q)")
    ],
    "the temperature divides log-q too": [
        ("scores = scores - np.asarray(log_q)", "scores = scores - np.asarray(log_q) / temperature")
    ],
    "duplicates are negatives": [
        ("skip = item_ids[:, None] == item_ids", "skip = np.zeros((len(users), len(users)), dtype=bool)")
    ],
    "the own item is masked": [("skip[np.diag_indices(len(users))] = False", "pass")],
    "masked by 0 instead of minus infinity": [("np.where(skip, -np.inf, scores)", "np.where(skip, 0.0, scores)")],
    "masked by -1e9": [("np.where(skip, -np.inf, scores)", "np.where(skip, -1e9, scores)")],
    "exp overflows": [("largest = scores.max(axis=1)", "largest = np.zeros(len(users))")],
    "one largest score for all rows": [("largest = scores.max(axis=1)", "largest = np.full(len(users), scores.max())")],
    "items meet users": [
        ("users.astype(float) @ items.astype(float).T", "items.astype(float) @ users.astype(float).T")
    ],
    "the sum, not the mean": [("(total - own).mean()", "(total - own).sum()")],
    "known positives in the wrong direction": [("skip = skip | known", "skip = skip | known.T")],
    "known is changed": [("skip = skip | known", "known |= skip\n        skip = known")],
    "any shape of log-q": [("if np.shape(log_q) != (len(users),):", "if False:")],
}

SLOW = {
    "the mask is made for each row": [
        (
            "    own = scores",
            "    for row in range(len(users)):\n        scores[row] + (item_ids[:, None] == item_ids)[row] * 0\n    own = scores",
        )
    ],
}
