"""What a `@pipeline` function calls, seen while it runs: calls of stages give handles, and handles among arguments are dependencies.

A trace belongs to one run of one pipeline function. It is found through a context variable, so pipelines in two threads do not meet, and nothing is
left of it afterwards.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NoReturn

from pipefile.base.errors import PipefileError
from pipefile.base.locations import Place
from pipefile.base.paths import show
from pipefile.load import tables
from pipefile.load.config import plain
from pipefile.load.faults import FaultError, did_you_mean
from pipefile.load.tables import RESULT, Table
from pipefile.model.fileref import FileRef

if TYPE_CHECKING:
    from pipefile.load.decorators import StageFunction

RESERVED = ("should_run", "after")
"""Keywords of a call in a pipeline that are about the stage rather than for its function."""

_OWN = ("ctx", "setup")  # parameters that pipefile fills

_current: ContextVar[Trace | None] = ContextVar("pipefile_trace", default=None)


class Call:
    """One call of a stage in a pipeline.

    Args:
        stage: What is called.
        name: The stage's name, with `#2` and so on from the second call in one pipeline.
        place: Where: absolute path of the file, and the line.
    """

    __slots__ = ("name", "place", "stage", "table")

    def __init__(self, stage: StageFunction[..., Any], name: str, place: tuple[str, int]) -> None:
        self.stage = stage
        self.name = name
        self.place = place
        self.table: Table = {}
        """As tables.table_of gives it, but with References in `inputs`, `should_run` and `after`."""

    def fail(self, message: str, hint: str = "") -> NoReturn:
        file, line = self.place
        raise PipefileError(message, (Place(file, text=f"`{show(self.name)}`", line=line),), hint)


class Reference:
    """An output of a call, as an input of another one; its name is written when all calls of a project have theirs."""

    __slots__ = ("call", "output")

    def __init__(self, call: Call, output: str | None) -> None:
        self.call = call
        self.output = output

    def text(self, name: str) -> str:
        """The reference, if the call's stage is called *name*; a file's path where the output has no name."""
        if self.output is not None:
            return f"{name}.{self.output}"
        outputs = self.call.table["outputs"]
        path = outputs if isinstance(outputs, str) else outputs[0]
        if isinstance(path, dict):
            path = path["path"]
        return path if path.startswith("/") else f"./{path}"


class Handle:
    """What a stage's call gives in a pipeline: `handle.info` is its output `info`, the handle itself its only output."""

    __slots__ = ("_call",)

    def __init__(self, call: Call) -> None:
        self._call = call

    def __getattr__(self, name: str) -> Output:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Output:
        if not isinstance(name, str):
            _unknown_value(f"`{show(self._call.name)}`", self._call)
        names = _output_names(self._call.table)
        if names is not None and name not in names:
            written = f"`{show(self._call.name)}.{show(name)}`"
            hint = did_you_mean(name, names, self._call.name + ".{}")
            self._call.fail(f"{written} is no output of stage `{show(self._call.stage.name)}`", hint or _listed(self._call, names))
        return Output(self._call, name)

    def __iter__(self) -> NoReturn:
        _unknown_value(f"`{show(self._call.name)}`", self._call)

    def __bool__(self) -> bool:  # noqa: PLE0304  # it gives none: it raises
        _unknown_value(f"`{show(self._call.name)}`", self._call)

    def __format__(self, _: str) -> NoReturn:
        _unknown_value(f"`{show(self._call.name)}`", self._call)

    def __repr__(self) -> str:
        return f"<stage {self._call.name}>"


class Output:
    """One output of a call."""

    __slots__ = ("_call", "_name")

    def __init__(self, call: Call, name: str) -> None:
        self._call = call
        self._name = name

    def _refuse(self, *_: object) -> NoReturn:
        _unknown_value(f"`{show(self._call.name)}.{show(self._name)}`", self._call)

    __iter__ = __bool__ = __format__ = __getitem__ = __len__ = __lt__ = __le__ = __gt__ = __ge__ = __add__ = __int__ = __float__ = _refuse

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        self._refuse()

    def __repr__(self) -> str:
        return f"<output {self._call.name}.{self._name}>"


def _unknown_value(what: str, call: Call) -> NoReturn:
    call.fail(f"{what} has no value while a pipeline is being joined: its stage has not run", "hand it to another stage, or to `should_run=`")


def _output_names(table: Mapping[str, Any]) -> list[str] | None:
    """Names of a stage's outputs; None where the keys of what it returns are its outputs."""
    outputs = table["outputs"]
    if tables.implicit(table):
        return None
    return list(outputs) if isinstance(outputs, dict) else []


def _listed(call: Call, names: Sequence[str]) -> str:
    return f"it has `{'`, `'.join(show(f'{call.name}.{name}') for name in names)}`" if names else ""


