"""The index: what stat said of every file and folder when it was last looked at, and what that meant, in columns.

It is a cache. Without it everything is found again from the files and the records beside them. One file, `STORE/index`, replaced whole, and after
small builds a second one that says what has changed in it since (store/changes.py):

    16 bytes   b"pipefile-index" + two bytes: the format number, big-endian
    32 bytes   blake3 of the table that follows
    table      for each section 8 bytes offset and 8 bytes length (little-endian), then 32 bytes blake3 of the section
    sections   in the order of SECTIONS; a reader takes, and checks, only those that it needs

Numbers in sections are arrays of 8 bytes ("Q", "q", "d") or 4 bytes ("i"), in the byte order of the machine; texts are joined by NUL, in UTF-8 with
surrogate escapes, so that a hundred thousand of them are one `split`. Nothing in here is unpickled; what is no column is JSON, a text for each edge
or set.

Rows of files: paths (from the root, or absolute), six columns of stat, 32 bytes of digest, one byte of flags, and in `makers` the edge that makes
the file, -1 for none. Rows of plain files come first as far as possible, then those of files that were not there, then the rest. A row that is
NAMED says nothing of its file: it has a number so that edges can name it. One that is not PRESENT has a digest all the same if it is a temporary
output that was removed: what that was.

Folders whose names matter: path, four columns of stamp (zeros where no stamp could be believed), flags, which say for what: records of edges, a
glob, a directory that is an input or output, code, a condition. `folder_rows` has for each folder (from `folder_starts[n]` on) the rows of the
outputs whose records lie in it, and `-1 - edge` for the record of an edge without outputs.

Edges are all of the graph's, by id. One that was fresh when the index was written (FRESH) has its key and, in `edge_rows`, three spans (from
`edge_starts[3 * id]` on): its outputs, its discovered inputs, the files of its code. If those and the key are the same now, it is fresh: the rows
were made from a verified record, so the record itself need not be read again while it is still there. That it is there, the stamps of its folder
tell.

The graph, resolved, so that a build can go on from here without reading a Pipefile (engine/warm.py). `head` is JSON: the document without its
stages, but with those that have a `for_each` or wildcards, and the digest of each file that it was read from, or looked for in vain. `stages` has for
each edge its table as the Pipefile has it, in JSON: `[table]`, or `[table, "word", ...]` with the files that its command names, from byte
`stage_starts[id]` on; of an instance `[[item]]`, with the names and values of its item; nothing where the table alone does not make it. `needs`
has for each item of the edge's inputs, in order, the row of a plain file, or `-1 - set`. A set is JSON in `sets`, `["raw/*.csv", "glob", "", node]`:
text, kind, inside and node as model/graph.py has them, or `[value]` for a value of `[global]`; `set_rows` are its files, for what is only known after
a stage has run those of its directory. Nodes are edges, then groups: `depends` has those that come before each, `order` for edges with `after` the
edge, how many come before it, and these; `waves` a wave for each node.

An edge is SOUND if it is FRESH and was looked at by the build that wrote the index: as long as no row that it rests on has changed, it is fresh
without being looked at. It is of the GOAL if the request needs it.

What `list --json` says is in `listing`: the default set as JSON; then for each stage its name, "each" where it stands for instances, and its line as
far as the index has to add how long it took. Nothing, where the ordinary way has to tell.

A request is what one command line asked for, "\x1f" between its targets ("" for the default set). `requests` has the one that was last built;
`request_rows` has six numbers for it (edges; 1 if all of it is SOUND and believed, else 0; the size of the block of plain rows at the start of the
index that are all part of it; further plain rows; absent rows; folders), then these rows. While all of them are as they were, only what is not
SOUND has to be looked at, which is nothing after most builds.

`dead` has dead outputs that still stand, `spare` what pattern rules have made and would make again though nothing asks for it now: what that is made
from is among the files of `head`.

This module is imported by every no-op build: it imports next to nothing.
"""

from __future__ import annotations

import os
from array import array

TYPE_CHECKING = False  # as typing's, whose import costs more than reading the index
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pipefile.store.changes import Changes

    Stamps = tuple[tuple[int, ...], tuple[int, ...] | None]

FORMAT = 3
NAME = "index"
CHANGES = ".changes"  # after that name; store/changes.py
MAGIC = b"pipefile-index"
SECTIONS = (
    "meta", "paths", "stats", "digests", "flags", "makers", "folders", "folder_stats", "folder_flags", "folder_rows", "folder_starts",
    "edge_names", "edge_keys", "edge_flags", "edge_rows", "edge_starts", "edge_seconds",
    "head", "stages", "stage_starts", "needs", "need_starts", "sets", "set_rows", "set_starts", "depends", "depend_starts", "order", "waves",
    "listing", "requests", "request_rows", "dead", "spare", "globs",
)  # fmt: skip
LIMIT = 4 << 30  # bytes; a project of ten million files stays below

