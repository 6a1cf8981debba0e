"""The results in the cache: lines in 16 files that are only added to, by the first hex digit of their keys.

    STORE/cache/entries/2       lines as store/entry.py describes them, the newest last

A file for each result would cost an edge more than all the rest of the cache: making one takes 50 us and more, removing it as much again. A line at
the end of a file that is there takes a few, and lines are written by the dozen. What checks itself needs neither a temporary file nor a rename: a
line that is torn, or damaged, is a miss. Whoever adds after a torn line ends that first. Files are written anew, beside their place and renamed, when
something in them is to be forgotten, and when most of their lines only say again that a result was used.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from pipefile.base.dataclass import dataclass, field
from pipefile.base.errors import RecordError
from pipefile.model.cache import Entry
from pipefile.model.ports import Disk
from pipefile.store.entry import KEY_AT, decode, mark
from pipefile.store.folder import make_way

LIMIT = 1 << 30  # bytes of a file: a thousand times what there is in large caches
VARIANTS = 8  # results of one key

SHELF = slice(7, 8)  # the part of a key that says in which file it is

_KEPT = 64 << 20  # bytes of files that are kept in memory
_AT_ONCE = 256 << 10  # bytes that wait to be written
_SLACK = 64  # lines of a file that may be of no use


@dataclass(slots=True)
class _Shelf:
    """One of the files.

    Args:
        places: Key -> begin and end of each of its lines.
        data: Its bytes; None where that was too much to keep.
        size: How many they are.
        lost: It could not be read: it is written anew.
        waiting: Lines to be written.
        added: Key -> lines that this process has added, as long as they are not too many.
    """

    places: dict[bytes, list[tuple[int, int]]] = field(default_factory=dict)
    data: bytes | None = b""
    size: int = 0
    lost: bool = False
    waiting: list[bytes] = field(default_factory=list)
    added: dict[bytes, list[bytes]] = field(default_factory=dict)


class Shelves:
    """
    Args:
        disk: The project's disk.
        folder: Where they are, from the root.
        notice: Told what is wrong with a line of an unknown format.
    """

    def __init__(self, disk: Disk, folder: str, notice: Callable[[RecordError], None] = lambda _: None) -> None:
        self._disk = disk
        self._folder = folder
        self._notice = notice
        self._shelves: dict[str, _Shelf] = {}
        self._kept = 0
        self._waiting = 0

    # -- questions

    def results(self, key: str) -> list[Entry]:
        """What is known of a key, the newest first: one for each set of discovered inputs."""
        found: list[Entry] = []
        for line in reversed(self._lines(key)):
            try:
                entry, _ = decode(line, key)
            except RecordError as error:
                if error.unknown_format is not None:
                    self._notice(error)
                continue
            if entry is not None and not any(other.discovered == entry.discovered for other in found):
                found.append(entry)
                if len(found) == VARIANTS:
                    break
        return found

    def has(self, key: str) -> bool:
        """Whether there is anything of a key."""
        return bool(self._lines(key))

    def _lines(self, key: str) -> list[bytes]:
        """All lines of a key, the oldest first."""
        name, raw = key[SHELF], key.encode()
        shelf = self._open(name)
        places, added = shelf.places.get(raw), shelf.added.get(raw, [])
        if not places:
            return added
        data = shelf.data if shelf.data is not None else self._read(name)[0]
        return [data[begin:end] + b"\n" for begin, end in places] + added

    def _open(self, name: str) -> _Shelf:
        shelf = self._shelves.get(name)
        if shelf is None:
            data, lost = self._read(name)
            shelf = self._shelves[name] = _Shelf(_places(data), data, len(data), lost)
            self._kept += len(data)
            if self._kept > _KEPT:
                shelf.data = None
                self._kept -= len(data)
        return shelf

    def _read(self, name: str) -> tuple[bytes, bool]:
        """The bytes of a file, and whether what stands there cannot be read."""
        try:
            return self._disk.read(f"{self._folder}/{name}", LIMIT, follow=False), False
        except (FileNotFoundError, NotADirectoryError):
            return b"", False
        except OSError:
            return b"", True

    def names(self) -> list[str]:
        """Names of the files, and of whatever stands beside them."""
        try:
            return sorted([name for name, _ in self._disk.names(self._folder)])
        except (FileNotFoundError, NotADirectoryError):
            return []

    def all(self, name: str) -> Iterator[tuple[str, int, list[tuple[Entry, bytes]], int]]:
        """Everything in one file, by key: when it was last used, its results with their lines, the oldest first, and how many lines are damaged.
        Lines of which not even the key can be read come with the key ""."""
        data, _ = self._read(name)
        known = _places(data)
        torn = data.count(b"\n") + (data[-1:] not in (b"", b"\n")) - sum(map(len, known.values()))
        if torn > 0:
            yield "", 0, [], torn
        for raw, places in known.items():
            key = raw.decode("ascii")
            last = damaged = 0
            results: list[tuple[Entry, bytes]] = []
            for begin, end in places:
                line = data[begin:end] + b"\n"
                try:
                    entry, used = decode(line, key)
                except RecordError:
                    damaged += 1
                    continue
                last = max(last, used)
                if entry is not None:
                    results = [(other, each) for other, each in results if other.discovered != entry.discovered]
                    results.append((entry, line))
            yield key, last, results[-VARIANTS:], damaged

    # -- changes

    def add(self, key: str, line: bytes) -> None:
        """Add a line of a key, now or soon.

        Raises:
            OSError: It cannot be written.
        """
        shelf = self._open(key[SHELF])
        shelf.waiting.append(line)
        self._waiting += len(line)
        self._kept += len(line)
        if self._kept <= 2 * _KEPT:
            shelf.added.setdefault(key.encode(), []).append(line)
        if self._waiting > _AT_ONCE:
            self.flush()

    def drop(self, entry: Entry) -> None:
        """Forget a result."""
        self.flush()
        name = entry.key[SHELF]
        self._open(name)
        kept = [line for line in self._lines(entry.key) if not _holds(line, entry)]
        self.rewrite(name, [entry.key], kept)

    def flush(self) -> None:
        """Write what waits."""
        for name, shelf in self._shelves.items():
            if shelf.waiting:
                lines, shelf.waiting = shelf.waiting, []
                data = b"".join(lines)
                self._waiting -= len(data)
                self._append(f"{self._folder}/{name}", data, shelf.lost)
                shelf.lost = False

    def finish(self) -> int:
        """Write what waits, at the end of a build, and files of which most is of no use anew. Returns the bytes that this has saved."""
        self.flush()
        saved = 0
        for name, shelf in list(self._shelves.items()):
            lines = sum(map(len, shelf.places.values())) + sum(map(len, shelf.added.values()))
            if shelf.added and lines > 4 * len(shelf.places.keys() | shelf.added.keys()) + _SLACK:
                before = len(self._read(name)[0])
                whole = [(key, used, results) for key, used, results, _ in self.all(name) if results]
                kept = [line for key, used, results in whole for line in kept_lines(key, used, [line for _, line in results])]
                self.replace(name, kept)
                saved += before - sum(map(len, kept))
        return saved

    def _append(self, path: str, data: bytes, anew: bool) -> None:
        def act() -> None:
            if anew:
                self._disk.remove(path)
            if not self._disk.append(path, data):  # the tree was copied by links: the other one shall not see this
                self._disk.write(path, self._disk.read(path, LIMIT, follow=False) + b"\n" + data)

        make_way(self._disk, path, act)

    def rewrite(self, name: str, without: Collection[str], lines: Collection[bytes] = ()) -> None:
        """Write a file anew, without damaged lines and those of some keys, and with other lines at its end.

        Raises:
            OSError: It cannot be written.
        """
        data, _ = self._read(name)
        gone = {key.encode() for key in without}
        kept = [data[begin:end] + b"\n" for key, places in _places(data).items() if key not in gone for begin, end in places]
        self.replace(name, [*kept, *lines])

    def replace(self, name: str, lines: Collection[bytes]) -> None:
        """Write a file anew; one without lines is removed."""
        path = f"{self._folder}/{name}"
        if lines:
            self._disk.write(path, b"".join(lines))
        else:
            self._disk.remove(path)
        self._forget(name)

    def _forget(self, name: str) -> None:
        shelf = self._shelves.pop(name, None)
        if shelf is not None and shelf.data is not None:
            self._kept -= len(shelf.data)


def kept_lines(key: str, used: int, lines: list[bytes]) -> list[bytes]:
    """The lines of the results of a key with, where they do not say so themselves, one that says when it was last used."""
    at = KEY_AT + 71 + len('", "used": ')
    put = max([int(line[at : line.index(b",", at)]) for line in lines], default=used)
    return [*lines, mark(key, used)] if used > put else lines


def _places(data: bytes) -> dict[bytes, list[tuple[int, int]]]:
    """Where the lines of each key begin and end: lines that look as if they had one."""
    found: dict[bytes, list[tuple[int, int]]] = {}
    begin = 0
    while (end := data.find(b"\n", begin)) >= 0:
        if end - begin > KEY_AT + 71 and data[KEY_AT - 8 + begin : KEY_AT + begin] == b'"key": "':
            key = data[begin + KEY_AT : begin + KEY_AT + 71]
            if key.isascii():
                found.setdefault(key, []).append((begin, end))
        begin = end + 1
    return found


def _holds(line: bytes, entry: Entry) -> bool:
    try:
        return decode(line, entry.key)[0] == entry
    except RecordError:
        return True
