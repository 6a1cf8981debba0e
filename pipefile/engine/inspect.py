"""What would run, and why: for `status`, `why` and dry runs. Reads only, takes no lock, runs nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipefile.base.dataclass import dataclass
from pipefile.base.errors import InputError
from pipefile.engine.decide import Decider
from pipefile.engine.extra import extra_dependencies
from pipefile.engine.session import Project, Session
from pipefile.model.event import BuildStarted, Event, Note
from pipefile.model.options import Options
from pipefile.model.record import Reason
from pipefile.model.run import RunResult
from pipefile.plan.schedule import Schedule
from pipefile.plan.stale import FORCED, describe


@dataclass(frozen=True, slots=True)
class EdgeStatus:
    """What is known of an edge without running anything.

    Args:
        name: The edge.
        stage: Its stage.
        state: "fresh"; "stale": it will run; "unknown": something above it is stale, and it runs if that changes what it reads.
        reasons: Why it is stale; for "unknown" the edges above, as "upstream".
        seconds: How long it took last time, 0.0 if not known.
    """

    name: str
    stage: str
    state: str
    reasons: tuple[Reason, ...] = ()
    seconds: float = 0.0


def look(session: Session, requested: Sequence[int], force: bool = False) -> list[EdgeStatus]:
    """The status of everything that *requested* needs, each after what it needs itself."""
    graph, decider = session.graph, Decider(session)
    nodes, extra = extra_dependencies(session, decider, requested)
    schedule = Schedule(graph, nodes, extra, jobs=1)
    found: list[EdgeStatus] = []
    moving: set[int] = set()
    count = len(graph.edges)
    groups = [node for node in nodes if node >= count]
    while not schedule.done:
        for number in schedule.decidable():
            edge = graph.edges[number]
            above = [*graph.depends[number], *extra.get(number, ())]
            status = _above(session, above, moving, groups)
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


def status(project: Project, options: Options) -> list[EdgeStatus]:
    """The status of the targets' closure, in an order in which it could be built."""
    session = Session(project, options.environ, lambda _: None)
    return look(session, session.select(options.targets))


def why(project: Project, options: Options, target: str) -> list[EdgeStatus]:
    """What is not fresh on the way from the sources to *target*, and then the target's own edges, fresh or not."""
    session = Session(project, options.environ, lambda _: None)
    requested = session.select((target,))
    wanted = {session.graph.edges[number].name for number in requested}
    return [found for found in look(session, requested) if found.state != "fresh" or found.name in wanted]


def dry_run(project: Project, options: Options, emit: Callable[[Event], None], warn: Callable[[str], None]) -> RunResult:
    """Say what a build would run, and change nothing."""
    started = project.clock.monotonic()
    session = Session(project, options.environ, warn)
    found = look(session, session.select(options.targets), options.force)
    emit(BuildStarted(options.targets, options.jobs))
    would = [status for status in found if status.state != "fresh"]
    for status in would:
        reason = describe(status.reasons[0]) if status.reasons else ""
        word = "would run" if status.state == "stale" else "may run"
        emit(Note("note", f"{word} {status.name}: {reason}"))
    fresh = len(found) - len(would)
    emit(Note("note", f"{len(would)} would run, {fresh} fresh"))
    flush = getattr(emit, "flush", None)
    if flush is not None:
        flush()
    seconds = project.clock.monotonic() - started
    return RunResult("succeeded", 0, fresh=fresh, seconds=seconds, would_run=tuple([status.name for status in would]))
