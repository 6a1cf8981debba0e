"""The fast lane, asked in this process."""

from __future__ import annotations

import gc
import os
from collections.abc import Mapping

from kit.project import Project


def lane(project: Project, *words: str, cwd: str = ".", env: Mapping[str, str] | None = None) -> str | None:
    """What `pipefile WORDS` would print without looking at a stage; None if it would go the ordinary way."""
    from pipefile.engine.fastlane import answer

    here, environ = os.getcwd(), dict(os.environ)
    there = os.path.normpath(project.path(cwd))
    try:
        os.environ.clear()
        os.environ.update({**project.environ, **(env or {})})
        os.chdir(there)
        found = answer(words)
        assert found is not None or (os.getcwd(), gc.isenabled()) == (there, True), "the ordinary way does not begin as without the lane"
    finally:
        gc.enable()
        os.chdir(here)
        os.environ.clear()
        os.environ.update(environ)
    return found
