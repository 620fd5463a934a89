"""With SciPy's ranks."""

import numpy as np
from scipy.stats import rankdata


def auc(labels, scores):
    labels, scores = np.array(labels, dtype=bool), np.array(scores, dtype=float)
    if labels.shape != scores.shape:
        raise ValueError("lengths differ")
    good = int(labels.sum())
    pairs = good * (len(labels) - good)
    return float((rankdata(scores)[labels].sum() - good * (good + 1) / 2) / pairs) if pairs else float("nan")


def gauc(users, labels, scores):
    if not len(users) == len(labels) == len(scores):
        raise ValueError("lengths differ")
    places = {}
    for place, user in enumerate(users):
        places.setdefault(user, []).append(place)
    values = [(auc([labels[i] for i in p], [scores[i] for i in p]), len(p)) for p in places.values()]
    kept = [(value, n) for value, n in values if value == value]
    mean = sum(v * n for v, n in kept) / sum(n for _, n in kept) if kept else float("nan")
    return mean, len(values) - len(kept)
