# ruff: noqa: E501
"""Wrong answers to W03: what is replaced in the reference, by what is wrong about it."""

MUTANTS = {
    "heavy users weigh as much as others": [("1 / math.log(1 + len(basket))", "1.0")],
    "repeated events count again": [
        ("baskets = defaultdict(set)", "baskets = defaultdict(list)"),
        ("baskets[user].add(item)", "baskets[user].append(item)"),
    ],
    "users at the cap are left out": [("len(basket) <= cap", "len(basket) < cap")],
    "heavy users stay in the counts": [
        (
            "    baskets = [sorted(basket)",
            "    counts = Counter(i for b in baskets.values() for i in b)\n    baskets = [sorted(basket)",
        ),
        ("    counts = Counter(item for basket in baskets for item in basket)\n", ""),
    ],
    "popular items are not held down": [("math.sqrt(counts[item] * counts[other])", "counts[item]")],
    "the history is recommended": [("if other not in seen:", "if True:")],
    "an unknown item is a KeyError": [("similar.get(item, ())", "similar[item]")],
    "ties by the higher id": [("(-pair[1], pair[0])", "(-pair[1], -pair[0] if isinstance(pair[0], int) else 0)")],
    "a repeated item of the history counts twice": [("for item in sorted(seen):", "for item in list(history):")],
    "items without a neighbour are missing": [(" for item in counts}", " for item in shared}")],
}

SLOW = {
    "all pairs of items": [
        (
            "    return {item: _nearest",
            "    for one in counts:\n        for other in counts:\n            one == other\n    return {item: _nearest",
        )
    ],
}
