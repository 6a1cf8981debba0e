"""A warm start: a build that goes on from the resolved graph in the index, and looks only at what rests on files that have changed.

One look at all files (engine/fastlane.py) has told which rows of the index are not as they were. The edges that rest on these are decided, and those
below them as far as something reaches them; all others are what they were when the index was written: fresh. The graph, the decider, the schedule,
the loop and the attempts are those of every build; only edges are made when they are looked at (engine/lazy.py), and the index is mended rather than
made anew (engine/mend.py).

Whatever could change the graph itself (a Pipefile, what a glob finds, another request) is not for here: the build starts from the Pipefile then,
which gives the same answer.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence

from pipefile.base.dataclass import dataclass
from pipefile.base.disk import OsDisk
from pipefile.base.errors import InputError
from pipefile.base.paths import folder_of, within
from pipefile.engine import fastlane
from pipefile.engine.decide import Decider
from pipefile.engine.fastlane import Seen
from pipefile.engine.files import Files
from pipefile.engine.globs import GlobMatch
from pipefile.engine.lazy import Columns, Extra, graph_of
from pipefile.engine.session import PIPEFILE, Project, Session
from pipefile.engine.values import Values
from pipefile.engine.world import DiskWorld, unpack_globs
from pipefile.load.again import ChangedError, load_again
from pipefile.load.locate import make_locator
from pipefile.model.graph import Edge, FileSet
from pipefile.model.options import Options
from pipefile.plan.makeflags import without
from pipefile.store.index import ASKED, CODE, CODED, DIRECTORY, FRESH, GLOBBED, GOAL, INSIDE, ODD, OUTPUT, RECORDS, SOUND, Damaged, Index
from pipefile.store.record import Records, edge_record_path, record_path

_SMALL = 64  # edges: so many are decided one by one whatever the size of the graph; beyond, a quarter of it


class ColdError(Exception):
    """This build has to start from the Pipefile."""


class WarmSession(Session):
    """A look at a project through its index: no Pipefile is read.

    Args:
        project: Which project.
        environ: The environment that stages inherit.
        warn: Takes warnings.
        seen: What one look at its files has found.

    Raises:
        ColdError, ChangedError, Damaged: The index does not hold what is needed.
    """

    def __init__(self, project: Project, environ: Mapping[str, str], warn: Callable[[str], None], seen: Seen) -> None:
        # not the parent's, which reads the Pipefile
        environ = without(environ)
        self.mask = None  # no stage has secrets: engine/columns.py, `head_of`
        self.project = project
        self.disk = project.disk
        self.locator = make_locator(project.disk)
        self.warn = warn
        self.store = seen.store
        if seen.read is None:
            index = Index(seen.reader)
            seen.read = (index, Columns(seen.reader, index))
        self.index, self.columns = seen.read
        head = seen.reader.section("head")
        if not self.columns.whole or not head:
            raise ColdError
        kept = json.loads(head)
        changed = {self.index.paths[row] for row in seen.rows}
        if not changed.isdisjoint(kept["files"]):
            raise ColdError
        self._pipefile_stamp = self._stamp(project.file)
        if self._pipefile_stamp != self.index.stat_of(self.index.paths.index(project.file)):
            raise ColdError
        self._index_stamp = seen.reader.stamps()
        self.pipeline, read = load_again(project.disk, project.file, environ, kept["document"], kept["files"])
        self._included = self._stamps()
        settings = self.pipeline.settings
        if settings.store != self.store or settings.hash != self.index.meta.algorithm:
            raise ColdError
        self.files = Files(project.disk, settings.hash, self.index, None, self.store)
        self.records = Records(project.disk, self.store, warn)
        self.world = DiskWorld(self.files, self.records, self.store, self.pipefiles)
        self.graph = graph_of(self.columns, read)
        self.world.made = self.graph.producer
        self.files.late = self.world.expand_late
        self.values = Values(self.files, settings.value_in_memory)
        self.environ = environ
        self.environments = {}
        self.left_out, self.remains = {}, None
        self.known, self.assumed, self._builds = {}, frozenset(), True
        self.open = frozenset()


class WarmDecider(Decider):
    """Decides edges, and knows which ones nothing has reached.

    Args:
        session: The project.
        touched: Edges that rest on what has changed.
    """

    def __init__(self, session: WarmSession, touched: frozenset[int]) -> None:
        super().__init__(session)
        self._columns = session.columns
        self._touched = touched
        self._sets: dict[int, bool] = {}
        self.passed: set[int] = set()
        """Edges that were fresh without being looked at."""

    def _naming(self) -> frozenset[int]:
        return frozenset()  # none of those that are looked at: engine/columns.py, `suits`

    def unmoved(self, number: int) -> bool:
        if number in self._touched or not self._index.edge_flags[number] & SOUND:
            return False
        columns, moved = self._columns, self._has_moved
        starts = columns.edge_rows.starts
        if any(moved(row) for row in columns.edge_rows.items[starts[3 * number] : starts[3 * number + 3]]):
            return False
        for need in columns.needs[number]:
            if need >= 0:
                if moved(need):
                    return False
                continue
            found = self._sets.get(need)
            if found is None:  # all of it is final by now
                found = self._sets[need] = any(moved(row) for row in columns.set_rows[-1 - need])
            if found:
                return False
        self.passed.add(number)
        return True

    def _has_moved(self, row: int) -> bool:
        """Whether this build knows a file otherwise than the index does."""
        if self._index.paths[row] not in self._files.known:
            return False
        return not self._files.as_indexed(row, bool(self._index.flags[row] & OUTPUT))

    def _users(self, files: FileSet) -> int:
        number = self._session.graph.edges.number_of(files)  # type: ignore[attr-defined]  # engine/lazy.py's own
        return self._columns.needs.items.count(number)


@dataclass(frozen=True, slots=True)
class WarmStart:
    """What a build does that starts from the index.

    Args:
        session: The project.
        decider: Its decider.
        seen: What has changed.
        nodes: What may have to run, each after what it needs.
        extra: Edges that some of these need besides, for discovered inputs.
        touched: Edges that are looked at in any case.
        total: How many edges the request needs.
    """

    session: WarmSession
    decider: WarmDecider
    seen: Seen
    nodes: list[int]
    extra: Mapping[int, tuple[int, ...]]
    touched: frozenset[int]
    total: int
    requested = ()
    """Nothing that was asked for is left out: such a build starts from the Pipefile."""

    @property
    def edges(self) -> list[Edge]:
        """Those that are looked at in any case."""
        return [self.session.graph.edges[number] for number in sorted(self.touched)]

    @property
    def above(self) -> Mapping[int, tuple[int, ...]]:
        """As `extra`, of all edges."""
        return Extra(self.session.columns, self.extra)

    @property
    def passed(self) -> int:
        """How many edges are fresh because nothing that they rest on can change in this build."""
        return self.total - sum(node < len(self.session.graph.edges) for node in self.nodes)

    def weights(self) -> dict[int, float]:
        seconds = self.session.index.edge_seconds
        return {node: seconds[node] for node in self.nodes if node < len(seconds) and seconds[node] > 0}


def allowed(project: Project, options: Options, every: bool) -> bool:
    """Whether a build may start from the index at all.

    Args:
        project: Which project.
        options: What was asked for.
        every: Whoever is told of the build wants to hear of each edge.
    """
    plain = project.file == PIPEFILE and not project.overlay and type(project.disk).stat is OsDisk.stat
    asked = options.force or options.dry_run or options.alone or options.from_stage or options.verbose > 0 or options.schedule != "eager"
    return plain and not every and not asked


def request_of(options: Options) -> str:
    """The request of a build, as the index has it."""
    return "\x1f".join(options.targets)


def look(project: Project, options: Options) -> Seen | None:
    """Look at all files of a request, in a process that may be anybody's."""
    return fastlane.look(project.root, request_of(options), options.environ)


