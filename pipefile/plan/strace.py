r"""What `strace -f -y -xx` has written, as accesses to files.

A line for each system call, in the order of their beginnings, after the number of the process; one that is interrupted by others' has two:

    26591 openat(AT_FDCWD</tmp/p>, "\x61", O_RDONLY|O_CLOEXEC) = 3</tmp/p/a>
    26593 openat(AT_FDCWD</tmp/p>, "\x62", O_RDONLY <unfinished ...>
    26593 <... openat resumed>)             = -1 ENOENT (No such file or directory)

All strings are in hexadecimal (`-xx`), paths of descriptors (`-y`) in newer versions too; these have the folder in `AT_FDCWD<...>` as well, which is
followed here for the older ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from pipefile.model.access import Access

CALLS = (
    "open", "openat", "openat2", "creat", "execve", "execveat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "link", "linkat",
    "symlink", "symlinkat", "truncate", "mknod", "mknodat", "chdir", "fchdir", "clone", "clone2", "clone3", "fork", "vfork",
)  # fmt: skip
"""System calls that have to be traced; not every machine has all of them."""

_LINE = re.compile(r"(\d+) +(.*)")
_CALL = re.compile(r"(\w+)\((.*)\)\s+= (-?\d+|\?|0x[0-9a-f]+)(.*)")
_RESUMED = re.compile(r"<\.\.\. (\w+) resumed>(?: ?)(.*)")
_UNFINISHED = "<unfinished ...>"
_HEX = re.compile(r"\\x([0-9a-f]{2})")
_OCTAL = re.compile(r'\\([0-7]{1,3}|[\\"nrtvf])')
_PLAIN = {"n": b"\n", "r": b"\r", "t": b"\t", "v": b"\v", "f": b"\f", "\\": b"\\", '"': b'"'}
_FORKS = frozenset(["clone", "clone2", "clone3", "fork", "vfork"])


class Call(NamedTuple):
    """A system call that has ended: process, name, arguments as they are written, result (negative: it failed), and what comes after that."""

    pid: int
    name: str
    args: list[str]
    result: int
    rest: str


def accesses(lines: Iterable[str], root: str, folder: str, decode: Callable[[bytes], str]) -> list[Access]:
    """What processes did to the files of a project, in order. Files that could not be opened are left out.

    Args:
        lines: What strace has written.
        root: Absolute path of the project's root; nothing outside is told.
        folder: Absolute path of the folder that the first process starts in.
        decode: From the bytes of a path to text.
    """
    return list(_Tracer(root, folder, decode).follow(lines))


class _Tracer:
    def __init__(self, root: str, folder: str, decode: Callable[[bytes], str]) -> None:
        self._root = root.rstrip("/") + "/"
        self._start = folder
        self._decode = decode
        self._folders: dict[int, str] = {}
        self._begun: dict[int, str] = {}
        self._forking: list[int] = []  # processes in a fork that has not returned yet

    def follow(self, lines: Iterable[str]) -> Iterator[Access]:
        for line in lines:
            call = self._call(line)
            if call is not None and call.result >= 0:
                yield from self._accesses(call)

    # -- lines

    def _call(self, line: str) -> Call | None:
        found = _LINE.match(line)
        if found is None:
            return None
        pid, text = int(found[1]), found[2]
        if text.startswith("+++"):  # it has ended, and its number is free for another
            self._folders.pop(pid, None)
            return None
        if pid not in self._folders:
            self._folders[pid] = self._folders[self._forking[-1]] if self._forking else next(iter(self._folders.values()), self._start)
        resumed = _RESUMED.match(text)
        if resumed is not None:
            text = self._begun.pop(pid, "") + resumed[2]
            if resumed[1] in _FORKS and pid in self._forking:
                self._forking.remove(pid)
        elif text.endswith(_UNFINISHED):
            self._begun[pid] = text[: -len(_UNFINISHED)].rstrip(" ")
            if text.partition("(")[0] in _FORKS:
                self._forking.append(pid)
            return None
        whole = _CALL.match(text)
        if whole is None or whole[3] == "?":
            return None
        return Call(pid, whole[1], _arguments(whole[2]), int(whole[3], 0), whole[4])

    # -- calls

    def _accesses(self, call: Call) -> Iterator[Access]:
        pid, name, args = call.pid, call.name, call.args
        if name in _FORKS:
            self._folders[call.result] = self._folders[pid]
        elif name == "chdir":
            self._folders[pid] = self._path(pid, None, args[0])
        elif name == "fchdir":
            self._folders[pid] = self._folder(pid, args[0])
        elif name in ("open", "creat"):
            yield from self._opened(self._path(pid, None, args[0]), args[1] if name == "open" else "O_WRONLY|O_CREAT|O_TRUNC")
        elif name in ("openat", "openat2"):
            yield from self._opened(self._path(pid, args[0], args[1]), args[2])
        elif name == "execve":
            yield from self._told("r", self._path(pid, None, args[0]))
        elif name == "execveat":
            yield from self._told("r", self._path(pid, args[0], args[1]))
        elif name in ("unlink", "unlinkat"):
            if "AT_REMOVEDIR" not in args[-1]:
                yield from self._told("d", self._path(pid, *_at(name, args)))
        elif name == "rename":
            yield from self._renamed(self._path(pid, None, args[0]), self._path(pid, None, args[1]), "")
        elif name in ("renameat", "renameat2"):
            yield from self._renamed(self._path(pid, args[0], args[1]), self._path(pid, args[2], args[3]), args[4] if len(args) > 4 else "")
        elif name == "linkat":
            yield from self._told("w", self._path(pid, args[2], args[3]))
        elif name == "symlinkat":
            yield from self._told("w", self._path(pid, args[1], args[2]))
        elif name in ("link", "symlink"):
            yield from self._told("w", self._path(pid, None, args[1]))
        elif name in ("truncate", "mknod", "mknodat"):
            yield from self._told("w", self._path(pid, *_at(name, args)))

    def _opened(self, path: str, flags: str) -> Iterator[Access]:
        found = set(re.findall(r"O_\w+", flags))
        if found & {"O_DIRECTORY", "O_PATH"}:
            return
        if not found & {"O_WRONLY", "O_RDWR"}:
            yield from self._told("r", path)
        else:
            if "O_RDWR" in found and not found & {"O_TRUNC", "O_CREAT"}:  # with O_CREAT it may be new, and there may be nothing to read
                yield from self._told("r", path)
            yield from self._told("w", path)

    def _renamed(self, old: str, new: str, flags: str) -> Iterator[Access]:
        yield from self._told("d", old)
        yield from self._told("w", new)
        if "RENAME_EXCHANGE" in flags:
            yield from self._told("w", old)

    def _told(self, kind: str, path: str) -> Iterator[Access]:
        above, compiled, name = path.partition("/__pycache__/")
        if compiled and name.endswith(".pyc") and kind == "r":  # it counts as its source
            path = f"{above}/{name.partition('.')[0]}.py"
        if path.startswith(self._root):
            yield Access(kind, path[len(self._root) :])

    # -- paths

    def _path(self, pid: int, folder: str | None, text: str) -> str:
        path = self._text(text)
        if not path.startswith("/"):
            path = f"{self._folders[pid] if folder is None else self._folder(pid, folder)}/{path}"
        return _normal(path)

    def _folder(self, pid: int, text: str) -> str:
        """The folder behind `AT_FDCWD`, `AT_FDCWD</a>` or `3</a>`."""
        _, found, path = text.partition("<")
        if not found:
            return self._folders[pid]
        return self._decode(_unescaped(path.rpartition(">")[0]))

    def _text(self, text: str) -> str:
        return self._decode(_unescaped(text.partition('"')[2].rpartition('"')[0]))


def _at(name: str, args: list[str]) -> tuple[str | None, str]:
    """Folder and path of a call of which there is one with a folder, `...at`, and one without."""
    return (args[0], args[1]) if name.endswith("at") else (None, args[0])


def _arguments(text: str) -> list[str]:
    """Arguments, parted at commas outside of strings, brackets and paths of descriptors."""
    found, begin, depth, quoted = [], 0, 0, False
    for at, char in enumerate(text):
        if char == '"' and text[at - 1 : at] != "\\":
            quoted = not quoted
        elif quoted:
            continue
        elif char in "([{<":
            depth += 1
        elif char in ")]}>":
            depth -= 1
        elif char == "," and depth <= 0:
            found.append(text[begin:at].strip())
            begin = at + 1
    found.append(text[begin:].strip())
    return found


def _unescaped(text: str) -> bytes:
    if "\\x" in text:
        pieces, escape = _HEX.split(text), bytes.fromhex
    else:
        pieces, escape = _OCTAL.split(text), _escape
    return b"".join([escape(piece) if index % 2 else piece.encode("utf-8", "surrogateescape") for index, piece in enumerate(pieces)])


def _escape(piece: str) -> bytes:
    return _PLAIN[piece] if piece in _PLAIN else bytes([int(piece, 8) & 0xFF])


def _normal(path: str) -> str:
    """An absolute path without `.`, `..` and doubled slashes, by its text."""
    names: list[str] = []
    for name in path.split("/"):
        if name == "..":
            del names[-1:]
        elif name not in ("", "."):
            names.append(name)
    return "/" + "/".join(names)
