# ruff: noqa: E501
"""Wrong answers to W02: what is replaced in the reference, by what is wrong about it."""

MUTANTS = {
    "a tie counts as won": [("(len(marks) - here) / 2", "(len(marks) - here)")],
    "a tie counts as lost": [("(below + (len(marks) - here) / 2)", "below")],
    "one class is 0.5": [("if positives and below else math.nan", "if positives and below else 0.5")],
    "users weigh the same": [
        ("total += len(mine) * value", "total += value"),
        ("weight += len(mine)", "weight += 1"),
    ],
    "users with one class are not counted": [("skipped += 1", "skipped += 0")],
    "users with one class stay in the weight": [("skipped += 1", "skipped += 1\n            weight += len(mine)")],
    "scores are rounded": [
        ("zip(scores, labels, strict=True)", "zip([round(s, 9) for s in scores], labels, strict=True)")
    ],
    "lengths are not compared": [
        ("if len({len(column) for column in columns}) > 1:", "if False:"),
        ("zip(users, labels, scores, strict=True)", "zip(users, labels, scores)"),
    ],
}

SLOW = {
    "every row of the data is scanned for each user": [
        (
            "    for mine in rows.values():",
            "    for user in rows:\n        mine = [rows[user][0] for other in users if other == user] and rows[user]",
        )
    ],
    "every positive meets every negative": [
        (
            "    below, won,",
            "    good = [s for y, s in zip(labels, scores, strict=True) if y]\n    sum(g > b for g in good for b in scores)\n    below, won,",
        )
    ],
}
