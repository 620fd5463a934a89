"""The Transformer by hand: attention, masks, heads, blocks, positions and a cache, a few lines each.

In shapes, ``n`` counts the queries and ``m`` the keys. A mask is bool and broadcasts to ``[batch, n_heads, n, m]``;
True means "may look", as in ``F.scaled_dot_product_attention``. The masks of ``nn.MultiheadAttention`` and
``nn.Transformer`` say the opposite: there True means "must not".
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def attention(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    r"""Scaled dot-product attention: each query's average of the values, weighted by how well the keys match.

    .. math:: \operatorname{softmax}\left(\frac{Q K^\top}{\sqrt{d}}\right) V

    Source: Vaswani et al., *Attention is all you need*, NIPS 2017, arXiv:1706.03762, equation 1.

    Args:
        queries: float ``[..., n, dim]``.
        keys: float ``[..., m, dim]``.
        values: float ``[..., m, dim_v]``.
        mask: where a query may look at a key, bool, broadcasts to ``[..., n, m]``. A query that may look nowhere gets
            zeros, as from ``F.scaled_dot_product_attention`` of torch 2.13; a bare softmax would give NaN.

    Returns:
        The averages, float ``[..., n, dim_v]``, and the weights, float ``[..., n, m]``.

    Raises:
        ValueError: the mask is not bool.
    """
    scores = queries @ keys.transpose(-2, -1) / math.sqrt(queries.shape[-1])  # [..., n, m]
    if mask is None:
        weights = scores.softmax(dim=-1)
    else:
        lowest = torch.finfo(scores.dtype).min  # finite, so that no row becomes NaN, nor its gradient
        weights = scores.masked_fill(~_bool(mask), lowest).softmax(dim=-1).masked_fill(~mask, 0)
    return weights @ values, weights


def causal_mask(length: int) -> Tensor:
    """Who may look at whom if nobody sees the future: bool ``[length, length]``, row looks at column.

    >>> causal_mask(2)
    tensor([[ True, False],
            [ True,  True]])
    """
    return torch.ones(length, length, dtype=torch.bool).tril()


def padding_mask(lengths: Tensor, length: int) -> Tensor:
    """Which keys are real: the first ``lengths`` of each row, int64 ``[batch]`` to bool ``[batch, 1, 1, length]``.

    >>> padding_mask(torch.tensor([1, 2]), 3).int().squeeze()
    tensor([[1, 0, 0],
            [1, 1, 0]], dtype=torch.int32)
    """
    real = torch.arange(length, device=lengths.device) < lengths.unsqueeze(1)  # [batch, length]
    return real[:, None, None]


def sinusoidal(length: int, dim: int) -> Tensor:
    r"""A vector for each position, made of waves from short to long, float ``[length, dim]``.

    .. math:: P_{t, 2i} = \sin\left(t / 10000^{2i / d}\right), \quad P_{t, 2i + 1} = \cos\left(t / 10000^{2i / d}\right)

    Source: Vaswani et al. 2017, section 3.5.

    Raises:
        ValueError: ``dim`` is odd.
    """
    if dim % 2:
        raise ValueError(f"sinusoidal positions need an even dim, sine and cosine in pairs, got {dim}")
    rates = 10_000 ** (-torch.arange(0, dim, 2) / dim)  # [dim / 2]
    angles = torch.arange(length).unsqueeze(1) * rates  # [length, dim / 2]
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)


@dataclass
class Cache:
    """Keys and values of what one attention has read so far, float ``[batch, n_heads, length, dim / n_heads]``."""

    keys: Tensor | None = None
    values: Tensor | None = None

    def __len__(self) -> int:
        return 0 if self.keys is None else self.keys.shape[2]

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add what is new and return all."""
        if self.keys is not None:
            keys, values = torch.cat([self.keys, keys], dim=2), torch.cat([self.values, values], dim=2)
        self.keys, self.values = keys, values
        return keys, values


