"""What every exercise is held against: one more right answer, written independently, and garbage.

The second right answer to ``02.recall`` is the function ``recall`` in ``tests/answers/l02.py`` (the exercise's name).
Write it another way than the reference: loops, numpy, plain lists. All garbage is made from the reference.
"""

import copy
import functools
import importlib
import math
import sys
from collections.abc import Callable
from dataclasses import is_dataclass, replace

import numpy as np
import pandas as pd
import torch

from recsys_course.checks import Exercise
from recsys_course.checks.plain import plain
from recsys_course.checks.show import show


def second_answer(exercise: Exercise) -> Callable:
    """The second right answer, or a clear complaint that there is none."""
    lesson = f"l{exercise.id[:2]}"
    try:
        return getattr(importlib.import_module(f"answers.{lesson}"), exercise.name)
    except (ImportError, AttributeError) as error:
        where = f"tests/answers/{lesson}.py"
        raise AssertionError(f"{exercise.id} has no second right answer: write {exercise.name} in {where}") from error


def named(function: Callable, exercise: Exercise) -> Callable:
    """The function under the name that the exercise expects."""
    if function.__name__ == exercise.name:
        return function
    if isinstance(function, type):
        return type(exercise.name, (function,), {})

    @functools.wraps(function)
    def answer(*args, **kwargs):
        return function(*args, **kwargs)

    answer.__name__ = exercise.name
    return answer


def stub(exercise: Exercise) -> Callable:
    """What a learner finds."""
    return behaving(exercise, _unwritten)


def behaving(exercise: Exercise, behave: Callable) -> Callable:
    """An answer, or a class all of whose methods are one, that does ``behave(arguments, right answer)``."""
    if isinstance(exercise.reference, type):
        methods = {name: _method(behave) for name, one in vars(exercise.reference).items() if callable(one)}
        return type(exercise.name, (exercise.reference,), {**methods, "__init__": lambda self, *args, **kwargs: None})

    @functools.wraps(exercise.reference)
    def answer(*args):
        return behave(args, exercise.reference)

    return named(answer, exercise)


def _method(behave):
    return lambda self, *args, **kwargs: behave(args or (0,), lambda *args: 0.0)


def _unwritten(args, right):
    raise NotImplementedError  # your code here


def _like(number):
    """An answer that is right in type and shape only: one number everywhere."""

    def fill(value):
        if isinstance(value, torch.Tensor):
            return torch.full(value.shape, number)
        if isinstance(value, np.ndarray):
            return np.full(value.shape, number)
        if isinstance(value, dict):
            return {key: fill(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [fill(item) for item in value]
        if is_dataclass(value):
            return {name: fill(item) for name, item in vars(value).items()}
        return number

    return lambda args, right: fill(right(*args))


def _one_dimension_more(args, right):
    value = right(*args)
    return value[None] if isinstance(value, torch.Tensor | np.ndarray) else [value]


def _changes_its_input(args, right):
    value = right(*copy.deepcopy(args))
    for arg in args:
        if change(arg):
            break
    return value


def change(value) -> bool:
    """Change a value in place, if it can be."""
    if isinstance(value, torch.Tensor) and value.numel():
        value.view(-1)[0] = not value.view(-1)[0] if value.dtype is torch.bool else value.view(-1)[0] + 1
    elif isinstance(value, np.ndarray) and value.size:
        value.flat[0] += 1
    elif isinstance(value, list):
        value.append(value[0] if value else 0)
    elif isinstance(value, dict | pd.DataFrame):
        value["one more"] = 1
    elif is_dataclass(value):
        return any(change(item) for item in vars(value).values())
    else:
        return False
    return True


def can_be_changed(exercise: Exercise) -> bool:
    """Whether changing an input can be noticed: some can be, and no ``verify`` hands over its own."""
    return exercise.verify is None and any(change(value) for value in copy.deepcopy(exercise.inputs()[0]))


def parrot(exercise: Exercise) -> Callable:
    """An answer that knows the visible cases, and no more."""
    known = [(show_all(case), exercise.reference(*case)) for case in exercise.inputs()]

    def answer(*args):
        return copy.deepcopy(dict(known).get(show_all(args), known[0][1]))

    return named(answer, exercise)


def show_all(case: tuple) -> str:
    return "; ".join(show(plain(value), digits=17, width=10_000) for value in case)


def _loops_forever(args, right):
    while True:
        try:
            len(args)
        except:  # noqa: E722
            continue


def _prints_forever(args, right):
    while True:
        print("x" * 10_000)


def _raises(args, right):
    raise KeyError("something\nwith two lines")


GARBAGE = {
    "None": lambda args, right: None,
    "text": lambda args, right: "garbage",
    "an object": lambda args, right: object(),
    "a generator": lambda args, right: (value for value in (right(*args),)),
    "one dimension more": _one_dimension_more,
    "nan": _like(math.nan),
    "inf": _like(math.inf),
    "zero": _like(0.0),
    "one": _like(1.0),
    "its input": lambda args, right: args[0],
    "itself": lambda args, right: right,
    "a changed input": _changes_its_input,
    "an exception": _raises,
    "an exit": lambda args, right: sys.exit(0),
    "endless recursion": lambda args, right: _recurses(args),
    "an endless loop": _loops_forever,
    "endless output": _prints_forever,
}


def _recurses(args):
    return _recurses(args)


def impatient(exercise: Exercise) -> Exercise:
    """The exercise with a time limit that a test can wait for."""
    return replace(exercise, time_limit=0.25)


def in_another_form(value, form: str):
    """What the reference returns, held by something else: numpy arrays, or floats of 64 bits."""
    if isinstance(value, torch.Tensor) and value.layout is torch.strided:
        if form == "numpy":
            return value.detach().cpu().numpy()
        return value.double() if value.is_floating_point() else value
    if isinstance(value, tuple):
        return tuple(in_another_form(item, form) for item in value)
    return value
