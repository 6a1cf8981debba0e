"""`@stage` and `@pipeline`: they tag functions, and nothing more. There is no registry: who wants the stages of a module looks into the module."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable
from functools import cached_property
from types import FrameType
from typing import Any, Generic, NoReturn, ParamSpec, TypeVar

from pipefile.base.errors import PipefileError, PipefileSyntaxError
from pipefile.base.locations import KeyPath, Place, Position
from pipefile.base.paths import show
from pipefile.load import tables, tracing
from pipefile.load.config import Config
from pipefile.load.faults import FaultError, did_you_mean

P = ParamSpec("P")
R = TypeVar("R")


class Origin:
    """Where a decorator was applied.

    Args:
        frame: Of the code that applied it.
    """

    __slots__ = ("file", "line", "module", "namespace")

    def __init__(self, frame: FrameType) -> None:
        self.file = os.path.abspath(frame.f_code.co_filename)
        self.line = frame.f_lineno
        self.module: str = frame.f_globals.get("__name__", "")
        self.namespace = frame.f_globals


class StageFunction(Generic[P, R]):
    """A function that is a stage as well.

    Called, it is the function; called while a pipeline is being joined, it is a stage of that pipeline and gives a handle. `__wrapped__` is the plain
    function, with its types.

    Attributes:
        name: The stage's name.
        table: What `[stage.NAME]` would say, without `call`.
        origin: Where it is declared.
    """

    __wrapped__: Callable[P, R]
    __name__: str
    __qualname__: str

    def __init__(self, function: Callable[P, R], keys: dict[str, Any], origin: Origin) -> None:
        functools.update_wrapper(self, function)
        self.pipefile_stage = True
        self.origin = origin
        name = keys.get("name")
        self.name: str = name if isinstance(name, str) else getattr(function, "__name__", "")
        if not inspect.isroutine(function) and not hasattr(function, "__wrapped__"):
            self.fail(f"`@stage` is for functions, and this is {tables.told(function)}")
        if name is None and self.name == "<lambda>":
            self.fail("a lambda has no name that a stage could have", hint='`stage(name="...")` gives it one')
        try:
            self.table = tables.table_of(self.name, keys, inspect.getdoc(function))
        except FaultError as fault:
            self.fail(fault.message, fault.key, fault.hint)
        if name is not None and not isinstance(name, str):
            self.fail(f"`name` of a stage must be a text, not {tables.told(name)}", ("stage", self.name, "name"))
        self._check_taken()
        for reserved in tracing.RESERVED:
            if reserved in self.parameters[0]:
                what = "whether it runs" if reserved == "should_run" else "what comes before it"
                self.fail(f"stage `{show(self.name)}` cannot have a parameter `{reserved}`: with that a pipeline says {what}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        trace = tracing.current()
        if trace is None:
            return self.__wrapped__(*args, **kwargs)
        frame = sys._getframe(1)
        return trace.call(self, args, kwargs, (os.path.abspath(frame.f_code.co_filename), frame.f_lineno))

    def __reduce__(self) -> str:
        return self.__qualname__  # pickled by name, as functions are

    def __repr__(self) -> str:
        return f"<stage {self.name}>"

    def _check_taken(self) -> None:
        """See that the function takes what the decorator says that it is handed: it would fail, perhaps after hours of what comes before."""
        names, takes_all = self.parameters
        if takes_all:
            return
        inputs, params = self.table.get("inputs", {}), self.table.get("params", {})
        handed = dict.fromkeys(inputs if isinstance(inputs, dict) else ["inputs"] if inputs else [], "inputs")
        handed |= dict.fromkeys(params if isinstance(params, dict) else [], "params")
        handed |= dict.fromkeys(sorted(self.written), "outputs")
        for name, key in handed.items():
            if name not in names:
                takes = f"it takes {', '.join([f'`{show(each)}`' for each in names])}" if names else "it takes no arguments"
                where: KeyPath = ("stage", self.name, key) if name == key else ("stage", self.name, key, name)
                what = f"stage `{show(self.name)}` hands over `{show(name)}`, which its function does not take: {takes}"
                self.fail(what, where, did_you_mean(name, names))

    @property
    def __code__(self) -> Any:
        """The function's, for whoever asks it whether calling it runs it."""
        return getattr(self.plain, "__code__", None)

    @property
    def plain(self) -> Any:
        """The function itself, below all decorators."""
        return inspect.unwrap(self.__wrapped__)

    @cached_property
    def _signature(self) -> inspect.Signature | None:
        try:
            return inspect.signature(self.__wrapped__)
        except (TypeError, ValueError):  # a function in C that does not tell
            return None

    @cached_property
    def parameters(self) -> tuple[tuple[str, ...], bool]:
        """Names of the parameters, and whether any other name is taken as well."""
        found = self._signature.parameters.values() if self._signature is not None else ()
        names = tuple([p.name for p in found if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)])
        return names, self._signature is None or any(p.kind is p.VAR_KEYWORD for p in found)

    @cached_property
    def required(self) -> tuple[str, ...]:
        """Parameters without a default."""
        found = self._signature.parameters.values() if self._signature is not None else ()
        return tuple([p.name for p in found if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)])

    @cached_property
    def optional(self) -> frozenset[str]:
        """Parameters whose default is None."""
        found = self._signature.parameters.values() if self._signature is not None else ()
        return frozenset([p.name for p in found if p.default is None])

    @cached_property
    def written(self) -> frozenset[str]:
        """Parameters that receive a path to write to."""
        outputs = self.table["outputs"]
        if not isinstance(outputs, dict):
            return frozenset(["outputs"] if outputs else ())
        return frozenset([name for name, spec in outputs.items() if not (isinstance(spec, str) and spec.startswith("value:"))])

    def fail(self, message: str, key: KeyPath = (), hint: str = "") -> NoReturn:
        """Raise a fault of the declaration, at its line and in its file."""
        raise located(message, self.origin, getattr(self, "__qualname__", ""), key or ("stage", self.name), hint)


