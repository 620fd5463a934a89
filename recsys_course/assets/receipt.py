"""The receipt in a fetched folder: which source it came from, and the size and hash of each file."""

import json
from pathlib import Path

from recsys_course.assets.integrity import digest
from recsys_course.assets.records import Asset, Wheel

NAME = ".receipt.json"
HASH_UP_TO = 8_000_000  # bytes: bigger files are compared by size only, except by `verify`


def write_receipt(folder: Path, source: str) -> None:
    """Record what a freshly verified folder holds."""
    files = {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file()}
    entries = {name: {"size": path.stat().st_size, "sha256": digest(path)} for name, path in files.items()}
    text = json.dumps({"source": source, "files": entries}, indent=1)
    (folder / NAME).write_text(text, encoding="utf-8")


def find_damage(asset: Asset, folder: Path, thorough: bool = False) -> str | None:
    """What is wrong with a folder in the cache, in words, or ``None``.

    The hashes pinned in the asset's record count before those of the receipt.
    """
    try:
        receipt = json.loads((folder / NAME).read_text(encoding="utf-8"))
        source = next(s for s in asset.sources if s.label == receipt["source"])
        expected = {name: (entry["size"], entry["sha256"]) for name, entry in receipt["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration):
        return f"{folder.name} has no valid {NAME}"
    if isinstance(source, Wheel):
        expected = {name: (expected.get(name, (0,))[0], pinned) for name, pinned in source.files.items()}
    problems = (_file_problem(folder / name, *entry, thorough) for name, entry in expected.items())
    return next((problem for problem in problems if problem), None)


def _file_problem(path: Path, size: int, sha256: str, thorough: bool) -> str | None:
    if not path.is_file():
        return f"{path.name} is missing"
    if path.stat().st_size <= HASH_UP_TO or path.stat().st_size != size or thorough:
        found = digest(path)
        if found != sha256:
            return f"{path.name} is damaged: expected sha256 {sha256}, found {found}"
    return None
