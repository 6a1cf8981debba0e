"""The real program on a terminal of its own, and what stands on it."""

from __future__ import annotations

import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping
from fcntl import ioctl

from kit.fifo import PATIENCE
from kit.project import Project
from kit.screen import Screen

# Whoever leads a session and opens a terminal has it for its own: Ctrl-C goes there.
_OWN = 'exec "$@" <"$0" >"$0" 2>&1'
_SHELL = 'exec <"$0" >"$0" 2>&1; set -m; "$@"; read enter; fg'


def timeless(text: str) -> str:
    """*text* with durations replaced by T, and ids of runs by RUN."""
    text = re.sub(r"\d{8}_\d{6}_[0-9a-f]{6}", "RUN", text)
    return re.sub(r"\b(?:\d+ h \d+ min|\d+ min \d+ s|\d+(?:\.\d+)? s)\b", "T", text)


class Terminal:
    """`pipefile ARGS`, started on a terminal.

    Args:
        project: Where.
        args: The words after the program's name.
        width: Columns.
        height: Rows.
        env: Laid over the project's environment.
        shell: It is the job of a shell, which goes on when it is stopped, and takes it back to the front when Enter is pressed.

    Attributes:
        screen: What stands there, as far as it was read.
        raw: All that was written.
    """

    def __init__(
        self, project: Project, *args: str, width: int = 80, height: int = 24, env: Mapping[str, str] | None = None, shell: bool = False
    ) -> None:
        self.screen = Screen(width, height)
        self.raw = ""
        self._main, side = pty.openpty()
        self._set_size(width, height)
        argv = ["sh", "-c", _SHELL if shell else _OWN, os.ttyname(side), sys.executable, "-m", "pipefile", *args]
        environ = {**project.environ, "TERM": "xterm-256color", **(env or {})}
        self.process = subprocess.Popen(argv, cwd=project.root, env=environ, start_new_session=True)
        os.set_blocking(self._main, False)
        self._side = side  # held open, so that what is written last can be read
        self._pending = b""

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._main)
        os.close(self._side)

    def resize(self, width: int, height: int) -> None:
        """Make the window another size, as its user does."""
        self._read()
        self._set_size(width, height)
        self.screen.resize(width, height)

    def press(self, key: bytes) -> None:
        """Type something: b"\\x03" is Ctrl-C."""
        os.write(self._main, key)

    def shows(self, text: str) -> None:
        """Wait until the screen shows just *text*, durations being T and ids of runs RUN."""
        self.until(lambda: timeless(self.screen.text) == text, lambda: f"never shown:\n{text}\nbut:\n{timeless(self.screen.text)}")

    def until(self, happened: Callable[[], bool], said: Callable[[], str] = lambda: "did not happen") -> None:
        """Wait until *happened* gives True."""
        deadline = time.monotonic() + PATIENCE
        while not happened():
            left = deadline - time.monotonic()
            assert left > 0, f"{said()}\n{self.raw!r}"
            select.select([self._main], [], [], min(left, 0.02))
            self._read()

    def wait(self) -> int:
        """Until the program has ended. Returns its exit status."""
        self.until(lambda: self.process.poll() is not None)
        self._read()
        return self.process.wait()

    def _set_size(self, width: int, height: int) -> None:
        ioctl(self._main, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._main, 1 << 16)
            except BlockingIOError:
                return
            text = (self._pending + data).decode("utf-8", "surrogateescape")
            cut = len(text.rstrip("".join(map(chr, range(0xDC80, 0xDD00))))) if text and text[-1] >= "\udc80" else len(text)
            self._pending = text[cut:].encode("utf-8", "surrogateescape")
            self.raw += text[:cut].replace("\r\n", "\n")
            self.screen.feed(text[:cut])
