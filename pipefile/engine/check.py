"""`check`: faults that can be found without running anything."""

from __future__ import annotations

from pipefile.base.dataclass import dataclass
from pipefile.base.errors import PipefileError
from pipefile.base.locations import Place
from pipefile.base.paths import show
from pipefile.engine.modules import missing_modules
from pipefile.engine.places import Places
from pipefile.engine.session import Session
from pipefile.model.options import Options
from pipefile.plan.closure import closure
from pipefile.plan.missing import missing_sources

_RUNS = 20  # that are looked through for what stages did


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that `check` found. A fault stops a build, now or when its stage is asked for; a warning does not.

    Args:
        fault: Whether it is one.
        error: What it is, located; for a warning its text begins with `warning:` where it is shown.
    """

    fault: bool
    error: PipefileError


def check(session: Session, options: Options) -> list[Finding]:
    """All faults and warnings of a pipeline that loads and resolves: faults first.

    Args:
        session: The project.
        options: What a build would be given: how many CPUs there are, and the environment.
    """
    faults = [*_faults(session), *missing_modules(session), *_too_much(session, options)]
    found = [Finding(True, error) for error in faults]
    found += [Finding(False, error) for error in [*_unused(session), *_uncalled(session), *_undeclared(session)]]
    for finding in found:
        session.locate(finding.error)
    return found


def _faults(session: Session) -> list[PipefileError]:
    """Inputs that nobody makes, and outputs whose places are taken."""
    graph = session.graph
    found: list[PipefileError] = []
    nodes = [node for node in closure(graph, range(len(graph.edges)), session.left_out) if node not in session.left_out and node not in session.open]
    missing = missing_sources(graph, nodes, session.world)
    if missing is not None and not session.pipeline.unknown:  # who makes it may only be known to a build
        found.append(missing)
    places = Places(session.files, session.pipeline.settings.outside)
    for edge in graph.edges:
        try:
            places.check([edge])
        except PipefileError as error:
            found.append(error)
    if len(found) == (missing is not None):  # else not every folder has been looked at
        try:
            places.check_links(graph.edges)
        except PipefileError as error:
            found.append(error)
    return found


def _too_much(session: Session, options: Options) -> list[PipefileError]:
    """Stages that would have to run, and need more than this machine has."""
    edges = [edge for edge in session.graph.edges if (edge.stage.resources or edge.stage.fallback) and edge.id not in session.left_out]
    if not edges:
        return []
    from pipefile.engine.decide import Decider
    from pipefile.engine.needs import Needs

    return list(Needs(session, options, edges).faults(edges, Decider(session)))


def _unused(session: Session) -> list[PipefileError]:
    """Stages with outputs that neither the default set nor an alias needs. One without outputs is there to be asked for by its name."""
    graph, pipeline = session.graph, session.pipeline
    wanted = [*session.select(()), *(session.select(tuple(pipeline.aliases)) if pipeline.aliases else ())]
    wanted += [edge.id for edge in graph.edges if not edge.outputs]
    reached = set(closure(graph, wanted))
    return [
        PipefileError(
            f"stage `{show(edge.name)}` is not used: neither `default` nor an alias nor another stage needs it",
            (Place(edge.stage.file, ("stage", edge.stage.name), f"`{show(edge.name)}`"),),
        )
        for edge in graph.edges
        if edge.id not in reached
    ]


def _undeclared(session: Session) -> list[PipefileError]:
    """What stages read and wrote when they last ran, and still do not declare."""
    from pipefile.engine.audit import Audits
    from pipefile.plan.rundiff import edge_name
    from pipefile.store.history import RunReader

    audits = Audits(session)
    left = {edge.name: edge for edge in session.graph.edges if edge.stage.audit != "off"}
    reader = RunReader(session.disk, session.store)
    for run in reader.ids()[:_RUNS]:
        for result in reader.edges(run)[0]:
            edge = left.pop(edge_name(result), None) if result.status in ("ran", "degraded") else None
            if edge is not None and result.undeclared:
                audits.recall(edge, result.undeclared)
    return audits.findings()


def _uncalled(session: Session) -> list[PipefileError]:
    """Decorated stages that wait for a pipeline to call them."""
    if session.pipeline.unknown or not session.pipeline.settings.python:
        return []
    from pipefile.engine.declare import for_pipelines

    return [
        PipefileError(f"stage `{show(name)}` is in no pipeline, and by itself it lacks the argument `{show(argument)}`", (place,))
        for name, (place, argument) in for_pipelines(session.disk, session.pipeline.settings).items()
        if name not in session.graph.by_stage
    ]
