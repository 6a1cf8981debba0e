"""The resolved graph as columns of the index (store/index.py has the format): what a later build needs to go on from it."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Mapping
from itertools import accumulate

from pipefile.base.paths import folder_of
from pipefile.engine.session import Session
from pipefile.model.graph import Edge, FileSet, Graph
from pipefile.model.stage import Call
from pipefile.store.index import join_texts
from pipefile.store.record import edge_record_path, record_path

_encode = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode


def suits(edge: Edge) -> bool:
    """Whether a build may go on from the index although something about this edge has changed (engine/warm.py). Where it may not, and in doubt,
    the whole graph is looked at, which is always right.

    What becomes of outputs that come and go depends on all that need them. Directories bring files that come and go with every run: what is known of
    these is not mended in the index, but found anew. So do values, which may name files of
    their own. Conditions and fallbacks are joined to their stages when all of these are known. What stages need while they run is
    weighed over all that may run. And a link to what an edge makes is a row by itself, which that edge does not write.
    """
    stage = edge.stage
    if stage.resources:
        return False
    if stage.should_run is not None or stage.fallback or any(output.directory or output.value for output in edge.outputs):
        return False
    if any(output.temp or output.optional or output.checkpoint for output in stage.outputs):
        return False
    for need in edge.needs:
        files = need.files
        if files is None:
            continue
        if files.inside or files.value or files.linked or files.kind in ("directory", "late"):
            return False
    return True


class ComingAndGoing:
    """Knows which edges need outputs that come and go, with those that `suits` takes for such because they make them.

    Args:
        graph: All edges.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._paths = {**graph.temps, **graph.optional}
        self._makers = frozenset(graph.temps.values())
        self._sets: dict[int, bool] = {}

    def needed_by(self, edge: Edge, discovered: Iterable[str]) -> bool:
        """Whether an edge needs one: declared, discovered, or because it comes after a stage that makes one."""
        if not self._paths:
            return False
        if not self._paths.keys().isdisjoint(discovered) or not self._makers.isdisjoint(self._graph.order.get(edge.id, ())):
            return True
        return any(need.files is not None and self._has_some(need.files) for need in edge.needs)

    def _has_some(self, files: FileSet) -> bool:
        found = self._sets.get(id(files))  # they live as long as the graph
        if found is None:
            found = self._sets[id(files)] = not self._paths.keys().isdisjoint(files.paths)
        return found


def is_coded(edge: Edge) -> bool:
    """Whether a new name in a folder can become part of what the edge runs: modules are looked for by name."""
    return isinstance(edge.stage.action, Call) or any(path.endswith(".py") for path in edge.literal)


def head_of(session: Session) -> bytes:
    """What the graph was made of, besides stages and what globs found."""
    pipeline = session.pipeline
    if session.project.overlay:
        return b""  # it is of one command line alone
    if any(stage.secret_env for stage in pipeline.stages.values()):
        return b""  # they are masked in what all others print
    if session.graph.fanouts:
        return b""  # which instances there are is found out by building
    if pipeline.sources or pipeline.settings.python or any(output.value == "file" for edge in session.graph.edges for output in edge.outputs):
        return b""  # what Python files declare is in no document, and what functions name when they return is in no table
    document = {name: table for name, table in pipeline.document.items() if name != "stage"}
    each = [name for name, stage in pipeline.stages.items() if stage.for_each is not None]
    if each:
        document["stage"] = {name: pipeline.document["stage"][name] for name in each}
    try:
        return _encode({"document": document, "files": dict(pipeline.files)}).encode()
    except (TypeError, ValueError):  # a date, or what else TOML has and JSON has not: such an index answers as ever, but no build goes on from it
        return b""


