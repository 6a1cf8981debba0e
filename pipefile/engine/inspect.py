"""What would run, and why: for `status`, `why` and dry runs. Reads only, takes no lock, runs nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipefile.base.dataclass import dataclass, replace
from pipefile.base.errors import GraphError, InputError
from pipefile.engine.conditions import Conditions
from pipefile.engine.decide import Decider
from pipefile.engine.extra import extra_dependencies
from pipefile.engine.session import Project, Session
from pipefile.load.loader import Extra
from pipefile.model.event import BuildStarted, Event, Note
from pipefile.model.graph import Edge
from pipefile.model.options import Options
from pipefile.model.record import Reason
from pipefile.model.run import RunResult
from pipefile.plan.mode import NO_MODE, Mode, Modes, mode_of
from pipefile.plan.schedule import Schedule
from pipefile.plan.stale import FORCED, describe


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
    """

    name: str
    stage: str
    state: str
    reasons: tuple[Reason, ...] = ()
    seconds: float = 0.0
    mode: Mode = NO_MODE


def look(session: Session, requested: Sequence[int], force: bool = False) -> list[EdgeStatus]:
    """The status of everything that *requested* needs, each after what it needs itself."""
    graph, decider = session.graph, Decider(session)
    nodes, extra = extra_dependencies(session, decider, requested)
    schedule = Schedule(graph, nodes, extra, jobs=1)
    found: list[EdgeStatus] = []
    moving: set[int] = set()
    conditions = Conditions(session, extra)
    count = len(graph.edges)
    groups = [node for node in nodes if node >= count]
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
            above = [*graph.depends[number], *extra.get(number, ())]
            status = _above(session, above, moving, groups)
            dead = conditions.dead_inputs(edge, within=True)
            if dead and status is None:
                status = EdgeStatus("", "", "unknown", tuple([Reason("upstream", path) for path in dead]))
            if force:
                status = EdgeStatus(edge.name, edge.stage.name, "stale", (FORCED,))
            elif status is None:
                status = _decided(decider, session, number)
            else:
                status = EdgeStatus(edge.name, edge.stage.name, "unknown", status.reasons, status.seconds)
                own = _decided(decider, session, number)
                sure = [reason for reason in own.reasons if reason.kind not in ("input", "discovered", "set")]
                if sure:
                    status = own
            found.append(status)
            if status.state != "fresh":
                moving.add(number)
            schedule.end(number, "fresh")
    return found


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


def _above(session: Session, above: Sequence[int], moving: set[int], groups: Sequence[int]) -> EdgeStatus | None:
    """The edges above that are not fresh, as reasons; None if all are."""
    del groups
    graph = session.graph
    count = len(graph.edges)
    names: list[str] = []
    for node in above:
        members = graph.groups[node - count] if node >= count else (node,)
        for edge in members:
            if edge in moving:
                names += [output.path for output in graph.edges[edge].outputs[:1]] or [graph.edges[edge].name]
    if not names:
        return None
    return EdgeStatus("", "", "unknown", tuple([Reason("upstream", name) for name in names]))


def _decided(decider: Decider, session: Session, number: int) -> EdgeStatus:
    edge = session.graph.edges[number]
    try:
        decision = decider.decide(edge)
    except InputError as error:
        return EdgeStatus(edge.name, edge.stage.name, "stale", (Reason("unreadable", error.message),))
    return EdgeStatus(edge.name, edge.stage.name, "fresh" if decision.fresh else "stale", decision.reasons, decision.seconds)


def status(project: Project, options: Options, note: Callable[[str], None] | None = None) -> list[EdgeStatus]:
    """The status of the targets' closure, in an order in which it could be built. *note* is told where not all of the graph is known."""
    session = Session(project, options.environ, lambda _: None, note=note)
    return look(session, session.select(options.targets))


def why(project: Project, options: Options, target: str, note: Callable[[str], None] | None = None) -> list[EdgeStatus]:
    """What is not fresh on the way from the sources to *target*, and then the target's own edges, fresh or not. *note*: as in `status`."""
    session = Session(project, options.environ, lambda _: None, note=note)
    requested = session.select((target,))
    wanted = {session.graph.edges[number].name for number in requested}
    edges = {edge.name: edge for edge in session.graph.edges}
    shown = [found for found in look(session, requested) if found.state != "fresh" or found.name in wanted]
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
    session = Session(project, options.environ, warn, extra, lambda text: emit(Note("note", text)))
    found = look(session, session.select(options.targets), options.force)
    emit(BuildStarted(options.targets, options.jobs))
    would = [status for status in found if status.state in ("stale", "unknown")]
    skipped = [status for status in found if status.state == "skipped"]
    for status in found:
        if status.state != "fresh":
            reason = describe(status.reasons[0]) if status.reasons else ""
            emit(Note("note", f"{_WORDS[status.state]} {status.name}: {reason}"))
    fresh = len(found) - len(would) - len(skipped)
    emit(Note("note", f"{len(would)} would run, {fresh} fresh" + (f", {len(skipped)} skipped" if skipped else "")))
    flush = getattr(emit, "flush", None)
    if flush is not None:
        flush()
    seconds = project.clock.monotonic() - started
    names = tuple([status.name for status in would])
    return RunResult("succeeded", 0, skipped=tuple([status.name for status in skipped]), fresh=fresh, seconds=seconds, would_run=names)


_WORDS = {"stale": "would run", "unknown": "may run", "skipped": "would skip"}
