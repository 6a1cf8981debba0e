"""Stages with `for_each` that have lost a great many of their instances, or have none: a folder that is not mounted looks like that."""

from __future__ import annotations

from collections.abc import Collection

from pipefile.base.errors import GraphError
from pipefile.base.locations import Place
from pipefile.base.paths import show
from pipefile.engine import dead
from pipefile.engine.decide import Decider
from pipefile.engine.session import Session
from pipefile.model.stage import Stage
from pipefile.plan.patterns import is_glob
from pipefile.store.index import FRESH
from pipefile.store.record import record_path

FEW = 10
"""So many instances may go at once, as long as some stay."""


def stages_of(session: Session, names: Collection[str] | None = None) -> dict[str, Stage]:
    """Stages with `for_each` whose items are known, by name: of *names*, or all. Pattern rules are none: nobody has to ask for what they make."""
    unknown = {stage for stage, fanout in session.graph.fanouts.items() if fanout.edge >= 0}
    each = {name: stage for name, stage in session.pipeline.stages.items() if stage.for_each is not None and not stage.is_pattern}
    return {name: stage for name, stage in each.items() if name not in unknown and (names is None or name in names)}


def empty(session: Session, names: Collection[str] | None = None) -> list[str]:
    """What to say of stages without any instance: of *names*, or all."""
    return [_empty(stage) for name, stage in stages_of(session, names).items() if not session.graph.by_stage[name]]


def _empty(stage: Stage) -> str:
    return f"stage `{show(stage.name)}` has no instances: {_why_empty(stage)}"


def _why_empty(stage: Stage) -> str:
    assert stage.for_each is not None
    found = next((axis.source for axis in stage.for_each.axes if axis.source), "")
    return f"nothing matches `{show(found)}`" if is_glob(found) else f"`{show(found)}` is empty" if found else "`for_each` has no items"


def check(session: Session, decider: Decider, names: Collection[str] | None = None) -> None:
    """See that no stage has lost all of its instances, or more than half and over ten, whose outputs still stand.

    Args:
        session: The project.
        decider: Its records.
        names: The stages; None for all whose items are known.

    Raises:
        GraphError: One has. Nothing has been removed.
    """
    stages = stages_of(session, names)
    if not stages or session.pipeline.unknown:
        return
    lost, kept = _counted(session, decider, stages)
    for name, gone in lost.items():
        count = len(gone)
        if not kept[name]:
            what = f"all of its {count} instances" if count > 1 else "its only instance"
        elif count > FEW and count > kept[name]:
            what = f"{count} of its {count + kept[name]} instances"
        else:
            continue
        if not session.graph.by_stage[name]:
            what += f": {_why_empty(stages[name])}"
        error = GraphError(
            f"`for_each` of stage `{show(name)}` has lost {what}",
            (Place(stages[name].file, ("stage", name, "for_each"), f"`{show(name)}`"),),
            "if that is right, `--allow-removal` builds without them, and `pipefile clean --dead` removes what they made",
        )
        session.locate(error)
        raise error


def _counted(session: Session, decider: Decider, stages: dict[str, Stage]) -> tuple[dict[str, set[str]], dict[str, int]]:
    """For each stage the instances that are gone and whose outputs stand, and how many are still there."""
    index, graph = session.index, session.graph
    now = {graph.edges[number].name for name in stages for number in graph.by_stage[name]}
    lost: dict[str, set[str]] = {}
    kept = dict.fromkeys(stages, 0)
    for at, name in enumerate(index.edge_names):
        stage = name.partition("@")[0]
        if stage not in stages or stage == name or not index.edge_flags[at] & FRESH:
            continue
        if name in now:
            kept[stage] += 1
        elif any(_stands(index.paths[row], session) for row in index.outputs(at)):
            lost.setdefault(stage, set()).add(name)
    known = bool(index.edge_names or index.dead or index.spare)
    for path in index.dead if known else dead.find(session, decider):
        record = dead.read(session, record_path(path)) if _stands(path, session) else None
        stage = "" if record is None else record.edge.partition("@")[0]
        if record is not None and stage in stages and stage != record.edge and record.edge not in now:
            lost.setdefault(stage, set()).add(record.edge)
    for name in lost:
        if not known or name in graph.fanouts:  # a build that did not come to know its items has left none of them in the index
            edges = [graph.edges[number] for number in graph.by_stage[name]]
            standing = sum(any(session.disk.lstat(record_path(each.path)) is not None for each in edge.outputs) for edge in edges)
            kept[name] = max(kept[name], standing)
    return lost, kept


def _stands(path: str, session: Session) -> bool:
    """Whether there is an output that would be removed, with its record: not where it was a temporary one."""
    return session.disk.lstat(path) is not None and session.disk.lstat(record_path(path)) is not None
