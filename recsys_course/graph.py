"""Users and items as one graph: edges, the symmetric normalised adjacency, propagation, neighbours and leaks.

Node ``u`` is user ``u`` and node ``n_users + i`` is item ``i``. *Edges* are int64 ``[2, n_edges]``, sources above
targets, as in PyTorch Geometric; every like stands there twice, once in each direction.
"""

import warnings

import torch
import torch.nn.functional as F
from torch import Tensor

from recsys_course.data.interactions import Interactions


def bipartite_edges(interactions: Interactions) -> Tensor:
    """Every user-item pair as two edges: first all from user to item, then all from item to user.

    Args:
        interactions: a pair that occurs twice counts once; low ratings count too, so take ``positives()`` first.

    Returns:
        Int64 ``[2, 2 * n_pairs]``; of a user or item without an event no edge is there.

    >>> bipartite_edges(Interactions.from_events([0, 1, 1], [0, 0, 0])).tolist()
    [[0, 1, 2, 2], [2, 2, 0, 1]]
    """
    keys = torch.unique_consecutive(interactions.keys)  # [n_pairs]
    users = keys.div(max(interactions.n_items, 1), rounding_mode="floor")
    items = keys - users * interactions.n_items + interactions.n_users
    return torch.stack([torch.cat([users, items]), torch.cat([items, users])])


def normalised_adjacency(edges: Tensor, n_nodes: int) -> Tensor:
    r"""The adjacency matrix with each edge divided by the root of both degrees: :math:`D^{-1/2} A D^{-1/2}`.

    An edge that is given twice counts once; a node without an edge has a row of zeros. Source: Kipf and Welling,
    ICLR 2017, arXiv:1609.02907, equation 2 (here without self-loops, as in LightGCN).

    Args:
        edges: both directions, int64 ``[2, n_edges]``.
        n_nodes: users and items together.

    Returns:
        Float32 sparse CSR ``[n_nodes, n_nodes]``, symmetric.

    Raises:
        ValueError: an edge names a node that is not there, or stands there in one direction alone.
    """
    check_edges(edges, n_nodes)
    keys, turned = ((first * n_nodes + second).unique() for first, second in (edges, edges.flip(0)))
    if not torch.equal(keys, turned):
        raise ValueError("every edge must stand there in both directions: build them with bipartite_edges")
    rows = keys.div(n_nodes, rounding_mode="floor")  # [n_edges], ascending
    columns, degrees = keys - rows * n_nodes, torch.bincount(rows, minlength=n_nodes)
    scale = degrees.clamp(min=1).float().rsqrt()  # [n_nodes]
    start = F.pad(degrees.cumsum(0), (1, 0))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse")  # that CSR is in beta; the checks are switched on below
        shape, values = (n_nodes, n_nodes), scale[rows] * scale[columns]
        return torch.sparse_csr_tensor(start, columns, values, shape, check_invariants=True)


def check_edges(edges: Tensor, n_nodes: int) -> None:
    """Refuse edges of the wrong shape, or to nodes that are not there.

    Raises:
        ValueError: as it says.
    """
    if edges.ndim != 2 or len(edges) != 2 or edges.dtype != torch.int64:
        raise ValueError(f"edges must be int64 [2, n_edges], got {edges.dtype} {list(edges.shape)}")
    if edges.numel() and not (edges.min() >= 0 and edges.max() < n_nodes):
        raise ValueError(
            f"an edge leads to node {int(edges.min() if edges.min() < 0 else edges.max())} and there are {n_nodes}: "
            "item i is node n_users + i"
        )


def propagate(adjacency: Tensor, nodes: Tensor, n_layers: int) -> Tensor:
    r"""What reaches each node in 0 to ``n_layers`` steps, all steps weighing the same.

    .. math:: \frac{1}{L + 1} \sum_{l=0}^{L} A^l X

    Because :math:`A` is symmetric, so is this whole map: the gradient for ``nodes`` is the same sum of the gradient
    that comes in. Nothing is transposed and no layer is kept. Source: He et al., LightGCN, SIGIR 2020,
    arXiv:2002.02126, equations 4 and 8.

    Args:
        adjacency: **symmetric**, sparse CSR ``[n_nodes, n_nodes]``; for another matrix the gradient is wrong.
        nodes: :math:`X`, float ``[n_nodes, dim]``.
        n_layers: :math:`L`.
    """
    return _Propagate.apply(adjacency, nodes, n_layers)


