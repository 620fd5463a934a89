"""Second right answers for lesson 11: loops over rows, features and users."""

import math

import numpy as np


def fm_score(x, bias, weights, vectors):
    scores = []
    for row in x.double().numpy():
        score, before = bias, np.zeros(vectors.shape[1])
        for value, weight, vector in zip(row, weights.double().numpy(), vectors.double().numpy(), strict=True):
            score += value * weight + np.dot(before, value * vector)
            before = before + value * vector
        scores.append(score)
    return np.array(scores)


def target_attention(candidates, history, real, first, second):
    found = np.zeros(candidates.shape)
    for b, candidate in enumerate(candidates.numpy()):
        for film, there in zip(history[b].numpy(), real[b].tolist(), strict=True):
            if there:
                seen = np.concatenate([candidate, film, candidate - film, candidate * film])
                hidden = [max(0.0, float(np.dot(seen, column))) for column in first.numpy().T]
                found[b] += np.dot(hidden, second.numpy()) * film
    return found


def calibrate(predictions, keep):
    odds = [math.inf if p == 1 else p / (1 - p) * keep for p in predictions.tolist()]
    return [1.0 if o == math.inf else o / (1 + o) for o in odds]


def _softplus(x):
    return max(x, 0) + math.log1p(math.exp(-abs(x)))


def esmm_loss(click, purchase, clicks, purchases):
    total = 0.0
    for c, z, y, b in zip(*(part.tolist() for part in (click, purchase, clicks, purchases)), strict=True):
        total += _softplus(c) - y * c
        cost = _softplus(-c) + _softplus(-z)  # minus the log of the product
        if b:
            total += cost
        else:
            misses = (-_softplus(c), -_softplus(-c) - _softplus(z))
            total -= max(misses) + math.log1p(math.exp(min(misses) - max(misses)))
    return total / len(click)


def ips_loss(logits, clicks, examined):
    rows = zip(logits.tolist(), clicks.tolist(), examined.tolist(), strict=True)
    losses = [_softplus(s) - c * s / e for s, c, e in rows]
    return sum(losses) / len(losses)


def gauc(users, scores, labels):
    groups = {}
    for user, score, label in zip(users.tolist(), scores.tolist(), labels.tolist(), strict=True):
        groups.setdefault(user, ([], []))[bool(label)].append(score)
    total = rows = judged = 0
    for no, yes in groups.values():
        if no and yes:
            wins = sum((a > b) + 0.5 * (a == b) for a in yes for b in no)
            total += wins / (len(no) * len(yes)) * (len(no) + len(yes))
            rows += len(no) + len(yes)
            judged += 1
    return (total / rows if rows else math.nan), judged, len(groups) - judged
