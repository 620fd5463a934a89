"""Pooling of a user's history for the new ranker."""

import torch
from torch import Tensor


def masked_softmax(scores: Tensor, keep: Tensor) -> Tensor:
    """Softmax over what is kept; zeros elsewhere, also where nothing is kept."""
    lowest = torch.finfo(scores.dtype).min
    return torch.softmax(scores.masked_fill(~keep, lowest), dim=-1) * keep


def pool_history(query: Tensor, items: Tensor, keep: Tensor) -> Tensor:
    """Mean of a user's items, weighted by how they match the candidate; zeros where there are none.

    Args:
        query: of the candidate, float32 or float16 ``[batch, dim]``.
        items: of the history, of the same type ``[batch, length, dim]``.
        keep: False at padding, bool ``[batch, length]``.
    """
    scores = (items @ query.unsqueeze(-1)).squeeze(-1) / query.shape[-1] ** 0.5  # [batch, length]
    weights = masked_softmax(scores, keep)
    return (weights.unsqueeze(1) @ items).squeeze(1)


def mix_history(items: Tensor, keep: Tensor) -> Tensor:
    """Self-attention among the items of a history; zeros where there are none."""
    scores = items @ items.transpose(1, 2) / items.shape[-1] ** 0.5  # [batch, length, length]
    return masked_softmax(scores, keep.unsqueeze(1)) @ items


def recency(ages: Tensor, rate: Tensor, keep: Tensor) -> Tensor:
    """Share of each item in a user's attention by its age in days; shares sum to one, zeros at padding."""
    return masked_softmax(-rate * ages, keep)  # [batch, length]


def symptom() -> None:
    """One user scored with more and more padding, one without history, and one training step."""
    generator = torch.Generator().manual_seed(3)
    query, history = torch.randn(1, 4, generator=generator), torch.randn(1, 3, 4, generator=generator)
    for padding in (0, 5, 50):
        items = torch.cat([history, torch.zeros(1, padding, 4)], dim=1)
        keep = torch.arange(3 + padding).unsqueeze(0) < 3
        print(f"3 items, {padding:>2} padded: score {(pool_history(query, items, keep) * query).sum():.3f}")
    empty = mix_history(torch.zeros(1, 3, 4), torch.zeros(1, 3, dtype=torch.bool))
    print(f"no history: {empty[0, 0].tolist()}")
    rate = torch.tensor(0.1, requires_grad=True)
    try:
        shares = recency(torch.tensor([[1.0, 5.0, 0.0]]), rate, torch.tensor([[True, True, False]]))
        (shares**2).sum().backward()
        print(f"training: the gradient of the rate is {rate.grad:.3f}")
    except RuntimeError as error:
        print(f"training: RuntimeError\n  {str(error)[:70]} ...")
