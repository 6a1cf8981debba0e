"""What a task prints: the first bytes in memory for the terminal, all of it, up to a limit, in the task's log.

The log is the printed bytes as they came. Where more than the limit was printed, the rest is dropped and one last line says so:

    [pipefile: output beyond 64MB dropped]
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pipefile.base.paths import show

if TYPE_CHECKING:
    from pipefile.base.mask import Mask

SHOWN = 64 << 10
"""Most bytes of a task's output that are kept in memory, as `Completion.output`."""

LATEST = 4 << 10
"""Most bytes that `Executor.latest` gives."""

LOG_FAULT = "cannot write the log"
"""How an error begins that is the log's, not the task's."""

_LOG = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def replace_link(path: str) -> None:
    """Remove a link from where a file or folder of a run belongs: somebody has put it there, and it leads out of the run."""
    if os.path.islink(path):
        os.unlink(path)


class Capture:
    """Takes what one task prints.

    Up to SHOWN bytes the log is written once, when the task has ended; what is longer goes to the log as it comes.

    Args:
        path: The log, absolute; "" for none. It and its folder are made when there is something to write.
        limit: Most bytes kept in it.
        mask: What nobody may read; None for nothing.
    """

    __slots__ = ("_cut", "_fd", "_head", "_last", "_limit", "_masked", "_path", "error", "latest", "size")

    def __init__(self, path: str, limit: int, mask: Mask | None = None) -> None:
        self._masked = None if mask is None else mask.stream()
        self._path = path
        self._limit = limit
        self._head = bytearray()
        self._fd = -1
        self._cut = False
        self._last = b""
        self.size = 0
        self.error = ""
        self.latest = b""
        """The last bytes that were printed, at most LATEST: what a display shows while the task runs."""

    def write(self, data: bytes) -> None:
        """Keep *data*, as far as the limit allows. Never raises for a full disk: `error` then says so."""
        self._take(data if self._masked is None else self._masked.feed(data))

    def _take(self, data: bytes) -> None:
        self.latest = data[-LATEST:] if len(data) >= LATEST else (self.latest + data)[-LATEST:]
        if self._cut:
            return
        room = self._limit - self.size
        if len(data) > room:
            self._cut = True
            data = data[:room]
        self._keep(data)

    def close(self) -> tuple[bytes, int]:
        """Write what is not written yet.

        Returns:
            The first SHOWN bytes of the log, and its size.
        """
        if self._masked is not None:
            self._take(self._masked.end())
        if self._cut:
            end_line = b"" if self._last in (b"", b"\n") else b"\n"
            self._keep(end_line + b"[pipefile: output beyond %s dropped]\n" % size_text(self._limit).encode())
        if self._head and self._fd < 0:
            self._open_log()
        self.discard()
        return bytes(self._head), self.size

    def discard(self) -> None:
        """Close the log as it is."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def _keep(self, data: bytes) -> None:
        if not data:
            return
        self._last = data[-1:]
        self.size += len(data)
        room = SHOWN - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if data:
            if self._fd < 0:
                self._open_log()
            self._write_log(data)

    def _open_log(self) -> None:
        if not self._path or self.error:
            return
        try:
            replace_link(os.path.dirname(self._path))
            try:
                self._fd = os.open(self._path, _LOG, 0o666)
            except FileNotFoundError:
                os.makedirs(os.path.dirname(self._path), exist_ok=True)
                self._fd = os.open(self._path, _LOG, 0o666)
            except FileExistsError:  # an earlier attempt's, or a link that somebody put there: replaced, never followed
                os.unlink(self._path)
                self._fd = os.open(self._path, _LOG, 0o666)
        except OSError as fault:
            self._fail(fault)
        else:
            self._write_log(self._head)

    def _write_log(self, data: bytes | bytearray) -> None:
        if self._fd < 0:
            return
        try:
            written = os.write(self._fd, data)
            while written < len(data):
                data = data[written:]
                written = os.write(self._fd, data)
        except OSError as fault:
            self._fail(fault)
            self.discard()

    def _fail(self, fault: OSError) -> None:
        self.error = f"{LOG_FAULT} `{show(self._path)}`: {reason_text(fault)}"


def reason_text(fault: OSError) -> str:
    """What the system says of a fault, in the style of our messages: "no space left on device"."""
    text = os.strerror(fault.errno) if fault.errno else str(fault)
    return text[:1].lower() + text[1:]


def size_text(size: int) -> str:
    """A size as Pipefiles write it: "64MB", "1500B"."""
    for unit, length in (("GB", 10**9), ("MB", 10**6), ("KB", 1000)):
        if size and size % length == 0:
            return f"{size // length}{unit}"
    return f"{size}B"


def duration_text(seconds: float) -> str:
    """A duration as people write it: "500 ms", "1.5 s", "1 min 30 s", "2 h"."""
    if seconds < 1:
        return f"{seconds * 1000:g} ms"
    if seconds < 60:
        return f"{seconds:g} s"
    parts = []
    for unit, length in (("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, length) if length > 1 else (seconds, 0)
        if count:
            parts.append(f"{count:g} {unit}")
    return " ".join(parts)
