"""pipefile: a Make-style build tool in Python.

The public names. They are imported when they are asked for, so that `import pipefile` costs nothing in the fast lane of the
command line, which every no-op build takes.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as typing's, whose import alone costs a third of a no-op build
if TYPE_CHECKING:
    from pipefile.api import Pipeline, RunError, pipeline, stage
    from pipefile.base.errors import PipefileError
    from pipefile.execute.context import Context
    from pipefile.model.fileref import FileRef
    from pipefile.model.run import RunResult
    from pipefile.model.stream import Stream

__version__ = "0.1.0.dev0"
__all__ = ["Context", "FileRef", "PipefileError", "Pipeline", "RunError", "RunResult", "Stream", "__version__", "pipeline", "stage"]

_HOMES = {
    "Context": "pipefile.execute.context",
    "FileRef": "pipefile.model.fileref",
    "PipefileError": "pipefile.base.errors",
    "Pipeline": "pipefile.api",
    "RunError": "pipefile.api",
    "RunResult": "pipefile.model.run",
    "Stream": "pipefile.model.stream",
    "pipeline": "pipefile.api",
    "stage": "pipefile.api",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'pipefile' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)
