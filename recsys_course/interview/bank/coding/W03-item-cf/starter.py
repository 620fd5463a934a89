"""W03: item-based collaborative filtering."""

from collections.abc import Hashable, Iterable

Similar = dict[Hashable, list[tuple[Hashable, float]]]


def similar_items(events: Iterable[tuple[Hashable, Hashable]], k: int, cap: int = 500) -> Similar:
    """The k most similar items of each item.

    Args:
        events: pairs (user, item), in any order.
        k: neighbours to keep.
        cap: users with more distinct items than this are left out.

    Returns:
        For each item of the users that count: (neighbour, similarity), most similar first.
    """
    raise NotImplementedError


def recommend(history: Iterable[Hashable], similar: Similar, n: int) -> list[Hashable]:
    """The n items with the highest sum of similarities to the history, none of the history itself."""
    raise NotImplementedError
