"""Second right answers for lesson 03: plain Python over one pair at a time."""

import heapq
import math
from collections import defaultdict

import numpy as np


def _table(ratings):
    """The filled cells of a table as ``{user: {film: stars}}``."""
    rows = enumerate(ratings.tolist())
    return {user: {film: stars for film, stars in enumerate(row) if not math.isnan(stars)} for user, row in rows}


def _mean(values):
    values = list(values)
    return sum(values) / len(values)


def similarity(ratings, i, j, shrink):
    product = norm_i = norm_j = n = 0
    for films in _table(ratings).values():
        if i in films and j in films:
            centre = _mean(films.values())
            product += (films[i] - centre) * (films[j] - centre)
            norm_i += (films[i] - centre) ** 2
            norm_j += (films[j] - centre) ** 2
            n += 1
    if norm_i * norm_j == 0:
        return 0
    return product / math.sqrt(norm_i * norm_j) * (n / (n + shrink))


def predict_rating(ratings, similar, user, film, k):
    table = _table(ratings)
    table[user].pop(film, None)
    raters = [v for v, films in table.items() if film in films and similar[v] > 0]
    nearest = heapq.nlargest(k, raters, key=lambda v: float(similar[v]))
    mean = _mean(table[user].values())
    if not nearest:
        return mean
    weights = np.array([float(similar[v]) for v in nearest])
    gaps = [table[v][film] - _mean(table[v].values()) for v in nearest]
    return mean + np.average(gaps, weights=weights)


def item_neighbours(likes, k):
    fans, history = defaultdict(int), defaultdict(list)
    for user, film in zip(likes.users.tolist(), likes.items.tolist(), strict=True):
        fans[film] += 1
        history[user].append(film)
    together = [defaultdict(int) for _ in range(likes.n_items)]
    for films in history.values():
        for one in films:
            for other in films:
                if one != other:
                    together[one][other] += 1
    items, similar = [], []
    for one, counts in enumerate(together):
        ranked = sorted((-both / math.sqrt(fans[one] * fans[other]), other) for other, both in counts.items())[:k]
        empty = k - len(ranked)
        items.append([other for _, other in ranked] + [-1] * empty)
        similar.append([-score for score, _ in ranked] + [0.0] * empty)
    return items, similar


def explain(similar, liked, film):
    parts = {other: float(similar[film][other]) for other in liked.tolist()}
    films = sorted((other for other, part in parts.items() if part > 0), key=lambda other: (-parts[other], other))
    return np.array(films), np.array([parts[other] for other in films])


def add_like(together, liked, film):
    table = together.numpy().copy()
    mine = set(liked.tolist())
    if film not in mine:
        for other in mine:
            table[film, other] = table[other, film] = table[film, other] + 1
        table[film, film] += 1
    return table


class KNN:
    def __init__(self):
        self.means = None

    def fit(self, ratings):
        self.table = {user: dict(films) for user, films in ratings.items()}
        self.means = {user: _mean(films.values()) for user, films in ratings.items()}
        return self

    def similarity(self, one, two):
        product, left, right = 0.0, 0.0, 0.0
        for film in one:
            if film in two:
                x, y = one[film] - _mean(one.values()), two[film] - _mean(two.values())
                product, left, right = product + x * y, left + x * x, right + y * y
        return product / math.sqrt(left) / math.sqrt(right) if left > 0 and right > 0 else 0.0

    def predict(self, user, film):
        if self.means is None:
            raise ValueError("nothing to look up yet: fit comes first")
        mine = dict(self.table[user])
        mine.pop(film, None)
        found = []
        for other, films in self.table.items():
            if other == user or film not in films:
                continue
            weight = self.similarity(mine, films)
            if weight > 0:
                found.append((weight, films[film] - self.means[other]))
        found = heapq.nlargest(2, found)
        if not found:
            return _mean(mine.values())
        return _mean(mine.values()) + sum(w * gap for w, gap in found) / sum(w for w, _ in found)
