"""GraphSAGE as a recommender: a user is what its items say, so that a new user or item needs edges and no training."""

from collections.abc import Callable
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_course.base import Recommender, check_memory, device
from recsys_course.data.interactions import Interactions
from recsys_course.graph import bipartite_edges, sample_neighbours, split_messages
from recsys_course.training import History, seeded
from recsys_course.training import train as train_network


class GraphSAGE(Recommender):
    r"""Let messages pass along the likes through learnt layers, then match users with items.

    .. math:: h^{l+1}_v = \sigma\left( W_1 h^l_v + W_2 \operatorname{mean}_{w \in N(v)} h^l_w + b \right)

    with no activation after the last layer, and :math:`s_{ui} = h_u^\top h_i`. All users start from one vector, so
    that nothing but its edges tells two users apart; an item starts from a vector of its own, if it had a like in
    training, plus what its features say. Sources: Hamilton, Ying and Leskovec, NeurIPS 2017, arXiv:1706.02216
    (the mean aggregator, in the form of ``torch_geometric.nn.SAGEConv``); the rest is ours.

    In each step a share of the likes is taken out of the messages, and the step learns to predict these alone, among
    all items: a network that can read an edge need not predict it.

    What has no edge: such a user gets the same list as any other such user, one that is hardly ever trained (serve
    what is popular instead); such an item hears nobody and is scored by its features, low without any.

    Learnt: ``network_``, ``states_`` (the items after each layer, each ``[n_items, dim]``) and ``history_``.

    Args:
        dim: length of all vectors.
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
        n_layers: int = 2,
        epochs: int = 200,
        supervision: float = 0.3,
        n_neighbours: int | None = None,
        learning_rate: float = 0.02,
        item_features: Tensor | None = None,
        seed: int = 0,
    ) -> None:
        self.dim = dim
        self.n_layers = n_layers
        self.epochs = epochs
        self.supervision = supervision
        self.n_neighbours = n_neighbours
        self.learning_rate = learning_rate
        self.item_features = item_features
        self.seed = seed

    def fit(self, train: Interactions, score: Callable[[], float] | None = None, **options) -> Self:
        """Learn from the positives; a pair that occurs twice counts once.

        Args:
            train: the training events.
            score: validation score of this model as it is, called after each epoch.
            **options: ``patience``, ``min_delta`` and ``checkpoint`` of ``training.run_epochs``.

        Raises:
            ValueError: a number makes no sense, the features do not fit the items, the table of all scores does not
                fit in memory, or training diverges.
        """
        self._check_arguments(train)
        self.train_, self.likes_ = train, train.positives()
        known = self.likes_.item_counts() > 0  # [n_items]
        with seeded(self.seed):
            layers = [self._layer() for _ in range(self.n_layers)]
            self.network_ = Messages(layers, self.dim, known, self.item_features).to(device())
        self.history_ = self._train(score, options) if len(self.likes_) else History()
        return self.rewire(train)

    def rewire(self, train: Interactions) -> Self:
        """Pass messages along the likes of other events from now on; no weight changes.

        A user or item that was there in training without a like is new here: its edges are all that it needs.

        Args:
            train: the same numbers of users and items; its events are what counts as seen.

        Raises:
            ValueError: the numbers differ.
        """
        if (train.n_users, train.n_items) != (self.train_.n_users, self.train_.n_items):
            raise ValueError(
                f"the model knows {self.train_.n_users} users and {self.train_.n_items} items, "
                f"the new events {train.n_users} and {train.n_items}: give both the same numbers"
            )
        self.train_, self.likes_ = train, train.positives()
        with torch.no_grad():
            layers = self.network_(bipartite_edges(self.likes_).to(device()), train.n_users)
        self.states_ = [layer[train.n_users :].cpu() for layer in layers]
        return self

    @torch.no_grad()
    def scores(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """Match with every item: int64 ``[batch]`` to float ``[batch, n_items]``.

        With ``history``, these likes are the edges of the users; the items stay as they are.
        """
        likes = (self.likes_ if history is None else history.positives()).matrix(users).tocoo()
        edges = torch.stack([torch.from_numpy(ends).long() for ends in (likes.col, likes.row)])
        states = [state.to(device()) for state in self.states_]
        vectors = self.network_.attach(states, edges.to(device()), len(users)).cpu()  # [batch, dim]
        return vectors @ self.states_[-1].T

    def _layer(self) -> nn.Module:
        """One step of the messages, ``dim`` to ``dim``."""
        from torch_geometric.nn import SAGEConv

        return SAGEConv(self.dim, self.dim)

    def _train(self, score: Callable[[], float] | None, options: dict) -> History:
        generator = torch.Generator().manual_seed(self.seed)

        def batches() -> list[tuple[Tensor, Tensor, Tensor]]:
            messages, learn = split_messages(self.likes_, self.supervision, generator)
            edges = self._hear(bipartite_edges(messages), generator)
            pairs = learn.keys.unique()
            users = pairs.div(learn.n_items, rounding_mode="floor")
            return [tuple(part.to(device()) for part in (edges, users, pairs - users * learn.n_items))]

        def loss(batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
            edges, users, items = batch
            nodes = self.network_(edges, self.train_.n_users)[-1]
            scores = nodes[: self.train_.n_users] @ nodes[self.train_.n_users :].T  # [n_users, n_items]
            chances = F.log_softmax(scores.float(), dim=1)[users, items]  # softmax_loss, but a row for each user once
            return -chances.mean() if len(users) else scores.sum() * 0

        def validate() -> float:
            self.rewire(self.train_)
            return score()

        optimizer = torch.optim.Adam(self.network_.parameters(), lr=self.learning_rate, fused=True)
        how = {"optimizer": optimizer, "epochs": self.epochs, "generator": generator, **options}
        return train_network(self.network_, loss, batches, score=validate if score else None, **how)

    def _hear(self, edges: Tensor, generator: torch.Generator) -> Tensor:
        """Along which edges messages pass in a step: all, or a few to each node."""
        if self.n_neighbours is None:
            return edges
        nodes = torch.arange(self.train_.n_users + self.train_.n_items)
        drawn = sample_neighbours(edges, nodes, self.n_neighbours, generator)  # [n_nodes, n]
        targets = nodes.unsqueeze(1).expand_as(drawn)
        return torch.stack([drawn[drawn >= 0], targets[drawn >= 0]])

    def _check_arguments(self, train: Interactions) -> None:
        name, features = type(self).__name__, self.item_features
        if self.n_layers < 1:
            raise ValueError(f"n_layers must be at least 1, got {self.n_layers}: without edges all users are alike")
        if not 0 < self.supervision < 1:
            raise ValueError(f"supervision must lie between 0 and 1, got {self.supervision}")
        if features is not None and (features.ndim != 2 or len(features) != train.n_items):
            raise ValueError(f"item_features must be [{train.n_items}, n_features], got {list(features.shape)}")
        check_memory(12 * train.n_users * train.n_items, f"{name} on {train.n_users:,} users x {train.n_items:,} items")


class Messages(nn.Module):
    """Layers through which users and items hear from their neighbours.

    Args:
        layers: each takes ``(nodes, edges)`` or ``((sources, targets), edges)``, as PyTorch Geometric's do.
        dim: length of all vectors.
        known: which items have a vector of their own, bool ``[n_items]``.
        features: what is known about each item, float ``[n_items, n_features]``.
    """

    def __init__(self, layers: list[nn.Module], dim: int, known: Tensor, features: Tensor | None) -> None:
        super().__init__()
        features = torch.empty(len(known), 0) if features is None else features.float()
        self.register_buffer("known", known.unsqueeze(1), persistent=False)
        self.register_buffer("features", features, persistent=False)
        self.user = nn.Parameter(0.1 * torch.randn(dim))
        self.item = nn.Parameter(0.1 * torch.randn(len(known), dim))
        self.describe = nn.Parameter(0.1 * torch.randn(features.shape[1], dim))
        self.layers = nn.ModuleList(layers)

    def forward(self, edges: Tensor, n_users: int) -> list[Tensor]:
        """All nodes before the first and after each layer, each ``[n_users + n_items, dim]``."""
        items = self.item * self.known + self.features @ self.describe
        states = [torch.cat([self.user.expand(n_users, -1), items])]
        for layer in self.layers:
            states.append(self._activate(layer, layer(states[-1], edges)))
        return states

    def attach(self, items: list[Tensor], edges: Tensor, n_users: int) -> Tensor:
        """Vectors of users with edges from these items, ``[n_users, dim]``: the same layers, the items given.

        Args:
            items: the items before the first and after each layer, each ``[n_items, dim]``.
            edges: from item to user, int64 ``[2, n_edges]``.
            n_users: how many users there are, also those without an edge.
        """
        users = self.user.expand(n_users, -1)
        for layer, state in zip(self.layers, items[:-1], strict=True):
            users = self._activate(layer, layer((state, users), edges))
        return users

    def _activate(self, layer: nn.Module, nodes: Tensor) -> Tensor:
        return nodes if layer is self.layers[-1] else F.relu(nodes)
