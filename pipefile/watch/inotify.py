"""Linux's inotify: one folder a watch, nothing hidden. A full queue and a watch that the kernel refuses are the caller's to know.

The package watchdog knows inotify as well, but walks whole trees, leaves out folders for which there is no watch without a word, and tells nobody
when events were lost.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from typing import NamedTuple

from pipefile.base.dataclass import dataclass

MODIFY, ATTRIB, CLOSE_WRITE = 0x2, 0x4, 0x8
MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x40, 0x80, 0x100, 0x200
DELETE_SELF, MOVE_SELF = 0x400, 0x800
OVERFLOW, IGNORED, UNMOUNT = 0x4000, 0x8000, 0x2000
ISDIR = 0x40000000
_ONLYDIR, _EXCL_UNLINK = 0x1000000, 0x4000000

NAMES = MOVED_FROM | MOVED_TO | CREATE | DELETE | DELETE_SELF | MOVE_SELF
OUTPUTS = NAMES | ATTRIB | CLOSE_WRITE
SOURCES = OUTPUTS | MODIFY

_HEAD = struct.Struct("iIII")
_BUFFER = 1 << 16
_MOST = 64  # buffers that are read at once: whoever writes without end must not keep us from everything else


class Event(NamedTuple):
    """What happened to a watched folder, or to `name` in it. `watch` is -1 where events were lost."""

    watch: int
    mask: int
    name: str


@dataclass(frozen=True, slots=True)
class Limit:
    """What the kernel has no more of.

    Args:
        name: The setting.
        value: As it stands; 0 where that is not known.
    """

    name: str
    value: int


class Inotify:
    """One inotify queue.

    Raises:
        OSError: There is none to be had: EMFILE where the user has too many already.
    """

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(self._libc, "inotify_init1"):
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        self._fd: int = self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self._fd < 0:
            raise _fault()

    def fileno(self) -> int:
        return self._fd

    def add(self, folder: str, mask: int) -> int:
        """Watch a folder, or watch it for other things than before.

        Args:
            folder: Absolute path. Links are followed, so that two paths may give one watch.
            mask: NAMES, OUTPUTS or SOURCES.

        Returns:
            The number of the watch.

        Raises:
            OSError: ENOENT and ENOTDIR for what is no folder; ENOSPC where the user has too many watches.
        """
        number: int = self._libc.inotify_add_watch(self._fd, os.fsencode(folder), mask | _ONLYDIR | _EXCL_UNLINK)
        if number < 0:
            raise _fault(folder)
        return number

    def remove(self, watch: int) -> None:
        """Watch a folder no more. One that is gone is not watched any more anyway."""
        self._libc.inotify_rm_watch(self._fd, watch)

    def read(self) -> list[Event]:
        """What has happened, as far as it is told by now."""
        found: list[Event] = []
        for _ in range(_MOST):
            try:
                data = os.read(self._fd, _BUFFER)
            except BlockingIOError:
                break
            found += parsed(data)
        return found

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def parsed(data: bytes) -> list[Event]:
    """The events in what the kernel wrote into a buffer."""
    found = []
    at = 0
    while at < len(data):
        watch, mask, _, size = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        found.append(Event(watch, mask, os.fsdecode(data[at : at + size].rstrip(b"\0"))))
        at += size
    return found


def limit_of(fault: OSError) -> Limit | None:
    """Which limit an error of `Inotify` is about; None if about none."""
    name = {errno.ENOSPC: "max_user_watches", errno.EMFILE: "max_user_instances"}.get(fault.errno or 0)
    if name is None:
        return None
    values = [_number(f"/proc/sys/fs/inotify/{name}"), _number(f"/proc/sys/user/{name.replace('user', 'inotify')}")]
    return Limit(f"fs.inotify.{name}", min([value for value in values if value > 0], default=0))


def _number(path: str) -> int:
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return 0


def _fault(path: str | None = None) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), path)
