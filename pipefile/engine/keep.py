"""Puts into the cache what edges have made."""

from __future__ import annotations

import os
import stat as stat_bits
from collections.abc import Mapping

from pipefile.base import digest as digests
from pipefile.engine.cached import CacheKeys, is_kept
from pipefile.engine.files import is_own
from pipefile.engine.session import Session
from pipefile.model.cache import Entry, Item, Kept, Small
from pipefile.model.graph import Edge
from pipefile.model.ports import Cache
from pipefile.model.record import ABSENT, Made, Record
from pipefile.store.entry import INLINE, INLINE_ALL, MOST_ITEMS

LARGE = 100_000_000  # bytes: what `cache = "auto"` keeps although it costs space


class _ChangedError(Exception):
    """An output is not what its record says, any more."""


class Keeper:
    """
    Args:
        session: The project.
        cache: Where to.
        keys: The cache's keys.
    """

    def __init__(self, session: Session, cache: Cache, keys: CacheKeys) -> None:
        self._session = session
        self._disk = session.disk
        self._cache = cache
        self._keys = keys
        self._algorithm = session.pipeline.settings.hash
        self._most = session.pipeline.settings.cache_size
        self._inlined = 0
        self._small: Mapping[str, Small] = {}

    def keep(self, edge: Edge, record: Record, small: Mapping[str, Small]) -> None:
        """Add the result of an edge that has just run. Whatever has changed since is left out, unless its bytes are at hand.

        Args:
            edge: Which one.
            record: What it has made.
            small: Those of its outputs whose bytes are at hand, by path.

        Raises:
            OSError: An output cannot be read, or the cache cannot be written.
        """
        if not is_kept(edge, record):
            return
        left_out = {output.path for output in edge.outputs if not output.cache}
        self._inlined = 0
        self._small = small
        try:
            outputs = tuple([self._output(made, edge.stage.cache, made.path in left_out) for made in record.outputs])
        except _ChangedError:
            return
        key = self._keys.of(edge, record.key)
        self._cache.put(Entry(key, edge.name, outputs, record.discovered, record.own, record.duration))

    def _output(self, made: Made, always: bool | None, left_out: bool) -> Kept:
        if made.digest == ABSENT:
            return Kept(made.path, made.kind, ABSENT, ())
        if left_out:
            return Kept(made.path, made.kind, made.digest, None)
        if made.kind == "directory":
            return Kept(made.path, made.kind, made.digest, self._directory(made, always))
        small = self._small.get(made.path)
        if small is not None and small.digest == made.digest and len(small.data) <= min(self._most, INLINE_ALL - self._inlined):
            self._inlined += len(small.data)
            return Kept(made.path, made.kind, made.digest, (Item("", "file", "", len(small.data), small.executable, small.data),))
        seen = self._disk.lstat(made.path)
        if seen is None or not stat_bits.S_ISREG(seen.st_mode):
            raise _ChangedError
        if seen.st_size > self._most:
            return Kept(made.path, made.kind, made.digest, None)
        item = self._file("", made.path, made.digest, seen, only_clone=not always and seen.st_size > LARGE)
        return Kept(made.path, made.kind, made.digest, None if item is None else (item,))

    def _file(self, name: str, path: str, digest: str, seen: os.stat_result, only_clone: bool) -> Item | None:
        """A file as the cache has it; None if it does not take it in."""
        size, executable = seen.st_size, bool(seen.st_mode & 0o100)
        if size <= INLINE and self._inlined + size <= INLINE_ALL:
            data = self._disk.read(path, INLINE, follow=False)
            found = digests.of_bytes(data, self._algorithm)
            if (digests.executable(found) if executable else found) != digest:
                raise _ChangedError
            self._inlined += len(data)
            return Item(name, "file", "", len(data), executable, data)
        blob = self._cache.store("" if executable else digest, path, only_clone)
        if not blob:
            return None
        if executable and digests.executable(blob) != digest:
            raise _ChangedError
        return Item(name, "file", blob, size, executable)

    def _directory(self, made: Made, always: bool | None) -> tuple[Item, ...] | None:
        """All that is in a directory; None if that is not kept."""
        entries = self._walk(made.path)
        if len(entries) > MOST_ITEMS:
            return None
        size = sum(seen.st_size for _, kind, seen in entries if kind == "file" and seen is not None)
        if size > self._most:
            return None
        only_clone = not always and size > LARGE
        items: list[Item] = []
        lines = []
        for name, kind, seen in entries:
            path = f"{made.path}/{name}"
            if kind == "directory":
                items.append(Item(name, kind))
                text = kind
            elif kind == "link":
                target = self._disk.readlink(path)
                items.append(Item(name, kind, data=os.fsencode(target)))
                text = f"link {target}"
            elif kind == "file" and seen is not None:
                known = self._session.files.known.get(path)
                digest = known.digest if known is not None else self._disk.digest(path, self._algorithm)[0]
                item = self._file(name, path, digest, seen, only_clone)
                if item is None:
                    return None
                items.append(item)
                text = f"file {digest}"
            else:
                raise _ChangedError
            lines.append((os.fsencode(name), text))
        if digests.of_tree(lines, self._algorithm) != made.digest:
            raise _ChangedError
        return tuple(items)

    def _walk(self, folder: str) -> list[tuple[str, str, os.stat_result | None]]:
        """What is in a directory: path from there, kind, stat of files; sorted by path."""
        found: list[tuple[str, str, os.stat_result | None]] = []
        todo = [""]
        while todo:
            here = todo.pop()
            for name, kind in self._disk.names(f"{folder}/{here}" if here else folder):
                inner = f"{here}/{name}" if here else name
                path = f"{folder}/{inner}"
                if is_own(name) or path == self._session.store:
                    continue
                if kind == "directory":
                    todo.append(inner)
                found.append((inner, kind, self._disk.lstat(path) if kind == "file" else None))
        return sorted(found, key=lambda entry: entry[0])
