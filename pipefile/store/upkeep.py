"""Looking after the cache of store/cache.py: how much is in it, what goes when space is needed, what is damaged."""

from __future__ import annotations

import stat as stat_bits
from collections.abc import Collection, Iterator

from pipefile.base.dataclass import dataclass
from pipefile.base.digest import is_digest
from pipefile.base.paths import name_of, show
from pipefile.model.ports import Disk
from pipefile.store.cache import BLOCK, space_of
from pipefile.store.shelf import SHELF, Shelves, kept_lines


@dataclass(frozen=True, slots=True)
class Stats:
    """What is in the cache.

    Args:
        results: How many results.
        keys: How many keys these are of.
        blobs: How many files it keeps beside the results.
        size: Bytes of all of it.
    """

    results: int
    keys: int
    blobs: int
    size: int


@dataclass(frozen=True, slots=True)
class Trimmed:
    """What has gone to make room.

    Args:
        keys: How many keys, with all of their results.
        blobs: How many files.
        freed: Bytes that they took.
        left: Bytes that the rest takes.
    """

    keys: int
    blobs: int
    freed: int
    left: int


@dataclass(frozen=True, slots=True)
class Checked:
    """What was read, and what of it was damaged: path from the root and what is wrong with it."""

    results: int
    blobs: int
    damaged: tuple[tuple[str, str], ...]


class Upkeep:
    """
    Args:
        disk: The project's disk.
        store: The store's folder, from the root.
    """

    def __init__(self, disk: Disk, store: str) -> None:
        self._disk = disk
        self._root = f"{store}/cache"
        self._shelves = Shelves(disk, f"{self._root}/entries")

    def stats(self) -> Stats:
        results = keys = 0
        for name in self._shelves.names():
            for key, _, found, _ in self._shelves.all(name):
                keys += bool(key and found)
                results += len(found)
        blobs = [taken for _, taken, _ in self._blobs()]
        return Stats(results, keys, len(blobs), sum(blobs) + self._of_shelves())

    def _of_shelves(self) -> int:
        return sum(self._taken(f"{self._root}/entries/{name}") for name in self._shelves.names())

    def _taken(self, path: str) -> int:
        seen = self._disk.lstat(path)
        return seen.st_size if seen is not None and stat_bits.S_ISREG(seen.st_mode) else 0

    def trim(self, limit: int, keys: Collection[str] = (), blobs: Collection[str] = ()) -> Trimmed:
        """Remove what was least recently used until the rest takes no more than *limit* bytes, what is damaged, and files that no result names.

        Args:
            limit: Bytes.
            keys: What stays although it may take more.
            blobs: The same for files.

        Raises:
            OSError: Something cannot be removed.
        """
        sizes = {self._blob_of(path): taken for path, taken, _ in self._blobs()}
        before = self._of_shelves()
        found: list[tuple[bool, int, str, list[bytes], set[str]]] = []  # the order in which they stay, the last one first
        for name in self._shelves.names():
            for key, used, results, _ in self._shelves.all(name):
                if results:
                    lines = kept_lines(key, used, [line for _, line in results])
                    found.append((key in keys, used, key, lines, {blob for entry, _ in results for blob in entry.blobs}))
        found.sort(reverse=True)
        kept = set(blobs)
        left = sum(sizes.get(blob, 0) for blob in kept)
        staying: dict[str, list[bytes]] = {name: [] for name in self._shelves.names()}
        gone = 0
        full = False
        for needed, _, key, lines, named in found:
            cost = sum(map(len, lines)) + sum(sizes.get(blob, 0) for blob in named - kept)
            full = full or (left + cost > limit and not needed)
            if full:
                gone += 1
            else:
                kept |= named
                left += cost
                staying[key[SHELF]] += lines
        for name, lines in staying.items():
            self._shelves.replace(name, lines)
        freed = before - self._of_shelves()
        removed = 0
        for path, taken, _ in list(self._blobs()):
            if self._blob_of(path) not in kept:
                self._disk.remove(path)
                removed += 1
                freed += taken
        return Trimmed(gone, removed, freed, left)

    def verify(self) -> Checked:
        """Read everything, and remove what is damaged: results that do not check, files that have other bytes, results that lack such a file.

        Raises:
            OSError: Something cannot be removed.
        """
        damaged: list[tuple[str, str]] = []
        sound: dict[str, int] = {}
        for path, _, size in list(self._blobs()):
            fault = self._fault(path)
            if fault:
                damaged.append((path, fault))
                self._disk.remove(path)
            else:
                sound[self._blob_of(path)] = size
        results = 0
        for name in self._shelves.names():
            lines: list[bytes] = []
            faults: list[str] = []
            for key, used, found, bad in self._shelves.all(name):
                whole = [line for entry, line in found if all(sound.get(blob) == size for blob, size in entry.blobs.items())]
                results += len(whole)
                lines += kept_lines(key, used, whole)
                faults += ["a line of it does not check"] * bad + ["files of a result are missing or damaged"] * (len(found) - len(whole))
            path = f"{self._root}/entries/{name}"
            if not lines and not faults:
                faults = ["it holds no results"]
            if faults:
                damaged += [(path, fault) for fault in faults]
                self._shelves.replace(name, lines)
        return Checked(results, len(sound), tuple(damaged))

    def _fault(self, path: str) -> str:
        wanted = name_of(path).replace("-", ":", 1)
        if not is_digest(wanted):
            return "it has no digest for a name"
        try:
            digest, seen = self._disk.digest(path, wanted[:6])
        except OSError as error:
            return (error.strerror or "it cannot be read").lower()
        if seen.st_mode & 0o100:
            return "it is executable"
        return "" if digest == wanted else "it has other bytes than it should"

    def _blob_of(self, path: str) -> str:
        return name_of(path).replace("-", ":", 1)

    def _blobs(self) -> Iterator[tuple[str, int, int]]:
        """What stands where blobs are: path, bytes that it takes, and its size."""
        for shard, what in self._names(f"{self._root}/blobs"):
            folder = f"{self._root}/blobs/{shard}"
            for name, _ in self._names(folder) if what == "directory" else ():
                seen = self._disk.lstat(f"{folder}/{name}")
                if seen is not None:
                    yield f"{folder}/{name}", space_of(seen.st_size) if stat_bits.S_ISREG(seen.st_mode) else BLOCK, seen.st_size
            if what != "directory":  # nothing of the cache's
                yield folder, BLOCK, 0

    def _names(self, folder: str) -> list[tuple[str, str]]:
        try:
            return sorted(self._disk.names(folder))
        except (FileNotFoundError, NotADirectoryError):
            return []


def describe(damaged: tuple[str, str]) -> str:
    """One line about something that was damaged."""
    path, fault = damaged
    return f"`{show(path)}` was damaged, and is removed: {fault}"
