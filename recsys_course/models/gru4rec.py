"""GRU4Rec: a recurrent network reads a user's likes one by one and names the next."""

import torch
from torch import Tensor, nn

from recsys_course.models.sasrec import SASRec


class GRU4Rec(SASRec):
    """SASRec with one change: a recurrent network reads instead of a Transformer.

    It carries a state from like to like, so its last place costs one step more, not one look at everything; and it
    has no positions. Everything else, loss and windows included, is SASRec's, so that a comparison is one of readers.

    Source: Hidasi et al., ICLR 2016, arXiv:1511.06939, there for sessions and with other losses.

    Args:
        dim: length of all vectors, the state included.
        n_layers: recurrent layers.
        length: how many of the newest likes are read.
        dropout: share of numbers set to 0 in training, of what is read and of what comes out.
        cell: ``gru`` or ``lstm``.
        loss: as in SASRec, like ``n_negatives``, ``epochs``, ``batch_size``, ``learning_rate`` and ``seed``.
    """

    def __init__(
        self,
        dim: int = 64,
        n_layers: int = 1,
        length: int = 50,
        dropout: float = 0.2,
        cell: str = "gru",
        loss: str = "softmax",
        n_negatives: int = 32,
        epochs: int = 20,
        batch_size: int = 64,
        learning_rate: float = 0.003,
        seed: int = 0,
    ) -> None:
        self.dim = dim
        self.n_layers = n_layers
        self.length = length
        self.dropout = dropout
        self.cell = cell
        self.loss = loss
        self.n_negatives = n_negatives
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.seed = seed

    def _network(self, n_items: int) -> nn.Module:
        return Recurrent(n_items, self.dim, self.n_layers, self.dropout, self.cell)

    def _check_arguments(self) -> None:
        super()._check_arguments()
        if self.cell not in ("gru", "lstm"):
            raise ValueError(f"cell must be one of gru, lstm, got {self.cell!r}")


class Recurrent(nn.Module):
    """A table of items and the recurrent network that reads their sequence.

    Args:
        n_items: number of items; the table has one row more, for filler.
        dim: length of all vectors.
        n_layers: recurrent layers.
        dropout: of what is read and of what comes out.
        cell: ``gru`` or ``lstm``.
    """

    def __init__(self, n_items: int, dim: int, n_layers: int, dropout: float, cell: str) -> None:
        super().__init__()
        self.items = nn.Embedding(n_items + 1, dim, padding_idx=n_items)
        nn.init.normal_(self.items.weight[:n_items], std=0.05)
        self.cells = (nn.GRU if cell == "gru" else nn.LSTM)(dim, dim, n_layers, batch_first=True)
        self.norm, self.drop = nn.LayerNorm(dim), nn.Dropout(dropout)

    def forward(self, items: Tensor) -> Tensor:
        """A vector for each place: int64 ``[batch, width]`` to float ``[batch, width, dim]``.

        Filler would change the state, so it is turned behind the items for the reading and back afterwards.
        """
        width = items.shape[1]
        filler = (items == self.items.padding_idx).sum(dim=1, keepdim=True)  # [batch, 1]
        turned = (torch.arange(width, device=items.device) + filler) % width  # [batch, width]
        states, _ = self.cells(self.drop(self.items(items.gather(1, turned))))
        back = ((torch.arange(width, device=items.device) - filler) % width).unsqueeze(2)
        return self.drop(self.norm(states.gather(1, back.expand_as(states))))
