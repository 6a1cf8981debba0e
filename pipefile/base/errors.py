"""Every error that a user can see.

One line in lower case without a full stop, names in backticks; then each place at fault on a line of its own, two blanks in; then
`hint:` where it is surely right. The text is made in `__str__`; fields hold what it is made of.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipefile.base.locations import Locator, Place, Position, located


class PipefileError(Exception):
    """A fault that the user can mend. Its text is whole: no traceback is needed to act on it.

    Args:
        message: One line, lower case, no full stop, names in backticks.
        places: Where the fault lies, and what else bears on it.
        hint: What surely helps; "" where nothing does.
    """

    exit_status = 2

    def __init__(self, message: str, places: Iterable[Place] = (), hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.places = tuple(places)
        self.hint = hint

    def locate(self, locator: Locator) -> None:
        """Fill in the lines of the places that are known by key path alone."""
        self.places = tuple(located(place, locator) for place in self.places)

    def __str__(self) -> str:
        lines = [f"error: {self.message}"]
        lines += [f"  {place}" for place in self.places]
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)


class PipefileSyntaxError(PipefileError):
    """Something in Pipefile.toml is wrong at one place: shown with the line and a marker under it.

    The text is `error: FILE:LINE:COLUMN: MESSAGE`, so that editors can follow it; when the place is not known, `error: FILE: MESSAGE`.
    """

    def __init__(self, message: str, place: Place, hint: str = "", position: Position | None = None) -> None:
        super().__init__(message, (place,), hint)
        self.position = position

    def locate(self, locator: Locator) -> None:
        if self.position is None and self.places[0].key:
            self.position = locator(self.places[0].file, self.places[0].key)

    def __str__(self) -> str:
        file, position = self.places[0].file, self.position
        if position is None:
            lines = [f"error: {file}: {self.message}"]
        else:
            lines = [f"error: {file}:{position.line}:{position.column}: {self.message}"]
            if position.source:
                margin = " " * len(str(position.line))
                lines.append(f"  {position.line} | {position.source}")
                lines.append(f"  {margin} | {' ' * (position.column - 1)}{'^' * max(1, position.width)}")
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)


class GraphError(PipefileError):
    """The stages do not fit together: a cycle, two producers, an input that nothing makes, an output in the wrong place."""


class UsageError(PipefileError):
    """The command line asks for something that does not exist or does not go together."""


class UnknownTargetError(UsageError):
    """A target that is no alias, stage or output.

    Args:
        target: What was asked for, escaped.
        near: The alias, stage or output that is probably meant, escaped; "" if none is near.
        is_path: Whether *near* is a path, from the root: whoever knows where the user stands makes one from there of it.
        places: Who could make it, if something were there.
    """

    def __init__(self, target: str, near: str = "", is_path: bool = False, places: Iterable[Place] = ()) -> None:
        super().__init__(f"no alias, stage or output is called `{target}`", places, meant(near))
        self.near = near
        self.is_path = is_path


def meant(near: str) -> str:
    """The hint that names what was meant; "" where nothing is near."""
    return f"did you mean `{near}`?" if near else ""


class InputError(PipefileError):
    """An input cannot be read as what it is declared to be: a FIFO, a directory without its slash, a read error."""

    exit_status = 1


class StoreError(PipefileError):
    """The project's folders or the store cannot be written or read."""

    exit_status = 1


class ResourceError(PipefileError):
    """A stage needs more of something than there is at all."""


class LockedError(PipefileError):
    """Another build has the lock and waiting was not wanted, or could never end."""

    exit_status = 4


class RecordError(ValueError):
    """A stored file is damaged, or of a format that is not known: it is treated as absent. Never shown as an error.

    Args:
        reason: What is wrong with it, for `-v`.
        unknown_format: The format number found, if the file is whole but of another version.
    """

    def __init__(self, reason: str, unknown_format: int | None = None) -> None:
        super().__init__(reason)
        self.unknown_format = unknown_format
