"""Signals that end a build, as something that its loop can wait for."""

from __future__ import annotations

import os
import signal
from types import FrameType, TracebackType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Collects SIGINT, SIGTERM and SIGHUP while it is entered. Only the main thread may enter it: that is where Python handles signals.

    The first signal stops the build, a second one ends its stages at once (3-cli). `number` is the first signal's number, 0 before.
    """

    def __init__(self) -> None:
        self.number = 0
        self.count = 0
        self._read = self._write = -1
        self._previous: dict[int, object] = {}

    def __enter__(self) -> Interrupts:
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        os.set_blocking(self._read, False)
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:  # under nohup, SIGHUP stays ignored
                self._previous[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what getsignal gave
        self._previous.clear()
        os.close(self._read)
        os.close(self._write)
        self._read = self._write = -1

    def _take(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  # the signature of handlers
        self.count += 1
        if not self.number:
            self.number = number
        try:
            os.write(self._write, b"!")
        except OSError:
            pass  # the pipe is full: the loop will wake anyway

    def fileno(self) -> int:
        """A descriptor that polls readable after a signal."""
        return self._read

    def drain(self) -> None:
        """Take what made `fileno` readable."""
        try:
            while os.read(self._read, 64):
                pass
        except OSError:
            pass