# flags of a row
PRESENT, DIRECTORY, TRUSTED, OUTPUT, NAMED = 1, 2, 4, 8, 16
# flags of an edge; CODED: a change of a folder's names can change its code; ODD: it needs the ordinary way
FRESH, SOUND, GOAL, CODED, ODD = 1, 2, 4, 8, 16
# flags of a folder
RECORDS, GLOBBED, INSIDE, CODE, ASKED = 1, 2, 4, 8, 16

STAT_COLUMNS = 6  # device, inode, size, mtime_ns, ctime_ns, mode
_HEAD = len(MAGIC) + 2
_ENTRY = 48


class Damaged(Exception):  # noqa: N818 - it is no error of anybody's: the index is then taken as absent
    """The file is not a whole index of this format; `unknown_format` is set if it is a whole one of another."""

    unknown_format = 0


class Reader:
    """An index file, open for reading. Sections are read when they are asked for.

    Args:
        path: Absolute path of the file.

    Raises:
        OSError: There is none, or it cannot be read.
        Damaged: It is not an index that this version reads.
    """

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        self._kept: dict[tuple[str, str], Any] = {}
        self.table = b""
        """Digest of the table: no two indexes have the same."""
        self.changes: Changes | None = None
        self.changes_stamp: tuple[int, ...] | None = None
        try:
            self._entries = self._table()
            if os.path.lexists(path + CHANGES):
                self._read_changes(path + CHANGES)
        except BaseException:
            os.close(self._fd)
            raise

    def _read_changes(self, path: str) -> None:
        from pipefile.store import changes

        self.changes, seen = changes.read(path, FORMAT, self.table)
        self.changes_stamp = None if seen is None else stamp_of(seen)

    def _table(self) -> dict[str, tuple[int, int, bytes]]:
        from blake3 import blake3

        size = _HEAD + 32 + _ENTRY * len(SECTIONS)
        try:
            data = os.read(self._fd, size)
        except OSError:  # a folder in its place
            raise Damaged from None
        if not data.startswith(MAGIC) or len(data) < _HEAD:
            raise Damaged
        number = int.from_bytes(data[len(MAGIC) : _HEAD], "big")
        if number != FORMAT:
            fault = Damaged()
            fault.unknown_format = number
            raise fault
        table = data[_HEAD + 32 :]
        if len(data) != size or blake3(table).digest() != data[_HEAD : _HEAD + 32]:
            raise Damaged
        self.table = data[_HEAD : _HEAD + 32]
        entries = {}
        for at, name in enumerate(SECTIONS):
            entry = table[at * _ENTRY : (at + 1) * _ENTRY]
            entries[name] = (int.from_bytes(entry[:8], "little"), int.from_bytes(entry[8:16], "little"), entry[16:])
        return entries

    def section(self, name: str) -> bytes:
        """The bytes of a section.

        Raises:
            Damaged: They are not those that were written.
        """
        from blake3 import blake3

        data, digest = self.raw(name)
        if blake3(data).digest() != digest:
            raise Damaged
        if self.changes is not None:
            try:
                return self.changes.apply(SECTIONS.index(name), data)
            except ValueError:
                raise Damaged from None
        return data

    def is_changed(self, name: str) -> bool:
        """Whether a section is not any more what the index itself says."""
        return self.changes is not None and SECTIONS.index(name) in self.changes.patches

    def raw(self, name: str) -> tuple[bytes, bytes]:
        """The bytes of a section as the index has them, and their digest, unchecked: for whoever writes both again, and believes neither.

        Raises:
            Damaged: They are not all there.
        """
        offset, length, digest = self._entries[name]
        data = os.pread(self._fd, length, offset) if length <= LIMIT else b""
        if len(data) != length:
            raise Damaged
        return data, digest

    def texts(self, name: str) -> list[str]:
        """The texts of a section, split once."""
        found: list[str] | None = self._kept.get((name, ""))
        if found is None:
            data = self.section(name)
            found = self._kept[name, ""] = data.decode("utf-8", "surrogateescape").split("\0") if data else []
        return found

    def numbers(self, name: str, kind: str) -> array[int]:
        """The numbers of a section, read once."""
        found: array[int] | None = self._kept.get((name, kind))
        if found is None:
            found = self._kept[name, kind] = array(kind)
            found.frombytes(self.section(name))
        return found

    def stamp(self) -> tuple[int, int, int, int, int, int]:
        """The stat of the file that is read, whatever has come to stand in its place."""
        return stamp_of(os.fstat(self._fd))

    def stamps(self) -> Stamps:
        """As the function, of what is read."""
        return self.stamp(), self.changes_stamp

    def digest(self, name: str) -> bytes:
        """Tells a section from what it is in other indexes.

        Raises:
            Damaged: It is not what was written.
        """
        from blake3 import blake3

        return blake3(self.section(name)).digest() if self.is_changed(name) else self._entries[name][2]

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def pack(sections: dict[str, bytes], kept: Reader | None = None) -> bytes:
    """The bytes of an index file with these sections; one that is not given is that of *kept*, or empty."""
    from blake3 import blake3

    offset = _HEAD + 32 + _ENTRY * len(SECTIONS)
    table = []
    parts = []
    for name in SECTIONS:
        if name in sections or kept is None or kept.is_changed(name):
            data = sections[name] if name in sections else b"" if kept is None else kept.section(name)
            digest = blake3(data).digest()
        else:
            data, digest = kept.raw(name)
        table.append(offset.to_bytes(8, "little") + len(data).to_bytes(8, "little") + digest)
        parts.append(data)
        offset += len(data)
    joined = b"".join(table)
    return MAGIC + FORMAT.to_bytes(2, "big") + blake3(joined).digest() + joined + b"".join(parts)


