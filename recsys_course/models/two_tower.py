"""Two towers: one network reads the user, another the item, and they meet in an inner product alone."""

from collections.abc import Callable
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_course.base import Recommender, device
from recsys_course.data.interactions import Interactions
from recsys_course.losses import in_batch_softmax_loss, sampled_softmax_loss
from recsys_course.sampling import popularity_negatives, uniform_negatives
from recsys_course.training import History, seeded, train

POWER = 0.75  # popularity negatives are drawn by count ** POWER
HARD_POOL = 4  # one in so many candidates becomes a hard negative


class TwoTower(Recommender):
    r"""Match a vector of the user's history with a vector of the item, both learnt together.

    .. math:: s_{ui} = \frac{f\left(\operatorname{mean}_{j \in H_u} e_j\right)^\top g(w_i, x_i)}{\tau}

    The user tower :math:`f` reads nothing but the liked items :math:`H_u`, so that a new user needs no training; the
    item tower :math:`g` reads the item's own embedding and features. Either side can be computed ahead, which is
    what makes retrieval fast, and nothing that depends on both can be a feature, which is the price.

    In training the user tower sees a few of the user's *other* likes, drawn anew in each step: never the target, and
    hardly ever the same few twice, so that histories are not learnt by heart. Sources: Covington, Adams and Sargin,
    RecSys 2016, section 3 (the mean of embedded histories); Yi et al., RecSys 2019 (in-batch negatives).

    Args:
        dim: length of all vectors.
        epochs: how often the likes are gone through.
        batch_size: likes in a step, and for ``in_batch`` the number of candidates as well.
        learning_rate: of AdamW.
        temperature: :math:`\tau`, for vectors of length 1; the smaller, the more the hardest negatives count.
        negatives: ``in_batch``: the targets of the other rows; ``uniform``: any item that the user did not like;
            ``popularity``: likewise, drawn by count to the power of 0.75; ``hard``: one half as ``uniform``, the other
            half the highest-scored of four times as many.
        n_negatives: how many for each like, if not ``in_batch``.
        log_q: how often :math:`\log q` is subtracted from the scores of a training step: 1 is right, 0 leaves it out,
            -1 has the wrong sign. Without effect on ``hard``, whose :math:`q` nobody knows.
        history_length: how many of the other likes a training step shows.
        normalise: vectors of length 1 (cosine) or any length (inner product; set the temperature to 1).
        item_features: what is known about each item, float ``[n_items, n_features]``.
        seed: decides the first weights, the order of the likes and all draws.
    """

    def __init__(
        self,
        dim: int = 64,
        epochs: int = 5,
        batch_size: int = 256,
        learning_rate: float = 0.005,
        temperature: float = 0.15,
        negatives: str = "in_batch",
        n_negatives: int = 32,
        log_q: float = 1.0,
        history_length: int = 20,
        normalise: bool = True,
        item_features: Tensor | None = None,
        seed: int = 0,
    ) -> None:
        self.dim = dim
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.temperature = temperature
        self.negatives = negatives
        self.n_negatives = n_negatives
        self.log_q = log_q
        self.history_length = history_length
        self.normalise = normalise
        self.item_features = item_features
        self.seed = seed

    def fit(self, train: Interactions, score: Callable[[], float] | None = None, **options) -> Self:
        """Learn from the positives, each pair once.

        Args:
            train: the training events.
            score: validation score of this model as it is, called after each epoch, such as
                ``lambda: evaluate(model, validation).mean("ndcg")``.
            **options: ``patience``, ``min_delta`` and ``checkpoint`` of ``training.run_epochs``.

        Raises:
            ValueError: ``negatives`` is unknown, the temperature is not above 0, the features do not fit the items, or
                training diverges.
        """
        self._check_arguments(train)
        self.train_ = train
        self.likes_ = train.positives()
        with seeded(self.seed):
            self.towers_ = Towers(train.n_items, self.dim, self.item_features, self.normalise).to(device())
        steps = _Steps(self, self.likes_, torch.Generator().manual_seed(self.seed))
        self.history_ = steps.run(score, options) if len(steps.rows) else History()
        return self

    def scores(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """Every user's match with every item: int64 ``[batch]`` to float ``[batch, n_items]``."""
        return self.user_vectors(users, history) @ self.item_vectors().T

    @torch.no_grad()
    def user_vectors(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """What the user tower makes of these users' likes: int64 ``[batch]`` to float ``[batch, dim]``."""
        likes = (self.likes_ if history is None else history.positives()).matrix(users)  # [batch, n_items]
        items, start = (torch.from_numpy(part).long().to(device()) for part in (likes.indices, likes.indptr[:-1]))
        return self.towers_.users(items, start).cpu()

    @torch.no_grad()
    def item_vectors(self) -> Tensor:
        """What the item tower makes of every item, whoever asks: float ``[n_items, dim]``."""
        return self.towers_.items(torch.arange(self.train_.n_items, device=device())).cpu()

    def _check_arguments(self, train: Interactions) -> None:
        kinds = ("in_batch", "uniform", "popularity", "hard")
        if self.negatives not in kinds:
            raise ValueError(f"negatives must be one of {', '.join(kinds)}, got {self.negatives!r}")
        if not self.temperature > 0:
            raise ValueError(f"temperature must be above 0, got {self.temperature}")
        features = self.item_features
        if features is not None and (features.ndim != 2 or len(features) != train.n_items):
            raise ValueError(f"item_features must be [{train.n_items}, n_features], got {list(features.shape)}")


class Towers(nn.Module):
    """The two networks; neither ever reads what the other reads.

    Args:
        n_items: number of items.
        dim: length of all vectors.
        features: what is known about each item, float ``[n_items, n_features]``.
        normalise: whether vectors get length 1.
    """

    def __init__(self, n_items: int, dim: int, features: Tensor | None, normalise: bool) -> None:
        super().__init__()
        features = torch.empty(n_items, 0) if features is None else features.float()
        self.register_buffer("features", features, persistent=False)
        self.liked = nn.Embedding(n_items, dim)
        self.item = nn.Embedding(n_items, dim)
        for table in (self.liked, self.item):
            nn.init.normal_(table.weight, std=0.1)
        self.user_layers = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))
        self.item_layers = nn.Sequential(nn.Linear(dim + features.shape[1], dim), nn.ReLU(), nn.Linear(dim, dim))
        self.normalise = normalise

    def users(self, items: Tensor, start: Tensor) -> Tensor:
        """Vectors of users who like ``items[start[u]:start[u + 1]]``: two int64 ``[n_likes]``, ``[batch]``."""
        mean = F.embedding_bag(items, self.liked.weight, start, mode="mean")  # [batch, dim], 0 without likes
        return self._scale(mean + self.user_layers(mean))

    def items(self, items: Tensor) -> Tensor:
        """Vectors of items: int64 ``[n]`` to float ``[n, dim]``."""
        own = self.item(items)  # [n, dim]
        return self._scale(own + self.item_layers(torch.cat([own, self.features[items]], dim=1)))

    def _scale(self, vectors: Tensor) -> Tensor:
        return F.normalize(vectors, dim=1) if self.normalise else vectors


