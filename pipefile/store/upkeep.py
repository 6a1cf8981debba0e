"""Looking after the cache of store/cache.py: how much is in it, what goes when space is needed, what is damaged."""

from __future__ import annotations

import stat as stat_bits
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from pipefile.base.digest import is_digest
from pipefile.base.errors import RecordError
from pipefile.base.paths import name_of, show
from pipefile.model.cache import Entry
from pipefile.model.ports import Disk
from pipefile.store.cache import BLOCK, place_of, space_of
from pipefile.store.entry import LIMIT, decode


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

    def stats(self) -> Stats:
        results = keys = blobs = size = 0
        for path, taken, _ in self._files("entries"):
            keys += 1
            results += len(self._results(path)[0])
            size += taken
        for _, taken, _ in self._files("blobs"):
            blobs += 1
            size += taken
        return Stats(results, keys, blobs, size)

    def trim(self, limit: int, keys: Collection[str] = (), blobs: Collection[str] = ()) -> Trimmed:
        """Remove what was least recently used until the rest takes no more than *limit* bytes, and files that no result names.

        Args:
            limit: Bytes.
            keys: What stays although it may take more.
            blobs: The same for files.

        Raises:
            OSError: Something cannot be removed.
        """
        sizes = {name_of(path): taken for path, taken, _ in self._files("blobs")}
        kept = {name_of(place_of(self._root, "blobs", blob)) for blob in blobs}
        stays = {place_of(self._root, "entries", key) for key in keys}
        files = sorted(self._files("entries"), key=lambda file: (file[0] in stays, file[2], file[0]), reverse=True)
        left = sum(sizes.get(name, 0) for name in kept)
        gone = freed = 0
        full = False
        for path, taken, _ in files:
            results = self._results(path)[0]
            named = {name_of(place_of(self._root, "blobs", blob)) for result in results for blob in result.blobs} - kept
            cost = taken + sum(sizes.get(name, 0) for name in named)
            full = full or (left + cost > limit and path not in stays)
            if full or not results:
                self._disk.remove(path)
                gone += 1
                freed += taken
            else:
                kept |= named
                left += cost
        removed = 0
        for path, taken, _ in list(self._files("blobs")):
            if name_of(path) not in kept:
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
        count = 0
        sound: dict[str, int] = {}
        for path, _, size in list(self._files("blobs", with_size=True)):
            fault = self._fault(path)
            if fault:
                damaged.append((path, fault))
                self._disk.remove(path)
            else:
                count += 1
                sound[name_of(path)] = size
        results = 0
        for path, _, _ in list(self._files("entries")):
            found, faults = self._results(path)
            whole = [each for each in found if self._is_whole(each, sound)]
            faults += ["its files are missing or damaged"] * (len(found) - len(whole))
            results += len(whole)
            if faults:
                damaged += [(path, fault) for fault in faults]
                self._rewrite(path, whole)
        return Checked(results, count, tuple(damaged))

    def _is_whole(self, entry: Entry, sound: dict[str, int]) -> bool:
        return all(sound.get(name_of(place_of(self._root, "blobs", blob))) == size for blob, size in entry.blobs.items())

    def _rewrite(self, path: str, entries: list[Entry]) -> None:
        from pipefile.store.entry import encode

        if entries:
            self._disk.write(path, b"".join(map(encode, entries)))
        else:
            self._disk.remove(path)

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

    def _results(self, path: str) -> tuple[list[Entry], list[str]]:
        """The results in a file, oldest first, and what is wrong with others in it."""
        try:
            data = self._disk.read(path, LIMIT, follow=False)
        except OSError as error:
            return [], [(error.strerror or "it cannot be read").lower()]
        key = name_of(path).replace("-", ":", 1)
        found, faults = [], []
        for line in data.split(b"\n"):
            if line:
                try:
                    found.append(decode(line + b"\n", key))
                except RecordError as error:
                    faults.append(str(error))
        return found, faults

    def _files(self, kind: str, with_size: bool = False) -> Iterator[tuple[str, int, int]]:
        """What stands where entries or blobs are: path, bytes that it takes, and when it was last used in ns (or, if asked for, its size)."""
        for shard, what in self._names(f"{self._root}/{kind}"):
            folder = f"{self._root}/{kind}/{shard}"
            for name, _ in self._names(folder) if what == "directory" else ():
                seen = self._disk.lstat(f"{folder}/{name}")
                if seen is not None:
                    regular = stat_bits.S_ISREG(seen.st_mode)
                    yield f"{folder}/{name}", space_of(seen.st_size) if regular else BLOCK, seen.st_size if with_size else seen.st_mtime_ns
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