def join_texts(texts: Sequence[str]) -> bytes:
    return "\0".join(texts).encode("utf-8", "surrogateescape")


class Meta:
    """What the whole index depends on. Stored as texts: the fields in order, then two for each variable.

    Args:
        version: Version of pipefile, with the key format: another one decides for itself.
        algorithm: Hash of the digests.
        boot: Id of the boot in which it was written; "" where unknown.
        saved: Stamp of the store's disk when it was written, ns.
        python: Minor version of the Python that ran the functions.
        env: Tracked variables: name -> their hidden value (base/digest.py: hide).
    """

    __slots__ = ("algorithm", "boot", "env", "python", "saved", "version")

    def __init__(self, version: str, algorithm: str, boot: str, saved: int, python: str) -> None:
        self.version = version
        self.algorithm = algorithm
        self.boot = boot
        self.saved = saved
        self.python = python
        self.env: dict[str, str] = {}

    def pack(self) -> bytes:
        fields = [self.version, self.algorithm, self.boot, str(self.saved), self.python]
        for name, value in self.env.items():
            fields += [name, value]
        return join_texts(fields)

    @classmethod
    def unpack(cls, texts: list[str]) -> Meta:
        if len(texts) < 5 or len(texts) % 2 == 0:
            raise Damaged
        try:
            meta = cls(texts[0], texts[1], texts[2], int(texts[3]), texts[4])
        except ValueError:
            raise Damaged from None
        meta.env = dict(zip(texts[5::2], texts[6::2], strict=True))
        return meta


