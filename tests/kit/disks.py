"""A disk whose builder dies at a chosen change."""

from __future__ import annotations

import os
from collections.abc import Callable

from pipefile.base.disk import OsDisk
from pipefile.testing import FaultyDisk


class Killed(BaseException):
    """The builder is dead. No `except OSError` and no `except Exception` can hold it up."""


class DyingDisk(OsDisk):
    """The real disk, until the builder dies between two system calls that change something; from then on nothing changes any more.

    Calls that are several changes die in between too: a file half written beside its place, a folder half removed.

    Args:
        root: Absolute path of the project root.
        changes: How many changes are still made.

    Attributes:
        dead: Whether it has come to that.
    """

    def __init__(self, root: str, changes: int) -> None:
        super().__init__(root)
        self._left = changes
        self.dead = False

    def _change(self) -> None:
        if self._left == 0:
            self.dead = True
        else:
            self._left -= 1
        if self.dead:
            raise Killed

    def write(self, path: str, data: bytes, sync: bool = False, mode: int = 0o666) -> None:
        self._change()
        with open(self.at(path) + "~", "wb") as file:
            file.write(data[: len(data) // 2])
            file.flush()
            self._change()
            file.write(data[len(data) // 2 :])
        self._change()
        super().write(path, data, sync, mode)

    def append(self, path: str, data: bytes) -> bool:
        self._change()
        super().append(path, data[: len(data) // 2])
        self._change()
        with open(self.at(path), "ab") as file:
            file.write(data[len(data) // 2 :])
        return True

    def copy(self, source: str, target: str, algorithm: str, mode: int = 0o666, limit: int | None = None) -> str:
        self._change()
        with open(self.at(target), "wb") as file:
            file.write(self.read(source)[: os.stat(self.at(source)).st_size // 2])
        self._change()
        os.unlink(self.at(target))
        return super().copy(source, target, algorithm, mode, limit)

    def clone(self, source: str, target: str, mode: int = 0o666) -> bool:
        self._change()
        return super().clone(source, target, mode)

    def touch(self, path: str) -> None:
        self._change()
        super().touch(path)

    def rename(self, source: str, target: str) -> None:
        self._change()
        super().rename(source, target)

    def unlink(self, path: str) -> bool:
        if self.lstat(path) is not None:
            self._change()
        return super().unlink(path)

    def remove(self, path: str) -> bool:
        full = self.at(path)
        if os.path.isdir(full) and not os.path.islink(full):
            for name in sorted(os.listdir(full)):
                self.remove(f"{path}/{name}")
            self._change()
            os.rmdir(full)
            return True
        return self.unlink(path)

    def rmdir(self, path: str) -> bool:
        self._change()
        return super().rmdir(path)

    def mkdirs(self, path: str) -> None:
        if not os.path.isdir(self.at(path or ".")):
            self._change()
        super().mkdirs(path)

    def symlink(self, text: str, path: str) -> None:
        self._change()
        self.remove(path + "~")
        os.symlink(text, self.at(path) + "~")
        self._change()
        super().symlink(text, path)

    def stamp(self, path: str, text: bytes) -> os.stat_result:
        self._change()
        return super().stamp(path, text)


class MeddledDisk(FaultyDisk):
    """The real disk, on which somebody does something right after a file or folder has come to its place by a rename: once, and never in between.

    Args:
        root: Absolute path of the project root.
        path: The place.
        meddle: What is done.
        tick: As for FaultyDisk.
    """

    def __init__(self, root: str, path: str, meddle: Callable[[], None], tick: int = 0) -> None:
        super().__init__(root, tick)
        self._path = path
        self._meddle: Callable[[], None] | None = meddle

    def rename(self, source: str, target: str) -> None:
        super().rename(source, target)
        if target == self._path and self._meddle is not None:
            meddle, self._meddle = self._meddle, None
            meddle()
