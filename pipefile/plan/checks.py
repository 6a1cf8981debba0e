"""Do the outputs of all stages fit beside each other? Before anything else, since every path has to have one meaning."""

from __future__ import annotations

from collections.abc import Sequence

from pipefile.base.errors import GraphError
from pipefile.base.locations import Place
from pipefile.base.paths import parents, show
from pipefile.model.stage import Stage


def check_outputs(stages: Sequence[Stage]) -> tuple[dict[str, int], dict[str, int]]:
    """Who makes what.

    Args:
        stages: By number of their edge.

    Returns:
        Output path -> edge; and the part of it that is directories.

    Raises:
        GraphError: A path has two makers, or lies inside another output.
    """
    producer: dict[str, int] = {}
    directories: dict[str, int] = {}
    folders: set[str] = set()
    for number, stage in enumerate(stages):
        for output in stage.outputs:
            path = output.path
            if path in producer:
                raise _made_twice(path, stages)
            producer[path] = number
            if output.directory:
                directories[path] = number
            cut = path.rfind("/")
            while cut > 0:
                folder = path[:cut]
                if folder in folders:
                    break
                folders.add(folder)
                cut = folder.rfind("/")
    clashes = folders.intersection(producer)
    if clashes:
        raise _nested(clashes, stages, producer, directories)
    return producer, directories


def _made_twice(path: str, stages: Sequence[Stage]) -> GraphError:
    makers = [stage for stage in stages for output in stage.outputs if output.path == path]
    distinct = list({maker.name: maker for maker in makers}.values())
    if len(distinct) == 1:
        return GraphError(f"`{show(path)}` is declared twice by stage `{show(makers[0].name)}`", (_place(makers[0]),))
    count = "two" if len(distinct) == 2 else str(len(distinct))
    return GraphError(f"`{show(path)}` is made by {count} stages", [_place(maker) for maker in distinct[:10]])


def _nested(clashes: set[str], stages: Sequence[Stage], producer: dict[str, int], directories: dict[str, int]) -> GraphError:
    for path, number in producer.items():
        for folder in parents(path):
            if folder not in clashes:
                continue
            inner, outer = stages[number], stages[producer[folder]]
            places = [_place(inner)] if inner is outer else [_place(inner), _place(outer)]
            if folder not in directories:
                return GraphError(f"`{show(path)}` needs a folder `{show(folder)}`, which is made as a file", places)
            whose = "another output of the same stage" if inner is outer else f"which stage `{show(outer.name)}` makes whole"
            return GraphError(f"`{show(path)}` lies in `{show(folder)}/`, {whose}", places)
    raise AssertionError("a clash that no output has part in")


def _place(stage: Stage) -> Place:
    return Place(stage.file, ("stage", stage.name, "outputs"), f"`{show(stage.name)}`")
