"""`metrics`: outputs of a stage whose numbers `runs diff` compares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipefile.base.locations import KeyPath
from pipefile.base.paths import BadPathError, join, normalise, show
from pipefile.load import values
from pipefile.load.faults import FaultError, did_you_mean
from pipefile.model.stage import Output


def metrics(stage: str, raw: Any, outputs: Sequence[Output], folder: str, table: values.Globals) -> tuple[str, ...]:
    """The outputs that `metrics` of a stage names, by their paths or by their names: paths from the root.

    Args:
        stage: The stage's name.
        raw: A string, or a list of them.
        outputs: The stage's.
        folder: Of its Pipefile, from the root.
        table: `[global]`.

    Raises:
        FaultError: One of them is no file that the stage makes.
    """
    base: KeyPath = ("stage", stage, "metrics")
    where = f"`metrics` of stage `{show(stage)}`"
    found: dict[str, None] = {}
    for index, written in enumerate(values.strings(raw, where, base)):
        key: KeyPath = (*base, index) if type(raw) is list else base
        text = table.fill_path(written, where, key) if "{" in written or "}" in written else written
        output = _output(text, outputs, folder)
        if output is None:
            files = [each for each in outputs if not each.value and not each.directory]
            near = did_you_mean(text, [*[each.path for each in files], *[each.name for each in files if each.name]])
            message = f"`{show(text)}` in {where} is no output of it"
            raise FaultError(message, key, near or "`metrics` names outputs of the stage: JSON files, whose numbers `runs diff` compares")
        if output.value:
            raise FaultError(f"`{show(text)}` in {where} is a value", key, "`runs diff` compares values as they are: leave it out")
        if output.directory:
            hint = "make a file with the numbers an output of its own, outside of it"
            raise FaultError(f"`{show(text)}` in {where} is a directory, not a JSON file", key, hint)
        found[output.path] = None
    return tuple(found)


def _output(text: str, outputs: Sequence[Output], folder: str) -> Output | None:
    try:
        path = normalise(text if text.startswith("/") else join(folder, text))
    except BadPathError:
        path = ""
    found = [each for each in outputs if each.path == path] or [each for each in outputs if each.name == text]
    return found[0] if found else None
