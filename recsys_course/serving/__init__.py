"""Serving: find the items whose vectors fit a query best, exactly or approximately, and measure how well and fast.

Every index is built from item vectors and one metric, and a query is treated by the same metric: an index that is
built with one and asked with another cannot be written down.

>>> import torch
>>> index = Exact(torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]]), metric="cosine")
>>> index.search(torch.tensor([[5.0, 1.0]]), k=2).items
tensor([[0, 2]])
"""

from recsys_course.serving.exact import Exact
from recsys_course.serving.index import Found, Index, add_dimension
from recsys_course.serving.ivf import IVF, kmeans
from recsys_course.serving.measure import Latency, latency, recall_at
from recsys_course.serving.with_faiss import Faiss

__all__ = ["IVF", "Exact", "Faiss", "Found", "Index", "Latency", "add_dimension", "kmeans", "latency", "recall_at"]
