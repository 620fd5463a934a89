"""LightGCN: matrix factorisation whose vectors have first been passed along the edges of the graph."""

from collections.abc import Callable, Iterator
from typing import Self

import torch
from torch import Tensor, nn

from recsys_course.base import Recommender, device
from recsys_course.data.interactions import Interactions
from recsys_course.graph import bipartite_edges, normalised_adjacency, propagate
from recsys_course.losses import bpr_loss
from recsys_course.models.mf import shuffled_batches
from recsys_course.sampling import Negatives
from recsys_course.training import run_epochs


class LightGCN(Recommender):
    r"""Learn one vector a node, mix it with those of its neighbours, and match users with items.

    With the symmetric normalised adjacency :math:`A` of the likes and the learnt table :math:`X`,

    .. math:: Z = \frac{1}{L + 1} \sum_{l=0}^{L} A^l X, \qquad s_{ui} = z_u^\top z_i

    Learnt by the BPR loss over triples of a user, a liked item and one that is drawn from the others, plus
    :math:`\tfrac{\lambda}{2} (\lVert x_u \rVert^2 + \lVert x_i \rVert^2 + \lVert x_j \rVert^2)` for each triple. There
    is no weight matrix, no activation and no bias; with 0 layers it is matrix factorisation under the same loss.
    Source: He et al., SIGIR 2020, arXiv:2002.02126, equations 3 to 8 and 15.

    A training step is short because the gradient of the mixing is the same mixing (``graph.propagate``), and because
    all negatives of an epoch are drawn in one call.

    What has no edge: an item that nobody likes keeps its own vector, which it learns as a negative alone. A user
    without a like gets the mean of the other users' vectors, so the list of an average user.

    Learnt: ``nodes_``, the table :math:`X` ``[n_users + n_items, dim]`` (a parameter); ``vectors_``, the mixed
    vectors :math:`Z`; ``adjacency_`` and ``history_``.

    Args:
        dim: length of the vectors.
        n_layers: how many steps along the edges, :math:`L`.
        epochs: how often the likes are gone through, with a new negative each time.
        batch_size: triples in a step, at most an eighth of all; each step passes along the whole graph.
        learning_rate: of Adam.
        reg: the penalty :math:`\lambda`.
        seed: of the first vectors, the order and the negatives.
    """

    def __init__(
        self,
        dim: int = 64,
        n_layers: int = 2,
        epochs: int = 30,
        batch_size: int = 2048,
        learning_rate: float = 0.01,
        reg: float = 1e-3,
        seed: int = 0,
    ) -> None:
        self.dim = dim
        self.n_layers = n_layers
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.reg = reg
        self.seed = seed

    def fit(self, train: Interactions, score: Callable[[], float] | None = None, **options) -> Self:
        """Learn from the positives; a pair that occurs twice counts once.

        Args:
            train: the training events.
            score: validation score of this model as it is, called after each epoch.
            **options: ``patience``, ``min_delta`` and ``checkpoint`` of ``training.run_epochs``.

        Raises:
            ValueError: ``n_layers`` is negative, or the learning rate is so high that training diverges; then the
                weights of the best epoch are kept.
        """
        if self.n_layers < 0:
            raise ValueError(f"n_layers must not be negative, got {self.n_layers}")
        negatives, generator = self._start(train)
        optimizer = torch.optim.Adam([self.nodes_], lr=self.learning_rate, fused=True)
        learns = negatives.left[negatives.users] > 0  # [n_pairs]
        pairs = negatives.users[learns], negatives.items[learns]

        def epoch() -> Iterator[Tensor]:
            triples = [ids.to(device()) for ids in (*pairs, negatives.draw(pairs[0], generator))]
            for rows in shuffled_batches(len(pairs[0]), self.batch_size, generator):
                rows = rows.to(device())
                optimizer.zero_grad()
                loss = self.loss(*(ids.index_select(0, rows) for ids in triples))
                loss.backward()
                optimizer.step()
                yield loss.detach().cpu()

        def validate() -> float:
            self._settle()
            return score()

        try:
            self.history_ = run_epochs(
                epoch,
                {"nodes": self.nodes_},
                epochs=self.epochs if len(pairs[0]) else 0,
                learning_rate=self.learning_rate,
                score=validate if score else None,
                generator=generator,
                stateful=(optimizer,),
                **options,
            )
        finally:
            self._settle()
        return self

    def embeddings(self) -> Tensor:
        """The mixed vectors of all nodes as the table now is, with gradient: float ``[n_users + n_items, dim]``."""
        return propagate(self.adjacency_, self.nodes_, self.n_layers)

    def loss(self, users: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
        """What a step goes down: BPR loss and penalty per triple, three int64 ``[batch]`` to one number.

        Item numbers, not node numbers; on the device of ``nodes_``.
        """
        places = torch.stack([users, positives + self.train_.n_users, negatives + self.train_.n_users])  # [3, batch]
        u, i, j = nn.functional.embedding(places, self.embeddings())  # [batch, dim] each
        loss = bpr_loss((u * i).sum(dim=1), (u * j).sum(dim=1))
        if not self.reg:
            return loss
        return loss + self.reg / 2 * nn.functional.embedding(places, self.nodes_).square().sum() / len(users)

    def scores(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """Match with every item's mixed vector: int64 ``[batch]`` to float ``[batch, n_items]``.

        With ``history``, these likes are attached as edges of a new node that has no vector of its own: it gets what
        its items pass on in 1 to ``n_layers`` steps, and the items stay as they are.

        Raises:
            ValueError: there is a ``history`` and ``n_layers`` is 0, so that nothing passes along an edge.
        """
        n_users = self.train_.n_users
        vectors = self.vectors_[users] if history is None else self._attach(history.positives(), users)
        return vectors @ self.vectors_[n_users:].T

    def _start(self, train: Interactions) -> tuple[Negatives, torch.Generator]:
        """Graph and small random vectors."""
        self.train_, likes = train, train.positives()
        n_nodes = train.n_users + train.n_items
        self.adjacency_ = normalised_adjacency(bipartite_edges(likes), n_nodes).to(device())
        generator = torch.Generator().manual_seed(self.seed)
        self.nodes_ = nn.Parameter((0.1 * torch.randn(n_nodes, self.dim, generator=generator)).to(device()))
        return Negatives(likes), generator

    @torch.no_grad()
    def _settle(self) -> None:
        """Mix once, so that no list needs to: ``vectors_``, and what each item passes on to a new user."""
        n_users = self.train_.n_users
        degrees = self.adjacency_.crow_indices().diff().cpu()  # [n_nodes]
        self.vectors_ = self.embeddings().detach().cpu()
        active = degrees[:n_users] > 0
        self.average_ = self.vectors_[:n_users][active].sum(dim=0) / active.sum().clamp(min=1)  # [dim]
        self.vectors_[:n_users][~active] = self.average_
        layers = propagate(self.adjacency_, self.nodes_, max(self.n_layers - 1, 0)).detach().cpu()[n_users:]
        share = self.n_layers / (self.n_layers + 1)  # the layer that is missing counts as zeros
        self.passed_on_ = share * layers / degrees[n_users:].clamp(min=1).sqrt().unsqueeze(1)  # [n_items, dim]

    def _attach(self, likes: Interactions, users: Tensor) -> Tensor:
        """Vectors of new nodes with these likes as their edges, ``[batch, dim]``."""
        if not self.n_layers:
            raise ValueError("LightGCN with n_layers 0 has no edge to attach a history to: take at least 1 layer")
        table = likes.matrix(users)  # [batch, n_items]
        degrees = torch.from_numpy(table.getnnz(axis=1)).unsqueeze(1)  # [batch, 1]
        vectors = torch.from_numpy(table @ self.passed_on_.numpy()) / degrees.clamp(min=1).sqrt()
        return vectors.where(degrees > 0, self.average_)
