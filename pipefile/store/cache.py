"""The cache of this machine: earlier results by key, so that an edit that is undone, or a branch that is come back to, runs nothing.

    STORE/cache/CACHEDIR.TAG                     tells backup programs to leave the folder out
                entries/2c/blake3-2c26b4...      the results of one key, a line each, the newest last; store/entry.py has the format of a line
                blobs/fc/blake3-fcde2b...        the bytes of one file, by their digest; nobody may write to it
                size                             how much space all of it takes

Names are digests with `-` for `:`, in folders of their first two hex digits.

A key has several results where stages discover inputs: each is restored only if those match now. There are at most `VARIANTS`; one with the same
discovered inputs as an earlier one takes its place. The time of an entry's file is that of its last use, when it was added or restored.

**Small files.** Making a file costs some 30 us, and as much again once it is removed; the bytes of a trivial result are fewer than what a disk
takes for a file anyway. So a file of up to 4 KB lies in its entry, a trivial result is one file, and that is written by one append, without a
temporary file and a rename: a line checks itself, so one that is torn is a miss. Whoever appends after a torn line ends that first.
Larger files are written beside their place and renamed.

**Blobs** are copies, or clones where the disk can share blocks (FICLONE), never hard links: a stage that writes to what was restored must not change
the cache. They are hashed on the way out, so that one that is damaged is a miss, and is removed.

`size` is one line in the frame of store/frame.py, `{"format": 1, "checksum": "...", "bytes": 123904}`, whole blocks of 4 KB counted. It is removed
before a build adds something and written when it ends, so that it never tells less than there is; where it is missing, all files are counted.

Nothing here is needed: whatever is removed or damaged is a miss. Only one command at a time writes here, with the project's lock held.
"""

from __future__ import annotations

import errno
import stat as stat_bits
from collections.abc import Callable, Collection, Mapping, Sequence

from pipefile.base import digest as digests
from pipefile.base.errors import RecordError
from pipefile.base.paths import folder_of
from pipefile.model.cache import Entry
from pipefile.model.ports import Disk
from pipefile.store.entry import LIMIT, decode, encode
from pipefile.store.folder import prepare_store
from pipefile.store.frame import opened, sealed

VARIANTS = 8  # results of one key
BLOCK = 4096

_TAG = b"Signature: 8a477f597d28d172789f06886806bc55\n# Earlier results of pipefile; all of it may be removed.\n"
_TAKEN = frozenset([errno.ELOOP, errno.EINVAL, errno.EISDIR, errno.EACCES, errno.ENXIO])  # another thing stands in place of a file


def place_of(cache: str, kind: str, digest: str) -> str:
    """Where an entry ("entries", by its key) or a blob ("blobs") is."""
    algorithm, _, digits = digest.partition(":")
    return f"{cache}/{kind}/{digits[:2]}/{algorithm}-{digits}"