class Trace:
    """All calls of one run of a pipeline function, in order."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._times: dict[str, int] = {}

    def call(self, stage: StageFunction[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], place: tuple[str, int]) -> Handle:
        """Note a call.

        Raises:
            PipefileError: It does not fit the stage.
        """
        times = self._times[stage.name] = self._times.get(stage.name, 0) + 1
        call = Call(stage, stage.name if times == 1 else f"{stage.name}#{times}", place)
        call.table = _Binder(self, call).table(args, dict(kwargs))
        self.calls.append(call)
        return Handle(call)

    def owns(self, call: Call) -> bool:
        return any(each is call for each in self.calls)


def current() -> Trace | None:
    """The trace of the pipeline that is being joined here, if one is."""
    return _current.get()


@contextmanager
def tracing() -> Iterator[Trace]:
    """Calls of stages in the block give handles."""
    trace = Trace()
    token = _current.set(trace)
    try:
        yield trace
    finally:
        _current.reset(token)


def returned(trace: Trace, value: object, fail: Callable[[str, str], NoReturn]) -> list[Call | str]:
    """What a pipeline builds: the calls and paths in what its function returned, each once."""
    found: dict[int | str, Call | str] = {}
    todo = [value]
    while todo:
        item = todo.pop(0)
        if isinstance(item, Handle | Output):
            if not trace.owns(item._call):
                fail(f"returns {item!r}, which belongs to another pipeline", "")
            found[id(item._call)] = item._call
        elif isinstance(item, Mapping):
            todo = [*item.values(), *todo]
        elif isinstance(item, list | tuple):
            todo = [*item, *todo]
        elif isinstance(item, str | os.PathLike):
            path = os.fspath(item)
            if isinstance(path, str):
                found[path] = f"./{path}"
        elif item is None:
            fail("returns nothing, so there is nothing to build", "a pipeline returns what it builds: `return summary(...)`")
        else:
            fail(f"returns {tables.told(item)}", "a pipeline returns what it builds: what its stages gave it, in lists or dictionaries if need be")
    if not found:
        fail("returns nothing, so there is nothing to build", "a pipeline returns what it builds: `return summary(...)`")
    return list(found.values())


class _Binder:
    """Makes the table of one call: what the decorator declares, and over it what the call hands over."""

    def __init__(self, trace: Trace, call: Call) -> None:
        self._trace = trace
        self._call = call
        self._stage = call.stage

    def table(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Table:
        table = dict(self._stage.table)
        for name in RESERVED:
            if name in kwargs:
                table[name] = self._should_run(kwargs.pop(name)) if name == "should_run" else self._after(kwargs.pop(name))
        given = self._by_name(args, kwargs)
        declared = table.get("inputs", {})
        inputs, params = dict(declared) if isinstance(declared, dict) else {}, dict(table.get("params", {}))
        for name, value in given.items():
            self._bind(name, value, inputs, params)
        if isinstance(declared, dict):
            _put(table, "inputs", inputs)
        elif inputs:
            self._call.fail(f"stage `{show(self._stage.name)}` declares its inputs without names, so a call cannot add `{show(next(iter(inputs)))}`")
        _put(table, "params", params)
        missing = missing_arguments(self._stage, table)
        if missing:
            self._call.fail(f"stage `{show(self._stage.name)}` is called without `{show(missing[0])}`")
        return table

    def _by_name(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Arguments by parameter, each known and given once."""
        stage = self._stage
        names, open_ended = stage.parameters
        places = [name for name in names if name not in _OWN and name not in stage.written]
        if len(args) > len(places):
            takes = f"takes `{'`, `'.join(map(show, places))}`" if places else "takes nothing"
            self._call.fail(f"stage `{show(stage.name)}` is called with {len(args)} arguments, but {takes}")
        given = dict(zip(places, args, strict=False))
        for name, value in kwargs.items():
            if name in given:
                self._call.fail(f"stage `{show(stage.name)}` is given `{show(name)}` twice")
            if name in stage.written:
                self._call.fail(f"`{show(name)}` is an output of stage `{show(stage.name)}`: its decorator says where it is written")
            if name in _OWN:
                self._call.fail(f"`{name}` of stage `{show(stage.name)}` is given by pipefile")
            if name not in places and not open_ended:
                hint = did_you_mean(name, [*places, *RESERVED])
                self._call.fail(f"stage `{show(stage.name)}` has no parameter `{show(name)}`", hint)
            given[name] = value
        return given

    def _is_input(self, value: Any) -> bool:
        if isinstance(value, list | tuple) and value:
            return any(self._is_input(each) for each in value)
        return isinstance(value, Handle | Output | FileRef | os.PathLike)

    def _bind(self, name: str, value: Any, inputs: dict[str, Any], params: dict[str, Any]) -> None:
        if value is None and name in self._stage.optional:
            return  # as if it were left out: its default is none of ours to track
        texts = isinstance(value, str) or (isinstance(value, list | tuple) and bool(value) and all(isinstance(each, str) for each in value))
        if self._is_input(value) or (name in inputs and texts):
            inputs[name] = [self._input(each, name) for each in value] if isinstance(value, list | tuple) else self._input(value, name)
            params.pop(name, None)
            return
        inputs.pop(name, None)
        if self._holds_handle(value):
            what = f"`{show(name)}` of stage `{show(self._stage.name)}`"
            self._call.fail(f"{what} is a table with outputs in it", "hand them over one by one, or as a list")
        try:
            params[name] = tables.json(plain(value), f"`{show(name)}` of stage `{show(self._stage.name)}`", ())
        except FaultError as fault:
            self._call.fail(fault.message, fault.hint)

    def _holds_handle(self, value: Any) -> bool:
        if isinstance(value, Mapping):
            return any(self._holds_handle(each) for each in value.values())
        if isinstance(value, list | tuple):
            return any(self._holds_handle(each) for each in value)
        return isinstance(value, Handle | Output)

    def _input(self, value: Any, name: str) -> Any:
        if isinstance(value, Handle | Output):
            return self._reference(value)
        if isinstance(value, str):
            return value
        if isinstance(value, FileRef | os.PathLike):
            return os.fsdecode(value)
        what = f"`{show(name)}` of stage `{show(self._stage.name)}`"
        return self._call.fail(f"{what} is a list of outputs or files, but holds {tables.told(value)}")

    def _reference(self, value: Handle | Output) -> Reference:
        call = value._call
        if not self._trace.owns(call):
            self._call.fail(f"{value!r} belongs to another pipeline")
        if isinstance(value, Output):
            return Reference(call, value._name)
        names = _output_names(call.table)
        if names is None:
            return Reference(call, RESULT)
        if len(names) == 1:
            return Reference(call, names[0])
        outputs = call.table["outputs"]
        count = 1 if isinstance(outputs, str) else len(outputs)
        if count == 1:
            return Reference(call, None)
        if count:
            hint = _listed(call, names) or "give its outputs names"
            return self._call.fail(f"stage `{show(call.name)}` has {count} outputs, so a call has to say which it wants", hint)
        return self._call.fail(f"stage `{show(call.name)}` has no outputs to hand over", f"`after={show(call.name)}` puts it before")

    def _should_run(self, value: Any) -> Any:
        if isinstance(value, Handle | Output):
            return self._reference(value)
        if isinstance(value, str) or (isinstance(value, dict) and value):
            return value  # as Pipefile.toml has it
        return bool(value)

    def _after(self, value: Any) -> Any:
        values = list(value) if isinstance(value, list | tuple) else [value]
        found: list[Any] = []
        for each in values:
            if isinstance(each, Handle | Output):
                if not self._trace.owns(each._call):
                    self._call.fail(f"{each!r} belongs to another pipeline")
                found.append(each._call)
            elif isinstance(each, str):
                found.append(each)
            else:
                what = f"`after` of stage `{show(self._stage.name)}` holds {tables.told(each)}"
                self._call.fail(what, "it takes what stages gave, and names of stages")
        return found


