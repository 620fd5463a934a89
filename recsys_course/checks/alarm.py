"""A time limit for one call, in the thread that makes it."""

import ctypes
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

AGAIN = 0.05  # seconds between two rings, for an answer that is deep in a C call when the first one comes


class TimeUp(BaseException):
    """The call took too long. No ``Exception``, so that ``except Exception`` lets it pass."""


def limited(function: Callable[[], object], seconds: float) -> object:
    """Call a function that may never return.

    Args:
        function: called without arguments, in this thread.
        seconds: how long it may take.

    Returns:
        What the function returns.

    Raises:
        TimeUp: it took longer, even if it caught the interruption and returned something.
    """
    alarm = _SignalAlarm() if _can_signal() else _ThreadAlarm()
    result = error = None
    try:
        alarm.start(seconds)
        result = function()
        alarm.over = True
    except BaseException as caught:
        alarm.over = True
        error = caught
    while True:
        try:
            alarm.stop()
            break
        except TimeUp:  # rang between the end of the call and the line above
            continue
    if alarm.rung:
        raise TimeUp
    if error is not None:
        raise error
    return result


def _can_signal() -> bool:
    main = threading.current_thread() is threading.main_thread()
    return main and hasattr(signal, "setitimer") and signal.getsignal(signal.SIGALRM) is not None


def _not_here(frame: FrameType, event: str, argument: object) -> None:
    """Leave calls that begin after a ring alone: one may be a finaliser that has nothing to do with the answer."""


class _Alarm:
    """Interrupts a call, and does so again for as long as it goes on.

    An exception that is raised once can be swallowed once for every ``try`` around the loop. So each ring, when it is
    raised and again when a handler drops it, makes the next line of the answer ring too.
    """

    def __init__(self) -> None:
        alarm = self

        class Ring(TimeUp):
            def __init__(self) -> None:
                super().__init__()
                alarm.insist(sys._getframe(1))

            def __del__(self) -> None:
                if not alarm.over:
                    alarm.insist(sys._getframe(1))

        self.ring = Ring
        self.over = self.rung = False
        self.trace_before = sys.gettrace()

    def insist(self, frame: FrameType | None) -> None:
        if self.over:
            return
        self.rung = True
        while frame is not None and frame.f_code is not limited.__code__:
            frame.f_trace = self.trace
            frame = frame.f_back
        sys.settrace(_not_here)

    def trace(self, frame: FrameType, event: str, argument: object) -> Callable:
        if event == "line" and not self.over:
            raise self.ring
        return self.trace

    def stop(self) -> None:
        if self.rung:
            sys.settrace(self.trace_before)


class _SignalAlarm(_Alarm):
    def __init__(self) -> None:
        super().__init__()
        self.began = time.monotonic()
        self.handler_before = signal.getsignal(signal.SIGALRM)
        self.timer_before = signal.getitimer(signal.ITIMER_REAL)

    def start(self, seconds: float) -> None:
        signal.signal(signal.SIGALRM, self._on_signal)
        signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if not self.over:
            raise self.ring

    def stop(self) -> None:
        super().stop()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self.handler_before)
        left, interval = self.timer_before
        if left:  # someone else's timer goes on where it was
            left -= time.monotonic() - self.began
            signal.setitimer(signal.ITIMER_REAL, max(left, 0.001), interval)


class _ThreadAlarm(_Alarm):
    def __init__(self) -> None:
        super().__init__()
        self.target = ctypes.c_ulong(threading.get_ident())
        self.ended = threading.Event()

    def start(self, seconds: float) -> None:
        self.watch = threading.Thread(target=self._watch, args=(seconds,), daemon=True)
        self.watch.start()

    def _watch(self, seconds: float) -> None:
        while not self.ended.wait(seconds):
            if not self.over:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(self.target, ctypes.py_object(self.ring))
            seconds = AGAIN

    def stop(self) -> None:
        super().stop()
        self.ended.set()
        self.watch.join()
        for _ in range(2):  # a ring that is set and not yet raised comes in a loop like this one
            pass
