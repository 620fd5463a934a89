"""One call of a learner's function: with fresh inputs, a time limit, seeds and a place for what it prints."""

import contextlib
import copy
import io
import linecache
import random
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
import torch

from recsys_course.checks.alarm import TimeUp, limited
from recsys_course.checks.compare import difference
from recsys_course.checks.plain import one_line, plain

OUTPUT_LIMIT = 1_000_000  # characters
OUTPUT_KEPT = 1_000

_LIBRARIES = (
    *(str(Path(sysconfig.get_paths()[name])) for name in ("stdlib", "purelib", "platlib")),
    str(Path(__file__).parents[1]),
    "<frozen",
    "<__array_function__",
)


class TooMuchOutput(BaseException):
    """The call printed more than ``OUTPUT_LIMIT`` characters."""


@dataclass(frozen=True)
class Raised:
    """An exception, without the frames that it keeps alive.

    Attributes:
        kind: its class.
        text: its message on one line.
        line: where the learner's code raised it or called what raised it; 0 where no such line is known.
        source: that line.
        bare: raised without a message.
    """

    kind: type[BaseException]
    text: str
    line: int
    source: str
    bare: bool

    @classmethod
    def of(cls, error: BaseException) -> "Raised":
        """Keep what a learner needs to know of an exception."""
        line, source = _learners_line(error.__traceback__)
        try:
            text = one_line(str(error))
        except Exception:
            text = ""
        return cls(type(error), text, line, source, not error.args)


@dataclass(frozen=True)
class Outcome:
    """What came of one call.

    Attributes:
        value: what it returned, as ``plain`` has it.
        raised: what it raised instead.
        stopped: ``"time"`` or ``"output"`` where it was interrupted.
        changed: the position of an input that it changed.
        printed: the beginning of what it printed.
    """

    value: object = None
    raised: Raised | None = None
    stopped: str = ""
    changed: int | None = None
    printed: str = ""

    @property
    def unwritten(self) -> bool:
        """Whether it met the ``raise NotImplementedError`` that a learner finds in place of the answer."""
        return self.raised is not None and self.raised.kind is NotImplementedError and self.raised.bare


def run(function: Callable, case: tuple, seconds: float) -> Outcome:
    """Call ``function(*case)`` on copies of the inputs and return what came of it.

    Only KeyboardInterrupt is raised: the learner pressed stop.
    """
    copies = copy.deepcopy(case)
    value, raised, stopped = None, None, ""
    with _same_seeds(), _quiet() as sink:
        try:
            value = limited(lambda: plain(function(*copies)), seconds)
        except KeyboardInterrupt:
            raise
        except TimeUp:
            stopped = "time"
        except BaseException as error:
            raised = Raised.of(error)
    if sink.full:
        raised, stopped = None, stopped or "output"
    changed = None if stopped else _changed(case, copies)
    return Outcome(value, raised, stopped, changed, sink.head)


def _changed(case: tuple, copies: tuple) -> int | None:
    for position, (before, after) in enumerate(zip(case, copies, strict=True)):
        try:
            same = difference(plain(before, opaque=False), plain(after, opaque=False), tolerance=0) is None
        except Exception:  # it holds something of the learner's own making now
            same = False
        if not same:
            return position
    return None


class _Sink(io.TextIOBase):
    """Stands in for stdout and stderr: keeps the beginning, and has enough at some point."""

    def __init__(self) -> None:
        self.head, self.size = "", 0

    @property
    def full(self) -> bool:
        return self.size > OUTPUT_LIMIT

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.head += text[: OUTPUT_KEPT - len(self.head)]
        self.size += len(text)
        if self.full:
            raise TooMuchOutput
        return len(text)

    def close(self) -> None:
        """An answer may close its stdout; what it prints next is still caught."""


@contextlib.contextmanager
def _quiet() -> Iterator[_Sink]:
    sink = _Sink()
    with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
        yield sink


@contextlib.contextmanager
def _same_seeds() -> Iterator[None]:
    """Give every call the same random numbers, and the notebook its own back."""
    gpus = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    states = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=gpus):
        random.seed(0)
        np.random.seed(0)
        torch.default_generator.manual_seed(0)
        if gpus:
            torch.cuda.manual_seed_all(0)
        try:
            yield
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])


def _learners_line(traceback: TracebackType | None) -> tuple[int, str]:
    """The innermost line that is neither ours nor a library's: number and text."""
    found = 0, ""
    while traceback is not None:
        name = traceback.tb_frame.f_code.co_filename
        if not name.startswith(_LIBRARIES):
            found = traceback.tb_lineno, linecache.getline(name, traceback.tb_lineno).strip()
        traceback = traceback.tb_next
    return found
