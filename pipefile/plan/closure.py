"""Which part of the graph a request is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import overload

from pipefile.base.errors import UnknownTargetError, UsageError
from pipefile.base.locations import Place
from pipefile.base.paths import BadPathError, normalise, show
from pipefile.model.graph import Edge, Graph
from pipefile.model.ports import World
from pipefile.model.stage import Pipeline
from pipefile.plan.cycles import topological
from pipefile.plan.fallback import mains
from pipefile.plan.missing import could_make
from pipefile.plan.targets import Targets, name_it, nothing_asks


def select(graph: Graph, pipeline: Pipeline, targets: Sequence[str], world: World | None = None) -> tuple[int, ...]:
    """The edges that make what is asked for, in the order asked, each once.

    Args:
        graph: The graph of *pipeline*.
        pipeline: For aliases and the default.
        targets: Aliases, stages, files, directory outputs, files in those, folders that hold outputs; () for the default set: `default`, or all
            stages that have outputs.
        world: Lets the error for a file that exists say so.

    Raises:
        UsageError: A target is none of these.
    """
    edges = graph.edges

    def directories() -> frozenset[str]:
        return frozenset([output.path for edge in edges for output in edge.outputs if output.directory])

    names = Targets(pipeline, graph.producer, graph.by_stage, _Names(edges), directories, graph.fanouts)
    if not targets:
        return names.default()
    fallbacks = mains(pipeline.stages.values())
    for target in targets:
        if target in fallbacks and target not in pipeline.aliases:
            main = show(fallbacks[target][0])
            text = f"`{show(target)}` is the fallback of stage `{main}`, and runs when that has failed, never by itself"
            raise UsageError(text, (), f"name `{main}`")
        unasked = names.unasked(target)
        if unasked is not None:
            place = Place(unasked.file, ("stage", unasked.name, "outputs"), f"`{show(unasked.name)}`")
            raise UsageError(nothing_asks(unasked), (place,), name_it(unasked))
        if not names.known(target):
            checkpoint = _checkpoint(target, graph)
            if checkpoint >= 0:
                maker = show(graph.edges[checkpoint].stage.name)
                raise UsageError(f"`{show(target)}` is a checkpoint of stage `{maker}`, and no result", (), f"name `{maker}`")
            if _is_source(target, graph, world):
                raise UsageError(f"`{show(target)}` is a source: no stage makes it")
            near, is_path = names.near(target)
            could = could_make(_path(target), graph)
            error = UnknownTargetError(show(target), "" if could and is_path else show(near), is_path, could)
            across = graph.rules.across(_path(target)) if graph.rules is not None else ""
            if across and (is_path or not near):
                error.hint, error.near = across, ""
            raise error
    return names.edges(targets)


def closure(graph: Graph, ids: Iterable[int], left_out: Iterable[int] = ()) -> list[int]:
    """The nodes (edges and groups) that edges *ids* are or need, order-only ones included, each after all that comes before it.

    What *left_out* edges need is not looked at for their sake, but for what is left out too, which may be why. The same arguments give the same list.
    """
    depends, order = graph.depends, graph.order
    cut = frozenset(left_out)
    if cut:
        depends, order = list(depends), dict(order)
        for edge in cut:
            depends[edge] = tuple([node for node in depends[edge] if node in cut])
            order[edge] = tuple([node for node in order.get(edge, ()) if node in cut])
    return topological(depends, order, ids)


class _Names(Sequence[str]):
    """Names of edges."""

    def __init__(self, edges: Sequence[Edge]) -> None:
        self._edges = edges

    def __len__(self) -> int:
        return len(self._edges)

    @overload
    def __getitem__(self, number: int) -> str: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[str]: ...
    def __getitem__(self, number: int | slice) -> str | Sequence[str]:
        return [edge.name for edge in self._edges[number]] if isinstance(number, slice) else self._edges[number].name


def _checkpoint(target: str, graph: Graph) -> int:
    """The edge whose checkpoint a target is; -1 for any other."""
    return graph.checkpoints.get(_path(target), -1)


def _path(target: str) -> str:
    """The path that a target is, if it is one; "" if it cannot be."""
    try:
        return normalise(target)
    except BadPathError:
        return ""


def _is_source(target: str, graph: Graph, world: World | None) -> bool:
    path = _path(target)
    if not path:
        return False
    if world is not None and world.kind(path) != "absent":
        return True
    sets = {need.files for edge in graph.edges for need in edge.needs if need.files is not None}
    return any(path in files.paths for files in sets)
