"""`should_run`: which stages are left out, and what that means for those that need them.

A value counts as false if it is false, 0, "", an empty list, an empty table, or null; any other as true.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from json import dumps

from pipefile.base.paths import parents, show
from pipefile.model.graph import Edge, FileSet, Graph
from pipefile.model.stage import Condition, Output, Stage
from pipefile.plan.fanout import may_hold

READABLE = frozenset(["int", "float", "str", "bool", "json", "result"])
"""Kinds of values (model/stage.py: Output.value) whose files are JSON, so that a condition can be read from them."""


def value_of(text: str, stages: Mapping[str, Stage]) -> tuple[str, Output, str] | None:
    """The value that `STAGE.VALUE` names: the stage, its output, and the key within it where that is all that a function returns."""
    cut = text.find(".")
    while cut > 0:
        stage = stages.get(text[:cut])
        if stage is not None:
            wanted = text[cut + 1 :]
            for output in stage.outputs:
                if output.name == wanted:
                    return stage.name, output, ""
            if len(stage.outputs) == 1 and stage.outputs[0].value == "result":
                return stage.name, stage.outputs[0], wanted
        cut = text.find(".", cut + 1)
    return None


def false_text(condition: Condition, value: object) -> str:
    """Why a condition does not hold; "" if it does.

    Args:
        condition: Which one.
        value: What it has come to: the value itself; for "env" the variable's text or None, for "exists" whether the path is there.
    """
    if value:
        return ""
    name = show(condition.name)
    if condition.kind == "env":
        return f"environment variable `{name}` is {'not set' if value is None else 'empty'}"
    if condition.kind == "exists":
        return f"`{name}` does not exist"
    return f"`{name or 'should_run'}` is {'empty' if isinstance(value, (str, list, dict)) else dumps(value)}"


def left_out_above(edge: Edge, graph: Graph, left_out: Container[int]) -> str:
    """Why an edge cannot run without what others have been kept from making; "" if it can.

    Inputs that it may do without, and what merely comes before it, do not keep it; nor do globs and directories of sources, which are then smaller,
    as long as something is left of a glob. An instance needs the makers of its items, read or not: of values all of them, of files one.
    """
    fanout = graph.fanouts.get(edge.stage.name)
    gone = [maker for maker in fanout.makers if maker in left_out] if fanout is not None else []
    if fanout is not None and gone and (len(gone) == len(fanout.makers) or any(_gives_values(graph.edges[maker]) for maker in gone)):
        return needs_text(graph.edges[gone[0]])
    for need in edge.needs:
        files = need.files
        if files is None or need.optional:
            continue
        if files.kind == "glob" and not files.paths and _only_instances(files, graph, left_out):
            return f"`{show(files.text)}` matches only what skipped stages make"
        if files.node < 0:
            continue
        if files.kind == "glob":
            if files.paths and all(graph.producer.get(path, -1) in left_out for path in files.paths):
                return f"`{show(files.text)}` matches only what skipped stages make"
            continue
        if files.node >= len(graph.edges):  # several make it: instances, or what lies in a directory of sources
            if files.kind == "outputs":
                for member in graph.groups[files.node - len(graph.edges)]:
                    if member in left_out:
                        return needs_text(graph.edges[member])
            continue
        if files.node in left_out and not _of_sources(files.kind, files.paths, files.inside, graph):
            return needs_text(graph.edges[files.node])
    for path in edge.literal:
        maker = maker_of(path, graph)
        if maker in left_out:
            return needs_text(graph.edges[maker])
    return ""


def needs_text(maker: Edge) -> str:
    """Why an edge is left out that needs one which is."""
    return f"it needs stage `{show(maker.name)}`, which is skipped"


def without(edge: Edge, graph: Graph, extra: tuple[int, ...], left_out: Container[int], within: bool = False) -> list[int]:
    """Edges that are left out, and whose earlier outputs *edge* must not meet: those of inputs that it may do without, of directories of sources, and
    *extra*, which makes inputs that an earlier run has found. *within*: those of directories of sources alone."""
    found: dict[int, None] = {}
    for need in edge.needs:
        files = need.files
        if files is None or files.node < 0 or files.kind == "glob":
            continue
        if within and files.node < len(graph.edges) and not _of_sources(files.kind, files.paths, files.inside, graph):
            continue
        members = graph.groups[files.node - len(graph.edges)] if files.node >= len(graph.edges) else (files.node,)
        found.update(dict.fromkeys(member for member in members if member in left_out))
    found.update(dict.fromkeys(other for other in extra if other in left_out))
    return list(found)


def static(graph: Graph, order: list[int], holds: Callable[[Edge], str]) -> tuple[dict[int, str], frozenset[int]]:
    """Which edges are left out by what is known before anything runs.

    Args:
        graph: The graph.
        order: All nodes, each after what comes before it.
        holds: An edge with a condition other than a value -> why that is false, or "".

    Returns:
        Edge -> why it is left out; and the edges that may turn out to be so when values of others are known.
    """
    left: dict[int, str] = {}
    open_: set[int] = set()
    conditional = frozenset(graph.conditional)
    for node in order:
        if node >= len(graph.edges):
            continue
        edge = graph.edges[node]
        why = holds(edge) if node in conditional and node not in graph.conditions else ""
        value = graph.conditions.get(node)
        if value is not None:
            if value.edge in left:
                why = condition_left_out(edge, graph)
            else:
                open_.add(node)
        why = why or (left_out_above(edge, graph, left) if left else "")
        if why:
            left[node] = why
            open_.discard(node)
        elif open_ and left_out_above(edge, graph, left.keys() | open_):
            open_.add(node)
    return left, frozenset(open_)


def condition_left_out(edge: Edge, graph: Graph) -> str:
    """Why an edge is left out whose condition is a value of one that is."""
    condition = edge.stage.should_run
    assert condition is not None
    return f"its condition `{show(condition.name)}` comes from stage `{show(graph.edges[graph.conditions[edge.id].edge].name)}`, which is skipped"


def maker_of(path: str, graph: Graph) -> int:
    """The edge that makes a file, by itself or in a directory; -1 for none."""
    maker = graph.producer.get(path, -1)
    if maker < 0:
        for folder in parents(path):
            if folder in graph.producer:
                return graph.producer[folder]
    return maker


def _gives_values(maker: Edge) -> bool:
    """Whether items that an edge makes are values: what it makes besides cannot be items of the same stage."""
    return all(output.value for output in maker.outputs)


def _only_instances(files: FileSet, graph: Graph, left_out: Container[int]) -> bool:
    """Whether a glob that matches nothing would match what instances make whose stages are all left out."""
    open_ = [fanout.edge for fanout in graph.fanouts.values() if fanout.edge >= 0 and may_hold(fanout, files)]
    return bool(open_) and all(edge in left_out for edge in open_)


def _of_sources(kind: str, paths: tuple[str, ...], inside: str, graph: Graph) -> bool:
    """Whether a set of files is a directory that no stage makes, with outputs somewhere in it."""
    return kind == "directory" and not inside and paths[0] not in graph.producer
