"""Rankers that learn their crosses: factorisation machine, cross network, and attention to the history.

All three read the same features: a vector for each field's value, one for each logged number (times the number), and
the history. They differ in how features meet each other.
"""

from abc import abstractmethod
from itertools import pairwise
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_course.base import device
from recsys_course.ranking.base import Ranker
from recsys_course.ranking.baselines import MOST_POSITIONS, offsets
from recsys_course.simulate.clicks import Impressions
from recsys_course.training import seeded, train

PREDICTED = 16_384  # rows that are predicted at one time


class Network(Ranker):
    """A ranker trained by steps on batches of rows; a subclass says what the network is.

    Args:
        dim: length of the vectors.
        epochs: how often the rows are gone through; ids are learnt by heart soon, so few.
        batch_size: rows in a step.
        learning_rate: of AdamW.
        weight_decay: of AdamW, against learning ids by heart.
        positions: whether a learnt number for the position is added to the logit: the position as a feature.
        seed: decides the first weights and the order of the rows.
    """

    def __init__(
        self,
        dim: int = 16,
        epochs: int = 2,
        batch_size: int = 1024,
        learning_rate: float = 0.005,
        weight_decay: float = 0.1,
        positions: bool = False,
        seed: int = 0,
    ) -> None:
        self.dim = dim
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.positions = positions
        self.seed = seed

    @abstractmethod
    def network(self, rows: Impressions) -> nn.Module:
        """The network, from a batch of rows to logits ``[batch, n_goals]``."""

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Of logits and labels, ``[batch, n_goals]`` each."""
        return click_loss(logits, labels)

    def labels(self, rows: Impressions, labels: Tensor | None) -> Tensor:
        """What is learnt, float ``[n, n_goals]``."""
        return self._check(labels, rows).view(len(rows), -1)

    def fit(self, rows: Impressions, labels: Tensor | None = None) -> Self:
        """Learn from the rows.

        Args:
            rows: the impressions.
            labels: what happened, if not ``rows.clicks``. One above 1 is allowed: a click that stands for several,
                such as ``clicks / propensity``.

        Raises:
            ValueError: labels and rows do not fit together, or training diverges.
        """
        labels, generator = self.labels(rows, labels), torch.Generator().manual_seed(self.seed)
        self.base_ = self._base(labels).to(device())  # [n_goals]
        with seeded(self.seed):
            self.network_ = self.network(rows).to(device())
            self.places_ = nn.Embedding(MOST_POSITIONS, 1).to(device())
        nn.init.zeros_(self.places_.weight)
        both = nn.ModuleList([self.network_, self.places_])
        slow = {"params": self.network_.parameters(), "weight_decay": self.weight_decay}
        fast = {"params": self.places_.parameters(), "lr": 10 * self.learning_rate, "weight_decay": 0.0}
        optimizer = torch.optim.AdamW([slow, fast], self.learning_rate, fused=True)
        columns = [*_columns(rows), labels.to(device())]
        self.history_ = train(
            both,
            lambda batch: self._step(*(column[batch] for column in columns)),
            lambda: torch.randperm(len(rows), generator=generator).split(self.batch_size),
            optimizer=optimizer,
            epochs=self.epochs,
            generator=generator,
        )
        return self

    def predict(self, rows: Impressions) -> Tensor:
        """Chance of a click on each row, float ``[n]``."""
        return self.probabilities(rows)[:, 0]

    @torch.no_grad()
    def probabilities(self, rows: Impressions) -> Tensor:
        """Chance of each goal on each row, float ``[n, n_goals]``."""
        self._learnt("network_")
        blocks = torch.arange(len(rows)).split(PREDICTED)
        return torch.cat([self._logits(*_columns(rows[block])).float().sigmoid().cpu() for block in blocks])

    def _base(self, labels: Tensor) -> Tensor:
        """Where training starts: the mean of each goal among the rows that reached the goal before, as a logit."""
        reached = torch.cat([torch.ones(1), labels.sum(0)[:-1] / len(labels)])
        return (labels.mean(0) / reached.clamp(min=1e-6)).clamp(1e-3, 1 - 1e-3).logit()

    def _step(self, *columns: Tensor) -> Tensor:
        *inputs, labels = columns
        return self.loss(self._logits(*inputs), labels)

    def _logits(self, fields: Tensor, numbers: Tensor, history: Tensor, positions: Tensor) -> Tensor:
        logits = self.base_ + self.network_(fields, numbers, history)  # [batch, n_goals]
        if self.positions:
            place = self.places_(positions)  # [batch, 1]
            logits = torch.cat([logits[:, :1] + place, logits[:, 1:]], dim=1)
        return logits


def _columns(rows: Impressions) -> list[Tensor]:
    """What a network reads of the rows, on its device; the truth beside it is left behind."""
    return [part.to(device()) for part in (rows.fields, rows.numbers, rows.history, rows.positions)]


class Features(nn.Module):
    """Rows to vectors: one for each field, one for each number, and the films of the history.

    Args:
        rows: those that the model learns from: they decide table sizes and the scale of the numbers.
        dim: length of the vectors.
    """

    def __init__(self, rows: Impressions, dim: int) -> None:
        super().__init__()
        self.filler = rows.sizes[1]
        self.table = nn.Embedding(sum(rows.sizes), dim)
        self.films = nn.Embedding(self.filler + 1, dim)  # the last row is filler
        self.numbers = nn.Parameter(torch.randn(rows.numbers.shape[1], dim) * 0.1)
        for table in (self.table, self.films):
            nn.init.normal_(table.weight, std=0.1)
        self.register_buffer("offsets", offsets(rows.sizes))
        self.register_buffer("mean", rows.numbers.mean(0))
        self.register_buffer("deviation", rows.numbers.std(0).nan_to_num(1.0).clamp(min=1e-6))
        self.count = len(rows.sizes) + rows.numbers.shape[1] + 1

    def forward(self, fields: Tensor, numbers: Tensor, history: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Vectors ``[batch, n_features, dim]``, the film's own and its history's, and what of it is real."""
        scaled = ((numbers - self.mean) / self.deviation).clamp(-5, 5).unsqueeze(2)  # [batch, n_numbers, 1]
        vectors = torch.cat([self.table(fields + self.offsets), scaled * self.numbers], dim=1)
        return vectors, self.films(fields[:, 1]), self.films(history), history < self.filler

    def with_mean(self, *columns: Tensor) -> Tensor:
        """All vectors, the mean of the history as the last one: ``[batch, n_features + 1, dim]``."""
        vectors, _, past, real = self(*columns)
        mean = (past * real.unsqueeze(2)).sum(1) / real.sum(1, keepdim=True).clamp(min=1)  # [batch, dim]
        return torch.cat([vectors, mean.unsqueeze(1)], dim=1)


