"""Meeting points between a test and a stage, so that no test sleeps."""

from __future__ import annotations

import os
import select
import time

PATIENCE = 60.0
"""Seconds after which a test gives up waiting for something that should happen at once; never part of a test that passes."""


class Gate:
    """A place in a stage's command where it says that it has come, and waits until the test lets it go on.

    Put `shell` into the command. Its words have `$GATES` in them, so pipefile takes none of them for an input. Two FIFOs carry it; the
    test holds both of them open for reading and writing, so neither side blocks in open().
    """

    def __init__(self, folder: str, name: str) -> None:
        self._names = [os.path.join(folder, f"{name}.{end}") for end in ("here", "go")]
        for path in self._names:
            os.mkfifo(path)
        self._here, self._go = (os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK) for path in self._names)
        self.arrive = f'echo here > "$GATES/{name}.here"'
        self.pause = f'read line < "$GATES/{name}.go"'
        self.shell = f"{self.arrive}; {self.pause}"
        self._pending = b""

    def wait(self, timeout: float = PATIENCE) -> None:
        """Until the stage has come (once more, if it did before)."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self._pending:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._here], [], [], left)[0]:
                raise AssertionError(f"nothing came to {self._names[0]} in {timeout:g} s")
            self._pending += os.read(self._here, 4096)
        self._pending = self._pending.partition(b"\n")[2]

    def come(self) -> bool:
        """Whether the stage has come by now."""
        return b"\n" in self._pending or bool(select.select([self._here], [], [], 0)[0])

    def release(self, times: int = 1) -> None:
        """Let the stage go on; it need not have come yet."""
        os.write(self._go, b"go\n" * times)

    def close(self) -> None:
        os.close(self._here)
        os.close(self._go)
