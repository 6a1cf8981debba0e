"""What would run, and why: for `status`, `why` and dry runs. Reads only, takes no lock, runs nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from pipefile.base.dataclass import dataclass, replace
from pipefile.base.errors import GraphError, InputError
from pipefile.base.paths import show
from pipefile.engine.cached import Cached, has_results, open_cache
from pipefile.engine.conditions import Conditions
from pipefile.engine.decide import Decider
from pipefile.engine.extra import ancestors, extra_dependencies
from pipefile.engine.files import NOTHING, State
from pipefile.engine.outlook import seconds_before
from pipefile.engine.session import Project, Session
from pipefile.load.loader import Extra
from pipefile.model.event import BuildStarted, Event, Foreseen, Note
from pipefile.model.graph import Edge, Graph
from pipefile.model.options import Options
from pipefile.model.record import Reason
from pipefile.model.run import RunResult
from pipefile.plan.estimate import estimate
from pipefile.plan.fallback import mains
from pipefile.plan.mode import NO_MODE, Mode, Modes, mode_of
from pipefile.plan.schedule import Schedule
from pipefile.plan.stale import FORCED, NEVER, describe, runs_anyway

if TYPE_CHECKING:
    from pipefile.engine.again import Again


@dataclass(frozen=True, slots=True)
class EdgeStatus:
    """What is known of an edge without running anything.

    Args:
        name: The edge.
        stage: Its stage.
        state: "fresh"; "stale": it will run; "unknown": something above it is stale, and it runs if that changes what it reads, or what its
            condition says; "skipped": a condition keeps it from running.
        reasons: Why it is stale, or skipped; for "unknown" the edges above, as "upstream".
        seconds: How long it took last time, 0.0 if not known.
        mode: How it would run; told by `why` alone.
        restorable: A build puts an earlier result back instead of running it, as far as can be told. Only of what is "stale".
    """

    name: str
    stage: str
    state: str
    reasons: tuple[Reason, ...] = ()
    seconds: float = 0.0
    mode: Mode = NO_MODE
    restorable: bool = False


def look(
    session: Session, requested: Sequence[int], force: bool = False, caching: bool = True, targets: Sequence[str] = ()
) -> list[EdgeStatus]:
    """The status of everything that *requested* needs, each after what it needs itself.

    Args:
        session: The project.
        requested: Edges.
        force: All of them run.
        caching: Earlier results are restored.
        targets: What *requested* was asked for by.
    """
    return _look(session, requested, force, caching, targets)[0]


def _look(
    session: Session, requested: Sequence[int], force: bool, caching: bool, targets: Sequence[str] = ()
) -> tuple[list[EdgeStatus], Schedule]:
    if not session.graph.temps or force:
        return _look_once(session, requested, force, caching)
    from pipefile.engine.again import Again

    again = Again(session, targets)
    while True:
        found = _look_once(session, requested, force, caching, again)
        if not again.grew(found[0]):
            return found


def _look_once(
    session: Session, requested: Sequence[int], force: bool, caching: bool, again: Again | None = None
) -> tuple[list[EdgeStatus], Schedule]:
    graph, decider = session.graph, Decider(session)
    nodes, extra = extra_dependencies(session, decider, requested)
    cache = open_cache(session, lambda _: None) if caching and not force else None
    cached = None if cache is None else Cached(session, decider, cache, ancestors(graph, extra))
    if cached is not None and not has_results(session):
        cached = None
    schedule = Schedule(graph, nodes, extra, jobs=1)
    found: list[EdgeStatus] = []
    moving: set[int] = set()
    conditions = Conditions(session, extra, decider)
    while not schedule.done:
        for number in schedule.decidable():
            edge = graph.edges[number]
            skipped = _condition(conditions, edge, moving)
            if skipped is not None:
                found.append(skipped)
                if skipped.state != "skipped":
                    moving.add(number)
                schedule.end(number, "left")
                continue
            fanout = graph.fanouts.get(edge.stage.name)
            if fanout is not None and fanout.edge == number:
                found.append(EdgeStatus(edge.name, edge.stage.name, "unknown", _of_items("items", fanout.makers, graph)))
                moving.add(number)
                schedule.end(number, "fresh")
                continue
            status = _above(session, decider, edge, [*graph.depends[number], *extra.get(number, ())], moving)
            if fanout is not None and not moving.isdisjoint(fanout.makers):
                reasons = _of_items("item", [maker for maker in fanout.makers if maker in moving], graph)
                status = EdgeStatus("", "", "unknown", reasons)
            dead = conditions.dead_inputs(edge, within=True)
            if dead and status is None:
                status = EdgeStatus("", "", "unknown", tuple([Reason("upstream", path) for path in dead]))
            remains = conditions.remains(edge)
            if remains and status is None:
                status = EdgeStatus("", "", "unknown", tuple([Reason("dead", path) for path in remains]))
            if force:
                status = EdgeStatus(edge.name, edge.stage.name, "stale", (FORCED,))
            elif status is None:
                status = _decided(decider, session, number, None if number in schedule.dropped else cached, again)
            else:
                status = EdgeStatus(edge.name, edge.stage.name, "unknown", status.reasons, status.seconds)
                own = _decided(decider, session, number)
                if again is not None and own.state == "fresh":
                    own = again.status(edge, own)
                sure = [reason for reason in own.reasons if reason.kind not in ("input", "discovered", "set")]
                if sure:
                    status = own
                elif again is not None:
                    status = again.still(status)
            found.append(status)
            if status.state != "fresh" and not (status.restorable and cached is not None and _foresee(session, decider, cached, number)):
                moving.add(number)
            schedule.end(number, "fresh")
    return found, schedule


def _of_items(kind: str, makers: Sequence[int], graph: Graph) -> tuple[Reason, ...]:
    """Reasons that name the edges which make the items of a stage."""
    return tuple([Reason(kind, graph.edges[maker].name) for maker in makers])


def _items_of_last_time(session: Session, found: Sequence[EdgeStatus]) -> list[str]:
    """What to say of stages whose items may be others when their makers have run."""
    graph = session.graph
    moving = {status.name for status in found if status.state in ("stale", "unknown")}
    texts = []
    for stage, fanout in graph.fanouts.items():
        makers = [name for name in [graph.edges[maker].name for maker in fanout.makers] if name in moving]
        count = len(graph.by_stage[stage])
        if makers and fanout.edge < 0:
            items = "1 item" if count == 1 else f"{count} items"
            others = f" and {len(makers) - 1} others" if len(makers) > 1 else ""
            texts.append(f"stage `{show(stage)}` has {items} of the last time, which may be others after `{show(makers[0])}`{others}")
    return texts


def _condition(conditions: Conditions, edge: Edge, moving: set[int]) -> EdgeStatus | None:
    """What an edge's condition, or that of one which it needs, makes of it; None if it runs when it is stale."""
    unsure = conditions.unsure(edge, moving)
    if unsure:
        return EdgeStatus(edge.name, edge.stage.name, "unknown", unsure)
    try:
        why = conditions.why_left_out(edge)
    except (InputError, GraphError) as error:
        return EdgeStatus(edge.name, edge.stage.name, "stale", (Reason("unreadable", error.message),))
    return EdgeStatus(edge.name, edge.stage.name, "skipped", (Reason("condition", why),)) if why else None


