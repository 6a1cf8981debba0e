"""What a command line lays over a Pipefile: `--profile NAME` and `--set global.KEY=VALUE`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipefile.base.dataclass import dataclass
from pipefile.base.errors import UsageError
from pipefile.base.locations import KeyPath
from pipefile.base.paths import show
from pipefile.load import values
from pipefile.load.config import laid_over
from pipefile.load.faults import FaultError, did_you_mean, kind_of
from pipefile.load.resources import section
from pipefile.load.schema import PROFILE

_PREFIX = "global."


@dataclass(frozen=True, slots=True)
class Overlay:
    """What is laid over a Pipefile for one command.

    Args:
        profile: A table `[profile.NAME]`, by its name; "" for none.
        sets: `global.KEY=VALUE`, in order, laid over that.
    """

    profile: str = ""
    sets: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.profile or self.sets)


NOTHING = Overlay()


def check_profiles(document: Mapping[str, Any]) -> None:
    """Check all profiles, whichever is asked for.

    Raises:
        FaultError: Something in one is wrong.
    """
    for name, table in document.get("profile", {}).items():
        where: KeyPath = ("profile", name)
        if type(table) is not dict:
            hint = f"a profile begins with `[profile.{show(name)}]`"
            raise FaultError(f"`profile.{show(name)}` must be a table, not {kind_of(table)}", where, hint)
        values.check_keys(table, PROFILE, f"profile `{show(name)}`", where)
        if "default" in table:
            values.strings(table["default"], f"`default` of profile `{show(name)}`", (*where, "default"))
        if "resources" in table:
            try:
                section(table["resources"])
            except FaultError as fault:
                fault.key = (*where, *fault.key)
                fault.message = fault.message.replace("`[resources]`", f"`[profile.{show(name)}.resources]`")
                raise
        if "global" in table:
            values.check_value(table["global"], (*where, "global"))
            _check_known(table["global"], document.get("global", {}), name, (*where, "global"))


def _check_known(table: Mapping[str, Any], base: Mapping[str, Any], profile: str, key: KeyPath) -> None:
    for name, value in table.items():
        if name not in base:
            above = "".join([f"{part}." for part in key[3:]])
            path = above + name
            hint = did_you_mean(name, base, f"global.{above}{{}}") or f"`[global]` says what it is without the profile: `{show(path)} = ...`"
            raise FaultError(f"`global.{show(path)}` of profile `{show(profile)}` is not in `[global]`", (*key, name), hint)
        below = base[name]
        if isinstance(value, dict) and isinstance(below, dict):
            _check_known(value, below, profile, (*key, name))


def applied(document: Mapping[str, Any], overlay: Overlay) -> dict[str, Any]:
    """A document with *overlay* laid over it; its profiles are checked.

    Raises:
        UsageError: There is no such profile or key.
    """
    found = dict(document)
    if overlay.profile:
        profiles = document.get("profile", {})
        if overlay.profile not in profiles:
            hint = did_you_mean(overlay.profile, profiles) or (f"there are `{'`, `'.join(map(show, profiles))}`" if profiles else "")
            raise UsageError(f"there is no profile `{show(overlay.profile)}`", hint=hint)
        profile = profiles[overlay.profile]
        for name in ("global", "resources"):
            if name in profile:
                found[name] = laid_over(document.get(name, {}), profile[name])
        if "default" in profile:
            found["pipefile"] = {**document.get("pipefile", {}), "default": profile["default"]}
    for text in overlay.sets:
        found["global"] = _with(found.get("global", {}), text)
    return found


def _with(table: dict[str, Any], text: str) -> dict[str, Any]:
    """`[global]` with one `global.KEY=VALUE` in it."""
    path, equals, value = text.partition("=")
    path = path.strip()
    if not equals or not path.startswith(_PREFIX):
        near = f"`--set {_PREFIX}{show(text)}`" if equals and path and values.look_up(table, path) is not None else ""
        raise UsageError(f"`--set {show(text)}` names no key of `[global]`", hint=near or "`--set global.KEY=VALUE` sets one")
    name = path[len(_PREFIX) :]
    keys = _keys(table, name)
    if keys is None:
        hint = did_you_mean(name, values.key_paths(table), _PREFIX + "{}")
        raise UsageError(f"`--set {show(text)}`: there is no `{show(path)}`", hint=hint)
    found = _value(value)
    try:
        values.check_value(found, ("global", *keys))
    except FaultError as fault:
        raise UsageError(f"`--set {show(text[:100])}`: {fault.message}", hint=fault.hint) from None
    return _replaced(table, keys, found)


def _keys(table: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    """The keys that lead to `a.b`; one that is itself written `a.b` comes first. None where there is no such value."""
    if name in table:
        return (name,)
    first, dot, rest = name.partition(".")
    below = table.get(first)
    inner = _keys(below, rest) if dot and isinstance(below, dict) else None
    return None if inner is None else (first, *inner)


def _replaced(table: Mapping[str, Any], keys: tuple[str, ...], value: Any) -> dict[str, Any]:
    first, *rest = keys
    return {**table, first: _replaced(table[first], tuple(rest), value) if rest else value}


def _value(text: str) -> Any:
    """A value as TOML has it, else the text itself."""
    import tomli

    try:
        found = tomli.loads(f"value = {text}")
    except (tomli.TOMLDecodeError, RecursionError, ValueError):
        return text
    value = found.pop("value")
    return text if found or not isinstance(value, str | int | float | bool | list | dict) else value  # a date is no value of ours