def start(project: Project, options: Options, warn: Callable[[str], None], seen: Seen) -> WarmStart | None:
    """Prepare a build that starts from the index; None if it has to start from the Pipefile.

    Args:
        project: Which project.
        options: What was asked for.
        warn: Takes warnings.
        seen: What one look at its files has found. Its index is closed unless there is a start.
    """
    found = None
    try:
        if seen.request == request_of(options) and seen.root == project.root:
            found = _Starter(WarmSession(project, options.environ, warn, seen), seen).start()
    except (ColdError, ChangedError, Damaged, InputError, OSError, ValueError, KeyError, IndexError, TypeError):
        pass  # an index that is whole and says nonsense was forged, or written by a bug: it is not needed
    finally:
        if found is None:
            seen.reader.close()
    return found


class _Starter:
    def __init__(self, session: WarmSession, seen: Seen) -> None:
        self._session = session
        self._seen = seen
        self._index = session.index
        self._columns = session.columns

    def start(self) -> WarmStart:
        index, columns, session = self._index, self._columns, self._session
        if index.dead:
            raise ColdError  # some may have to be removed
        flags = index.edge_flags
        edges = len(flags)
        unsound = {number for number in set(flags) if number & GOAL and not number & SOUND}
        touched = {number for number, flag in enumerate(flags) if flag in unsound} if unsound else set()
        touched |= self._after_folders()
        self._check_rows()
        touched |= {number for number in columns.resting_on(set(self._seen.rows)) if flags[number] & GOAL}
        cone = self._cone(touched)
        coded = self._coded_beside(cone)
        if coded - touched:
            touched |= coded
            cone = self._cone(touched)
        if len(touched) > max(_SMALL, self._seen.count // 4):
            raise ColdError
        self._check_folders(cone)
        decider = WarmDecider(session, frozenset(touched))
        extra = {number: found for number in cone if number < edges and number not in touched and (found := columns.extra(number))}
        for number in touched:
            edge = session.graph.edges[number]
            if decider.code_made(edge):
                raise ColdError
            if decider.has_discovered(edge):
                makers = {session.graph.producer.get(path, -1) for path in decider.known_discovered(edge)} - {-1, number}
                new = makers.difference(session.graph.depends[number])
                if new:
                    extra[number] = tuple(sorted(new))
            if not flags[number] & SOUND:
                self._check_sources(edge)
        if any(not flags[maker] & GOAL for makers in extra.values() for maker in makers):
            raise ColdError
        return WarmStart(session, decider, self._seen, columns.sorted(cone), extra, frozenset(touched), self._seen.count)

    def _cone(self, touched: set[int]) -> set[int]:
        """What may have to run: what is touched, and all of the request below it."""
        flags = self._index.edge_flags
        edges = len(flags)
        cone = {node for node in self._columns.below(touched) if node >= edges or flags[node] & GOAL}
        if any(node < edges and flags[node] & ODD for node in cone):
            raise ColdError
        return cone

    def _after_folders(self) -> set[int]:
        """What a change of names in folders touches: edges whose records are gone, and all whose code is found by name."""
        index, session = self._index, self._session
        touched: set[int] = set()
        globs: dict[str, GlobMatch] | None = None
        coded = False
        for number in self._seen.changed_folders:
            folder, flags = index.folders[number], index.folder_flags[number]
            if flags & (INSIDE | ASKED):
                raise ColdError
            if flags & RECORDS:
                touched |= self._without_record(number)
            if flags & GLOBBED:
                globs = unpack_globs(index.globs) if globs is None else globs
                for pattern, before in globs.items():
                    if folder in before.folders and not session.world.stands_in(pattern, before, folder):
                        raise ColdError
            coded = coded or bool(flags & CODE)
        return touched | self._coded() if coded else touched

    def _without_record(self, folder: int) -> set[int]:
        index, columns, disk = self._index, self._columns, self._session.disk
        try:
            names = {name for name, kind in disk.names(index.folders[folder]) if kind == "file"}
        except OSError:
            names = set()
        found = set()
        for edge, path in expected(columns, self._session.store, folder, index.edge_flags):
            if path.rpartition("/")[2] not in names and index.edge_flags[edge] & GOAL:
                found.add(edge)
        return found

    def _coded(self) -> set[int]:
        return {number for number, flags in enumerate(self._index.edge_flags) if flags & CODED and flags & GOAL}

    def _coded_beside(self, cone: set[int]) -> set[int]:
        """Edges whose code is found in folders that this build may write into: these folders' stamps will have to vouch for that again."""
        index = self._index
        flags = dict(zip(index.folders, index.folder_flags, strict=True))
        flags[""] = flags.get("", 0) | flags.get(".", 0)  # the root, as a directory that is an input
        for folder in self._output_folders(cone):
            if flags.get(folder, 0) & (INSIDE | ASKED):
                raise ColdError
        return self._coded() if any(flags.get(folder, 0) & CODE for folder in self._output_folders(cone)) else set()

    def _output_folders(self, cone: set[int]) -> set[str]:
        index = self._index
        return {folder_of(index.paths[row]) for node in cone if node < len(index.edge_names) for row in index.outputs(node)}

    def _check_rows(self) -> None:
        """A source that is gone, or has become something else, is for a build that knows who needs it."""
        index, columns, world = self._index, self._columns, self._session.world
        directories: list[str] = []
        if any(flags & DIRECTORY for flags in set(index.flags)):
            directories = [path for path, flags in zip(index.paths, index.flags, strict=True) if flags & DIRECTORY]
        for row in self._seen.rows:
            path = index.paths[row]
            index.some_rows[path] = row
            if any(path == folder or within(path, folder) or (folder == "." and path[0] != "/") for folder in directories):
                raise ColdError
            if columns.makers[row] < 0 and world.kind(path) != "file":
                raise ColdError

    def _check_sources(self, edge: Edge) -> None:
        for need in edge.needs:
            files = need.files
            if files is None or files.node >= 0 or need.optional:
                continue
            if not files.paths or any(self._session.world.kind(path) != "file" for path in files.paths):
                raise ColdError

    def _check_folders(self, cone: set[int]) -> None:
        """Outputs have to lie where their paths say, and can be made there: two folders that are one by way of a link, and what to say of a folder
        that is locked, are for a build that looks at all outputs."""
        disk = self._session.disk
        root = os.path.realpath(disk.root)
        for folder in self._output_folders(cone):
            if os.path.realpath(disk.at(folder or ".")) != (os.path.join(root, folder) if folder else root) or not disk.writable(folder):
                raise ColdError


def expected(columns: Columns, store: str, folder: int, flags: Sequence[int]) -> list[tuple[int, str]]:
    """Edges that *flags* call fresh, with the paths of those of their records that lie in a folder."""
    index = columns.index
    found = []
    for row in columns.folder_rows[folder]:
        edge = columns.makers[row] if row >= 0 else -1 - row
        if flags[edge] & FRESH:
            found.append((edge, record_path(index.paths[row]) if row >= 0 else edge_record_path(store, index.edge_names[edge])))
    return found