class _Steps:
    """The training steps of a model: which likes, which history, which negatives."""

    def __init__(self, model: TwoTower, likes: Interactions, generator: torch.Generator) -> None:
        self.model, self.towers, self.likes, self.generator = model, model.towers_, likes, generator
        matrix = likes.matrix()  # [n_users, n_items]
        self.start, self.items = (torch.from_numpy(part).long() for part in (matrix.indptr, matrix.indices))
        self.count = self.start.diff()  # [n_users]
        self.users = torch.repeat_interleave(self.count)  # [n_likes]
        power = {"in_batch": 1.0, "popularity": POWER}.get(model.negatives, 0.0)
        drawn = torch.bincount(self.items, minlength=likes.n_items).double() ** power
        self.log_q = (drawn / drawn.sum()).log().float()  # [n_items]
        candidates = int((drawn > 0).sum()) if model.negatives != "in_batch" else likes.n_items + 1
        self.rows = (self.count < candidates)[self.users].nonzero()[:, 0]  # likes of users with a possible negative

    def run(self, score: Callable[[], float] | None, options: dict) -> History:
        """Train and give the history."""
        optimizer = torch.optim.AdamW(self.towers.parameters(), lr=self.model.learning_rate, fused=True)
        return train(
            self.towers,
            self.loss,
            self.batches,
            optimizer=optimizer,
            epochs=self.model.epochs,
            generator=self.generator,
            score=score,
            **options,
        )

    def batches(self) -> tuple[Tensor, ...]:
        """Which likes each step learns from, int64 ``[batch]`` each."""
        return self.rows[torch.randperm(len(self.rows), generator=self.generator)].split(self.model.batch_size)

    def loss(self, batch: Tensor) -> Tensor:
        """The loss of one step."""
        users, targets = self.users[batch], self.items[batch]
        vectors = self.towers.users(*(part.to(device()) for part in self.history(users, targets)))  # [batch, dim]
        if self.model.negatives == "in_batch":
            return self.in_batch(vectors, users, targets)
        return self.sampled(vectors, users, targets)

    def history(self, users: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Some other likes of each user, one after the other, and where each user's begin."""
        draw = torch.rand(len(users), self.model.history_length, generator=self.generator)  # [batch, length]
        place = (draw * self.count[users].unsqueeze(1)).long() + self.start[users].unsqueeze(1)
        items = self.items[place]
        others = items != targets.unsqueeze(1)
        n_others = others.sum(dim=1)  # [batch]
        return items[others], n_others.cumsum(0) - n_others

    def in_batch(self, vectors: Tensor, users: Tensor, targets: Tensor) -> Tensor:
        """The other rows' targets are the negatives, unless this row's user likes them as well."""
        known = self.known(users, targets).to(vectors.device)
        targets = targets.to(vectors.device)
        log_q = self.model.log_q * self.log_q.to(vectors.device)[targets] if self.model.log_q else None
        items = self.towers.items(targets)  # [batch, dim]
        return in_batch_softmax_loss(vectors, items, targets, log_q, self.model.temperature, known)

    def known(self, users: Tensor, targets: Tensor) -> Tensor:
        """Whether each row's user likes each column's item, bool ``[batch, batch]``."""
        columns, column = targets.unique(return_inverse=True)
        people, row = users.unique(return_inverse=True)
        where = torch.full((self.likes.n_items,), -1)
        where[columns] = torch.arange(len(columns))
        place, event = self.likes.rows(people)
        hit = where[self.likes.items[event]]
        known = torch.zeros(len(people), len(columns), dtype=torch.bool)
        known[place[hit >= 0], hit[hit >= 0]] = True
        return known[row][:, column]

    def sampled(self, vectors: Tensor, users: Tensor, targets: Tensor) -> Tensor:
        """Negatives drawn for each row."""
        negatives = self.draw(users, vectors)  # [batch, n]
        every, place = torch.cat([targets.unsqueeze(1), negatives], dim=1).unique(return_inverse=True)
        items = self.towers.items(every.to(vectors.device))  # [n_every, dim]
        scores = (vectors @ items.T).float().gather(1, place.to(vectors.device)) / self.model.temperature
        corrected = self.model.log_q and self.model.negatives != "hard"
        log_q = self.model.log_q * self.log_q[negatives].to(scores.device) if corrected else None
        return sampled_softmax_loss(scores[:, 0], scores[:, 1:], log_q)

    def draw(self, users: Tensor, vectors: Tensor) -> Tensor:
        """Items that these users do not like, int64 ``[batch, n_negatives]``."""
        n = self.model.n_negatives
        if self.model.negatives == "popularity":
            return popularity_negatives(users, self.likes, n, self.generator, power=POWER)
        if self.model.negatives == "uniform":
            return uniform_negatives(users, self.likes, n, self.generator)
        pool = uniform_negatives(users, self.likes, n // 2 * HARD_POOL, self.generator)  # [batch, pool]
        with torch.no_grad():
            items = self.towers.items(torch.arange(self.likes.n_items, device=vectors.device))
            hardness = (vectors @ items.T).cpu().gather(1, pool)
        easy = uniform_negatives(users, self.likes, n - n // 2, self.generator)
        return torch.cat([easy, pool.gather(1, hardness.topk(n // 2).indices)], dim=1)
