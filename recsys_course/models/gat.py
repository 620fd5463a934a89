"""GAT: GraphSAGE with one change, each node decides how much it listens to each of its neighbours."""

from torch import Tensor, nn

from recsys_course.models.graph_sage import GraphSAGE


class GAT(GraphSAGE):
    r"""Replace the mean over the neighbours by a weighted one, the weights computed from both ends of each edge.

    .. math:: h^{l+1}_v = \sigma\Big( W_1 h^l_v + \sum_{w \in N(v)} \alpha_{vw} W_2 h^l_w + b \Big), \qquad
              \alpha_{vw} = \operatorname{softmax}_w \operatorname{LeakyReLU}(a^\top W_2 h^l_w + c^\top W_2 h^l_v)

    once for each head, the heads put side by side. Everything else is as in ``GraphSAGE``. Source: Veličković et al.,
    ICLR 2018, arXiv:1710.10903, equations 1 to 5, in the form of ``torch_geometric.nn.GATConv`` with ``residual``
    and without self-loops.

    Args:
        dim: length of all vectors, a multiple of ``n_heads``.
        n_heads: how many sets of weights.
        n_layers: how many steps a message takes, at least 1.
        epochs: number of steps; each goes through the whole graph.
        supervision: share of the likes that a step learns from and does not pass messages along.
        n_neighbours: how many neighbours a node hears in a training step, drawn anew each time; all without it.
        learning_rate: of Adam.
        item_features: what is known about each item, float ``[n_items, n_features]``.
        seed: of the first weights and all draws.
    """

    def __init__(
        self,
        dim: int = 64,
        n_heads: int = 4,
        n_layers: int = 2,
        epochs: int = 100,
        supervision: float = 0.3,
        n_neighbours: int | None = None,
        learning_rate: float = 0.02,
        item_features: Tensor | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(dim, n_layers, epochs, supervision, n_neighbours, learning_rate, item_features, seed)
        self.n_heads = n_heads

    def _layer(self) -> nn.Module:
        from torch_geometric.nn import GATConv

        if self.dim % self.n_heads:
            raise ValueError(f"dim {self.dim} cannot be shared by {self.n_heads} heads: take a multiple")
        each = self.dim // self.n_heads
        return GATConv(self.dim, each, heads=self.n_heads, add_self_loops=False, residual=True)
