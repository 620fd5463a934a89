"""Capacity arithmetic as interviews ask for it: formulas whose units are checked, and a learner's rough numbers.

A line names a step and may say in which unit it is shown::

    daily = 500 million users * 10 requests/user/day
    qps = daily in requests/s
    store = 100 million items * 64 * 2 bytes/item in GB

Beside bytes and time, units count what interviews count (users, requests, items, tokens, FLOP, devices:
``units.KINDS``), so that a forgotten factor shows as a unit that does not match. pint checks, and is imported late.
"""

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recsys_course.interview import formulas
from recsys_course.interview.formulas import CapacityError, Node
from recsys_course.interview.quantity_text import shown, unit_text
from recsys_course.interview.units import WORDS, names, registry, reserved, unit

if TYPE_CHECKING:
    from pint import Quantity

FUNCTIONS = {
    "ceil": (1, math.ceil),
    "floor": (1, math.floor),
    "sqrt": (1, math.sqrt),
    "log2": (1, math.log2),
    "ln": (1, math.log),
    "log10": (1, math.log10),
    "exp": (1, math.exp),
    "min": (2, min),
    "max": (2, max),
}
LARGEST_POWER = 100
SUM_WITH_UNIT = re.compile(r"(?P<sum>[\d(][-+*/^().,\deE ]*[\d)]) *(?P<unit>[A-Za-z][A-Za-z/ ]*)")


@dataclass(frozen=True)
class Step:
    """One line of arithmetic.

    Attributes:
        name: what later lines call it.
        formula: as written, without the unit it is shown in.
        value: with its unit.
        shown: for a reader, such as ``57.9 thousand requests/s``.
    """

    name: str
    formula: str
    value: "Quantity"
    shown: str


def compute(lines: Iterable[str], known: Mapping[str, "Quantity"] | None = None) -> list[Step]:
    """Compute lines ``name = formula`` or ``name = formula in unit``; a line may use the names above it.

    Args:
        lines: empty ones are skipped.
        known: names that are there already.

    Raises:
        CapacityError: a line cannot be computed; the sentence says which and why.
    """
    values, steps = dict(known or {}), []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, equals, formula = (part.strip() for part in line.partition("="))
        try:
            if not equals or not name.isidentifier() or not formula:
                raise CapacityError(f"write `name = formula`, got `{line.strip()[:60]}`")
            steps.append(_step(name, formula, values))
        except CapacityError as error:
            raise CapacityError(f"line {number}, `{name[:40]}`: {error}") from None
        values[name] = steps[-1].value
    return steps


def parse_quantity(text: str) -> "Quantity":
    """Read what a learner types: ``58k requests/s``, ``about 5.8e4 QPS``, ``12.8 GB``, ``5.8万 QPS``, ``26 TB/day``.

    Raises:
        CapacityError: it is no number with a unit.
    """
    text = text.strip().lstrip("~≈=").removeprefix("about ").removeprefix("约").strip()
    if not any(letter.isdigit() for letter in text):
        raise CapacityError(f"there is no number in `{text[:40]}`: type one with its unit, such as 58k requests/s")
    text = re.sub(r"\ban?\s+(?=[A-Za-z])", "/ ", text)  # 50 TB a day
    match = SUM_WITH_UNIT.fullmatch(text)
    if match and re.split("[ /]", match["unit"])[0] not in WORDS:  # 5e9/86400 requests/s: the whole sum has the unit
        return evaluate(match["sum"], {}) * evaluate(match["unit"], {})
    return evaluate(text, {})


def ratio(answer: "Quantity", truth: "Quantity") -> float:
    """Return how many times the truth an answer is.

    Raises:
        CapacityError: the units do not match.
    """
    if answer.dimensionality != truth.dimensionality:
        raise CapacityError(f"the answer is in {unit_text(answer)}, wanted is {unit_text(truth)}")
    return float((answer / truth).to_base_units().magnitude)


def within(answer: "Quantity", truth: "Quantity", factor: float = 2) -> bool:
    """Whether an answer is right within a factor, 2 for half to double.

    Raises:
        CapacityError: the units do not match.
    """
    slack = 1 + 1e-9
    return 1 / (factor * slack) <= ratio(answer, truth) <= factor * slack


def evaluate(formula: str, values: Mapping[str, "Quantity"]) -> "Quantity":
    """Compute one formula.

    Raises:
        CapacityError: it cannot be read, a name is unknown, or the units do not match.
    """
    import pint

    try:
        result = _value(formulas.parse(formula), values)
    except pint.DimensionalityError as error:
        raise CapacityError(f"the units do not match: {error}") from None
    except ZeroDivisionError:
        raise CapacityError(f"`{formula.strip()}` divides by zero") from None
    except (OverflowError, ValueError):
        raise CapacityError(f"`{formula.strip()}` has no value that is a number") from None
    if not math.isfinite(result.magnitude):
        raise CapacityError(f"`{formula.strip()}` is too large")
    return result


