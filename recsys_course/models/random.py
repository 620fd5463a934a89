"""Random recommendations: the floor under every leaderboard."""

from typing import Self

import torch
from torch import Tensor

from recsys_course.base import Recommender
from recsys_course.data.interactions import Interactions


class Random(Recommender):
    """Score every item with a random number that depends on the seed and the user alone."""

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def fit(self, train: Interactions) -> Self:
        """Store the training events; there is nothing to learn."""
        self.train_ = train
        return self

    def scores(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """Uniform numbers in [0, 1): int64 ``[batch]`` to float ``[batch, n_items]``."""
        scores = torch.empty(len(users), self.train_.n_items)
        for row, user in zip(scores, users.tolist(), strict=True):
            row.uniform_(generator=torch.Generator().manual_seed(self.seed * 1_000_003 + user))
        return scores
