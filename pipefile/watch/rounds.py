"""When to look and when to build: a state machine that knows no clock, no file and no process. Whoever drives it tells it the time.

What is heard of files are hints. They are let settle, then whoever drives this looks at the files themselves (`looked`), and a round begins if one of
them has really changed. Times are seconds on any clock that only goes forward.
"""

from __future__ import annotations

from typing import Literal

from pipefile.base.dataclass import dataclass

OnBusy = Literal["queue", "restart"]
Order = Literal["", "build", "interrupt"]

GIT_QUIET, GIT_LONGEST = 0.3, 5.0
LONGEST = 10  # times the quiet span: how long hints may keep coming before they are looked at nevertheless


@dataclass(frozen=True, slots=True)
class Pace:
    """How long hints settle.

    Args:
        quiet: Nothing has been heard for so long.
        longest: From the first hint on, whatever is heard.
    """

    quiet: float
    longest: float

    def due(self, first: float, last: float) -> float:
        return min(last + self.quiet, first + self.longest)


class Rounds:
    """
    Args:
        on_busy: What a change does while a build runs: "queue" lets it end first, "restart" interrupts it.
        quiet: Seconds without a hint before files are looked at.

    Attributes:
        building: A build runs.
    """

    def __init__(self, on_busy: OnBusy = "queue", quiet: float = 0.05) -> None:
        self._on_busy = on_busy
        self._pace = Pace(quiet, LONGEST * quiet)
        self._git = Pace(max(quiet, GIT_QUIET), max(LONGEST * quiet, GIT_LONGEST))
        self._first: float | None = None
        self._last = 0.0
        self.building = False
        self._asked = False
        self._stopping = False

    def heard(self, now: float) -> None:
        """Something has happened to some file."""
        if self._first is None:
            self._first = now
        self._last = now

    def patience(self, now: float, git: bool = False) -> float | None:
        """Seconds until files have to be looked at; None if there is no reason to.

        Args:
            now: The time.
            git: Git is changing the work tree: a checkout, a rebase.
        """
        if self._first is None or self._stopping or (self.building and self._on_busy == "queue"):
            return None
        return max(0.0, (self._git if git else self._pace).due(self._first, self._last) - now)

    def looked(self, changed: bool) -> Order:
        """Files have been looked at: what was heard so far is settled.

        Args:
            changed: One of them is not as it was.
        """
        self._first = None
        return self._begin() if changed else ""

    def asked(self) -> Order:
        """A person wants a build, whatever has changed."""
        return self._begin()

    def _begin(self) -> Order:
        if not self.building:
            self.building = True
            return "build"
        if self._on_busy == "restart" and not self._stopping:
            self._stopping = True
            self._asked = True
            return "interrupt"
        self._asked = True
        return ""

    def ended(self) -> Order:
        """The build has ended."""
        self.building = self._stopping = False
        asked, self._asked = self._asked, False
        return self._begin() if asked else ""

    def called_off(self) -> None:
        """The build that was ordered is not begun after all."""
        self.building = self._asked = False
