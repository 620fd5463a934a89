"""Two recommenders in one: the more evidence, the less the cold one counts."""

import copy
from typing import Self

import torch
from torch import Tensor

from recsys_course.base import Recommender
from recsys_course.data.interactions import Interactions

SAMPLE = 1000  # users whose scores tell how large a model's scores are


class Blend(Recommender):
    r"""Begin with what needs no evidence, and let it fade as likes arrive.

    .. math:: s_{ui} = \frac{\text{warm}_{ui}}{\sigma_w} + \frac{s}{n + s} \cdot \frac{\text{cold}_{ui}}{\sigma_c}

    :math:`n` counts the likes of the item or of the user, and each model is divided by the standard deviation of its
    scores for users that have likes. The warm model is not held down while :math:`n` is small: a collaborative score
    is a sum over likes and small by itself then; to multiply it by :math:`n / (n + s)` as well would punish an item
    for its first likes.

    Args:
        warm: needs evidence, such as ``EASE``; a copy of it is fitted.
        cold: does without, such as ``ContentMap`` or ``Popularity``; a copy of it is fitted.
        strength: :math:`s`, the number of likes at which half of the cold model is left, above 0.
        by: ``items`` or ``users``: whose likes are counted.
    """

    def __init__(self, warm: Recommender, cold: Recommender, strength: float = 30.0, by: str = "items") -> None:
        self.warm = warm
        self.cold = cold
        self.strength = strength
        self.by = by

    def fit(self, train: Interactions) -> Self:
        """Fit both, count the likes and see how large the scores are.

        Raises:
            ValueError: ``strength`` is not above 0 or ``by`` is unknown.
        """
        if not self.strength > 0:
            raise ValueError(f"strength must be above 0, got {self.strength}")
        if self.by not in ("items", "users"):
            raise ValueError(f"by must be items or users, got {self.by!r}")
        self.train_, self.likes_ = train, train.positives()
        self.models_ = [copy.deepcopy(model).fit(train) for model in (self.warm, self.cold)]
        some = self.likes_.users.unique()[:SAMPLE]
        sizes = (model.scores(some).std(correction=0) if len(some) else torch.zeros(()) for model in self.models_)
        self.scales_ = [float(size) or 1.0 for size in sizes]  # a model that says nothing is not divided by 0
        return self

    def scores(self, users: Tensor, history: Interactions | None = None) -> Tensor:
        """Warm scores and fading cold ones: int64 ``[batch]`` to float ``[batch, n_items]``."""
        parts = zip(self.models_, self.scales_, strict=True)
        warm, cold = (model.scores(users, history) / scale for model, scale in parts)
        if self.by == "items":
            counts = self.likes_.item_counts()  # [n_items]
        else:
            likes = self.likes_ if history is None else history.positives()
            counts = likes.dense(users).sum(dim=1, keepdim=True)  # [batch, 1]
        return warm + self.strength / (counts + self.strength) * cold
