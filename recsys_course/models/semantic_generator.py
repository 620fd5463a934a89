"""Generative retrieval: a causal Transformer writes the next item's semantic id, code by code."""

from collections.abc import Callable, Sequence
from typing import Self

import torch
from torch import Tensor, nn

from recsys_course.attention import Cache, Transformer
from recsys_course.base import Recommender, device, top_k
from recsys_course.data.interactions import Interactions
from recsys_course.data.sequences import histories
from recsys_course.losses import softmax_loss
from recsys_course.semantic import Trie, beam_search
from recsys_course.training import History, seeded
from recsys_course.training import train as train_network

USERS = 64  # whose beams are in memory at one time


class SemanticGenerator(Recommender):
    r"""Read the codes of a user's newest likes as one text, and write the codes of the next item.

    .. math:: s_{ui} = \log p(i \mid i_1, \dots, i_t) = \sum_l \log p(c_l \mid i_1, \dots, i_t, c_1, \dots, c_{l - 1})

    Each :math:`p` is a softmax over the codes that some item has after this beginning, so that nothing is written
    that does not exist. There is no table of items, only one of codes: an item that nobody has met has a score.

    ``scores`` writes every item, and its memory grows with the square of their number. ``recommend`` keeps ``beam``
    beginnings at each level, none of which leads to seen items alone, and so may miss an item whose beginning looks
    bad; with a beam as wide as the catalogue it is exact. All beams share what was computed for the history: their
    codes are read behind it, and a mask keeps each to its own ancestors.

    The sequence is the likes, as for every sequence model of the course; a user without any has the beginning alone.
    In training every place of a window guesses its code, among the codes that lead to an item with a like.

    Source: Rajput et al., *Recommender systems with generative retrieval* (TIGER), NeurIPS 2023, arXiv:2305.05065;
    there an encoder reads and a decoder writes. Here one causal stack does both.

    Args:
        codes: of each item, no two rows alike, as from ``semantic.resolve_collisions``; int64 ``[n_items, n_levels]``.
        dim: length of all vectors.
        n_layers: blocks of the Transformer.
        n_heads: heads of each block.
        length: how many of the newest likes are read.
        dropout: share of numbers set to 0 in training.
        beam: how many beginnings ``recommend`` keeps, at least the length of the list.
        epochs: how often everybody's window is gone through.
        batch_size: users in a step.
        learning_rate: of AdamW.
        seed: decides the first weights, the windows and their order.
    """

    def __init__(
        self,
        codes: Tensor,
        dim: int = 64,
        n_layers: int = 2,
        n_heads: int = 2,
        length: int = 50,
        dropout: float = 0.2,
        beam: int = 20,
        epochs: int = 20,
        batch_size: int = 64,
        learning_rate: float = 0.003,
        seed: int = 0,
    ) -> None:
        self.codes = codes
        self.dim = dim
        self.n_layers = n_layers
        self.n_heads = n_heads
        self.length = length
        self.dropout = dropout
        self.beam = beam
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
            ValueError: the codes do not fit the items, ``length`` or ``beam`` is below 1, or training diverges.
        """
        self._check_arguments(train)
        self.train_, self.likes_, self.trie_ = train, train.positives(), Trie(self.codes)
        with seeded(self.seed):
            blocks = Transformer(
                self.dim, self.n_heads, self.n_layers, None, self.dropout, causal=True, max_length=self.length + 2
            )
            self.network_ = CodeReader(self.trie_, blocks).to(device())
        generator, users = torch.Generator().manual_seed(self.seed), self.likes_.users.unique()
        self.open_, self.history_ = self._open(), History()
        if len(users):
            self.history_ = train_network(
                self.network_,
                lambda batch: self._loss(self._window(batch, generator)),
                lambda: users[torch.randperm(len(users), generator=generator)].split(self.batch_size),
                optimizer=torch.optim.AdamW(self.network_.parameters(), lr=self.learning_rate, fused=True),
                epochs=self.epochs,
                generator=generator,
                score=score,
                **options,
            )
        return self

    @torch.no_grad()
    def scores(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """The logarithm of every item's probability: int64 ``[batch]`` to float ``[batch, n_items]``."""
        everything = torch.ones(len(users), self.train_.n_items, dtype=torch.bool)
        return self._search(users, history, everything, None)

    def _best(self, users: Tensor, k: int, exclude_seen: bool, candidates: Tensor | None) -> Tensor:
        """The lists of so few users, by beam search in place of a table of all scores."""
        allowed = torch.ones(len(users), self.train_.n_items, dtype=torch.bool)
        if candidates is not None:
            allowed = torch.zeros_like(allowed).index_fill(1, candidates, True)
        if exclude_seen:
            allowed &= ~self.train_.dense(users)
        return top_k(self._search(users, None, allowed, max(self.beam, k)), k)

    def _search(self, users: Tensor, history: Interactions | None, allowed: Tensor, width: int | None) -> Tensor:
        """What a search finds, ``-inf`` for the rest: int64 ``[batch]`` to float ``[batch, n_items]``."""
        likes = self.likes_ if history is None else history.positives()
        scores = torch.full(allowed.shape, -torch.inf)
        size = USERS if width else 4  # all beginnings at once take more room
        for rows in torch.arange(len(users)).split(size):
            read = histories(likes, users[rows], self.length)
            items, found = beam_search(self.trie_, Beams(self.network_, read.to(device())), allowed[rows], width)
            scores[rows] = scores[rows].scatter_reduce(1, items, found, "amax")
        return scores

    def _open(self) -> list[Tensor]:
        """Which codes lead from each node to an item with a like: bool ``[n_nodes, size]`` for each level."""
        liked = self.likes_.item_counts() > 0  # [n_items]
        alive = [nodes[0] for nodes in self.trie_.alive(liked.unsqueeze(0))[1:]]
        pairs = zip(self.trie_.children, alive, strict=True)
        return [((below >= 0) & nodes[below]).to(device()) for below, nodes in pairs]

    def _window(self, users: Tensor, generator: torch.Generator) -> Tensor:
        """What these users learn from in this step, int64 ``[batch, width]``; ``length + 1`` in a row at most."""
        count = self.likes_.ptr[users + 1] - self.likes_.ptr[users]
        width = min(int(count.max()), self.length + 1)
        spare = (count - width).clamp(min=0) + 1  # how many windows there are to choose from
        skip = (torch.rand(len(users), generator=generator) * spare).long()
        return histories(self.likes_, users, width, skip)

    def _loss(self, window: Tensor) -> Tensor:
        """Minus the mean logarithm of the probability of each item in the windows, given those before it."""
        window = window.to(device())
        hidden = self.network_(window)[:, :-1].unflatten(1, (window.shape[1], -1))  # [batch, width, n_levels, dim]
        real = window < self.train_.n_items
        hidden, items = hidden[real], window[real].cpu()  # [n_places, n_levels, dim], [n_places]
        total = 0
        for level, codes in enumerate(self.trie_.codes[items].to(device()).T):
            node = self.trie_.nodes[items, level].to(device())
            logits = self.network_.logits(hidden[:, level], level).float()
            total = total + softmax_loss(logits.masked_fill(~self.open_[level][node], -torch.inf), codes)
        return total

    def _check_arguments(self, train: Interactions) -> None:
        if len(self.codes) != train.n_items:
            raise ValueError(f"codes must have a row for each of {train.n_items} items, got {list(self.codes.shape)}")
        if self.length < 1 or self.beam < 1:
            raise ValueError(f"length and beam must be at least 1, got {self.length} and {self.beam}")


