"""Streams to report to, and what came out of them."""

from __future__ import annotations

import os

from kit.screen import Screen
from pipefile.report.stream import Stream


class Recorded(Stream):
    """A stream that keeps what is written to it, in the order of both streams if they share *log*."""

    def __init__(self, fd: int = 1, terminal: bool = False, color: bool = False, log: list[tuple[int, str]] | None = None) -> None:
        super().__init__(fd, terminal, color)
        self.log: list[tuple[int, str]] = [] if log is None else log

    def _put(self, data: bytes) -> None:
        self.log.append((self.fd, data.decode("utf-8", "surrogateescape")))

    @property
    def text(self) -> str:
        return "".join(text for fd, text in self.log if fd == self.fd)


class OnScreen(Stream):
    """A stream that leads to a screen."""

    def __init__(self, screen: Screen, fd: int = 1, color: bool = False) -> None:
        super().__init__(fd, True, color, screen.reflows)
        self._screen = screen
        self.writes = 0

    def _put(self, data: bytes) -> None:
        self.writes += 1
        self._screen.feed(data.decode("utf-8", "surrogateescape"))

    def columns(self) -> int:
        return self._screen.width

    def rows(self) -> int:
        return self._screen.height


class Hand:
    """A clock whose time passes when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def write_log(root: str, path: str, data: bytes) -> None:
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "wb") as file:
        file.write(data)
