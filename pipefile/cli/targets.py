"""Targets as the user typed them -> as the engine takes them.

A word is an alias, then a stage (or one instance, `thumbs@photos/a.jpg`), then a path from where the user stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pipefile.base import paths
from pipefile.base.errors import PipefileError, UsageError

if TYPE_CHECKING:
    from pipefile.cli.request import Request
    from pipefile.engine.session import Project


def resolve(request: Request, words: Iterable[str]) -> tuple[str, ...]:
    """The targets, with paths relative to the project root.

    Raises:
        UsageError: A path leads out of the project.
    """
    project = request.project
    names: frozenset[str] | None = None
    found = []
    for word in words:
        if request.cwd == project.root and _is_plain(word):
            found.append(word)  # name or path, it means the same from here: no need to know the names
            continue
        if names is None:
            names = _names(project)
        if word in names or word.partition("@")[0] in names:
            found.append(word)
            continue
        try:
            path = paths.from_user(word, request.cwd, project.root)
        except paths.BadPathError as error:
            raise UsageError(f"`{paths.show(word)}` is {error}") from None
        found.append(f"./{path}" if path in names else path)
    return tuple(found)


def _is_plain(word: str) -> bool:
    try:
        return paths.normalise(word) == word.rstrip("/") and not word.startswith("/")
    except paths.BadPathError:
        return False


def _names(project: Project) -> frozenset[str]:
    """Names of aliases and stages. A file that cannot be read has none here; the engine says what is wrong with it."""
    from tomli import TOMLDecodeError, loads

    from pipefile.load.include import names

    try:
        settings = loads(project.disk.read(project.file).decode("utf-8-sig")).get("pipefile")
    except (OSError, UnicodeDecodeError, TOMLDecodeError, RecursionError):
        return frozenset()
    found = names(project.disk, project.file)
    return found | _decorated(project) if isinstance(settings, dict) and settings.get("python") else found


def _decorated(project: Project) -> frozenset[str]:
    """Names of what Python files declare."""
    from pipefile.engine.declare import names
    from pipefile.load.loader import load

    try:
        return names(project.disk, load(project.disk, project.file, {}).settings)
    except PipefileError:
        return frozenset()
