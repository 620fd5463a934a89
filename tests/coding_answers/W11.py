"""With einsum, head by head."""

import numpy as np


def attention(queries, keys, values, mask=None):
    wide = np.float64
    scores = np.einsum("...qd,...kd->...qk", queries.astype(wide), keys.astype(wide)) * queries.shape[-1] ** -0.5
    mask = np.broadcast_to(True if mask is None else mask, scores.shape)
    top = np.max(scores, axis=-1, keepdims=True, where=mask, initial=-np.inf)
    weights = np.where(mask, np.exp(np.minimum(scores - np.where(np.isinf(top), 0.0, top), 0.0)), 0.0)
    weights /= np.maximum(weights.sum(axis=-1, keepdims=True), 1e-300)
    return np.einsum("...qk,...kd->...qd", weights, values.astype(wide)).astype(values.dtype)


def multi_head_attention(x, weights, n_heads, keep=None, causal=False):
    _, length, dim = x.shape
    if n_heads < 1 or dim % n_heads != 0:
        raise ValueError("heads do not divide dim")
    places = np.arange(length)
    mask = places[None, :, None] >= places[None, None, :] if causal else np.ones((1, length, length), dtype=bool)
    if keep is not None:
        mask = np.logical_and(mask, keep[:, None, :])
    columns = np.split(np.arange(dim), n_heads)
    heads = [attention(*((x @ weights[name])[..., c] for name in "qkv"), mask) for c in columns]
    return (np.concatenate(heads, axis=-1) @ weights["o"]).astype(x.dtype)
