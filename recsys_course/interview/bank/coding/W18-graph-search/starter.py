"""W18: beam search on a neighbour graph."""

from collections.abc import Callable, Collection, Sequence


def search(
    distance: Callable[[int], float],
    links: Sequence[Sequence[int]],
    entry: int,
    k: int,
    ef: int,
    deleted: Collection[int] = frozenset(),
) -> list[tuple[float, int]]:
    """The k nearest nodes that a walk with a beam of ``ef`` finds.

    Args:
        distance: of a node to the query; call it at most once a node.
        links: neighbours of each node.
        entry: where the walk starts.
        k: how many to return.
        ef: how many of the best to keep; at least k are kept.
        deleted: nodes that are walked through and never returned.

    Returns:
        (distance, node), nearest first; fewer than k where fewer are reached.
    """
    raise NotImplementedError
