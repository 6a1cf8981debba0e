"""The lock around the commands besides `build` that write: `clean`, `accept`, `runs rm`, `cache gc` and `cache verify`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from pipefile.base.errors import PipefileError
from pipefile.engine.session import Project, Session
from pipefile.load.loader import load
from pipefile.load.locate import make_locator
from pipefile.model.options import Options
from pipefile.model.stage import Pipeline, Settings
from pipefile.store.folder import check_store
from pipefile.store.lock import Lock, check_not_nested


@contextmanager
def locked(
    project: Project,
    options: Options,
    warn: Callable[[str], None],
    on_wait: Callable[[int, str], None],
    note: Callable[[str], None] | None = None,
    look: Callable[[], Session] | None = None,
) -> Iterator[Session]:
    """A look at the project that nobody else changes meanwhile.

    Args:
        project: Which project.
        options: `wait`, `environ`, `command` and `targets` are used.
        warn: Takes warnings.
        on_wait: Told the pid and the command of the build that is waited for.
        note: Told where not all of the graph is known.
        look: Makes the session, where that is not an ordinary one.

    Raises:
        LockedError: Another build has the lock, and waiting was not wanted or would never end.
        PipefileError: The Pipefile or the graph is wrong.
    """
    with locked_store(project, options, on_wait):
        yield Session(project, options.environ, warn, note=note, targets=options.targets) if look is None else look()


@contextmanager
def locked_store(project: Project, options: Options, on_wait: Callable[[int, str], None]) -> Iterator[Settings]:
    """As `locked`, for what looks at the store alone: the Pipefile has to be in order, not the graph."""
    check_not_nested(options.environ, project.root)
    pipeline = _pipeline(project, options.environ)
    settings = pipeline.settings
    check_store(project.disk, settings)
    lock = Lock(project.disk, settings.store, project.clock, options.command, tuple(pipeline.scopes))
    lock.acquire(options.wait, on_wait)
    try:
        yield settings
    finally:
        lock.release()


def settings_of(project: Project, environ: Mapping[str, str]) -> Settings:
    """`[pipefile]`.

    Raises:
        PipefileError: The Pipefile is wrong.
    """
    return _pipeline(project, environ).settings


def _pipeline(project: Project, environ: Mapping[str, str]) -> Pipeline:
    try:
        return load(project.disk, project.file, environ)
    except PipefileError as error:
        error.locate(make_locator(project.disk))
        raise
