"""SASRec: a causal Transformer reads a user's likes in order and names the next."""

from collections.abc import Callable
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_course.attention import Transformer
from recsys_course.base import Recommender, device
from recsys_course.data.interactions import Interactions
from recsys_course.data.sequences import histories
from recsys_course.losses import bce_loss, sampled_softmax_loss, softmax_loss
from recsys_course.sampling import Negatives
from recsys_course.training import History, seeded
from recsys_course.training import train as train_network


class SASRec(Recommender):
    r"""Match what a causal Transformer made of a user's newest likes, in order, with a vector of each item.

    .. math:: s_{ui} = f(i_1, \dots, i_t)^\top e_i

    The table of item vectors :math:`e` is read from and scored with. In training every place of a window guesses the
    item after it, all places at once; filler guesses nothing. Everybody has one window an epoch, which of a long
    history's being drawn anew each time.

    The sequence is the *likes*, ratings of 4 or more, as for every sequence model of the course; lower ratings are not
    read. A user without a like gets the items by their number of likes.

    Sources: Kang and McAuley, ICDM 2018, arXiv:1808.09781, section III (there with ``loss="bce"`` and one negative);
    Klenitskiy and Vasilev, RecSys 2023, arXiv:2309.07602 (full softmax).

    Args:
        dim: length of all vectors.
        n_layers: blocks of the Transformer.
        n_heads: heads of each block.
        length: how many of the newest likes are read.
        dropout: share of numbers set to 0 in training.
        loss: ``softmax``: the next item against all others; ``sampled``: against ``n_negatives`` drawn uniformly from
            what the user did not like, counted for all; ``bce``: each pair judged for itself, likewise drawn.
        n_negatives: how many for each place, if not ``softmax``.
        epochs: how often everybody's window is gone through.
        batch_size: users in a step.
        learning_rate: of AdamW.
        seed: decides the first weights, the windows, their order and all draws.
    """

    def __init__(
        self,
        dim: int = 64,
        n_layers: int = 2,
        n_heads: int = 1,
        length: int = 50,
        dropout: float = 0.2,
        loss: str = "softmax",
        n_negatives: int = 32,
        epochs: int = 20,
        batch_size: int = 64,
        learning_rate: float = 0.003,
        seed: int = 0,
    ) -> None:
        self.dim = dim
        self.n_layers = n_layers
        self.n_heads = n_heads
        self.length = length
        self.dropout = dropout
        self.loss = loss
        self.n_negatives = n_negatives
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.seed = seed

    def fit(self, train: Interactions, score: Callable[[], float] | None = None, **options) -> Self:
        """Learn from the positives in order.

        Args:
            train: the training events.
            score: validation score of this model as it is, called after each epoch, such as
                ``lambda: evaluate(model, validation).mean("ndcg")``.
            **options: ``warmup``, ``clip``, ``patience``, ``checkpoint`` and the like of ``training.train``.

        Raises:
            ValueError: ``loss`` is unknown, ``n_negatives`` or ``length`` is below 1, or training diverges.
        """
        self._check_arguments()
        self.train_, self.likes_ = train, train.positives()
        self.negatives_ = Negatives(self.likes_)
        with seeded(self.seed):
            self.network_ = self._network(train.n_items).to(device())
        generator, users = torch.Generator().manual_seed(self.seed), self._learners()
        self.history_ = History()
        if len(users):
            self.history_ = train_network(
                self.network_,
                lambda batch: self._loss(batch, self._window(batch, generator), generator),
                lambda: self._batches(users, generator),
                optimizer=torch.optim.AdamW(self.network_.parameters(), lr=self.learning_rate, fused=True),
                epochs=self.epochs,
                generator=generator,
                score=score,
                **options,
            )
        return self

    def scores(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """Every user's match with every item: int64 ``[batch]`` to float ``[batch, n_items]``."""
        likes = self.likes_ if history is None else history.positives()
        scores = self.sequence_vectors(users, history) @ self.item_vectors().T
        nothing = (likes.ptr[users + 1] == likes.ptr[users]).unsqueeze(1)  # [batch, 1]
        return self.likes_.item_counts().to(scores.dtype).where(nothing, scores)

    @torch.no_grad()
    def sequence_vectors(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """What is made of these users' newest likes: int64 ``[batch]`` to float ``[batch, dim]``."""
        likes = self.likes_ if history is None else history.positives()
        width = int((likes.ptr[users + 1] - likes.ptr[users]).clamp(1, self.length).max()) if len(users) else 1
        return self._read_last(histories(likes, users, width).to(device())).float().cpu()

    @torch.no_grad()
    def item_vectors(self) -> Tensor:
        """The vector of every item, float ``[n_items, dim]``."""
        return self.network_.items.weight[: self.train_.n_items].detach().cpu()

    def _network(self, n_items: int) -> nn.Module:
        blocks = Transformer(
            self.dim, self.n_heads, self.n_layers, None, self.dropout, causal=True, max_length=self.length
        )
        return Reader(nn.Embedding(n_items + 1, self.dim, padding_idx=n_items), blocks, n_items)

    def _read_last(self, items: Tensor) -> Tensor:
        """Read histories and give the last place: int64 ``[batch, width]`` to float ``[batch, dim]``."""
        return self.network_(items)[:, -1]

    def _learners(self) -> Tensor:
        """Users with something to read and something to guess; if negatives are drawn, with something to draw."""
        able = self.likes_.ptr.diff() > 1
        if self.loss != "softmax":
            able &= self.negatives_.left > 0
        return able.nonzero()[:, 0]

    def _batches(self, users: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Users in random order, int64 ``[batch_size]`` each.

        Not sorted by length: that would save filler, but a step of short histories alone counts their few places as
        much as another's many, and the lists get worse.
        """
        return users[torch.randperm(len(users), generator=generator)].split(self.batch_size)

    def _window(self, users: Tensor, generator: torch.Generator) -> Tensor:
        """What these users learn from in this step, int64 ``[batch, width]``; ``length + 1`` in a row at most."""
        count = self.likes_.ptr[users + 1] - self.likes_.ptr[users]
        width = min(int(count.max()), self.length + 1)
        spare = (count - width).clamp(min=0) + 1  # how many windows there are to choose from
        skip = (torch.rand(len(users), generator=generator) * spare).long()
        return histories(self.likes_, users, width, skip)

    def _loss(self, users: Tensor, window: Tensor, generator: torch.Generator) -> Tensor:
        """The loss of one step, over all places that read at least one item."""
        read, target = window[:, :-1], window[:, 1:]
        real = read < self.train_.n_items
        vectors = self.network_(read.to(device()))[real.to(device())]  # [n_places, dim]
        target, place = target[real], real.nonzero()[:, 0]
        return self._compare(vectors, target, users[place], generator)

    def _compare(self, vectors: Tensor, targets: Tensor, users: Tensor, generator: torch.Generator) -> Tensor:
        """How well each vector finds its target: float ``[n_places, dim]`` and two int64 ``[n_places]``."""
        table = self.network_.items.weight
        if self.loss == "softmax":
            return softmax_loss((vectors @ table[: self.train_.n_items].T).float(), targets.to(table.device))
        drawn = self.negatives_.draw(users.repeat_interleave(self.n_negatives), generator).view(-1, self.n_negatives)
        every = torch.cat([targets.unsqueeze(1), drawn], dim=1).to(table.device)  # [n_places, 1 + n_negatives]
        scores = torch.einsum("nd,nkd->nk", vectors, F.embedding(every, table)).float()
        if self.loss == "bce":
            labels = torch.zeros_like(scores)
            labels[:, 0] = 1
            return bce_loss(scores, labels)
        log_q = -self.negatives_.left[users].log().unsqueeze(1).to(scores.device)  # [n_places, 1]
        return sampled_softmax_loss(scores[:, 0], scores[:, 1:], log_q)

    def _check_arguments(self) -> None:
        if self.loss not in ("softmax", "sampled", "bce"):
            raise ValueError(f"loss must be one of softmax, sampled, bce, got {self.loss!r}")
        if self.n_negatives < 1 or self.length < 1:
            raise ValueError(f"n_negatives and length must be at least 1, got {self.n_negatives} and {self.length}")


class Reader(nn.Module):
    """A table of items and what reads their sequence.

    Args:
        items: a row for each item and one or more for fillers.
        blocks: reads ``[batch, width, dim]``.
        filler: the first number that is no item.
    """

    def __init__(self, items: nn.Embedding, blocks: Transformer, filler: int) -> None:
        super().__init__()
        self.items, self.blocks, self.filler = items, blocks, filler
        for table in (items, blocks.positions):
            nn.init.normal_(table.weight, std=0.05)
        with torch.no_grad():
            items.weight[filler] = 0

    def forward(self, items: Tensor) -> Tensor:
        """A vector for each place: int64 ``[batch, width]`` to float ``[batch, width, dim]``.

        Filler is not looked at. A causal reader counts positions from the first item; one that fills holes counts
        them from the end, so that the hole for the next item is at the same place for everybody.
        """
        real = items != self.filler  # [batch, width]
        last, width = self.blocks.max_length, items.shape[1]
        places = torch.arange(last - width, last, device=items.device).expand_as(items)
        if self.blocks.causal:
            places = (real.cumsum(dim=1) - 1).clamp(min=0)
        return self.blocks(self.items(items), real[:, None, None], places=places)