def _step(name: str, formula: str, values: Mapping[str, "Quantity"]) -> Step:
    if reserved(name) or name in FUNCTIONS:
        raise CapacityError(f"`{name}` is a unit or a function: choose a name such as `n_{name}`")
    parts = [part.strip() for part in formula.split(" in ")]
    value = evaluate(parts[0], values)
    if len(parts) == 1:
        return Step(name, parts[0], value, shown(value))
    if len(parts) > 2:
        raise CapacityError("`in` stands more than once")
    one = evaluate(parts[1], {})
    if one.dimensionality != value.dimensionality:
        raise CapacityError(f"it is in {unit_text(value)}, and cannot be shown in {parts[1]}")
    return Step(name, parts[0], value.to(one.units), shown(value, parts[1], one))


def _value(node: Node, values: Mapping[str, "Quantity"]) -> "Quantity":
    if node.kind == "number":
        return registry().Quantity(float(node.text))
    if node.kind in ("name", "unit"):
        return _named(node, values)
    parts = [_value(part, values) for part in node.parts]
    if node.kind == "call":
        return _call(node.text, parts)
    if node.kind == "by" and node.parts[0].kind == "name" and node.parts[0].text in values:
        raise CapacityError(f"there is no operator after `{node.parts[0].text}`")
    return _operate(node.kind, parts)


def _named(node: Node, values: Mapping[str, "Quantity"]) -> "Quantity":
    if node.kind == "name" and node.text in values:
        return values[node.text]
    if (found := unit(node.text)) is not None:
        return found
    if node.text in WORDS and (node.kind == "unit" or len(node.text) > 2):
        return registry().Quantity(WORDS[node.text])
    if node.text in values:
        raise CapacityError(f"there is no operator before `{node.text}`")
    if node.text == "m":
        raise CapacityError("`m` can mean several things: write M or million, ms, or min")
    near = difflib.get_close_matches(node.text, [*values, *names(), *WORDS], n=1)
    advice = f"did you mean `{near[0]}`?" if near else "define it in a line above, or use a unit such as requests or GB"
    raise CapacityError(f"`{node.text}` is unknown: {advice}")


def _operate(kind: str, parts: list["Quantity"]) -> "Quantity":
    if kind == "neg":
        return -parts[0]
    left, right = parts
    if kind in "+-":
        _same(left, right, "add" if kind == "+" else "subtract")
        return left + right if kind == "+" else left - right
    if kind == "^":
        return _power(left, right)
    return left / right if kind == "/" else left * right


def _power(base: "Quantity", exponent: "Quantity") -> "Quantity":
    power = _plain(exponent, "an exponent")
    if abs(power) > LARGEST_POWER or (base.magnitude < 0 and power != int(power)):
        raise CapacityError(f"the exponent {power:g} is not possible here")
    return base**power


def _call(name: str, parts: list["Quantity"]) -> "Quantity":
    if name not in FUNCTIONS:
        raise CapacityError(f"there is no function `{name}`: {', '.join(FUNCTIONS)}")
    least, function = FUNCTIONS[name]
    if len(parts) < least or (len(parts) > 1 and least == 1):
        raise CapacityError(f"`{name}` takes {'one value' if least == 1 else 'two values or more'}, got {len(parts)}")
    if name in ("ceil", "floor"):
        whole = parts[0].to_reduced_units()
        nudged = whole.magnitude * (1 + (1e-12 if name == "floor" else -1e-12))  # 3.0000000000000004 is 3
        return registry().Quantity(float(function(nudged)), whole.units)
    if name in ("min", "max"):
        for other in parts[1:]:
            _same(parts[0], other, "compare")
        return function(parts)
    if name == "sqrt":
        return _power(parts[0], registry().Quantity(0.5))
    return registry().Quantity(function(_plain(parts[0], f"what `{name}` takes")))


def _same(left: "Quantity", right: "Quantity", doing: str) -> None:
    if left.dimensionality != right.dimensionality:
        raise CapacityError(f"cannot {doing} {unit_text(left)} and {unit_text(right)}")


def _plain(value: "Quantity", what: str) -> float:
    if value.dimensionality:
        raise CapacityError(f"{what} must be a plain number, it is in {unit_text(value)}")
    return float(value.to_base_units().magnitude)
