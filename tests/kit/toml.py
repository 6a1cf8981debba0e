"""A TOML writer for what Pipefiles hold: tables of strings, numbers, booleans, lists and tables."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

_PLAIN = ("pipefile", "global", "alias", "resources")
_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")


def toml(tables: Mapping[str, Mapping[str, object]]) -> str:
    """The text of *tables*: those of _PLAIN as one table each, every other one with a sub-table a key (`[stage.NAME]`)."""
    blocks = []
    for table, entries in tables.items():
        if table in _PLAIN:
            if entries:
                blocks.append(_block(key(table), entries))
        else:
            blocks += [_block(f"{key(table)}.{key(name)}", entry) for name, entry in entries.items() if isinstance(entry, Mapping)]
    return "\n".join(blocks)


def _block(header: str, entries: Mapping[str, object]) -> str:
    return f"[{header}]\n" + "".join(f"{key(name)} = {value(entry)}\n" for name, entry in entries.items())


def key(name: str) -> str:
    return name if _BARE.match(name) else string(name)


def string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def value(entry: object) -> str:
    if isinstance(entry, bool):
        return "true" if entry else "false"
    if isinstance(entry, str):
        return string(entry)
    if isinstance(entry, (int, float)):
        return repr(entry)
    if isinstance(entry, (list, tuple)):
        return "[" + ", ".join(value(each) for each in entry) + "]"
    if isinstance(entry, Mapping):
        return "{ " + ", ".join(f"{key(name)} = {value(each)}" for name, each in entry.items()) + " }"
    raise TypeError(f"no TOML for {entry!r}")
