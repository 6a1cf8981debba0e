"""`secret_env`: variables whose values nobody may read anywhere."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pipefile.base.locations import KeyPath
from pipefile.base.paths import show
from pipefile.load import values
from pipefile.load.faults import FaultError
from pipefile.model.stage import Settings


def secret_names(stage: str, raw: Any, tracked: Collection[str], settings: Settings) -> tuple[str, ...]:
    """The names in `secret_env` of a stage.

    Args:
        stage: Its name.
        raw: Its `secret_env`.
        tracked: The names in its `env`.
        settings: Names that are tracked for every stage, and those that records may show.

    Raises:
        FaultError: One of them is no name, or something else is said of it as well.
    """
    names = values.strings(raw, f"`secret_env` of stage `{show(stage)}`", ("stage", stage, "secret_env"))
    for index, name in enumerate(names):
        key: KeyPath = ("stage", stage, "secret_env", index)
        if not name or "=" in name:
            raise FaultError(f"`{show(name)}` in `secret_env` of stage `{show(stage)}` is no name of a variable", key)
        if name in tracked or name in settings.env:
            where = "`env` of the stage" if name in tracked else "`env` of `[pipefile]`"
            hint = "what is in `env` counts for the key; a secret is in no key"
            raise FaultError(f"`{show(name)}` is in `secret_env` of stage `{show(stage)}`, and in {where}", key, hint)
        if name in settings.show_env:
            raise FaultError(f"`{show(name)}` is in `secret_env` of stage `{show(stage)}`, and in `show_env` of `[pipefile]`", key)
    return tuple(dict.fromkeys(names))
