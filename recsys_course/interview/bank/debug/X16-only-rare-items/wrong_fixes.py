# ruff: noqa: E501
"""Wrong fixes of X16: what is replaced in the code as it was found, by what the fix does."""

WRONG_FIXES = {
    "drops the correction, and leaves the same item out": [
        (
            "    logits = scores + log_q[items]\n",
            "    twins = (items[:, None] == items) & ~np.eye(len(items), dtype=bool)\n    logits = np.where(twins, -np.inf, scores)\n",
        )
    ],
    "turns the sign and leaves repeated items among the negatives": [
        ("    logits = scores + log_q[items]\n", "    logits = scores - log_q[items]\n")
    ],
    "leaves the same item out and goes on adding log q": [
        (
            "    logits = scores + log_q[items]\n",
            "    twins = (items[:, None] == items) & ~np.eye(len(items), dtype=bool)\n    logits = np.where(twins, -np.inf, scores + log_q[items])\n",
        )
    ],
    "leaves the own column out as well": [
        (
            "    logits = scores + log_q[items]\n",
            "    logits = np.where(items[:, None] == items, -np.inf, scores - log_q[items])\n",
        )
    ],
    "gives repeated items a score of 0 instead of leaving them out": [
        (
            "    logits = scores + log_q[items]\n",
            "    twins = (items[:, None] == items) & ~np.eye(len(items), dtype=bool)\n    logits = np.where(twins, 0.0, scores - log_q[items])\n",
        )
    ],
    "subtracts log q from the negatives only": [
        (
            "    logits = scores + log_q[items]\n",
            "    twins = (items[:, None] == items) & ~np.eye(len(items), dtype=bool)\n    logits = np.where(twins, -np.inf, scores - log_q[items])\n    logits[own, own] = scores[own, own]\n",
        )
    ],
    "sets the chances of repeated items to 0 after the softmax": [
        ("scores + log_q[items]", "scores - log_q[items]"),
        (
            "    gradient = chances.copy()\n",
            "    chances = np.where((items[:, None] == items) & ~np.eye(len(items), dtype=bool), 0.0, chances)\n    gradient = chances.copy()\n",
        ),
    ],
    "subtracts the log q of the row instead of the column": [
        (
            "    logits = scores + log_q[items]\n",
            "    twins = (items[:, None] == items) & ~np.eye(len(items), dtype=bool)\n    logits = np.where(twins, -np.inf, scores - log_q[items][:, None])\n",
        )
    ],
    "leaves out only the copies that come later": [
        (
            "    logits = scores + log_q[items]\n",
            (
                "    later = np.triu(items[:, None] == items, 1)\n"
                "    logits = np.where(later, -np.inf, scores - log_q[items])\n"
            ),
        ),
    ],
    "subtracts log q from the lists as well": [
        (
            "    logits = scores + log_q[items]\n",
            (
                "    twins = (items[:, None] == items) & ~np.eye(len(items), dtype=bool)\n"
                "    logits = np.where(twins, -np.inf, scores - log_q[items])\n"
            ),
        ),
        ("    return table\n", "    return table - log_q\n"),
    ],
}