def space_of(size: int) -> int:
    """Bytes that a file takes on a disk."""
    return -(-size // BLOCK) * BLOCK


class LocalCache:
    """The cache in a project's store (model/ports.py: Cache). Nothing is looked at or made before it is needed.

    Args:
        disk: The project's disk.
        store: The store's folder, from the root.
        limit: Bytes that it may take.
        algorithm: Of the project's digests.
        warn: Takes a text for the user; called once if an entry has an unknown format.
    """

    def __init__(self, disk: Disk, store: str, limit: int, algorithm: str, warn: Callable[[str], None]) -> None:
        self._disk = disk
        self._store = store
        self._root = f"{store}/cache"
        self._limit = limit
        self._warn = warn
        self._algorithm = algorithm
        self._warned = False
        self._clones = True
        self._size: int | None = None
        self._added = -1  # bytes; -1 before the first one
        self._used_keys: set[str] = set()
        self._used_blobs: set[str] = set()

    # -- questions

    def entries(self, key: str) -> Sequence[Entry]:
        found = []
        for line in reversed(self._lines(key)):
            try:
                found.append(decode(line + b"\n", key))
            except RecordError as error:
                if error.unknown_format is not None and not self._warned:
                    self._warned = True
                    self._warn(f"results of format {error.unknown_format} in the cache are of another version of pipefile: they are not used")
        return found

    def _lines(self, key: str) -> list[bytes]:
        try:
            data = self._disk.read(place_of(self._root, "entries", key), LIMIT, follow=False)
        except OSError:
            return []
        return [line for line in data.split(b"\n") if line]

    def has_entries(self, keys: Collection[str]) -> frozenset[str]:
        return frozenset([key for key in keys if self._file_size(place_of(self._root, "entries", key)) >= 0])

    def has(self, blobs: Mapping[str, int]) -> frozenset[str]:
        return frozenset([blob for blob, size in blobs.items() if self._file_size(place_of(self._root, "blobs", blob)) == size])

    def _file_size(self, path: str) -> int:
        """Of a regular file; -1 where there is none."""
        try:
            seen = self._disk.lstat(path)
        except OSError:
            return -1
        return seen.st_size if seen is not None and stat_bits.S_ISREG(seen.st_mode) else -1

    def fetch(self, blob: str, size: int, target: str, executable: bool = False) -> bool:
        source = place_of(self._root, "blobs", blob)
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
        if blob and self._file_size(place_of(self._root, "blobs", blob)) >= 0:
            seen = self._disk.lstat(source)
            if seen is not None and self.has({blob: seen.st_size}):
                self._used_blobs.add(blob)
                return blob
        self._begin()
        temporary = f"{self._root}/blobs/new~"
        if self._disk.lstat(temporary) is not None:
            self._disk.remove(temporary)
        digest = self._take_in(blob, source, temporary, only_clone)
        if not digest or (blob and digest != blob):
            self._disk.remove(temporary)
            return ""
        seen = self._disk.lstat(temporary)
        final = place_of(self._root, "blobs", digest)
        self._into(final, lambda: self._disk.rename(temporary, final))
        self._added += space_of(seen.st_size if seen is not None else 0)
        self._used_blobs.add(digest)
        return digest

    def _take_in(self, blob: str, source: str, temporary: str, only_clone: bool) -> str:
        """Make a copy of *source*; its digest, "" if there is none because it would cost space."""
        if self._clones and self._clone(source, temporary, 0o444):
            return blob if blob and only_clone else self._plain_digest(temporary, blob or f"{self._algorithm}:")
        return "" if only_clone else self._disk.copy(source, temporary, self._algorithm, 0o444)

    def put(self, entry: Entry) -> None:
        self._used_keys.add(entry.key)
        path = place_of(self._root, "entries", entry.key)
        lines = self._lines(entry.key)
        stay: list[bytes] | None = lines
        if not lines and self._disk.lstat(path) is not None:  # damaged, whole or in part
            stay = None
        if lines:
            known = [(self._decoded(line, entry.key), line) for line in lines]
            newest = known[-1][0]
            if newest is not None and (newest.discovered, newest.outputs, newest.own) == (entry.discovered, entry.outputs, entry.own):
                self._disk.touch(path)
                return
            stay = [line for found, line in known if found is not None and found.discovered != entry.discovered][1 - VARIANTS :]
        line = encode(entry)
        if len(line) > LIMIT // VARIANTS:
            return
        self._begin()
        if stay == lines:
            self._into(path, lambda: self._append(path, line))
        else:
            self._into(path, lambda: self._disk.write(path, b"".join([each + b"\n" for each in stay or ()]) + line))
        self._added += space_of(len(line))

    def _decoded(self, line: bytes, key: str) -> Entry | None:
        try:
            return decode(line + b"\n", key)
        except RecordError:
            return None

    def _append(self, path: str, line: bytes) -> None:
        if not self._disk.append(path, line):  # the tree was copied by links: the other one shall not see this
            self._disk.write(path, self._disk.read(path, LIMIT, follow=False) + b"\n" + line)

    def _into(self, path: str, act: Callable[[], object]) -> None:
        """Do something that makes a file, its folder made and what stands in its place removed where that has to be."""
        for _ in range(2):
            try:
                act()
            except FileNotFoundError:
                self._disk.mkdirs(folder_of(path))
            except OSError as error:
                if error.errno not in _TAKEN:
                    raise
                self._disk.remove(path)
            else:
                return
        act()

    def drop(self, entry: Entry) -> None:
        lines = [line for line in self._lines(entry.key) if self._decoded(line, entry.key) not in (None, entry)]
        path = place_of(self._root, "entries", entry.key)
        if not lines:
            self._remove(path)
            return
        try:
            self._disk.write(path, b"".join([line + b"\n" for line in lines]))
        except OSError:
            self._remove(path)

    def used(self, entry: Entry) -> None:
        self._used_keys.add(entry.key)
        self._used_blobs.update(entry.blobs)
        try:
            self._disk.touch(place_of(self._root, "entries", entry.key))
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
            self._disk.mkdirs(f"{self._root}/entries")
            self._disk.mkdirs(f"{self._root}/blobs")
            self._disk.write(f"{self._root}/CACHEDIR.TAG", _TAG)
        self._disk.remove(f"{self._root}/size")
        self._added = 0

    def close(self) -> None:
        if self._added < 0:
            return
        size = None if self._size is None else self._size + self._added
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
