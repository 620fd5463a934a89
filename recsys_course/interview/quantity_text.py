"""Quantities in words: three significant digits, a sensible prefix, the unit as an interviewer would say it."""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pint import Quantity

WORDS = ((1e12, "trillion"), (1e9, "billion"), (1e6, "million"), (1e3, "thousand"))
PREFIXES = ((1e21, "Z"), (1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "K"))
TIMES = ((2 * 86_400, 86_400, "days"), (7_200, 3_600, "hours"), (120, 60, "minutes"), (1, 1, "s"), (1e-3, 1e-3, "ms"))
SHORT = {"second": "s", "millisecond": "ms", "microsecond": "µs", "nanosecond": "ns"}
UNCOUNTED = {"FLOP", "s", "ms", "µs", "ns"}  # have no plural


def shown(value: "Quantity", target: str = "", one: "Quantity | None" = None) -> str:
    """Return a quantity for a reader: ``57.9 thousand requests/s``, ``12.8 GB``, ``72.7 ms``.

    Args:
        value: what to show.
        target: the unit wanted, in words; empty chooses one.
        one: one of that unit.
    """
    if one is not None:
        amount = _plain(value / one)
        return f"{number(amount)} {target}" if one.magnitude != 1 else _counted(amount, target)
    value = value.to_reduced_units()
    if not value.dimensionality:
        return _counted(_plain(value), "")
    if dict(value.dimensionality) == {"[second]": 1}:
        return _time(float(value.to_base_units().magnitude))
    amount, unit = float(value.magnitude), unit_text(value)
    first = unit.split("/")[0]
    if first not in ("bytes", "FLOP"):
        return _counted(amount, unit)
    factor, prefix = next(((size, sign) for size, sign in PREFIXES if abs(amount) >= size), (1, ""))
    short = first if not prefix else f"{prefix}B" if first == "bytes" else f"{prefix}FLOP"
    return f"{number(amount / factor)} {short}{unit[len(first) :]}"


def unit_text(value: "Quantity") -> str:
    """Return the unit alone, without prefix: ``requests/s``, ``bytes/request``; of a plain number, just that."""
    powers = {SHORT.get(name, name): power for name, power in value.to_reduced_units().unit_items()}
    if not powers:
        return "a plain number"
    above = [_power(name, power) for name, power in powers.items() if power > 0]
    below = [_power(name, -power) for name, power in powers.items() if power < 0]
    if above and above[-1] not in UNCOUNTED and "^" not in above[-1]:
        above[-1] += "s"
    return "/".join(["-".join(above) or "1", *below])


def number(value: float) -> str:
    """Return a number with three significant digits, or all of those of a whole one below 10,000: ``1,024``."""
    if value == 0:
        return "0"
    if value == round(value) and abs(value) < 10_000:
        return f"{round(value):,}"
    digits = 2 - math.floor(math.log10(abs(value)))
    if digits > 6 or abs(value) >= 1e9:
        return f"{value:.3g}"
    rounded = round(value, digits)
    text = f"{rounded:,.{max(digits, 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _counted(amount: float, unit: str) -> str:
    """``57.9 thousand requests/s``: words, not prefixes, for what is counted."""
    factor, word = next(((size, word) for size, word in WORDS if abs(amount) >= size), (1, ""))
    if amount == round(amount) and abs(amount) < 10_000:
        factor, word = 1, ""
    return " ".join(filter(None, (number(amount / factor), word, unit)))


def _time(seconds: float) -> str:
    factor, unit = next(((size, unit) for least, size, unit in TIMES if abs(seconds) >= least), (1e-6, "µs"))
    return f"{number(seconds / factor)} {unit}"


def _power(name: str, power: float) -> str:
    return name if power == 1 else f"{name}^{power:g}"


def _plain(value: "Quantity") -> float:
    return float(value.to_base_units().magnitude)