class _Propagate(torch.autograd.Function):
    @staticmethod
    def forward(context, adjacency: Tensor, nodes: Tensor, n_layers: int) -> Tensor:
        context.adjacency, context.n_layers = adjacency, n_layers
        return _mean_of_powers(adjacency, nodes, n_layers)

    @staticmethod
    def backward(context, gradient: Tensor) -> tuple[None, Tensor, None]:
        return None, _mean_of_powers(context.adjacency, gradient, context.n_layers), None


def _mean_of_powers(adjacency: Tensor, nodes: Tensor, n_layers: int) -> Tensor:
    layer, total = nodes, nodes.clone()
    for _ in range(n_layers):
        layer = product(adjacency, layer)
        total += layer
    return total.div_(n_layers + 1)


def product(adjacency: Tensor, nodes: Tensor) -> Tensor:
    """One step along the edges, :math:`A X`: ``[n_nodes, n_nodes]`` CSR times ``[n_nodes, dim]``.

    Each row of the result is a weighted sum of a few rows of ``nodes``: that is what an embedding bag computes, on
    a CPU faster than the sparse product of the same torch.
    """
    columns, start, weights = adjacency.col_indices(), adjacency.crow_indices(), adjacency.values()
    return F.embedding_bag(columns, nodes, start, mode="sum", per_sample_weights=weights, include_last_offset=True)


def sample_neighbours(edges: Tensor, nodes: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """Draw ``n`` neighbours of each node, each of its neighbours equally likely, with replacement.

    The mean over the drawn neighbours therefore has the mean over all neighbours as its expectation.
    Source: Hamilton, Ying and Leskovec, GraphSAGE, NeurIPS 2017, arXiv:1706.02216, section 3.1.

    Args:
        edges: int64 ``[2, n_edges]``; a neighbour of a node is the source of an edge that ends in it.
        nodes: int64 ``[batch]``; a node may occur more than once.
        n: how many for each, at least 1.
        generator: what is drawn from.

    Returns:
        Int64 ``[batch, n]``; ``-1`` for a node without neighbours.

    Raises:
        ValueError: ``n`` is below 1.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1 neighbour, got {n}")
    order = edges[1].argsort(stable=True)
    targets = edges[1][order]
    first, end = (
        torch.searchsorted(targets, nodes.contiguous(), right=right).unsqueeze(1) for right in (False, True)
    )  # [batch, 1]
    ranks = (torch.rand(len(nodes), n, generator=generator, dtype=torch.float64) * (end - first)).long()
    sources = F.pad(edges[0][order], (0, 1), value=-1)  # the last place is for nodes without neighbours
    return sources[(first + ranks).where(first < end, len(order))]


def split_messages(likes: Interactions, share: float, generator: torch.Generator) -> tuple[Interactions, Interactions]:
    """Part the likes in two: along the first messages pass, from the second the model learns.

    A network that can read an edge need not predict it; so the pairs of a training step are taken out of the graph
    for that step. Duplicate pairs stay together.

    Args:
        likes: the training positives.
        share: how many of the pairs to learn from, between 0 and 1.
        generator: what is drawn from.

    Returns:
        Messages and supervision; they share no pair.

    Raises:
        ValueError: the share does not lie between 0 and 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"share of supervision must lie between 0 and 1, got {share}")
    pairs, place = (likes.users * likes.n_items + likes.items).unique(return_inverse=True)
    learn = torch.rand(len(pairs), generator=generator)[place] < share  # [n_events]
    return likes.select(~learn), likes.select(learn)


def message_leak(edges: Tensor, held_out: Interactions) -> str | None:
    """A held-out pair that messages pass along, in either direction: a sentence about it, or ``None``.

    Args:
        edges: what the propagation uses, int64 ``[2, n_edges]``.
        held_out: what the model is judged on, or learns from in this step.
    """
    user, item = edges.amin(dim=0), edges.amax(dim=0) - held_out.n_users  # users have the smaller numbers
    shared = torch.isin(user * held_out.n_items + item, held_out.keys)
    between = (user < held_out.n_users) & (item >= 0) & (item < held_out.n_items)
    found = (shared & between).nonzero()[:, 0]
    if not len(found):
        return None
    n_pairs = len((user * held_out.n_items + item)[found].unique())
    pair = f"user {int(user[found[0]])}, item {int(item[found[0]])}"
    return f"message leak: messages pass along {n_pairs} held-out pairs, the first is {pair}"
