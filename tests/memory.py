"""How much memory a block of code asks for: the largest tensor, and the peak of everything numpy and Python hold."""

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class Watch(TorchDispatchMode):
    """``numel``: size of the largest tensor that any operation returned; ``peak``: bytes, without tensors."""

    numel = 0
    peak = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for part in result if isinstance(result, tuple | list) else [result]:
            if isinstance(part, Tensor):
                self.numel = max(self.numel, part.numel())
        return result


@contextmanager
def watch_memory() -> Iterator[Watch]:
    with Watch():
        torch.ones(1)  # what torch itself loads on first use does not count
    tracemalloc.start()
    try:
        with Watch() as watch:
            yield watch
            watch.peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
