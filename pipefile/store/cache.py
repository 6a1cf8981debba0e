"""The cache of this machine: earlier results by key, so that an edit that is undone, or a branch that is come back to, runs nothing.

    STORE/cache/CACHEDIR.TAG                 tells backup programs to leave the folder out
                entries/2                    the results of all keys that begin with 2, a line each; store/entry.py and store/shelf.py describe them
                blobs/fc/blake3-fcde2b...    the bytes of one file, by their digest, with `-` for `:`; nobody may write to it
                size                         how much space all of it takes

A key has several results where stages discover inputs: each is restored only if those match now. There are at most VARIANTS (store/shelf.py); one
with the same discovered inputs as an earlier one takes its place.

**Small files**, up to 4 KB, lie in the line of their result: that of a trivial edge is one line, and no file at all. Larger ones are blobs.

**Blobs** are copies, or clones where the disk can share blocks (FICLONE), never hard links: a stage that writes to what was restored must not change
the cache. They are written beside their place and renamed, and hashed on the way out, so that one that is damaged is a miss, and is removed.

`size` is one line in the frame of store/frame.py, `{"format": 1, "checksum": "...", "bytes": 123904}`, whole blocks of 4 KB counted for blobs. It is
removed before a build adds something and written when it ends, so that it never tells less than there is; where it is missing, all is counted.

Nothing here is needed: whatever is removed or damaged is a miss. Only one command at a time writes here, with the project's lock held.
"""

from __future__ import annotations

import errno
import stat as stat_bits
from _thread import RLock  # threading's, without its import
from collections.abc import Callable, Collection, Mapping, Sequence

from pipefile.base import digest as digests
from pipefile.base.errors import RecordError
from pipefile.model.cache import Entry
from pipefile.model.ports import Disk
from pipefile.store.entry import LIMIT, encode, mark
from pipefile.store.folder import make_way, prepare_store
from pipefile.store.frame import opened, sealed
from pipefile.store.shelf import Shelves

BLOCK = 4096

_TAG = b"Signature: 8a477f597d28d172789f06886806bc55\n# Earlier results of pipefile; all of it may be removed.\n"


def place_of(cache: str, blob: str) -> str:
    """Where the bytes with a digest are."""
    algorithm, _, digits = blob.partition(":")
    return f"{cache}/blobs/{digits[:2]}/{algorithm}-{digits}"


