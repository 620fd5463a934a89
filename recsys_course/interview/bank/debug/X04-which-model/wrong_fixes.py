# ruff: noqa: E501
"""Wrong fixes of X04: what is replaced in the code as it was found, by what the fix does."""

WRONG_FIXES = {
    "draws more rivals": [("RIVALS = 100", "RIVALS = 1_000"), ("others, RIVALS,", "others, min(RIVALS, len(others)),")],
    "averages the rank over fifty draws": [
        (
            "        rivals = scores[user, rng.choice(others, RIVALS, replace=False)]\n"
            "        ranks[user] = 1 + (rivals > scores[user, item]).sum() + (rivals == scores[user, item]).sum() / 2\n",
            "        draws = [scores[user, rng.choice(others, min(RIVALS, len(others)), replace=False)] for _ in range(50)]\n"
            "        own = scores[user, item]\n"
            "        ranks[user] = np.mean([1 + (r > own).sum() + (r == own).sum() / 2 for r in draws])\n",
        )
    ],
    "blows the sampled rank up to the size of the catalogue": [
        ("others, RIVALS,", "others, min(RIVALS, len(others)),"),
        (
            "1 + (rivals > scores[user, item]).sum() + (rivals == scores[user, item]).sum() / 2",
            "1 + ((rivals > scores[user, item]) + (rivals == scores[user, item]) / 2).mean() * len(others)",
        ),
    ],
    "ranks all items, also those that the user owned": [
        ("rng.choice(others, RIVALS, replace=False)", "np.arange(scores.shape[1]) != item")
    ],
    "ranks all new items and lets the purchase be its own rival": [
        ("        others = others[others != item]\n", ""),
        ("rng.choice(others, RIVALS, replace=False)", "others"),
    ],
    "draws the rivals anew for each model": [
        ("np.random.default_rng(0)", "np.random.default_rng()"),
        ("others, RIVALS,", "others, min(RIVALS, len(others)),"),
    ],
    "takes the place in a sorted list, where equal scores go by their number": [
        (
            "        rivals = scores[user, rng.choice(others, RIVALS, replace=False)]\n",
            '        rivals = np.argsort(-np.where(owned[user], -np.inf, scores[user]), kind="stable")\n',
        ),
        (
            "        ranks[user] = 1 + (rivals > scores[user, item]).sum() + (rivals == scores[user, item]).sum() / 2\n",
            "        ranks[user] = 1 + np.flatnonzero(rivals == item)[0]\n",
        ),
    ],
}
