"""The graph as data, for `list`, `query` and `graph`. Everything here reads only, and runs no code of the project."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from pipefile.base.dataclass import dataclass
from pipefile.base.errors import PipefileError
from pipefile.base.locations import Position
from pipefile.base.paths import BadPathError, normalise, parents
from pipefile.engine.declare import Looking
from pipefile.engine.lines import default_set
from pipefile.engine.session import Project, Session
from pipefile.load.declared import python_locator
from pipefile.load.loader import Extra, load
from pipefile.load.locate import make_locator
from pipefile.model.graph import Edge, FileSet, Graph
from pipefile.model.stage import Pipeline, Stage
from pipefile.plan.closure import closure
from pipefile.plan.cycles import topological
from pipefile.plan.fallback import mains
from pipefile.store import index as index_file
from pipefile.store.index import FRESH, PRESENT
from pipefile.store.record import Records

Verb = Literal["inputs", "outputs", "deps", "rdeps"]

# --- list


@dataclass(frozen=True, slots=True)
class Listed:
    """A stage as `list` tells of it.

    Args:
        stage: As it is declared.
        outputs: Its outputs; directories with a slash.
        position: Where it stands in its Pipefile; None unless places were asked for.
        seconds: How long it took last time; None if that is not known.
    """

    stage: Stage
    outputs: tuple[str, ...]
    position: Position | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Listing:
    """All stages. `default` is what is built when nothing is named."""

    pipeline: Pipeline
    default: tuple[str, ...]
    stages: tuple[Listed, ...]


def listing(
    project: Project, environ: Mapping[str, str], warn: Callable[[str], None], places: bool, note: Callable[[str], None] | None = None
) -> Listing:
    """What is declared: without resolving, so that it works while sources are missing.

    Args:
        project: Which project.
        environ: The environment.
        warn: Takes warnings.
        places: Also find where each stage stands, which costs as much as all the rest.
        note: Told where not all of the graph is known.

    Raises:
        PipefileError: The Pipefile is wrong.
    """
    locate = make_locator(project.disk)
    try:
        pipeline = load(project.disk, project.file, environ, Extra(Looking(project.disk, note), overlay=project.overlay))
    except PipefileError as error:
        error.locate(locate)
        raise
    if pipeline.sources:
        locate = python_locator(project.disk, pipeline.sources)
    seconds = _durations(project, pipeline, warn)
    return Listing(
        pipeline,
        tuple(default_set(pipeline)),
        tuple(
            [
                Listed(
                    stage,
                    tuple([output.shown for output in stage.outputs]),
                    locate(stage.file, ("stage", stage.name)) if places else None,
                    seconds(stage),
                )
                for stage in (*pipeline.stages.values(), *[stage for name, stage in pipeline.partial.items() if name not in pipeline.stages])
            ]
        ),
    )


def _durations(project: Project, pipeline: Pipeline, warn: Callable[[str], None]) -> Callable[[Stage], float | None]:
    """How long stages took last time: from the index, where thousands cost nothing, else from a record."""
    store = pipeline.settings.store
    known: dict[str, float] = {}
    try:
        reader = index_file.Reader(project.disk.at(f"{store}/{index_file.NAME}"))
        try:
            index = index_file.Index(reader)
        finally:
            reader.close()
        for name, taken in zip(index.edge_names, index.edge_seconds, strict=True):
            stage = name.partition("@")[0]
            known[stage] = known.get(stage, 0.0) + taken  # of instances, all of them together
    except (index_file.Damaged, OSError, ValueError):
        pass
    records = Records(project.disk, store, warn)

    def seconds(stage: Stage) -> float | None:
        found = known.get(stage.name)
        if found or stage.for_each is not None:
            return found or None
        main = records.read(stage.name, stage.results[:1]).main
        return main.duration if main is not None and main.main else None

    return seconds


# --- query


def query(session: Session, verb: Verb, target: str) -> list[str]:
    """Files around a target, without doubles.

    Args:
        session: The project.
        verb: "inputs": what the target's stages read, in order, discovered inputs after declared ones. "outputs": what they make; of a source:
            what is made from it directly. "deps": all files that the target comes from. "rdeps": all that come from it. The last two are sorted.
        target: An alias, a stage, or a file: made or source.

    Raises:
        UsageError: The target is none of these.
    """
    files = _Links(session)
    made = session.graph.producer
    source = _source(session, files, target)
    if source is None:
        edges = session.select((target,))
        if verb == "inputs":
            return list(dict.fromkeys(path for edge in edges for path in files.inputs(edge)))
        if verb == "outputs":
            return list(dict.fromkeys(output.shown for edge in edges for output in session.graph.edges[edge].outputs))
        if verb == "deps":
            return sorted(files.above(edges))
        asked = _path(target)
        starts = [asked] if asked in made else [output.path for edge in edges for output in session.graph.edges[edge].outputs]
        return sorted(files.below(starts))
    if verb in ("inputs", "deps"):
        return []
    if verb == "rdeps":
        return sorted(files.below([source]))
    return list(dict.fromkeys(output.shown for edge in files.readers(source) for output in session.graph.edges[edge].outputs))


def _path(target: str) -> str:
    try:
        return normalise(target)
    except BadPathError:
        return ""


def _source(session: Session, files: _Links, target: str) -> str | None:
    """The path of a target that is a source which some edge reads; None for any other target."""
    if target in session.pipeline.aliases or target in session.graph.by_stage:
        return None
    path = _path(target)
    if path in session.graph.producer or any(folder in session.graph.producer for folder in parents(path)):
        return None
    return path if next(iter(files.readers(path)), None) is not None else None


class _Links:
    """Which edge reads which file, both ways. Sets of files that many edges share are walked once.

    Args:
        session: The project.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._graph = session.graph
        self._users: dict[FileSet, list[int]] | None = None
        self._sets: dict[str, list[FileSet]] = {}
        self._lone: dict[str, list[int]] = {}

    def _paths(self, files: FileSet) -> tuple[str, ...]:
        return self._session.files.set_paths(files)

    def _undeclared(self, edge: Edge) -> Iterable[str]:
        """Inputs that are known without having been declared: those that the last run discovered, else files named in the command."""
        index = self._session.index
        at = index.edge(edge.name)
        if at >= 0 and index.edge_flags[at] & FRESH:  # of any other it knows less than the record
            return [index.paths[row] for row in index.discovered(at) if index.flags[row] & PRESENT]
        if not edge.discovers:
            return ()
        record = self._session.records.read(edge.name, edge.outputs).main
        if record is not None:
            return [path for path, digest in record.discovered.items() if digest]
        return self.named(edge)

    def named(self, edge: Edge) -> list[str]:
        """Files that the command names literally, as far as they are there or made."""
        outputs = {output.path for output in edge.outputs}
        disk = self._session.disk
        return [path for path in edge.literal if path not in outputs and (path in self._graph.producer or disk.stat(path) is not None)]

    def inputs(self, edge: int) -> Iterable[str]:
        """Files that an edge reads, declared ones first."""
        whole = self._graph.edges[edge]
        for need in whole.needs:
            if need.files is not None:
                yield from self._paths(need.files)
        yield from self._undeclared(whole)

    def above(self, edges: Iterable[int]) -> set[str]:
        """All files that *edges* come from."""
        found: set[str] = set()
        walked: set[FileSet] = set()
        seen = set(edges)
        todo = list(seen)
        while todo:
            edge = self._graph.edges[todo.pop()]
            before: list[int] = []
            for need in edge.needs:
                files = need.files
                if files is not None and files not in walked:
                    walked.add(files)
                    found.update(self._paths(files))
                    before += self._makers(files.node)
            for path in self._undeclared(edge):
                found.add(path)
                if path in self._graph.producer:
                    before.append(self._graph.producer[path])
            for maker in self._makers_of_items(edge):
                before.append(maker)
                found.update([output.path for output in self._graph.edges[maker].outputs])
            for other in before:
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        return found

    def _makers_of_items(self, edge: Edge) -> tuple[int, ...]:
        """The edges that have made the item of an instance, which it need not read for that."""
        fanout = self._graph.fanouts.get(edge.stage.name)
        return () if fanout is None else fanout.makers

    def _makers(self, node: int) -> Iterable[int]:
        if node < 0:
            return ()
        count = len(self._graph.edges)
        return (node,) if node < count else self._graph.groups[node - count]

    def _read_all(self) -> dict[FileSet, list[int]]:
        if self._users is None:
            self._users = {}
            for edge in self._graph.edges:
                for need in edge.needs:
                    files = need.files
                    if files is None:
                        continue
                    if files not in self._users:
                        self._users[files] = []
                        for path in (*self._paths(files), *((files.inside,) if files.inside else ())):
                            self._sets.setdefault(path, []).append(files)
                    self._users[files].append(edge.id)
                items = [output.path for maker in self._makers_of_items(edge) for output in self._graph.edges[maker].outputs]
                for path in (*self._undeclared(edge), *items):
                    self._lone.setdefault(path, []).append(edge.id)
        return self._users

    def readers(self, path: str) -> Iterable[int]:
        """Edges that read *path*, each perhaps more than once."""
        users = self._read_all()
        for files in self._sets.get(path, ()):
            yield from users[files]
        yield from self._lone.get(path, ())

    def below(self, paths: Iterable[str]) -> set[str]:
        """All files that come from *paths*, themselves left out unless they come from one another."""
        users = self._read_all()
        found: set[str] = set()
        walked: set[FileSet] = set()
        seen: set[int] = set()
        todo = list(paths)
        while todo:
            path = todo.pop()
            edges = list(self._lone.get(path, ()))
            for files in self._sets.get(path, ()):
                if files not in walked:
                    walked.add(files)
                    edges += users[files]
            for edge in edges:
                if edge in seen:
                    continue
                seen.add(edge)
                for output in self._graph.edges[edge].outputs:
                    found.add(output.shown)
                    todo.append(output.path)
        return found


