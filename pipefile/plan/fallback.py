"""Fallbacks: what runs in place of a stage that has failed, as an edge that makes that one's outputs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipefile.base.dataclass import replace
from pipefile.model.graph import Edge, Graph
from pipefile.model.stage import ONCE, Call, Command, Output, Stage
from pipefile.plan.template import fields


def name_of(stage: Stage) -> str:
    """What the fallback of a stage is called; "" for none."""
    return stage.fallback.function if isinstance(stage.fallback, Call) else stage.fallback


def mains(stages: Iterable[Stage]) -> dict[str, list[str]]:
    """The stages that are fallbacks, each with the names of those that it stands in for."""
    found: dict[str, list[str]] = {}
    for stage in stages:
        if stage.fallback and isinstance(stage.fallback, str):
            found.setdefault(stage.fallback, []).append(stage.name)
    return found


def fallback_edge(main: Edge, graph: Graph) -> Edge:
    """The edge that runs when *main* has failed. It has the id, the names, the place and the outputs of *main*: whoever handles the one handles the
    other, and what is told is told of the stage.

    A stage has its own action, params, environment, timeout and retries; its inputs come before those of *main*, and hide them where the name is the
    same. A function has all that *main* has, and is tried once.
    """
    if isinstance(main.stage.fallback, Call):
        return replace(main, stage=replace(main.stage, action=main.stage.fallback, retry=ONCE, fallback="", batch=None))
    own = graph.edges[graph.by_stage[main.stage.fallback][0]]
    names = {need.name for need in own.needs if need.name is not None}
    outputs = outputs_of(main.stage.outputs, own.stage.action)
    needs = (*own.needs, *[need for need in main.needs if need.name not in names])
    stage = replace(
        own.stage, name=main.stage.name, file=main.stage.file, outputs=outputs, for_each=main.stage.for_each, item=main.stage.item
    )
    return replace(main, stage=stage, needs=needs, outputs=stage.results, literal=())


def outputs_of(outputs: tuple[Output, ...], action: Command | Call | None) -> tuple[Output, ...]:
    """Outputs as another action writes them: in place where it is a command that does not ask for them by placeholder."""
    asked = _asked(action) if isinstance(action, Command) else None
    counted: dict[str | None, int] = {}
    found = []
    for index, output in enumerate(outputs):
        at = counted.get(output.name, 0)
        counted[output.name] = at + 1
        names = {("outputs", None), ("outputs.file", None), ("outputs", index)}
        if output.name is not None:
            names |= {(output.name, None), (output.name, at)}
        found.append(replace(output, in_place=not output.atomic or output.checkpoint or (asked is not None and not asked & names)))
    return tuple(found)


def _asked(command: Command) -> set[tuple[str, int | None]]:
    templates = command.argv or (command.template,)
    return {(field.name, field.index) for template in templates for field in fields(template)}


def before_fallback(main: int, fallback: int, depends: Sequence[tuple[int, ...]], groups: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """The edges that make what a fallback needs: they come before the edge that it stands in for.

    Args:
        main: That edge.
        fallback: The edge of the fallback's own declaration.
        depends: For each edge the nodes whose files it needs.
        groups: Members of the groups.
    """
    found: dict[int, None] = {}
    for node in depends[fallback]:
        found.update(dict.fromkeys(groups[node - len(depends)] if node >= len(depends) else (node,)))
    found.pop(main, None)  # of a command that names the outputs literally
    return tuple(found)
