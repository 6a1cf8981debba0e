"""Python files as text: where decorated functions stand, and what their decorators say in so many words. Nothing is run.

A project that nobody has built yet is read in this way, and so is one whose files have changed since: an editor, or `status`, must never run code.
"""

from __future__ import annotations

import ast
import builtins
import warnings
from collections.abc import Iterator
from typing import Any

from pipefile.base.dataclass import dataclass, field
from pipefile.base.locations import KeyPath, Position
from pipefile.load.faults import FaultError
from pipefile.load.scanner import shown_line
from pipefile.load.tables import KEYWORDS, Table, item_names, table_of
from pipefile.model.fileref import FileRef
from pipefile.model.stream import Stream

LARGEST = 10 << 20
"""Bytes of a Python file that is read."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(slots=True)
class Found:
    """A decorated function.

    Args:
        name: The stage's, or the pipeline's.
        function: The function's.
        line: Of its decorator, from 1.
        table: What its decorator says, without `call`; None where that is computed.
        needed: Parameters without a default.
        complete: All that the stage is can be read here: the table stands, its arguments are there, and no pipeline hands it others.
    """

    name: str
    function: str
    line: int
    table: Table | None = None
    needed: tuple[str, ...] = ()
    complete: bool = False

    @property
    def lacking(self) -> tuple[str, ...]:
        """Parameters that nothing gives which the decorator says; () where what it says is computed."""
        if self.table is None or item_names(self.table) is None:
            return ()
        return tuple([name for name in self.needed if name not in _given(self.table)])


@dataclass(slots=True)
class Reading:
    """What a file's text tells.

    Args:
        stages: By name.
        pipelines: Name -> line of the decorator.
        whole: There is nothing in it that only running it would tell.
    """

    stages: dict[str, Found] = field(default_factory=dict)
    pipelines: dict[str, int] = field(default_factory=dict)
    whole: bool = True


# --- places


def position_in(file: str, function: str, line: int, key: KeyPath) -> Position | None:
    """Where a part of a declaration stands; None where the file cannot be read.

    Args:
        file: Its path.
        function: Name of the decorated function; "" for a call in a pipeline.
        line: The decorator's, or the call's.
        key: As in a Pipefile: ("stage", NAME, "inputs", "src"), ("alias", NAME).
    """
    try:
        with open(file, "rb") as source:
            data = source.read(LARGEST)
    except (OSError, ValueError):
        return None
    return position(data, function, line, key)


def position(data: bytes, function: str, line: int, key: KeyPath) -> Position | None:
    """As `position_in`, in a text."""
    lines = data.decode("utf-8", "replace").splitlines()
    if not 0 < line <= len(lines):
        return None
    tree = _parse(data)
    found = _definition(tree, function, line) if tree is not None and function else None
    if found is None:
        text = lines[line - 1]
        return Position(line, len(text) - len(text.lstrip()) + 1, shown_line(text), max(1, len(text.strip())))
    at = _part(found, key[2:]) if key[:1] == ("stage",) else None
    if at is not None:
        return _position(lines, *at)
    row = found.lineno - 1
    column = lines[row].find(found.name, len(lines[row].encode()[: found.col_offset].decode("utf-8", "replace")) + 3)
    return Position(found.lineno, column + 1, shown_line(lines[row]), len(found.name))


def _position(lines: list[str], row: int, offset: int, width: int) -> Position | None:
    if not 0 < row <= len(lines):
        return None
    text = lines[row - 1]
    column = len(text.encode()[:offset].decode("utf-8", "replace")) + 1
    return Position(row, column, shown_line(text), max(1, min(width, len(text) - column + 1)))


def _definition(tree: ast.Module, function: str, line: int) -> Function | None:
    """The function that is decorated at *line*."""
    name = function.rpartition(".")[2]
    for node in ast.walk(tree):
        if isinstance(node, Function) and node.name == name:
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            if first <= line <= node.lineno:
                return node
    return None


def _part(function: Function, path: KeyPath) -> tuple[int, int, int] | None:
    """Line, offset in bytes and width of a keyword of the decorator, or of what is in it."""
    calls = [node for node in function.decorator_list if isinstance(node, ast.Call)]
    for call in calls if path else ():
        keyword = next((keyword for keyword in call.keywords if keyword.arg == path[0]), None)
        if keyword is None or keyword.arg is None:
            continue
        at = (keyword.lineno, keyword.col_offset, len(keyword.arg))
        value: ast.expr = keyword.value
        for part in path[1:]:
            if isinstance(value, ast.Dict) and isinstance(part, str):
                keys = [key.value if isinstance(key, ast.Constant) else None for key in value.keys]
                if part not in keys:
                    break
                key = value.keys[keys.index(part)]
                assert key is not None
                at, value = (key.lineno, key.col_offset, len(part) + 2), value.values[keys.index(part)]
            elif isinstance(value, ast.List | ast.Tuple) and isinstance(part, int) and part < len(value.elts):
                value = value.elts[part]
                width = (value.end_col_offset or 0) - value.col_offset if value.end_lineno == value.lineno else 1
                at = (value.lineno, value.col_offset, width)
            else:
                break
        return at
    return None


def _parse(data: bytes) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in the user's strings: theirs to see when they run it
            return ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


# --- what can be read


def read(data: bytes, module: str) -> Reading:
    """What the text of a Python file tells of its stages and pipelines.

    Args:
        data: The file's bytes.
        module: Its name, for `setup` functions.
    """
    reading = Reading()
    tree = _parse(data) if len(data) <= LARGEST else None
    if tree is None:
        reading.whole = False
        return reading
    reader = _Reader(tree, module)
    if reader.stars:
        reading.whole = False
    for node in tree.body:
        if not isinstance(node, Function):
            reading.whole &= not reader.mentions(node)
            continue
        for decorator in node.decorator_list:
            call = decorator if isinstance(decorator, ast.Call) else None
            kind = reader.kind(call.func if call else decorator)
            if kind == "pipeline":
                reading.pipelines[node.name] = decorator.lineno
                reading.whole = False
            elif kind == "stage":
                found = reader.stage(node, call, decorator.lineno)
                reading.whole &= found.name not in reading.stages
                reading.stages[found.name] = found
    _complete(reading, tree)
    return reading


def _complete(reading: Reading, tree: ast.Module) -> None:
    """See which stages are as their decorators say: those that nothing in the file uses otherwise than calling it once, without arguments."""
    uses = [_uses(node) for node in tree.body if isinstance(node, Function) and node.name in reading.pipelines]
    fallbacks = {found.table.get("fallback") for found in reading.stages.values() if found.table is not None}
    for found in reading.stages.values():
        if found.table is None:
            reading.whole = False
            continue
        found.complete = found.name in fallbacks or not found.lacking
        if any(used.get(found.function, 0) > 1 for used in uses):
            found.complete = reading.whole = False


def _uses(pipeline: Function) -> dict[str, int]:
    """Names in a pipeline: 1 for a call without arguments, which leaves a stage as its decorator says; more for any other use."""
    used: dict[str, int] = {}
    bare = {id(node.func) for node in ast.walk(pipeline) if isinstance(node, ast.Call) and not node.args and not node.keywords}
    for node in ast.walk(pipeline):
        if isinstance(node, ast.Name):
            used[node.id] = used.get(node.id, 0) + (1 if id(node) in bare else 2)
    return used


def _given(table: Table) -> set[str]:
    inputs, outputs = table.get("inputs", {}), table["outputs"]
    given = {*(inputs if isinstance(inputs, dict) else ("inputs",)), *table.get("params", {}), *(item_names(table) or ()), "ctx"}
    if isinstance(outputs, dict):
        given |= {name for name, spec in outputs.items() if not (isinstance(spec, str) and spec.startswith("value:"))}
    elif outputs:
        given.add("outputs")
    return given | ({"setup"} if "setup" in table else set())


class _ComputedError(Exception):
    """An argument of a decorator that is not written out."""


class _Reader:
    """Reads decorators of one file."""

    def __init__(self, tree: ast.Module, module: str) -> None:
        self._module = module
        self._names: dict[str, str] = {}  # local name -> public name of pipefile
        self._packages: set[str] = set()
        self.stars = False
        self._functions = {node.name for node in tree.body if isinstance(node, Function)}
        self._classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "pipefile" and not node.level:
                self._names.update({alias.asname or alias.name: alias.name for alias in node.names})
                self.stars |= any(alias.name == "*" for alias in node.names)
            elif isinstance(node, ast.Import):
                self._packages.update([alias.asname or alias.name for alias in node.names if alias.name == "pipefile"])

    def public(self, node: ast.expr) -> str:
        """The name of pipefile that an expression stands for; "" for any other."""
        if isinstance(node, ast.Name):
            return self._names.get(node.id, "")
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in self._packages:
            return node.attr
        return ""

    def kind(self, node: ast.expr) -> str:
        name = self.public(node)
        return name if name in ("stage", "pipeline") else ""

    def mentions(self, node: ast.AST) -> bool:
        """Whether a decorator is used in another way than above a function of the file."""
        if isinstance(node, ast.Import | ast.ImportFrom):
            return False
        return any(isinstance(inner, ast.expr) and self.kind(inner) for inner in ast.walk(node))

    def stage(self, node: Function, call: ast.Call | None, line: int) -> Found:
        found = Found(node.name, node.name, line, needed=tuple(_needed(node.args)))
        keys: dict[str, Any] = {}
        try:
            if call is not None:
                if call.args:
                    raise _ComputedError
                for keyword in call.keywords:
                    if keyword.arg is None:
                        raise _ComputedError
                    keys[keyword.arg] = self._keyword(keyword.arg, keyword.value)
            name = keys.get("name")
            if isinstance(name, str):
                found.name = name
            found.table = table_of(found.name, keys, ast.get_docstring(node))
        except (_ComputedError, FaultError, RecursionError):
            found.table = None
        return found

    def _keyword(self, name: str, node: ast.expr) -> Any:
        if isinstance(node, ast.Name) and node.id in self._functions:
            if name == "fallback":
                return node.id
            if name == "setup":
                return f"{self._module}:{node.id}"
        if name not in KEYWORDS:
            raise _ComputedError
        return self._value(node, name)

    def _value(self, node: ast.expr, keyword: str) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.List | ast.Tuple):
            return [self._value(inner, keyword) for inner in node.elts]
        if isinstance(node, ast.Dict):
            pairs = [(None if key is None else self._value(key, keyword), value) for key, value in zip(node.keys, node.values, strict=True)]
            if any(not isinstance(key, str) for key, _ in pairs):
                raise _ComputedError
            return {key: self._value(value, keyword) for key, value in pairs}
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            value = self._value(node.operand, "")
            if isinstance(value, int | float):
                return -value
        if keyword in ("outputs", "retry_policy"):
            return self._type(node)
        if keyword == "for_each" and isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range" and not node.keywords:
            bounds = [self._value(inner, "") for inner in node.args]
            if 1 <= len(bounds) <= 3 and all(type(each) is int for each in bounds) and bounds[2:] != [0]:
                return range(*bounds)
        raise _ComputedError

    def _type(self, node: ast.expr) -> Any:
        """A class that a decorator names: one of Python's own, one of pipefile's, one of the file's."""
        if isinstance(node, ast.Subscript):
            return self._type(node.value)
        known = {"FileRef": FileRef, "Stream": Stream}.get(self.public(node))
        if known is not None:
            return known
        if isinstance(node, ast.Name):
            if node.id in self._classes:
                return _OfTheFile
            own = getattr(builtins, node.id, None)
            if isinstance(own, type):
                return own
        raise _ComputedError


class _OfTheFile:
    """Stands for a class that the file defines: what is kept of it is only that it is one."""


def _needed(arguments: ast.arguments) -> Iterator[str]:
    plain = [*arguments.posonlyargs, *arguments.args]
    for argument in plain[: len(plain) - len(arguments.defaults)]:
        yield argument.arg
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        if default is None:
            yield argument.arg
