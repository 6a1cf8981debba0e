"""The JSON schema of Pipefile.toml (draft-07), made of the table that the loader checks Pipefiles with."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pipefile.load.schema import FORMS, SECTIONS, TABLES, Key

_TYPES = {"table": "object", "strings": "array", "boolean": "boolean", "integer": "integer"}  # every other kind is a string
_LARGEST = (1 << 63) - 1
_EXAMPLES = {"duration": ["10m", "1.5s", "500ms"], "size": ["64MB", "4GB"]}


def text() -> str:
    """The schema as the text of a file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def schema() -> dict[str, Any]:
    """The schema."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Pipefile.toml",
        "description": "What a project makes, and how",
        "type": "object",
        "properties": {name: _described(key) for name, key in SECTIONS.items()},
        "additionalProperties": False,
        "definitions": {name: _table(TABLES[name]) for key in SECTIONS.values() for name in key.entries if name in TABLES},
    }


def _described(key: Key) -> dict[str, Any]:
    return {"description": key.doc, **_value(key, key.kinds)}


def _table(keys: dict[str, Key]) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "object", "properties": {name: _described(key) for name, key in keys.items()}, "additionalProperties": False}
    required = [name for name, key in keys.items() if key.required]
    return {**found, "required": required} if required else found


def _value(key: Key, kinds: Iterable[str]) -> dict[str, Any]:
    """What a value of one of *kinds* may be. Keywords of a schema speak of one type each, so kinds are joined by being put together.

    Args:
        key: Where it stands: what tables and arrays may hold, and how large they are, is said there.
        kinds: Names of KINDS or TABLES, or "value".
    """
    kinds = tuple(kinds)
    if kinds == ("value",):
        return {}
    found: dict[str, Any] = {}
    types: list[str] = []
    for kind in kinds:
        types.append("object" if kind in TABLES else _TYPES.get(kind, "string"))
        if kind == "strings":
            found["items"] = _value(key, ("string", *key.elements)) if key.elements else {"type": "string"}
        elif kind == "table":
            found.update(_entries(key))
        elif kind in TABLES:
            if len(kinds) == 1:
                return {"$ref": f"#/definitions/{kind}"}
            found.update({word: rule for word, rule in _table(TABLES[kind]).items() if word != "type"})
        elif kind in FORMS:
            words = "".join(f"|{word}" for word in key.words)
            found["pattern"] = f"^({FORMS[kind]}{words})$"
            found["examples"] = _EXAMPLES[kind]
    if kinds == key.kinds:
        found.update(_bounds(key, types))
    return {"type": types[0] if len(types) == 1 else list(dict.fromkeys(types)), **found}


def _bounds(key: Key, types: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if key.choices and types == ["string"]:
        found["enum"] = list(key.choices)
    elif key.choices and types == ["string", "boolean"]:
        found["enum"] = [*key.choices, True, False]
    elif key.choices:  # of the strings alone
        found["pattern"] = f"^({'|'.join(key.choices)})$"
    if key.nonempty and "string" in types:
        found["minLength"] = 1
    if key.nonempty and "array" in types:
        found["minItems"] = 1
    if key.nonempty and "object" in types:
        found["minProperties"] = 1
    if key.least is not None:
        found.update({"minimum": key.least, "maximum": _LARGEST})
    return found


def _entries(key: Key) -> dict[str, Any]:
    """What a table may hold: keys with names of their own, and entries whose names the user makes up."""
    found: dict[str, Any] = {}
    if key.keys:
        found["properties"] = {name: _described(inner) for name, inner in TABLES[key.keys].items()}
        required = [name for name, inner in TABLES[key.keys].items() if inner.required]
        if required:
            found["required"] = required
    if key.entries:
        if key.names:
            found["patternProperties"] = {f"^{key.names}$": _value(key, key.entries)}
        else:
            found["additionalProperties"] = _value(key, key.entries)
    if key.names or not key.entries:
        found["additionalProperties"] = False
    return found
