"""One way to write W02: the rank-sum form, ties at their average rank."""

import math
from collections import defaultdict
from collections.abc import Hashable, Sequence
from itertools import groupby


def auc(labels: Sequence[int], scores: Sequence[float]) -> float:
    """The chance that a positive scores above a negative; an equal score counts one half."""
    _same_length(labels, scores)
    below, won, positives = 0, 0.0, 0  # negatives so far
    rows = sorted(zip(scores, labels, strict=True), key=lambda row: row[0])
    for _, block in groupby(rows, key=lambda row: row[0]):
        marks = [bool(label) for _, label in block]
        here = sum(marks)
        won += here * (below + (len(marks) - here) / 2)
        positives += here
        below += len(marks) - here
    return won / (positives * below) if positives and below else math.nan


def gauc(users: Sequence[Hashable], labels: Sequence[int], scores: Sequence[float]) -> tuple[float, int]:
    """The mean AUC of the users, weighted by their rows, and the number of users left out."""
    _same_length(users, labels, scores)
    rows = defaultdict(list)
    for user, label, score in zip(users, labels, scores, strict=True):
        rows[user].append((label, score))
    total, weight, skipped = 0.0, 0, 0
    for mine in rows.values():
        value = auc(*zip(*mine, strict=True))
        if math.isnan(value):
            skipped += 1
            continue
        total += len(mine) * value
        weight += len(mine)
    return (total / weight if weight else math.nan), skipped


def _same_length(*columns: Sequence) -> None:
    if len({len(column) for column in columns}) > 1:
        raise ValueError(f"the columns have different lengths: {[len(column) for column in columns]}")
