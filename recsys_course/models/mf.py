"""Matrix factorisation of ratings by stochastic gradient descent, and the ridge regression that folds in a user."""

from collections.abc import Iterator
from typing import Self

import torch
from torch import Tensor

from recsys_course.base import Recommender
from recsys_course.data.interactions import Interactions
from recsys_course.training import run_epochs

BLOCK = 4096  # cells of a padded block: with 64 floats each 1 MiB, so that it stays in the processor's cache


class MF(Recommender):
    r"""Predict a rating as mean + bias of the user + bias of the item + match of two learnt vectors.

    Minimises, over the ratings :math:`r_{ui}` of the training events,

    .. math:: \sum_{u,i} (r_{ui} - \mu - b_u - b_i - p_u^\top q_i)^2
              + \lambda (b_u^2 + b_i^2 + \lVert p_u \rVert^2 + \lVert q_i \rVert^2)

    by gradient descent in small batches; the two sides of a rating both move along gradients of their old values.
    Somebody who rates a lot is penalised more often, so that :math:`\lambda` means the same for everybody.
    Source: Koren, Bell and Volinsky, IEEE Computer 42(8), 2009, equation 5.

    Learnt: ``mean_`` :math:`\mu`, ``user_bias_`` ``[n_users]``, ``item_bias_`` ``[n_items]``, ``user_factors_``
    ``[n_users, dim]``, ``item_factors_`` ``[n_items, dim]`` and ``history_``, whose ``loss`` is the objective per
    rating. Whoever has no rating has bias 0 and the vector 0: the prediction is what is known of the other side.

    Args:
        dim: length of the vectors.
        epochs: how often the ratings are gone through.
        learning_rate: how far one rating moves its user and its item.
        reg: the penalty :math:`\lambda`.
        batch_size: ratings whose gradients are taken together, at most an eighth of all.
        seed: of the first vectors and of the order of the ratings.
    """

    def __init__(
        self,
        dim: int = 32,
        epochs: int = 20,
        learning_rate: float = 0.02,
        reg: float = 0.1,
        batch_size: int = 2048,
        seed: int = 0,
    ) -> None:
        self.dim = dim
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.reg = reg
        self.batch_size = batch_size
        self.seed = seed

    def fit(self, train: Interactions) -> Self:
        """Learn from all ratings, low ones included; a pair that occurs twice counts twice.

        Raises:
            ValueError: there is no rating, or the learning rate is so high that training diverges; then the weights
                of the best epoch are kept.
        """
        generator = self._start(train)
        names = ("user_bias_", "item_bias_", "user_factors_", "item_factors_")
        weights = {name: getattr(self, name) for name in names}

        def epoch() -> Iterator[Tensor]:
            for rows in shuffled_batches(len(train), self.batch_size, generator):
                yield self._step(rows)

        self.history_ = run_epochs(epoch, weights, epochs=self.epochs, learning_rate=self.learning_rate)
        return self

    def scores(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """Predicted ratings, not clipped: int64 ``[batch]`` to float ``[batch, n_items]``.

        With ``history``, each user's bias and vector are those that minimise the objective for these ratings while
        the items stay as they are: one ridge regression a user.
        """
        if history is None:
            p, b = self.user_factors_[users], self.user_bias_[users]
        else:
            counts, (_, row) = history.ptr.diff()[users], history.rows(users)
            events = counts, history.items[row], history.ratings[row]
            p, b = self._half_step(*events, self.item_factors_, self.item_bias_)
        return self.mean_ + b.unsqueeze(1) + self.item_bias_ + p @ self.item_factors_.T

    def predict(self, users: Tensor, items: Tensor) -> Tensor:
        """Predicted ratings, clipped to the range of the training ratings: two int64 ``[n]`` to float ``[n]``."""
        self._check_ids(users=users, items=items)
        return self._predict(users, items).clamp(*self.range_)

    def objective(self) -> float:
        """What ``fit`` minimises, summed over the training ratings."""
        error = self.train_.ratings - self._predict(self.train_.users, self.train_.items)
        users = self.user_factors_.square().sum(1) + self.user_bias_.square()  # [n_users]
        items = self.item_factors_.square().sum(1) + self.item_bias_.square()  # [n_items]
        penalty = users @ self.train_.ptr.diff().float() + items @ self.train_.item_counts().float()
        return float(error @ error + self.reg * penalty)

    def _start(self, train: Interactions) -> torch.Generator:
        """Zero biases, small random vectors, the vector 0 for whoever has no rating."""
        if not len(train):
            raise ValueError(f"{type(self).__name__} has no rating to learn from: the training events are empty")
        self.train_, self.mean_ = train, float(train.ratings.mean())
        self.range_ = float(train.ratings.min()), float(train.ratings.max())
        generator = torch.Generator().manual_seed(self.seed)
        known = train.ptr.diff() > 0, train.item_counts() > 0  # [n_users], [n_items]
        self.user_bias_, self.item_bias_ = (torch.zeros(len(rated)) for rated in known)
        self.user_factors_, self.item_factors_ = (
            0.1 * torch.randn(len(rated), self.dim, generator=generator) * rated.unsqueeze(1) for rated in known
        )
        return generator

    def _step(self, rows: Tensor) -> Tensor:
        """Move both sides of some ratings, int64 ``[batch]``, and give their objective per rating from before."""
        users, items, rate, reg = self.train_.users[rows], self.train_.items[rows], self.learning_rate, self.reg
        p, q = self.user_factors_.index_select(0, users), self.item_factors_.index_select(0, items)  # [batch, dim]
        b, c = self.user_bias_[users], self.item_bias_[items]  # [batch]
        error = self.train_.ratings[rows] - (self.mean_ + b + c + (p * q).sum(1))
        add_rows(self.user_factors_, users, rate * (error.unsqueeze(1) * q - reg * p))
        add_rows(self.item_factors_, items, rate * (error.unsqueeze(1) * p - reg * q))
        self.user_bias_.index_add_(0, users, rate * (error - reg * b))
        self.item_bias_.index_add_(0, items, rate * (error - reg * c))
        penalty = b @ b + c @ c + p.square().sum() + q.square().sum()
        return (error @ error + reg * penalty) / len(rows)

    def _predict(self, users: Tensor, items: Tensor) -> Tensor:
        match = (self.user_factors_.index_select(0, users) * self.item_factors_.index_select(0, items)).sum(1)
        return self.mean_ + self.user_bias_[users] + self.item_bias_[items] + match

    def _half_step(
        self, counts: Tensor, others: Tensor, ratings: Tensor, factors: Tensor, bias: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The best vectors ``[n, dim]`` and biases ``[n]`` of one side, while the other side stays as it is.

        Args:
            counts: how many ratings each has, int64 ``[n]``.
            others: whom or what each rating is about, one after the other, int64 ``[n_ratings]``.
            ratings: float ``[n_ratings]``.
            factors: vectors of the other side, ``[n_others, dim]``.
            bias: its biases, ``[n_others]``.
        """
        known = torch.cat([factors, torch.ones(len(factors), 1)], dim=1)  # [n_others, dim + 1]: 1 times a bias
        solved = ridge(counts, others, ratings - self.mean_ - bias[others], known, self.reg)
        return solved[:, :-1], solved[:, -1]


def shuffled_batches(n: int, batch_size: int, generator: torch.Generator) -> tuple[Tensor, ...]:
    """The numbers below ``n`` in random order, in batches of that size, but at least eight where ``n`` allows it.

    A batch is one step from old values: with few of them an epoch learns little, and a learning rate that is too high
    shows too late.
    """
    return torch.randperm(n, generator=generator).split(min(batch_size, n // 8 + 1))


def add_rows(table: Tensor, rows: Tensor, changes: Tensor) -> None:
    """Add ``changes`` ``[batch, dim]`` to some rows of a table, int64 ``[batch]``; a row may occur more than once.

    Much faster on a CPU than ``index_add_``.
    """
    table.scatter_add_(0, rows.unsqueeze(1).expand_as(changes), changes)


def ridge(counts: Tensor, columns: Tensor, targets: Tensor, table: Tensor, reg: float) -> Tensor:
    r"""One ridge regression a row: each learns its weights from its own events.

    .. math:: w = (X^\top X + \lambda n I)^{-1} X^\top y

    Args:
        counts: number of events :math:`n` of each row, int64 ``[n_rows]``.
        columns: the row of ``table`` that an event shows, events of one row together, int64 ``[n_events]``.
        targets: :math:`y` of each event, float ``[n_events]``.
        table: the known side, float ``[n_columns, dim]``.
        reg: :math:`\lambda`, above 0.

    Returns:
        Float ``[n_rows, dim]``, 0 for a row without events.
    """
    solved, dim = torch.zeros(len(counts), table.shape[1]), table.shape[1]
    columns = torch.cat([columns, torch.tensor([len(table)])])
    table, targets = torch.cat([table, torch.zeros(1, dim)]), torch.cat([targets, torch.zeros(1)])
    for rows, events in similar_lengths(counts):
        x, y = table[columns[events]], targets[events].unsqueeze(2)  # [batch, width, dim], [batch, width, 1]
        penalty = reg * counts[rows].view(-1, 1, 1) * torch.eye(dim)
        solved[rows] = torch.linalg.solve(x.mT @ x + penalty, x.mT @ y).squeeze(2)
    return solved


def similar_lengths(counts: Tensor, n_cells: int = BLOCK) -> Iterator[tuple[Tensor, Tensor]]:
    """Put rows with about as many events together, so that a block of them is a table with little padding.

    Args:
        counts: number of events of each row, int64 ``[n_rows]``.
        n_cells: how large such a table may be; one row alone may be larger.

    Yields:
        Rows, int64 ``[batch]``, and their events, int64 ``[batch, width]``: ``n_events`` where a row has no more.
        Rows without events are left out.
    """
    ends, longest = counts.cumsum(0), counts.argsort(descending=True, stable=True)
    start, n_rows = 0, int((counts > 0).sum())
    while start < n_rows:
        width = int(counts[longest[start]])
        rows = longest[start : min(n_rows, start + max(1, n_cells // width))]
        events = (ends - counts)[rows].unsqueeze(1) + torch.arange(width)  # [batch, width]
        yield rows, events.where(events < ends[rows].unsqueeze(1), ends[-1])
        start += len(rows)
