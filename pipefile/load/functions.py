"""Keys of stages that call a function: how it is carried out."""

from __future__ import annotations

import re
from typing import Any, Literal, TypedDict

from pipefile.base.paths import show
from pipefile.load import values
from pipefile.load.faults import FaultError
from pipefile.load.schema import STAGE
from pipefile.model.stage import Call, Command

KEYS = ("mode", "external", "setup")

_CALL = re.compile(r"([^\W\d]\w*(?:\.[^\W\d]\w*)*):([^\W\d]\w*)")


class FunctionKeys(TypedDict, total=False):
    """Fields of Stage."""

    mode: Literal["auto", "function", "process"]
    external: bool
    setup: Call


def call(stage: str, key: str, text: str) -> Call:
    """A function by its name, `module:function`.

    Args:
        stage: Name of the stage.
        key: The key that holds it.
        text: Its value.

    Raises:
        FaultError: It is no such name.
    """
    match = _CALL.fullmatch(text)
    if match is None:
        raise FaultError(f"`{key}` of stage `{show(stage)}` must be `module:function`, not `{show(text)}`", ("stage", stage, key))
    return Call(match[1], match[2])


def function_keys(stage: str, table: dict[str, Any], action: Command | Call) -> FunctionKeys:
    """The keys of KEYS that a stage has; their types are checked already.

    Raises:
        FaultError: One of them is wrong, or the stage runs a command.
    """
    given = [key for key in KEYS if key in table]
    if isinstance(action, Command):
        message = f"`{given[0]}` of stage `{show(stage)}` is for functions, and the stage runs a command"
        raise FaultError(message, ("stage", stage, given[0]), "a command is a process of its own anyway" if given[0] != "setup" else "")
    found: FunctionKeys = {}
    if "mode" in table:
        values.check_bounds("mode", table["mode"], STAGE["mode"], f"stage `{show(stage)}`", ("stage", stage, "mode"))
        found["mode"] = table["mode"]
    if "external" in table:
        found["external"] = table["external"]
    if "setup" in table:
        found["setup"] = call(stage, "setup", table["setup"])
    return found
