"""Semantic ids: items as a few codes each, of which similar items share the first, and a search over those codes.

In shapes, ``n_levels`` counts the codes of one item and ``n_codes`` the values that a code can take.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from recsys_course.serving.ivf import kmeans


def residual_codebooks(vectors: Tensor, n_codes: int, n_levels: int, seed: int = 0) -> Tensor:
    r"""Learn centroids for each level: those of k-means over what the levels before it left over.

    Each level's mean squared residual is at most that of the level before. Source: Rajput et al., *Recommender
    systems with generative retrieval* (TIGER), NeurIPS 2023, arXiv:2305.05065, section 3.1, where an autoencoder
    learns the codebooks (RQ-VAE).

    Args:
        vectors: float ``[n_items, dim]``.
        n_codes: centroids of each level, at most ``n_items``.
        n_levels: how many levels.
        seed: of the first centroids; level ``l`` takes ``seed + l``.

    Returns:
        Float ``[n_levels, n_codes, dim]``.

    Raises:
        ValueError: there is no level, or there are fewer vectors than codes.
    """
    if n_levels < 1:
        raise ValueError(f"n_levels must be at least 1, got {n_levels}")
    residuals, books = vectors.float(), []
    for level in range(n_levels):
        book, nearest = kmeans(residuals, n_codes, n_rounds=20, seed=seed + level)
        residuals = residuals - book[nearest]
        books.append(book)
    return torch.stack(books)


def residual_codes(vectors: Tensor, codebooks: Tensor) -> Tensor:
    r"""Write vectors as sums of centroids: each level names the one nearest to what is left, and takes it away.

    .. math:: r_0 = x, \quad c_l = \arg\min_j \lVert r_{l - 1} - e_{lj} \rVert, \quad r_l = r_{l - 1} - e_{l c_l}

    An item that arrives later gets its codes from the same books. Of equally near centroids the first is named.

    Args:
        vectors: float ``[n_items, dim]``.
        codebooks: the centroids :math:`e`, float ``[n_levels, n_codes, dim]``.

    Returns:
        Int64 ``[n_items, n_levels]``.
    """
    residuals, codes = vectors, []
    for book in codebooks:
        nearest = (book.square().sum(dim=1) - 2 * residuals @ book.T).argmin(dim=1)
        residuals = residuals - book[nearest]
        codes.append(nearest)
    return torch.stack(codes, dim=1)


def reconstruct(codes: Tensor, codebooks: Tensor) -> Tensor:
    """The sum of the centroids that the codes name: int64 ``[n_items, n]`` to float ``[n_items, dim]``.

    Args:
        codes: of the first ``n`` levels; fewer than all give a coarser vector.
        codebooks: float ``[n_levels, n_codes, dim]``.
    """
    return sum(codebooks[level][codes[:, level]] for level in range(codes.shape[1]))


def resolve_collisions(codes: Tensor) -> Tensor:
    """Add a last code that counts the items with the same codes, in order of item number.

    Args:
        codes: int64 ``[n_items, n_levels]``.

    Returns:
        Int64 ``[n_items, n_levels + 1]``, every row another one.

    >>> resolve_collisions(torch.tensor([[4, 1], [2, 0], [4, 1]]))
    tensor([[4, 1, 0],
            [2, 0, 0],
            [4, 1, 1]])
    """
    group = codes.unique(dim=0, return_inverse=True)[1]  # [n_items]
    order = group.argsort(stable=True)
    sizes = torch.bincount(group)
    first = sizes.cumsum(0) - sizes  # where each group begins in the order
    last = torch.empty_like(group)
    last[order] = torch.arange(len(group)) - first[group[order]]
    return torch.cat([codes, last.unsqueeze(1)], dim=1)


class Trie:
    """The tree of all codes that some item has: a node for each beginning, a leaf for each item.

    The nodes of a depth are numbered in the order of their codes; depth 0 has the root alone. A dense table of
    children is enough for a course; for millions of items it would be a list of edges.

    Args:
        codes: a row for each item, no two alike, int64 ``[n_items, n_levels]``.

    Attributes:
        codes: as given.
        sizes: how many values the code of each level has, ``[n_levels]``.
        nodes: each item's node at each depth, int64 ``[n_items, n_levels + 1]``.
        children: for each level, the node that a code leads to from each node above it, ``-1`` where there is none;
            ``n_levels`` tables, int64 ``[nodes above, size]``.
        items: the item of each leaf, int64 ``[n_items]``.

    Raises:
        ValueError: the codes are no table of whole numbers, one is negative, or two items share all theirs.
    """

    def __init__(self, codes: Tensor) -> None:
        if codes.ndim != 2 or codes.dtype != torch.int64 or not codes.numel():
            raise ValueError(f"codes must be int64 [n_items, n_levels], got {codes.dtype} {list(codes.shape)}")
        if codes.min() < 0:
            raise ValueError(f"codes must count from 0, found {int(codes.min())}")
        self.codes, self.sizes = codes, [int(column.max()) + 1 for column in codes.T]
        nodes, self.children = [torch.zeros(len(codes), dtype=torch.int64)], []
        for size, column in zip(self.sizes, codes.T, strict=True):
            edges, below = (nodes[-1] * size + column).unique(return_inverse=True)
            table = torch.full((int(nodes[-1].max()) + 1, size), -1)
            table.view(-1)[edges] = torch.arange(len(edges))
            nodes.append(below)
            self.children.append(table)
        self.nodes = torch.stack(nodes, dim=1)
        if int(self.nodes[:, -1].max()) + 1 < len(codes):
            raise ValueError("two items have the same codes: call resolve_collisions(codes) first")
        self.items = self.nodes[:, -1].argsort()

    def alive(self, allowed: Tensor) -> list[Tensor]:
        """Which nodes of each depth lead to an allowed item: bool ``[batch, n_items]`` to ``[batch, n_nodes]`` each."""
        found = []
        for nodes in self.nodes.T:
            counts = torch.zeros(len(allowed), int(nodes.max()) + 1)
            found.append(counts.index_add_(1, nodes, allowed.float()) > 0)
        return found


def beam_search(
    trie: Trie, step: Callable[[int, Tensor, Tensor], Tensor], allowed: Tensor, width: int | None = None
) -> tuple[Tensor, Tensor]:
    r"""Write codes level by level and keep the best beginnings, none of which leads to nothing.

    An item's probability is the product of its codes', each a softmax over the children that its node has:

    .. math:: p(i) = \prod_l p(c_l \mid c_1, \dots, c_{l - 1})

    so that those of all items add up to 1. A beginning without an allowed item is never kept. With ``width`` ``w``
    at least ``min(w, allowed)`` items are found; without it, all of them, and the search is exact.

    Args:
        trie: of all items.
        step: called once a level as ``step(level, codes, parents)``; gives the logits of the next code after each
            beam, float ``[batch, n_beams, sizes[level]]``. ``codes`` are those of the level before and ``parents``
            the beams of the level before that they continue, both int64 ``[batch, n_beams]``; at level 0 there is
            one beam, and both are 0.
        allowed: which items may be found, bool ``[batch, n_items]``.
        width: how many beams are kept.

    Returns:
        Items, int64 ``[batch, n]``, in the order of their codes, and the logarithms of their probabilities, float
        ``[batch, n]``; ``-inf`` where fewer were found. ``n`` is ``width`` or the number of items.

    Raises:
        ValueError: ``width`` is below 1.
    """
    if width is not None and width < 1:
        raise ValueError(f"width must be at least 1, got {width}")
    batch, alive = len(allowed), trie.alive(allowed)
    nodes = codes = parents = torch.zeros(batch, 1, dtype=torch.int64)
    found = torch.zeros(batch, 1)
    for level, (table, size) in enumerate(zip(trie.children, trie.sizes, strict=True)):
        logits = step(level, codes, parents).float().cpu()  # [batch, n_beams, size]
        below = table[nodes]  # [batch, n_beams, size]
        logs = logits.masked_fill(below < 0, -torch.inf).log_softmax(dim=2)
        dead = (below < 0) | ~alive[level + 1].gather(1, below.clamp(min=0).flatten(1)).view_as(below)
        total = (found.unsqueeze(2) + logs).masked_fill(dead, -torch.inf).flatten(1)
        keep = _best(total, min(width or len(trie.items), alive[level + 1].shape[1]))
        found, parents, codes = total.gather(1, keep), keep // size, keep % size
        nodes = below.flatten(1).gather(1, keep).clamp(min=0)  # a beam at -inf stays there, whatever its node
    return trie.items[nodes], found


def _best(total: Tensor, n: int) -> Tensor:
    """Columns of the ``n`` largest of each row, from left to right, int64 ``[batch, n]``."""
    return total.topk(n, dim=1).indices.sort(dim=1).values