# --- graph


@dataclass(frozen=True, slots=True)
class Shown:
    """An edge of the graph, as `graph` shows it.

    Args:
        needs: Nodes whose files it needs: edges by id, groups by the keys of GraphView.groups.
        after: Edges that come before it for no file's sake.
        inputs: Its inputs as a person knows them: paths, globs, `STAGE.outputs`, and files that its command names.
        outputs: Directories with a slash.
        fallback_of: The stages that it stands in for when they have failed, in the order of declaration.
    """

    id: int
    name: str
    stage: str
    wave: int
    needs: tuple[int, ...]
    after: tuple[int, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    fallback_of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GraphView:
    """A part of the graph.

    Args:
        edges: By wave, within one in topological order.
        groups: Node -> edges that it stands for, where more than one edge waits for all of them: so a graph with a large fan-in that many
            edges use stays small.
    """

    edges: tuple[Shown, ...]
    groups: Mapping[int, tuple[int, ...]]


def view(session: Session, targets: tuple[str, ...]) -> GraphView:
    """The closure of *targets*, or the whole graph.

    Raises:
        UsageError: A target is unknown.
    """
    graph = session.graph
    count = len(graph.edges)
    nodes = closure(graph, session.select(targets)) if targets else topological(graph.depends, graph.order, range(count))
    if targets:  # what may run for them, although they do not need it
        names = {edge.stage.fallback for node in nodes if node < count and isinstance((edge := graph.edges[node]).stage.fallback, str)}
        inside = set(nodes)
        nodes = nodes + [node for name in sorted(names - {""}) for node in graph.by_stage[name] if node not in inside]
    users = _group_users(graph, nodes)
    fallbacks = mains(edge.stage for edge in graph.edges)
    files = _Links(session)
    shown = [_shown(graph, graph.edges[node], users, fallbacks, files.named(graph.edges[node])) for node in nodes if node < count]
    shown.sort(key=lambda each: each.wave)
    return GraphView(tuple(shown), {node: graph.groups[node - count] for node in nodes if node >= count and users[node] > 1})


def _group_users(graph: Graph, nodes: Iterable[int]) -> dict[int, int]:
    count = len(graph.edges)
    users: dict[int, int] = {}
    for node in nodes:
        for other in graph.depends[node]:
            if other >= count:
                users[other] = users.get(other, 0) + 1
    return users


def _shown(graph: Graph, edge: Edge, users: Mapping[int, int], fallbacks: Mapping[str, Sequence[str]], named: Sequence[str]) -> Shown:
    count = len(graph.edges)
    needs: dict[int, None] = {}
    for node in graph.depends[edge.id]:
        if node >= count and users[node] == 1:
            needs.update(dict.fromkeys(graph.groups[node - count]))
        else:
            needs[node] = None
    inputs = dict.fromkeys([*[need.files.text for need in edge.needs if need.files is not None], *named])
    outputs = tuple([output.shown for output in edge.outputs])
    after, instead = graph.order.get(edge.id, ()), tuple(fallbacks.get(edge.stage.name, ()))
    return Shown(edge.id, edge.name, edge.stage.name, edge.wave, tuple(needs), after, tuple(inputs), outputs, instead)