class Index:
    """A whole index in memory, as one build reads it. Lookups by path are made when first asked for.

    `stats` is column after column: device and inode of all rows, and so on; `stat_of` gives one row's six numbers.
    """

    def __init__(self, reader: Reader | None) -> None:
        self.meta = Meta("", "", "", 0, "")
        self.paths: list[str] = []
        self.digests = b""
        self.flags = b""
        self.folders: list[str] = []
        self.folder_flags = b""
        self.head = self.listing = b""
        self.edge_names: list[str] = []
        self.edge_keys = b""
        self.edge_flags = b""
        self.edge_seconds = array("d")
        self.dead: list[str] = []
        self.spare: list[str] = []
        self.globs = b""
        self._columns: list[array[int]] = [array("q") for _ in range(STAT_COLUMNS)]
        self._folder_columns: list[array[int]] = [array("q") for _ in range(4)]
        self._rows = array("i")
        self._starts = array("i", [0])
        self._row_of: dict[str, int] | None = None
        self._edge_of: dict[str, int] | None = None
        self.some_rows: dict[str, int] = {}
        """Rows and edges that whoever made this looks at: where these are few, the others need no lookup by name."""
        self.some_edges: dict[str, int] = {}
        self._folder_of: dict[str, int] | None = None
        if reader is not None:
            self._read(reader)

    def _read(self, reader: Reader) -> None:
        self.meta = Meta.unpack(reader.texts("meta"))
        self.paths = reader.texts("paths")
        self.digests = reader.section("digests")
        self.flags = reader.section("flags")
        self._columns = columns(reader.numbers("stats", "q"), STAT_COLUMNS)
        self.folders = (reader.texts("folders") or [""]) if reader.section("folder_stats") else []  # [""] and [] look alike when joined
        self._folder_columns = columns(reader.numbers("folder_stats", "q"), 4)
        self.folder_flags = reader.section("folder_flags")
        self.head = reader.section("head")
        self.listing = reader.section("listing")
        self.edge_names = reader.texts("edge_names")
        self.edge_keys = reader.section("edge_keys")
        self.edge_flags = reader.section("edge_flags")
        self.edge_seconds.frombytes(reader.section("edge_seconds"))
        self._rows = reader.numbers("edge_rows", "i")
        self._starts = reader.numbers("edge_starts", "i")
        self.dead = reader.texts("dead")
        self.spare = reader.texts("spare")
        self.globs = reader.section("globs")
        files, edges = len(self.paths), len(self.edge_names)
        fits = (
            len(self.digests) == 32 * files
            and len(self.flags) == files == len(self._columns[0])
            and len(self._folder_columns[0]) == len(self.folders) == len(self.folder_flags)
            and len(self.edge_keys) == 32 * edges
            and len(self.edge_flags) == edges == len(self.edge_seconds)
            and len(self._starts) == 3 * edges + 1
        )
        if not fits:
            raise Damaged

    def row(self, path: str) -> int:
        """The row of a path, -1 if it has none."""
        found = self.some_rows.get(path, -1)
        if found >= 0:
            return found
        if self._row_of is None:
            self._row_of = dict(zip(self.paths, range(len(self.paths)), strict=True))
        return self._row_of.get(path, -1)

    @property
    def stats(self) -> list[array[int]]:
        """The columns of stat, each with a number for every row."""
        return self._columns

    def stat_of(self, row: int) -> tuple[int, ...]:
        return tuple([column[row] for column in self._columns])

    def folder_stamp(self, folder: str) -> tuple[int, ...] | None:
        """Device, inode, mtime_ns and ctime_ns of a folder when it was last looked at; zeros, which none has, where they were not believed."""
        if self._folder_of is None:
            self._folder_of = dict(zip(self.folders, range(len(self.folders)), strict=True))
        row = self._folder_of.get(folder, -1)
        return None if row < 0 else tuple([column[row] for column in self._folder_columns])

    def edge(self, name: str) -> int:
        """The position of an edge, -1 if the index does not know it."""
        found = self.some_edges.get(name, -1)
        if found >= 0:
            return found
        if self._edge_of is None:
            self._edge_of = dict(zip(self.edge_names, range(len(self.edge_names)), strict=True))
        return self._edge_of.get(name, -1)

    def outputs(self, edge: int) -> array[int]:
        """Rows of an edge's outputs."""
        return self._rows[self._starts[3 * edge] : self._starts[3 * edge + 1]]

    def discovered(self, edge: int) -> array[int]:
        """Rows of its discovered inputs."""
        return self._rows[self._starts[3 * edge + 1] : self._starts[3 * edge + 2]]

    def code(self, edge: int) -> array[int]:
        """Rows of the files of its code."""
        return self._rows[self._starts[3 * edge + 2] : self._starts[3 * edge + 3]]


def stamps_of(path: str) -> Stamps:
    """The stats of an index, and of the file that says what has changed in it: a build that writes anything changes one of them.

    Args:
        path: Absolute path of the index.

    Raises:
        OSError: There is none.
    """
    try:
        changes: tuple[int, ...] | None = stamp_of(os.lstat(path + CHANGES))
    except OSError:
        changes = None
    return stamp_of(os.lstat(path)), changes


def columns(numbers: array[int], count: int) -> list[array[int]]:
    """One array a column, from an array of column after column."""
    size, rest = divmod(len(numbers), count)
    if rest:
        raise Damaged
    return [numbers[at * size : (at + 1) * size] for at in range(count)]


def signed(number: int) -> int:
    """*number* as it fits into a column: device and inode numbers use all 64 bits on some disks."""
    return number if -(1 << 63) <= number < 1 << 63 else (number + (1 << 63)) % (1 << 64) - (1 << 63)


def stamp_of(seen: os.stat_result) -> tuple[int, int, int, int, int, int]:
    """What has to stay for a digest to be believed: device, inode, size, mtime_ns, ctime_ns, mode."""
    device, inode, modified, changed = seen.st_dev, seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns
    if not (device | inode | modified | changed) >> 63:  # nearly always: several of them are made for each command
        return (device, inode, seen.st_size, modified, changed, seen.st_mode)
    return (signed(device), signed(inode), seen.st_size, signed(modified), signed(changed), seen.st_mode)


def folder_stamp_of(seen: os.stat_result) -> tuple[int, int, int, int]:
    """What has to stay for a folder's names to be believed."""
    return (signed(seen.st_dev), signed(seen.st_ino), signed(seen.st_mtime_ns), signed(seen.st_ctime_ns))


def boot_id() -> str:
    """Of the running system; "" where it does not say."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
