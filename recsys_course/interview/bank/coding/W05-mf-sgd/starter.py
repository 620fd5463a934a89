"""W05: matrix factorisation with biases by SGD."""

from collections.abc import Sequence
from typing import Self


class BiasedMF:
    """Ratings as mean, two biases and an inner product.

    Attributes:
        mean_: mean rating, 0.0 before `fit`.
        user_bias: float ``[n_users]``; likewise ``item_bias``, ``[n_items]``.
        user_factors: float ``[n_users, dim]``; likewise ``item_factors``, ``[n_items, dim]``.
    """

    def __init__(
        self,
        n_users: int,
        n_items: int,
        dim: int,
        lr: float = 0.01,
        reg: float = 0.02,
        low: float = 1.0,
        high: float = 5.0,
        seed: int = 0,
    ) -> None:
        raise NotImplementedError

    def update(self, user: int, item: int, rating: float) -> float:
        """Take one step for one rating; returns the error before it."""
        raise NotImplementedError

    def fit(self, users: Sequence[int], items: Sequence[int], ratings: Sequence[float], epochs: int) -> Self:
        """Set ``mean_`` and call `update` for every rating in every epoch, in a new order each time.

        Raises:
            FloatingPointError: an error is no longer finite.
        """
        raise NotImplementedError

    def predict(self, user: int, item: int) -> float:
        """The rating, clipped to ``low`` and ``high``; what is unknown adds nothing."""
        raise NotImplementedError
