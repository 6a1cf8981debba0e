"""What can be named on a command line: stages, aliases, outputs, runs. From the index while the Pipefile stands as it was, else from its text."""

from __future__ import annotations

import os

from pipefile.base.dataclass import dataclass
from pipefile.engine.fastlane import STORE, store_of
from pipefile.engine.outline import Outline
from pipefile.store.index import Damaged

TYPE_CHECKING = False  # as typing's, whose import takes a sixth of the answer
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_LARGEST = 50 << 20


@dataclass(frozen=True, slots=True)
class Names:
    """What a project has names for.

    Args:
        stages: Stages and instances of stages (`thumbs@photos/a.jpg`), in order.
        aliases: Aliases.
        outputs: Paths of outputs from the root, a slash after those that are known to be folders.
        profiles: Profiles of the Pipefile.
    """

    stages: tuple[str, ...]
    aliases: tuple[str, ...]
    outputs: tuple[str, ...]
    profiles: tuple[str, ...]


def names(root: str, file: str) -> Names:
    """What a project has names for.

    Args:
        root: The project's root, absolute.
        file: The Pipefile, from there.

    Raises:
        Exception: The Pipefile cannot be read.
    """
    try:
        with Outline(root, store_of(root) or STORE, file) as outline:
            document = _head(outline)
            aliases, profiles = document.get("alias", ()), document.get("profile", ())
            return Names(tuple(outline.names()), tuple(aliases), tuple(outline.targets()), tuple(profiles))
    except (Damaged, OSError, ValueError):
        return _read(root, file)


def _head(outline: Outline) -> dict[str, Any]:
    try:
        found: dict[str, Any] = outline.head()["document"]
    except (Damaged, ValueError, KeyError):
        return {}
    return found


def _read(root: str, file: str) -> Names:
    """From the text. Nothing is checked: a Pipefile that is being written is wrong most of the time."""
    import tomli

    with open(f"{root}/{file}", "rb") as pipefile:
        document = tomli.loads(pipefile.read(_LARGEST).decode("utf-8-sig"))
    settings = document.get("pipefile", {})
    if settings.get("python") or settings.get("include"):
        return _declared(root, file)
    stages = document.get("stage", {})
    found: list[str] = []
    for table in stages.values():
        if type(table) is dict:
            found += _paths(table.get("outputs", ()))
    if any("{" in path for path in found):
        found = _filled(found, document.get("global", {}))
    outputs = tuple([os.path.normpath(path) + "/" * path.endswith("/") for path in found])
    return Names(tuple(stages), tuple(document.get("alias", ())), outputs, tuple(document.get("profile", ())))


def _paths(outputs: Any) -> Iterable[str]:
    """The paths of an `outputs`, whatever form it has."""
    if type(outputs) is str:
        return () if outputs.startswith("value:") else (outputs,)
    if type(outputs) is dict and "path" in outputs:
        return _paths(outputs["path"])
    inner = outputs.values() if type(outputs) is dict else outputs if type(outputs) in (list, tuple) else ()
    return [path for each in inner for path in _paths(each)]


def _filled(paths: list[str], table: Any) -> list[str]:
    from pipefile.load.faults import FaultError
    from pipefile.load.values import Globals

    known = Globals(table)
    found = []
    for path in paths:
        try:
            found.append(known.fill_path(path, "", ()))
        except FaultError:  # a placeholder of each instance, or one that is not known
            pass
    return found


def _declared(root: str, file: str) -> Names:
    """With what is known of Python files without running them."""
    from pipefile.base.clock import SystemClock
    from pipefile.base.disk import OsDisk
    from pipefile.engine.query import listing
    from pipefile.engine.session import Project

    found = listing(Project(root, file, OsDisk(root), SystemClock()), {}, lambda _: None, places=False)
    inside = f"{found.pipeline.settings.store}/"
    plain = [each for each in found.stages if each.stage.for_each is None]
    paths = [output for each in plain for output in each.outputs if not output.startswith(inside)]
    profiles = tuple(found.pipeline.document.get("profile", ()))
    return Names(tuple([each.stage.name for each in found.stages]), tuple(found.pipeline.aliases), tuple(paths), profiles)


def runs(root: str) -> list[str]:
    """Ids of runs, the latest first."""
    found = sorted(os.listdir(f"{root}/{store_of(root) or STORE}/runs"), reverse=True)
    return ["latest", *found]


def below(paths: Iterable[str], folder: str, begun: str) -> list[str]:
    """What follows in *folder*: names of files, and names of folders with a slash.

    Args:
        paths: Paths from the root; a slash after folders.
        folder: "" for the root, else with a slash after it.
        begun: How the name begins.
    """
    start = len(folder)
    prefix = folder + begun
    found: dict[str, None] = {}
    for path in paths:
        if path.startswith(prefix):
            name, slash, _ = path[start:].partition("/")
            found[name + slash] = None
    return sorted(found)
