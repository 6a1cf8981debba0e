"""Values as JSON, where that is exact: what is read is what was written, types included.

Texts, integers, floats that are numbers, true, false, null, lists, and tables whose keys are texts. The order of keys is not kept: they are sorted,
so that equal values are equal bytes. A text is written as it is, in UTF-8; if there is a lone surrogate anywhere (a byte of a path that is no UTF-8),
all that is not ASCII is written as escapes.
"""

from __future__ import annotations

import json
from typing import Any

DEPTH = 200

_SCALARS = frozenset([str, int, float, bool, type(None)])
_HINTS = {
    "tuple": "make it a list",
    "set": "make it a sorted list",
    "bytes": "decode it, or write it to a file and return a FileRef",
    "FileRef": "declare it as an output of its own",
    "ndarray": "call `.tolist()` on it",
    "PosixPath": "call `str()` on it",
}

_encode = json.JSONEncoder(sort_keys=True, allow_nan=False, check_circular=False, ensure_ascii=False).encode
_escape = json.JSONEncoder(sort_keys=True, allow_nan=False, check_circular=False).encode


def exact_json(value: object, ordered: bool = False) -> bytes | str:
    """*value* as JSON with a line break at its end.

    Args:
        value: Anything.
        ordered: The order of a table's keys has to stay as well.

    Returns:
        The bytes; or, as text, what in *value* would not come back as it is, in words that follow its name.
    """
    fault = _unlike_json(value, ordered)
    if fault:
        return fault
    try:
        text = _encode(value)
    except ValueError as error:
        if "digits" in str(error):
            return "holds an integer of too many digits"
        return "holds a float that is no number (nan or infinite), which JSON does not have"
    try:
        return text.encode("utf-8") + b"\n"
    except UnicodeEncodeError:
        text = _escape(value)
        if json.loads(text) != value:
            return "holds a text with the two halves of one character"
        return text.encode("ascii") + b"\n"


def _unlike_json(value: object, ordered: bool) -> str:
    """What in *value* has a type that JSON does not have; "" if nothing has."""
    todo: list[tuple[Any, Any, int]] = [(value, None, 0)]
    while todo:
        item, at, depth = todo.pop()
        kind = type(item)
        if kind in _SCALARS:
            continue
        if kind is list:
            inner = item
        elif kind is dict:
            odd = [key for key in item if type(key) is not str][:1]
            if odd:
                return f"holds a table with the key `{odd[0]!r}`{_where(at)}: keys must be texts"
            if ordered and list(item) != sorted(item):
                return f"holds a table whose keys are not sorted{_where(at)}"
            inner = item.values()
        else:
            name = kind.__name__
            hint = _HINTS.get(name) or ("call `.item()` on it" if kind.__module__ == "numpy" else "")
            return f"{'holds' if at else 'is'} a `{name}`{_where(at)}, which is no JSON{f': {hint}' if hint else ''}"
        if set(map(type, inner)) <= _SCALARS:
            continue
        if depth == DEPTH:
            return f"is nested more than {DEPTH} levels deep"
        pairs = item.items() if kind is dict else enumerate(inner)
        todo += [(each, (at, key), depth + 1) for key, each in pairs if type(each) not in _SCALARS]
    return ""


def _where(at: Any) -> str:
    keys = []
    while at is not None:
        at, key = at
        keys.append(f"[{key!r}]")
    return f" at {''.join(reversed(keys))}" if keys else ""
