"""Is an edge fresh? Joins what plan/ decides with what the disk and the store say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from pipefile.base import digest as digests
from pipefile.base.dataclass import dataclass, replace
from pipefile.base.errors import InputError
from pipefile.base.paths import folder_of, name_of, show
from pipefile.engine.code import CodeReader
from pipefile.engine.files import GONE, State
from pipefile.engine.session import Session, python
from pipefile.engine.unasked import Unasked
from pipefile.model.graph import Edge, FileSet
from pipefile.model.record import ABSENT, Component, Reason, Record, Remembered
from pipefile.model.stage import Command
from pipefile.plan.key import Facts, components, key_of, set_label
from pipefile.plan.stale import compare, runs_anyway
from pipefile.store.index import FRESH, OUTPUT, folder_stamp_of
from pipefile.store.record import edge_record_path, named_in, record_path

MEMBERS_KEPT = 200_000
"""Most (edge, file) pairs of one set of files that records spell out; above that they hold the set's digest alone."""

LISTED_FROM = 2
"""Records of a folder that were looked for in vain, after which the names in it are read: one look then tells of all others, where one for a single
record would be wasted on a folder of many files."""

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
        code: Path -> digest of every file that its code was found in.
        seconds: How long it took last time, 0.0 if not known.
        named: Files that the edge's function has made and named when it returned: outputs that the Pipefile does not know.
    """

    reasons: tuple[Reason, ...]
    key: str
    parts: list[Component]
    discovered: tuple[str, ...]
    own: tuple[str, ...]
    code: Mapping[str, str]
    seconds: float = 0.0
    named: tuple[str, ...] = ()

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
        self._mask = session.mask
        self._index = session.index
        self._algorithm = session.pipeline.settings.hash
        self._remembered: dict[int, Remembered] = {}
        self._folders: dict[str, frozenset[str] | None] = {}
        self._missing: dict[str, int] = {}
        self._there: dict[str, frozenset[str]] = {}
        self._nothing: dict[int, Remembered] = {}
        self._rewritten: set[int] = set()  # edges whose records this build has changed
        self._facts_before: Facts | None = None
        self._set_users: dict[int, int] | None = None
        self._python = python()
        self.code = CodeReader(session, self._python)
        self.naming = self._naming()
        self.written: dict[int, Record] = {}
        self.owners: dict[str, int] = {}  # files that functions have named: who made them, of the edges that have ended

    def grown(self, replaced: Iterable[int]) -> None:
        """The graph has other edges now; those that it had before have their numbers still, but for *replaced*."""
        for number in replaced:
            self._remembered.pop(number, None)
        self.code.grown()
        self.naming = self._naming()
        self._set_users = None

    def _naming(self) -> frozenset[int]:
        return frozenset([edge.id for edge in self._session.graph.edges for output in edge.outputs if output.value == "file"])

    # -- records

    def remembered(self, edge: Edge) -> Remembered:
        """The records beside an edge's outputs, read once."""
        found = self._remembered.get(edge.id)
        if found is None:
            found = self._remembered[edge.id] = self._read(edge)
        return found

    def _read(self, edge: Edge) -> Remembered:
        """Where nothing has been built yet, records are not even looked for: the names in the folder of the first output tell that there is none."""
        if not edge.outputs or edge.id in self._rewritten:
            return self._session.records.read(edge.name, edge.outputs)
        first = edge.outputs[0].path
        folder = folder_of(first)
        missing = self._missing.get(folder, 0)
        if missing >= LISTED_FROM:
            names = self._there.get(folder)
            if names is None:
                names = self._there[folder] = self._names(folder)
            if not names or name_of(record_path(first)) not in names:
                count = len(edge.outputs)
                nothing = self._nothing.get(count)
                if nothing is None:
                    nothing = self._nothing[count] = Remembered((None,) * count)
                return nothing
        found = self._session.records.read(edge.name, edge.outputs)
        if found.main is None:
            self._missing[folder] = missing + 1
        return found

    def _names(self, folder: str) -> frozenset[str]:
        """The records in a folder."""
        try:
            return frozenset([name for name, _ in self._session.disk.names(folder) if name.endswith(".hash")])
        except OSError:
            return frozenset()

    def is_bare(self, edge: Edge) -> bool:
        """Whether nothing stood in the places of an edge's records when they were looked for, and this build has put nothing there."""
        if edge.id in self._rewritten or edge.id in self.naming:
            return False
        found = self._remembered.get(edge.id)
        return found is not None and not found.faults and not any(found.records)

    def never(self, edge: Edge) -> bool:
        """Whether nothing stands in the places of an edge's records, so that it is stale whatever its inputs are."""
        found = self.remembered(edge)
        return not found.faults and not any(found.records) and edge.id not in self._rewritten and edge.id not in self.naming

    def record(self, edge: Edge) -> Record | None:
        """The main record, if all records of the edge are there and of one attempt."""
        remembered = self.remembered(edge)
        return remembered.main if remembered.whole else None

    def forget(self, edge: Edge) -> None:
        """The edge's records have been removed."""
        self._rewritten.add(edge.id)
        self._remembered.pop(edge.id, None)
        self.written.pop(edge.id, None)

    def made(self, edge: Edge, record: Record) -> None:
        """The edge has new records, of which this is the main one."""
        self._rewritten.add(edge.id)
        self._remembered.pop(edge.id, None)
        self.written[edge.id] = record
        if edge.id in self.naming:
            self.owners = {path: owner for path, owner in self.owners.items() if owner != edge.id}
            self.owners.update({made.path: edge.id for made in named_in(record, edge.outputs)})

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
        if edge.id in self.naming and not all(self._stands(record_path(path)) for path in self._indexed_named(edge, at)):
            return -1
        return at

    def _indexed_named(self, edge: Edge, at: int) -> tuple[str, ...]:
        paths = self._index.paths
        return tuple([paths[row] for row in self._index.outputs(at)[len(edge.outputs) :]])

    def named(self, edge: Edge) -> tuple[str, ...]:
        """The files that an edge's function has named when it last returned: the outputs of its record that are not declared."""
        if edge.id not in self.naming:
            return ()
        record = self.written.get(edge.id)
        if record is None:
            at = self.indexed(edge)
            if at >= 0:
                return self._indexed_named(edge, at)
            record = self.remembered(edge).main
        return () if record is None or record.edge != edge.name else tuple([made.path for made in named_in(record, edge.outputs)])

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
        return edge.discovers

    def has_code(self, edge: Edge) -> bool:
        """Whether an edge can run code of the project that a build knows of: its function, or a script that its command names."""
        return bool(edge.literal) or type(edge.stage.action) is not Command

    def code_made(self, edge: Edge) -> tuple[str, ...]:
        """Files of an edge's code that some edge makes, as the disk has them now."""
        try:
            return tuple([path for path in self.code.of(edge).made if path in self._session.graph.producer])
        except InputError:
            return ()  # it is told when the edge is decided

    @cached_property
    def unasked(self) -> Unasked:
        """Knows what pattern rules have made and nothing asks for."""
        return Unasked(self._session)

    def _reads_unasked(self, edge: Edge) -> list[str]:
        """Discovered inputs that a pattern rule has made, and of which nobody sees to it that they are fresh: nothing asks for them by name."""
        if not self.has_discovered(edge) or not self.unasked.rules:
            return []
        return [path for path in self.known_discovered(edge) if self.unasked.maker(path)]

    # -- decisions

    def unmoved(self, number: int) -> bool:  # noqa: ARG002  # a decider that knows more does (engine/warm.py)
        """Whether an edge is fresh for certain without being looked at."""
        return False

    def decide(self, edge: Edge) -> Decision:
        """Whether an edge whose inputs are final is fresh, and why not."""
        if self._files.optional:
            for need in edge.needs:
                if need.files is not None and not need.optional:
                    self.check_made(need.files)
        if self._session.graph.temps:
            self.count_gone(edge)
        code = self.code.of(edge)
        self.unasked.check_code(edge, code.files)
        parts = components(edge, self._facts(edge, code.parts))
        if self._mask is not None:  # in the key as in the record: what differs by a secret alone is the same
            parts = [part._replace(value=self._mask.text(part.value)) for part in parts]
        key = key_of(parts, self._algorithm, edge.stage.folder)
        anyway = runs_anyway(edge)
        at = self.indexed(edge)
        unasked = self._reads_unasked(edge)
        if at >= 0 and anyway is None and not unasked and self._as_indexed(edge, at, key):
            discovered = tuple([self._index.paths[row] for row in self._index.discovered(at)])
            if runs_anyway(edge, discovered) is None:
                named = self._indexed_named(edge, at) if edge.id in self.naming else ()
                self.owners.update(dict.fromkeys(named, edge.id))
                return Decision((), key, parts, discovered, (), code.files, self._index.edge_seconds[at], named)
        record = self.record(edge)
        files = self._files
        if record is not None:
            anyway = runs_anyway(edge, record.discovered)
        if record is not None and record.key and not record.key.startswith(f"{self._algorithm}:"):
            reasons: tuple[Reason, ...] = (Reason("hash"),)  # no two digests can be compared
        elif record is not None and record.key and not record.components:  # put back by `--from`: what it was made of then is not known
            same = replace(record, components=tuple(parts))
            reasons = (Reason("put-back"),) if record.key != key else compare(parts, same, files.digest, files.output_digest, {})
        else:
            reasons = compare(parts, record, files.digest, files.output_digest, self._now_members(edge, record))
        if record is not None:
            reasons += _unmade(edge, record)
        if record is not None and not reasons and record.key != key:
            reasons = (Reason("moved"),)  # with its outputs: paths in it are relative, so that they fit where it stands now
        if anyway is not None:
            reasons = (anyway, *reasons)
        if record is None:
            return Decision(reasons, key, parts, (), (), code.files)
        reasons += tuple([Reason("unasked", path, new=self.unasked.maker(path)) for path in unasked])
        own = () if record.own and any(_of_program(reason) for reason in reasons) else record.own
        named = self.named(edge)
        if not reasons:
            self.owners.update(dict.fromkeys(named, edge.id))
        return Decision(reasons, key, parts, tuple(record.discovered), own, code.files, record.duration, named)

    def count_gone(self, edge: Edge) -> None:
        """Take temporary outputs of an edge that are not there for what they were when it made them: who needs their bytes has them made again."""
        for output in edge.outputs:
            if output.temp and self._files.output(output.path).kind == "absent":
                record = self.record(edge)
                for made in record.outputs if record is not None else ():
                    if made.path == output.path and made.digest and made.kind == ("directory" if output.directory else "file"):
                        self._files.known[output.path] = State(GONE, made.digest, None, True)

    def check_made(self, files: FileSet) -> None:
        """See that an output that may be absent is there for an edge that cannot do without.

        Raises:
            InputError: It is not.
        """
        path = files.paths[0] if files.kind in ("file", "directory") else ""
        if path in self._files.optional and self._files.output(path).kind == "absent":
            maker = self._session.graph.edges[self._session.graph.optional[path]].name
            hint = f"an input that may be absent is `{{ path = \"{show(path)}\", optional = true }}`"
            raise InputError(f"stage `{show(maker)}` did not make `{show(files.text)}`, which is optional", hint=hint)

    def _as_indexed(self, edge: Edge, at: int, key: str) -> bool:
        if digests.raw(key) != self._index.edge_keys[32 * at : 32 * at + 32]:
            return False
        rows = self._index.outputs(at)
        if len(rows) < len(edge.outputs) if edge.id in self.naming else len(rows) != len(edge.outputs):
            return False
        same = self._files.as_indexed
        discovered = self._index.discovered(at)
        return all(same(row, True) for row in rows) and all(same(row, bool(self._index.flags[row] & OUTPUT)) for row in discovered)

    def _facts(self, edge: Edge, code: tuple[Component, ...]) -> Facts:
        files = self._files
        session = self._session
        environment = session.environment(edge.stage)
        before = self._facts_before
        if before is not None and before.env is environment and before.code == code:
            return before
        settings = session.pipeline.settings
        self._facts_before = facts = Facts(
            digest=files.digest,
            set_digest=files.set_digest,
            set_paths=files.set_paths,
            value_text=session.values.text,
            env=environment,
            code=code,
            python=self._python,
            tracked=settings.env,
            shown=settings.show_env,
        )
        return facts

    # -- members of sets, for explanations

    def members(self, edge: Edge) -> Mapping[str, tuple[tuple[str, str], ...]]:
        """For each set of files that an edge needs: its files and their digests, where few enough edges share it."""
        found = {}
        for need in edge.needs:
            files = need.files
            if files is not None and files.kind not in ("file", "directory"):
                paths = self._files.set_paths(files)
                if len(paths) * self._users(files) <= MEMBERS_KEPT:
                    found[set_label(need, edge.stage.folder)] = tuple([(path, self._files.digest(path)) for path in paths])
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


def _unmade(edge: Edge, record: Record) -> tuple[Reason, ...]:
    """Outputs that were not made when they were optional, and are not optional any more."""
    pairs = zip(record.outputs, edge.outputs, strict=False)
    return tuple([Reason("output-missing", made.path) for made, output in pairs if not made.digest and not output.optional])


def _of_program(reason: Reason) -> bool:
    """Whether a reason says that something else runs than last time: that may read what the old one wrote."""
    return reason.kind.partition("-")[0] in ("run", "argv", "action", "shell", "code") or reason.subject.endswith(PROGRAMS)