def _above(session: Session, decider: Decider, edge: Edge, above: Sequence[int], moving: set[int]) -> EdgeStatus | None:
    """The nodes above an edge that are not fresh, as reasons: those of their outputs that it reads. None if all are fresh."""
    graph = session.graph
    count = len(graph.edges)
    makers = [maker for node in above for maker in (graph.groups[node - count] if node >= count else (node,)) if maker in moving]
    if not makers:
        return None
    taken = _taken(decider, edge)
    names: list[str] = []
    for maker in makers:
        outputs = [output.path for output in graph.edges[maker].outputs]
        names += [path for path in outputs if path in taken] or outputs[:1] or [graph.edges[maker].name]
    return EdgeStatus("", "", "unknown", tuple([Reason("upstream", name) for name in names]))


def _taken(decider: Decider, edge: Edge) -> set[str]:
    """The paths that an edge reads, as far as edges make them."""
    sets = [need.files for need in edge.needs if need.files is not None]
    found = {path for files in sets for path in (*files.paths, *([files.inside] if files.inside else []))}
    return found.union(decider.known_discovered(edge) if decider.has_discovered(edge) else (), decider.code_made(edge))


def _foresee(session: Session, decider: Decider, cached: Cached, number: int) -> bool:
    """Go on as if an edge had been restored: what needs it can be decided then, unless that has to be read from the restored files."""
    edge = session.graph.edges[number]
    if any(output.directory or output.value for output in edge.outputs):
        return False
    entry = cached.find(edge, decider.decide(edge))
    for kept in entry.outputs if entry is not None else ():
        session.files.known[kept.path] = State("file", kept.digest, None) if kept.digest else NOTHING
    return entry is not None


def _decided(
    decider: Decider, session: Session, number: int, cached: Cached | None = None, again: Again | None = None
) -> EdgeStatus:
    edge = session.graph.edges[number]
    if cached is None and decider.never(edge):
        anyway = runs_anyway(edge)
        return EdgeStatus(edge.name, edge.stage.name, "stale", (NEVER,) if anyway is None else (anyway, NEVER))
    try:
        decision = decider.decide(edge)
    except InputError as error:
        return EdgeStatus(edge.name, edge.stage.name, "stale", (Reason("unreadable", error.message),))
    if decision.fresh:
        fresh = EdgeStatus(edge.name, edge.stage.name, "fresh", (), decision.seconds)
        found = fresh if again is None else again.status(edge, fresh)
        return replace(found, restorable=cached is not None and found.state == "stale" and cached.find(edge, decision) is not None)
    restorable = cached is not None and cached.find(edge, decision) is not None
    return EdgeStatus(edge.name, edge.stage.name, "stale", decision.reasons, decision.seconds, restorable=restorable)


