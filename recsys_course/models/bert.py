"""A BERT reads the items' texts, and two towers are learnt on top of it."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from recsys_course.base import Recommender
from recsys_course.data.interactions import Interactions
from recsys_course.losses import bce_loss, in_batch_softmax_loss
from recsys_course.models.text_towers import Towers, split_encoder
from recsys_course.text import TextEncoder
from recsys_course.training import History, seeded, train

CLIP = 1.0  # longest gradient of a step
HEAD_BATCH, HEAD_RATE = 256, 1e-3  # likes in a step and learning rate while the two matrices learn alone
BOTH_RATE = 3e-4  # their learning rate later, beside the encoder


class BertRecommender(Recommender):
    r"""Read each item's text, and make a user of the texts that the user liked.

    .. math:: s_{ui} = \frac{1}{\tau} \cos\left(A \operatorname{mean}_{j \in H_u} x_j + a,\; B x_i + b\right)

    where :math:`x_i` is the text's vector of length 1. Nothing belongs to an item but its text, so that an item that
    nobody has met has a vector like any other; and a new user needs no training.

    First the two matrices learn alone, from the identity on, and then together with the encoder's last layers: a
    random head would send its noise down into what was learnt from a billion sentences. The layers below never change
    and run once. A step reads ``n_films`` different films; the histories' vectors are those of the last time that each
    film was read. Sources: Hu et al., LoRA, ICLR 2022 (``lora``); Kumar et al., ICLR 2022 (the head first).

    Args:
        texts: one for each item, ``[n_items]``.
        tuning: ``frozen``: the encoder stays as it is; ``lora``: a matrix of low rank is learnt beside each query and
            value matrix of the last layers; ``full``: every weight of the last layers.
        n_layers: how many of the encoder's layers, counted from its end, are tuned.
        rank: of ``lora``.
        epochs: how often every liked film is read.
        head_epochs: before that, how often the two matrices alone go through the likes.
        learning_rate: of the encoder's weights, AdamW.
        warmup: steps in which it rises to its full value, from which it falls to 0 until the last step.
        temperature: :math:`\tau`; the smaller, the more the hardest negatives count.
        batch_size: likes in a step, all of them of ``n_films`` films.
        n_films: different films in a step.
        loss: ``softmax``: each like against the films of the other rows, with log-Q; ``bce``: each like and one other
            film of the batch, judged one by one.
        seed: decides the first weights, the order of the films and all draws.
        encoder: has ``tokenize`` and ``network`` as a ``TextEncoder``, which it is if nothing else is given.
    """

    def __init__(
        self,
        texts: Sequence[str],
        tuning: str = "lora",
        n_layers: int = 1,
        rank: int = 8,
        epochs: int = 4,
        head_epochs: int = 1,
        learning_rate: float = 3e-3,
        warmup: int = 5,
        temperature: float = 0.1,
        batch_size: int = 1024,
        n_films: int = 128,
        loss: str = "softmax",
        seed: int = 0,
        encoder: TextEncoder | None = None,
    ) -> None:
        self.texts = texts
        self.tuning = tuning
        self.n_layers = n_layers
        self.rank = rank
        self.epochs = epochs
        self.head_epochs = head_epochs
        self.learning_rate = learning_rate
        self.warmup = warmup
        self.temperature = temperature
        self.batch_size = batch_size
        self.n_films = n_films
        self.loss = loss
        self.seed = seed
        self.encoder = encoder

    def fit(self, train: Interactions, score: Callable[[], float] | None = None, **options) -> Self:
        """Learn from the positives, each pair once; the encoder that was given stays as it is.

        Args:
            train: the training events.
            score: validation score of this model as it is, called after each of the ``epochs``.
            **options: ``patience``, ``min_delta`` and ``checkpoint`` of ``training.run_epochs``, for these epochs.

        Raises:
            ValueError: a setting makes no sense, the texts do not fit the items, or training diverges.
        """
        self._check_arguments(train)
        self.train_, self.likes_ = train, train.positives()
        layers, hidden = split_encoder(self.encoder or TextEncoder(), self.texts, self._n_tuned())
        with seeded(self.seed):
            self.towers_ = Towers(layers, hidden, self.rank if self.tuning == "lora" else 0)
        self.n_trainable_ = {name: sum(w.numel() for w in part) for name, part in self.towers_.parts().items()}
        steps = _Steps(self, torch.Generator().manual_seed(self.seed))
        self.history_ = History()
        if len(steps.items):
            try:
                steps.train_heads()
                self.history_ = steps.train_all(score, options)
            finally:
                self.towers_.refresh()
        return self

    def scores(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """Every user's match with every item: int64 ``[batch]`` to float ``[batch, n_items]``."""
        return self.user_vectors(users, history) @ self.item_vectors().T / self.temperature

    @torch.no_grad()
    def user_vectors(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """What becomes of these users' likes, of length 1: int64 ``[batch]`` to float ``[batch, dim]``."""
        likes = self.likes_ if history is None else history.positives()
        return self.towers_.users(*_totals(self.towers_.vectors, likes, users)).cpu()

    @torch.no_grad()
    def text_vectors(self, texts: Sequence[str]) -> Tensor:
        """What becomes of texts that were in no catalogue, as in ``item_vectors``: float ``[n_texts, dim]``."""
        _, hidden = split_encoder(self.encoder or TextEncoder(), texts, self._n_tuned())
        return self.towers_.items(self.towers_.read(hidden)).cpu()

    @torch.no_grad()
    def item_vectors(self) -> Tensor:
        """What becomes of every item's text, of length 1, whoever asks: float ``[n_items, dim]``."""
        return self.towers_.items(self.towers_.vectors).cpu()

    def _n_tuned(self) -> int:
        return 0 if self.tuning == "frozen" else self.n_layers

    def _check_arguments(self, train: Interactions) -> None:
        for name, kinds in (("tuning", ("frozen", "lora", "full")), ("loss", ("softmax", "bce"))):
            if getattr(self, name) not in kinds:
                raise ValueError(f"{name} must be one of {', '.join(kinds)}, got {getattr(self, name)!r}")
        for name in ("n_layers", "rank", "batch_size", "n_films"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not self.temperature > 0:
            raise ValueError(f"temperature must be above 0, got {self.temperature}")
        if isinstance(self.texts, str):
            raise ValueError("texts must be a list of texts, not one text")
        if len(self.texts) != train.n_items:
            raise ValueError(f"texts must be one for each of the {train.n_items} items, got {len(self.texts)}")


class _Steps:
    """The training steps of a model: which films, which of their likes, which histories."""

    def __init__(self, model: BertRecommender, generator: torch.Generator) -> None:
        self.model, self.towers, self.likes, self.generator = model, model.towers_, model.likes_, generator
        matrix = self.likes.matrix()  # [n_users, n_items], each pair once
        count, self.items = (torch.from_numpy(part).long() for part in (matrix.indptr, matrix.indices))
        self.users = torch.repeat_interleave(count.diff())  # [n_likes]
        popularity = torch.bincount(self.items, minlength=self.likes.n_items)
        self.liked = popularity.nonzero()[:, 0]
        self.log_q = (popularity / popularity.sum()).log()  # [n_items]

    def train_heads(self) -> History:
        """Only the matrices behind the encoder, on the vectors that every text has already."""
        steps = math.ceil(len(self.items) / HEAD_BATCH)
        optimizer = torch.optim.AdamW(self.towers.parts()["heads"], lr=HEAD_RATE)
        return self._train(self.likes_alone, optimizer, self.model.head_epochs, steps, tuned=False)

    def train_all(self, score: Callable[[], float] | None, options: dict) -> History:
        """The matrices and the encoder's last layers."""

        def refreshed() -> float:
            self.towers.refresh()
            return score()

        steps = math.ceil(len(self.liked) / self.model.n_films)
        rates = {"encoder": self.model.learning_rate, "heads": BOTH_RATE}
        groups = [{"params": weights, "lr": rates[name]} for name, weights in self.towers.parts().items() if weights]
        options = {**options, "score": refreshed if score else None}
        return self._train(self.batches, torch.optim.AdamW(groups), self.model.epochs, steps, tuned=True, **options)

    def _train(self, batches, optimizer, epochs: int, steps: int, tuned: bool, **options) -> History:
        return train(
            self.towers,
            lambda rows: self.loss(rows, tuned),
            batches,
            optimizer=optimizer,
            epochs=epochs,
            generator=self.generator,
            warmup=self.model.warmup,
            decay=max(1, epochs * steps),
            clip=CLIP,
            **options,
        )

    def likes_alone(self) -> tuple[Tensor, ...]:
        """All likes in a new order, int64 ``[batch]`` each."""
        return torch.randperm(len(self.items), generator=self.generator).split(HEAD_BATCH)

    def batches(self) -> Iterator[Tensor]:
        """Which likes each step learns from, int64 ``[batch]`` each; a film belongs to one step of an epoch."""
        films = self.liked[torch.randperm(len(self.liked), generator=self.generator)]
        for group in films.split(self.model.n_films):
            chosen = torch.zeros(self.likes.n_items, dtype=torch.bool).index_fill(0, group, True)
            rows = chosen[self.items].nonzero()[:, 0]
            yield rows[torch.randperm(len(rows), generator=self.generator)[: self.model.batch_size]]

    def loss(self, rows: Tensor, tuned: bool) -> Tensor:
        """The loss of one step; each film of the batch is read once, however many like it."""
        users, targets = self.users[rows], self.items[rows]
        films, place = targets.unique(return_inverse=True)
        histories = self.histories(users, targets)
        read = self.towers.read_items(films) if tuned and len(self.towers.layers) else self.towers.vectors[films]
        self.towers.vectors[films] = read.detach()
        items = self.towers.items(read)[place]  # [batch, dim]
        known = self.likes.dense(users)[:, targets]  # [batch, batch]
        loss = _softmax if self.model.loss == "softmax" else _bce
        return loss(histories, items, targets, self.log_q[targets], self.model.temperature, known)

    def histories(self, users: Tensor, targets: Tensor) -> Tensor:
        """Each row's user, made of all other likes than the target: int64 ``[batch]`` to ``[batch, dim]``."""
        vectors = self.towers.vectors
        people, row = users.unique(return_inverse=True)
        total, count = _totals(vectors, self.likes, people)
        return self.towers.users((total[row] - vectors[targets]), count[row] - 1)


def _softmax(users: Tensor, items: Tensor, ids: Tensor, log_q: Tensor, temperature: float, known: Tensor) -> Tensor:
    ids, log_q, known = (part.to(items.device) for part in (ids, log_q, known))
    return in_batch_softmax_loss(users, items, ids, log_q, temperature, known)


def _bce(users: Tensor, items: Tensor, ids: Tensor, log_q: Tensor, temperature: float, known: Tensor) -> Tensor:
    """Each row's own film is a 1, the next row's a 0 unless this user likes it."""
    negatives = items.roll(-1, dims=0)
    apart = ~known.roll(-1, dims=1).diagonal().to(items.device)
    scores = torch.cat([(users * items).sum(dim=1), (users * negatives).sum(dim=1)[apart]]) / temperature
    labels = (torch.arange(len(scores), device=scores.device) < len(users)).float()
    return bce_loss(scores, labels)


def _totals(vectors: Tensor, likes: Interactions, users: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of the vectors of these users' likes, and their number: float ``[batch, dim]`` and ``[batch]``."""
    matrix = likes.matrix(users)  # [batch, n_items]
    items, start = (torch.from_numpy(part).long().to(vectors.device) for part in (matrix.indices, matrix.indptr))
    return F.embedding_bag(items, vectors, start[:-1], mode="sum"), start.diff()
