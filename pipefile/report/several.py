"""One build told to several: to people, and to files for others to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pipefile.base.errors import PipefileError
from pipefile.model.event import Event


class Written(Protocol):
    """A report that becomes a file when the build ends, however it does."""

    every: bool
    """It wants an event of each edge."""
    problem: str
    """Why the file could not be written; "" if nothing was wrong."""

    def __call__(self, event: Event) -> None: ...

    def fault(self, error: PipefileError) -> None:
        """The build could not be begun, or not go on."""

    def close(self) -> None:
        """No more is to come; what is not written yet is written now."""


class Report(Protocol):
    """A report that has a terminal, or standard output."""

    @property
    def live(self) -> bool:
        """Something of it is redrawn."""

    def __call__(self, event: Event, /) -> None: ...

    def flush(self) -> None:
        """Bring everything out."""

    def due(self) -> float | None:
        """Seconds after which `flush` has to be called though nothing happened; None for never."""

    def pause(self) -> None:
        """Leave the terminal clean for a while."""

    def close(self) -> None:
        """Leave it clean for good."""


class Several:
    """Hands events on.

    Args:
        people: Has the terminal, or standard output.
        others: Become files.
    """

    def __init__(self, people: Report, others: Sequence[Written]) -> None:
        self._people = people
        self._others = others
        self.every = any(other.every for other in others) or bool(getattr(people, "every", False))
        self.flush = people.flush
        self.due = people.due
        self.pause = people.pause

    @property
    def live(self) -> bool:
        return self._people.live

    def __call__(self, event: Event) -> None:
        self._people(event)
        for other in self._others:
            other(event)

    def close(self) -> None:
        self._people.close()
        for other in self._others:
            other.close()
