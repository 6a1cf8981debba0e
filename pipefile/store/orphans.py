"""Processes of a killed build: those that hold the store's lock through a descriptor that they inherited.

Linux alone tells who holds a descriptor (`/proc`). Elsewhere nothing is found, and whoever needs the lock waits.
"""

from __future__ import annotations

import os
import signal

from pipefile.base.paths import show


def is_alive(pid: int) -> bool:
    """Whether a process of that number exists, whoever it belongs to."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # another user's
    return True


class Holders:
    """Whoever holds the flock of the file behind a descriptor, other than through this very descriptor.

    Args:
        fd: A descriptor of ours for the lock file.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        seen = os.fstat(fd)
        self._file = (seen.st_dev, seen.st_ino)
        self._name = "/" + os.path.basename(os.readlink(f"/proc/self/fd/{fd}")) if os.path.isdir("/proc/self/fd") else ""

    def ourselves(self) -> bool:
        """Whether we hold the lock, through another descriptor: one of another build in this process, or one that we inherited."""
        return bool(self._name) and self._holds("self")

    def above(self) -> bool:
        """Whether a process that started us holds it."""
        return bool(self._name) and any(self._holds(str(pid)) for pid in _ancestors())

    def pids(self) -> list[int]:
        """The holders, but for ourselves."""
        if not self._name:
            return []
        own = str(os.getpid())
        return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and pid != own and self._holds(pid)]

    def first(self) -> tuple[int, str]:
        """Pid and command of one holder, for a message; (0, "") if none is known."""
        for pid in self.pids():
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    words = file.read(4096).rstrip(b"\0").split(b"\0")
            except OSError:
                continue
            return pid, show(b" ".join(words).decode("utf-8", "surrogateescape"))
        return 0, ""

    def end(self, urgent: bool) -> None:
        """Send SIGTERM, or SIGKILL if *urgent*, to the holders and their process groups.

        A group whose living leader is no holder was not made for a stage (a function stage's children are in the builder's own group, which may be
        the user's script): there the holder alone is signalled. So it is in our own group.
        """
        number = signal.SIGKILL if urgent else signal.SIGTERM
        pids = self.pids()
        ours = os.getpgrp()
        groups = set()
        for pid in pids:
            try:
                group = os.getpgid(pid)
                if group not in (0, 1, ours) and (group in pids or not os.path.exists(f"/proc/{group}")):
                    groups.add(group)
                else:
                    os.kill(pid, number)
            except OSError:
                continue  # gone, or another user's: it is waited for
        for group in groups:
            try:
                os.killpg(group, number)
            except OSError:
                continue

    def _holds(self, pid: str) -> bool:
        folder = f"/proc/{pid}/fd"
        try:
            numbers = os.listdir(folder)
        except OSError:
            return False
        for number in numbers:
            try:
                # the link's text first: it never touches the disk, which may be a network's that hangs
                if not os.readlink(f"{folder}/{number}").endswith(self._name):
                    continue
                if pid == "self" and int(number) == self._fd:
                    continue
                seen = os.stat(f"{folder}/{number}")
                if (seen.st_dev, seen.st_ino) != self._file:
                    continue
                # one who has the file open without its lock is a daemon that a stage of an earlier build left on purpose
                with open(f"/proc/{pid}/fdinfo/{number}", "rb") as file:
                    if b"FLOCK" in file.read():
                        return True
            except OSError:
                continue
        return False


def _ancestors() -> list[int]:
    """The processes that started us, nearest first, as far as they can be known; not the first one of the system."""
    found: list[int] = []
    parent = os.getppid()
    while parent > 1 and len(found) < 1000:
        found.append(parent)
        try:
            with open(f"/proc/{parent}/stat", "rb") as file:
                parent = int(file.read().rpartition(b")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            break
    return found