class MultiHead(nn.Module):
    """Attention several times side by side, each on its own ``dim / n_heads`` numbers. Source: Vaswani 2017, 3.2.2.

    Args:
        dim: length of the vectors, a multiple of ``n_heads``.
        n_heads: how many heads.
        dropout: share of the attention weights that is set to 0 in training.

    Raises:
        ValueError: the heads cannot share the dimensions evenly.
    """

    def __init__(self, dim: int, n_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if n_heads < 1 or dim % n_heads:
            raise ValueError(f"{n_heads} heads cannot share {dim} dimensions evenly: dim must be a multiple of n_heads")
        self.dim, self.n_heads, self.dropout = dim, n_heads, dropout
        self.queries, self.keys, self.values, self.output = (nn.Linear(dim, dim) for _ in range(4))

    def forward(
        self, x: Tensor, mask: Tensor | None = None, memory: Tensor | None = None, cache: Cache | None = None
    ) -> Tensor:
        """Let each row of ``x`` look at ``x`` itself, or at ``memory``: float ``[batch, n, dim]`` to the same.

        Args:
            x: who looks, ``[batch, n, dim]``.
            mask: where it may look, bool, broadcasts to ``[batch, n_heads, n, m]``; True means "may".
            memory: what is looked at if not ``x``, ``[batch, m, dim]``: *cross*-attention.
            cache: keys and values of the rows before ``x``, which are looked at as well; ``x`` is added to it.
        """
        queries, keys, values = self._heads(x, memory)
        if cache is not None:
            keys, values = cache.append(keys, values)
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(queries, keys, values, _bool(mask), dropout)  # never writes [n, m] down
        return self.output(mixed.transpose(1, 2).flatten(2))  # [batch, n, dim]

    def weights(self, x: Tensor, mask: Tensor | None = None, memory: Tensor | None = None) -> Tensor:
        """Where each head looks, as ``attention`` has it: float ``[batch, n_heads, n, m]``."""
        return attention(*self._heads(x, memory), mask)[1]

    def _heads(self, x: Tensor, memory: Tensor | None) -> list[Tensor]:
        """Queries, keys and values, ``[batch, n_heads, n or m, dim / n_heads]`` each."""
        read = x if memory is None else memory
        flat = self.queries(x), self.keys(read), self.values(read)  # [batch, n or m, dim]
        return [part.unflatten(2, (self.n_heads, -1)).transpose(1, 2) for part in flat]


class Block(nn.Module):
    """Attention, then a small network for each position; both are added to what comes in.

    Pre-norm (``x + layer(norm(x))``) leaves a straight road for the gradient; post-norm (``norm(x + layer(x))``) is
    the original. Sources: Vaswani et al. 2017, section 3.1; Xiong et al., ICML 2020, arXiv:2002.04745.

    Args:
        dim: length of the vectors.
        n_heads: how many heads.
        hidden: width of the small network; by default four times ``dim``.
        dropout: share set to 0 in training: of the attention weights, inside the network and before each addition.
        norm_first: pre-norm, or else post-norm.
        cross: whether there is a second attention, which looks at ``memory``.
    """

    def __init__(
        self,
        dim: int,
        n_heads: int,
        hidden: int | None = None,
        dropout: float = 0.0,
        norm_first: bool = True,
        cross: bool = False,
    ) -> None:
        super().__init__()
        self.norm_first = norm_first
        self.attention = MultiHead(dim, n_heads, dropout)
        self.cross = MultiHead(dim, n_heads, dropout) if cross else None
        wide, narrow = nn.Linear(dim, hidden or 4 * dim), nn.Linear(hidden or 4 * dim, dim)
        self.feed_forward = nn.Sequential(wide, nn.GELU(), nn.Dropout(dropout), narrow)
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(3 if cross else 2))
        self.drop = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """One block: float ``[batch, n, dim]`` to the same; the other arguments are those of ``MultiHead``."""
        x = self._add(x, lambda x: self.attention(x, mask, cache=cache), self.norms[0])
        if self.cross is not None:
            x = self._add(x, lambda x: self.cross(x, memory_mask, memory), self.norms[1])
        return self._add(x, self.feed_forward, self.norms[-1])

    def _add(self, x: Tensor, layer: Callable[[Tensor], Tensor], norm: nn.LayerNorm) -> Tensor:
        if self.norm_first:
            return x + self.drop(layer(norm(x)))
        return norm(x + self.drop(layer(x)))


