"""The most-liked items for everybody: the baseline that a personalised model has to beat."""

from typing import Self

from torch import Tensor

from recsys_course.base import Recommender
from recsys_course.data.interactions import Interactions


class Popularity(Recommender):
    """Score each item by how many users liked it in training, the same for every user."""

    def fit(self, train: Interactions) -> Self:
        """Count the positives of each item; low ratings are no vote for an item."""
        self.train_ = train
        self.counts_ = train.positives().item_counts().float()  # [n_items]
        return self

    def scores(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """The counts, once for each user: int64 ``[batch]`` to float ``[batch, n_items]``."""
        return self.counts_.expand(len(users), -1)
