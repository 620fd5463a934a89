"""Checks front matter against ``bank/schema.json`` and says in words what is wrong.

It reads the few keywords that the schema uses, so that learners need no JSON schema package; a test holds it to
``jsonschema``.
"""

import datetime
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

KINDS = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}
# What YAML makes of a text without quotes.
TRAPS = {
    bool: "YAML reads yes, no, on and off as true or false",
    int: "YAML reads 001 as 1 and 12:30 as 750",
    float: "YAML reads 1.10 as 1.1",
    datetime.date: "YAML reads 2024-01-31 as a date",
    datetime.datetime: "YAML reads it as a date and time",
    type(None): "YAML reads null, ~ and nothing at all as no value",
}


@cache
def load_schema(path: Path) -> dict:
    """The schema in this file."""
    return json.loads(path.read_text(encoding="utf-8"))


def problems(meta: dict, schema: dict) -> Iterator[tuple[str, str]]:
    """Key and message for everything in which the front matter departs from the schema."""
    for key in schema["required"]:
        if key not in meta:
            yield key, f"front matter lacks `{key}`"
    for key, value in meta.items():
        if key not in schema["properties"]:
            yield str(key), f"front matter has an unknown key `{key}`"
        else:
            yield from ((key, message) for message in _value_problems(f"`{key}`", value, schema["properties"][key]))


def _value_problems(name: str, value: object, rule: dict) -> Iterator[str]:
    kinds = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
    if not any(_is(value, kind) for kind in kinds):
        yield _wrong_type(name, value, kinds[0])
    elif isinstance(value, list):
        for place, entry in enumerate(value, 1):
            yield from _value_problems(f"{name}, entry {place},", entry, rule["items"])
    elif isinstance(value, str):
        yield from _text_problems(name, value, rule)
    elif not rule.get("minimum", value) <= value <= rule.get("maximum", value):
        yield f"{name} is {value}, outside {rule.get('minimum')} to {rule.get('maximum', 'any')}"


def _text_problems(name: str, value: str, rule: dict) -> Iterator[str]:
    if value not in rule.get("enum", [value]):
        yield f"{name} is {value!r}, not one of {', '.join(rule['enum'])}"
    if not re.search(rule.get("pattern", ""), value):
        yield f"{name} is {value!r}, which does not match {rule['pattern']}"
    if len(value) < rule.get("minLength", 0):
        yield f"{name} is {value!r}, too short to say anything"


def _is(value: object, kind: str) -> bool:
    return isinstance(value, KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _wrong_type(name: str, value: object, wanted: str) -> str:
    article = "an" if wanted in ("integer", "array") else "a"
    message = f"{name} must be {article} {wanted}, got {type(value).__name__} {value}"
    if wanted == "string" and type(value) in TRAPS:
        message += f" ({TRAPS[type(value)]}: put it in quotes)"
    return message
