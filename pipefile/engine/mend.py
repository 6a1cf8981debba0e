"""Mending the index after a build that started from it: what this build looked at is written over what the index said, the rest stays as it is.

Nothing in here walks over all edges or all files in Python. Where only single places have changed, and not many, the index stays as it is and these
are written beside it (store/changes.py); else the columns are copied whole, and changed in those places.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from functools import partial
from itertools import pairwise

from pipefile.engine import ticks
from pipefile.engine.rows import NO_STAMP, Ends, Rows, place
from pipefile.engine.warm import WarmStart, expected
from pipefile.engine.world import unpack_globs
from pipefile.store import index as index_file
from pipefile.store.changes import WHOLE, Changes, differences
from pipefile.store.folder import make_way
from pipefile.store.index import (
    CODE,
    CODED,
    DIRECTORY,
    FRESH,
    GLOBBED,
    GOAL,
    NAMED,
    OUTPUT,
    PRESENT,
    RECORDS,
    SOUND,
    STAT_COLUMNS,
    TRUSTED,
    Meta,
    join_texts,
)  # fmt: skip

MOST = 16 << 10
"""Bytes of changes that are kept beside an index of any size; PART of it that they may come to where that is more."""
PART = 32


class Mender(Rows):
    """Writes the index that holds after a build which started from one.

    Args:
        start: What the build started from.
        ends: What became of the edges that were looked at.
        tick: How stamps behave.
        began: The disk's stamp at the start of the build.
    """

    def __init__(self, start: WarmStart, ends: Ends, tick: ticks.Ticks, began: int) -> None:
        super().__init__(start.session, start.decider, ends, tick, began)
        self._start = start
        self._columns = start.session.columns
        self._index = start.session.index
        index, reader = self._index, start.seen.reader
        self._looked_at: dict[int, tuple[tuple[int, ...], bytes]] = {}  # rows: stamp and digest
        self._row_flags, self._edge_flags = bytearray(index.flags), bytearray(index.edge_flags)
        self._numbers = reader.numbers("request_rows", "i")
        self._new: dict[str, int] = {}
        self._moved_rows: set[int] = set()
        self._stamps: dict[int, tuple[int, ...]] = {}  # of folders
        self._added_folders: list[str] = []
        self._folder_flags = bytearray(index.folder_flags)

    def save(self) -> None:
        """Write it.

        Raises:
            OSError: The store cannot be written.
        """
        graph, index, start = self._session.graph, self._index, self._start
        if start.seen.same:
            return
        self._moved = self._files.restless()
        for number, decision in self._decided.items():
            self._add_edge(graph.edges[number], decision)
        for path in list(self._files.known):
            row = index.some_rows.get(path, -1)
            if row >= 0:
                self._add(path, index.flags[row] & OUTPUT)
        for row in start.seen.rows:
            self._add(index.paths[row], index.flags[row] & OUTPUT)
        changed = self._settle()
        self.behind |= changed
        for number, kept in list(self._edges.items()):
            if self._is_changed(kept, changed):
                del self._edges[number]
            elif changed and not changed.isdisjoint(self._paths_of(number)):
                self._edges[number] = kept._replace(flags=FRESH)
        self._add_failed()
        self._write_rows()
        self._write_edges()
        self._look_at_folders()
        self._write()

    def _paths_of(self, number: int) -> Iterable[str]:
        edge = self._session.graph.edges[number]
        found = [path for need in edge.needs if need.files is not None for path in self._files.set_paths(need.files)]
        return found + self._edges[number].code

    # -- rows

    def _is_known(self, path: str) -> bool:
        return super()._is_known(path) or self._row(path) >= 0

    def _row(self, path: str) -> int:
        found = self._new.get(path, -1)
        return found if found >= 0 else self._index.row(path)

    def _write_rows(self) -> None:
        old = self._index
        count = len(old.paths)
        zeros = (0,) * STAT_COLUMNS
        for path, (state, extra) in self._rows.items():
            row = self._row(path)
            flags, digest, stamp = self._flags(state, extra), self._digest(state), state.stamp or zeros
            if row < 0:
                row = self._new[path] = count + len(self._new)
                self._row_flags.append(flags)
            else:
                was, kinds = self._row_flags[row], PRESENT | DIRECTORY | NAMED
                if (was & kinds) != (flags & kinds) or old.digests[32 * row : 32 * row + 32] != digest:
                    self._moved_rows.add(row)
                self._row_flags[row] = flags | (was & OUTPUT)
            self._looked_at[row] = (stamp, digest)

    # -- edges

    def _write_edges(self) -> None:
        """An edge that was looked at is what that has shown; of the others those are not believed any more that rest on rows that have moved."""
        flags, passed = self._edge_flags, self._start.decider.passed
        nodes = set(self._start.nodes) if self._moved_rows else set()
        for node in self._start.nodes:
            if node < len(flags) and node not in passed and node not in self._edges:
                flags[node] &= ~(FRESH | SOUND)  # it failed, or was not reached
        if self._moved_rows:
            for number in self._columns.resting_on(self._moved_rows):
                if number in self._edges:
                    continue
                if flags[number] & GOAL and (number in passed or number not in nodes):  # the file has changed after this was found to be fresh
                    self.behind.update(self._index.paths[row] for row in self._columns.rows_of(number) & self._moved_rows)
                own = {*self._index.outputs(number), *self._index.discovered(number)}
                flags[number] &= ~(SOUND if own.isdisjoint(self._moved_rows) else FRESH | SOUND)
        for number, kept in self._edges.items():
            flags[number] = (flags[number] & ~(FRESH | SOUND)) | kept.flags | (CODED if kept.code else 0)

    def _spans(self) -> tuple[bytes, bytes]:
        """`edge_rows` and `edge_starts` with the spans of the edges that were looked at."""
        spans = self._columns.edge_rows
        items, starts = array("i"), array("i")
        at = taken = 0  # edges and rows that are done
        for number in sorted(self._edges):
            kept = self._edges[number]
            before = spans.starts[3 * number]
            shift = len(items) - taken
            items += spans.items[taken:before]
            between = spans.starts[3 * at : 3 * number]
            starts += array("i", [start + shift for start in between]) if shift else between
            for paths in (kept.outputs, kept.discovered, kept.code):
                starts.append(len(items))
                items.extend([self._row(path) for path in paths])
            at, taken = number + 1, spans.starts[3 * number + 3]
        shift = len(items) - taken
        items += spans.items[taken:]
        between = spans.starts[3 * at :]
        starts += array("i", [start + shift for start in between]) if shift else between
        return items.tobytes(), starts.tobytes()

    # -- folders

    def _look_at_folders(self) -> None:
        """Take new stamps of folders that this build has written into, or that had changed before it."""
        index, store = self._index, self._session.store
        numbered = dict(zip(index.folders, range(len(index.folders)), strict=True))
        wanted = set(self._start.seen.changed_folders)
        decider = self._start.decider
        for node in self._start.nodes:
            idle = node in decider.passed or (node in self._decided and node not in decider.written)
            if node < len(index.edge_names) and not idle:
                outputs = [index.paths[row] for row in index.outputs(node)]
                wanted.update(numbered[place(path)[0]] for path in self._record_paths(index.edge_names[node], outputs))
        for folder in self._decider.code.folders():
            number = numbered.get(folder, -1)
            if number < 0:
                number = numbered[folder] = len(numbered)
                self._added_folders.append(folder)
                self._folder_flags.append(CODE)
                wanted.add(number)
            elif not self._folder_flags[number] & CODE:
                self._folder_flags[number] |= CODE
                wanted.add(number)
        names = [*index.folders, *self._added_folders]
        for number in sorted(wanted):
            self._stamps[number] = self._stamp(names[number])
        globs = unpack_globs(index.globs) if any(self._folder_flags[number] & GLOBBED for number in wanted) else {}
        for number in sorted(wanted):
            flags = self._folder_flags[number]
            if flags & RECORDS and number < len(index.folders):
                records: dict[str, set[int]] = {}
                for edge, path in expected(self._columns, store, number, self._edge_flags):
                    records.setdefault(place(path)[1], set()).add(edge)
                for edge in self._missing(names[number], records) if records else ():
                    self._edge_flags[edge] &= ~(FRESH | SOUND)
            if flags & GLOBBED:
                world = self._session.world
                if not all(world.stands_in(pattern, match, names[number]) for pattern, match in globs.items() if names[number] in match.folders):
                    self._stamps[number] = NO_STAMP
                    self.behind.add(f"{names[number]}/")
        if any(self._folder_flags[number] & CODE for number in wanted) and not self._code_known():
            self._stamps.update([(number, NO_STAMP) for number in wanted if self._folder_flags[number] & CODE])

    def _code_known(self) -> bool:
        """Whether this build has looked at all code that a new name could become part of, and would find the same now."""
        coded = [number for number, flags in enumerate(self._edge_flags) if flags & CODED and flags & GOAL]
        return all(number in self._decided for number in coded) and not self._decider.code.fallen()

    # -- the request

    def _request(self) -> array[int]:
        """The rows of the request as they are after this build."""
        _, _, block, plain, absent, _ = self._numbers[:6]
        columns, flags = self._columns, self._row_flags
        wanted = set(self._numbers[6 : 6 + plain + absent])
        for number, kept in self._edges.items():
            if self._edge_flags[number] & SOUND and self._edge_flags[number] & GOAL:
                wanted.update(columns.rows_of(number))
                wanted.update(self._row(path) for path in (*kept.outputs, *kept.discovered, *kept.code))
        moved = [row for row in self._looked_at if row < block and not flags[row] & PRESENT]
        if moved:
            wanted.update(range(min(moved), block))
            block = min(moved)
        rows = sorted([row for row in wanted if row >= block])
        files = [row for row in rows if flags[row] & PRESENT and not flags[row] & (DIRECTORY | NAMED)]
        missing = [row for row in rows if not flags[row] & (PRESENT | NAMED)]
        folders = set(self._numbers[6 + plain + absent :]) | set(self._stamps)
        whole = (
            not any(each & GOAL and not each & SOUND for each in set(self._edge_flags))
            and all(flags[row] & TRUSTED for row in self._looked_at if row < block or row in wanted)
            and all(row in self._looked_at for row in self._start.seen.rows)
            and all(stamp != NO_STAMP for stamp in self._stamps.values())
        )
        numbers = array("i", [self._start.total, whole, block, len(files), len(missing), len(folders)])
        numbers.extend(files)
        numbers.extend(missing)
        numbers.extend(sorted(folders))
        return numbers

    # -- the file

    def _write(self) -> None:
        """Only what has changed, where that is little and nothing has come to be longer; else all of it."""
        old = self._index.meta
        meta = Meta(old.version, old.algorithm, old.boot, self._now, old.python)
        meta.env = old.env
        whole = {"meta": meta.pack(), "request_rows": self._request().tobytes()}
        changes = self._changes(whole)
        if changes is None:
            self._put(index_file.pack({**whole, **self._sections()}, self._start.seen.reader))
            return
        path = f"{self._session.store}/{index_file.NAME}{index_file.CHANGES}"
        sync = self._session.pipeline.settings.durability == "full"
        make_way(self._disk, path, lambda: self._disk.write(path, changes, sync))

    def _changes(self, whole: Mapping[str, bytes]) -> bytes | None:
        """What has changed since the index was written whole, as store/changes.py has it; None where that is much, or no matter of single places."""
        if self._new or self._added_folders:
            return None
        index, reader, spans = self._index, self._start.seen.reader, self._columns.edge_rows
        changes = Changes(reader.changes)
        patch = {name: partial(changes.add, number) for number, name in enumerate(index_file.SECTIONS)}
        for name, data in whole.items():
            patch[name](WHOLE, data)
        files, folders = len(index.paths), len(index.folders)
        for row, (stamp, digest) in self._looked_at.items():
            for at, (now, before) in enumerate(zip(stamp, index.stat_of(row), strict=True)):
                if now != before:
                    patch["stats"](8 * (at * files + row), array("q", [now]).tobytes())
            if digest != index.digests[32 * row : 32 * row + 32]:
                patch["digests"](32 * row, digest)
        for number, kept in self._edges.items():
            starts = spans.starts[3 * number : 3 * number + 4]
            rows = [[self._row(path) for path in paths] for paths in (kept.outputs, kept.discovered, kept.code)]
            if [len(each) for each in rows] != [end - start for start, end in pairwise(starts)]:
                return None
            patch["edge_rows"](4 * starts[0], array("i", [row for each in rows for row in each]).tobytes())
            patch["edge_keys"](32 * number, kept.key)
            patch["edge_seconds"](8 * number, array("d", [kept.seconds]).tobytes())
        for number, stamps in self._stamps.items():
            for column in range(4):
                patch["folder_stats"](8 * (column * folders + number), array("q", [stamps[column]]).tobytes())
        for name, was, flags in (
            ("flags", index.flags, self._row_flags),
            ("edge_flags", index.edge_flags, self._edge_flags),
            ("folder_flags", index.folder_flags, self._folder_flags),
        ):
            for at, data in differences(was, flags):
                patch[name](at, data)
        packed = changes.pack(index_file.FORMAT, reader.table)
        return packed if len(packed) <= max(MOST, reader.stamp()[2] // PART) else None

    def _sections(self) -> dict[str, bytes]:
        """All sections in which something may have changed."""
        index, reader = self._index, self._start.seen.reader
        count, new = len(index.paths), len(self._new)
        stats = list(index_file.columns(reader.numbers("stats", "q"), STAT_COLUMNS))
        for column in stats:
            column.extend([0] * new)
        row_digests, keys, seconds = bytearray(index.digests + bytes(32 * new)), bytearray(index.edge_keys), array("d", index.edge_seconds)
        for row, (stamp, digest) in self._looked_at.items():
            for column, number in zip(stats, stamp, strict=True):
                column[row] = number
            row_digests[32 * row : 32 * row + 32] = digest
        for edge, kept in self._edges.items():
            keys[32 * edge : 32 * edge + 32] = kept.key
            seconds[edge] = kept.seconds
        added = len(self._added_folders)
        stamps = list(index_file.columns(reader.numbers("folder_stats", "q"), 4))
        for at, numbers in enumerate(stamps):
            numbers.extend([0] * added)
            for folder, found in self._stamps.items():
                numbers[folder] = found[at]
        edge_rows, edge_starts = self._spans()
        sections = {
            "stats": b"".join([column.tobytes() for column in stats]),
            "digests": bytes(row_digests),
            "flags": bytes(self._row_flags),
            "folder_stats": b"".join([column.tobytes() for column in stamps]),
            "folder_flags": bytes(self._folder_flags),
            "edge_keys": bytes(keys),
            "edge_flags": bytes(self._edge_flags),
            "edge_rows": edge_rows,
            "edge_starts": edge_starts,
            "edge_seconds": seconds.tobytes(),
        }
        if new:
            assert len(stats[0]) == count + new
            sections["paths"] = reader.section("paths") + b"\0" + join_texts(list(self._new))
            sections["makers"] = array("i", [*self._columns.makers, *([-1] * new)]).tobytes()
        if added:
            starts = array("i", self._columns.folder_rows.starts)
            starts.extend([starts[-1]] * added)
            sections["folders"] = join_texts([*index.folders, *self._added_folders])
            sections["folder_starts"] = starts.tobytes()
        return sections
