"""Runs the tests of a debugging task in this process: for many variants of known code, where a process each is slow."""

import contextlib
import io
import sys
import warnings
from types import ModuleType

from recsys_course.interview import worker


def red(task, source):
    """Names of the tests that the code does not pass, with what they say."""
    tests = _module("test_bug", task.test.read_text(encoding="utf-8"), answer=_module("answer", source))
    with warnings.catch_warnings(action="ignore"):  # wrong code may warn
        cases = {name: worker._attempt(test, "answer.py") for name, test in vars(tests).items() if name[:5] == "test_"}
    return {name: case["message"] for name, case in cases.items() if case["outcome"] != "passed"}


def printed(source):
    """What `symptom` prints."""
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        worker._same_seeds()
        _module("answer", source).symptom()
    return shown.getvalue()


def _module(name, source, **beside):
    """A module made from source, which may import the modules ``beside`` it."""
    module = ModuleType(name)
    kept = {other: sys.modules.get(other) for other in beside}
    sys.modules |= beside
    try:
        exec(compile(source, f"{name}.py", "exec"), vars(module))
    finally:
        for other, before in kept.items():
            if before is None:
                del sys.modules[other]
            else:
                sys.modules[other] = before
    return module
