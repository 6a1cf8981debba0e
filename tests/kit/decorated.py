"""Values of any type in Pipefile.toml, which users can declare for decorated functions alone: what decorators come to, without them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from kit.project import Project

_PROGRAM = """from pipefile.load.stages import StageReader
class Every:
    def __contains__(self, name):
        return True
StageReader.__init__.__defaults__ = (Every(),)
"""


class _Every:
    def __contains__(self, name: object) -> bool:
        return True


@contextmanager
def any_type(*projects: Project) -> Iterator[None]:
    """Let `outputs = { rows = "value:stream" }` and the like be read as if a decorator had said so, in this process and by the projects' programs."""
    from pipefile.load.stages import StageReader

    for project in projects:
        folder = os.path.join(project.side, "decorated")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "sitecustomize.py"), "w", encoding="utf-8") as file:
            file.write(_PROGRAM)
        project.environ["PYTHONPATH"] = f"{folder}:{project.environ['PYTHONPATH']}"
    before = StageReader.__init__.__defaults__
    StageReader.__init__.__defaults__ = (_Every(),)
    try:
        yield
    finally:
        StageReader.__init__.__defaults__ = before
