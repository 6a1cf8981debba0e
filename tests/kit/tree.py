"""What a folder holds: all of it, for "nothing changed", or the contents alone, for "equals a clean build"."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator


def walk(root: str) -> Iterator[tuple[str, os.stat_result]]:
    """Every entry below *root*, folders before what is in them, links not followed: path from the root and lstat."""
    todo = [""]
    while todo:
        folder = todo.pop()
        with os.scandir(os.path.join(root, folder)) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            path = os.path.join(folder, entry.name)
            yield path, os.lstat(os.path.join(root, path))
            if entry.is_dir(follow_symlinks=False):
                todo.append(path)


def tree(root: str) -> dict[str, tuple[str, int, int, bytes]]:
    """Path -> (type and mode, inode, mtime in ns, bytes or link text) of all below *root*, and of *root* itself as ".".

    Equal trees mean that nothing was written, replaced, touched, made or removed. Reading it changes nothing but access times.
    """
    seen = {".": _entry(root, os.lstat(root))}
    seen.update((path, _entry(os.path.join(root, path), at)) for path, at in walk(root))
    return seen


def _entry(full: str, at: os.stat_result) -> tuple[str, int, int, bytes]:
    return stat.filemode(at.st_mode), at.st_ino, at.st_mtime_ns, _bytes(full, at)


def _bytes(full: str, at: os.stat_result) -> bytes:
    if stat.S_ISLNK(at.st_mode):
        return os.fsencode(os.readlink(full))
    if not stat.S_ISREG(at.st_mode):
        return b""
    try:
        with open(full, "rb") as file:
            return file.read()
    except PermissionError:
        return b"(unreadable)"


def contents(full: str) -> object:
    """The contents of one path without its stamps: (bytes, exec bit) of a file, the same by name for a folder, None where nothing is."""
    try:
        at = os.lstat(full)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISDIR(at.st_mode):
        return _bytes(full, at), bool(at.st_mode & 0o100)
    return {
        path: (stat.S_IFMT(below.st_mode), _bytes(os.path.join(full, path), below), bool(below.st_mode & 0o100))
        for path, below in walk(full)
        if not own(path)
    }


def own(path: str) -> bool:
    """Whether a file is one that pipefile keeps beside the user's: a record, its lock, its temporary folder."""
    name = os.path.basename(path)
    return (name.startswith(".") and name.endswith(".hash")) or name == ".pipefile.lock" or ".pipefile-tmp" in path.split("/")