def space_of(size: int) -> int:
    """Bytes that a file takes on a disk."""
    return -(-size // BLOCK) * BLOCK


class LocalCache:
    """The cache in a project's store (model/ports.py: Cache). Nothing is looked at or made before it is needed.

    A second thread may call `store` and `put`, for large files: bytes are copied without keeping the first one from anything.

    Args:
        disk: The project's disk.
        store: The store's folder, from the root.
        limit: Bytes that it may take.
        algorithm: Of the project's digests.
        now: When the build began, in seconds since the epoch: that is when all it uses was used.
        warn: Takes a text for the user; called once if an entry has an unknown format.
    """

    def __init__(  # one a fact of the project
        self, disk: Disk, store: str, limit: int, algorithm: str, now: int, warn: Callable[[str], None]
    ) -> None:
        self._disk = disk
        self._store = store
        self._root = f"{store}/cache"
        self._limit = limit
        self._warn = warn
        self._algorithm = algorithm
        self._now = now
        self._shelves = Shelves(disk, f"{self._root}/entries", self._notice)
        self._warned = False
        self._clones = True
        self._size: int | None = None
        self._added = -1  # bytes; -1 before the first one
        self._lock = RLock()
        self._places = ["new-too~", "new~"]  # where files are copied to, beside their place: one for each thread
        self._used_keys: set[str] = set()
        self._used_blobs: set[str] = set()

    # -- questions

    def entries(self, key: str) -> Sequence[Entry]:
        with self._lock:
            return self._shelves.results(key)

    def _notice(self, error: RecordError) -> None:
        if not self._warned:
            self._warned = True
            self._warn(f"results of format {error.unknown_format} in the cache are of another version of pipefile: they are not used")

    def has_entries(self, keys: Collection[str]) -> frozenset[str]:
        with self._lock:
            return frozenset(filter(self._shelves.has, keys))

    def has(self, blobs: Mapping[str, int]) -> frozenset[str]:
        return frozenset([blob for blob, size in blobs.items() if self._file_size(place_of(self._root, blob)) == size])

    def _file_size(self, path: str) -> int:
        """Of a regular file; -1 where there is none."""
        try:
            seen = self._disk.lstat(path)
        except OSError:
            return -1
        return seen.st_size if seen is not None and stat_bits.S_ISREG(seen.st_mode) else -1

    def fetch(self, blob: str, size: int, target: str, executable: bool = False) -> bool:
        source = place_of(self._root, blob)
        if self._file_size(source) != size:
            return False
        mode = 0o777 if executable else 0o666
        try:
            if self._clones and self._clone(source, target, mode):
                digest = self._plain_digest(target, blob)
            else:
                digest = self._disk.copy(source, target, blob.partition(":")[0], mode, size)
        except OSError as error:  # of the blob it says nothing, unless it cannot be read
            self._remove(target)
            if error.errno == errno.ECANCELED:
                raise
            if error.errno in (errno.EIO, errno.EFBIG):
                self._remove(source)
            return False
        if digest == blob:
            self._used_blobs.add(blob)
            return True
        self._remove(target)
        self._remove(source)
        return False

    def _clone(self, source: str, target: str, mode: int) -> bool:
        self._clones = self._disk.clone(source, target, mode)
        return self._clones

    def _plain_digest(self, path: str, like: str) -> str:
        """The digest of a file's bytes; *like* if it has that."""
        digest, seen = self._disk.digest(path, like.partition(":")[0])
        wanted = digests.executable(like) if seen.st_mode & 0o100 else like
        return like if digest == wanted else digest

    # -- changes

    def store(self, blob: str, source: str, only_clone: bool = False) -> str:
        if blob and self._file_size(place_of(self._root, blob)) >= 0:
            seen = self._disk.lstat(source)
            if seen is not None and self.has({blob: seen.st_size}):
                self._used_blobs.add(blob)
                return blob
        with self._lock:
            self._begin()
            place = self._places.pop()
        try:
            return self._copy_in(blob, source, f"{self._root}/blobs/{place}", only_clone)
        finally:
            self._places.append(place)

    def _copy_in(self, blob: str, source: str, temporary: str, only_clone: bool) -> str:
        if self._disk.lstat(temporary) is not None:
            self._disk.remove(temporary)
        digest = self._take_in(blob, source, temporary, only_clone)
        if not digest or (blob and digest != blob):
            self._disk.remove(temporary)
            return ""
        seen = self._disk.lstat(temporary)
        final = place_of(self._root, digest)
        with self._lock:
            make_way(self._disk, final, lambda: self._disk.rename(temporary, final))
            self._added += space_of(seen.st_size if seen is not None else 0)
            self._used_blobs.add(digest)
        return digest

    def _take_in(self, blob: str, source: str, temporary: str, only_clone: bool) -> str:
        """Make a copy of *source*; its digest, "" if there is none because it would cost space."""
        if self._clones and self._clone(source, temporary, 0o444):
            return blob if blob and only_clone else self._plain_digest(temporary, blob or f"{self._algorithm}:")
        return "" if only_clone else self._disk.copy(source, temporary, self._algorithm, 0o444)

    def put(self, entry: Entry) -> None:
        with self._lock:
            self._put(entry)

    def _put(self, entry: Entry) -> None:
        self._used_keys.add(entry.key)
        known = next((each for each in self._shelves.results(entry.key) if each.discovered == entry.discovered), None)
        if known is not None and (known.outputs, known.own) == (entry.outputs, entry.own):
            self.used(known)
            return
        line = encode(entry, self._now)
        if len(line) <= LIMIT:
            self._begin()
            self._shelves.add(entry.key, line)
            self._added += len(line)

    def drop(self, entry: Entry) -> None:
        try:
            with self._lock:
                self._shelves.drop(entry)
        except OSError:
            pass  # it is a miss next time too

    def used(self, entry: Entry) -> None:
        self._used_keys.add(entry.key)
        self._used_blobs.update(entry.blobs)
        line = mark(entry.key, self._now)
        try:
            with self._lock:
                self._begin()
                self._shelves.add(entry.key, line)
                self._added += len(line)
        except OSError:
            pass  # it goes sooner than it had to

    def _remove(self, path: str) -> None:
        try:
            self._disk.remove(path)
        except OSError:
            pass  # it stays, and is a miss next time too

    # -- size

    def _begin(self) -> None:
        """What comes before the first change."""
        if self._added >= 0:
            return
        self._size = size_of(self._disk, self._store)
        if self._disk.lstat(f"{self._root}/CACHEDIR.TAG") is None:
            prepare_store(self._disk, self._store)
            if self._disk.lstat(self._root) is None:
                self._size = 0
            self._disk.mkdirs(f"{self._root}/blobs")
            self._disk.write(f"{self._root}/CACHEDIR.TAG", _TAG)
        self._disk.remove(f"{self._root}/size")
        self._added = 0

    def close(self) -> None:
        if self._added < 0:
            return
        saved = self._shelves.finish()
        size = None if self._size is None else self._size + self._added - saved
        if size is None or size > self._limit:  # to a tenth less than the limit, so that the next builds have room
            from pipefile.store.upkeep import Upkeep

            limit = self._limit - (self._limit // 10 if size is not None else 0)
            size = Upkeep(self._disk, self._store).trim(limit, self._used_keys, self._used_blobs).left
        write_size(self._disk, self._store, size)
        self._added = -1


def size_of(disk: Disk, store: str) -> int | None:
    """Bytes that the cache takes, as the last command has counted them; None where that is not known."""
    try:
        size = opened(disk.read(f"{store}/cache/size", BLOCK, follow=False), "size")["bytes"]
    except (OSError, ValueError, KeyError, RecursionError):  # RecordError is a ValueError
        return None
    return size if type(size) is int and size >= 0 else None


def write_size(disk: Disk, store: str, size: int) -> None:
    """Keep what was counted, where there is a cache."""
    if disk.lstat(f"{store}/cache") is not None:
        path = f"{store}/cache/size"
        try:
            disk.write(path, sealed({"bytes": size}))
        except IsADirectoryError:
            disk.remove(path)
            disk.write(path, sealed({"bytes": size}))
