"""Classes of outputs: `{ path = "x", temp | checkpoint | optional = true, atomic = false, cache = false }`."""

from __future__ import annotations

from collections.abc import Mapping

from pipefile.base.dataclass import replace
from pipefile.base.locations import KeyPath
from pipefile.base.paths import show
from pipefile.load.faults import FaultError
from pipefile.model.stage import Output

_KINDS = ("temp", "checkpoint", "optional")


def of(output: Output, table: Mapping[str, bool], stage: str, key: KeyPath) -> Output:
    """An output as its table has it.

    Args:
        output: As its path alone would have it.
        table: The table, with keys and types that are allowed.
        stage: The stage's name.
        key: Where the table stands.

    Raises:
        FaultError: Two of its keys contradict each other, or a value has one that only files can have.
    """
    given = [name for name in _KINDS if table.get(name)]
    atomic = table.get("atomic", True)
    named = given if atomic else [*given, "atomic"]
    if output.value and named:
        what = f"output `{show(output.name or '')}` of stage `{show(stage)}`"
        raise FaultError(f"{what} is a value, which cannot have `{named[0]}`", (*key, named[0]), "files and directories can")
    if "checkpoint" in given and len(given) > 1:
        other = next(name for name in given if name != "checkpoint")
        what = f"output `{show(output.path)}` of stage `{show(stage)}`"
        why = "a checkpoint stays" if other == "temp" else "a checkpoint may be absent anyway"
        raise FaultError(f"{what} is both `checkpoint` and `{other}`", (*key, other), why)
    in_place = output.in_place or not atomic or "checkpoint" in given
    return replace(
        output,
        cache=table.get("cache", True),
        temp="temp" in given,
        checkpoint="checkpoint" in given,
        optional="optional" in given,
        atomic=atomic,
        in_place=in_place,
    )
