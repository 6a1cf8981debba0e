"""Standard output and standard error, as the reports use them: buffered text that never raises.

A reader may leave (`pipefile list | head -1`), a descriptor may be closed (`>&-`), a disk may be full: none of it may stop a build or end in a
traceback. What cannot be written is dropped, and `fault` says why for whoever gives the exit status.
"""

from __future__ import annotations

import errno
import os

FULL = 1 << 16  # characters; the buffer is written before it grows past this


class Stream:
    """One of the standard streams.

    Args:
        fd: Its descriptor.
        terminal: A person's terminal is at its other end.
        color: Colours may be written to it.
        reflows: The terminal wraps what stands on it when it becomes narrower.
    """

    def __init__(self, fd: int, terminal: bool = False, color: bool = False, reflows: bool = True) -> None:
        self.fd = fd
        self.terminal = terminal
        self.color = color
        self.reflows = reflows
        self.fault: int | None = None
        self._parts: list[str] = []
        self._size = 0

    def write(self, text: str) -> None:
        """Append *text* to the buffer; nothing is promised to be out before `flush`."""
        self._parts.append(text)
        self._size += len(text)
        if self._size > FULL:
            self.flush()

    def group(self, title: str) -> None:
        """Write the line under which lines follow that belong together, up to `end_group`."""
        self.write(title + "\n")

    def end_group(self) -> None:
        """The group ends; nothing shows that here."""

    annotates = False
    """`annotate` does something."""

    def annotate(self, level: str, message: str, title: str = "", file: str = "", line: int | None = None) -> None:
        """Mark a fault for who reads this stream by machine, besides what was written of it: nobody does here.

        Args:
            level: "error" or "warning".
            message: Safe to show; may have several lines.
            title: In a few words.
            file: Its absolute path; "" for none.
            line: In that file.
        """

    def flush(self) -> None:
        if self._parts:
            text = "".join(self._parts)
            self._parts.clear()
            self._size = 0
            # Undecodable bytes of file names come as surrogates. They go out as they are on disk; what shall be escaped has been by `paths.show`.
            self._put(text.encode("utf-8", "surrogateescape"))

    def _put(self, data: bytes) -> None:
        view = memoryview(data)
        while view and self.fault is None:
            try:
                view = view[os.write(self.fd, view) :]
            except BlockingIOError:  # whoever shares the terminal or pipe with us has made it non-blocking
                self._wait()
            except OSError as error:
                self.fault = error.errno or errno.EIO

    def _wait(self) -> None:
        from select import select

        select([], [self.fd], [], 1.0)

    def paint(self, text: str, style: str) -> str:
        """*text* in a style ("red", "yellow", "green", "cyan", "bold", "dim"), where colours may be written."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.color else text

    def columns(self) -> int:
        """Width of the terminal; 80 where it does not tell."""
        try:
            return os.get_terminal_size(self.fd).columns or 80
        except OSError:
            return 80

    def rows(self) -> int:
        """Height of the terminal; 24 where it does not tell."""
        try:
            return os.get_terminal_size(self.fd).lines or 24
        except OSError:
            return 24


_STYLES = {"red": "1;31", "yellow": "1;33", "green": "32", "cyan": "36", "bold": "1", "dim": "2"}

_HEADS = (("error:", "red"), ("warning:", "yellow"), ("hint:", "cyan"))


def painted_error(text: str, stream: Stream) -> str:
    """An error's or warning's text, safe to show, with its leading words in colour where *stream* takes colours."""
    from pipefile.base.paths import show

    lines = []
    for line in text.split("\n"):
        shown = show(line)
        for head, style in _HEADS:
            if shown.startswith(head):
                shown = stream.paint(head, style) + shown[len(head) :]
        lines.append(shown)
    return "\n".join(lines)
