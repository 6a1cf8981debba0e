"""Dead outputs as inputs: what an earlier build has made, and no edge makes any more, must not be read as if it belonged there.

A clean build would not find it. What an edge would merely meet (in a directory that it reads, as an input that may be absent, as one that an earlier
run has found) is removed before the edge is decided, in builds of some targets too. Where a stage says that it needs such a file, nobody can tell
whether its stage was taken away for good or the name was forgotten: that is an error, and nothing is removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

from pipefile.base.errors import GraphError, InputError
from pipefile.base.locations import Place
from pipefile.base.paths import folder_of, name_of, show, within
from pipefile.engine.dead import Real, files_like, read, records_of_gone, remove, unknown_stages
from pipefile.engine.session import Session
from pipefile.engine.unasked import is_spare
from pipefile.model.graph import Edge
from pipefile.store.index import OUTPUT
from pipefile.store.record import record_path

_MOST = 10  # files that one error names


class Remains:
    """Tells which inputs are dead outputs, for one state of a graph.

    Args:
        session: The project.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._makers: dict[str, str] = {}
        self._below: dict[str, list[str]] = {}
        self._records: dict[str, frozenset[str]] = {}

    @cached_property
    def _real(self) -> Real:
        return Real(self._session)

    @cached_property
    def _known(self) -> dict[str, str] | None:
        """Outputs of earlier builds that no edge makes, by their real paths, as the index has them; None without an index: records tell then."""
        index = self._session.index
        if not (index.edge_names or index.dead or index.spare):
            return None
        made = self._session.graph.producer
        rows = [path for path, flags in zip(index.paths, index.flags, strict=False) if flags & OUTPUT and path not in made]
        return {self._real.of(path): path for path in (*rows, *index.dead, *index.spare) if path not in made}

    @property
    def any(self) -> bool:
        """Whether there can be any at all."""
        return self._known is None or bool(self._known)

    def maker(self, path: str) -> str:
        """The name of the edge that once made what stands at *path* just as it is; "" if an edge makes it now, or nobody did."""
        if not self.any:
            return ""
        found = self._makers.get(path)
        if found is None:
            found = self._makers[path] = self._maker(path)
        return found

    def _maker(self, path: str) -> str:
        session = self._session
        if path in session.graph.producer:
            return ""
        if self._known is not None:
            path = self._known.get(self._real.of(path), "")
        elif not self._has_record(path):
            path = ""
        record = read(session, record_path(path)) if path else None
        if record is None or record.output is None or record.output in session.graph.producer:
            return ""
        stage = record.edge.partition("@")[0]
        if stage in unknown_stages(session) or is_spare(session, record) or self._is_named(record.edge, stage):
            return ""
        made = next((made for made in record.outputs if made.path == record.output), None)
        place = self._real.of(record.output)
        if made is None or place in self._real.outputs or place in self._real.above or not self._real.allowed(record.output):
            return ""
        try:
            state = files_like(session, made.digest).output(record.output)
        except InputError:
            return ""
        return record.edge if state.digest == made.digest and state.kind != "absent" else ""

    def _has_record(self, path: str) -> bool:
        """Whether a record stands beside a file: the names in its folder tell of all others there too."""
        at = record_path(path)
        folder = folder_of(at)
        names = self._records.get(folder)
        if names is None:
            try:
                names = frozenset([name for name, _ in self._session.disk.names(folder) if name.endswith(".hash")])
            except OSError:
                names = frozenset()
            self._records[folder] = names
        return name_of(at) in names

    def _is_named(self, name: str, stage: str) -> bool:
        """Whether an edge that there is still has made it by naming it when it returned: nothing else tells what it makes."""
        edges = [self._session.graph.edges[at] for at in self._session.graph.by_stage.get(stage, ())]
        return any(edge.name == name and any(output.value == "file" for output in edge.outputs) for edge in edges)

    # -- what is said to be needed

    def fault(self, edges: Iterable[Edge]) -> GraphError | None:
        """What is wrong with inputs of *edges*: the first of them that need dead outputs; None if none does."""
        if not self.any:
            return None
        producer = self._session.graph.producer
        found: dict[str, tuple[Edge, str]] = {}
        for edge in edges:
            for need in edge.needs:
                if need.files is not None and need.files.node < 0 and not need.optional and need.files.kind in ("file", "directory"):
                    found.setdefault(need.files.paths[0], (edge, "inputs"))
            for path in edge.literal:
                if path not in producer and self.maker(path) and self._session.files.output(path).kind == "file":
                    found.setdefault(path, (edge, "run"))
        dead = [(path, edge, key) for path, (edge, key) in found.items() if self.maker(path)]
        if not dead:
            return None
        places = []
        for path, edge, key in dead[:_MOST]:
            places.append(Place(edge.stage.file, ("stage", edge.stage.name, key), f"`{show(edge.name)}` needs `{show(path)}`"))
        path = dead[0][0]
        count = f", and {len(dead) - 1} more like it" if len(dead) > 1 else ""
        return GraphError(
            f"`{show(path)}` was made by `{show(self.maker(path))}`, and no stage makes it any more{count}",
            tuple(places),
            f"name what is made now; or remove its record `{show(record_path(path))}`, which makes it a source",
        )

    # -- what would be met

    def met(self, edge: Edge, discovered: Sequence[str]) -> list[str]:
        """Dead outputs that *edge* would read although it does without them.

        Args:
            edge: Which one.
            discovered: What an earlier run of it has found.
        """
        if not self.any:
            return []
        found: dict[str, None] = {}
        for need in edge.needs:
            files = need.files
            if files is None or files.kind not in ("file", "directory"):
                continue
            path = files.paths[0]
            if need.optional and files.node < 0 and self.maker(path):
                found[path] = None
            elif files.kind == "directory" and not files.inside and path not in self._session.graph.producer:
                found.update(dict.fromkeys(self._under(path)))
        found.update(dict.fromkeys([path for path in discovered if self.maker(path)]))
        return list(found)

    def _under(self, folder: str) -> list[str]:
        found = self._below.get(folder)
        if found is None:
            if self._known is None:
                records = records_of_gone(self._session, self._session.graph.producer, under=folder)
                paths = [record.output for _, record in records if record.output is not None]
            else:
                place = self._real.of(f"{folder}/x")[:-2]
                paths = [path for real, path in self._known.items() if within(real, place)]
            found = self._below[folder] = sorted([path for path in paths if self.maker(path)])
        return found

    def clear(self, paths: Sequence[str]) -> list[str]:
        """Remove dead outputs that an edge would meet.

        Args:
            paths: As `met` has found them.

        Returns:
            What has been removed, directories with a slash.

        Raises:
            InputError: One of them cannot be removed.
        """
        said: list[str] = []
        removed = remove(self._session, paths, said.append)
        if said:
            raise InputError(said[0])
        gone = frozenset(paths)
        for path in paths:
            self._makers[path] = ""
            self._session.files.known.pop(path, None)  # nobody has read it: whoever asks now is the first
            self._session.files.seen.pop(path, None)
        self._below = {folder: [path for path in below if path not in gone] for folder, below in self._below.items()}
        return removed
