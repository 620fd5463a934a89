"""From token lists to a padded table, and from a vector for each token to one for each text."""

from collections.abc import Sequence

import torch
from torch import Tensor


def pad(tokens: Sequence[Sequence[int]], padding: int = 0) -> tuple[Tensor, Tensor]:
    """Token lists as one table, filled up on the right, and a mask that is true where a token stands.

    Args:
        tokens: a list of token ids for each text, ``batch`` of them.
        padding: the id to fill up with.

    Returns:
        Int64 ``[batch, length]`` and bool ``[batch, length]``, where the longest list decides ``length``.

    >>> pad([[101, 7, 102], [101, 102]])[1]
    tensor([[ True,  True,  True],
            [ True,  True, False]])
    """
    lengths = torch.tensor([len(row) for row in tokens])
    mask = torch.arange(int(lengths.max())) < lengths.unsqueeze(1)  # [batch, length]
    ids = torch.full(mask.shape, padding)
    ids[mask] = torch.tensor([token for row in tokens for token in row])
    return ids, mask


def pool(hidden: Tensor, mask: Tensor, how: str = "mean") -> Tensor:
    r"""One vector a text from one vector a token.

    .. math:: \text{mean:}\quad \frac{\sum_t m_t h_t}{\sum_t m_t}

    Args:
        hidden: the encoder's last layer :math:`h`, float ``[batch, length, dim]``.
        mask: :math:`m`, true where a token stands and false where there is padding, bool ``[batch, length]``.
        how: ``mean`` of the tokens; ``cls``, the first token alone; ``unmasked mean``, which takes the padding for
            text, so that a vector depends on the longest text of the batch: only to show the mistake.

    Returns:
        Float ``[batch, dim]``; the mean of a text without a token is 0.

    Raises:
        ValueError: there is no such pooling.

    >>> pool(torch.tensor([[[4.0], [2.0], [9.0]]]), torch.tensor([[True, True, False]]))
    tensor([[3.]])
    """
    if how == "mean":
        weights = mask.unsqueeze(2).to(hidden.dtype)  # [batch, length, 1]
        return (hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
    if how == "cls":
        return hidden[:, 0]
    if how == "unmasked mean":
        return hidden.mean(dim=1)
    raise ValueError(f"there is no pooling {how!r}: choose mean, cls or unmasked mean")
