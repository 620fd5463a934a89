"""One way to write W01: blocks of equal scores share their gain."""

import math
from collections.abc import Sequence
from itertools import groupby


def ndcg_at_k(relevance: Sequence[float], scores: Sequence[float], k: int, gain: str = "exponential") -> float:
    """Normalised discounted gain of the k items with the highest scores, expected over the order of ties."""
    if len(relevance) != len(scores):
        raise ValueError(f"{len(relevance)} grades but {len(scores)} scores")
    if k < 1 or gain not in ("exponential", "linear"):
        raise ValueError(f"k must be at least 1 and gain exponential or linear, got {k} and {gain!r}")
    if any(grade < 0 for grade in relevance):
        raise ValueError("a grade is negative: the smallest is 0")
    gains = [2.0**grade - 1 if gain == "exponential" else float(grade) for grade in relevance]
    best = sum(g * _discount(rank) for rank, g in enumerate(sorted(gains, reverse=True)[:k]))
    if best == 0:
        return math.nan
    rank, total = 0, 0.0
    order = sorted(zip(scores, gains, strict=True), key=lambda pair: -pair[0])
    for _, pairs in groupby(order, key=lambda pair: pair[0]):
        block = [g for _, g in pairs]
        mean = sum(block) / len(block)
        total += mean * sum(_discount(place) for place in range(rank, min(rank + len(block), k)))
        rank += len(block)
        if rank >= k:
            break
    return total / best


def _discount(rank: int) -> float:
    return 1 / math.log2(rank + 2)
