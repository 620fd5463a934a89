"""Second right answers for lesson 02: plain loops over one user at a time."""

import math

import numpy as np


def recall(hits, n_relevant):
    values = []
    for row, n in zip(hits.tolist(), n_relevant.tolist(), strict=True):
        values.append(row.count(True) / n if n else math.nan)
    return np.array(values)


def ndcg(hits, n_relevant):
    values = []
    for row, n in zip(hits.tolist(), n_relevant.tolist(), strict=True):
        earned = sum(math.log(2) / math.log(rank + 1) for rank, hit in enumerate(row, start=1) if hit)
        best = sum(math.log(2) / math.log(rank + 1) for rank in range(1, min(n, len(row)) + 1))
        values.append(earned / best if n else math.nan)
    return values


def find_leak(train, held_out):
    seen = set(zip(train.users.tolist(), train.items.tolist(), strict=True))
    hidden = set(zip(held_out.users.tolist(), held_out.items.tolist(), strict=True))
    if seen & hidden:
        return "overlap"
    return "future" if any(t >= h for t in train.times.tolist() for h in held_out.times.tolist()) else "none"


def auc(scores, labels):
    positives = [s for s, y in zip(scores.tolist(), labels.tolist(), strict=True) if y]
    negatives = [s for s, y in zip(scores.tolist(), labels.tolist(), strict=True) if not y]
    if not positives or not negatives:
        return math.nan
    won = sum(1.0 if p > n else 0.5 if p == n else 0.0 for p in positives for n in negatives)
    return won / (len(positives) * len(negatives))


def paired_interval(a, b, rows):
    a, b = a.numpy(), b.numpy()
    means = [float(np.mean(a[users] - b[users])) for users in rows.numpy()]
    return tuple(np.percentile(means, [2.5, 97.5]))
