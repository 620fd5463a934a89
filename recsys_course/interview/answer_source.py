"""The source of functions and classes that were written in a notebook, as a module that runs on its own."""

import ast
import inspect
import linecache
import textwrap
from collections.abc import Callable, Iterable
from types import FunctionType, ModuleType

from recsys_course.interview.outcome import PracticeError

PLAIN = (int, float, complex, str, bytes, bool, type(None), tuple, list, dict, set, frozenset)


class NoSource(PracticeError):
    """The source cannot be found; the message says of what."""


def source_of(*answers: Callable, known: Iterable[str] = ()) -> str:
    """Source of the answers and of what they use of their own module: imports, helpers and plain constants.

    Args:
        answers: functions or classes.
        known: names that are left alone, because they are defined elsewhere.

    Raises:
        NoSource: one was not written in a file or a notebook.
    """
    heads, bodies, known = [], [], set(known)
    for answer in answers:
        _collect(answer, heads, bodies, known)
    return "\n".join([*heads, "", "", *bodies])


def constant(source: str, name: str) -> object:
    """The value of a plain assignment at the top of the source, or None."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError):
        return None
    for node in body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            try:
                return ast.literal_eval(node.value)
            except ValueError:
                return None
    return None


def _collect(answer: Callable, heads: list[str], bodies: list[str], known: set[str]) -> None:
    known.add(answer.__name__)
    source, names = _source(answer), _globals(answer)
    for name in _used(source):
        if name in known or name not in names:
            continue
        known.add(name)
        value = names[name]
        if isinstance(value, ModuleType):
            heads.append(f"import {value.__name__} as {name}")
        elif isinstance(value, FunctionType | type) and value.__module__ == answer.__module__:
            _collect(value, heads, bodies, known)
        elif hasattr(value, "__module__") and hasattr(value, "__qualname__") and value.__module__:
            heads.append(f"from {value.__module__} import {value.__qualname__} as {name}")
        elif isinstance(value, PLAIN):
            heads.append(f"{name} = {value!r}")
    bodies.append(f"{source}\n\n")


def _globals(answer: Callable) -> dict[str, object]:
    function = _methods(answer)[0] if isinstance(answer, type) and _methods(answer) else answer
    return getattr(inspect.unwrap(function), "__globals__", {})


def _methods(answer: type) -> list[FunctionType]:
    members = (getattr(member, "__func__", member) for member in vars(answer).values())
    return [member for member in members if isinstance(member, FunctionType)]


def _source(answer: Callable) -> str:
    """Dedented source; a class of a notebook is found through its methods, since it has no file of its own."""
    try:
        if isinstance(answer, type):
            return _class_source(answer)
        return textwrap.dedent(inspect.getsource(answer))
    except (OSError, TypeError, IndexError) as error:
        name = getattr(answer, "__name__", answer)
        raise NoSource(f"the source of {name} is not to be found: define it with `def` or `class` in a cell") from error


def _class_source(answer: type) -> str:
    file = _methods(answer)[0].__code__.co_filename
    source = "".join(linecache.getlines(file))
    places = {method.__code__.co_firstlineno for method in _methods(answer)}
    for node in ast.walk(ast.parse(source)):
        inside = isinstance(node, ast.ClassDef) and node.name == answer.__name__
        if inside and any(node.lineno <= place <= node.end_lineno for place in places):
            return textwrap.dedent("\n".join(source.splitlines()[node.lineno - 1 : node.end_lineno]))
    raise OSError(f"no class {answer.__name__} in {file}")


def _used(source: str) -> list[str]:
    """Names that a source reads, in their order, each once."""
    names = (node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name))
    return list(dict.fromkeys(names))
