"""Values of a Pipefile that are more than their TOML type: durations, sizes, lists of strings, `[global]`, paths of the project."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from pipefile.base.locations import KeyPath
from pipefile.base.paths import BadPathError, join, normalise, show
from pipefile.load.faults import FaultError, did_you_mean, kind_of, unknown_key, wrong_kind
from pipefile.load.schema import FORMS, Key
from pipefile.model.stage import Field, Template, Value
from pipefile.plan.template import joined, parse
from pipefile.plan.texts import value_text

_DURATION = re.compile(FORMS["duration"])
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SIZE = re.compile(FORMS["size"])
_BYTES = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}

_LARGEST = 1 << 63
_DEPTH = 100  # far below where Python's own writers of JSON give up


def duration(text: str, what: str, key: KeyPath) -> float:
    """Seconds."""
    match = _DURATION.fullmatch(text)
    seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    if seconds <= 0:
        raise FaultError(f"{what} must be a duration, not `{show(text)}`", key, 'a duration is a number and a unit: "500ms", "1s", "10m" or "2h"')
    return seconds


def size(text: str, what: str, key: KeyPath) -> int:
    """Bytes."""
    match = _SIZE.fullmatch(text)
    count = int(float(match[1]) * _BYTES[match[2]]) if match else 0
    if count <= 0:
        raise FaultError(f"{what} must be a size, not `{show(text)}`", key, 'a size is a number and a unit: "500kB", "64MB" or "4GB"')
    return count


def strings(value: object, what: str, key: KeyPath) -> tuple[str, ...]:
    """A string, or an array of strings, without NUL characters."""
    if isinstance(value, str):
        value = [value]
    assert isinstance(value, list)  # checked against the schema before
    for index, item in enumerate(value):
        if type(item) is not str:
            raise FaultError(f"{what} must be an array of strings, not an array with {kind_of(item)} in it", (*key, index))
        if "\0" in item:
            raise FaultError(f"{what} must not hold a NUL character", (*key, index))
    return tuple(value)


def check_keys(table: dict[str, object], known: dict[str, Key], where: str, key: KeyPath) -> None:
    """Check the keys of a table and the types of their values against the schema."""
    from pipefile.load.schema import types

    allowed = types(known)
    for name, value in table.items():
        if name not in allowed:
            raise unknown_key(name, known, where, (*key, name))
        if type(value) not in allowed[name]:
            raise wrong_kind(f"`{name}` in {where}", known[name].kinds, value, (*key, name))
        check_bounds(name, value, known[name], where, (*key, name))


def check_bounds(name: str, value: object, rule: Key, where: str, key: KeyPath) -> None:
    """What the schema says of a value beyond its type."""
    if rule.choices and isinstance(value, str) and value not in rule.choices:
        raise FaultError(
            f"`{name}` in {where} must be {' or '.join(f'`{choice}`' for choice in rule.choices)}, not `{show(str(value))}`",
            key,
            did_you_mean(str(value), rule.choices),
        )
    if rule.nonempty and not value:
        raise FaultError(f"`{name}` in {where} must not be empty", key)
    if rule.least is not None and isinstance(value, int) and not rule.least <= value < _LARGEST:
        raise FaultError(f"`{name}` in {where} must be at least {rule.least}" if value < rule.least else f"`{name}` in {where} is too large", key)


def check_value(value: object, key: KeyPath, what: str = "", null: bool = False) -> None:
    """Check that a value of `[global]` or of params is one that can be tracked; *null*: so is what JSON calls null. Without recursion: files can be
    hostile."""
    todo = [(value, key)]
    while todo:
        item, at = todo.pop()
        kind = type(item)
        if kind is dict or kind is list:
            if len(at) > _DEPTH:
                raise FaultError(f"values are nested more than {_DEPTH} levels deep", at[:3])
            pairs = item.items() if isinstance(item, dict) else enumerate(item) if isinstance(item, list) else ()
            todo += [(inner, (*at, name)) for name, inner in pairs]
        elif kind is str:
            if "\0" in item:  # type: ignore[operator]
                raise FaultError(f"{what or named(at)} holds a NUL character", at)
        elif kind is int:
            if not -_LARGEST <= item < _LARGEST:  # type: ignore[operator]
                raise FaultError(f"{what or named(at)} is an integer of more than 64 bits", at, "write it as a string")
        elif kind is not bool and kind is not float and not (null and item is None):
            raise FaultError(f"{what or named(at)} is a date or time, which pipefile does not track", at, "write it as a string")


def named(key: KeyPath) -> str:
    """A key path as references write it, in backticks: `global.model.name`."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return f"`{show(text)}`"


