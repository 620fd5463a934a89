"""Claims: what a lesson states about results that depend on the machine, checked whenever it runs.

A claim prints one line that is the same on every machine, or raises. The build collects all of them into
``claims.json``, which the package carries, so that an answer can name the claim that proves it.
"""

import ast
import json
import math
import re
from pathlib import Path

_ID = re.compile(r"(\d\d|[A-Z]{1,3}\d{1,3})\.[a-z0-9]+(-[a-z0-9]+)*")
_TEXTS: dict[str, str] = {}


class ClaimFailed(AssertionError):
    """What was claimed does not hold here. A notebook shows the message alone."""

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


def claim(id: str, text: str, ok: object) -> None:
    """Print a claim that holds; raise where it does not.

    Args:
        id: lesson or question and a slug, ``"13.lightgcn-beats-mf"`` or ``"H06.few-negatives"``.
        text: the claim as a sentence, without a measured number.
        ok: whether it holds: a bool, also one of numpy or torch.

    Raises:
        ClaimFailed: it does not.
        ValueError: the id is malformed, or stands for another text already.
        TypeError: ``ok`` is not one truth value.

    >>> claim("02.half-is-less", "One half is less than one", 1 / 2 < 1)
    ✓ claim 02.half-is-less: One half is less than one
    """
    _register(id, text)
    if not isinstance(_item(ok), bool):
        raise TypeError(f"claim {id}: ok must be one True or False, not {type(ok).__name__}")
    _conclude(id, text, _item(ok), "measured: not so")


def claim_value(id: str, measured: object, stated: float, tolerance: float, text: str = "") -> None:
    """Print that a measured number is the stated one; raise where it is not.

    Args:
        id: as in ``claim``.
        measured: a number, also one of numpy or torch. It is shown only when the claim fails.
        stated: the number in the prose.
        tolerance: how far apart the two may be.
        text: what is measured.

    Raises:
        ClaimFailed: it is not, or it is not a number at all.
        ValueError: the id is malformed or stands for another text already, or ``tolerance`` is no distance.
        TypeError: ``measured`` is not one number.

    >>> claim_value("02.third", 1 / 3, stated=0.33, tolerance=0.01, text="one third")
    ✓ claim 02.third: one third, 0.33 ± 0.01
    """
    sentence = _sentence(text, stated, tolerance)
    _register(id, sentence)
    if not (math.isfinite(tolerance) and tolerance >= 0 and math.isfinite(stated)):
        raise ValueError(f"claim {id}: stated {stated} ± {tolerance} is no interval")
    value = _item(measured)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"claim {id}: measured must be one number, not {type(measured).__name__}")
    rounding = 1e-9 * max(abs(stated), tolerance)
    _conclude(id, sentence, abs(value - stated) <= tolerance + rounding, f"measured: {value:.6g}")


def index() -> list[dict]:
    """Return all claims of the course: ``id``, ``text``, ``kind`` and ``where`` each is proved.

    Raises:
        FileNotFoundError: the index was not built.
    """
    path = Path(__file__).with_name("claims.json")
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: tools/build.py writes it")
    return json.loads(path.read_text(encoding="utf-8"))


def collect(root: str | Path) -> list[dict]:
    """Find the claims in a project's lessons and in ``tests/claims``, without running them.

    Args:
        root: the project's folder.

    Returns:
        ``id``, ``text``, ``kind`` (``"claim"`` or ``"value"``) and ``where`` of each, by id.

    Raises:
        ValueError: an id or a text is not written out, an id is malformed or used twice; names file and line.
    """
    found: dict[str, dict] = {}
    for path in sorted([*Path(root).glob("lessons/*.py"), *Path(root).glob("tests/claims/*.py")]):
        where = path.relative_to(root).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), where)):
            if not isinstance(node, ast.Call) or _called(node) not in ("claim", "claim_value"):
                continue
            entry = _entry(node, where)
            if other := found.get(entry["id"]):
                raise ValueError(f"{where}:{node.lineno}: claim {entry['id']} is also in {other['where']}")
            found[entry["id"]] = entry
    return [found[id] for id in sorted(found)]


def _sentence(text: str, stated: float, tolerance: float) -> str:
    return f"{text}, {stated} ± {tolerance}".removeprefix(", ")


def _register(id: str, text: str) -> None:
    if not _ID.fullmatch(id):
        raise ValueError(f"the id {id!r} of a claim is not like '13.lightgcn-beats-mf' or 'H06.few-negatives'")
    if _TEXTS.setdefault(id, text) != text:
        raise ValueError(f"claim {id} stands for two texts: {_TEXTS[id]!r} and {text!r}")


def _item(value: object) -> object:
    """The Python number in a number of numpy or torch, or in an array of one; anything else as it is."""
    try:
        return value.item()
    except (AttributeError, ValueError, RuntimeError):
        return value


def _conclude(id: str, text: str, holds: bool, found: str) -> None:
    if not holds:
        advice = "  Worth a look: changed data, another seed, other versions of the packages?"
        raise ClaimFailed(f"✗ claim {id} does not hold here: {text} ({found}).\n{advice}")
    print(f"✓ claim {id}: {text}")


def _called(node: ast.Call) -> str:
    return getattr(node.func, "id", None) or getattr(node.func, "attr", "")


def _entry(node: ast.Call, where: str) -> dict:
    order = {"claim": ("id", "text"), "claim_value": ("id", "measured", "stated", "tolerance", "text")}[_called(node)]
    given = dict(zip(order, node.args, strict=False)) | {word.arg: word.value for word in node.keywords}
    id, text = (_written(given.get(name), str, name, where, node) for name in ("id", "text"))
    if not _ID.fullmatch(id):
        raise ValueError(f"{where}:{node.lineno}: malformed id {id!r} of a claim")
    if _called(node) == "claim":
        return {"id": id, "text": text, "kind": "claim", "where": where}
    numbers = (_written(given.get(name), (int, float), name, where, node) for name in ("stated", "tolerance"))
    return {"id": id, "text": _sentence(text, *numbers), "kind": "value", "where": where}


def _written(value: ast.expr | None, kind: type, name: str, where: str, node: ast.Call) -> object:
    """The value that stands in the source."""
    if value is None and name == "text" and _called(node) == "claim_value":
        return ""
    try:
        literal = ast.literal_eval(value)
    except ValueError:
        literal = None
    if not isinstance(literal, kind):
        raise ValueError(f"{where}:{node.lineno}: the {name} of a claim must be written out, not computed")
    return literal
