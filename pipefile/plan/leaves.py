"""JSON as a flat list: each number, text and truth by its dotted path.

`{"loss": 0.5, "recall": [0.9, 1.0], "by class": {"a.b": 3}}` has the leaves `loss`, `recall.0`, `recall.1` and `by class."a.b"`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import isfinite, isnan

NOT_FINITE = ("NaN", "Infinity", "-Infinity")
"""How numbers are spelled that JSON does not know."""


def leaves(value: object) -> Iterator[tuple[str, object]]:
    """What *value* holds, in order: dotted paths and what is there. Empty tables and lists are leaves themselves; so is a *value* that is neither,
    by the path ""."""
    todo = [("", value)]
    while todo:
        path, value = todo.pop()
        inner = _inner(value)
        if not inner:
            yield path, value
            continue
        todo += [(f"{path}.{name}" if path else name, each) for name, each in reversed(inner)]


def _inner(value: object) -> list[tuple[str, object]]:
    if isinstance(value, dict):
        return [(_name(str(key)), each) for key, each in value.items()]
    if isinstance(value, list):
        return [(str(index), each) for index, each in enumerate(value)]
    return []


def _name(key: str) -> str:
    """A key as a part of a dotted path, in quotes where it would not be one part."""
    return json.dumps(key, ensure_ascii=False) if not key or "." in key or key[0] == '"' else key


def numbers(value: object, most: int) -> tuple[dict[str, float | str], bool]:
    """The numbers of *value* by dotted path, and whether these are all.

    Args:
        value: What JSON can hold, or Python's reader of it makes: NaN too.
        most: How many to take.
    """
    found: dict[str, float | str] = {}
    for path, leaf in leaves(value):
        if isinstance(leaf, bool) or not isinstance(leaf, int | float):
            continue
        if len(found) == most:
            return found, False
        found[path] = spelled(leaf) if isinstance(leaf, float) else leaf
    return found, True


def spelled(number: float) -> float | str:
    """A number that JSON does not know as text."""
    if isfinite(number):
        return number
    return "NaN" if isnan(number) else "Infinity" if number > 0 else "-Infinity"
