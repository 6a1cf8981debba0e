"""What function stages print, each thread's to its own log.

While functions run, `sys.stdout` and `sys.stderr` are streams that ask which thread writes. A thread that belongs to a task, or was started by one
that does, writes to the task's capture; all others write to the streams that were there before, so the builder prints as ever. `sys.stdin` is empty.
"""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO, cast

from pipefile.execute.audit import pass_on
from pipefile.execute.output import Capture

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_LABEL = "_pipefile_printer"  # an attribute of Thread objects: a table of threads would have to be told when one ends


class Printer:
    """Where one task prints; safe for several threads. What comes after `close` is dropped."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self._lock = threading.Lock()
        self._closed = False
        self.threads: list[threading.Thread] = []
        """Threads that the task's own thread, and these, have started."""

    def write(self, data: bytes) -> None:
        with self._lock:
            if not self._closed:
                self._capture.write(data)

    @property
    def latest(self) -> bytes:
        """The last bytes that were printed."""
        return self._capture.latest

    def close(self) -> tuple[bytes, int, str]:
        """Take what was printed: the first bytes, the size of the log, what was wrong with writing it."""
        with self._lock:
            self._closed = True
            output, size = self._capture.close()
            return output, size, self._capture.error


def belong(thread: threading.Thread, printer: Printer) -> None:
    """Let a thread that is not started yet print there."""
    setattr(thread, _LABEL, printer)


def _printer() -> Printer | None:
    return getattr(threading.current_thread(), _LABEL, None)


class Routing:
    """The streams of this process, replaced between `install` and `remove`."""

    def __init__(self) -> None:
        self._installed = False

    def install(self) -> None:
        if self._installed:
            return
        self._installed = True
        self._before = (sys.stdout, sys.stderr, sys.stdin)
        self._ours = (cast(Any, _Text(sys.stdout)), cast(Any, _Text(sys.stderr)), cast(Any, io.TextIOWrapper(io.BytesIO(), "utf-8")))
        self._start: Callable[[threading.Thread], None] = threading.Thread.start
        self._our_start = _start_with_label(self._start)
        threading.Thread.start = self._our_start  # type: ignore[method-assign, assignment]  # the only place where the starter of a thread is known
        self.hold()

    def hold(self) -> None:
        """Put the streams in place again, where a function has left its own there."""
        sys.stdout, sys.stderr, sys.stdin = self._ours

    def remove(self) -> None:
        """Put everything back. The streams may live on in somebody's hands (a logging handler's): they lead to the old ones then."""
        if not self._installed:
            return
        self._installed = False
        for name, before, ours in zip(("stdout", "stderr", "stdin"), self._before, self._ours, strict=True):
            if getattr(sys, name) is ours:
                setattr(sys, name, before)
        if threading.Thread.start is self._our_start:
            threading.Thread.start = self._start  # type: ignore[method-assign, assignment]


def _start_with_label(start: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    def start_with_label(self: threading.Thread) -> None:
        printer = _printer()
        if printer is not None and not hasattr(self, _LABEL):
            setattr(self, _LABEL, printer)
            printer.threads.append(self)
            pass_on(self)
        start(self)

    return start_with_label


class _Text(io.TextIOBase):
    def __init__(self, before: TextIO | None) -> None:
        super().__init__()
        self._before = before  # None where the builder was started with `>&-`
        self.buffer = _Bytes(before)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return "utf-8" if self._before is None or _printer() else self._before.encoding

    @property
    def errors(self) -> str:  # type: ignore[override]
        return "backslashreplace"

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        printer = _printer()
        if printer is not None:
            try:
                printer.write(text.encode("utf-8", "surrogateescape"))
            except UnicodeEncodeError:
                printer.write(text.encode("utf-8", "backslashreplace"))
        elif self._before is not None:
            self._before.write(text)
        return len(text)

    def flush(self) -> None:
        if self._before is not None and not self._before.closed and _printer() is None:
            self._before.flush()

    def isatty(self) -> bool:
        return self._before is not None and _printer() is None and self._before.isatty()

    def fileno(self) -> int:
        """Only outside of tasks: a task's prints have no descriptor."""
        if self._before is None or _printer() is not None:
            raise io.UnsupportedOperation("fileno")
        return self._before.fileno()

    def close(self) -> None:
        """The standard streams are not a function's to close."""

    def reconfigure(self, **options: object) -> None:
        """Accepted, since programs ask for UTF-8 or line buffering in this way: a task's prints have both."""


class _Bytes(io.RawIOBase):
    def __init__(self, before: TextIO | None) -> None:
        super().__init__()
        self._before = before

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer) -> int:
        printer = _printer()
        if printer is not None:
            printer.write(bytes(data))
        elif self._before is not None:
            self._before.flush()
            self._before.buffer.write(data)
        return len(memoryview(data).cast("B"))

    def flush(self) -> None:
        if self._before is not None and not self._before.closed and _printer() is None:
            self._before.flush()

    def close(self) -> None:
        """As of the text stream."""
