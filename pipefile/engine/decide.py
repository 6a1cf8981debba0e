"""Is an edge fresh? Joins what plan/ decides with what the disk and the store say."""

from __future__ import annotations

from collections.abc import Mapping

from pipefile.base import digest as digests
from pipefile.base.dataclass import dataclass
from pipefile.base.paths import folder_of, name_of
from pipefile.engine.modules import Reach, reach
from pipefile.engine.session import Session, python
from pipefile.model.graph import Edge, FileSet
from pipefile.model.record import ABSENT, Component, Reason, Record, Remembered
from pipefile.model.stage import Call
from pipefile.plan.key import Facts, components, key_of, set_label
from pipefile.plan.stale import compare, runs_anyway
from pipefile.store.index import FRESH, OUTPUT, folder_stamp_of
from pipefile.store.record import edge_record_path, record_path

MEMBERS_KEPT = 200_000
"""Most (edge, file) pairs of one set of files that records spell out; above that they hold the set's digest alone."""

PROGRAMS = (".py", ".sh", ".bash", ".pl", ".rb", ".js", ".mjs", ".ts", ".r", ".R", ".jl", ".lua", ".awk", ".sql")
"""Names of files that run. Who edits one during both attempts is a person, and to drop it from the inputs would miss all later edits; what another
program writes itself is found anew."""


@dataclass(slots=True)
class Decision:
    """What was found about one edge.

    Args:
        reasons: Why it is stale; () if it is fresh.
        key: Its key now.
        parts: What the key is made of.
        discovered: Known discovered inputs: those of its record, then files named in its command.
        own: Files named in the command that the stage writes itself.
        seconds: How long it took last time, 0.0 if not known.
    """

    reasons: tuple[Reason, ...]
    key: str
    parts: list[Component]
    discovered: tuple[str, ...]
    own: tuple[str, ...]
    seconds: float = 0.0

    @property
    def fresh(self) -> bool:
        return not self.reasons


