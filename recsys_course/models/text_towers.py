"""A BERT cut in two: layers that never change and run once, and layers that learn, with a matrix for each tower."""

import copy
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from recsys_course.base import device
from recsys_course.models.lora import LoRALinear
from recsys_course.text import TextEncoder, pad, pool

CHUNK = 32  # texts of nearly one length that go through the layers together
MOST_KEPT = 2  # catalogues whose texts the lower layers read once
_KEPT: dict[tuple, dict[int, list[Tensor]]] = {}  # encoder and texts -> number of layers -> each text


class Towers(nn.Module):
    """The encoder's last layers, and the two matrices behind them.

    Args:
        layers: of a BERT.
        hidden: what the layers below made of each text, float ``[length, dim]`` each.
        rank: of the LoRA matrices beside each query and value matrix; 0: every weight of the layers is learnt.
    """

    def __init__(self, layers: Iterable[nn.Module], hidden: list[Tensor], rank: int) -> None:
        super().__init__()
        self.layers, self.hidden = nn.ModuleList(layers).requires_grad_(not rank), hidden
        for attention in (layer.attention.self for layer in layers if rank):
            attention.query = LoRALinear(attention.query, rank)
            attention.value = LoRALinear(attention.value, rank)
        self.user, self.item = (_identity(hidden[0].shape[1]) for _ in range(2))
        self.to(device()).eval()
        self.register_buffer("vectors", self.read(hidden).detach())  # [n_items, dim]

    def read_items(self, items: Tensor) -> Tensor:
        """The vectors of these items' texts, of length 1: int64 ``[n]`` to float ``[n, dim]``."""
        return self.read([self.hidden[item] for item in items.tolist()])

    def read(self, hidden: list[Tensor]) -> Tensor:
        """The same from what the layers below made of any texts, float ``[length, dim]`` each."""
        order = torch.tensor([len(text) for text in hidden]).argsort()
        read = [self._read([hidden[text] for text in part.tolist()]) for part in order.split(CHUNK)]
        return F.normalize(torch.cat(read)[order.argsort()].float(), dim=1)

    def _read(self, hidden: list[Tensor]) -> Tensor:
        lengths = torch.tensor([len(text) for text in hidden])
        where = self.user.weight.device
        mask = torch.arange(int(lengths.max())) < lengths.unsqueeze(1)  # [n, length]
        states = _through(self.layers, pad_sequence(hidden, batch_first=True).to(where), mask.to(where))
        return pool(states, mask.to(where))

    @torch.no_grad()
    def refresh(self) -> None:
        """Read every text with the layers as they are."""
        self.vectors.copy_(self.read(self.hidden))

    def users(self, total: Tensor, count: Tensor) -> Tensor:
        """Vectors of users from the sum and number of what they like: ``[n, dim]``, ``[n]`` to ``[n, dim]``."""
        return F.normalize(self.user(total / count.clamp(min=1).unsqueeze(1)).float(), dim=1)

    def items(self, vectors: Tensor) -> Tensor:
        """Vectors of items from those of their texts: float ``[n, dim]`` to ``[n, dim]``."""
        return F.normalize(self.item(vectors).float(), dim=1)

    def parts(self) -> dict[str, list[nn.Parameter]]:
        """What is learnt, in the encoder and behind it."""
        learnt = {"encoder": self.layers.parameters(), "heads": [*self.user.parameters(), *self.item.parameters()]}
        return {name: [weight for weight in weights if weight.requires_grad] for name, weights in learnt.items()}


def split_encoder(encoder: TextEncoder, texts: Sequence[str], n_tuned: int) -> tuple[list[nn.Module], list[Tensor]]:
    """A copy of the encoder's last layers, and what the layers below make of each text, which is kept.

    Args:
        encoder: has ``tokenize`` and ``network``; where it has a ``version``, a second call with the same texts
            finds the result of the first.
        texts: ``[n_items]``.
        n_tuned: how many layers, counted from the end.

    Returns:
        The layers, and float ``[length, dim]`` for each text.

    Raises:
        ValueError: the encoder has fewer layers.
    """
    layers = encoder.network.encoder.layer
    if n_tuned > len(layers):
        raise ValueError(f"n_layers must be at most {len(layers)}, as the encoder, got {n_tuned}")
    below = len(layers) - n_tuned
    key, version = tuple(texts), getattr(encoder, "version", None)
    kept = _KEPT.get((version, key), {}) if version else {}
    if below not in kept:
        kept[below] = _read_below(encoder, texts, below, kept)
    if version and (version, key) not in _KEPT:
        while len(_KEPT) >= MOST_KEPT:
            _KEPT.pop(next(iter(_KEPT)))
        _KEPT[version, key] = kept
    tuned = copy.deepcopy(layers[below:]).train(False).requires_grad_(False)
    return list(tuned), kept[below]


@torch.no_grad()
def _read_below(encoder: TextEncoder, texts: Sequence[str], n_layers: int, kept: dict[int, list]) -> list[Tensor]:
    """What the first layers make of each text; goes on from fewer layers where these are kept."""
    network = encoder.network.to(device())
    network.set_attn_implementation("sdpa")  # takes the mask as it is
    done = max((n for n in kept if n <= n_layers), default=0)
    tokens = encoder.tokenize(list(texts))
    hidden = [torch.empty(0)] * len(tokens)
    for part in torch.tensor([len(ids) for ids in tokens]).argsort().split(CHUNK):
        ids, mask = (table.to(device()) for table in pad([tokens[item] for item in part.tolist()]))  # [n, length]
        if done:
            states = pad_sequence([kept[done][item] for item in part.tolist()], batch_first=True)
        else:
            states = network.embeddings(input_ids=ids)
        states = _through(network.encoder.layer[done:n_layers], states, mask)
        for item, row, used in zip(part.tolist(), states, mask.sum(dim=1).tolist(), strict=True):
            hidden[item] = row[:used].clone()
    return hidden


def _through(layers: Iterable[nn.Module], states: Tensor, mask: Tensor) -> Tensor:
    """Layers one after the other, where no text looks at its padding: float ``[n, length, dim]``."""
    for layer in layers:
        states = layer(states, attention_mask=mask[:, None, None, :])
    return states


def _identity(dim: int) -> nn.Linear:
    layer = nn.Linear(dim, dim)
    nn.init.eye_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
