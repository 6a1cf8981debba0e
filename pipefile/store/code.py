"""What sources are made of and what was reached in them, kept so that a source is parsed once and not again until it changes.

It is a cache: without it everything is found again. One file, `STORE/code`, replaced whole at the end of a build:

    15 bytes   b"pipefile-code" + two bytes: the format number, big-endian
    32 bytes   blake3 of all that follows
    lines      JSON in ASCII, each ended by a newline

The first line is `["3.11", FILES, LOOKED, FOLDERS, LINKS]`: the minor version of the Python that parsed (others have other syntax trees), then three
tables, then links that give rows of the tables by number.

    FILES     [["lib/util.py", "blake3:9f86d0..."], ...]     a file, with its digest when it was read
    LOOKED    [["lib/numpy.py", ""], ["lib", "d"], ...]      a path that was looked at for a module: "f" a file, "d" a folder, "" neither
    FOLDERS   ["", "lib", ...]                               folders in which another file could change what a name means
    LINKS     [["KEY", [0, 1], [0, 1], [0], [["helper", "lib/util.py", "1f2e..."], ...], ["numpy"]], ...]

KEY is what was asked: the Pipefile's folder, then a module and a function, or a script and nothing, with newlines between them. Then come the rows of
its files, looks and folders, and what came of it (plan/link.py: Linked). A link holds while its files have these digests, and its looks would find
the same.

Every further line is `DIGEST JSON`: a file's digest, a blank, and its contents as plan/code.py's `to_json` gives them. They are decoded one by one,
when a link has to be made anew.

A file that is damaged, of another format or of another Python is taken as absent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from blake3 import blake3

from pipefile.model.ports import Disk

FORMAT = 2  # 1 took annotations of assignments for code
NAME = "code"
MAGIC = b"pipefile-code"
LIMIT = 256 << 20  # bytes
_HEAD = len(MAGIC) + 2 + 32


class Link(NamedTuple):
    """What was found from one start.

    Args:
        files: (path, digest) of each file that was read.
        looked: (path, kind) of each path that was looked at.
        folders: Where a new file could change that.
        symbols: (symbol, path, digest).
        packages: Names of packages from outside.
    """

    files: tuple[tuple[str, str], ...]
    looked: tuple[tuple[str, str], ...]
    folders: tuple[str, ...]
    symbols: tuple[tuple[str, str, str], ...]
    packages: tuple[str, ...]


class CodeCache:
    """A cache as it was read.

    Args:
        links: By what was asked.
        modules: Digest of a file -> its contents as JSON, not yet decoded.
    """

    def __init__(self, links: Mapping[str, Link] | None = None, modules: Mapping[str, bytes] | None = None) -> None:
        self.links = dict(links or {})
        self.modules = dict(modules or {})

    def module(self, digest: str) -> Any:
        """The contents of the file with a digest, as `to_json` gave them; None if they are not known."""
        data = self.modules.get(digest)
        if data is None:
            return None
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            return None


def read(disk: Disk, store: str, python: str) -> CodeCache:
    """The cache of a store; an empty one where there is none that can be believed."""
    try:
        data = disk.read(f"{store}/{NAME}", LIMIT, follow=False)
    except (OSError, MemoryError):
        return CodeCache()
    if not data.startswith(MAGIC + FORMAT.to_bytes(2, "big")) or blake3(data[_HEAD:]).digest() != data[_HEAD - 32 : _HEAD]:
        return CodeCache()
    first, *lines = data[_HEAD:].split(b"\n")
    try:
        kept, files, looked, folders, links = json.loads(first)
        if kept != python:
            return CodeCache()
        files = [(path, digest) for path, digest in files]
        looked = [(path, kind) for path, kind in looked]
        found = {
            key: Link(
                tuple([files[row] for row in file_rows]),
                tuple([looked[row] for row in looked_rows]),
                tuple([folders[row] for row in folder_rows]),
                tuple([(name, path, digest) for name, path, digest in symbols]),
                tuple(packages),
            )
            for key, file_rows, looked_rows, folder_rows, symbols, packages in links
        }
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        return CodeCache()
    modules = {}
    for line in lines:
        digest, blank, text = line.partition(b" ")
        if blank:
            modules[digest.decode("ascii", "replace")] = text
    return CodeCache(found, modules)


def write(disk: Disk, store: str, python: str, cache: CodeCache, sync: bool = False) -> None:
    """Put a cache in the place of the old one; contents of files that no link uses are left out.

    Raises:
        OSError: The disk does not take it.
    """
    files: dict[tuple[str, str], int] = {}
    looked: dict[tuple[str, str], int] = {}
    folders: dict[str, int] = {}
    links = []
    for key, link in sorted(cache.links.items()):
        rows = [_rows(files, link.files), _rows(looked, link.looked), _rows(folders, link.folders)]
        links.append([key, *rows, link.symbols, link.packages])
    lines = [json.dumps([python, list(files), list(looked), list(folders), links], separators=(",", ":")).encode("ascii")]
    for digest in dict.fromkeys([digest for _, digest in files]):
        if digest in cache.modules:
            lines.append(digest.encode("ascii") + b" " + cache.modules[digest])
    body = b"\n".join([*lines, b""])
    disk.write(f"{store}/{NAME}", MAGIC + FORMAT.to_bytes(2, "big") + blake3(body).digest() + body, sync)


def _rows(table: dict[Any, int], items: Iterable[Any]) -> list[int]:
    return [table.setdefault(item, len(table)) for item in items]


def encode(value: Any) -> bytes:
    """A module's contents as a line has them."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")