def _put(table: Table, key: str, value: dict[str, Any]) -> None:
    if value:
        table[key] = value
    else:
        table.pop(key, None)


def missing_arguments(stage: StageFunction[..., Any], table: Mapping[str, Any]) -> list[str]:
    """Parameters that a stage's function needs and that nothing in its table gives."""
    inputs = table.get("inputs", {})
    known = {*(inputs if isinstance(inputs, dict) else ("inputs",)), *table.get("params", {}), *stage.written, "ctx"}
    if "setup" in table:
        known.add("setup")
    items = tables.item_names(table)
    if items is None:
        return []  # a table of `[global]` has the names
    known |= items
    return [name for name in stage.required if name not in known]


def finished(call: Call, names: Mapping[int, str]) -> Table:
    """The table of a call with the names that stages have in the project.

    Args:
        call: Which one.
        names: By id of the call.
    """
    table = dict(call.table)

    def written(value: Any) -> Any:
        if isinstance(value, Reference):
            return value.text(names[id(value.call)])
        if isinstance(value, Call):
            return names[id(value)]
        return [written(each) for each in value] if isinstance(value, list) else value

    if isinstance(table.get("inputs"), dict):
        table["inputs"] = {name: written(value) for name, value in table["inputs"].items()}
    for key in RESERVED:
        if key in table:
            table[key] = written(table[key])
    return table
