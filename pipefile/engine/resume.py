"""`--from STAGE --reuse-run RUN`: all above the stage is put back as it was in that run; the stage and all below it run.

What an edge was in a run is what it made in it, or, where it was fresh, in the last run before that in which it did anything: manifests list what did
not stay fresh. It is left as it is if its record and its outputs still say so; else the cache has to have that result. Nothing is asked of today's
sources: a plain build afterwards compares, and finds stale what differs from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipefile.base.errors import InputError, UsageError
from pipefile.base.locations import Place
from pipefile.base.paths import show
from pipefile.engine.cached import Cached
from pipefile.engine.decide import Decider
from pipefile.engine.files import GONE
from pipefile.engine.reuse import PutBack, Resume
from pipefile.engine.session import Session
from pipefile.model.graph import Edge, Graph
from pipefile.model.options import Options
from pipefile.model.ports import Cache
from pipefile.model.run import EdgeResult
from pipefile.plan.near import nearest
from pipefile.store.history import RunReader


def plan_resume(
    session: Session,
    decider: Decider,
    options: Options,
    nodes: Sequence[int],
    extra: Mapping[int, tuple[int, ...]],
    found: tuple[Cached, Cache] | None,
) -> Resume:
    """Find out what is put back and what runs. Nothing is written.

    Args:
        session: The project; its lock is held.
        decider: Its records.
        options: `from_stage` and `reuse_run` are used.
        nodes: What is built.
        extra: What edges need besides what the graph says.
        found: The cache; None where it is not used.

    Raises:
        UsageError: There is no such stage or run, or something cannot be put back: it is listed.
    """
    starts = _starts(session, options.from_stage, nodes)
    reader = RunReader(session.disk, session.store)
    run = reader.resolve(options.reuse_run or "latest")
    above, below = _around(session.graph, starts, nodes, extra)
    if session.graph.temps:
        _count_gone(session, decider, above, below)
    states = _States(reader, run, {session.graph.edges[node].name for node in above})
    back: dict[int, PutBack] = {}
    faults: list[tuple[Edge, str]] = []
    unknown = {fanout.edge for fanout in session.graph.fanouts.values()}
    for node in nodes:
        if node in above and node not in session.left_out and node not in unknown:
            edge = session.graph.edges[node]
            put = _put_back(edge, states, session, decider, found)
            if isinstance(put, PutBack):
                back[node] = put
            else:
                faults.append((edge, put))
    if faults:
        count = "a stage" if len(faults) == 1 else f"{len(faults)} stages"
        places = [Place(edge.stage.file, ("stage", edge.stage.name), f"`{show(edge.name)}` {why}") for edge, why in faults]
        error = UsageError(
            f"{count} above `{show(options.from_stage)}` cannot be put back as in run {run}", places, "a build without `--from` makes what is missing"
        )
        session.locate(error)
        raise error
    return Resume(options.from_stage, run, back, frozenset(below))


def _count_gone(session: Session, decider: Decider, above: set[int], below: set[int]) -> None:
    """Take temporary outputs that are not there for what they were, but for those that what runs will read."""
    from pipefile.engine.temps import needs_gone

    edges = session.graph.edges
    for number in above:
        decider.count_gone(edges[number])
    for number in below:
        edge = edges[number]
        discovered = decider.known_discovered(edge) if decider.has_discovered(edge) else ()
        for maker in needs_gone(session, edge, (*discovered, *decider.code_made(edge))):
            for output in edges[maker].outputs if maker in above else ():
                if output.temp and session.files.output(output.path).kind == GONE:
                    session.files.known.pop(output.path)


def _starts(session: Session, name: str, nodes: Sequence[int]) -> set[int]:
    graph = session.graph
    found = set(graph.by_stage.get(name, ())) or {edge.id for edge in graph.edges if edge.name == name}
    if not found and (fanout := graph.fanouts.get(name.partition("@")[0])) is not None and fanout.edge >= 0:
        found = {fanout.edge}  # an instance that is known when its item is
    if not found:
        near = nearest(name, graph.by_stage)
        raise UsageError(f"`--from` names a stage, and there is no stage `{show(name)}`", hint=f"did you mean `{near}`?" if near else "")
    needed = found.intersection(nodes)
    if not needed:
        raise UsageError(f"stage `{show(name)}` is not part of what is built", hint="name a target that comes from it")
    return needed


def _around(graph: Graph, starts: set[int], nodes: Sequence[int], extra: Mapping[int, tuple[int, ...]]) -> tuple[set[int], set[int]]:
    """Edges above some edges, and these with all below them; groups are passed through."""
    inside = set(nodes)
    makers = {number: fanout.makers for stage, fanout in graph.fanouts.items() for number in graph.by_stage[stage]}
    above: set[int] = set()
    todo = list(starts)
    while todo:
        node = todo.pop()
        for other in (*graph.depends[node], *extra.get(node, ()), *makers.get(node, ())):
            if other in inside and other not in above:
                above.add(other)
                todo.append(other)
    users: dict[int, list[int]] = {}
    for node in nodes:
        for other in (*graph.depends[node], *extra.get(node, ()), *makers.get(node, ())):
            users.setdefault(other, []).append(node)
    below = set(starts)
    todo = list(starts)
    while todo:
        for node in users.get(todo.pop(), ()):
            if node not in below:
                below.add(node)
                todo.append(node)
    edges = len(graph.edges)
    return {node for node in above - below if node < edges}, {node for node in below if node < edges}


class _States:
    """What edges were in a run.

    Args:
        reader: The runs.
        run: Which one.
        names: The edges.
    """

    def __init__(self, reader: RunReader, run: str, names: set[str]) -> None:
        self.run = run
        self._found: dict[str, EdgeResult] = {}
        self._later: set[str] = set()
        ids = reader.ids()
        at = ids.index(run)
        entries, self.problem = reader.edges(run)
        for number, each in enumerate(ids[at:]):
            for entry in reader.edges(each)[0] if number else entries:
                name = f"{entry.stage}@{entry.instance}" if entry.instance else entry.stage
                if name in names and not (number and entry.status == "skipped"):
                    self._found.setdefault(name, entry)
            if len(self._found) == len(names):
                break
        if len(self._found) < len(names):
            for each in ids[:at]:
                done = [entry for entry in reader.edges(each)[0] if entry.status not in ("skipped", "failed", "interrupted")]
                self._later.update(f"{entry.stage}@{entry.instance}" if entry.instance else entry.stage for entry in done)

    def of(self, name: str) -> EdgeResult | None:
        """The entry that tells of an edge; None where it has done nothing for so long that no run tells."""
        return self._found.get(name)

    def changed_since(self, name: str) -> bool:
        """Whether an edge of which no entry tells has done something after the run."""
        return name in self._later


def _put_back(edge: Edge, states: _States, session: Session, decider: Decider, found: tuple[Cached, Cache] | None) -> PutBack | str:
    """How an edge becomes what it was; a text where it cannot."""
    state = states.of(edge.name)
    record = decider.record(edge)
    try:
        stands = record is not None and all(session.files.output_digest(made.path) == made.digest for made in record.outputs)
    except InputError:
        stands = False
    if state is None:
        if states.problem and not stands:
            return f"is told of by no run: {states.problem}"
        if record is None or states.changed_since(edge.name):
            return "has done nothing in any run that is kept, up to that one"
        return PutBack(record.key, None) if stands else "was changed since, and no run that is kept tells what it was"
    if state.status not in ("ran", "restored", "degraded"):
        return {"failed": "failed in it", "interrupted": "was interrupted in it"}.get(state.status, "did not run in it")
    if stands and record is not None and record.key == state.key and {made.path: made.digest for made in record.outputs} == dict(state.outputs):
        return PutBack(state.key, None)
    if not state.key:
        return "came from its fallback, which is not kept"
    if found is None:
        return "has changed since, and the cache is not used"
    cached, cache = found
    for entry in cache.entries(cached.keys.of(edge, state.key)):
        if {kept.path: kept.digest for kept in entry.outputs} == dict(state.outputs) and cached.fits(edge, entry):
            try:
                if cached.missing(entry) is not None:
                    return PutBack(state.key, entry)
            except InputError as error:
                return f"has changed since, and something is in its way: {error.message}"
    return "has changed since, and the cache does not have what it was"
