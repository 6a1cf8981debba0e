"""How much memory process trees have, looked at now and then while they run.

What the system tells of a process that has ended is the most that one process of its tree had; a tree has more. So all processes are looked at once
in a while, for all tasks together, and seldom enough to take no more than a fiftieth of a CPU. A task that ends before the first look costs nothing.

To a tree belong a task's process, what it has started and what these have, and who is in its process group though its parent is gone. Memory that
several of them share counts once for each.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from math import inf
from time import monotonic, perf_counter
from typing import NamedTuple

FIRST = 0.1  # seconds until the first look at a task
AGAIN = 0.2  # seconds between two looks, at least
_SHARE = 50  # a look takes this part of the time between two


class Process(NamedTuple):
    """A process: its parent, its group, and its resident memory in bytes."""

    pid: int
    parent: int
    group: int
    memory: int


class Peaks:
    """The most memory that each of some process trees had.

    Args:
        look: Gives all processes.
        clock: As time.monotonic.
        first: Seconds until the first look at a tree; infinity for none at all.
    """

    def __init__(
        self, look: Callable[[], Iterable[Process]] | None = None, clock: Callable[[], float] = monotonic, first: float = FIRST
    ) -> None:
        self._first = first
        self._look = look or processes
        self._clock = clock
        self._started: dict[int, float] = {}  # by the process that a tree begins with, the oldest first
        self._peaks: dict[int, int] = {}
        self._next = -inf  # no look before

    def watch(self, pid: int) -> None:
        """A tree has begun."""
        self._started[pid] = self._clock()

    def forget(self, pid: int) -> int:
        """A tree has ended. Gives the most bytes that were seen, 0 if it was not looked at."""
        self._started.pop(pid, None)
        return self._peaks.pop(pid, 0)

    def due(self) -> float:
        """When the next look is due, on the clock; infinity for never."""
        return max(next(iter(self._started.values())) + self._first, self._next) if self._started else inf

    def tick(self, now: float) -> None:
        """Look, if that is due."""
        if now < self.due():
            return
        begun = perf_counter()
        peaks = self._peaks
        for pid, memory in sums(self._look(), self._started).items():
            if memory > peaks.get(pid, 0):
                peaks[pid] = memory
        self._next = self._clock() + max(AGAIN, _SHARE * (perf_counter() - begun))


def sums(found: Iterable[Process], roots: Iterable[int]) -> dict[int, int]:
    """The memory of the trees that begin with *roots*."""
    by_pid = {process.pid: process for process in found}
    root_of: dict[int, int] = {root: root for root in roots}
    totals: dict[int, int] = {}
    for process in by_pid.values():
        way: list[int] = []
        at: Process | None = process
        while at is not None and at.pid not in root_of and len(way) < 1000:
            way.append(at.pid)
            if at.group in root_of and root_of[at.group] == at.group:
                root_of[at.pid] = at.group
                break
            at = by_pid.get(at.parent)
        root = root_of.get(at.pid, 0) if at is not None else 0
        root_of.update(dict.fromkeys(way, root))
        if root:
            totals[root] = totals.get(root, 0) + process.memory
    return totals


def processes() -> list[Process]:
    """All processes that can be seen."""
    try:
        names = os.listdir("/proc/self") and os.listdir("/proc")
    except OSError:
        return [] if sys.platform == "linux" else _by_psutil()  # psutil has nothing else to read there either
    page = os.sysconf("SC_PAGE_SIZE")
    found = []
    for name in names:
        if not name.isdigit():
            continue
        try:
            fd = os.open(f"/proc/{name}/stat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fields = os.read(fd, 1024).rpartition(b")")[2].split()  # after the name, which may hold anything
        except OSError:  # gone meanwhile
            continue
        finally:
            os.close(fd)
        if len(fields) > 21:
            found.append(Process(int(name), int(fields[1]), int(fields[2]), int(fields[21]) * page))
    return found


def _by_psutil() -> list[Process]:
    """Where there is no /proc. It takes seven times as long where there is one, and its import as long as thirty looks."""
    import psutil

    found = []
    for process in psutil.process_iter(["pid", "ppid", "memory_info"]):
        memory = process.info["memory_info"]
        try:
            group = os.getpgid(process.pid)
        except OSError:
            continue
        found.append(Process(process.pid, process.info["ppid"] or 0, group, memory.rss if memory is not None else 0))
    return found


class OwnMemory:
    """Resident memory of this process, asked often: the file that tells is opened once, which is most of the work."""

    def __init__(self) -> None:
        try:
            self._fd = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._fd = -1
        self._page = os.sysconf("SC_PAGE_SIZE")

    def now(self) -> int:
        """Bytes; 0 where that is not told. Any thread may ask."""
        try:
            return int(os.pread(self._fd, 64, 0).split()[1]) * self._page
        except OSError:
            return 0

    def close(self) -> None:
        fd, self._fd = self._fd, -1  # first: a thread that was left behind may ask, when the number is another file's
        if fd >= 0:
            os.close(fd)
