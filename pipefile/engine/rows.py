"""What a build knows of files and edges at its end, and how far that can be believed next time: what the index is made of, or mended with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from pipefile.base import digest as digests
from pipefile.base.errors import InputError
from pipefile.base.paths import folder_of, join, name_of, parents
from pipefile.engine import ticks
from pipefile.engine.decide import Decider, Decision
from pipefile.engine.files import GONE, SMALL, State
from pipefile.engine.session import Session
from pipefile.model.graph import Edge
from pipefile.model.record import ABSENT
from pipefile.plan.stale import runs_anyway
from pipefile.store import index as index_file
from pipefile.store.index import DIRECTORY, FRESH, NAMED, OUTPUT, PRESENT, SOUND, TRUSTED, folder_stamp_of, stamp_of
from pipefile.store.record import edge_record_path, record_path

ZERO = bytes(32)
UNKNOWN = State("named", "", None)
NO_STAMP = (0, 0, 0, 0)
"""Of a folder whose names nothing vouches for."""


class Ends(Protocol):
    """What became of edges: engine/tally.py keeps it."""

    decided: dict[int, Decision]
    failed_on: dict[int, Mapping[str, State]]


class Kept(NamedTuple):
    """An edge as the index keeps it.

    Args:
        key: 32 bytes.
        outputs: Paths, as are its discovered inputs and the files of its code.
        discovered: Those.
        code: Those.
        seconds: How long it took.
        flags: FRESH, and SOUND where that holds.
    """

    key: bytes
    outputs: list[str]
    discovered: list[str]
    code: list[str]
    seconds: float
    flags: int


class Rows:
    """Files and edges as a build leaves them.

    Args:
        session: The project as the build saw it.
        decider: Its decisions and the records that it wrote.
        ends: What became of its edges.
        tick: How stamps behave.
        began: The disk's stamp at the start of the build.

    Attributes:
        behind: Paths that have changed while the build ran, so that what it leaves is not what they stand for now; folders in which names have
            come or gone end in `/`. A change that it has not seen at all is not among them: it shows in the stamps that the index has.
    """

    def __init__(self, session: Session, decider: Decider, ends: Ends, tick: ticks.Ticks, began: int) -> None:
        self._session = session
        self._files = session.files
        self._disk = session.disk
        self._old = session.index
        self._decider = decider
        self._decided = ends.decided
        self._failed = ends.failed_on
        self._tick = tick
        self._began = began
        self._now = ticks.now(session.disk, session.store)
        self._rows: dict[str, tuple[State, int]] = {}
        self._edges: dict[int, Kept] = {}
        self._settled_once = False
        self._moved: set[str] = set()
        self.behind: set[str] = set()
        self._believed = ticks.folders_tell(session.disk.root)

    # -- rows

    def _add(self, path: str, flags: int) -> State:
        known = self._rows.get(path)
        if known is not None:
            if flags and not known[1] & flags:
                self._rows[path] = (known[0], known[1] | flags)
            return known[0]
        state = self._files.known.get(path)
        if state is None:
            state = self._files.output(path) if flags & OUTPUT else self._files.state(path)
        self._rows[path] = (state, flags)
        if state.kind == "directory":
            for inner in self._files.members.get(path, ((), ()))[0]:
                self._add(inner, 0)
        return state

    def _add_edge(self, edge: Edge, decision: Decision) -> None:
        files = self._files
        for need in edge.needs:
            if need.files is not None:
                for path in files.set_paths(need.files):
                    self._add(path, 0)
        code = list(decision.code)
        for path in code:
            self._add(path, 0)
        outputs = [*[output.path for output in edge.outputs], *self._decider.named(edge)]
        for path in outputs:
            self._add(path, OUTPUT)
        past = self._past(edge, decision, outputs)
        if past:
            self.behind |= past
            return
        record = self._decider.written.get(edge.id)
        discovered = list(record.discovered) if record is not None else list(decision.discovered)
        for path in discovered:
            self._add(path, 0)
        seconds = record.duration if record is not None else decision.seconds
        flags = FRESH | SOUND if runs_anyway(edge, discovered) is None else FRESH
        self._edges[edge.id] = Kept(digests.raw(decision.key), outputs, discovered, code, seconds, flags)

    def _past(self, edge: Edge, decision: Decision, outputs: Iterable[str]) -> set[str]:
        """What was changed after this edge was decided, or was done with it, and was then looked at again: rows that are newer than the edge's key,
        or not of what it has made."""
        record = self._decider.written.get(edge.id)
        found = {made.path for made in record.outputs if self._rows[made.path][0].digest != made.digest} if record is not None else set()
        if not self._moved:
            return found
        if record is None:
            found |= self._moved.intersection(outputs)
        found.update(part.path for part in decision.parts if part.kind == "input" and self._rows[part.path][0].digest != part.value)
        found.update(path for path, digest in decision.code.items() if self._rows[path][0].digest != digest)
        discovered = tuple(record.discovered) if record is not None else decision.discovered
        paths = [path for need in edge.needs if need.files is not None for path in self._files.set_paths(need.files)]
        found.update(path for path in (*paths, *discovered) if path in self._moved and not self._is_made(path))
        return found

    def _is_made(self, path: str) -> bool:
        """Whether a path is an output or lies in one: it may well be another one after its stage has run."""
        made = self._session.graph.producer
        return path in made or not made.keys().isdisjoint(parents(path))

    def _add_failed(self) -> None:
        """Have rows for all that failed edges may have failed by: nothing else tells of code, and of what else no line of the Pipefile names."""
        for states in self._failed.values():
            for path, state in states.items():
                if path in self._moved and not self._is_made(path) and self._files.digest(path) != state.digest:
                    self.behind.add(path)
                if not self._is_known(path) and not self._is_made(path):
                    self._rows[path] = (UNKNOWN, NAMED)

    def _is_known(self, path: str) -> bool:
        """Whether there is a row of a path."""
        return path in self._rows

    def _old_state(self, row: int) -> State:
        flags = self._old.flags[row]
        raw = self._old.digests[32 * row : 32 * row + 32]
        digest = digests.from_raw(raw, self._old.meta.algorithm)
        if not flags & PRESENT:
            return State("absent", "", None, True) if raw == ZERO else State(GONE, digest, None, True)
        if flags & DIRECTORY:
            return State("directory", digest, None, False)
        stamp = self._old.stat_of(row)
        return State("file", digest, stamp, bool(flags & TRUSTED))  # type: ignore[arg-type]  # six columns

    def _flags(self, state: State, extra: int) -> int:
        """The flags of a row; *extra* is OUTPUT or NAMED."""
        if extra & NAMED:
            return extra
        present = PRESENT if state.kind not in ("absent", GONE) else 0
        return present | (DIRECTORY if state.kind == "directory" else 0) | (TRUSTED if self._trusted(state) else 0) | extra

    @staticmethod
    def _digest(state: State) -> bytes:
        return digests.raw(state.digest) if state.digest else ZERO

    # -- the file

    def _put(self, data: bytes) -> None:
        """Write the whole index: what had changed in the one before is part of it."""
        path = f"{self._session.store}/{index_file.NAME}"
        self._disk.write(path, data, self._session.pipeline.settings.durability == "full")
        self._disk.remove(path + index_file.CHANGES)

    # -- trust

    def _trusted(self, state: State) -> bool:
        """Whether a change after the digest was made would show in the stamp."""
        if state.stamp is None:
            return state.kind in ("absent", GONE)
        latest = max(state.stamp[3], state.stamp[4])
        if latest > self._now:
            return False  # a stamp in the future says nothing
        if state.settled:
            return True
        tick = self._tick.of(state.stamp)
        return tick == 0 or latest + tick <= self._began

    def _settle(self) -> set[str]:
        """Hash small files inside the tick once more, now that the tick is over. Returns those whose digest was not what it seemed."""
        doubtful = [
            (path, state, flags)
            for path, (state, flags) in self._rows.items()
            if state.kind == "file" and state.stamp is not None and not state.settled and not self._trusted(state) and state.stamp[2] <= SMALL
        ]
        doubtful = [item for item in doubtful if item[1].stamp is not None and self._tick.of(item[1].stamp) <= ticks.COARSE]
        if not doubtful or (not self._tick.tick and all(max(s.stamp[3], s.stamp[4]) > self._now for _, s, _ in doubtful if s.stamp)):
            return set()
        if not self._settled_once:
            ticks.pass_tick(ticks.COARSE, self._session.project.clock)
            self._settled_once = True
            self._now = ticks.now(self._disk, self._session.store)
        changed = set()
        for path, state, flags in doubtful:
            try:
                again = self._files.hash(path)
            except OSError:
                changed.add(path)
                continue
            stamp = again.stamp
            calm = stamp is not None and max(stamp[3], stamp[4]) + self._tick.of(stamp) <= self._now
            if again.digest != state.digest:
                changed.add(path)
            self._rows[path] = (again._replace(settled=calm), flags)
        return changed

    def _is_changed(self, edge: Kept, changed: set[str]) -> bool:
        """Whether what an edge has made, or found out that it reads, is among *changed*."""
        return bool(changed) and not (changed.isdisjoint(edge.outputs) and changed.isdisjoint(edge.discovered))

    def _changed_directories(self) -> list[str]:
        """Directories that are not any more what this build found them to be."""
        found = []
        for path, (state, _) in self._rows.items():
            if state.kind == "directory" and path in self._files.members:
                try:
                    if self._files.directory(path, fresh=True).digest != state.digest:
                        found.append(path)
                except (OSError, InputError):
                    found.append(path)
        return found

    def _changed_pipefiles(self) -> list[str]:
        return [path for path, digest in self._session.pipeline.files.items() if self._rows[path][0].digest != (digest or ABSENT)]

    # -- folders

    def _record_paths(self, name: str, outputs: Iterable[str]) -> list[str]:
        return [record_path(path) for path in outputs] or [edge_record_path(self._session.store, name)]

    def _missing(self, folder: str, wanted: Mapping[str, set[int]]) -> set[int]:
        """The edges among *wanted*, by the name of a record in *folder*, whose record is not there."""
        try:
            names = {name for name, _ in self._disk.names(folder)}
        except OSError:
            names = set()
        gone = [name for name in wanted if name not in names]
        self.behind.update(join(folder, name) for name in gone)
        return {edge for name in gone for edge in wanted[name]}

    def _stamp(self, folder: str) -> tuple[int, ...]:
        """The stamp of a folder; NO_STAMP where it could hide a change that comes right now. Its names are to be looked at afterwards."""
        return (self._calm_stamp(folder) if self._believed else None) or NO_STAMP

    def _calm_stamp(self, folder: str) -> tuple[int, ...] | None:
        for _ in (1, 2):
            seen = self._disk.stat(folder or ".")
            if seen is None:
                return None
            stamp = folder_stamp_of(seen)
            latest = max(stamp[2], stamp[3])
            tick = self._tick.of(stamp_of(seen))
            if latest > self._now:
                self._now = ticks.now(self._disk, self._session.store)
            if tick == 0 or latest + tick <= self._now:
                return stamp if latest <= self._now else None
            if tick > ticks.COARSE or self._settled_once:
                return None
            ticks.pass_tick(tick, self._session.project.clock)
            self._settled_once = True
            self._now = ticks.now(self._disk, self._session.store)
        return None


def place(path: str) -> tuple[str, str]:
    """Folder and name of a record."""
    return folder_of(path), name_of(path)
