"""Vectors that were computed once are kept in the course's cache, by the hashes of their text and their model."""

import hashlib
import os
import warnings
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from recsys_course.assets import cache_dir


def remembered(texts: Sequence[str], name: str, settings: str, compute: Callable[[list[str]], Tensor]) -> Tensor:
    """Vectors from the cache's file for this model; those of new texts are computed and added to it."""
    path = cache_dir() / "vectors" / f"{name}-{hashlib.sha256(settings.encode()).hexdigest()[:16]}.npz"
    keys, vectors = _read(path)
    places = {key: row for row, key in enumerate(keys)}
    wanted = [hashlib.sha256(text.encode()).digest() for text in texts]
    new = {key: text for key, text in zip(wanted, texts, strict=True) if key not in places}
    if new:
        computed = compute(list(new.values()))
        vectors = torch.cat([vectors, computed]) if places else computed
        places |= {key: len(places) + row for row, key in enumerate(new)}
        _write(path, list(places), vectors)
    return vectors[[places[key] for key in wanted]]


def _read(path: Path) -> tuple[list[bytes], Tensor]:
    """Hashes of texts and their vectors; nothing where the file is missing or damaged."""
    try:
        with np.load(path) as file:  # a zip: each part has a checksum
            keys, vectors = file["keys"], torch.from_numpy(file["vectors"])
        if len(keys) == len(vectors):
            return [key.tobytes() for key in keys], vectors
    except FileNotFoundError:
        return [], torch.empty(0)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        pass
    warnings.warn(f"{path.name} in {path.parent} is damaged: its vectors are computed again", stacklevel=4)
    return [], torch.empty(0)


def _write(path: Path, keys: list[bytes], vectors: Tensor) -> None:
    """Replace the file in one step, so that nobody ever reads half of one."""
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with half.open("wb") as file:
            np.savez(file, keys=np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 32), vectors=vectors.numpy())
        half.replace(path)
    except OSError as error:
        half.unlink(missing_ok=True)
        advice = "set RECSYS_COURSE_CACHE to a folder with space that you can write to"
        warnings.warn(f"the vectors could not be kept in {path.parent} ({error.strerror}): {advice}", stacklevel=4)
