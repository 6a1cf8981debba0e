"""The graph as text, as dot for graphviz, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from pipefile.base.paths import show
from pipefile.engine.query import GraphView, Shown


def as_text(view: GraphView, waves: bool) -> Iterator[str]:
    """A line an edge, those before it first: `clean: raw/*.csv -> build/clean.csv`.

    Args:
        view: What to show.
        waves: Put each wave under a heading.
    """
    if not waves:
        yield from map(_line, view.edges)
        return
    for wave, edges in _by_wave(view):
        yield f"wave {wave}\n"
        for edge in edges:
            yield "  " + _line(edge)


def _by_wave(view: GraphView) -> Iterable[tuple[int, Iterator[Shown]]]:
    return groupby(view.edges, key=lambda edge: edge.wave)


def _line(edge: Shown) -> str:
    text = f"{show(edge.name)}:"
    if edge.inputs:
        text += " " + " ".join(map(show, edge.inputs))
    if edge.outputs:
        text += " -> " + " ".join(map(show, edge.outputs))
    if edge.fallback_of:
        text += f"  (fallback of {', '.join(map(show, edge.fallback_of))})"
    return text + "\n"


def as_dot(view: GraphView, waves: bool) -> Iterator[str]:
    """A digraph: a box an edge, a point for what many edges wait for together, dashed lines for `after`,
    dotted ones from a stage to its fallback.

    Args:
        view: What to show.
        waves: Put the edges of one wave on one rank.
    """
    yield "digraph pipefile {\n  rankdir=LR;\n  node [shape=box];\n"
    for node in view.groups:
        yield f'  n{node} [shape=point, label=""];\n'
    if waves:
        for wave, edges in _by_wave(view):
            yield f"  subgraph wave{wave} {{\n    rank=same;\n"
            for edge in edges:
                yield f"    n{edge.id} [label={_quoted(edge.name)}];\n"
            yield "  }\n"
    else:
        for edge in view.edges:
            yield f"  n{edge.id} [label={_quoted(edge.name)}];\n"
    for node, members in view.groups.items():
        for member in members:
            yield f"  n{member} -> n{node} [arrowhead=none];\n"
    for edge in view.edges:
        for node in edge.needs:
            yield f"  n{node} -> n{edge.id};\n"
        for node in edge.after:
            yield f"  n{node} -> n{edge.id} [style=dashed];\n"
    ids = {edge.name: edge.id for edge in view.edges}
    for edge in view.edges:
        for main in edge.fallback_of:
            if main in ids:
                yield f"  n{ids[main]} -> n{edge.id} [style=dotted, label=fallback];\n"
    yield "}\n"


def _quoted(text: str) -> str:
    return '"' + show(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def as_json(view: GraphView, waves: bool) -> Iterator[str]:
    """One object: `{"format": 1, "stages": [...], "groups": {...}}`, with `"waves"`, lists of names, where they are asked for.

    A stage has `name stage wave inputs outputs needs after`; `needs` and `after` are names of edges, and `needs` may have names of groups: `"#7"`
    stands for all edges in `groups["#7"]`. One that is a fallback has `fallback_of` besides, names of stages.
    """
    import json

    names = {edge.id: edge.name for edge in view.edges}
    names.update({node: f"#{number}" for number, node in enumerate(view.groups)})
    encode = json.JSONEncoder().encode
    yield '{"format": 1, "stages": ['
    between = "\n"
    for edge in view.edges:
        fields = {
            "name": edge.name,
            "stage": edge.stage,
            "wave": edge.wave,
            "inputs": edge.inputs,
            "outputs": edge.outputs,
            "needs": [names[node] for node in edge.needs if node in names],
            "after": [names[node] for node in edge.after if node in names],
            **({"fallback_of": edge.fallback_of} if edge.fallback_of else {}),
        }
        yield f"{between}{encode(fields)}"
        between = ",\n"
    yield '\n], "groups": ' + encode({names[node]: [names[member] for member in members] for node, members in view.groups.items()})
    if waves:
        yield ', "waves": ' + encode([[edge.name for edge in edges] for _, edges in _by_wave(view)])
    yield "}\n"
