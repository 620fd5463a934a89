"""Runs a notebook in a kernel of its own, and measures what it costs."""

import os
import re
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from lesson import LessonError

CELL_TIMEOUT = 300  # seconds
UNSTABLE = ("MPLBACKEND", "COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "PYTHONWARNINGS")  # change what cells print


@dataclass
class Meter:
    """CPU seconds and peak memory of a process and its children, sampled while it is open.

    Attributes:
        own: whether to count the process itself, or its children only.
        peak_mb: largest sum of resident memory, in MiB.
    """

    pid: int
    own: bool = True
    peak_mb: float = 0.0
    _cpu: dict[tuple[int, float], float] = field(default_factory=dict)  # a pid can be used again, hence its start time

    def __enter__(self) -> "Meter":
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._closed.set()
        self._thread.join()

    @property
    def cpu_seconds(self) -> float:
        """Of all processes, also those that ended."""
        return sum(self._cpu.values())

    def sample(self) -> None:
        """Look once."""
        memory = 0
        for process in self._processes():
            try:
                times = process.cpu_times()
                self._cpu[process.pid, process.create_time()] = times.user + times.system
                memory += process.memory_info().rss
            except psutil.Error:  # it ended in between
                continue
        self.peak_mb = max(self.peak_mb, memory / 2**20)

    def _processes(self) -> list[psutil.Process]:
        if not self.pid:  # not started yet
            return []
        try:
            top = psutil.Process(self.pid)
            return [top] * self.own + top.children(recursive=True)
        except psutil.Error:
            return []

    def _run(self) -> None:
        while not self._closed.wait(0.1):
            self.sample()


def environment(state: Path) -> dict[str, str]:
    """Where notebooks are run: no progress bars, a learner's record of their own, nothing that changes what is printed.

    Args:
        state: the folder of the record.
    """
    kept = {key: value for key, value in os.environ.items() if key not in UNSTABLE}
    return {**kept, "RECSYS_COURSE_STATE": str(state), "TQDM_DISABLE": "1"}


def execute(notebook: NotebookNode, name: str, skip: str = "") -> Meter:
    """Run all cells in order, in a new folder; outputs go into the notebook.

    Args:
        notebook: changed in place.
        name: what to call it in messages.
        skip: cells with this tag are left out.

    Raises:
        LessonError: a cell raised, took too long or killed the kernel; names the cell.
    """
    meter, running = Meter(pid=0), ""

    def on_cell_start(cell: NotebookNode, **_) -> None:
        nonlocal running
        running = cell.id
        if not meter.pid:
            meter.pid = client.km.provisioner.pid

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, meter:
        client = NotebookClient(
            notebook,
            timeout=CELL_TIMEOUT,
            record_timing=False,
            coalesce_streams=True,
            skip_cells_with_tag=skip,
            extra_arguments=["--log-level=ERROR"],
            resources={"metadata": {"path": folder}},
            on_cell_start=on_cell_start,
            on_cell_executed=lambda **_: meter.sample(),
        )
        try:
            client.execute(env=environment(Path(folder)))
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            raise LessonError(f"{name}: cell {running}: {_explain(error)}") from None
    return meter


def _explain(error: Exception) -> str:
    """The error in a few lines."""
    if isinstance(error, CellTimeoutError):
        return f"took more than {CELL_TIMEOUT} s"
    if isinstance(error, DeadKernelError):
        return "the kernel died"
    text = re.sub(r"\x1b\[[0-9;]*m", "", f"{error.ename}: {error.evalue}")
    return "\n  ".join(text.splitlines()[:6])
