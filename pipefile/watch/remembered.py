"""The index in memory: what the last build has left known of files and folders, found by path."""

from __future__ import annotations

import os
import stat as stat_bits
from array import array
from collections.abc import Mapping, Sequence

from pipefile.base.paths import folder_of
from pipefile.engine import fastlane
from pipefile.engine.globs import GlobMatch
from pipefile.engine.lazy import Columns
from pipefile.engine.world import unpack_globs
from pipefile.store.index import DIRECTORY, FRESH, GOAL, NAME, NAMED, PRESENT, RECORDS, Damaged, Index, Reader

Stamp = tuple[int, ...]
NOWHERE: Stamp = ()
"""The stamp of what does not exist."""
FOLDER: Stamp = (stat_bits.S_IFDIR,)
"""The stamp of a folder in the place of a file: what is in it has stamps of its own."""


class Remembered:
    """
    Args:
        reader: The index, open; closed by whoever opened it. None for no index.
        request: Targets, as the index has them.
        environ: The environment of the builds.
        before: What was in memory before: what is the same in both is not made again.

    Raises:
        Damaged: It is not what was written.

    Attributes:
        index: What is in it.
        row_of: The row of each path.
        in_folder: The rows of the files in each folder.
        columns: The graph in it; None for no index.
        folders: The flags of each folder whose names matter.
        globs: For each such folder the globs that look into it.
        unknown: Rows of which the index says nothing that could be believed: they belong to stages that have failed, or have not run.
        vouched: The build has found what it knows unchanged at its end.
        numbers: The rows of the request, as the index has them; empty if it is of another one, or was made in other circumstances.
        asked: Which rows these are.
    """

    def __init__(self, reader: Reader | None, request: str, environ: Mapping[str, str], before: Remembered | None = None) -> None:
        self.index = Index(reader)
        self.row_of: dict[str, int] = {}
        self.in_folder: dict[str, list[int]] = {}
        self.folders: dict[str, int] = {}
        self.globs: dict[str, list[tuple[str, GlobMatch]]] = {}
        self.unknown: list[int] = []
        self.vouched = True
        self.numbers = array("i")
        self.asked = bytearray()
        self._makers = array("i")
        self._scope: bytearray | None = None
        self.columns: Columns | None = None
        self._digests: tuple[bytes, ...] = ()
        if reader is not None:
            self._read(reader, request, environ, before)

    def _read(self, reader: Reader, request: str, environ: Mapping[str, str], before: Remembered | None) -> None:

        index = self.index
        columns = Columns(reader, index)
        if not columns.whole:
            raise Damaged
        self.columns = columns
        paths, edges = index.paths, index.edge_flags
        self._makers = makers = columns.makers
        self._digests = tuple(reader.digest(name) for name in ("paths", "makers", "folders", "folder_flags"))
        if before is not None and before._digests[:1] == self._digests[:1]:
            self.row_of, self.in_folder = before.row_of, before.in_folder
        else:
            self.row_of = dict(zip(paths, range(len(paths)), strict=True))
            self._sort(paths)
        self.folders = dict(zip(index.folders, index.folder_flags, strict=True))
        globs = unpack_globs(index.globs)
        for pattern, match in globs.items():
            for folder in match.folders:
                self.globs.setdefault(folder, []).append((pattern, match))
        self._scope = self._scope_of(columns)
        failed = {number for number, flags in enumerate(edges) if not flags & FRESH}
        self.unknown = [row for row, (flags, maker) in enumerate(zip(index.flags, makers, strict=True)) if flags & NAMED or maker in failed]
        requests = reader.texts("requests")
        self.vouched = bool(requests and requests[0])
        numbers = reader.numbers("request_rows", "i") if requests == [request or "\x1f"] else array("i")
        if len(numbers) >= 6 and fastlane.same_circumstances(index.meta, environ):
            _, _, block, plain, absent, _ = numbers[:6]
            self.numbers = numbers
            self.asked = bytearray(len(paths))
            self.asked[:block] = b"\1" * block
            for row in numbers[6 : 6 + plain + absent]:
                self.asked[row] = 1

    def _sort(self, paths: list[str]) -> None:
        folders = self.in_folder
        for row, path in enumerate(paths):
            folder = path.rpartition("/")[0]
            if folder in folders:
                folders[folder].append(row)
            else:
                folders[folder] = [row]

    def _scope_of(self, columns: Columns) -> bytearray | None:
        """Which rows the request bears on; None for all."""
        flags = self.index.edge_flags
        goal = [number for number, each in enumerate(flags) if each & GOAL]
        if not goal or len(goal) == len(flags):
            return None
        others: set[int] = set()
        for number, each in enumerate(flags):
            if not each & GOAL:
                others |= columns.rows_of(number)
        scope = bytearray(row not in others for row in range(len(self.index.paths)))  # what no edge needs is a Pipefile, or what declares stages
        for number in goal:
            for row in (*columns.rows_of(number), *self.index.outputs(number)):
                scope[row] = 1
        return scope

    def suspects(self, here: str) -> set[str]:
        """The files that matter and are not as the index has them, or of which it says too little.

        Args:
            here: Absolute path of the root: where the process stands there, looking is cheaper.
        """
        index, flags, scope = self.index, self.index.flags, self._scope
        at = "" if os.path.realpath(os.curdir) == os.path.realpath(here) else here.rstrip("/") + "/"
        whole = [path if path[:1] == "/" else at + path for path in index.paths] if at else index.paths
        plain: list[int] = []
        rest: list[int] = []
        for row, each in enumerate(flags):
            if scope is None or scope[row]:
                (plain if each & (PRESENT | DIRECTORY | NAMED) == PRESENT else rest).append(row)
        rows: Sequence[int] = range(len(plain)) if plain == list(range(len(plain))) else plain
        found = {index.paths[row] for row in fastlane.changed_rows(whole, index.stats, rows, len(plain))}
        found.update(index.paths[row] for row in rest if flags[row] & (DIRECTORY | NAMED) or os.path.lexists(whole[row]))
        return found | {index.paths[row] for row in self.unknown if scope is None or scope[row]}

    def matters(self, path: str) -> bool:
        row = self.row_of.get(path, -1)
        return row >= 0 and (self._scope is None or bool(self._scope[row]))

    def count(self) -> int:
        """How many files matter."""
        return len(self.index.paths) if self._scope is None else sum(self._scope)

    @property
    def places(self) -> object:
        """Equal for two indexes whose files and folders that matter are the same."""
        return (self._digests, self._scope)

    def watched(self) -> tuple[set[str], set[str]]:
        """Folders with files or names that matter, and of these the ones where all files are outputs."""
        sources: set[str] = set()
        outputs: set[str] = set()
        makers, scope = self._makers, self._scope
        for folder, rows in self.in_folder.items():
            wanted = rows if scope is None else [row for row in rows if scope[row]]
            if any(makers[row] < 0 for row in wanted):
                sources.add(folder)
            elif wanted:
                outputs.add(folder)
        sources.update(folder for folder, flags in self.folders.items() if flags & ~RECORDS)
        outputs -= sources
        return sources | outputs, outputs

    def is_source(self, path: str) -> bool:
        """Whether a path is a file that some stage needs and none makes."""
        row = self.row_of.get(path, -1)
        return row >= 0 and self._makers[row] < 0

    def made(self, path: str) -> int:
        """The row of the output that a path is, or lies in; -1 if it is none."""
        while path:
            row = self.row_of.get(path, -1)
            if row >= 0 and self._makers[row] >= 0:
                return row
            path = folder_of(path)
        return -1

    def below(self, tree: str) -> set[str]:
        """The files in a folder, and the path itself."""
        below = tree + "/"
        found = {tree} if tree in self.row_of else set()
        for folder, rows in self.in_folder.items():
            if folder == tree or folder.startswith(below):
                found.update(self.index.paths[row] for row in rows)
        return found

    def recorded(self, path: str) -> Stamp | None:
        """What the last build knew of a path; None if nothing that could be believed."""
        row = self.row_of.get(path, -1)
        if row < 0:
            return None
        maker = self._makers[row]
        if self.index.flags[row] & NAMED or (maker >= 0 and not self.index.edge_flags[maker] & FRESH):
            return None
        return self.stamp(row)

    def stamp(self, row: int) -> Stamp:
        """The stamp of a row, whoever it belongs to."""
        flags = self.index.flags[row]
        return NOWHERE if not flags & PRESENT else FOLDER if flags & DIRECTORY else self.index.stat_of(row)


def edge_names(root: str, store: str) -> frozenset[str]:
    """The edges of the graph that the last build knew."""
    try:
        reader = Reader(f"{os.path.join(root, store)}/{NAME}")
    except (Damaged, OSError):
        return frozenset()
    try:
        return frozenset(reader.texts("edge_names"))
    except Damaged:
        return frozenset()
    finally:
        reader.close()
