"""`batch`: what of a stage differs by item, and commands in which a list of all items cannot stand."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pipefile.base.locations import KeyPath
from pipefile.base.paths import show
from pipefile.load import values
from pipefile.load.faults import FaultError
from pipefile.load.schema import STAGE
from pipefile.model.stage import Batch, Command, Field, Stage, Template, Value
from pipefile.plan.batches import is_apart
from pipefile.plan.template import fields, parse

_TARGET = re.compile(r"[<>][&|>]?[ \t]*\Z")
_ENDS_WORD = re.compile(r"(?:\A|[\s;&|(){}!])\Z")
_BEGINS_WORD = re.compile(r"\A[\s;&|(){}<>]")


def batch_of(stage: Stage, most: Any, is_item: Callable[[Field], bool]) -> Batch:
    """The `batch` of a stage whose other keys are read.

    Args:
        stage: The stage, with placeholders of items in its texts.
        most: The value of the key, an integer.
        is_item: Whether a placeholder is one of items.

    Raises:
        FaultError: The number is out of bounds, or the stage cannot run for several items at once.
    """
    key: KeyPath = ("stage", stage.name)
    values.check_bounds("batch", most, STAGE["batch"], f"stage `{show(stage.name)}`", (*key, "batch"))

    def differs(text: str) -> bool:
        return any(is_item(field) for field in fields(parse(text)))

    for variable, text in stage.env.items():
        if text is not None and differs(text):
            what = f"variable `{show(variable)}` in `env` of stage `{show(stage.name)}` differs by item, and a batch has one environment"
            raise FaultError(what, (*key, "env", variable), "hand it over in `run` or `params`")
    apart = set()
    for group in stage.inputs:
        if any(differs(item.text) for item in group.items):
            apart.update(["inputs", group.name or "inputs"])
    apart.update([f"params.{name}" for name, value in stage.params.items() if any(map(differs, _texts(value)))])
    if differs(stage.depfile):
        apart.add("depfile")
    batch = Batch(most, frozenset(apart))
    if isinstance(stage.action, Command):
        _check_command(stage, batch, stage.action)
    return batch


def _texts(value: Value) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for each in inner for text in _texts(each)]


def _check_command(stage: Stage, batch: Batch, command: Command) -> None:
    """Refuse a list of all items where the author has thought of one."""
    from pipefile.base.dataclass import replace

    stage = replace(stage, batch=batch)

    def is_list(piece: str | Field) -> bool:
        return isinstance(piece, Field) and not piece.name.endswith(".file") and is_apart(piece, stage)

    for template in command.argv:
        if len(template) > 1 and (found := next(filter(is_list, template), None)) is not None:
            raise _misfit(stage, found, "inside a longer argument")
    for index, piece in enumerate(command.template):
        if not is_list(piece):
            continue
        before, after = _around(command.template, index)
        if _TARGET.search(before):
            raise _misfit(stage, piece, "where a redirection takes one file")
        if not _ENDS_WORD.search(before) or not (not after or _BEGINS_WORD.match(after)):
            raise _misfit(stage, piece, "inside a longer word")


def _around(template: Template, index: int) -> tuple[str, str]:
    """The text before and after a placeholder; another placeholder there is part of the same word."""

    def text(at: int) -> str:
        piece = template[at] if 0 <= at < len(template) else ""
        return piece if isinstance(piece, str) else "x"

    return text(index - 1), text(index + 1)


def _misfit(stage: Stage, field: object, where: str) -> FaultError:
    what = f"`{field}` in `run` of stage `{show(stage.name)}` is a list of all items of a batch, and stands {where}"
    hint = "a command of a batch takes lists of inputs and outputs, such as `tool --in {src} --out {dst}`"
    return FaultError(what, ("stage", stage.name, "run"), hint, str(field))

