"""One way to write W18: two heaps and a set."""

import heapq
from collections.abc import Callable, Collection, Sequence


def search(
    distance: Callable[[int], float],
    links: Sequence[Sequence[int]],
    entry: int,
    k: int,
    ef: int,
    deleted: Collection[int] = frozenset(),
) -> list[tuple[float, int]]:
    """The k nearest nodes that a walk with a beam of ``ef`` finds."""
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    ef, deleted = max(ef, k), frozenset(deleted)
    start = distance(entry)
    seen, queue = {entry}, [(start, entry)]
    best = [] if entry in deleted else [(-start, -entry)]  # the worst first
    while queue:
        nearest, node = heapq.heappop(queue)
        if len(best) == ef and nearest > -best[0][0]:
            break
        for other in links[node]:
            if other in seen:
                continue
            seen.add(other)
            away = distance(other)
            if len(best) < ef or (-away, -other) > best[0]:
                heapq.heappush(queue, (away, other))
                if other not in deleted:
                    heapq.heappush(best, (-away, -other))
                    if len(best) > ef:
                        heapq.heappop(best)
    return sorted((-away, -node) for away, node in best)[:k]
