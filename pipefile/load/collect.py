"""Decorated functions, found in modules or joined by pipelines -> declarations."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from pipefile.base.dataclass import dataclass, field, replace
from pipefile.base.errors import GraphError, PipefileError
from pipefile.base.locations import Place
from pipefile.base.paths import show
from pipefile.load import tables, tracing
from pipefile.load.config import Config
from pipefile.load.declared import Declarations, DeclaredPipeline, DeclaredStage
from pipefile.load.decorators import PipelineFunction, StageFunction
from pipefile.load.tables import Table
from pipefile.load.tracing import Call, Trace
from pipefile.model.stage import Source, Value

Stage = StageFunction[..., Any]
Joined = PipelineFunction[..., Any]


@dataclass
class Joint:
    """A pipeline, and what its function did."""

    pipeline: Joined
    trace: Trace
    built: list[Call | str]


@dataclass
class Collector:
    """Gathers what modules declare.

    Args:
        root: Absolute path of the project root.
        table: `[global]`, with what was laid over it.
        fallbacks: Names of stages that stand in for others of the project.
    """

    root: str
    table: Mapping[str, Value]
    fallbacks: frozenset[str] = frozenset()
    _stages: dict[int, Stage] = field(default_factory=dict)
    _joints: list[Joint] = field(default_factory=list)

    def add_module(self, module: ModuleType) -> None:
        """Take the stages and pipelines that a module defines (not those that it imports), and run the pipelines' functions.

        Raises:
            PipefileError: A call in a pipeline does not fit its stage.
            BaseException: Whatever a pipeline raises.
        """
        for value in list(vars(module).values()):
            if isinstance(value, StageFunction) and value.origin.module == module.__name__:
                self._stages.setdefault(id(value), value)
            elif isinstance(value, PipelineFunction) and value.origin.module == module.__name__:
                self.add_pipeline(value)

    def add_pipeline(self, pipeline: Joined) -> None:
        """Run a pipeline's function, and take what it joins."""
        if all(joint.pipeline is not pipeline for joint in self._joints):
            self.add(self.join(pipeline))

    def join(self, pipeline: Joined) -> Joint:
        """Run a pipeline's function."""
        return Joint(pipeline, *pipeline.trace(Config(self.table)))

    def add(self, joint: Joint) -> None:
        """Take what a pipeline joins. Pipelines that come first have the first choice of names."""
        self._joints.append(joint)

    def declarations(self) -> Declarations:
        """All that was found. `files` is left empty.

        Raises:
            PipefileError: Two stages have one name, or a stage cannot be imported where it runs.
        """
        names, declared = self._name_calls()
        called = {self._key(call.stage) for joint in self._joints for call in joint.trace.calls}
        fallbacks = {table.get("fallback") for _, table in declared.values()}
        fallbacks |= {*self.fallbacks, *[stage.table.get("fallback") for stage in self._stages.values()]}
        stages: dict[str, DeclaredStage] = {}
        for name, (call, table) in declared.items():
            stages[name] = DeclaredStage(self._source(call.stage, call, name), self._finished(call.stage, table, name in fallbacks))
        alone: dict[str, Stage] = {}
        for stage in self._stages.values():
            if self._key(stage) in called:
                continue
            fallback = stage.name in fallbacks
            if not fallback and tracing.missing_arguments(stage, stage.table):
                continue  # one for pipelines: by itself it lacks an argument
            if stage.name in stages:
                first = alone.get(stage.name)
                source = stages[stage.name].source if first is None else self._source(first)
                raise self._twice(stage.name, source, self._source(stage))
            alone[stage.name] = stage
            stages[stage.name] = DeclaredStage(self._source(stage), self._finished(stage, stage.table, fallback))
        pipelines: dict[str, DeclaredPipeline] = {}
        for joint in self._joints:
            name = joint.pipeline.name
            source = Source(self._path(joint.pipeline.origin.file), joint.pipeline.origin.line, name)
            if name in pipelines:
                message = f"pipeline `{show(name)}` is declared twice"
                raise GraphError(message, [Place(show(each.file), line=each.line) for each in (pipelines[name].source, source)])
            pipelines[name] = DeclaredPipeline(source, tuple([each if isinstance(each, str) else names[id(each)] for each in joint.built]))
        return Declarations(self._ordered(stages), pipelines)

    def _ordered(self, stages: dict[str, DeclaredStage]) -> dict[str, DeclaredStage]:
        """Stages in the order in which modules define them, those of other modules after them."""
        order = {stage.name: place for place, stage in enumerate(self._stages.values())}
        return dict(sorted(stages.items(), key=lambda item: order.get(item[0].partition("#")[0], len(order))))

    def _name_calls(self) -> tuple[dict[int, str], dict[str, tuple[Call, Table]]]:
        """The stages' names in the project, by id of the call; and by name what is called, with its table.

        Calls that are alike in two pipelines are one stage. One that differs gets the next free number, as a second call in one pipeline does.
        """
        names: dict[int, str] = {}
        declared: dict[str, tuple[Call, Table]] = {}
        owners: dict[str, Stage] = {}  # the same function may be there twice: as its caller imported it, and as it was imported anew
        for joint in self._joints:
            mine: set[str] = set()
            for call in joint.trace.calls:
                table = tracing.finished(call, names)
                name, number = call.stage.name, 1
                if self._key(owners.setdefault(name, call.stage)) != self._key(call.stage):
                    raise self._twice(name, self._source(owners[name]), self._source(call.stage))
                while name in mine or (name in declared and declared[name][1] != table):
                    number += 1
                    name = f"{call.stage.name}#{number}"
                mine.add(name)
                names[id(call)] = name
                declared.setdefault(name, (call, table))
        return names, declared

    def _twice(self, name: str, first: Source, second: Source) -> PipefileError:
        return GraphError(f"stage `{show(name)}` is declared twice", [Place(show(each.file), line=each.line) for each in (first, second)])

    # --- where a function is found again

    def _finished(self, stage: Stage, table: Table, fallback: bool) -> Table:
        """The whole table: with the function's name, and without the result of one that only stands in for others."""
        module = self._module(stage)
        table = {"call": f"{module}:{self._attribute(stage)}", **table}
        if "setup" in table and isinstance(table["setup"], str):
            home, colon, function = table["setup"].partition(":")
            if colon and home in ("__main__", stage.origin.module):
                table["setup"] = f"{module}:{function}"
        return tables.finished(table, fallback)

    def _module(self, stage: Stage) -> str:
        """The name under which a stage's module is imported: from the root where the file lies in the project."""
        file = stage.origin.file
        if not file.startswith(self.root.rstrip("/") + "/") or "/site-packages/" in file:
            return stage.origin.module
        return module_name(self._path(file))

    def _key(self, stage: Stage) -> tuple[str, str]:
        return self._module(stage), self._attribute(stage)

    def _attribute(self, stage: Stage) -> str:
        """The name that a stage has in its module."""
        held, name = stage.origin.namespace, stage.__name__
        if held.get(name) is stage:
            return name
        found: str = next((key for key, value in held.items() if value is stage), "")
        if found:
            return found
        if getattr(held.get(name), "__code__", None) is stage.__code__:
            return name  # decorated under another name, but the function is there
        return stage.fail(f"stage `{show(stage.name)}` is not at the top level of its module, so it cannot be imported where it runs")

    def _source(self, stage: Stage, call: Call | None = None, name: str = "") -> Source:
        """Where a stage stands: its function; for a further call of it, and for a function from elsewhere, the call."""
        if call is not None and (not self._inside(stage.origin.file) or name != stage.name):
            return Source(self._path(call.place[0]), call.place[1])
        return Source(self._path(stage.origin.file), stage.origin.line, stage.plain.__name__)

    def _inside(self, file: str) -> bool:
        return file.startswith(self.root.rstrip("/") + "/")

    def _path(self, file: str) -> str:
        return file[len(self.root.rstrip("/")) + 1 :] if self._inside(file) else file


def module_name(path: str) -> str:
    """The dotted name of a Python file, by its path from the root.

    Raises:
        PipefileError: It has none.
    """
    parts = path.removesuffix(".py").removesuffix("/__init__").split("/")
    odd = next((part for part in parts if not part.isidentifier()), None)
    if odd is not None:
        raise PipefileError(f"`{show(path)}` cannot be imported: `{show(odd)}` is no name that Python knows for a module")
    return ".".join(parts)


def shortened(error: PipefileError, root: str) -> PipefileError:
    """*error* with the paths of its places from the root."""
    prefix = root.rstrip("/") + "/"
    error.places = tuple([replace(place, file=place.file.removeprefix(prefix)) for place in error.places])
    return error
