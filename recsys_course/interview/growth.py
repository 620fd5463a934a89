"""How fast the work of an answer grows: measured at a size n and at 4n, as a ratio, in the process of `worker`.

Three things are counted, and each is evidence on its own that the work grows too fast:

- the lines of the answer that are executed, which no other process on the machine changes;
- the peak of the memory that is allocated, since what is filled must have been worked on;
- the processor time, which also sees the loops inside a library: the smallest of several runs at each size, taken by
  turns, and of more of them before an answer is called too slow.

A time alone is never compared with anything. A ratio is too large from ``4 ** (exponent + 0.5)`` on: for work in
proportion to n that is 8, where n log n gives about 5 and n squared 16.
"""

import gc
import math
import os
import sys
import time
import tracemalloc
from collections.abc import Callable
from types import FrameType

from recsys_course.interview.expect import Growth

MARGIN = 0.5
BASE = 0.01  # seconds: n grows until the work takes that long
MOST = 16  # times n, where the work is in proportion to n; where it grows faster, n must grow less
NOISE_LINES, NOISE_BYTES = 500, 1_000_000  # too little at 4n to say anything

Measured = tuple[int, float, float]  # n, at n, at 4n


def measure(growth: Growth, file: str) -> dict:
    """Measure an answer.

    Args:
        growth: what the task allows.
        file: where the answer's code is.

    Returns:
        ``ok``, ``by`` (what was measured), ``n``, ``ratio`` and ``limit``; of what is too much, else of the time.
    """
    limit = 4 ** (growth.exponent + MARGIN)
    if growth.counted:
        meters = {"counted steps": _count}
    else:
        meters = {"executed lines": lambda g, _: _lines(g, file), "memory": _memory, "processor time": _seconds}
    for by, meter in meters.items():
        n, small, large = meter(growth, limit)
        ratio = large / max(small, 1e-9)
        if ratio > limit:
            return {"ok": False, "by": by, "n": n, "ratio": ratio, "limit": limit}
    return {"ok": True, "by": by, "n": n, "ratio": ratio, "limit": limit}


def _count(growth: Growth, limit: float) -> Measured:
    small, large = (float(growth.prepare(n)()) for n in (growth.start, 4 * growth.start))
    return growth.start, small, large


def _lines(growth: Growth, file: str) -> Measured:
    n = max(growth.start // 8, 16)
    small, large = (_count_lines(growth.prepare(size), file) for size in (n, 4 * n))
    return (n, small, large) if large > NOISE_LINES else (n, 1, 1)


def _count_lines(work: Callable[[], object], file: str) -> int:
    lines = 0

    def inside(frame: FrameType, event: str, argument: object) -> Callable:
        nonlocal lines
        lines += event == "line"
        return inside

    def enter(frame: FrameType, event: str, argument: object) -> Callable | None:
        return inside if frame.f_code.co_filename == file else None

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        work()
    finally:
        sys.settrace(before)
    return lines


def _memory(growth: Growth, limit: float) -> Measured:
    small, large = (_peak(growth.prepare(n)) for n in (growth.start, 4 * growth.start))
    return (growth.start, small, large) if large > NOISE_BYTES else (growth.start, 1, 1)


def _peak(work: Callable[[], object]) -> int:
    work()  # what is kept for ever is allocated now
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _seconds(growth: Growth, limit: float) -> Measured:
    n, work = growth.start, growth.prepare(growth.start)
    most = n * MOST ** (1 / growth.exponent**2) if growth.exponent else n
    work()
    while _time(work) < BASE and n < most:
        n *= 2
        work = growth.prepare(n)
    larger, began = growth.prepare(4 * n), time.perf_counter()
    small = large = math.inf
    for pair in range(1, 10_000):
        small, large = min(small, _time(work)), min(large, _time(larger))
        spent, times = time.perf_counter() - began, large / max(small, 1e-9) / limit
        enough = (3, 0.1) if times <= 1 else (2, 0.0) if times > 2 else (6, 0.5)  # pairs, seconds
        if pair >= enough[0] and spent >= enough[1]:
            break
    return n, small, large


def _time(work: Callable[[], object]) -> float:
    clock = time.perf_counter if os.name == "nt" else time.thread_time  # on Windows the latter ticks 64 times a second
    gc.disable()
    try:
        began = clock()
        work()
        return clock() - began
    finally:
        gc.enable()