class Decider:
    """Decides edges, each when its inputs are final.

    Args:
        session: The project.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._files = session.files
        self._index = session.index
        self._algorithm = session.pipeline.settings.hash
        self._remembered: dict[int, Remembered] = {}
        self._folders: dict[str, frozenset[str] | None] = {}
        self._set_users: dict[int, int] | None = None
        self._parsed: dict[tuple[object, ...], frozenset[str]] = {}
        self._code: dict[tuple[str, str], Reach] = {}
        self._python = python()
        self.written: dict[int, Record] = {}

    # -- records

    def remembered(self, edge: Edge) -> Remembered:
        """The records beside an edge's outputs, read once."""
        found = self._remembered.get(edge.id)
        if found is None:
            found = self._remembered[edge.id] = self._session.records.read(edge.name, edge.outputs)
        return found

    def record(self, edge: Edge) -> Record | None:
        """The main record, if all records of the edge are there and of one attempt."""
        remembered = self.remembered(edge)
        return remembered.main if remembered.whole else None

    def forget(self, edge: Edge) -> None:
        """The edge's records have been removed."""
        self._remembered.pop(edge.id, None)
        self.written.pop(edge.id, None)

    def made(self, edge: Edge, record: Record) -> None:
        """The edge has new records, of which this is the main one."""
        self._remembered.pop(edge.id, None)
        self.written[edge.id] = record

    def indexed(self, edge: Edge) -> int:
        """The position of an edge in the index if it was fresh then and its records are still there; else -1."""
        at = self._index.edge(edge.name)
        if at < 0 or not self._index.edge_flags[at] & FRESH:
            return -1
        if not edge.outputs:
            return at if self._stands(edge_record_path(self._session.store, edge.name)) else -1
        for output in edge.outputs:
            if not self._stands(record_path(output.path)):
                return -1
        return at

    def _stands(self, path: str) -> bool:
        """Whether a file of pipefile's own is still where the index saw it: its folder's stamp tells, or the folder's names."""
        folder = folder_of(path)
        names = self._folders.get(folder, ABSENT)
        if names == ABSENT:
            names = self._folders[folder] = self._changed_names(folder)
        return names is None or name_of(path) in names

    def _changed_names(self, folder: str) -> frozenset[str] | None:
        stamp = self._index.folder_stamp(folder)
        seen = self._session.disk.stat(folder or ".")
        if stamp is not None and seen is not None and folder_stamp_of(seen) == stamp:
            return None
        try:
            return frozenset([name for name, kind in self._session.disk.names(folder) if kind == "file"])
        except OSError:
            return frozenset()

    # -- discovered inputs

    def known_discovered(self, edge: Edge) -> tuple[str, ...]:
        """Discovered inputs as the last attempt left them: from the index while it can be believed, else from the record."""
        at = self.indexed(edge)
        if at >= 0:
            paths = self._index.paths
            return tuple([paths[row] for row in self._index.discovered(at)])
        record = self.record(edge)
        return tuple(record.discovered) if record is not None else ()

    def has_discovered(self, edge: Edge) -> bool:
        """Whether an edge can have discovered inputs at all."""
        return bool(edge.literal or edge.stage.depfile)

    # -- decisions

    def unmoved(self, number: int) -> bool:  # noqa: ARG002  # a decider that knows more does (engine/warm.py)
        """Whether an edge is fresh for certain without being looked at."""
        return False

    def decide(self, edge: Edge) -> Decision:
        """Whether an edge whose inputs are final is fresh, and why not."""
        parts = components(edge, self._facts(edge))
        key = key_of(parts, self._algorithm)
        anyway = runs_anyway(edge)
        at = self.indexed(edge)
        if at >= 0 and anyway is None and self._as_indexed(edge, at, key):
            discovered = tuple([self._index.paths[row] for row in self._index.discovered(at)])
            if runs_anyway(edge, discovered) is None:
                return Decision((), key, parts, discovered, (), self._index.edge_seconds[at])
        record = self.record(edge)
        files = self._files
        if record is not None:
            anyway = runs_anyway(edge, record.discovered)
        if record is not None and record.key and not record.key.startswith(f"{self._algorithm}:"):
            reasons: tuple[Reason, ...] = (Reason("hash"),)  # no two digests can be compared
        else:
            reasons = compare(parts, record, files.digest, files.output_digest, self._now_members(edge, record))
        if record is not None and not reasons and record.key != key:
            reasons = (Reason("moved"),)  # with its outputs: paths in it are relative, so that they fit where it stands now
        if anyway is not None:
            reasons = (anyway, *reasons)
        if record is None:
            return Decision(reasons, key, parts, (), ())
        reasons += self._new_modules(edge, record)
        own = () if record.own and any(_of_program(reason) for reason in reasons) else record.own
        return Decision(reasons, key, parts, tuple(record.discovered), own, record.duration)

    def _as_indexed(self, edge: Edge, at: int, key: str) -> bool:
        if digests.raw(key) != self._index.edge_keys[32 * at : 32 * at + 32]:
            return False
        rows = self._index.outputs(at)
        if len(rows) != len(edge.outputs):
            return False
        same = self._files.as_indexed
        discovered = self._index.discovered(at)
        if not (all(same(row, True) for row in rows) and all(same(row, bool(self._index.flags[row] & OUTPUT)) for row in discovered)):
            return False
        if any(path.endswith(".py") for path in edge.literal):
            known = {self._index.paths[row] for row in discovered}
            return all(path in known for path in self.script_modules(edge))
        return True

    def _facts(self, edge: Edge) -> Facts:
        files = self._files
        session = self._session
        environment = session.environment(edge.stage)
        settings = session.pipeline.settings
        return Facts(
            files.digest, files.set_digest, files.set_paths, environment, self.code, self._python, settings.env, settings.show_env
        )

    # -- code

    def code(self, edge: Edge) -> tuple[tuple[str, str], ...]:
        """Path and digest of every file that a function's module reaches by static import."""
        action = edge.stage.action
        assert isinstance(action, Call)
        return tuple([(path, self._files.digest(path)) for path in self._reach(action.module, edge.stage.folder)])

    def script_modules(self, edge: Edge) -> tuple[str, ...]:
        """The project's modules that Python scripts named in a command import, without the scripts themselves."""
        found: list[str] = []
        for path in edge.literal:
            if path.endswith(".py") and self._files.state(path).kind == "file":
                found += [other for other in self._reach(path, edge.stage.folder) if other != path and other not in found]
        return tuple(found)

    def _reach(self, start: str, folder: str) -> tuple[str, ...]:
        found = self._code.get((folder, start))
        if found is None:
            found = self._code[folder, start] = reach(self._session.disk, folder, start, self._parsed)
        return found.files

    def code_folders(self) -> list[str]:
        """Folders in which a new file could become part of some code that was looked at: their names have to stay as they are."""
        return sorted({folder for found in self._code.values() for folder in found.folders})

    def code_stands(self) -> bool:
        """Whether all code that was looked at still reaches the same files."""
        return all(reach(self._session.disk, *at, self._parsed) == found for at, found in self._code.items())

    def _new_modules(self, edge: Edge, record: Record) -> tuple[Reason, ...]:
        if not any(path.endswith(".py") for path in edge.literal):
            return ()
        known = {*record.discovered, *record.own}
        declared = {path for need in edge.needs if need.files is not None for path in self._files.set_paths(need.files)}
        new = [path for path in self.script_modules(edge) if path not in known and path not in declared]
        return tuple([Reason("discovered", path, ABSENT, self._files.digest(path)) for path in new])

    # -- members of sets, for explanations

    def members(self, edge: Edge) -> Mapping[str, tuple[tuple[str, str], ...]]:
        """For each set of files that an edge needs: its files and their digests, where few enough edges share it."""
        found = {}
        for need in edge.needs:
            files = need.files
            if files is not None and files.kind not in ("file", "directory"):
                paths = self._files.set_paths(files)
                if len(paths) * self._users(files) <= MEMBERS_KEPT:
                    found[set_label(need)] = tuple([(path, self._files.digest(path)) for path in paths])
        return found

    def _now_members(self, edge: Edge, record: Record | None) -> Mapping[str, tuple[tuple[str, str], ...]]:
        return self.members(edge) if record is not None and record.members else {}

    def _users(self, files: FileSet) -> int:
        if self._set_users is None:
            users: dict[int, int] = {}
            for edge in self._session.graph.edges:
                for need in edge.needs:
                    if need.files is not None and need.files.kind not in ("file", "directory"):
                        users[id(need.files)] = users.get(id(need.files), 0) + 1
            self._set_users = users
        return self._set_users.get(id(files), 1)


def _of_program(reason: Reason) -> bool:
    """Whether a reason says that something else runs than last time: that may read what the old one wrote."""
    return reason.kind in ("run", "argv", "action", "shell") or reason.subject.endswith(PROGRAMS)
