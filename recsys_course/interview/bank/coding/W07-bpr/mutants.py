"""Wrong answers to W07: what is replaced in the reference, by what is wrong about it."""

MUTANTS = {
    "the negative stands above": [
        ("float(np.logaddexp(0.0, -difference).mean())", "float(np.logaddexp(0.0, difference).mean())")
    ],
    "the sum, not the mean": [("-difference).mean()", "-difference).sum()")],
    "log of sigmoid overflows": [
        ("float(np.logaddexp(0.0, -difference).mean())", "float(-np.log(1 / (1 + np.exp(-difference))).mean())")
    ],
    "positives are drawn": [("if item not in positives:", "if True:")],
    "the first item left": [("left[int(rng.integers(len(left)))]", "left[0]")],
    "rejection without an end": [("range(RETRIES)", "iter(int, 1)")],
    "the negative moves up": [("-slope * mine - reg * worse", "slope * mine - reg * worse")],
    "the item learns from the user's new value": [
        ("mine, better, worse = users[user].copy(),", "mine, better, worse = users[user],")
    ],
    "the slope is sigmoid of the difference": [
        ("np.logaddexp(0.0, difference))  #", "np.logaddexp(0.0, -difference))  #")
    ],
    "the penalty is doubled": [("slope * mine - reg * better", "slope * mine - 2 * reg * better")],
    "the penalty holds for the whole table": [("    users[user] +=", "    items *= 1 - lr * reg\n    users[user] +=")],
    "the returned loss has the penalty": [
        (
            "return float(np.logaddexp(0.0, -difference))",
            "return float(np.logaddexp(0.0, -difference)) + reg / 2 * float(mine @ mine)",
        )
    ],
    "the same item is allowed": [("if target == negative:", "if False:")],
}

SLOW = {
    "the table is copied": [("    users[user] +=", "    items[:] = items.copy()\n    users[user] +=")],
    "every item is scored": [("    users[user] +=", "    items @ mine\n    users[user] +=")],
}
