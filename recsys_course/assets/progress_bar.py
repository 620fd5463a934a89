"""A progress bar on a terminal and in a notebook, and nowhere else."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm


@contextmanager
def progress_bar(label: str, total: int, wanted: bool) -> Iterator[Callable[[int], object]]:
    """Show how far a download is; yields a function that takes the number of bytes that just arrived.

    ``TQDM_DISABLE=1`` turns it off, and so does a stream that is neither a terminal nor a notebook's.
    """
    shown = wanted and not os.environ.get("TQDM_DISABLE") and _someone_watches()
    with tqdm(desc=label, total=total, unit="B", unit_scale=True, disable=not shown) as bar:
        yield bar.update


def _someone_watches() -> bool:
    return sys.stderr.isatty() or type(sys.stderr).__module__.startswith("ipykernel")