def status(project: Project, options: Options, note: Callable[[str], None] | None = None) -> list[EdgeStatus]:
    """The status of the targets' closure, in an order in which it could be built. *note* is told where not all of the graph is known."""
    session = Session(project, options.environ, lambda _: None, note=note, targets=options.asked)
    return look(session, session.select(options.targets), caching=options.cache, targets=options.targets)


def status_of_all(project: Project, options: Options) -> list[EdgeStatus]:
    """As `status`, of all stages there are, but for those that only stand in for others."""
    session = Session(project, options.environ, lambda _: None)
    standing_in = mains(session.pipeline.stages.values())
    return look(session, [edge.id for edge in session.graph.edges if edge.stage.name not in standing_in], caching=options.cache)


def why(project: Project, options: Options, target: str, note: Callable[[str], None] | None = None) -> list[EdgeStatus]:
    """What is not fresh on the way from the sources to *target*, and then the target's own edges, fresh or not. *note*: as in `status`."""
    session = Session(project, options.environ, lambda _: None, note=note, targets=(target,))
    requested = session.select((target,))
    wanted = {session.graph.edges[number].name for number in requested}
    edges = {edge.name: edge for edge in session.graph.edges}
    shown = [found for found in look(session, requested, caching=options.cache, targets=(target,)) if found.state != "fresh" or found.name in wanted]
    return [replace(found, mode=_mode(session, edges[found.name])) for found in shown]


def _mode(session: Session, edge: Edge) -> Mode:
    def size() -> int:
        return session.files.size_of([path for need in edge.needs if need.files is not None for path in session.files.set_paths(need.files)])

    return mode_of(edge.stage, Modes(session.pipeline.settings), size)


def dry_run(
    project: Project, options: Options, emit: Callable[[Event], None], warn: Callable[[str], None], extra: Extra | None = None
) -> RunResult:
    """Say what a build would run, and change nothing. *extra*: what joins the Pipefile, where that is known."""
    started = project.clock.monotonic()
    session = Session(project, options.environ, warn, extra, lambda text: emit(Note("note", text)), options.asked)
    requested = session.select(options.targets)
    if not requested:
        session.check_asked(options.targets)
    if any(stage.for_each is not None for stage in session.pipeline.stages.values()):
        from pipefile.engine import losses

        if not options.allow_removal:
            losses.check(session, Decider(session))
        for text in losses.empty(session):
            warn(text)
    found, schedule = _look(session, requested, options.force, options.cache, options.targets)
    _check_needs(session, options, {status.name for status in found if status.state != "skipped"})
    emit(BuildStarted(options.targets, options.jobs))
    restored = [status for status in found if status.restorable]
    would = [status for status in found if status.state in ("stale", "unknown") and not status.restorable]
    skipped = [status for status in found if status.state == "skipped"]
    for status in found:
        if status.state != "fresh":
            reason = describe(status.reasons[0]) if status.reasons else ""
            emit(Note("note", f"{'would be restored' if status.restorable else _WORDS[status.state]} {status.name}: {reason}"))
    for text in _items_of_last_time(session, found):
        emit(Note("note", text))
    fresh = len(found) - len(would) - len(skipped) - len(restored)
    from_cache = f", {len(restored)} would be restored" if restored else ""
    emit(Note("note", f"{len(would)} would run{from_cache}, {fresh} fresh" + (f", {len(skipped)} skipped" if skipped else "")))
    if would:
        emit(_foreseen(session, schedule, would, options.jobs))
    flush = getattr(emit, "flush", None)
    if flush is not None:
        flush()
    seconds = project.clock.monotonic() - started
    names, left, back = (tuple([status.name for status in each]) for each in (would, skipped, restored))
    return RunResult("succeeded", 0, skipped=left, fresh=fresh, seconds=seconds, would_run=names, would_restore=back)


def _foreseen(session: Session, schedule: Schedule, would: Sequence[EdgeStatus], jobs: int) -> Foreseen:
    """How long what would run will take, by how long it took before."""
    edges = session.graph.edges
    running = {status.name: status.seconds for status in would}
    nodes = [node for node in schedule.order if node >= len(edges) or edges[node].name in running]
    indexed = seconds_before(session)
    seconds = {node: took for node in nodes if node < len(edges) and (took := indexed.get(node) or running[edges[node].name]) > 0}
    found = estimate(nodes, schedule.dependencies, seconds, len(edges), jobs)
    unsure = sum(status.state == "unknown" for status in would)
    if found is None:
        return Foreseen(len(would), unsure, len(would), None, 0.0, jobs)
    return Foreseen(len(would), unsure, found.unknown, found.seconds, found.work, jobs)


def _check_needs(session: Session, options: Options, names: Collection[str]) -> None:
    """As a build, refuse what can never run on this machine."""
    edges = [edge for edge in session.graph.edges if edge.name in names and (edge.stage.resources or edge.stage.fallback)]
    if edges:
        from pipefile.engine.needs import Needs

        Needs(session, options, edges).check(edges, Decider(session), options.force)


_WORDS = {"stale": "would run", "unknown": "may run", "skipped": "would skip"}
