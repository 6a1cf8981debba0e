"""Decorated stages and pipelines as data, on their way from Python files into the Pipeline that Pipefile.toml begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipefile.base.dataclass import dataclass, field
from pipefile.base.errors import GraphError, PipefileError, PipefileSyntaxError
from pipefile.base.locations import KeyPath, Locator, Place, Position
from pipefile.base.paths import show
from pipefile.load.faults import FaultError
from pipefile.load.locate import make_locator
from pipefile.model.ports import Disk
from pipefile.model.stage import Settings, Source, Value


@dataclass(frozen=True, slots=True)
class DeclaredStage:
    """A decorated stage, standing alone or as a pipeline calls it: the table that `[stage.NAME]` would be, and where it stands."""

    source: Source
    table: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DeclaredPipeline:
    """A pipeline: an alias of what its function returned. `targets` are names of stages, and files as `./PATH`."""

    source: Source
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Declarations:
    """What Python files declare.

    Args:
        stages: By name, in order.
        pipelines: By name.
        files: Digests of the files that they were read from, by path from the root; None for one whose absence counts.
        unknown: Files of which only a part is known until a build runs them.
        partial: Stages of these files that are known by name, with what can be read of their tables.
        joined: A program has added a pipeline of its own. It may have others, of which nothing is known here.
    """

    stages: Mapping[str, DeclaredStage] = field(default_factory=dict)
    pipelines: Mapping[str, DeclaredPipeline] = field(default_factory=dict)
    files: Mapping[str, str | None] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    partial: Mapping[str, DeclaredStage] = field(default_factory=dict)
    joined: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """What declarations are asked for.

    Args:
        settings: `python` names the files.
        table: `[global]`, with what was laid over it.
        fallbacks: Names that stages of the Pipefile have as their fallbacks: a decorated stage of such a name may lack arguments.
    """

    settings: Settings
    table: Mapping[str, Value]
    fallbacks: frozenset[str] = frozenset()


Declare = Callable[[Asked], Declarations]
"""Gives the declarations of the files that `[pipefile] python` names."""


def join(document: dict[str, Any], file: str, declared: Declarations) -> dict[str, Any]:
    """The document of a Pipefile with what Python files declare in it, as if it were written there.

    Args:
        document: As TOML has it; left as it is.
        file: The Pipefile.
        declared: What joins it.

    Raises:
        GraphError: A name is declared twice.
    """
    stages, aliases = dict(document.get("stage", {})), dict(document.get("alias", {}))
    for name, stage in declared.stages.items():
        if name in stages:
            raise _twice(f"stage `{show(name)}`", file, ("stage", name), stage.source)
        stages[name] = stage.table
    for name, pipeline in declared.pipelines.items():
        for table, kind in ((aliases, "alias"), (stages, "stage")):
            if name in table:
                other = declared.stages[name].source if kind == "stage" and name in declared.stages else None
                message = f"`{show(name)}` is both {'an alias' if kind == 'alias' else 'a stage'} and a pipeline"
                raise _clash(message, file, (kind, name), other, pipeline.source)
        aliases[name] = list(pipeline.targets)
    return {**document, "stage": stages, "alias": aliases}


def without_unknown(document: dict[str, Any]) -> dict[str, Any]:
    """A document whose `default`, aliases and `after` no longer name what a file might declare of which only a part is known."""
    stages, aliases = document.get("stage", {}), document.get("alias", {})

    def kept(names: Any) -> Any:
        if not isinstance(names, list):
            return names if not isinstance(names, str) or known(names) else []
        return [name for name in names if not isinstance(name, str) or known(name)]

    def known(name: str) -> bool:
        return name in stages or name in aliases or "/" in name or "." in name

    settings = dict(document.get("pipefile", {}))
    if "default" in settings:
        settings["default"] = kept(settings["default"])
    aliases = {name: kept(targets) for name, targets in aliases.items()}
    stages = {
        name: {**table, "after": kept(table["after"])} if isinstance(table, dict) and "after" in table else table for name, table in stages.items()
    }
    return {**document, "pipefile": settings, "stage": stages, "alias": aliases}


def _twice(what: str, file: str, key: KeyPath, source: Source) -> GraphError:
    return _clash(f"{what} is declared twice", file, key, None, source)


def _clash(message: str, file: str, key: KeyPath, other: Source | None, source: Source) -> GraphError:
    first = Place(show(file), key) if other is None else Place(show(other.file), line=other.line)
    return GraphError(message, (first, Place(show(source.file), line=source.line)))


# --- places


def python_locator(disk: Disk, sources: Mapping[tuple[str, str], Source]) -> Locator:
    """A locator for Pipefiles and for the Python files that declare stages beside them.

    Args:
        disk: Where they are.
        sources: As Pipeline.sources.
    """
    toml = make_locator(disk)

    def locate(file: str, key: KeyPath) -> Position | None:
        source = sources.get((str(key[0]), str(key[1]))) if len(key) > 1 else None
        return toml(file, key) if source is None or source.file != file else position_of(disk, source, key)

    return locate


def position_of(disk: Disk, source: Source, key: KeyPath) -> Position | None:
    """Where a part of a declaration stands in its Python file."""
    from pipefile.load.pysource import position

    try:
        found = position(disk.read(source.file), source.function, source.line, key)
    except OSError:
        found = None
    return found or (Position(source.line, 1) if source.line else None)


def located(disk: Disk, fault: FaultError, source: Source) -> PipefileError:
    """A fault of a decorated stage as users see it."""
    return PipefileSyntaxError(fault.message, Place(show(source.file), fault.key), fault.hint, position_of(disk, source, fault.key))
