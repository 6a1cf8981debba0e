"""Modules that functions are called from: which of them are nowhere. None is imported, nor any package above one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from importlib.util import find_spec

from pipefile.base.errors import PipefileError
from pipefile.base.locations import Place
from pipefile.base.paths import join, parents, show, within
from pipefile.engine.session import Session
from pipefile.model.stage import Call, Stage


def missing_modules(session: Session) -> Iterator[PipefileError]:
    """A fault for each stage whose function, or `setup`, is in a module that does not exist.

    Whoever sets where modules are looked for, or makes them, is left to the build.
    """
    known: dict[tuple[str, str], str] = {}
    stages = {edge.stage.name: edge.stage for edge in session.graph.edges}
    for stage in stages.values():
        if "PYTHONPATH" in stage.env or "PYTHONPATH" in session.pipeline.dotenv or ("stage", stage.name) in session.pipeline.sources:
            continue
        for key, call in (("call", stage.action), ("setup", stage.setup)):
            if isinstance(call, Call):
                asked = (stage.folder, call.module)
                if asked not in known:
                    known[asked] = _missing(session, *asked)
                if known[asked]:
                    yield _fault(stage, key, call, known[asked])


def _fault(stage: Stage, key: str, call: Call, module: str) -> PipefileError:
    text = f"`{show(f'{call.module}:{call.function}')}` cannot be called: there is no module `{show(module)}` in the Pipefile's folder"
    return PipefileError(text, (Place(stage.file, ("stage", stage.name, key), f"`{show(stage.name)}`"),))


def _missing(session: Session, folder: str, module: str) -> str:
    """The name of the module, or of one of the packages above it, that is nowhere; "" if all may be somewhere."""
    parts = module.split(".")
    if _is_made(session, join(folder, parts[0])):
        return ""
    whole = session.disk.at(folder or ".")
    found = PathFinder.find_spec(parts[0], [whole])
    if found is None:
        return "" if parts[0] in sys.modules or find_spec(parts[0]) is not None else parts[0]
    for number in range(2, len(parts) + 1):
        inside = found.submodule_search_locations
        name = ".".join(parts[:number])
        if inside is None:  # a module, which holds no other
            return name
        found = PathFinder.find_spec(name, list(inside))
        if found is None:
            return name
    return ""


def _is_made(session: Session, path: str) -> bool:
    """Whether some stage makes a module or a package of that path, or something in it."""
    made = session.graph.producer
    if path in made or f"{path}.py" in made or any(folder in made for folder in parents(path)):
        return True
    rules = session.graph.rules
    return (rules is not None and rules.makeable(f"{path}.py") is not None) or any(within(each, path) for each in made)
