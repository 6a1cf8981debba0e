"""The graph that the index holds is the one that was resolved."""

from __future__ import annotations

import random
from array import array

import pytest
from kit import Project

from pipefile.engine.lazy import Columns, Extra, Spans, graph_of
from pipefile.engine.session import Session, find_project
from pipefile.load.again import load_again
from pipefile.model.graph import Edge, FileSet, Need
from pipefile.store.index import Index, Reader


@pytest.mark.parametrize("count", [0, 1, 5, 40])
def test_spans(count: int) -> None:
    """Where a number stands, looked for one by one or all at once, is where a plain walk finds it; numbers of all sizes, below zero too."""
    chance = random.Random(count)
    numbers = [chance.choice([-1, 0, 1, 255, 256, 65536, -65536, chance.randint(-(1 << 31), (1 << 31) - 1)]) for _ in range(300)]
    starts = sorted([0, *(chance.randint(0, 300) for _ in range(80)), 300])
    spans = Spans(array("i", numbers), array("i", starts))
    wanted = chance.sample(numbers, count)
    walked = {at for at in range(len(spans)) if set(numbers[starts[at] : starts[at + 1]]) & set(wanted)}
    assert spans.holding(wanted) == walked


def everything(project: Project) -> None:
    for name in ("a", "b", "c"):
        project.write(f"src/{name}.txt", f"{name}\n")
    project.write("steps.py", "def make(inputs, outputs, salt):\n    open(outputs[0], 'w').close()\n")
    project.write("tools/show.py", "")
    project.globals(width=3, names=["a", "b"])
    project.stage("glob", inputs="src/*.txt", outputs={"all": "o/glob", "more": "o/glob.more"}, run="cat {inputs} > {all}; : > {more}")
    project.stage("same", inputs="src/*.txt", outputs="o/same", run="cat {inputs} > {outputs}")
    project.stage("by name", inputs={"one": "glob.all", "all": "glob.outputs", "value": "global.names"}, outputs="o/by", run="cat {all} > {outputs}")
    project.stage("folder", inputs="src/", outputs="o/folder/", run="cp -r {inputs}/. {outputs}")
    project.stage("inside", inputs=["o/folder/a.txt", "o/folder/*.txt"], outputs="o/inside", run="cat {inputs} > {outputs}")
    project.stage("several", inputs="o/[sb]*", outputs="out/several", run="cat {inputs} > {outputs}", after=["glob"], tags=["x"], timeout="1m")
    project.stage("call", inputs=["o/same"], outputs="o/call", call="steps:make", params={"salt": "global.width"}, env={"A": "1"}, version="2")
    project.stage("argv", inputs=[{"path": "src/none", "optional": True}], outputs="o/argv", run=["cp", "src/a.txt", "{outputs}"])
    project.stage("words", outputs="o/words", run="python3 tools/show.py o/same > {outputs}", always=True)
    project.stage("depfile", outputs="o/dep", run="echo 'x: o/by' > {depfile}; : > {outputs}", depfile="o/d", after=["by name"])
    project.stage("none", inputs="o/dep", run="true")
    assert project.build().exit_status == 0


def described(edge: Edge, sets: dict[int, int]) -> object:
    """An edge in plain values; sets of files by the order in which they are met, since edges that share one share it."""

    def files(need: Need) -> object:
        found: FileSet | None = need.files
        if found is None:
            return need.value
        shared = sets.setdefault(id(found), len(sets)) if found.kind not in ("file", "directory") else -1
        return found.text, found.kind, found.paths, found.node, found.inside, shared

    needs = [(need.name, need.optional, need.many, files(need)) for need in edge.needs]
    return edge.id, edge.name, edge.stage, needs, edge.outputs, edge.literal, edge.wave


def test_the_graph_of_the_index(project: Project) -> None:
    """Edges, groups, dependencies, order, makers and waves, whatever kind of input there is."""
    everything(project)
    session = Session(find_project(project.root), project.environ, lambda _: None)
    reader = Reader(project.path("pipeline_outputs/index"))
    columns = Columns(reader, Index(reader))
    document = {name: table for name, table in session.pipeline.document.items() if name != "stage"}
    pipeline, read = load_again(session.disk, "Pipefile.toml", project.environ, document, session.pipeline.files)
    graph, resolved = graph_of(columns, read), session.graph
    reader.close()
    assert (pipeline.settings, pipeline.globals, pipeline.dotenv) == (session.pipeline.settings, session.pipeline.globals, session.pipeline.dotenv)
    known: tuple[dict[int, int], dict[int, int]] = ({}, {})
    assert [described(edge, known[0]) for edge in graph.edges] == [described(edge, known[1]) for edge in resolved.edges]
    assert (list(graph.depends), list(graph.groups)) == (list(resolved.depends), list(resolved.groups))
    assert len(graph.groups) == 1
    assert (dict(graph.order), dict(graph.producer), dict(graph.by_stage)) == (dict(resolved.order), dict(resolved.producer), dict(resolved.by_stage))
    assert graph.producer.get("src/a.txt", -1) == graph.producer.get("nowhere", -1) == -1
    numbers = {edge.name: edge.id for edge in resolved.edges}
    assert dict(Extra(columns, {})) == {**dict.fromkeys(numbers.values(), ()), numbers["depfile"]: (numbers["by name"],)}


def test_what_is_below(project: Project) -> None:
    """Step by step where little is, in one walk where much is: through files, sets of files, `after` and discovered inputs."""
    everything(project)
    reader = Reader(project.path("pipeline_outputs/index"))
    columns = Columns(reader, Index(reader))
    reader.close()
    names = [*columns.index.edge_names, "group"]
    expected = {
        "same": {"same", "group", "several", "call", "words"},
        "glob": {"glob", "by name", "group", "depfile", "none", "several"},
        "folder": {"folder", "inside"},
        "none": {"none"},
    }
    for name, below in expected.items():
        start = {names.index(name)}
        assert {names[node] for node in columns.below(start)} == below
        assert {names[node] for node in columns._all_below(start)} == below
