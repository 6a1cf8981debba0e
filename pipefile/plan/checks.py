"""Do the outputs of all stages fit beside each other? Before anything else, since every path has to have one meaning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pipefile.base.errors import GraphError
from pipefile.base.locations import Place
from pipefile.base.paths import parents, show
from pipefile.model.stage import Stage


class Outputs(NamedTuple):
    """Who makes what.

    Args:
        producer: Output path -> edge.
        directories: The part of it that is directories.
        checkpoints: Those, which are in none of the others.
        temps: The part of `producer` that is removed when it is not needed any more.
        optional: The part of it that may be absent after its stage has run.
    """

    producer: dict[str, int]
    directories: dict[str, int]
    checkpoints: dict[str, int]
    temps: dict[str, int]
    optional: dict[str, int]


def check_outputs(stages: Sequence[Stage], names: Sequence[str]) -> Outputs:
    """Who makes what.

    Args:
        stages: By number of their edge.
        names: Of the edges.

    Raises:
        GraphError: A path has two makers, or lies inside another output.
    """
    producer: dict[str, int] = {}
    directories: dict[str, int] = {}
    checkpoints: dict[str, int] = {}
    temps: dict[str, int] = {}
    optional: dict[str, int] = {}
    folders: set[str] = set()
    for number, stage in enumerate(stages):
        for output in stage.outputs:
            path = output.path
            if path in producer:
                raise _made_twice(path, stages, names)
            producer[path] = number
            if output.directory:
                directories[path] = number
            if output.temp:
                temps[path] = number
            elif output.checkpoint:
                checkpoints[path] = number
            if output.optional:
                optional[path] = number
            cut = path.rfind("/")
            while cut > 0:
                folder = path[:cut]
                if folder in folders:
                    break
                folders.add(folder)
                cut = folder.rfind("/")
    clashes = folders.intersection(producer)
    if clashes:
        raise _nested(clashes, stages, names, producer, directories)
    for path in checkpoints:
        del producer[path]
        directories.pop(path, None)
    return Outputs(producer, directories, checkpoints, temps, optional)


def _made_twice(path: str, stages: Sequence[Stage], names: Sequence[str]) -> GraphError:
    makers = [number for number, stage in enumerate(stages) for output in stage.outputs if output.path == path]
    distinct = list(dict.fromkeys(makers))
    places = [_place(stages[number], names[number]) for number in distinct[:10]]
    first = stages[distinct[0]]
    if len(distinct) == 1:
        return GraphError(f"`{show(path)}` is declared twice by stage `{show(names[distinct[0]])}`", places)
    count = "two" if len(distinct) == 2 else str(len(distinct))
    if all(stages[number].name == first.name for number in distinct):
        hint = "outputs need something of the item that no other item has; `{x.stem}` alone leaves out the folder, which `{x.parent}` is"
        return GraphError(f"`{show(path)}` is made by {count} instances of stage `{show(first.name)}`", places, hint)
    return GraphError(f"`{show(path)}` is made by {count} stages", places)


def _nested(clashes: set[str], stages: Sequence[Stage], names: Sequence[str], producer: dict[str, int], directories: dict[str, int]) -> GraphError:
    for path, number in producer.items():
        for folder in parents(path):
            if folder not in clashes:
                continue
            inner, outer = stages[number], stages[producer[folder]]
            numbers = [number] if inner is outer else [number, producer[folder]]
            places = [_place(stages[each], names[each]) for each in numbers]
            if folder not in directories:
                return GraphError(f"`{show(path)}` needs a folder `{show(folder)}`, which is made as a file", places)
            whose = "another output of the same stage" if inner is outer else f"which stage `{show(names[producer[folder]])}` makes whole"
            return GraphError(f"`{show(path)}` lies in `{show(folder)}/`, {whose}", places)
    raise AssertionError("a clash that no output has part in")


def _place(stage: Stage, name: str) -> Place:
    return Place(stage.file, ("stage", stage.name, "outputs"), f"`{show(name)}`")
