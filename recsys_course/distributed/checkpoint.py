"""A checkpoint that is either the old one or the new one, whole, whenever a process or the machine dies."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import torch


def save_checkpoint(state: dict, path: Path, half_way: Callable[[], None] = lambda: None) -> None:
    """Write under another name, wait until the disk has it, then rename.

    A rename is one step for whoever reads; without the wait before it, a power cut could leave the new name on an
    empty file.

    Args:
        state: tensors, numbers, texts, lists and dictionaries.
        path: replaced if it exists.
        half_way: called when half of the bytes are written: tests end the process there.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content, part = buffer.getbuffer(), path.with_name(path.name + ".part")
    with open(part, "wb") as file:
        file.write(content[: len(content) // 2])
        file.flush()
        half_way()
        file.write(content[len(content) // 2 :])
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    if os.name == "posix":  # elsewhere a folder cannot be opened
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def load_checkpoint(path: Path, **must_be) -> dict | None:
    """What was saved, on the CPU, or ``None`` if nothing was.

    Args:
        path: of the checkpoint.
        **must_be: entries that it has to hold with these values.

    Raises:
        ValueError: one of them differs: the checkpoint belongs to another training.
    """
    if not path.exists():
        return None
    state = torch.load(path, weights_only=True, map_location="cpu")
    for name, value in must_be.items():
        if state.get(name) != value:
            raise ValueError(
                f"{path} belongs to another training, its {name} is {state.get(name)} and not {value}: "
                "remove it or name another folder"
            )
    return state
