"""The objective of matrix factorisation by alternating least squares."""

from time import perf_counter
from typing import Self

from recsys_course.data.interactions import Interactions
from recsys_course.models.mf import MF
from recsys_course.training import History


class ALS(MF):
    r"""Minimise what ``MF`` minimises, one side at a time: with the items fixed, each user is a ridge regression.

    A user's bias and vector together are the weights of a regression of :math:`r_{ui} - \mu - b_i` on
    :math:`(q_i, 1)`, with penalty :math:`\lambda n_u`; then the same for the items. No step can go up, there is no
    learning rate, and all users can be solved at the same time. The last half-step is the users': a user who is
    folded in from the training ratings gets the training vector back. Source: Zhou, Wilkinson, Schreiber and Pan,
    Large-scale parallel collaborative filtering for the Netflix prize, AAIM 2008 (there without biases).

    Args:
        dim: length of the vectors.
        epochs: how often both sides are solved.
        reg: the penalty :math:`\lambda`.
        seed: of the first vectors.
    """

    def __init__(self, dim: int = 20, epochs: int = 10, reg: float = 0.12, seed: int = 0) -> None:
        self.dim = dim
        self.epochs = epochs
        self.reg = reg
        self.seed = seed

    def fit(self, train: Interactions) -> Self:
        """Learn from all ratings, low ones included; ``history_.loss`` is the objective per rating.

        Raises:
            ValueError: there is no rating, or ``reg`` is not above 0.
        """
        if not self.reg > 0:
            raise ValueError(
                f"reg must be above 0, got {self.reg}: without it a user with few ratings has no one answer"
            )
        self._start(train)
        order = train.items.argsort(stable=True)
        by_item = train.item_counts(), train.users[order], train.ratings[order]
        by_user = train.ptr.diff(), train.items, train.ratings
        self.history_ = History(first_loss=self.objective() / len(train))
        for epoch in range(1, self.epochs + 1):
            start = perf_counter()
            self.item_factors_, self.item_bias_ = self._half_step(*by_item, self.user_factors_, self.user_bias_)
            self.user_factors_, self.user_bias_ = self._half_step(*by_user, self.item_factors_, self.item_bias_)
            self.history_.seconds.append(perf_counter() - start)
            self.history_.loss.append(self.objective() / len(train))
            self.history_.best_epoch = epoch
        return self
