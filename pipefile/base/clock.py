"""The clock of the machine, behind a port so that no test waits."""

from __future__ import annotations

import time

TYPE_CHECKING = False  # as typing's, whose import costs more than this module
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    class _Poll(Protocol):  # model/ports.py: Poll, which this room does not know
        def poll(self, timeout: float | None = None, /) -> Sequence[object]: ...


_LONGEST = 24 * 3600.0  # seconds of one wait: poll counts milliseconds in 32 bits


class SystemClock:
    """Real time. `monotonic` counts seconds from an arbitrary start; `now` is seconds since the epoch, for people only."""

    monotonic = staticmethod(time.monotonic)
    now = staticmethod(time.time)
    sleep = staticmethod(time.sleep)

    @staticmethod
    def wait(poll: _Poll, seconds: float | None, /) -> None:
        """Return when *poll* has something to tell, or when *seconds* are over (None: never); a wait of days may return earlier."""
        poll.poll(None if seconds is None else int(min(seconds, _LONGEST) * 1000) + 1)
