"""Second right answers for lesson 12: plain loops over one film, one weight, one user at a time."""

import math

import numpy as np


def _distance(a, b):
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))


def _mean(rows):
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]


def multi_interest(liked, k):
    films = liked.double().tolist()
    middle = _mean(films)
    centres = [min(films, key=lambda film: _distance(film, middle))]
    while len(centres) < k:
        farthest = max(films, key=lambda film: min(_distance(film, centre) for centre in centres))
        if farthest in centres:
            break
        centres.append(farthest)
    while True:
        groups = [[] for _ in centres]
        for film in films:
            gaps = [_distance(film, centre) for centre in centres]
            groups[gaps.index(min(gaps))].append(film)
        moved = [_mean(group) for group in groups]
        if moved == centres:
            return moved
        centres = moved


def interest_tiers(weights, cuts):
    weights, found = weights.tolist(), []
    for one in weights:
        below = len([other for other in weights if other < one])
        tier = 0
        while tier < len(cuts) and below / len(weights) >= cuts[tier]:
            tier += 1
        found.append(tier)
    return found


def stratified_report(values, strata, min_users):
    values, strata = np.asarray(values), np.asarray(strata)
    known = ~np.isnan(values)
    values, strata = values[known], strata[known]
    names, counts = np.unique(strata, return_counts=True)
    order = [str(name) for _, name in sorted(zip(counts.tolist(), names.tolist(), strict=True))]
    size = dict(zip(names.tolist(), counts.tolist(), strict=True))
    joined = [name for name in order if size[name] < min_users]
    for name in order:
        if joined and name not in joined and sum(size[one] for one in joined) < min_users:
            joined.append(name)
    rows = {name: values[strata == name] for name in order if name not in joined}
    if joined:
        rows["other"] = values[np.isin(strata, joined)]
    return {name: (len(part), float(part.mean())) for name, part in rows.items()}


def max_sim(interests, real, films):
    scores = []
    for vectors, mask in zip(interests.tolist(), real.tolist(), strict=True):
        mine = [vector for vector, is_real in zip(vectors, mask, strict=True) if is_real]
        row = []
        for film in films.tolist():
            fits = [sum(a * b for a, b in zip(vector, film, strict=True)) for vector in mine]
            row.append(max(fits, default=0.0))
        scores.append(row)
    return np.array(scores)


def recency_weights(days, now, half_life):
    weights = []
    for day in days.tolist():
        weights.append(math.exp(-math.log(2) * (now - day) / half_life) if day <= now else 0.0)
    return weights
