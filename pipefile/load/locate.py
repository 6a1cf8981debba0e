"""Where a key of a Pipefile stands, for whoever has to say so: what finds it is imported when that is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipefile.base.locations import KeyPath, Locator, Position
from pipefile.base.paths import folder_of
from pipefile.model.ports import Disk

if TYPE_CHECKING:
    from pipefile.load.scanner import Lines, Spans


def make_locator(disk: Disk) -> Locator:
    """A locator that scans a file when it is first asked for it, and then remembers."""
    known: dict[str, tuple[Spans, Lines] | None] = {}

    def locate(file: str, key: KeyPath) -> Position | None:
        prefix = folder_of(file) + "/"
        if len(prefix) > 1 and len(key) > 1 and str(key[1]).startswith(prefix):  # the name by which the root knows a stage of an included Pipefile
            key = (key[0], str(key[1])[len(prefix) :], *key[2:])
        from pipefile.load.scanner import Lines, position_of, spans

        if file not in known:
            try:
                text = disk.read(file).decode("utf-8")
            except (OSError, UnicodeDecodeError):
                known[file] = None
            else:
                known[file] = (spans(text), Lines(text))
        scanned = known[file]
        return None if scanned is None else position_of(key, *scanned)

    return locate
