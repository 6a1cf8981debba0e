"""`accept`: believe the outputs as they stand, without running: they were made by hand, or elsewhere, or a change is known not to matter."""

from __future__ import annotations

import secrets

from pipefile.base.errors import StoreError, UsageError
from pipefile.base.locations import Place
from pipefile.base.paths import relative, show
from pipefile.engine.decide import Decider, Decision
from pipefile.engine.files import GONE
from pipefile.engine.session import Session
from pipefile.model.graph import Edge
from pipefile.model.record import ABSENT, Made, Record
from pipefile.model.stage import Output
from pipefile.plan.stale import runs_anyway


def accept(session: Session, targets: tuple[str, ...], reason: str) -> list[str]:
    """Record the outputs of the edges that *targets* stand for as fresh. What these edges need is left as it is.

    Args:
        session: The project; its lock is held.
        targets: Aliases, stages or files that a stage makes.
        reason: Why, for the record.

    Returns:
        Names of the edges.

    Raises:
        UsageError: A target is unknown, an output or an input is not there, or the edge runs whatever is recorded.
        StoreError: A record cannot be written.
    """
    edges = [session.graph.edges[each] for each in session.select(targets)]
    decider = Decider(session)
    for number in set(session.graph.temps.values()):
        decider.count_gone(session.graph.edges[number])
    for edge in edges:
        _check(session, decider, edge)
    for edge in edges:
        record = _record(session, decider, edge, decider.decide(edge), reason)
        try:
            session.records.remove(edge.name, edge.outputs)
            session.records.write(record, session.pipeline.settings.durability == "full")
        except OSError as error:
            raise StoreError(f"the record of `{show(edge.name)}` cannot be written: {(error.strerror or str(error)).lower()}") from error
    return [edge.name for edge in edges]


def _check(session: Session, decider: Decider, edge: Edge) -> None:
    name = f"`{show(edge.name)}`"
    place = (Place(edge.stage.file, ("stage", edge.stage.name), name),)
    error = None
    if runs_anyway(edge) is not None:
        error = UsageError(f"stage {name} runs whenever it is asked for: there is nothing to accept", place)
    files = session.files
    for output in edge.outputs:
        state = files.output(output.path)
        if state.kind == GONE or (state.kind == "absent" and output.optional):
            continue
        if state.kind == "absent":
            error = error or UsageError(f"output `{show(output.shown)}` of stage {name} is not there", place)
        elif state.kind != ("directory" if output.directory else "file"):
            error = error or UsageError(f"output `{show(output.shown)}` of stage {name} is a {state.kind}", place)
        elif output.value:
            error = error or _value_error(session, decider, edge, output)
    for need in edge.needs:
        if need.files is not None and not need.optional:
            for path in files.set_paths(need.files):
                if files.state(path).kind == "absent":
                    error = error or UsageError(f"input `{show(path)}` of stage {name} is not there", place)
    if error is not None:
        session.locate(error)
        raise error


def _value_error(session: Session, decider: Decider, edge: Edge, output: Output) -> UsageError | None:
    """What is wrong with a value as it stands: others would be handed it."""
    place = (Place(edge.stage.file, ("stage", edge.stage.name), f"`{show(edge.name)}`"),)
    what = f"value `{show(output.path)}` of stage `{show(edge.name)}`"
    if output.value in ("any", "stream"):
        record = decider.remembered(edge).main
        written = Made(output.path, "file", session.files.output_digest(output.path))
        kept = record is not None and written in record.outputs
        return None if kept else UsageError(f"{what} is not as its function has written it, and nobody else can write one", place)
    fault = session.values.fault(output.path, output.value)
    return UsageError(f"{what} {fault}", place) if fault else None


def _record(session: Session, decider: Decider, edge: Edge, decision: Decision, reason: str) -> Record:
    files = session.files
    made = tuple([Made(output.path, "directory" if output.directory else "file", files.output_digest(output.path)) for output in edge.outputs])
    made += tuple([Made(path, "file", files.output_digest(path)) for path in _named(session, decider, edge)])
    return Record(
        edge=edge.name,
        pipefile=session.pipefile_of(edge.stage),
        attempt=secrets.token_hex(8),
        key=decision.key,
        output=made[0].path if made else None,
        outputs=made,
        components=tuple(decision.parts),
        discovered=_discovered(session, decider, edge, decision),
        own=decision.own,
        reasons=(f"accepted: {reason}",),
        duration=decision.seconds,
        members=decider.members(edge) if any(part.kind == "set" for part in decision.parts) else {},
        accepted=reason,
    )


def _named(session: Session, decider: Decider, edge: Edge) -> list[str]:
    """Files that the values of an edge name, and that are its outputs as after the last run."""
    before = decider.named(edge)
    paths = [session.values.named(output.path).path for output in edge.outputs if output.value == "file"]
    return [path for path in dict.fromkeys(paths) if path in before]


def _discovered(session: Session, decider: Decider, edge: Edge, decision: Decision) -> dict[str, str]:
    """What the edge is known to read beyond its declaration, as it is now: as after a run that read the same files as the last one."""
    files = session.files
    skipped = {output.path for output in edge.outputs} | {edge.stage.depfile} | set(decision.own)
    skipped |= decider.code.scripts(edge)
    skipped |= {path for need in edge.needs if need.files is not None for path in files.set_paths(need.files)}
    found = {}
    for path in (*decision.discovered, *edge.literal):
        if path in found or path in skipped:
            continue
        state = files.state(path)
        if state.kind == "file" or (state.kind == "absent" and (path in decision.discovered or "/" in relative(path, edge.stage.folder))):
            found[path] = state.digest or ABSENT
    return found
