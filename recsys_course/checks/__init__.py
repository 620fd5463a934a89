"""Exercises that check themselves: ``check``, ``hint`` and ``solution`` for the learner's own function.

A lesson's module in ``recsys_course.exercises`` lists its records and binds them::

    EXERCISES = (Exercise(id="02.recall", reference=metrics.recall, ...), ...)
    check, hint, solution = bind(EXERCISES)

What runs a learner's answer survives it. Each case gets fresh copies of the inputs, the same seeds (the random state
is put back afterwards), a place for printed text that stops at about a megabyte, and a time limit. The limit rings in
the thread that runs the answer, and rings again at every line until the answer gives up, so a bare ``except:`` in a
loop does not save it. On Linux and macOS a signal rings, which also wakes ``time.sleep``; on Windows, and outside the
main thread, a second thread does, so that a sleep first ends by itself. What no limit here can stop is one long call
inside a C library (a huge matrix product): it is stopped on its return. What nothing here survives is an answer that
kills its own process, such as ``os._exit``, or that makes the machine run out of memory.
"""

from recsys_course.checks.desk import CheckFailed, bind
from recsys_course.checks.record import Exercise

__all__ = ["CheckFailed", "Exercise", "bind"]
