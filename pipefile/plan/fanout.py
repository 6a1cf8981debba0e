"""Fan-out: stages whose items other stages make.

Such a stage is resolved twice. As long as its items are not known, one edge stands for all of its instances, and waits for whoever makes them;
whatever could read what the instances make waits for that edge. When it has nothing left to wait for, its items are known, and the graph is resolved
once more with the instances in its place.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

from pipefile.base.dataclass import replace
from pipefile.base.errors import GraphError
from pipefile.base.locations import Place
from pipefile.base.paths import show
from pipefile.model.graph import FanOut, FileSet, Kind, Need
from pipefile.model.stage import Axis, Output, Stage, Value
from pipefile.plan.items import PARTS, split
from pipefile.plan.near import nearest
from pipefile.plan.patterns import literal_prefix
from pipefile.plan.template import parse

Known = Mapping[str, frozenset[str]]
"""Fan-out stages whose items are known, with the names of the edges that they come from."""


class Late(NamedTuple):
    """What a fan-out stage waits for.

    Args:
        sure: Names of edges that its items come from.
        maybe: Names of edges that could make some of them: it waits for those that do not need the stage itself.
        open: Its items are not known.
    """

    sure: tuple[str, ...]
    maybe: tuple[str, ...]
    open: bool


class ItemsError(ValueError):
    """What a stage has made is no list of items; the text says why."""

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint


# -- items of values


def rows_of(value: object, name: str) -> tuple[list[dict[str, Value]], tuple[str, ...]]:
    """The items that a value stands for: those of a list, or the keys of a table.

    Args:
        value: As JSON has it.
        name: The key of `for_each`.

    Returns:
        For each item the names that placeholders have for it, with their values; and those of the names that instances are told apart by.

    Raises:
        ItemsError: It is neither, or holds what cannot be an item.
    """
    if isinstance(value, dict):
        tables = [inner if isinstance(inner, dict) else {"value": inner} for inner in value.values()]
        return [{**columns, name: key} for key, columns in zip(value, _columns(tables, name), strict=True)], (name,)
    if not isinstance(value, list):
        raise ItemsError(f"is {_kind(value)}, neither a list nor a table", f"a list of one is `[{'...' if value is None else 'value'}]`")
    if value and isinstance(value[0], dict):
        rows = _columns(value, name)
        naming = [column for column in rows[0] if column != name and not any(isinstance(row[column], list | dict) for row in rows)]
        if not naming:
            raise ItemsError("has no plain value by which instances could be called")
        return rows, tuple(naming)
    for item in value:
        if type(item) not in (str, int, float, bool):
            raise ItemsError(f"holds {_kind(item)} among its items", "items are texts, numbers and booleans; or all of them are tables")
    return [{name: item} for item in value], (name,)


def _columns(tables: Sequence[object], name: str) -> list[dict[str, Value]]:
    rows: list[dict[str, Value]] = []
    first = tables[0] if tables else None
    for table in tables:
        if not isinstance(table, dict) or not table:
            raise ItemsError(f"holds {'an empty table' if table == {} else _kind(table)} among its tables")
        assert isinstance(first, dict)
        other = next((key for key in (*first, *table) if (key in first) != (key in table)), None)
        if other is not None:
            raise ItemsError(f"holds a table with `{show(other)}` and one without" if other in table else f"holds a table without `{show(other)}`")
        if any(_has_null(inner) for inner in table.values()):
            raise ItemsError("holds null, which cannot be part of an item")
        rows.append({name: table, **{f"{name}.{key}": inner for key, inner in table.items()}})
    return rows


def _has_null(value: object) -> bool:
    if isinstance(value, list | dict):
        return any(_has_null(inner) for inner in (value.values() if isinstance(value, dict) else value))
    return value is None


def _kind(value: object) -> str:
    kinds = {bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list", dict: "a table", type(None): "null"}
    return kinds.get(type(value), "something else")


def with_items(stage: Stage, axes: Sequence[Axis], of_values: Container[str]) -> Stage:
    """A stage whose items are known by now.

    Args:
        stage: As it is declared.
        axes: Its own, those of values with their rows.
        of_values: Names of these.

    Raises:
        GraphError: It asks for something of an item which that has not.
    """
    for_each = stage.for_each
    assert for_each is not None
    made = [axis for axis in axes if axis.source]
    empty = frozenset([axis.name for axis in made if axis.name in of_values and not axis.rows])
    names = [name for name in for_each.names if name.partition(".")[0] in empty or not any(name.startswith(f"{axis.name}.") for axis in made)]
    names += [name for axis in made if axis.rows for name in axis.rows[0] if name not in names]
    paths = frozenset([name for name in for_each.paths if name not in of_values])
    for text in for_each.asked:
        axis = next((axis for axis in made if text.startswith(f"{axis.name}.")), None)
        if axis is not None and axis.name not in empty and not _answers(text, names, axis):
            raise _not_there(text, stage, axis)
    return replace(stage, for_each=replace(for_each, axes=tuple(axes), names=tuple(names), paths=paths))


def _answers(text: str, names: Sequence[str], axis: Axis) -> bool:
    known = split(text, names)
    return known is not None and (known[0] != axis.name or not axis.rows or isinstance(axis.rows[0][axis.name], str))


def _not_there(text: str, stage: Stage, axis: Axis) -> GraphError:
    place = Place(stage.file, ("stage", stage.name, "for_each"), f"`{show(stage.name)}`")
    columns = [name for name in axis.rows[0] if name != axis.name] if axis.rows else [f"{axis.name}.{part}" for part in PARTS]
    near = nearest(text, columns)
    hint = f"did you mean `{{{show(near)}}}`?" if near else ", ".join([f"`{{{show(name)}}}`" for name in columns[:5]])
    return GraphError(f"`{{{show(text)}}}` in stage `{show(stage.name)}` asks for what the items of `{show(axis.source)}` have not", (place,), hint)


# -- the edge that stands for instances


def stand_in(stage: Stage) -> Stage:
    """The stage of the edge that stands for all instances: it reads and makes nothing."""
    return replace(stage, inputs=(), outputs=(), infer_inputs=False, depfile="", metrics=())


def shapes_of(stage: Stage) -> tuple[tuple[str, str], ...]:
    """What outputs of instances can look like: what they begin with, and a regular expression for all of it."""
    found = []
    for output in stage.outputs:
        if not output.value:
            pieces = parse(output.path)
            start = pieces[0] if pieces and isinstance(pieces[0], str) else ""
            text = "".join([re.escape(piece) if isinstance(piece, str) else ".+" for piece in pieces])
            found.append((start, text + "(?:/.*)?" if output.directory or text.endswith("+") else text))
    return tuple(found)


def may_make(fanout: FanOut, path: str) -> bool:
    """Whether instances that are not known yet may make a file, or something in a folder that is written with a slash."""
    if path.endswith("/"):
        return any(start.startswith(path) or path.startswith(start) for start, _ in fanout.shapes)
    return any(re.fullmatch(shape, path, re.DOTALL) for _, shape in fanout.shapes)


def may_hold(fanout: FanOut, files: FileSet) -> bool:
    """Whether what instances make that are not known yet may belong to a set of files."""
    if files.kind == "glob":
        prefix = literal_prefix(files.text)
        return any(start.startswith(prefix) or prefix.startswith(start) for start, _ in fanout.shapes)
    if files.kind == "directory":
        return may_make(fanout, "" if files.paths[0] == "." else files.paths[0] + "/")
    return files.kind == "file" and not files.value and may_make(fanout, files.paths[0])


def need_of(makers: Sequence[tuple[int, Stage]]) -> tuple[Need, ...]:
    """What the edge that stands for instances needs: what the only maker of its items makes."""
    if len(makers) != 1:
        return ()
    node, maker = makers[0]
    return tuple([Need(None, FileSet(each.shown, _kind_of(each), (each.path,), node, value=each.value)) for each in maker.outputs])


def _kind_of(output: Output) -> Kind:
    return "directory" if output.directory else "file"