class FM(Network):
    r"""Factorisation machine: each pair of features has a weight, the inner product of their vectors.

    .. math:: s = w_0 + \sum_j w_j x_j + \sum_{i < j} \langle v_i, v_j \rangle x_i x_j

    Source: Rendle, Factorization Machines, ICDM 2010. Arguments: see ``Network``.
    """

    def network(self, rows: Impressions) -> nn.Module:
        """See ``Network.network``."""
        return _FM(rows, self.dim)


class _FM(nn.Module):
    def __init__(self, rows: Impressions, dim: int) -> None:
        super().__init__()
        self.features = Features(rows, dim)
        self.straight, self.bias = Features(rows, 1), nn.Parameter(torch.zeros(1))
        for weights in (self.straight.table.weight, self.straight.films.weight, self.straight.numbers):
            nn.init.zeros_(weights)

    def forward(self, *columns: Tensor) -> Tensor:
        straight = self.straight.with_mean(*columns).sum(dim=(1, 2))
        return (self.bias + straight + fm_crosses(self.features.with_mean(*columns))).unsqueeze(1)


class DCN(Network):
    r"""Cross network, second version: each layer multiplies with the features once more, then a small network.

    .. math:: x_{l+1} = x_0 \odot (W_l x_l + b_l) + x_l

    Source: Wang et al., DCN V2, WWW 2021, arXiv:2008.13535, equation 1, stacked. Arguments: see ``Network``.
    """

    def network(self, rows: Impressions) -> nn.Module:
        """See ``Network.network``."""
        return _DCN(rows, self.dim)


