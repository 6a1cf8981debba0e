"""Topological order, and what to say where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from pipefile.base.errors import GraphError
from pipefile.base.locations import Place
from pipefile.base.paths import show
from pipefile.model.graph import Edge, Graph

_SHOWN = 10  # stages of a cycle that are shown; of longer ones the middle is left out


class CycleError(Exception):
    """There is no topological order. `node` lies on a cycle."""

    def __init__(self, node: int) -> None:
        super().__init__(node)
        self.node = node


def topological(depends: Sequence[tuple[int, ...]], order: Mapping[int, tuple[int, ...]], roots: Iterable[int]) -> list[int]:
    """The nodes that *roots* are or need, each after all that comes before it; always in the same order for the same graph.

    Raises:
        CycleError: There is no such order.
    """
    state = bytearray(len(depends))  # 0: not seen, 1: what comes before it is being looked at, 2: in the result
    found: list[int] = []
    for root in roots:
        if state[root]:
            continue
        stack = [root]
        while stack:
            node = stack.pop()
            if node < 0:
                state[~node] = 2
                found.append(~node)
                continue
            if state[node]:
                if state[node] == 1:
                    raise CycleError(node)
                continue
            before = depends[node]
            if node in order:
                before += order[node]
            if not before:
                state[node] = 2
                found.append(node)
                continue
            state[node] = 1
            stack.append(~node)
            stack += before[::-1]
    return found


def in_order(nodes: Iterable[int], depends: Callable[[int], Sequence[int]]) -> list[int]:
    """*nodes*, each after those of them that it depends on, as far as there is no cycle: what lies on one, or below it, is left out."""
    waits: dict[int, int] = {}
    below: dict[int, list[int]] = {}
    for node in nodes:
        above = depends(node)
        waits[node] = len(above)
        for each in above:
            below.setdefault(each, []).append(node)
    found = [node for node, count in waits.items() if not count]
    for node in found:  # grows while it is walked
        for dependent in below.get(node, ()):
            waits[dependent] -= 1
            if not waits[dependent]:
                found.append(dependent)
    return found


def cycle_error(node: int, graph: Graph) -> GraphError:
    """The error for the shortest cycle that goes through *node*."""
    edges = [graph.edges[number] for number in _shortest(node, graph.depends, graph.order) if number < len(graph.edges)]
    first = edges.index(min(edges, key=lambda edge: edge.id))
    edges = edges[first:] + edges[:first]
    links = [_link(edge, other, graph) for edge, other in zip(edges, edges[1:] + edges[:1], strict=True)]
    names = [links[number - 1][1] or edge.name for number, edge in enumerate(edges)]
    lines = [_line(edge, links[number - 1][1], links[number], names[(number + 1) % len(edges)]) for number, edge in enumerate(edges)]
    chain = [f"`{show(name)}`" for name in names + names[:1]]
    if len(edges) > _SHOWN:
        half = _SHOWN // 2
        left_out = len(edges) - 2 * half
        chain[half + 1 : -half] = [f"... {left_out} more ..."]
        lines[half:-half] = [Place("", (), f"... {left_out} more stages")]
    hint = ""
    named = next((edge for edge, link in zip(edges, links, strict=True) if link[0] == "literal"), None)
    if named is not None:
        hint = f"`infer_inputs = false` in stage `{show(named.name)}` takes no inputs from its command"
    return GraphError(f"dependency cycle: {' -> '.join(chain)}", lines, hint)


def _shortest(start: int, depends: Sequence[tuple[int, ...]], order: Mapping[int, tuple[int, ...]]) -> list[int]:
    """The nodes of a cycle, each followed by one that it waits for."""
    came_from: dict[int, int] = {}
    layer = [start]
    while layer:
        following = []
        for node in layer:
            for before in depends[node] + order.get(node, ()):
                if before == start:
                    cycle = [node]
                    while cycle[-1] != start:
                        cycle.append(came_from[cycle[-1]])
                    return cycle[::-1]
                if before not in came_from:
                    came_from[before] = node
                    following.append(before)
        layer = following
    raise AssertionError("no cycle through a node that lies on one")


def _link(edge: Edge, other: Edge, graph: Graph) -> tuple[str, str]:
    """Why *edge* waits for *other*: "input", "literal", "should_run", "fallback" or "after", and the file concerned; "" for the last three."""
    for need in edge.needs:
        files = need.files
        if files is None or files.node < 0:
            continue
        if files.node == other.id and (files.inside or files.kind == "directory"):
            return "input", files.text
        if files.node == other.id or (files.node >= len(graph.edges) and other.id in graph.groups[files.node - len(graph.edges)]):
            for path in files.paths:
                if graph.producer.get(path) == other.id:
                    return "input", path
            return "input", other.outputs[0].shown if other.outputs else files.text  # a folder that holds it
    made = {output.path for output in other.outputs}
    for path in edge.literal:
        if path in made or any(output.directory and path.startswith(output.path + "/") for output in other.outputs):
            return "literal", path
    stage = edge.stage
    if stage.should_run is not None and stage.should_run.kind == "output" and stage.should_run.name.startswith(f"{other.stage.name}."):
        return "should_run", ""
    if stage.fallback and isinstance(stage.fallback, str) and other.stage.name not in stage.after:
        return "fallback", ""
    return "after", ""


def _line(edge: Edge, makes: str, link: tuple[str, str], waits_for: str) -> Place:
    """What one stage has to do with the cycle."""
    kind, path = link
    name, waits_for = show(edge.name), show(waits_for)
    key = {"literal": "run", "input": "inputs"}.get(kind, kind)
    if kind == "after":
        text = f"`{name}` comes after `{waits_for}`"
    elif kind == "should_run":
        text = f"a value of `{waits_for}` decides whether `{name}` runs"
    elif kind == "fallback":
        text = f"`{name}` comes after `{waits_for}`, for its fallback `{show(str(edge.stage.fallback))}`"
    elif kind == "literal":
        text = f"`{name}` makes `{show(makes)}`, and its command names `{show(path)}`" if makes else f"the command of `{name}` names `{show(path)}`"
    else:
        text = f"`{name}` makes `{show(makes)}` from `{show(path)}`" if makes else f"`{name}` needs `{show(path)}`"
    return Place(edge.stage.file, ("stage", edge.stage.name, key), text)
