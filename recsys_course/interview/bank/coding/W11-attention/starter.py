"""W11: multi-head attention."""

import numpy as np


def attention(queries: np.ndarray, keys: np.ndarray, values: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Scaled dot-product attention.

    Args:
        queries: float ``[..., n_queries, head_dim]``.
        keys: float ``[..., n_keys, head_dim]``.
        values: float ``[..., n_keys, value_dim]``.
        mask: True where a query may look, broadcasts to ``[..., n_queries, n_keys]``.

    Returns:
        Float ``[..., n_queries, value_dim]``; zeros for a query that may look nowhere.
    """
    raise NotImplementedError


def multi_head_attention(
    x: np.ndarray, weights: dict[str, np.ndarray], n_heads: int, keep: np.ndarray | None = None, causal: bool = False
) -> np.ndarray:
    """Self-attention with several heads.

    Args:
        x: float ``[batch, length, dim]``.
        weights: "q", "k", "v" and "o", each float ``[dim, dim]``.
        n_heads: heads of ``dim / n_heads`` columns.
        keep: False at padding, bool ``[batch, length]``.
        causal: let position t look at positions up to t only.

    Returns:
        Float ``[batch, length, dim]``.
    """
    raise NotImplementedError
