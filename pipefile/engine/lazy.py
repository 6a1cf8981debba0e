"""A resolved graph as the index keeps it: edges are made when they are looked at, everything else is read where it lies.

What is made is the same Graph, of the same parts, as resolving makes of a Pipefile: whoever decides, schedules and runs need not know.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, overload

from pipefile.load.again import ChangedError
from pipefile.load.faults import FaultError
from pipefile.model.graph import Edge, FileSet, Graph, Need
from pipefile.model.stage import Stage
from pipefile.store.index import Index, Reader

_FEW = 24  # numbers that are looked for one by one rather than in one walk over all
_STEPS = 12  # downwards, before one walk over the whole graph is cheaper


class Spans:
    """Spans of numbers, one after another: span n begins at `starts[n]`."""

    def __init__(self, items: array[int], starts: array[int]) -> None:
        self.items = items
        self.starts = starts

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, number: int) -> array[int]:
        return self.items[self.starts[number] : self.starts[number + 1]]

    def holding(self, wanted: Iterable[int]) -> set[int]:
        """The spans in which one of *wanted* stands."""
        numbers = set(wanted)
        starts = self.starts
        if not numbers or not self.items:
            return set()
        if len(numbers) > _FEW:
            return {bisect_right(starts, at) - 1 for at, item in enumerate(self.items) if item in numbers}
        data, size = self.items.tobytes(), self.items.itemsize
        found = set()
        for number in numbers:
            pattern = array("i", [number]).tobytes()
            at = data.find(pattern)
            while at >= 0:
                if at % size == 0:
                    found.add(bisect_right(starts, at // size) - 1)
                at = data.find(pattern, at + 1)
        return found


class Columns:
    """The sections of an index that hold the graph.

    Args:
        reader: The index.
        index: What is read of it already.

    Raises:
        Damaged: They are not what was written.
    """

    def __init__(self, reader: Reader, index: Index) -> None:
        self.index = index
        self.makers = reader.numbers("makers", "i")
        self._stages = reader.section("stages")
        self._stage_starts = reader.numbers("stage_starts", "q")
        self.needs = Spans(reader.numbers("needs", "i"), reader.numbers("need_starts", "i"))
        self.sets = reader.texts("sets")
        self.set_rows = Spans(reader.numbers("set_rows", "i"), reader.numbers("set_starts", "i"))
        self.depends = Spans(reader.numbers("depends", "i"), reader.numbers("depend_starts", "i"))
        self.folder_rows = Spans(reader.numbers("folder_rows", "i"), reader.numbers("folder_starts", "i"))
        self.edge_rows = Spans(reader.numbers("edge_rows", "i"), reader.numbers("edge_starts", "i"))
        self.waves = reader.numbers("waves", "i")
        self.order: dict[int, tuple[int, ...]] = {}
        flat = reader.numbers("order", "i")
        at = 0
        while at < len(flat):
            self.order[flat[at]] = tuple(flat[at + 2 : at + 2 + flat[at + 1]])
            at += 2 + flat[at + 1]

    @property
    def whole(self) -> bool:
        """Whether the sections are of one graph."""
        edges = len(self.index.edge_names)
        nodes = len(self.depends)
        if not len(self._stage_starts) - 1 == len(self.needs) == edges <= nodes == len(self.waves):
            return False
        return len(self.makers) == len(self.index.paths)

    def stage(self, edge: int) -> bytes:
        """The JSON of an edge's table."""
        return self._stages[self._stage_starts[edge] : self._stage_starts[edge + 1]]

    # -- questions, answered without an object for any edge

    def resting_on(self, rows: set[int]) -> set[int]:
        """The edges that need, have discovered, are made of or make what is in *rows*."""
        found = {span // 3 for span in self.edge_rows.holding(rows)}
        wanted = set(rows)
        wanted.update(-1 - number for number in self.set_rows.holding(rows))
        found.update(self.needs.holding(wanted))
        return found

    def rows_of(self, edge: int) -> set[int]:
        """All rows that an edge rests on, its outputs among them."""
        starts = self.edge_rows.starts
        found = set(self.edge_rows.items[starts[3 * edge] : starts[3 * edge + 3]])
        for need in self.needs[edge]:
            if need >= 0:
                found.add(need)
            else:
                found.update(self.set_rows[-1 - need])
        return found

    def extra(self, edge: int) -> tuple[int, ...]:
        """Edges that make discovered inputs of an edge, and that it does not wait for anyway."""
        makers = {self.makers[row] for row in self.index.discovered(edge)} - {-1, edge}
        return tuple(sorted(makers.difference(self.depends[edge]))) if makers else ()

    def below(self, edges: Iterable[int]) -> set[int]:
        """The nodes that wait for *edges*, directly or not, themselves included; discovered inputs count as well."""
        found = set(edges)
        layer = found
        for _ in range(_STEPS):
            layer = self._waiting_for(layer) - found
            if not layer:
                return found
            found = found | layer
        return self._all_below(found)

    def _waiting_for(self, nodes: set[int]) -> set[int]:
        found = self.depends.holding(nodes)
        found.update(edge for edge, before in self.order.items() if not nodes.isdisjoint(before))
        made = [row for edge in nodes if edge < len(self.index.edge_names) for row in self.index.outputs(edge)]
        found.update(span // 3 for span in self.edge_rows.holding(made) if span % 3 == 1)
        return found

    def _all_below(self, found: set[int]) -> set[int]:
        """As `below`, in a walk over all nodes: each after what it waits for, but for discovered inputs, which may need another walk."""
        marked = bytearray(len(self.depends))
        for node in found:
            marked[node] = 1
        edges = len(self.index.edge_names)
        nodes = sorted(range(len(marked)), key=lambda node: (self.waves[node], node < edges))
        spans = list(self.depends.starts)
        items = self.depends.items
        discovered = [edge for edge in range(edges) if self.index.discovered(edge)]
        more = {edge: extra for edge in discovered if (extra := self.extra(edge))}
        while True:
            for node in nodes:
                if marked[node]:
                    continue
                for before in items[spans[node] : spans[node + 1]]:
                    if marked[before]:
                        marked[node] = 1
                        break
                else:
                    if node in self.order and any(marked[before] for before in self.order[node]):
                        marked[node] = 1
            new = [edge for edge, extra in more.items() if not marked[edge] and any(marked[before] for before in extra)]
            if not new:
                return {node for node, mark in enumerate(marked) if mark}
            for edge in new:
                marked[edge] = 1

    def sorted(self, nodes: Iterable[int]) -> list[int]:
        """Nodes, each after what it waits for as far as the graph says."""
        edges = len(self.index.edge_names)
        return sorted(nodes, key=lambda node: (self.waves[node], node < edges, node))


class _Edges(Sequence[Edge]):
    """The edges, each made when it is first asked for."""

    def __init__(self, columns: Columns, read: Callable[[str, Any], Stage]) -> None:
        self._columns = columns
        self._read = read
        self._made: dict[int, Edge] = {}
        self._sets: dict[int, FileSet | tuple[Any]] = {}

    def __len__(self) -> int:
        return len(self._columns.needs)

    @overload
    def __getitem__(self, number: int) -> Edge: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[Edge]: ...
    def __getitem__(self, number: int | slice) -> Edge | Sequence[Edge]:
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        edge = self._made.get(number)
        if edge is None:
            edge = self._made[number] = self._make(range(len(self))[number])
        return edge

    def number_of(self, files: FileSet) -> int:
        """The number by which edges name a set of files."""
        return next(number for number, found in self._sets.items() if found is files)

    def _make(self, number: int) -> Edge:
        columns, index = self._columns, self._columns.index
        name = index.edge_names[number]
        try:
            table, *literal = json.loads(columns.stage(number))
            stage = self._read(name, table)
        except (ValueError, TypeError, KeyError, FaultError) as error:
            raise ChangedError from error
        rows = columns.rows_of(number)
        index.some_rows.update([(index.paths[row], row) for row in rows])
        index.some_edges[name] = number
        needs = []
        items = [(group, item) for group in stage.inputs for item in group.items]
        for (group, item), need in zip(items, columns.needs[number], strict=True):
            files = self._files(need)
            if isinstance(files, tuple):
                needs.append(Need(group.name, None, item.optional, group.many, files[0]))
            else:
                needs.append(Need(group.name, files, item.optional, group.many or files.kind in ("glob", "outputs", "late")))
        return Edge(number, name, stage, tuple(needs), stage.results, tuple(literal), columns.waves[number])

    def _files(self, need: int) -> FileSet | tuple[Any]:
        columns = self._columns
        paths = columns.index.paths
        if need >= 0:
            return FileSet(paths[need], "file", (paths[need],), columns.makers[need])
        found = self._sets.get(need)
        if found is None:
            found = self._sets[need] = self._set(json.loads(columns.sets[-1 - need]), columns.set_rows[-1 - need])
        return found

    def _set(self, fields: list[Any], rows: Sequence[int]) -> FileSet | tuple[Any]:
        if len(fields) == 1:
            return (fields[0],)
        text, kind, inside, node = fields
        paths = self._columns.index.paths
        return FileSet(text, kind, tuple([paths[row] for row in (rows[:-1] if inside else rows)]), node, inside)


class _Depends(Sequence[tuple[int, ...]]):
    """What comes before each node, from *first* on."""

    def __init__(self, spans: Spans, first: int = 0) -> None:
        self._spans = spans
        self._first = first

    def __len__(self) -> int:
        return len(self._spans) - self._first

    @overload
    def __getitem__(self, number: int) -> tuple[int, ...]: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[tuple[int, ...]]: ...
    def __getitem__(self, number: int | slice) -> tuple[int, ...] | Sequence[tuple[int, ...]]:
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        if number >= len(self):
            raise IndexError(number)
        return tuple(self._spans[self._first + number])


class _Producer(Mapping[str, int]):
    """Output path -> edge."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns

    def __getitem__(self, path: str) -> int:
        row = self._columns.index.row(path)
        edge = self._columns.makers[row] if row >= 0 else -1
        if edge < 0:
            raise KeyError(path)
        return edge

    def __iter__(self) -> Iterator[str]:
        return (path for path, edge in zip(self._columns.index.paths, self._columns.makers, strict=True) if edge >= 0)

    def __len__(self) -> int:
        return len([edge for edge in self._columns.makers if edge >= 0])


class _ByStage(Mapping[str, tuple[int, ...]]):
    """Stage -> its edges: itself, or its instances."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def __getitem__(self, name: str) -> tuple[int, ...]:
        edge = self._index.edge(name)
        if edge >= 0:
            return (edge,)
        start = name + "@"
        edges = tuple([number for number, each in enumerate(self._index.edge_names) if each.startswith(start)])
        if not edges:
            raise KeyError(name)
        return edges

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([name.partition("@")[0] for name in self._index.edge_names]))

    def __len__(self) -> int:
        return len(list(iter(self)))


class Extra(Mapping[int, tuple[int, ...]]):
    """Edge -> edges that make discovered inputs of it, for all edges; what is known better of some comes first."""

    def __init__(self, columns: Columns, known: Mapping[int, tuple[int, ...]]) -> None:
        self._columns = columns
        self._known = known

    def __getitem__(self, edge: int) -> tuple[int, ...]:
        if edge in self._known:
            return self._known[edge]
        if edge >= len(self._columns.needs):
            raise KeyError(edge)
        return self._columns.extra(edge)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self._columns.needs)))

    def __len__(self) -> int:
        return len(self._columns.needs)


def graph_of(columns: Columns, read: Callable[[str, Any], Stage]) -> Graph:
    """The graph that the index holds.

    Args:
        columns: Where.
        read: Name and table, or item, -> stage.
    """
    edges = _Edges(columns, read)
    return Graph(
        edges,
        _Depends(columns.depends, len(edges)),
        _Depends(columns.depends),
        columns.order,
        _Producer(columns),
        _ByStage(columns.index),
    )
