"""Writing the index at the end of a build: what can be believed next time, and why."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Mapping, Sequence

from pipefile.base import digest as digests
from pipefile.base.errors import InputError
from pipefile.base.paths import folder_of, name_of
from pipefile.engine import ticks
from pipefile.engine.decide import Decider, Decision
from pipefile.engine.files import SMALL, State
from pipefile.engine.session import PIPEFILE, Session, python, version
from pipefile.engine.world import pack_globs
from pipefile.model.graph import Edge
from pipefile.model.record import ABSENT
from pipefile.plan.stale import runs_anyway
from pipefile.store import index as index_file
from pipefile.store.index import DIRECTORY, FRESH, OUTPUT, PRESENT, TRUSTED, Meta, folder_stamp_of, join_texts, stamp_of
from pipefile.store.record import edge_record_path, record_path

_ZERO = bytes(32)
NO_TARGETS = b"\x1f"


class Saver:
    """Makes the index that holds after a build.

    Args:
        session: The project as the build saw it.
        decider: Its decisions and the records that it wrote.
        decided: Edges that are fresh now: id -> what was decided when they were, or before they ran.
        tick: How stamps behave; `began` is the disk's stamp at the start of the build.
    """

    def __init__(self, session: Session, decider: Decider, decided: Mapping[int, Decision], tick: ticks.Ticks, began: int) -> None:
        self._session = session
        self._files = session.files
        self._disk = session.disk
        self._old = session.index
        self._decider = decider
        self._decided = decided
        self._tick = tick
        self._began = began
        self._now = ticks.now(session.disk, session.store)
        self._rows: dict[str, tuple[State, int]] = {}
        self._edges: list[tuple[str, bytes, list[str], list[str], float]] = []
        self._settled_once = False
        self._plain = self._absent = 0
        self._moved: set[str] = set()
        self._folders: dict[str, tuple[int, ...]] = {}

    def save(self, request: str | None, nodes: Sequence[int], dead: Sequence[str]) -> None:
        """Write it.

        Args:
            request: What the index will answer at once next time; None if this build leaves something to do.
            nodes: The closure that was built.
            dead: Dead outputs that still stand.

        Raises:
            OSError: The store cannot be written.
        """
        graph = self._session.graph
        for path in self._session.pipeline.files:
            self._add(path, 0)
        self._moved = self._files.restless()
        changed = self._settle()
        records: dict[str, set[str]] = {}
        for edge in graph.edges:
            decision = self._decided.get(edge.id)
            if decision is not None:
                self._add_edge(edge, decision, records)
        for edge in graph.edges:  # after what was looked at: a directory that is carried over comes without its files
            if edge.id not in self._decided:
                self._carry(edge, records)
        changed |= self._settle()
        missing = self._look_at_folders(records)
        self._edges = [edge for edge in self._edges if edge[0] not in missing and not changed.intersection(edge[2], edge[3])]
        if changed or self._outdated() or self._session.project.file != PIPEFILE:
            request = None
        self._write(request, nodes, dead)

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

    def _add_edge(self, edge: Edge, decision: Decision, records: dict[str, set[str]]) -> None:
        files = self._files
        for need in edge.needs:
            if need.files is not None:
                for path in files.set_paths(need.files):
                    self._add(path, 0)
        for path in decision.code:
            self._add(path, 0)
        outputs = [*[output.path for output in edge.outputs], *self._decider.named(edge)]
        for path in outputs:
            self._add(path, OUTPUT)
        if self._moved and (self._rests_on_the_past(edge, decision) or self._output_changed(edge, outputs)):
            return
        record = self._decider.written.get(edge.id)
        discovered = list(record.discovered) if record is not None else list(decision.discovered)
        for path in discovered:
            self._add(path, 0)
        seconds = record.duration if record is not None else decision.seconds
        self._edges.append((edge.name, digests.raw(decision.key), outputs, discovered, seconds))
        self._expect(edge, outputs, records)

    def _rests_on_the_past(self, edge: Edge, decision: Decision) -> bool:
        """Whether an input changed after this edge was decided and was then looked at again: its row is newer than the edge's key."""
        for part in decision.parts:
            if part.kind == "input" and self._rows[part.path][0].digest != part.value:
                return True
        if any(self._rows[path][0].digest != digest for path, digest in decision.code.items()):
            return True
        record = self._decider.written.get(edge.id)
        discovered = tuple(record.discovered) if record is not None else decision.discovered
        paths = [path for need in edge.needs if need.files is not None for path in self._files.set_paths(need.files)]
        made = self._session.graph.producer
        return any(path in self._moved and path not in made for path in (*paths, *discovered))

    def _output_changed(self, edge: Edge, outputs: Iterable[str]) -> bool:
        """Whether an output was changed after the edge was done with it, and was then looked at again: its row is not of what the edge has made."""
        record = self._decider.written.get(edge.id)
        if record is not None:
            return any(self._rows[made.path][0].digest != made.digest for made in record.outputs)
        return not self._moved.isdisjoint(outputs)

    def _carry(self, edge: Edge, records: dict[str, set[str]]) -> None:
        """Keep what the old index knows of an edge that this build did not look at, unless a row that it rests on has changed."""
        old = self._old
        at = old.edge(edge.name)
        if at < 0 or not old.edge_flags[at] & FRESH or edge.id in self._decider.written:  # degraded: its records are not those of the old index
            return
        outputs, discovered = old.outputs(at), old.discovered(at)
        for row in (*outputs, *discovered):
            state = self._old_state(row)
            path = old.paths[row]
            known = self._rows.get(path)
            now = known[0] if known is not None else self._files.known.get(path)
            if now is not None and (now.kind, now.digest) != (state.kind, state.digest):
                return
        declared = [output.path for output in edge.outputs]
        if [old.paths[row] for row in outputs] != [*declared, *self._decider.named(edge)]:
            return
        for row in (*outputs, *discovered):
            path = old.paths[row]
            if path not in self._rows:
                self._rows[path] = (self._files.known.get(path) or self._old_state(row), old.flags[row] & OUTPUT)
        for need in edge.needs:
            if need.files is not None and need.files.kind != "late":
                for path in need.files.paths:
                    row = old.row(path)
                    if path not in self._rows and row >= 0:
                        self._rows[path] = (self._files.known.get(path) or self._old_state(row), old.flags[row] & OUTPUT)
        key = old.edge_keys[32 * at : 32 * at + 32]
        paths = [old.paths[row] for row in outputs]
        self._edges.append((edge.name, key, paths, [old.paths[row] for row in discovered], old.edge_seconds[at]))
        self._expect(edge, paths, records)

    def _old_state(self, row: int) -> State:
        flags = self._old.flags[row]
        if not flags & PRESENT:
            return State("absent", "", None, True)
        digest = digests.from_raw(self._old.digests[32 * row : 32 * row + 32], self._old.meta.algorithm)
        if flags & DIRECTORY:
            return State("directory", digest, None, False)
        stamp = self._old.stat_of(row)
        return State("file", digest, stamp, bool(flags & TRUSTED))  # type: ignore[arg-type]  # six columns

    def _expect(self, edge: Edge, outputs: Iterable[str], records: dict[str, set[str]]) -> None:
        for path in self._record_paths(edge.name, outputs):
            records.setdefault(folder_of(path), set()).add(name_of(path))

    # -- trust

    def _trusted(self, state: State) -> bool:
        """Whether a change after the digest was made would show in the stamp."""
        if state.stamp is None:
            return state.kind == "absent"
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

    # -- folders

    def _look_at_folders(self, records: dict[str, set[str]]) -> set[str]:
        """Take the stamps of all folders whose names matter. Returns the edges whose records are not there (any more)."""
        folders = set(records)
        for match in self._session.world.globs.values():
            folders.update(match.folders)
        for path, (_, inner) in self._files.members.items():
            if path in self._rows:
                folders.update(inner)
        folders.update(self._decider.code.folders())
        folders.update(self._condition_folders() or ())
        believed = ticks.folders_tell(self._disk.root)
        gone: set[str] = set()
        for folder in sorted(folders):
            stamp = self._calm_stamp(folder) if believed else None
            if stamp is not None:
                self._folders[folder] = stamp
            wanted = records.get(folder)
            if wanted:
                try:
                    names = {name for name, _ in self._disk.names(folder)}
                except OSError:
                    names = set()
                gone.update((f"{folder}/{name}" if folder else name) for name in wanted - names)
        if not gone:
            return set()
        return {edge[0] for edge in self._edges if gone.intersection(self._record_paths(edge[0], edge[2]))}

    def _outdated(self) -> bool:
        """Whether what this build found by name is not what is there now. The stamps of folders are newer than its look into them, and rows of
        Pipefiles newer than what was read: without this question they would vouch for files that came meanwhile."""
        session, files = self._session, self._files
        outdated = any(self._rows[path][0].digest != (digest or ABSENT) for path, digest in session.pipeline.files.items())
        outdated |= session.world.forget_changed(self._folders)
        outdated |= not self._decider.code.stands()
        for path, (state, _) in self._rows.items():
            if state.kind == "directory" and path in files.members:
                try:
                    outdated |= files.directory(path, fresh=True).digest != state.digest
                except (OSError, InputError):
                    outdated = True
        return outdated

    def _record_paths(self, name: str, outputs: Iterable[str]) -> list[str]:
        return [record_path(path) for path in outputs] or [edge_record_path(self._session.store, name)]

    def _calm_stamp(self, folder: str) -> tuple[int, ...] | None:
        """The stamp of a folder if it cannot hide a change that comes right now; the names are looked at after it was taken."""
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

    # -- columns

    def _write(self, request: str | None, nodes: Sequence[int], dead: Sequence[str]) -> None:
        plain: list[str] = []
        absent: list[str] = []
        rest: list[str] = []
        for path, (state, _) in self._rows.items():
            (plain if state.kind == "file" and state.stamp is not None else absent if state.kind == "absent" else rest).append(path)
        paths = plain + absent + rest
        row_of = dict(zip(paths, range(len(paths)), strict=True))
        states = [self._rows[path] for path in paths]
        zeros = (0,) * index_file.STAT_COLUMNS
        stamps = [state.stamp or zeros for state, _ in states]
        stats = array("q")
        for column in range(index_file.STAT_COLUMNS):
            stats.extend([stamp[column] for stamp in stamps])
        trusted = [self._trusted(state) for state, _ in states]
        flags = bytes(
            [
                (PRESENT if state.kind != "absent" else 0) | (DIRECTORY if state.kind == "directory" else 0) | (TRUSTED if believed else 0) | extra
                for (state, extra), believed in zip(states, trusted, strict=True)
            ]
        )
        rows, starts = array("i"), array("i")
        for _, _, outputs, discovered, _ in self._edges:
            starts.append(len(rows))
            rows.extend([row_of[path] for path in outputs])
            starts.append(len(rows))
            rows.extend([row_of[path] for path in discovered])
        starts.append(len(rows))
        folders = list(self._folders)
        folder_stats = array("q")
        for column in range(4):
            folder_stats.extend([self._folders[folder][column] for folder in folders])
        meta = Meta(version(), self._session.pipeline.settings.hash, index_file.boot_id(), self._now, python())
        meta.plain, meta.absent = self._plain, self._absent = len(plain), len(absent)
        meta.env = self._tracked()
        texts, numbers = self._requests(request, nodes, row_of, trusted, folders)
        data = index_file.pack(
            {
                "meta": meta.pack(),
                "paths": join_texts(paths),
                "stats": stats.tobytes(),
                "digests": b"".join([digests.raw(state.digest) if state.digest else _ZERO for state, _ in states]),
                "flags": flags,
                "folders": join_texts(folders),
                "folder_stats": folder_stats.tobytes(),
                "edge_names": join_texts([edge[0] for edge in self._edges]),
                "edge_keys": b"".join([edge[1] for edge in self._edges]),
                "edge_flags": bytes([FRESH]) * len(self._edges),
                "edge_rows": rows.tobytes(),
                "edge_starts": starts.tobytes(),
                "edge_seconds": array("d", [edge[4] for edge in self._edges]).tobytes(),
                "requests": texts,
                "request_rows": numbers.tobytes(),
                "dead": join_texts(self._to_remember(dead)),
                "globs": pack_globs(self._session.world.globs),
            }
        )
        sync = self._session.pipeline.settings.durability == "full"
        self._disk.write(f"{self._session.store}/{index_file.NAME}", data, sync)

    def _to_remember(self, dead: Sequence[str]) -> list[str]:
        """Dead outputs, and the places of those that are none yet: outputs of edges that are not among the fresh ones."""
        known = {edge[0] for edge in self._edges}
        unsure = [edge for edge in self._session.graph.edges if edge.name not in known]
        return [*dead, *[path for edge in unsure for path in (*[output.path for output in edge.outputs], *self._decider.named(edge))]]

    def _tracked(self) -> dict[str, str]:
        """Hidden values of all tracked variables, as the environment of the build has them."""
        names = set(self._session.pipeline.settings.env)
        for stage in self._session.pipeline.stages.values():
            names.update(name for name, value in stage.env.items() if value is None)
            if stage.should_run is not None and stage.should_run.kind == "env":
                names.add(stage.should_run.name)
        return {name: digests.hide(name, self._session.environ.get(name)) for name in sorted(names)}

    def _still_holds(self, edge: Edge) -> bool:
        """Whether the path of a condition is there still: the stamps of folders are newer than the look at it."""
        condition = edge.stage.should_run
        return condition is None or condition.kind != "exists" or self._disk.stat(condition.name) is not None

    def _condition_folders(self) -> set[str] | None:
        """Folders whose names tell whether the paths of conditions exist; None where a link on the way keeps them from telling."""
        graph, found = self._session.graph, set()
        for number in graph.conditional:
            condition = graph.edges[number].stage.should_run
            if condition is None or condition.kind != "exists":
                continue
            path = self._disk.at(condition.name)
            if condition.name.startswith("/"):  # on a disk of which nobody has asked whether its folders tell
                return None
            if os.path.realpath(path) != os.path.join(os.path.realpath(self._disk.root), condition.name):
                return None
            folder = folder_of(condition.name)
            while folder and not os.path.isdir(self._disk.at(folder)):
                folder = folder_of(folder)
            found.add(folder)
        return found

    def _requests(
        self, request: str | None, nodes: Sequence[int], row_of: Mapping[str, int], trusted: Sequence[bool], folders: Sequence[str]
    ) -> tuple[bytes, array[int]]:
        """The request that was built, if the fast lane can answer it: all of it fresh, everything believed."""
        graph = self._session.graph
        edges = [graph.edges[node] for node in nodes if node < len(graph.edges)]
        known = {edge[0]: edge for edge in self._edges}
        if request is None or any(edge.name not in known or runs_anyway(edge, known[edge.name][3]) is not None for edge in edges):
            return b"", array("i")
        paths = set(self._session.pipeline.files)
        needed = {folder for match in self._session.world.globs.values() for folder in match.folders}
        needed.update(self._decider.code.folders())
        conditions = self._condition_folders()
        if conditions is None or any(edge.id in self._session.left_out or not self._still_holds(edge) for edge in edges):
            return b"", array("i")  # what is left out is told of in every build
        needed.update(conditions)
        for edge in edges:
            _, _, outputs, discovered, _ = known[edge.name]
            paths.update(outputs, discovered)
            for need in edge.needs:
                if need.files is not None:
                    paths.update(self._files.set_paths(need.files))
            paths.update(self._decided[edge.id].code)
            needed.update(folder_of(path) for path in self._record_paths(edge.name, outputs))
        for path in list(paths):
            inner, below = self._files.members.get(path, ((), ()))
            paths.update(inner)
            needed.update(below)
        rows = sorted([row_of[path] for path in paths])
        plain, absent = len([row for row in rows if row < self._plain]), len([row for row in rows if self._plain <= row < self._plain + self._absent])
        numbered = dict(zip(folders, range(len(folders)), strict=True))
        if not needed.issubset(numbered) or not all(trusted[row] for row in rows[:plain]):
            return b"", array("i")
        numbers = array("i", [len(edges), plain, absent, len(needed)])
        numbers.extend(rows[: plain + absent])
        numbers.extend(sorted([numbered[folder] for folder in needed]))
        return request.encode("utf-8", "surrogateescape") or NO_TARGETS, numbers


def request_text(targets: Sequence[str]) -> str:
    """How a request is kept: its targets as the command line resolved them."""
    return "\x1f".join(targets)