class Transformer(nn.Module):
    """A stack of blocks that knows the positions: one of three machines.

    - an encoder (BERT), the default: each position looks at all positions;
    - a decoder (GPT, SASRec), ``causal=True``: at itself and those before it;
    - the writing half of an encoder-decoder (T5), ``causal=True, cross=True``: likewise, and at all of ``memory``.

    Args:
        dim: length of the vectors.
        n_heads: how many heads.
        n_layers: how many blocks.
        hidden: width of the blocks' networks; by default four times ``dim``.
        dropout: of the blocks, and of the sum of vectors and positions.
        norm_first: pre-norm with one more norm at the end, or else post-norm.
        causal: whether the future is hidden.
        cross: whether each block looks at ``memory`` as well.
        positions: ``learnt`` vectors, ``sinusoidal`` ones, or None: without order.
        max_length: how many positions there are.

    Raises:
        ValueError: ``positions`` is unknown.
    """

    def __init__(
        self,
        dim: int,
        n_heads: int,
        n_layers: int,
        hidden: int | None = None,
        dropout: float = 0.0,
        norm_first: bool = True,
        causal: bool = False,
        cross: bool = False,
        positions: str | None = "learnt",
        max_length: int = 512,
    ) -> None:
        super().__init__()
        if positions not in ("learnt", "sinusoidal", None):
            raise ValueError(f"positions must be 'learnt', 'sinusoidal' or None, got {positions!r}")
        self.causal, self.max_length = causal, max_length
        self.positions = nn.Embedding(max_length, dim) if positions else None
        if positions == "sinusoidal":
            self.positions = nn.Embedding.from_pretrained(sinusoidal(max_length, dim))  # frozen
        self.drop = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(Block(dim, n_heads, hidden, dropout, norm_first, cross) for _ in range(n_layers))
        self.norm = nn.LayerNorm(dim) if norm_first else nn.Identity()

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        memory: Tensor | None = None,
        memory_mask: Tensor | None = None,
        caches: Sequence[Cache] | None = None,
        places: Tensor | None = None,
    ) -> Tensor:
        """Read a sequence: float ``[batch, n, dim]`` to the same.

        Args:
            x: the vectors, ``[batch, n, dim]``.
            mask: where to look beside the causal rule, such as ``padding_mask``; bool ``[batch, 1, 1 or n, m]``.
            memory: what ``cross`` looks at, ``[batch, m, dim]``.
            memory_mask: which part of it, bool ``[batch, 1, 1, m]``.
            caches: from ``caches()``: what was read before ``x``, one a block. Rows read one after the other then
                give the same as all at once, and each costs only its own. A ``mask`` covers what was read before.
            places: the position of each row, if not one after the other from 0 (rows padded on the left): int64
                ``[batch, n]``.

        Raises:
            ValueError: the sequence is longer than ``max_length``, or the mask is not bool.
        """
        past, n = len(caches[0]) if caches else 0, x.shape[1]
        if self.positions is not None:
            x = x + self.positions(self._places(past, n, x.device) if places is None else places)
        if self.causal and n > 1:  # one row alone may look at all that came before it
            seen = causal_mask(past + n)[past:].to(x.device)  # [n, past + n]
            mask = seen if mask is None else _bool(mask) & seen
        x = self.drop(x)
        for number, block in enumerate(self.blocks):
            x = block(x, mask, memory, memory_mask, caches[number] if caches else None)
        return self.norm(x)

    def caches(self) -> list[Cache]:
        """An empty cache for each block."""
        return [Cache() for _ in self.blocks]

    def _places(self, past: int, n: int, device: torch.device) -> Tensor:
        if past + n > self.max_length:
            raise ValueError(f"{past + n} positions, this Transformer has {self.max_length}: cut the sequence shorter")
        return torch.arange(past, past + n, device=device)


def _bool(mask: Tensor | None) -> Tensor | None:
    if mask is not None and mask.dtype is not torch.bool:
        raise ValueError(f"mask must be bool, True where a query may look at a key; got {mask.dtype}")
    return mask
