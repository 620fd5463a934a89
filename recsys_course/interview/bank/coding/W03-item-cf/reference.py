"""One way to write W03: an inverted index from users to items, then pairs within each user."""

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from itertools import combinations

Similar = dict[Hashable, list[tuple[Hashable, float]]]


def similar_items(events: Iterable[tuple[Hashable, Hashable]], k: int, cap: int = 500) -> Similar:
    """The k most similar items of each item."""
    baskets = defaultdict(set)
    for user, item in events:
        baskets[user].add(item)
    baskets = [sorted(basket) for basket in baskets.values() if len(basket) <= cap]
    counts = Counter(item for basket in baskets for item in basket)
    shared = defaultdict(lambda: defaultdict(float))
    for basket in baskets:
        weight = 1 / math.log(1 + len(basket))
        for one, other in combinations(basket, 2):
            shared[one][other] += weight
            shared[other][one] += weight
    return {item: _nearest(item, shared.get(item, {}), counts, k) for item in counts}


def _nearest(item: Hashable, shared: dict, counts: Counter, k: int) -> list[tuple[Hashable, float]]:
    pairs = ((other, weight / math.sqrt(counts[item] * counts[other])) for other, weight in shared.items())
    return heapq.nsmallest(k, pairs, key=lambda pair: (-pair[1], pair[0]))


def recommend(history: Iterable[Hashable], similar: Similar, n: int) -> list[Hashable]:
    """The n items with the highest sum of similarities to the history, none of the history itself."""
    seen, sums = set(history), defaultdict(float)
    for item in sorted(seen):
        for other, similarity in similar.get(item, ()):
            if other not in seen:
                sums[other] += similarity
    return heapq.nsmallest(n, sums, key=lambda item: (-sums[item], item))
