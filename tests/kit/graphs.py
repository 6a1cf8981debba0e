"""Pipelines in one line, and a world that is a set of names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

from pipefile.base.errors import InputError, PipefileError
from pipefile.base.paths import parents
from pipefile.model.graph import Graph
from pipefile.model.stage import Command, InputGroup, InputItem, Output, Pipeline, Settings, Stage, Value
from pipefile.plan.patterns import bytewise, matcher
from pipefile.plan.resolve import resolve

Inputs = Sequence[str] | Mapping[str, str | Sequence[str]]


class FakeWorld:
    """Files by path; folders are what they lie in."""

    def __init__(self, *files: str) -> None:
        self.files = set(files)
        self.folders = {folder for file in files for folder in parents(file)}
        self.globbed: list[str] = []
        self.makers: dict[str, str] = {}  # what records say
        self.plain: set[str] = set()

    def kind(self, path: str) -> Literal["absent", "file", "directory", "other"]:
        if path in self.files:
            return "file"
        return "directory" if path in self.folders else "absent"

    def glob(self, pattern: str) -> Sequence[str]:
        self.globbed.append(pattern)
        matches = matcher(pattern)
        assert matches is not None
        return bytewise([file for file in self.files if matches(file)])

    def links(self, pattern: str) -> Sequence[str]:
        return ()

    def late(self, pattern: str, folders: Collection[str]) -> Sequence[str]:
        return self.glob(pattern)

    def value(self, output: Output, entry: str) -> object:
        raise InputError("there is none")

    def real(self, path: str) -> str:
        return path

    def made_by(self, path: str) -> str:
        return self.makers.get(path, "")

    def names(self, folder: str) -> Sequence[str]:
        base = folder + "/" if folder else ""
        return sorted({path[len(base) :].split("/")[0] for path in self.files if path.startswith(base)})


def stage(
    name: str,
    inputs: Inputs = (),
    outputs: Sequence[str] | Mapping[str, str] = (),
    run: str = "",
    *,
    after: tuple[str, ...] = (),
    optional: bool = False,
    depfile: str = "",
    folder: str = "",
    infer_inputs: bool = True,
) -> Stage:
    """A stage as the loader would make it. A path that ends in `/` is a directory."""
    if isinstance(inputs, Mapping):
        lists = {key: [texts] if isinstance(texts, str) else texts for key, texts in inputs.items()}
        groups = [
            InputGroup(key, tuple(InputItem(text, optional) for text in texts), many=not isinstance(inputs[key], str)) for key, texts in lists.items()
        ]
    else:
        groups = [InputGroup(None, (InputItem(text, optional),)) for text in inputs]
    named = outputs.items() if isinstance(outputs, Mapping) else [(None, path) for path in outputs]
    return Stage(
        name,
        inputs=tuple(groups),
        outputs=tuple(Output(key, path.rstrip("/"), directory=path.endswith("/")) for key, path in named),
        action=Command(run, (run,)) if run else None,
        after=after,
        depfile=depfile,
        folder=folder,
        infer_inputs=infer_inputs,
    )


def pipeline(
    stages: Iterable[Stage],
    *,
    aliases: Mapping[str, tuple[str, ...]] | None = None,
    default: tuple[str, ...] | None = None,
    values: Mapping[str, Value] | None = None,
) -> Pipeline:
    return Pipeline("/project", "Pipefile.toml", {}, Settings(default=default), values or {}, aliases or {}, {each.name: each for each in stages})


def graph_of(*stages: Stage, world: FakeWorld | None = None, **declared: object) -> Graph:
    return resolve(pipeline(stages, **declared), world or FakeWorld())  # type: ignore[arg-type]


def fault_of(*stages: Stage, world: FakeWorld | None = None, **declared: object) -> str:
    """The whole text of the error that resolving ends with."""
    try:
        graph_of(*stages, world=world, **declared)
    except PipefileError as error:
        return str(error)
    raise AssertionError("the stages fit together")


def needs_of(graph: Graph, name: str) -> list[tuple[str, tuple[str, ...]]]:
    """Kind and paths of the inputs of one stage."""
    edge = graph.edges[graph.by_stage[name][0]]
    return [(need.files.kind, need.files.paths) for need in edge.needs if need.files is not None]


def before(graph: Graph, name: str) -> list[str]:
    """Names of the edges that a stage waits for because of files, groups taken apart."""
    found = []
    for node in graph.depends[graph.by_stage[name][0]]:
        found += [node] if node < len(graph.edges) else graph.groups[node - len(graph.edges)]
    return [graph.edges[number].name for number in found]
