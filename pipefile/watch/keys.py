"""Keys of a person at the terminal, one at a time. The terminal is put back as it was, however the watch ends."""

from __future__ import annotations

import atexit
import os
import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any


class Keys:
    """
    Args:
        fd: Standard input. Where it is no terminal, or belongs to another job, no key is read.

    Attributes:
        stopping: Called before Ctrl-Z stops this process, and `going_on` when it goes on.
    """

    def __init__(self, fd: int = 0) -> None:
        self.stopping: Callable[[], None] = lambda: None
        self.going_on: Callable[[], None] = lambda: None
        self._fd = fd
        self._before: list[Any] | None = None
        self._previous: object = None

    def __enter__(self) -> Keys:
        self._begin()
        if self._before is not None:
            atexit.register(self._restore)
            self._previous = signal.signal(signal.SIGTSTP, self._stop)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._before is None:
            return
        signal.signal(signal.SIGTSTP, self._previous)  # type: ignore[arg-type]  # what signal gave
        self._restore()
        atexit.unregister(self._restore)

    def _begin(self) -> None:
        import termios
        import tty

        try:
            if os.isatty(self._fd) and os.tcgetpgrp(self._fd) == os.getpgrp():
                before = termios.tcgetattr(self._fd)
                tty.setcbreak(self._fd, termios.TCSANOW)  # Ctrl-C and Ctrl-Z stay signals
                self._before = before
        except (OSError, termios.error):
            pass  # it is no terminal any more

    def _restore(self) -> None:
        before, self._before = self._before, None
        if before is None:
            return
        import termios

        try:
            termios.tcsetattr(self._fd, termios.TCSADRAIN, before)
        except (OSError, termios.error):
            pass  # the terminal is gone

    def _stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  # the signature of handlers
        """Ctrl-Z: the shell gets its terminal back as it was."""
        self.stopping()
        self._restore()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)  # goes on from here with SIGCONT
        signal.signal(signal.SIGTSTP, self._stop)
        self._begin()
        self.going_on()

    def fileno(self) -> int:
        """A descriptor that polls readable when a key was pressed; -1 where none is read."""
        return -1 if self._before is None else self._fd

    def read(self) -> str:
        """The keys that were pressed; none are read any more when the terminal is gone."""
        try:
            data = os.read(self._fd, 64)
        except OSError:
            data = b""
        if not data:
            self._restore()
        return data.decode("ascii", "replace")
