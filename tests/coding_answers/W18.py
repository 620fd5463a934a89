"""With sorted lists instead of heaps."""

from bisect import insort


def search(distance, links, entry, k, ef, deleted=()):
    if k <= 0:
        raise ValueError("k must be positive")
    room, gone = max(k, ef), set(deleted)
    first = (distance(entry), entry)
    known, waiting, found = {entry}, [first], [first] if entry not in gone else []
    while waiting:
        away, node = waiting.pop(0)
        if len(found) >= room and away > found[-1][0]:
            return found[:k]
        for other in links[node]:
            if other not in known:
                known.add(other)
                pair = (distance(other), other)
                if len(found) < room or pair < found[-1]:
                    insort(waiting, pair)
                    if other not in gone:
                        insort(found, pair)
                        del found[room:]
    return found[:k]