def look_up(table: Mapping[str, Value], name: str) -> Value | None:
    """The value of `a.b` in nested tables; a key that is itself written `a.b` comes first. None where there is none, which TOML cannot hold."""
    if name in table:
        return table[name]
    found: Mapping[str, Value] | Value = table
    for part in name.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found  # type: ignore[return-value]


def key_paths(table: Mapping[Any, Any]) -> list[str]:
    """The keys of nested tables as references write them, up to a bound."""
    names: list[str] = []
    todo = [(str(key), value) for key, value in table.items()]
    while todo and len(names) < 10_000:
        path, value = todo.pop()
        names.append(path)
        if isinstance(value, Mapping):
            todo += [(f"{path}.{key}", inner) for key, inner in value.items()]
    return names


class Globals:
    """`[global]`, and what `global.KEY` and `{global.KEY}` stand for."""

    def __init__(self, table: dict[str, Value]) -> None:
        self.table = table

    def get(self, name: str) -> Value | None:
        """The value of `a.b` (without `global.`); None where there is none, which TOML cannot hold."""
        return look_up(self.table, name)

    def hint(self, name: str, form: str) -> str:
        """A did-you-mean for an unknown one."""
        return did_you_mean(name, key_paths(self.table), form)

    def text(self, field: Field, what: str, key: KeyPath) -> str | list[str]:
        """What `{global.KEY}` becomes."""
        value = self.get(field.name[7:])
        if value is None:
            raise FaultError(f"unknown placeholder `{field}` in {what}", key, self.hint(field.name[7:], "{{global.{}}}"), str(field))
        return placeholder_text(value, field, what, key)

    def fill_path(self, text: str, what: str, key: KeyPath) -> str:
        """A path with its `{global.KEY}` filled in."""
        template: Template = parse(text)
        pieces = []
        for piece in template:
            if isinstance(piece, str):
                pieces.append(piece)
                continue
            if not piece.name.startswith("global."):
                hint = f"paths know `{{global.KEY}}` alone; literal braces are doubled: `{{{piece}}}`"
                if self.get(piece.name) is not None:
                    hint = f"did you mean `{{global.{piece.name}}}`?"
                raise FaultError(f"unknown placeholder `{piece}` in {what}", key, hint, str(piece))
            value = self.text(piece, what, key)
            if not isinstance(value, str):
                raise FaultError(f"`{piece}` in {what} is a list, which cannot be part of a path", key, needle=str(piece))
            pieces.append(value)
        return "".join(p for p in joined(pieces) if isinstance(p, str))


def placeholder_text(value: Value, field: Field, what: str, key: KeyPath) -> str | list[str]:
    """What a value becomes in a command: one text, or a list of them."""
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value)):
        kind = "a table" if isinstance(value, dict) else "a nested array"
        raise FaultError(f"`{field}` in {what} is {kind}, which is no text", key, needle=str(field))
    if field.index is None:
        return value_text(value)
    if not isinstance(value, list):
        raise FaultError(f"`{field}` in {what} asks for one of a list, but the value is {kind_of(value)}", key, needle=str(field))
    if field.index >= len(value):
        raise FaultError(f"`{field}` in {what} asks for more than there is: the list has {len(value)}", key, needle=str(field))
    return value_text(value[field.index])


def anywhere(text: str, root: str, folder: str, what: str, key: KeyPath) -> str:
    """A path of a file that is only read or asked for, so it may lie outside of the project: from the root where it lies inside, else absolute.

    Raises:
        FaultError: No file can have it.
    """
    try:
        path = normalise(join(folder, text))
    except BadPathError as error:
        if "leaves" not in str(error):
            raise FaultError(f"{what} is {error}", key) from None
        path = normalise(os.path.join(root, folder, text))
    return path[len(root) + 1 :] if path.startswith(root + "/") else path


def project_path(text: str, folder: str, what: str, key: KeyPath) -> str:
    """A path of the project as the Pipefile in *folder* writes it, from the root, normalised."""
    if text.startswith("/"):
        raise FaultError(f"{what} is an absolute path: `{show(text)}`", key, needle=text)
    try:
        return normalise(f"{folder}/{text}" if folder and text else text)
    except BadPathError as error:
        raise FaultError(f"{what} is {error}: `{show(text)}`", key) from None