class CodeReader(nn.Module):
    """A table of codes and a causal stack that reads items as their codes, one after the other.

    A code has a row for each level, so that code 3 of level 0 and code 3 of level 1 are two words; two rows more are
    for the beginning of a text and for filler. A place reads the sum of what is written of its item so far, so that
    the last code of an item stands for all of it; all codes of an item share a position, which counts items.

    Args:
        trie: of all items.
        blocks: reads ``[batch, n, dim]``.
    """

    def __init__(self, trie: Trie, blocks: Transformer) -> None:
        super().__init__()
        self.n_levels = trie.codes.shape[1]
        self.starts = [sum(trie.sizes[:level]) for level in range(self.n_levels + 1)]
        self.beginning, self.filler = self.starts[-1], self.starts[-1] + 1
        dim = blocks.norm.normalized_shape[0]
        self.codes, self.blocks = nn.Embedding(self.filler + 1, dim, padding_idx=self.filler), blocks
        words = torch.cat([trie.codes + torch.tensor(self.starts[:-1]), torch.full((1, self.n_levels), self.filler)])
        self.register_buffer("words", words, persistent=False)  # [n_items + 1, n_levels], the last row for filler
        for table in (self.codes, blocks.positions):
            nn.init.normal_(table.weight, std=0.05)
        with torch.no_grad():
            self.codes.weight[self.filler] = 0

    def forward(self, items: Tensor, caches: Sequence[Cache] | None = None) -> Tensor:
        """A vector for each code and the beginning: int64 ``[batch, width]`` to ``[batch, 1 + width * n_levels, dim]``.

        Place ``t`` has read the beginning and ``t`` codes, filler not counted, and guesses the code after them.
        """
        words, real = self.text(items)
        start = real.int().argmax(dim=1, keepdim=True)  # [batch, 1], the column of the beginning
        behind = torch.arange(words.shape[1], device=items.device) - start
        places = ((behind + self.n_levels - 1) // self.n_levels).clamp(min=0)
        x = self.codes(words)  # [batch, 1 + width * n_levels, dim]
        so_far = x[:, 1:].unflatten(1, (-1, self.n_levels)).cumsum(dim=2).flatten(1, 2)
        x = torch.cat([x[:, :1], so_far], dim=1)
        return self.blocks(x, real[:, None, None], caches=caches, places=places)

    def text(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """The words of some histories and which are no filler, int64 and bool ``[batch, 1 + width * n_levels]``."""
        words = self.words[items].flatten(1)
        words = torch.cat([torch.full_like(words[:, :1], self.filler), words], dim=1)
        start = (words == self.filler).sum(dim=1, keepdim=True) - 1  # the last filler makes room for the beginning
        words = words.scatter(1, start, self.beginning)
        return words, words != self.filler

    def logits(self, hidden: Tensor, level: int) -> Tensor:
        """How well each code of a level fits: float ``[..., dim]`` to ``[..., size]``."""
        return hidden @ self.codes.weight[self.starts[level] : self.starts[level + 1]].T


class Beams:
    """The ``step`` of a beam search over a network: the history is read once, for all beams of a user.

    Args:
        network: what reads.
        items: histories, filler in front, int64 ``[batch, width]``.
    """

    def __init__(self, network: CodeReader, items: Tensor) -> None:
        self.network, self.caches = network, network.blocks.caches()
        self.hidden = network(items, self.caches)[:, -1:]  # [batch, 1, dim]
        self.may_see = network.text(items)[1].unsqueeze(1)  # [batch, 1, n], what each beam may look at
        self.so_far = torch.zeros_like(self.hidden)
        self.place = (items < len(network.words) - 1).sum(dim=1, keepdim=True) + 1  # [batch, 1], of the next item

    def __call__(self, level: int, codes: Tensor, parents: Tensor) -> Tensor:
        """Logits of the next code after each beam: two int64 ``[batch, n_beams]`` to ``[batch, n_beams, size]``."""
        if level:
            self.read(codes.to(self.place.device) + self.network.starts[level - 1], parents.to(self.place.device))
        return self.network.logits(self.hidden, level)

    def read(self, words: Tensor, parents: Tensor) -> None:
        """Read one word more for each beam, which sees what its parent saw, and itself."""
        seen = self.may_see.gather(1, parents.unsqueeze(2).expand(-1, -1, self.may_see.shape[2]))
        itself = torch.eye(words.shape[1], dtype=torch.bool, device=words.device).expand(len(words), -1, -1)
        self.may_see = torch.cat([seen, itself], dim=2)  # [batch, n_beams, n + n_beams]
        parents = parents.unsqueeze(2).expand(-1, -1, self.so_far.shape[2])
        self.so_far, places = self.so_far.gather(1, parents) + self.network.codes(words), self.place.expand_as(words)
        self.hidden = self.network.blocks(self.so_far, self.may_see.unsqueeze(1), caches=self.caches, places=places)
