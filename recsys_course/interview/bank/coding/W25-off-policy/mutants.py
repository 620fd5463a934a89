# ruff: noqa: E501
"""Wrong answers to W25: what is replaced in the reference, by what is wrong about it."""

MUTANTS = {
    "the weight is upside down": [
        ("np.minimum(chances / propensities, clip)", "np.minimum(propensities / np.maximum(chances, 1e-9), clip)")
    ],
    "SNIPS is divided by n": [("(weights * rewards).sum() / weights.sum()", "(weights * rewards).mean()")],
    "SNIPS without weight is 0": [('else float("nan")', "else 0.0")],
    "the error has the wrong sign": [("weights * (rewards - guesses)", "weights * (guesses - rewards)")],
    "the value is that of the shown action": [("(values + weights", "(guesses + weights")],
    "the effective size is the sum of weights": [("weights.sum() ** 2 / (weights**2).sum()", "weights.sum()")],
    "no clip": [("np.minimum(chances / propensities, clip)", "chances / propensities")],
    "clipped weights are dropped": [
        (
            "np.minimum(chances / propensities, clip)",
            "np.where(chances / propensities > clip, 0, chances / propensities)",
        )
    ],
    "the propensity is clipped": [
        ("np.minimum(chances / propensities, clip)", "chances / np.maximum(propensities, 1 / clip)")
    ],
    "a propensity of 0 becomes a small one": [
        (
            "    propensities, chances = columns[:2]",
            "    propensities, chances = columns[:2]\n    propensities = np.where(propensities == 0, 1e-9, propensities)",
        )
    ],
    "a propensity of 0 passes where the chance is 0": [
        ("(propensities > 0) &", "((propensities > 0) | (chances == 0)) &")
    ],
    "NaN passes": [("(~((propensities > 0) & (propensities <= 1)))", "((propensities <= 0) | (propensities > 1))")],
    "any chance": [("(~((chances >= 0) & (chances <= 1)))", "(chances > 99)")],
    "no event is 0": [(" or not columns[0].size", "")],
    "columns broadcast": [("column.ndim != 1 or column.shape != columns[0].shape for", "False for")],
    "single precision": [("np.asarray(column, dtype=float)", "np.asarray(column, dtype=np.float32)")],
}

SLOW = {
    "the sum of the weights is taken for each event": [
        (
            "    weights, rewards = _weights(propensities, chances, clip, rewards)\n    return float((weights * rewards).mean())",
            "    weights, rewards = _weights(propensities, chances, clip, rewards)\n    [weights.sum() for _ in rewards]\n    return float((weights * rewards).mean())",
        )
    ],
}
