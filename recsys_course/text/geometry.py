"""How directions are spread in a table of vectors, and two ways to spread them more evenly."""

import torch
import torch.nn.functional as F
from torch import Tensor


def anisotropy(vectors: Tensor) -> float:
    """Mean cosine of two different rows: 0 where directions are spread evenly, 1 where all are the same.

    Args:
        vectors: float ``[n, dim]``, two rows or more.

    >>> anisotropy(torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]]))  # cosines 0, 1 and 0
    0.3333333...
    """
    n = len(vectors)
    total = F.normalize(vectors.double(), dim=1).sum(dim=0)  # [dim]
    return float((total @ total - n) / (n * (n - 1)))


def remove_top(vectors: Tensor, n: int = 1) -> Tensor:
    """Subtract the mean, then what lies along the ``n`` directions of largest variance: float ``[n, dim]``.

    Mu, Bhat and Viswanath, All-but-the-top: simple and effective postprocessing for word representations (ICLR 2018).
    """
    centred = vectors - vectors.mean(dim=0)
    top = torch.linalg.svd(centred, full_matrices=False).Vh[:n]  # [n, dim]
    return centred - centred @ top.T @ top


def whiten(vectors: Tensor) -> Tensor:
    """Subtract the mean, then rotate and stretch until the covariance is the identity: float ``[n, dim]``.

    Directions without variance stay without. Su et al., Whitening sentence representations for better semantics and
    faster retrieval (arXiv 2103.15316, 2021).
    """
    centred = vectors - vectors.mean(dim=0)
    left, lengths, directions = torch.linalg.svd(centred, full_matrices=False)
    kept = lengths > 1e-6 * lengths.max()  # what is left of a constant direction is rounding
    return (left * kept) @ directions * (len(vectors) - 1) ** 0.5
