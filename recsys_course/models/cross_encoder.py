"""A cross-encoder: one network reads both texts of a pair at once."""

import copy
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from recsys_course.base import device
from recsys_course.losses import bce_loss
from recsys_course.text import TextEncoder, pool
from recsys_course.training import seeded, train

CLIP = 1.0  # longest gradient of a step


class CrossEncoder:
    """Read two texts together and say how likely they are a pair: exact where towers are fast.

    Each pair takes a pass through the whole network, so that nothing can be computed ahead.

    Args:
        epochs: how often the pairs are gone through.
        learning_rate: of AdamW.
        warmup: steps in which it rises to its full value.
        batch_size: pairs in a step.
        seed: decides the order of the pairs and all draws.
        encoder: as in ``BertRecommender``.
    """

    def __init__(
        self,
        epochs: int = 1,
        learning_rate: float = 1e-4,
        warmup: int = 10,
        batch_size: int = 32,
        seed: int = 0,
        encoder: TextEncoder | None = None,
    ) -> None:
        self.epochs, self.learning_rate, self.warmup = epochs, learning_rate, warmup
        self.batch_size, self.seed, self.encoder = batch_size, seed, encoder

    def fit(self, pairs: Sequence[tuple[str, str]], labels: Tensor) -> Self:
        """Learn from pairs of texts and their labels, 0 to 1, float ``[n_pairs]``.

        Raises:
            ValueError: the labels are no labels, such as ratings; or there is not one for each pair.
        """
        if labels.shape != (len(pairs),):
            raise ValueError(f"labels must be one for each of the {len(pairs)} pairs, got shape {list(labels.shape)}")
        self.encoder_ = self.encoder or TextEncoder()
        self.network_ = copy.deepcopy(self.encoder_.network).to(device())
        with seeded(self.seed):
            self.head_ = nn.Linear(self.network_.config.hidden_size, 1).to(device())
        generator = torch.Generator().manual_seed(self.seed)
        module = nn.ModuleList([self.network_, self.head_])
        self.history_ = train(
            module,
            lambda rows: bce_loss(self._forward([pairs[row] for row in rows.tolist()]).cpu(), labels[rows]),
            lambda: torch.randperm(len(pairs), generator=generator).split(self.batch_size),
            optimizer=torch.optim.AdamW(module.parameters(), lr=self.learning_rate),
            epochs=self.epochs,
            generator=generator,
            warmup=self.warmup,
            clip=CLIP,
        )
        return self

    @torch.no_grad()
    def scores(self, pairs: Sequence[tuple[str, str]]) -> Tensor:
        """The logit that each pair belongs together: float ``[n_pairs]``."""
        parts = torch.arange(len(pairs)).split(self.batch_size)
        return torch.cat([self._forward([pairs[row] for row in part.tolist()]).cpu() for part in parts])

    def _forward(self, pairs: Sequence[tuple[str, str]]) -> Tensor:
        """Logits with gradients, float ``[n_pairs]``."""
        first, second = (self.encoder_.tokenize(list(texts)) for texts in zip(*pairs, strict=True))
        both = [torch.tensor([*a, *b[1:]]) for a, b in zip(first, second, strict=True)]  # [CLS] a [SEP] b [SEP]
        kinds = [(torch.arange(len(ids)) >= len(a)).long() for ids, a in zip(both, first, strict=True)]
        ids, kinds = (pad_sequence(rows, batch_first=True).to(device()) for rows in (both, kinds))  # [n, length]
        mask = (torch.arange(ids.shape[1]) < torch.tensor([[len(row)] for row in both])).to(device())
        states = self.network_(input_ids=ids, attention_mask=mask, token_type_ids=kinds).last_hidden_state
        return self.head_(pool(states, mask)).squeeze(1).float()