class _DCN(nn.Module):
    def __init__(self, rows: Impressions, dim: int, n_layers: int = 2) -> None:
        super().__init__()
        self.features = Features(rows, dim)
        width = self.features.count * dim
        self.crosses = nn.ModuleList(nn.Linear(width, width) for _ in range(n_layers))
        self.deep = perceptron(width, 64, 1)

    def forward(self, *columns: Tensor) -> Tensor:
        first = x = self.features.with_mean(*columns).flatten(1)  # [batch, n_features * dim]
        for layer in self.crosses:
            x = first * layer(x) + x
        return self.deep(x)


class DIN(Network):
    """Deep interest network: the candidate decides which films of the history count, then a small network.

    As in the paper the weights are not normalised, so that many fitting films weigh more than one. (The authors' code
    scales and applies a softmax.) A history of filler alone adds zeros. Source: Zhou et al., KDD 2018,
    arXiv:1706.06978, section 4.3. Arguments: see ``Network``.
    """

    def network(self, rows: Impressions) -> nn.Module:
        """See ``Network.network``."""
        return _DIN(rows, self.dim)


class _DIN(nn.Module):
    def __init__(self, rows: Impressions, dim: int) -> None:
        super().__init__()
        self.features, self.weigh = Features(rows, dim), perceptron(4 * dim, 16, 1)
        self.deep = perceptron((self.features.count + 2) * dim, 64, 1)

    def forward(self, *columns: Tensor) -> Tensor:
        vectors, film, past, real = self.features(*columns)
        found = target_attention(film, past, real, self.weigh)  # [batch, dim]
        return self.deep(torch.cat([vectors.flatten(1), film, found, film * found], dim=1))


def perceptron(*widths: int) -> nn.Sequential:
    """Linear layers with a ReLU between each two."""
    layers = [part for a, b in pairwise(widths) for part in (nn.ReLU(), nn.Linear(a, b))]
    return nn.Sequential(*layers[1:])


def fm_crosses(vectors: Tensor) -> Tensor:
    r"""Sum of the inner products of all pairs of a row's vectors, in time linear in their number.

    .. math:: \sum_{i < j} v_i^\top v_j = \frac{1}{2} \Big( \big\| \sum_i v_i \big\|^2 - \sum_i \| v_i \|^2 \Big)

    Source: Rendle 2010, lemma 3.1.

    Args:
        vectors: float ``[batch, n, dim]``.

    >>> fm_crosses(torch.tensor([[[1.0], [2.0], [3.0]]]))
    tensor([11.])
    """
    return (vectors.sum(dim=1).square() - vectors.square().sum(dim=1)).sum(dim=1) / 2


def target_attention(candidates: Tensor, history: Tensor, real: Tensor, weigh: nn.Module) -> Tensor:
    r"""The films of a history, summed with the weights that the candidate gives them.

    .. math:: \sum_{t \text{ real}} a(c, h_t) \, h_t, \qquad a = \mathrm{weigh}([c, h, c - h, c \odot h])

    Args:
        candidates: :math:`c`, float ``[batch, dim]``.
        history: :math:`h`, float ``[batch, length, dim]``.
        real: False for filler, bool ``[batch, length]``; a row without any gives zeros.
        weigh: float ``[..., 4 * dim]`` to ``[..., 1]``.
    """
    c = candidates.unsqueeze(1).expand_as(history)  # [batch, length, dim]
    weights = weigh(torch.cat([c, history, c - history, c * history], dim=2))  # [batch, length, 1]
    return (weights * real.unsqueeze(2) * history).sum(dim=1)


def click_loss(logits: Tensor, labels: Tensor) -> Tensor:
    r"""Cross-entropy whose labels may be weighted clicks, such as :math:`y = c / e` with :math:`E[y]` the appeal.

    .. math:: \frac{1}{n} \sum \log(1 + e^s) - y s = \frac{1}{n} \sum -y \log \sigma(s) - (1 - y) \log(1 - \sigma(s))

    It is linear in the label, so right on average if the label is. Above 1 it has no lower bound for a single row:
    a model that can learn rows by heart will. Source: Saito et al., WSDM 2020, arXiv:1909.03601, equation 9.
    """
    return (F.softplus(logits) - labels * logits).mean()
