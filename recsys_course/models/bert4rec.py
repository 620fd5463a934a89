"""BERT4Rec: an encoder fills the holes in a history, and the next item is a hole at its end."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recsys_course.attention import Transformer
from recsys_course.base import device
from recsys_course.models.sasrec import Reader, SASRec


def hide(items: Tensor, share: float, filler: int, generator: torch.Generator) -> Tensor:
    """Choose which items of each row are hidden, at least one and never all.

    Every item is hidden with probability ``share``. In a row where that leaves none hidden, the newest item is; where
    it hides all, the oldest is shown again. A row with a single item has nothing to guess from and hides nothing.

    Args:
        items: filled up in front, int64 ``[batch, width]``.
        share: between 0 and 1.
        filler: the number that is no item.
        generator: what is drawn from.

    Returns:
        True where an item is hidden, bool ``[batch, width]``; never at filler.
    """
    real = items != filler
    hidden = (torch.rand(items.shape, generator=generator) < share) & real
    hidden[:, -1] |= ~hidden.any(dim=1)
    first = real.cumsum(dim=1) == 1  # [batch, width], the oldest item, and nothing before it
    all_hidden = (hidden == real).all(dim=1, keepdim=True)
    return hidden & ~(first & all_hidden) & real


class BERT4Rec(SASRec):
    """SASRec with one change: some items of a window are hidden, and what stands on both sides names them.

    Nothing hides the future here, so no place may guess its neighbour: it would see it. Instead a share of the items
    is replaced by one learnt vector, and the loss counts at these places alone. To name the next item, one more
    hidden place is appended to the history.

    Source: Sun et al., CIKM 2019, arXiv:1904.06690, section 3.

    Args:
        dim: length of all vectors.
        n_layers: blocks of the Transformer.
        n_heads: heads of each block.
        length: how many of the newest likes are read.
        dropout: share of numbers set to 0 in training.
        hidden: share of the items that is hidden in training.
        last: share of the windows in which only the newest item is hidden, as when the next one is asked for.
        loss: as in SASRec, like ``n_negatives``, ``epochs``, ``batch_size``, ``learning_rate`` and ``seed``.
    """

    def __init__(
        self,
        dim: int = 64,
        n_layers: int = 2,
        n_heads: int = 1,
        length: int = 50,
        dropout: float = 0.2,
        hidden: float = 0.3,
        last: float = 0.1,
        loss: str = "softmax",
        n_negatives: int = 32,
        epochs: int = 40,
        batch_size: int = 64,
        learning_rate: float = 0.003,
        seed: int = 0,
    ) -> None:
        self.dim = dim
        self.n_layers = n_layers
        self.n_heads = n_heads
        self.length = length
        self.dropout = dropout
        self.hidden = hidden
        self.last = last
        self.loss = loss
        self.n_negatives = n_negatives
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.seed = seed

    def _network(self, n_items: int) -> nn.Module:
        blocks = Transformer(self.dim, self.n_heads, self.n_layers, None, self.dropout, max_length=self.length + 1)
        return Reader(nn.Embedding(n_items + 2, self.dim, padding_idx=n_items), blocks, n_items)

    def _read_last(self, items: Tensor) -> Tensor:
        return self.network_(F.pad(items, (0, 1), value=self.train_.n_items + 1))[:, -1]

    def _loss(self, users: Tensor, window: Tensor, generator: torch.Generator) -> Tensor:
        """The loss of one step, over all hidden places."""
        n_items = self.train_.n_items
        hidden = hide(window, self.hidden, n_items, generator)
        newest = torch.rand(len(window), generator=generator) < self.last
        hidden[newest] = F.pad(torch.zeros_like(window[newest, 1:], dtype=torch.bool), (0, 1), value=True)
        vectors = self.network_(window.masked_fill(hidden, n_items + 1).to(device()))[hidden.to(device())]
        return self._compare(vectors, window[hidden], users[hidden.nonzero()[:, 0]], generator)

    def _check_arguments(self) -> None:
        super()._check_arguments()
        if not 0 < self.hidden < 1 or not 0 <= self.last <= 1:
            raise ValueError(f"hidden must lie between 0 and 1 and last in 0 to 1, got {self.hidden} and {self.last}")