def graph_sections(session: Session, row_of: Mapping[str, int], folders: Mapping[str, int]) -> dict[str, bytes]:
    """The sections that hold the graph.

    Args:
        session: Its project.
        row_of: The row of each path.
        folders: The number of each folder.
    """
    graph = session.graph
    makers = array("i", [-1]) * len(row_of)
    for path, edge in graph.producer.items():
        makers[row_of[path]] = edge
    sections = {"makers": makers.tobytes(), "waves": array("i", _waves(graph)).tobytes()}
    sections["depends"], sections["depend_starts"] = _spans(graph.depends)
    order = array("i")
    for number, before in graph.order.items():
        order.extend([number, len(before), *before])
    sections["order"] = order.tobytes()
    sections.update(_needs(graph, row_of, makers))
    sections["folder_rows"], sections["folder_starts"] = _records(session, row_of, folders)
    sections["head"] = head_of(session)
    sections["stages"], sections["stage_starts"] = _stages(session)
    return sections


def _spans(spans: object) -> tuple[bytes, bytes]:
    items, starts = array("i"), array("i")
    for span in spans:  # type: ignore[attr-defined]
        starts.append(len(items))
        if span:
            items.extend(span)
    starts.append(len(items))
    return items.tobytes(), starts.tobytes()


def _waves(graph: Graph) -> list[int]:
    """Of edges as the graph has them; of a group, one more than that of its last edge."""
    waves = [edge.wave for edge in graph.edges]
    return waves + [max([waves[edge] for edge in group], default=0) + 1 for group in graph.groups]


def _needs(graph: Graph, row_of: Mapping[str, int], makers: array[int]) -> dict[str, bytes]:
    needs, starts = array("i"), array("i")
    numbers: dict[object, int] = {}
    sets: list[str] = []
    rows: list[list[int]] = []

    def number_of(key: object, text: str, paths: list[int]) -> int:
        number = numbers.get(key)
        if number is None:
            number = numbers[key] = len(sets)
            sets.append(text)
            rows.append(paths)
        return -1 - number

    for edge in graph.edges:
        starts.append(len(needs))
        for need in edge.needs:
            files = need.files
            if files is None:
                text = _encode([need.value])
                needs.append(number_of(text, text, []))
            elif _is_plain(files, row_of, makers):
                needs.append(row_of[files.paths[0]])
            else:
                paths = [row_of[path] for path in files.paths]
                if files.inside:
                    paths.append(row_of[files.inside])
                needs.append(number_of(id(files), _encode([files.text, files.kind, files.inside, files.node]), paths))
    starts.append(len(needs))
    set_rows, set_starts = _spans(rows)
    return {"needs": needs.tobytes(), "need_starts": starts.tobytes(), "sets": join_texts(sets), "set_rows": set_rows, "set_starts": set_starts}


def _is_plain(files: FileSet, row_of: Mapping[str, int], makers: array[int]) -> bool:
    """Whether its row says all of a set."""
    if files.kind != "file" or files.inside or files.text != files.paths[0]:
        return False
    return makers[row_of[files.text]] == files.node


def _records(session: Session, row_of: Mapping[str, int], folders: Mapping[str, int]) -> tuple[bytes, bytes]:
    inside: list[list[int]] = [[] for _ in folders]
    for edge in session.graph.edges:
        for output in edge.outputs:
            inside[folders[folder_of(record_path(output.path))]].append(row_of[output.path])
        if not edge.outputs:
            inside[folders[folder_of(edge_record_path(session.store, edge.name))]].append(-1 - edge.id)
    return _spans(inside)


def _stages(session: Session) -> tuple[bytes, bytes]:
    tables = session.pipeline.document.get("stage", {})
    texts = []
    for edge in session.graph.edges:
        table = [dict(edge.stage.item)] if edge.stage.item else tables.get(edge.name)
        try:
            texts.append("" if table is None else _encode([table, *edge.literal]))
        except (TypeError, ValueError):
            texts.append("")
    starts = array("q", accumulate([len(text) for text in texts], initial=0))
    return "".join(texts).encode("ascii"), starts.tobytes()
