"""`[resources]`, and the key `resources` of stages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipefile.base.locations import KeyPath
from pipefile.base.paths import show
from pipefile.load import values
from pipefile.load.faults import FaultError, did_you_mean, kind_of
from pipefile.model.stage import Resources
from pipefile.plan.resources import CPU, GPU, MEMORY

_LARGEST = 1 << 31
_OF_THE_MACHINE = {CPU: "`-j` says how many CPUs there are"}


def section(table: Mapping[str, Any]) -> dict[str, int | str]:
    """`[resources]`: how much there is.

    Raises:
        FaultError: Something in it is wrong.
    """
    found: dict[str, int | str] = {}
    for name, value in table.items():
        key: KeyPath = ("resources", name)
        what = f"`{show(name)}` in `[resources]`"
        if name in _OF_THE_MACHINE:
            raise FaultError(f"{what} cannot be set", key, _OF_THE_MACHINE[name])
        if name == MEMORY:
            found[name] = _memory(value, what, key)
        elif name == GPU and value == "auto":
            found[name] = "auto"
        elif type(value) is not int:
            wanted = 'an integer or "auto"' if name == GPU else "an integer"
            raise FaultError(f"{what} must be {wanted}, not {_told(value)}", key)
        else:
            found[name] = _count(value, what, key, 0)
    return found


def demand(stage: str, raw: Mapping[str, Any], there: Mapping[str, int | str]) -> Resources:
    """What a stage needs; without what it needs none of.

    Args:
        stage: Its name.
        raw: Its `resources`.
        there: `[resources]`.

    Raises:
        FaultError: Something in it is wrong.
    """
    found: dict[str, int] = {}
    for name, value in raw.items():
        key: KeyPath = ("stage", stage, "resources", name)
        what = f"`{show(name)}` in `resources` of stage `{show(stage)}`"
        if name == MEMORY:
            found[name] = _memory(value, what, key)
            continue
        if name != CPU and name not in there:
            near = did_you_mean(name, [CPU, MEMORY, *there])
            raise FaultError(f"{what} is not in `[resources]`", key, near or f"`[resources]` says how many there are: `{_example(name)}`")
        if type(value) is not int:
            raise FaultError(f"{what} must be an integer, not {_told(value)}", key)
        found[name] = _count(value, what, key, 1 if name == CPU else 0)
    return {name: amount for name, amount in found.items() if amount}


def _memory(value: Any, what: str, key: KeyPath) -> int:
    if type(value) is not str:
        raise FaultError(f'{what} must be a size such as "64MB", not {_told(value)}', key)
    return values.size(value, what, key)


def _count(value: int, what: str, key: KeyPath, least: int) -> int:
    if value < least:
        raise FaultError(f"{what} must be at least {least}", key)
    if value >= _LARGEST:
        raise FaultError(f"{what} is too large", key)
    return value


def _told(value: object) -> str:
    return f"`{show(value)}`" if isinstance(value, str) else kind_of(value)


def _example(name: str) -> str:
    return 'gpu = "auto"' if name == GPU else f"{show(name)} = 1"
