"""`pipefile watch`: build, and build again at each change."""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import click

from pipefile.base.commands import COMMANDS
from pipefile.base.errors import PipefileError
from pipefile.cli import options
from pipefile.cli.request import Request

if TYPE_CHECKING:
    from pipefile.cli.building import Given
    from pipefile.engine.interrupt import Interrupts
    from pipefile.model.run import RunResult
    from pipefile.watch.folders import Queue
    from pipefile.watch.rounds import OnBusy
    from pipefile.watch.watcher import Begin


_MOST = 1000  # names of edges that the watcher is told of


class _Given(TypedDict):
    targets: tuple[str, ...]
    jobs: int | None
    keep_going: bool
    load: float | None
    why: bool
    schedule: str
    mode: str | None
    no_cache: bool
    as_json: bool
    on_busy: OnBusy
    debounce: int
    poll: bool


@click.command("watch", short_help=COMMANDS["watch"])
@options.targets
@options.on_busy
@options.debounce
@options.poll
@options.jobs
@options.keep_going
@options.load
@options.why
@options.schedule
@options.mode
@options.no_cache
@options.as_json
@options.overlay
@options.global_options
@click.pass_obj
def command(request: Request, **given: Unpack[_Given]) -> int:
    """Build what is stale of each TARGET, then again whenever a source, an output or the Pipefile changes.

    On a terminal `r` builds at once, `q` ends the watch; elsewhere a signal ends it.
    """
    return start(request, given)


def start(request: Request, given: _Given, make: Callable[[], Queue] | None = None, idle: float | None = None) -> int:
    """Watch. Returns the exit status.

    Args:
        request: The command line.
        given: Its options.
        make: Makes the queue of events; None takes that of the system.
        idle: Seconds between two looks at everything; None for as many as make no difference to the machine.

    Raises:
        PipefileError: There is no project, or this is a stage of a build in it.
    """
    from pipefile.engine.interrupt import Interrupts
    from pipefile.store.lock import check_not_nested
    from pipefile.watch.keys import Keys
    from pipefile.watch.watcher import IDLE, Setup, Watcher

    project = request.project
    check_not_nested(request.environ, project.root)
    os.chdir(project.root)
    building: Given = {
        "targets": given["targets"],
        "jobs": given["jobs"],
        "keep_going": given["keep_going"],
        "dry_run": False,
        "force": False,
        "load": given["load"],
        "why": given["why"],
        "strict": False,
        "schedule": given["schedule"],
        "mode": given["mode"],
        "from_stage": "",
        "reuse_run": "",
        "no_cache": given["no_cache"],
        "allow_removal": False,
        "debug": "",
        "no_wait": False,
        "as_json": given["as_json"],
        "junit": "",
    }
    rounds = _Rounds(request, building)
    setup = Setup(
        root=project.root,
        pipefile=project.file,
        request=rounds.request,
        environ=rounds.options.environ,
        say=rounds.say,
        complain=rounds.complain,
        build=rounds.build,
        on_busy=given["on_busy"],
        quiet=given["debounce"] / 1000,
        make=None if given["poll"] else make or _queue,
        idle=IDLE if idle is None else idle,
    )
    _warm_up()
    with Interrupts() as interrupts, Keys() as keys:
        return Watcher(setup, interrupts, keys).run()


def _queue() -> Queue:
    linux = sys.platform.startswith("linux")
    if linux:
        from pipefile.watch.inotify import Inotify

        return Inotify()
    from pipefile.watch.observer import Observed

    return Observed(os.getcwd())


def _warm_up() -> None:
    """Import what builds import, so that those of a watch need not."""
    from importlib import import_module

    for name in _BUILDING:
        import_module(name)


_BUILDING = (
    "json",
    "subprocess",
    "pathspec",
    "pipefile.engine.build",
    "pipefile.engine.columns",
    "pipefile.engine.declare",
    "pipefile.engine.inspect",
    "pipefile.engine.lazy",
    "pipefile.engine.mend",
    "pipefile.engine.packages",
    "pipefile.engine.results",
    "pipefile.engine.save",
    "pipefile.engine.scope",
    "pipefile.execute.function",
    "pipefile.execute.process",
    "pipefile.plan.resolve",
    "pipefile.report.json_lines",
    "pipefile.report.neutral",
    "pipefile.report.terminal",
)


class _Rounds:
    """The builds of one watch, as the command line asks for them.

    Args:
        request: The command line.
        given: Its options.

    Raises:
        UsageError: A target leads out of the project.
    """

    def __init__(self, request: Request, given: Given) -> None:
        from pipefile.cli.building import options_of
        from pipefile.engine.warm import request_of

        self._request = request
        self._given = given
        self._words = request.err if given["as_json"] else request.out
        self.options = options_of(request, given)
        self.request = request_of(self.options)

    def say(self, text: str) -> None:
        self._request.err.flush()
        self._words.write(text + "\n")
        self._words.flush()
        if self._words.fault == errno.EPIPE:  # nobody reads this any more
            raise BrokenPipeError

    def complain(self, text: str) -> None:
        from pipefile.report.stream import painted_error

        self._words.flush()
        self._request.err.write(painted_error(text, self._request.err) + "\n")
        self._request.err.flush()

    def build(self, begin: Begin, interrupts: Interrupts) -> Mapping[str, Any]:
        """One build, in a process of its own. What is shown of it is out when this returns."""
        from pipefile.cli.guard import guarded

        found: dict[str, Any] = {"standing": begin.standing}
        guarded(self._request, lambda: self._build(begin, interrupts, found))
        found.setdefault("failed", 1)
        store = self._store()
        if store:
            found["store"] = store
        return found

    def _build(self, begin: Begin, interrupts: Interrupts, found: dict[str, Any]) -> int:
        from pipefile.cli.building import Pauses, options_of, report_of
        from pipefile.engine.build import build
        from pipefile.watch.remembered import edge_names
        from pipefile.watch.standing import Standing

        gc.freeze()  # what the watcher has is no garbage, and is shared with it as long as nobody touches it
        gc.set_threshold(200_000)
        request, project = self._request, self._request.project
        wanted = options_of(request, self._given)
        report = report_of(request, wanted, self._given["as_json"])
        standing = Standing(report, begin.standing, lambda: edge_names(project.root, self._store()))
        try:
            with Pauses(report.pause if report.live else None):
                result = build(project, wanted, standing, interrupts, look=begin.look)
        except PipefileError as error:
            from pipefile.engine.scope import is_hopeless, mending

            found["mending"] = mending(project, wanted.environ, error, wanted.asked)
            if begin.first and is_hopeless(project, wanted.environ, error, wanted.asked):
                found["refused"] = error.exit_status
            raise
        finally:
            report.close()
        found.update(standing=standing.failures, **_counts(result, len(standing.failures)))
        return result.exit_status

    def _store(self) -> str:
        """The store's folder; "" where the Pipefile cannot be read."""
        from pipefile.engine.locked import settings_of

        project = self._request.project
        try:
            if b"store" not in project.disk.read(project.file):
                from pipefile.engine.fastlane import STORE

                return STORE
            return settings_of(project, self.options.environ).store
        except (OSError, PipefileError):
            return ""


def _counts(result: RunResult, failed: int) -> dict[str, Any]:
    return {
        "graph": True,
        "failed": failed,
        "ok": len(result.ran) + len(result.restored) + len(result.degraded),
        "skipped": len(result.skipped),
        "interrupted": result.status == "interrupted",
        "behind": list(result.behind),
        "ran": [*result.ran, *result.degraded, *result.failed][:_MOST],
    }
