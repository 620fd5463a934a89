"""One way to write W11: scores in double precision, masked before a stable softmax."""

import numpy as np


def attention(queries: np.ndarray, keys: np.ndarray, values: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Scaled dot-product attention."""
    scores = queries.astype(float) @ np.swapaxes(keys.astype(float), -1, -2) / np.sqrt(queries.shape[-1])
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)  # [..., n_queries, n_keys]
    largest = scores.max(axis=-1, keepdims=True)
    weights = np.exp(scores - np.where(np.isfinite(largest), largest, 0.0))
    total = weights.sum(axis=-1, keepdims=True)
    weights = weights / np.where(total == 0, 1.0, total)
    return (weights @ values.astype(float)).astype(values.dtype)


def multi_head_attention(
    x: np.ndarray, weights: dict[str, np.ndarray], n_heads: int, keep: np.ndarray | None = None, causal: bool = False
) -> np.ndarray:
    """Self-attention with several heads."""
    batch, length, dim = x.shape
    if n_heads < 1 or dim % n_heads:
        raise ValueError(f"a dim of {dim} cannot be cut into {n_heads} heads")
    queries, keys, values = (_split(x @ weights[name], n_heads) for name in "qkv")
    mask = np.ones((1, 1, length, length), dtype=bool)
    if causal:
        mask = np.tril(mask)
    if keep is not None:
        mask = mask & keep[:, None, None, :]  # [batch, 1, length, length]
    heads = attention(queries, keys, values, mask)  # [batch, n_heads, length, head_dim]
    return (heads.transpose(0, 2, 1, 3).reshape(batch, length, dim) @ weights["o"]).astype(x.dtype)


def _split(x: np.ndarray, n_heads: int) -> np.ndarray:
    batch, length, dim = x.shape
    return x.reshape(batch, length, n_heads, dim // n_heads).transpose(0, 2, 1, 3)
