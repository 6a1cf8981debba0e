"""Writing the index at the end of a build that looked at the whole graph: what can be believed next time, and why."""

from __future__ import annotations

import os
from array import array
from collections.abc import Mapping, Sequence

from pipefile.base import digest as digests
from pipefile.base.paths import folder_of, parents
from pipefile.engine.columns import ComingAndGoing, graph_sections, is_coded, suits
from pipefile.engine.files import GONE
from pipefile.engine.lines import listing_of
from pipefile.engine.rows import NO_STAMP, UNKNOWN, Kept, Rows, place
from pipefile.engine.session import PIPEFILE, python, version
from pipefile.engine.world import pack_globs
from pipefile.model.graph import Edge
from pipefile.store import index as index_file
from pipefile.store.index import ASKED, CODE, CODED, FRESH, GLOBBED, GOAL, INSIDE, NAMED, ODD, OUTPUT, RECORDS, SOUND, TRUSTED, Meta, join_texts

NO_TARGETS = b"\x1f"


class Saver(Rows):
    """Makes the index that holds after a build."""

    def save(self, request: str | None, nodes: Sequence[int], dead: Sequence[str], spare: Sequence[str] = ()) -> None:
        """Write it.

        Args:
            request: What was built, or tried to; None if the index of another command line says nothing of it.
            nodes: Its closure.
            dead: Dead outputs that still stand.
            spare: What pattern rules have made and would make again, though nothing asks for it now.

        Raises:
            OSError: The store cannot be written.
        """
        graph = self._session.graph
        for path in self._session.pipeline.files:
            self._add(path, 0)
        self._moved = self._files.restless()
        changed = self._settle()
        for edge in graph.edges:
            decision = self._decided.get(edge.id)
            if decision is not None:
                self._add_edge(edge, decision)
        for edge in graph.edges:  # after what was looked at: a directory that is carried over comes without its files
            if edge.id not in self._decided:
                self._carry(edge)
        changed |= self._settle()
        folders, missing = self._look_at_folders()
        self._edges = {number: edge for number, edge in self._edges.items() if number not in missing and not self._is_changed(edge, changed)}
        outdated = self._outdated(folders)
        self.behind |= changed
        known = not (changed or outdated or self._session.project.file != PIPEFILE)
        self._add_failed()
        self._name_the_rest()
        self._write(request if known else None, nodes, (dead, spare), folders)

    def _carry(self, edge: Edge) -> None:
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
        if [old.paths[row] for row in outputs] != self._outputs(edge):
            return
        for row in (*outputs, *discovered):
            path = old.paths[row]
            if path not in self._rows:
                self._rows[path] = (self._files.known.get(path) or self._old_state(row), old.flags[row] & OUTPUT)
        for need in edge.needs:
            if need.files is not None and need.files.kind != "late":
                for path in need.files.paths:
                    row = old.row(path)
                    if path not in self._rows and row >= 0 and not old.flags[row] & NAMED:
                        self._rows[path] = (self._files.known.get(path) or self._old_state(row), old.flags[row] & OUTPUT)
        key = old.edge_keys[32 * at : 32 * at + 32]
        paths = [old.paths[row] for row in outputs]
        self._edges[edge.id] = Kept(key, paths, [old.paths[row] for row in discovered], [], old.edge_seconds[at], FRESH)

    def _name_the_rest(self) -> None:
        """Give rows to all files of the graph that nothing is known of."""
        rows, unknown = self._rows, (UNKNOWN, NAMED)
        for edge in self._session.graph.edges:
            if edge.id in self._edges:
                continue
            for path in self._outputs(edge):
                rows.setdefault(path, unknown)
        for edge in self._session.graph.edges:
            for need in edge.needs:
                files = need.files
                if files is not None:
                    for path in files.paths:
                        if path not in rows:
                            rows[path] = unknown
                    if files.inside and files.inside not in rows:
                        rows[files.inside] = unknown

    def _outputs(self, edge: Edge) -> list[str]:
        return [*[output.path for output in edge.outputs], *self._decider.named(edge)]

    def _has_code_made(self, edge: Edge) -> bool:
        """Whether stages make some of an edge's code, as far as this build has looked at it."""
        return edge.id in self._decided and bool(self._decider.code_made(edge))

    # -- folders

    def _look_at_folders(self) -> tuple[dict[str, tuple[int, tuple[int, ...]]], set[int]]:
        """Look at all folders whose names matter: their flags and stamps; and the edges whose records are not there (any more)."""
        wanted: dict[str, dict[str, set[int]]] = {}
        flags: dict[str, int] = {}
        for edge in self._session.graph.edges:
            kept = self._edges.get(edge.id)
            for path in self._record_paths(edge.name, [output.path for output in edge.outputs] if kept is None else kept.outputs):
                folder, name = place(path)
                names = wanted.setdefault(folder, {})
                if kept is not None:
                    names.setdefault(name, set()).add(edge.id)
        for folder in wanted:
            flags[folder] = RECORDS
        for match in self._session.world.globs.values():
            for folder in match.folders:
                flags[folder] = flags.get(folder, 0) | GLOBBED
        for path, (_, inner) in self._files.members.items():
            if path in self._rows:
                for folder in inner:
                    flags[folder] = flags.get(folder, 0) | INSIDE
        for folder in self._decider.code.folders():
            flags[folder] = flags.get(folder, 0) | CODE
        for folder in self._condition_folders() or ():
            flags[folder] = flags.get(folder, 0) | ASKED
        folders: dict[str, tuple[int, tuple[int, ...]]] = {}
        missing: set[int] = set()
        for folder in sorted(flags):
            folders[folder] = (flags[folder], self._stamp(folder) if flags[folder] != RECORDS or wanted[folder] else NO_STAMP)
            if wanted.get(folder):
                missing |= self._missing(folder, wanted[folder])
        return folders, missing

    def _outdated(self, folders: Mapping[str, tuple[int, tuple[int, ...]]]) -> bool:
        """Whether what this build found by name is not what is there now. The stamps of folders are newer than its look into them, and rows of
        Pipefiles newer than what was read: without this question they would vouch for files that came meanwhile."""
        stamps = {folder: stamp for folder, (_, stamp) in folders.items() if stamp != NO_STAMP}
        names = self._session.world.forget_changed(stamps)
        found = self._changed_pipefiles() + self._changed_directories()
        code = self._decider.code.fallen()
        self.behind.update(found)
        self.behind.update(f"{folder_of(path)}/" for path in self._without_outputs({*names, *code}))
        return bool(found or names or code)

    def _without_outputs(self, paths: set[str]) -> set[str]:
        """Paths without those at, above and below outputs: these come and go with what makes them."""
        made = self._session.graph.producer
        above = {folder for output in made for folder in parents(output)} if paths else set()
        return {path for path in paths if path and path not in above and not self._is_made(path)}

    # -- columns

    def _write(
        self,
        request: str | None,
        nodes: Sequence[int],
        left: tuple[Sequence[str], Sequence[str]],
        folders: Mapping[str, tuple[int, tuple[int, ...]]],
    ) -> None:
        graph = self._session.graph
        plain: list[str] = []
        absent: list[str] = []
        rest: list[str] = []
        for path, (state, _) in self._rows.items():
            (plain if state.kind == "file" and state.stamp is not None else absent if state.kind in ("absent", GONE) else rest).append(path)
        paths = plain + absent + rest
        row_of = dict(zip(paths, range(len(paths)), strict=True))
        states = [self._rows[path] for path in paths]
        zeros = (0,) * index_file.STAT_COLUMNS
        stamps = [state.stamp or zeros for state, _ in states]
        stats = array("q")
        for column in range(index_file.STAT_COLUMNS):
            stats.extend([stamp[column] for stamp in stamps])
        flags = bytes([self._flags(state, extra) for state, extra in states])
        goal = frozenset(nodes) if request is not None else frozenset()
        rows, starts = array("i"), array("i")
        edge_flags, seconds, keys = bytearray(), array("d"), []
        nothing = Kept(bytes(32), [], [], [], 0.0, 0)
        moving = ComingAndGoing(graph)
        for edge in graph.edges:
            kept = self._edges.get(edge.id)
            if kept is None:
                kept = nothing._replace(outputs=self._outputs(edge))
            for span in (kept.outputs, kept.discovered, kept.code):
                starts.append(len(rows))
                rows.extend([row_of[path] for path in span])
            keys.append(kept.key)
            seconds.append(kept.seconds)
            sound = kept.flags | GOAL if edge.id in goal else kept.flags & ~SOUND
            odd = not suits(edge) or self._has_code_made(edge) or moving.needed_by(edge, kept.discovered)
            edge_flags.append(sound | (CODED if kept.code or is_coded(edge) else 0) | (ODD if odd else 0))
        starts.append(len(rows))
        folder_stats = array("q")
        for column in range(4):
            folder_stats.extend([stamp[column] for _, stamp in folders.values()])
        meta = Meta(version(), self._session.pipeline.settings.hash, index_file.boot_id(), self._now, python())
        meta.env = self._tracked()
        folder_numbers = dict(zip(folders, range(len(folders)), strict=True))
        texts, numbers = self._requests(request, goal, edge_flags, (row_of, flags, len(plain), len(absent)), folders)
        sections = graph_sections(self._session, row_of, folder_numbers)
        data = index_file.pack(
            {
                "meta": meta.pack(),
                "paths": join_texts(paths),
                "stats": stats.tobytes(),
                "digests": b"".join([self._digest(state) for state, _ in states]),
                "flags": flags,
                "folders": join_texts(list(folders)),
                "folder_stats": folder_stats.tobytes(),
                "folder_flags": bytes([each for each, _ in folders.values()]),
                "edge_names": join_texts([edge.name for edge in graph.edges]),
                "edge_keys": b"".join(keys),
                "edge_flags": bytes(edge_flags),
                "edge_rows": rows.tobytes(),
                "edge_starts": starts.tobytes(),
                "edge_seconds": seconds.tobytes(),
                "requests": texts,
                "request_rows": numbers.tobytes(),
                "dead": join_texts(left[0]),
                "spare": join_texts(left[1]),
                "globs": pack_globs(self._session.world.globs),
                **sections,
                "listing": self._listing(sections["head"]),
            }
        )
        self._put(data)

    def _listing(self, head: bytes) -> bytes:
        """The lines of `list --json`: those of the old index, if that is of the same Pipefile."""
        old = self._old
        if not head:
            return b""
        return old.listing if old.listing and old.head == head and old.meta.version == version() else listing_of(self._session)

    def _tracked(self) -> dict[str, str]:
        """Hidden values of all tracked variables, as the environment of the build has them."""
        names = set(self._session.pipeline.settings.env)
        for stage in self._session.pipeline.stages.values():
            names.update(name for name, value in stage.env.items() if value is None)
            if stage.should_run is not None and stage.should_run.kind == "env":
                names.add(stage.should_run.name)
        if self._decider.code.looked:
            names.add("PYTHONPATH")  # it says where modules are looked for
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
        self,
        request: str | None,
        goal: frozenset[int],
        edge_flags: bytearray,
        rows: tuple[Mapping[str, int], bytes, int, int],
        folders: Mapping[str, tuple[int, tuple[int, ...]]],
    ) -> tuple[bytes, array[int]]:
        """The request that was built, and the rows of what is sound of it."""
        if request is None:
            return b"", array("i")
        row_of, flags, plain, absent = rows
        graph = self._session.graph
        edges = [edge for edge in graph.edges if edge.id in goal]
        paths = set(self._session.pipeline.files)
        needed = {folder for match in self._session.world.globs.values() for folder in match.folders}
        needed.update(self._decider.code.folders())
        conditions = self._condition_folders()
        stages = self._session.pipeline.stages
        if any(stage.for_each is not None and not graph.by_stage[name] and not stage.is_pattern for name, stage in stages.items()):
            return b"", array("i")  # that it stands for nothing is told of in every build
        if conditions is None or any(edge.id in self._session.left_out or not self._still_holds(edge) for edge in edges):
            return b"", array("i")  # what is left out is told of in every build
        needed.update(conditions)
        for edge in edges:
            if not edge_flags[edge.id] & SOUND:
                continue
            kept = self._edges[edge.id]
            paths.update(kept.outputs, kept.discovered, kept.code)
            for need in edge.needs:
                if need.files is not None:
                    paths.update(self._files.set_paths(need.files))
            needed.update(place(path)[0] for path in self._record_paths(edge.name, kept.outputs))
        for path in list(paths):
            inner, below = self._files.members.get(path, ((), ()))
            paths.update(inner)
            needed.update(below)
        wanted = sorted([row_of[path] for path in paths])
        wanted = [row for row in wanted if row < plain + absent]
        block = 0
        while block < len(wanted) and block < plain and wanted[block] == block:
            block += 1
        count = len([row for row in wanted if row < plain])
        whole = (
            all(edge_flags[edge.id] & SOUND for edge in edges)
            and all(flags[row] & TRUSTED for row in wanted[:count])
            and all(folders[folder][1] != NO_STAMP for folder in needed)
        )
        numbered = dict(zip(folders, range(len(folders)), strict=True))
        numbers = array("i", [len(edges), whole, block, count - block, len(wanted) - count, len(needed)])
        numbers.extend(wanted[block:])
        numbers.extend(sorted([numbered[folder] for folder in needed]))
        return request.encode("utf-8", "surrogateescape") or NO_TARGETS, numbers

