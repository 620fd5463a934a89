"""With counters of pairs, and plain sorting."""

from collections import Counter
from math import log


def similar_items(events, k, cap=500):
    baskets = {}
    for user, item in events:
        baskets.setdefault(user, {})[item] = True
    counts, pairs = Counter(), {}
    for basket in baskets.values():
        if len(basket) > cap:
            continue
        counts.update(basket.keys())
        for one in basket:
            near = pairs.setdefault(one, Counter())
            for other in basket:
                if other != one:
                    near[other] += 1 / log(1 + len(basket))
    found = {}
    for item in counts:
        near = [(other, total / (counts[item] * counts[other]) ** 0.5) for other, total in pairs[item].items()]
        found[item] = sorted(near, key=lambda pair: (-pair[1], pair[0]))[:k]
    return found


def recommend(history, similar, n):
    history = set(history)
    sums = Counter()
    for item in history & similar.keys():
        sums.update(dict(similar[item]))
    return sorted(sums.keys() - history, key=lambda item: (-sums[item], item))[:n]
