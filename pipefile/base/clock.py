"""The clock of the machine, behind a port so that no test waits."""

from __future__ import annotations

import time


class SystemClock:
    """Real time. `monotonic` counts seconds from an arbitrary start; `now` is seconds since the epoch, for people only."""

    monotonic = staticmethod(time.monotonic)
    now = staticmethod(time.time)
    sleep = staticmethod(time.sleep)