class PipelineFunction(Generic[P, R]):
    """A function that joins stages. Called, it is the function: its stages are then called as the functions that they are.

    Attributes:
        name: Its name, which is an alias of what it returns.
        origin: Where it is declared.
    """

    __wrapped__: Callable[P, R]
    __name__: str
    __qualname__: str

    def __init__(self, function: Callable[P, R], origin: Origin) -> None:
        functools.update_wrapper(self, function)
        self.pipefile_pipeline = True
        self.origin = origin
        self.name: str = getattr(function, "__name__", "")
        if not inspect.isfunction(function) or self.name == "<lambda>":
            self.fail(f"`@pipeline` is for functions with a name, and this is {tables.told(function)}")

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.__wrapped__(*args, **kwargs)

    def __reduce__(self) -> str:
        return self.__qualname__

    def __repr__(self) -> str:
        return f"<pipeline {self.name}>"

    def trace(self, config: Config) -> tuple[tracing.Trace, list[tracing.Call | str]]:
        """Run the function once and see what it joins.

        Returns:
            Its calls, and those of them (and files) that it returned.

        Raises:
            PipefileError: Calls do not fit their stages, or it returns nothing that can be built.
            BaseException: Whatever the function raises.
        """
        wanted = [p for p in inspect.signature(self.__wrapped__).parameters.values() if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
        if len(wanted) > 1:
            self.fail(f"pipeline `{show(self.name)}` takes one argument, the configuration, and not {len(wanted)}")
        function: Callable[..., object] = self.__wrapped__
        with tracing.tracing() as trace:
            try:
                result = function(config) if inspect.signature(function).parameters else function()
            except PipefileError as error:
                if not error.places:
                    error.places = _where(error)
                raise
        return trace, tracing.returned(trace, result, lambda text, hint: self.fail(f"pipeline `{show(self.name)}` {text}", hint))

    def fail(self, message: str, hint: str = "") -> NoReturn:
        raise located(message, self.origin, getattr(self, "__qualname__", ""), ("alias", self.name), hint)


def _where(error: PipefileError) -> tuple[Place, ...]:
    """The line of a pipeline that an error comes from."""
    from traceback import extract_tb

    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
    frames = [frame for frame in extract_tb(error.__traceback__) if not frame.filename.startswith(own)]
    return tuple([Place(show(frame.filename), text=show(frame.line or ""), line=frame.lineno) for frame in frames[-1:]])


def located(message: str, origin: Origin, function: str, key: KeyPath, hint: str = "") -> PipefileError:
    """A fault of a declaration as users see it: with the line of source, where its file can be read."""
    from pipefile.load.pysource import position_in

    position = position_in(origin.file, function, origin.line, key) or Position(origin.line, 1)
    return PipefileSyntaxError(message, Place(show(origin.file), key), hint, position)
