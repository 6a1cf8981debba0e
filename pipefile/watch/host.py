"""The process that runs one build: forked from the watcher, which has everything imported, and gone when the build is done.

So functions of the project, its modules and its threads live in a process of their own, each build runs the code that is on the disk, a crash
ends one build and not the watcher, and nothing that a build leaves in memory outlives it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from pipefile.engine.interrupt import SIGNALS, Interrupts

_DEATH_SIGNAL = 1  # linux/prctl.h: PR_SET_PDEATHSIG


class Host:
    """One build in a process of its own.

    Args:
        build: Run there; what it returns has to be JSON. It must not raise.

    Raises:
        OSError: No process can be started.
    """

    def __init__(self, build: Callable[[Interrupts], Any]) -> None:
        self._read, write = os.pipe()
        parent = os.getpid()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # one that comes before there is a handler would be the watcher's to hear
        try:
            self.pid = os.fork()
            if self.pid == 0:
                _run(build, write, parent, before)
        except BaseException:
            os.close(self._read)
            raise
        finally:
            os.close(write)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        try:
            os.setpgid(self.pid, self.pid)  # here as well: a signal may have to be sent before it gets that far itself
        except OSError:
            pass
        self._pidfd = os.pidfd_open(self.pid) if hasattr(os, "pidfd_open") else -1

    def fileno(self) -> int:
        """A descriptor that polls readable when the build has ended."""
        return self._pidfd if self._pidfd >= 0 else self._read

    def signal(self, number: int) -> None:
        """Send a signal to the build alone: its stages are its own to end."""
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            pass

    def take(self) -> tuple[Any, int]:
        """Wait for its end.

        Returns:
            What the build returned, None if it did not get so far; and the number of the signal that has killed it, 0 for none.
        """
        os.set_blocking(self._read, True)
        parts = []
        _, status = self._ended = os.waitpid(self.pid, 0)
        os.set_blocking(self._read, False)  # somebody whom a function has forked may hold the other end for ever
        try:
            while part := os.read(self._read, 1 << 16):
                parts.append(part)
        except BlockingIOError:
            pass
        os.close(self._read)
        if self._pidfd >= 0:
            os.close(self._pidfd)
        try:
            found = json.loads(b"".join(parts))
        except ValueError:
            found = None
        return found, os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def _run(build: Callable[[Interrupts], Any], write: int, parent: int, mask: set[int]) -> None:
    """The life of the forked process; does not return."""
    status = 70
    try:
        os.setpgid(0, 0)  # a Ctrl-C is the watcher's to hear, which hands it on once
        for number in (signal.SIGTTOU, signal.SIGTTIN):  # it is no job of the terminal, and may write there nevertheless
            signal.signal(number, signal.SIG_IGN)
        for number in (signal.SIGTSTP, signal.SIGCONT):
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        _end_with(parent)
        with Interrupts() as interrupts:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            data = json.dumps(build(interrupts)).encode()
        while data:
            data = data[os.write(write, data) :]
        status = 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
    finally:
        os._exit(status)


def _end_with(parent: int) -> None:
    """Have the kernel end this build in order if the watcher is killed."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(70)
