"""What people like lately: popularity that fades."""

from typing import Self

from torch import Tensor

from recsys_course.base import Recommender
from recsys_course.data.interactions import Interactions
from recsys_course.profiles import DAY, decay


class Recent(Recommender):
    r"""Score each item by its likes, of which an old one counts less, the same for every user.

    .. math:: s_i = \sum_{\text{likes of } i} 2^{-\text{age} / h}

    The age is counted back from the last training event, of anybody. With an endless half-life :math:`h` this is
    ``Popularity``.

    Args:
        half_life: :math:`h` in days, above 0.
    """

    def __init__(self, half_life: float = 30.0) -> None:
        self.half_life = half_life

    def fit(self, train: Interactions) -> Self:
        """Add up the faded likes of each item.

        Raises:
            ValueError: the half-life is not above 0.
        """
        self.train_, likes = train, train.positives()
        newest = train.times.max() if len(train) else 0
        weights = decay((newest - likes.times).double() / DAY, self.half_life)  # [n_likes]
        sums = weights.new_zeros(train.n_items).index_add(0, likes.items, weights)
        self.counts_ = sums.float()  # [n_items]
        return self

    def scores(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """The faded counts, once for each user: int64 ``[batch]`` to float ``[batch, n_items]``."""
        return self.counts_.expand(len(users), -1)
