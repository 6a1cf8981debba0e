"""Whether the lock is free, asked with as few imports as can be: every no-op build asks it (store/lock.py is the lock itself)."""

from __future__ import annotations

import fcntl
import os

NAME = ".pipefile.lock"


def open_to_look(path: str) -> int | None:
    """A descriptor for reading a lock file, links not followed; None where there is no file.

    Raises:
        OSError: It cannot be opened.
    """
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except FileNotFoundError:
        return None


def is_free(path: str) -> bool:
    """Whether nobody has the lock at an absolute path, as far as can be told; writes nothing and keeps nothing.

    It is locked for some microseconds; a builder that meets that tries again.
    """
    try:
        fd = open_to_look(path)
        if fd is None:
            return True
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        finally:
            os.close(fd)
    except OSError:
        return False
    return True
