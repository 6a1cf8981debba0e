"""Tokens of a jobserver, GNU make's way for several programs to share a number of jobs.

A pipe or fifo holds one byte for each job that may run besides: every program that has it may run one without. Whoever wants to run another one takes
a byte and, when that job has ended, gives the same byte back.
"""

from __future__ import annotations

import os
import stat
from typing import Protocol

from pipefile.plan import makeflags

_TOKEN = b"+"
_HIGH = 100  # descriptors from here on: a program that closes those and opens others in their place rarely gets so far


class Tokens(Protocol):
    """What the engine asks of a jobserver."""

    def take(self) -> bool:
        """Take a token, without waiting; False if there is none."""

    def give(self) -> None:
        """Give one back."""

    def fileno(self) -> int:
        """A descriptor that can be read when there may be a token."""

    def idle(self) -> None:
        """No job runs: there are as many tokens as there were at first, whatever has been killed with some."""

    def flags(self, flags: str) -> str:
        """MAKEFLAGS for what is started.

        Args:
            flags: What it would be without.
        """

    def close(self) -> None:
        """Give all back that are still held."""


class Client:
    """Tokens of a make above.

    Args:
        read: A descriptor of our own, which does not block.
        write: Where they are given back to.
        given: MAKEFLAGS, as it has come.
        spare: Other descriptors of our own.
    """

    def __init__(self, read: int, write: int, given: str, spare: tuple[int, ...] = ()) -> None:
        self._read = read
        self._write = write
        self._given = given
        self._own = (read, *spare)
        self._held: list[bytes] = []

    def take(self) -> bool:
        try:
            token = os.read(self._read, 1)
        except OSError:
            return False
        if token:
            self._held.append(token)
        return bool(token)

    def give(self) -> None:
        try:
            os.write(self._write, self._held.pop())
        except OSError:  # make is gone
            pass

    def fileno(self) -> int:
        return self._read

    def idle(self) -> None:
        """What is lost is lost: others use the same tokens, and only make knows how many there are."""

    def flags(self, flags: str) -> str:  # noqa: ARG002  # the port's: it has come whole
        return self._given

    def close(self) -> None:
        while self._held:
            self.give()
        for end in self._own:
            os.close(end)
        self._own = ()


class Pool:
    """Tokens of our own, for the stages of this build and what they start.

    Args:
        jobs: How many jobs there are, the first one of which needs no token.

    Raises:
        OSError: This system cannot have one.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._held = 0
        self._ends: list[int] = []
        self._read = -1
        try:
            self._ends = list(os.pipe())
            self._read = os.open(f"/proc/self/fd/{self._ends[0]}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # theirs have to block
            self._ends = [_inheritable(end) for end in self._ends]
            os.write(self._ends[1], _TOKEN * (jobs - 1))
        except OSError:
            self.close()
            raise

    def take(self) -> bool:
        try:
            if not os.read(self._read, 1):
                return False
        except BlockingIOError:
            return False
        self._held += 1
        return True

    def give(self) -> None:
        self._held -= 1
        os.write(self._ends[1], _TOKEN)

    def fileno(self) -> int:
        return self._read

    def idle(self) -> None:
        try:
            while os.read(self._read, 4096):
                pass
        except BlockingIOError:
            pass
        os.write(self._ends[1], _TOKEN * (self._jobs - 1))
        self._held = 0

    def flags(self, flags: str) -> str:
        return makeflags.naming(flags, self._jobs, *self._ends)

    def close(self) -> None:
        for end in (self._read, *self._ends):
            if end >= 0:
                os.close(end)
        self._read, self._ends = -1, []


def _inheritable(end: int) -> int:
    import fcntl

    try:
        found = fcntl.fcntl(end, fcntl.F_DUPFD, _HIGH)
    except OSError:  # fewer are allowed
        os.set_inheritable(end, True)
        return end
    os.close(end)
    return found


def is_open(found: makeflags.Jobserver) -> bool:
    """Whether a jobserver that MAKEFLAGS names can be used here: make opens it for recipes that begin with `+` or name `$(MAKE)` alone."""
    try:
        if found.path:
            return stat.S_ISFIFO(os.stat(found.path).st_mode)
        return found.read >= 0 and _is_end(found.read, os.O_RDONLY) and _is_end(found.write, os.O_WRONLY)
    except OSError:
        return False


def client(found: makeflags.Jobserver, given: str) -> Client:
    """The tokens of an open jobserver; none, where they cannot be taken without the risk of waiting for ever.

    Args:
        found: Which one.
        given: The MAKEFLAGS that names it.
    """
    try:
        if found.path:
            end = os.open(found.path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            return Client(end, end, given)
        own = os.open(f"/proc/self/fd/{found.read}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        return Client(own, found.write, given)
    except OSError:
        own, spare = os.pipe()
        os.set_blocking(own, False)
        return Client(own, found.write, given, (spare,))


def _is_end(fd: int, way: int) -> bool:
    import fcntl

    if not os.get_inheritable(fd):  # opened by this process since, and no part of what it was started with
        return False
    return stat.S_ISFIFO(os.fstat(fd).st_mode) and fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE in (way, os.O_RDWR)
