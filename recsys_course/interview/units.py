"""The units of capacity arithmetic, by all the names that people write for them."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pint import Quantity, UnitRegistry

KINDS = {  # what is counted
    *("user", "session", "request", "impression", "click", "event", "example", "epoch"),
    *("item", "candidate", "list", "cluster", "vector", "link", "edge", "code", "row", "feature", "arm"),
    *("token", "prompt", "beam", "layer", "head", "parameter", "step", "FLOP"),
    *("device", "host", "shard", "replica", "dollar"),
}
ALIASES = {
    "query": "request",
    "req": "request",
    "video": "item",
    "product": "item",
    "SKU": "item",
    "score": "candidate",
    "GPU": "device",
    "accelerator": "device",
    "card": "device",
    "machine": "host",
    "server": "host",
    "sample": "example",
    "param": "parameter",
    "view": "impression",
    "entries": "row",
    "record": "row",
    "USD": "dollar",
    "$": "dollar",
}
TIMES = {
    "s second sec": "second",
    "ms millisecond": "millisecond",
    "us µs μs microsecond": "microsecond",
    "ns nanosecond": "nanosecond",
    "min minute": "minute",
    "h hr hour": "hour",
    "day": "day",
    "week": "week",
    "month": "month",
    "year": "year",
}
RATES = {"QPS": "request", "RPS": "request"}  # a second
PREFIXES = {"K": 1e3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18, "Z": 1e21}
WORDS = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12}
WORDS |= {"k": 1e3, "K": 1e3, "M": 1e6, "mn": 1e6, "bn": 1e9, "G": 1e9, "T": 1e12}
WORDS |= {"wan": 1e4, "qianwan": 1e7, "yi": 1e8}


def unit(name: str) -> "Quantity | None":
    """Return one of a unit, or None where there is no such unit."""
    return _units().get(name, _loosely_written().get(name.lower()))


def names() -> list[str]:
    """Return what a unit may be called."""
    return list(_units())


def reserved(name: str) -> bool:
    """Whether a step cannot have this name; plurals are free, ``users = 5 million users``: one divides by ``user``."""
    return name in _units() and name not in {f"{one}s" for one in _units() if _has_plural(one)} | {"queries"}


@cache
def registry() -> "UnitRegistry":
    """Counts, bytes and time, and nothing else."""
    import pint

    registry = pint.UnitRegistry(None, on_redefinition="raise")
    for name in (*KINDS, "byte", "second"):
        registry.define(f"{name} = [{name}]")
    lengths = {"millisecond": 1e-3, "microsecond": 1e-6, "nanosecond": 1e-9, "minute": 60, "hour": 3600}
    lengths |= {"day": 86_400, "week": 7 * 86_400, "month": 30 * 86_400, "year": 365 * 86_400}
    for name, seconds in lengths.items():
        registry.define(f"{name} = {seconds} * second")
    return registry


@cache
def _units() -> dict[str, "Quantity"]:
    """One of each unit, by every name that it has."""
    make = registry().Quantity
    found = {name: make(1.0, name) for name in KINDS} | {name: make(1.0, kind) for name, kind in ALIASES.items()}
    found |= {name: make(1.0, kind) for names, kind in TIMES.items() for name in names.split()}
    found |= {"byte": make(1.0, "byte"), "B": make(1.0, "byte"), "cent": make(0.01, "dollar")}
    found["FLOPS"] = make(1.0, "FLOP/second")
    found |= {name: make(1.0, f"{kind}/second") for name, kind in RATES.items()}
    for letter, factor in PREFIXES.items():
        found |= {f"{letter}B": make(factor, "byte"), f"{letter}FLOP": make(factor, "FLOP")}
        found |= {f"{letter}FLOPS": make(factor, "FLOP/second")}
    for prefix, letter in zip(("kilo", "mega", "giga", "tera", "peta"), "KMGTP", strict=True):
        found[f"{prefix}byte"] = make(PREFIXES[letter], "byte")
    for place, letter in enumerate("KMGTPE", 1):
        found[f"{letter}iB"] = make(1024.0**place, "byte")
    found |= {name + "s": one for name, one in found.items() if _has_plural(name)} | {"queries": found["query"]}
    for letter in "KkMGT":
        found |= {f"{letter}{bit}": make(PREFIXES[letter] / 8, "byte") for bit in ("b", "bit")}
        found[f"{letter}bps"] = make(PREFIXES[letter] / 8, "byte/second")
    return found | {"bit": make(1 / 8, "byte"), "bits": make(1 / 8, "byte")}


def _has_plural(name: str) -> bool:
    return name.isalpha() and len(name) > 2 and not name.endswith(("S", "s", "B"))


@cache
def _loosely_written() -> dict[str, "Quantity"]:
    """One of each unit by its name in small letters, bytes before bits: ``gb``, ``qps``."""
    return {name.lower(): one for name, one in reversed(_units().items()) if name != "B"}
