"""Standard streams that are closed."""

from __future__ import annotations

import os


def guard_streams() -> None:
    """Put /dev/null where standard input, output or error are closed, so that no file of ours gets their numbers and is written into.

    Python's own objects for them stay None, and are not used.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
