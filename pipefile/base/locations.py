"""Places in files, as errors show them.

Nothing knows line numbers while all goes well: TOML parsers give none, and finding them costs more than a no-op build. An error therefore names
its places by key path (`("stage", "clean", "outputs")`), and whoever shows it asks the scanner of the load room for lines.
"""

from __future__ import annotations

from collections.abc import Callable

from pipefile.base.dataclass import dataclass, replace

KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """One place at fault.

    Args:
        file: Path of the file as it is shown, relative to the project root; "" where there is none.
        key: Where in a TOML file: names of tables and keys, and list positions from 0. () means the file itself.
        text: What to say about the place.
        line: Line from 1; None while unknown.
        column: Column from 1; None where only the line matters.
    """

    file: str
    key: KeyPath = ()
    text: str = ""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        at = self.file
        if self.line is not None:
            at += f":{self.line}"
            if self.column is not None:
                at += f":{self.column}"
        return f"{at}  {self.text}" if self.text else at


@dataclass(frozen=True, slots=True)
class Position:
    """Where a key path stands: line and column from 1, the text of that line, and how many of its characters the key takes."""

    line: int
    column: int
    source: str = ""
    width: int = 1


Locator = Callable[[str, KeyPath], Position | None]
"""Finds a key path in a file; gives the nearest known parent's position where the path itself is not written out, None if nothing is known."""


def located(place: Place, locator: Locator) -> Place:
    """*place* with its line filled in, if it has a key path and no line yet."""
    if place.line is not None or not place.key:
        return place
    position = locator(place.file, place.key)
    return place if position is None else replace(place, line=position.line)
