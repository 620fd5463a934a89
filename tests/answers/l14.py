"""Second right answers for lesson 14: loops over items, numpy, the belief after each answer."""

import math

import numpy as np


def cold_item_split(items, n_items, share, generator):
    import torch

    keys = torch.rand(n_items, generator=generator).tolist()
    cold = set(sorted(range(n_items), key=lambda item: keys[item])[: round(share * n_items)])
    return [item in cold for item in items.tolist()]


def cb2cf_ridge(features, vectors, warm, penalty):
    x, y, warm = (part.numpy().astype(float) for part in (features, vectors, warm))
    warm = warm > 0
    rows = np.hstack([x, np.ones((len(x), 1))])
    free = np.diag([penalty] * x.shape[1] + [0.0])  # the intercept is a column without a penalty
    weights = np.linalg.solve(rows[warm].T @ rows[warm] + free, rows[warm].T @ y[warm])
    return rows[~warm] @ weights


def warm_cold_blend(warm, cold, counts, strength):
    scores = np.zeros(warm.shape)
    for user in range(warm.shape[0]):
        for item, n in enumerate(counts.tolist()):
            own = float(warm[user, item]) if n else 0.0
            scores[user, item] = own + float(cold[user, item]) / (1 + n / strength)
    return scores


def _bits(belief):
    return -sum(p * math.log2(p) for p in belief if p > 0)


def next_question(belief, rates, asked):
    belief, best, most = belief.tolist(), None, -math.inf
    for question in range(rates.shape[1]):
        left = 0.0
        for says in (lambda rate: rate, lambda rate: 1 - rate):
            joint = [p * says(rate) for p, rate in zip(belief, rates[:, question].tolist(), strict=True)]
            chance = sum(joint)
            left += chance * _bits([p / chance for p in joint]) if chance > 0 else 0.0
        gain = _bits(belief) - left
        if not asked[question] and gain > most + 1e-9:
            best, most = question, gain
    return best


def linucb(features, shown, clicks, alpha, penalty):
    features = features.numpy().astype(float)
    gram, sums = penalty * np.eye(features.shape[1]), np.zeros(features.shape[1])
    for arm, click in zip(shown.tolist(), clicks.tolist(), strict=True):
        gram += np.outer(features[arm], features[arm])
        sums += click * features[arm]
    return [f @ np.linalg.solve(gram, sums) + alpha * math.sqrt(f @ np.linalg.solve(gram, f)) for f in features]
