"""`-l`: whether the machine is too busy for one more stage, decided as make does."""

from __future__ import annotations

import os
from collections.abc import Callable

from pipefile.model.ports import Clock

_SHARE = 0.25  # of a job that has just begun, and does not show in the load average yet


class Load:
    """Counts what was started, since a load average takes a minute to tell of it.

    Args:
        limit: Above which nothing starts; None for no bound.
        clock: Tells the seconds apart.
        average: Gives the load average of the last minute, and others.
    """

    def __init__(self, limit: float | None, clock: Clock, average: Callable[[], tuple[float, ...]] = os.getloadavg) -> None:
        self.limit = limit
        self._clock = clock
        self._average = average
        self._second = 0
        self._now = 0  # started in this second
        self._before = 0  # and in the one before

    def started(self) -> None:
        """A stage has begun."""
        if self.limit is not None:
            self._turn()
            self._now += 1

    def is_high(self) -> bool:
        """Whether nothing should start. (One always may, where nothing runs: that is for the caller to see.)"""
        if self.limit is None:
            return False
        self._turn()
        return self._average()[0] + _SHARE * (self._now + _SHARE * self._before) >= self.limit

    def _turn(self) -> None:
        second = int(self._clock.monotonic())
        if second != self._second:
            self._before = self._now if second == self._second + 1 else 0
            self._second, self._now = second, 0
