"""A learner's journals: files of JSON lines that only grow.

They are in the platform's folder for user data, or where RECSYS_COURSE_STATE says. Each line is one event, appended in
one write under a lock, so that two processes can write at once; one that is killed in the middle loses no more than its
own line, which readers skip. Two machines are merged line by line: an event that is there already changes nothing, and
the order of merging does not matter.
"""

import contextlib
import json
import os
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

LOCK_WAIT = 5.0  # seconds; after that the single append has to do


@dataclass(frozen=True)
class Journal:
    """One such file.

    Attributes:
        name: of the file, without its ending ``.jsonl``.
        needed: keys whose values are texts in every event of this journal; a line without them is not one of its
            events. ``time`` is among them.
    """

    name: str
    needed: tuple[str, ...]

    @property
    def path(self) -> Path:
        """Where the file is, or will be after the first event."""
        return folder() / f"{self.name}.jsonl"

    @property
    def files(self) -> tuple[Path, Path]:
        """The file and its lock."""
        return self.path, self.path.with_suffix(".lock")

    def record(self, **event: object) -> None:
        """Append one event, with its time in UTC and a name of its own.

        Raises:
            OSError: it cannot be written.
        """
        named = {"time": datetime.now(UTC).isoformat(timespec="microseconds"), "event": uuid.uuid4().hex[:12]}
        with self.open() as file:
            _append(file, [named | event])

    def events(self) -> list[dict]:
        """All events, oldest first; none where there is no file yet."""
        return self._read(self.path)

    def merge(self, path: Path) -> int:
        """Add this journal's events of an exported file that are not here yet; return how many those are.

        Raises:
            OSError: the file cannot be read, or the journal not written.
        """
        with self.open() as file:
            mine = {_line(event) for event in self.events()}
            new = [event for event in self._read(path) if _line(event) not in mine]
            _append(file, new)
        return len(new)

    @contextlib.contextmanager
    def open(self) -> Iterator[int]:
        """The file, open for appending, while no other process has it so."""
        folder().mkdir(parents=True, exist_ok=True)
        with open(self.files[1], "ab") as lock:
            with contextlib.suppress(OSError):  # some network drives know no locks
                _lock(lock.fileno())
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
            file = os.open(self.path, flags, 0o600)
            try:
                yield file
            finally:
                os.close(file)

    def _read(self, path: Path) -> list[dict]:
        """The valid events of a file, each once, by time."""
        if not path.exists():
            return []
        found = {}
        for line in path.read_bytes().splitlines():
            with contextlib.suppress(ValueError):  # a torn line
                event = json.loads(line)
                if isinstance(event, dict) and all(isinstance(event.get(key), str) for key in self.needed):
                    found[line] = event
        return [found[line] for line in sorted(found, key=lambda line: (found[line]["time"], line))]


def folder() -> Path:
    """Return the folder that holds the journals."""
    if named := os.environ.get("RECSYS_COURSE_STATE"):
        return Path(named)
    from platformdirs import user_data_path

    return user_data_path("recsys-course", appauthor=False)


def export(journals: Iterable[Journal], path: str | Path) -> int:
    """Write all events of some journals to one file, for `merge` on another machine; return how many."""
    path, events = Path(path), [event for journal in journals for event in journal.events()]
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        temporary.write_bytes(b"".join(map(_line, events)))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return len(events)


def merge(journals: Iterable[Journal], path: str | Path) -> int:
    """Add the events of an exported file to the journals they belong to; return how many were new.

    Raises:
        OSError: the file cannot be read, or a journal not written.
        ValueError: the file holds no event of any of the journals.
    """
    path, journals = Path(path), list(journals)
    if path.read_bytes().strip() and not any(journal._read(path) for journal in journals):
        raise ValueError(f"{path} holds no events: was it written by `recsys-course progress --export`?")
    return sum(journal.merge(path) for journal in journals)


def _line(event: dict) -> bytes:
    return (json.dumps(event, sort_keys=True) + "\n").encode("ascii")


def _lock(file: int) -> None:
    """Wait for the lock, though not for ever; closing the file, or dying, gives it back."""
    began = time.monotonic()
    while time.monotonic() < began + LOCK_WAIT:
        try:
            _try_lock(file)
            return
        except (BlockingIOError, PermissionError):  # another process has it
            time.sleep(0.005)


def _try_lock(file: int) -> None:
    try:
        import fcntl
    except ImportError:
        import msvcrt

        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _append(file: int, new: list[dict]) -> None:
    data = b"".join(map(_line, new))
    if os.lseek(file, 0, os.SEEK_END):
        os.lseek(file, -1, os.SEEK_END)
        if os.read(file, 1) != b"\n":  # someone was killed here
            data = b"\n" + data
    if os.write(file, data) < len(data):
        raise OSError(f"{folder()} is full")
    os.fsync(file)
