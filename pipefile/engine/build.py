"""One build from request to result: the only place that joins the rooms below."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from pipefile import __version__
from pipefile.base.errors import PipefileError, StoreError
from pipefile.base.paths import show
from pipefile.engine import dead, ticks
from pipefile.engine.attempt import Attempts
from pipefile.engine.conditions import Conditions
from pipefile.engine.debug import check_debug
from pipefile.engine.decide import Decider
from pipefile.engine.declare import Running
from pipefile.engine.discover import Discovery
from pipefile.engine.extra import ancestors, extra_dependencies
from pipefile.engine.inspect import dry_run
from pipefile.engine.interrupt import Interrupts
from pipefile.engine.loop import Loop, Work
from pipefile.engine.needs import Needs
from pipefile.engine.places import Places
from pipefile.engine.save import Saver, request_text
from pipefile.engine.secrets import MaskedEmit, mask_error, unmasked
from pipefile.engine.session import Project, Session
from pipefile.engine.slots import Slots, open_tokens
from pipefile.engine.tasks import Tasks
from pipefile.load.loader import Extra
from pipefile.model.event import BuildFinished, BuildStarted, Event, Note, Waiting
from pipefile.model.options import Options
from pipefile.model.run import RunResult
from pipefile.model.stage import Command
from pipefile.plan.mode import Modes
from pipefile.plan.schedule import Schedule
from pipefile.store.folder import check_store
from pipefile.store.lock import Lock, check_not_nested
from pipefile.store.runs import RunWriter

if TYPE_CHECKING:
    from pipefile.load.collect import Joined

Emit = Callable[[Event], None]


def build(project: Project, options: Options, emit: Emit, interrupts: Interrupts | None = None, library: Library | None = None) -> RunResult:
    """Build targets.

    Args:
        project: Which project.
        options: What was asked for.
        emit: Takes the events; if it has a `flush`, that is called when nothing more is to come for a while.
        interrupts: Signals that end the build; None where somebody else handles them.
        library: What a program asks for that builds one of its own pipelines.

    Returns:
        What it came to; `exit_status` as 3-cli lists them.

    Raises:
        PipefileError: The Pipefile, the graph or the request is wrong, another build has the lock, or the store cannot be written.
    """
    started = project.clock.monotonic()
    warnings: list[str] = []

    def warn(text: str) -> None:
        warnings.append(text)
        emit(Note("warning", text))

    if options.dry_run and library is None:
        return dry_run(project, options, emit, warn)
    library = library or Library()
    running = Running(project.disk, options.environ, options.force, library.pipeline, library.config)
    extra = Extra(running, library.config, library.pipeline is not None)
    if options.dry_run:
        return dry_run(project, options, emit, warn, extra)
    check_not_nested(options.environ, project.root)
    session = Session(project, options.environ, warn, extra)
    check_store(project.disk, session.pipeline.settings)
    mask = session.mask
    if mask is not None:
        emit = MaskedEmit(emit, mask)
        options = replace(options, command=mask.anything(options.command))
    for text in unmasked(session.pipeline, session.environ):
        warn(text)
    lock = Lock(project.disk, session.store, project.clock, options.command)
    waited = False

    def on_wait(pid: int, command: str) -> None:
        nonlocal waited
        waited = True
        emit(Waiting(pid, command))
        _flush(emit)

    held = lock.acquire(options.wait, on_wait, lambda: interrupts is not None and interrupts.number > 0)
    try:
        if not held:
            return _interrupted(interrupts, project.clock.monotonic() - started)
        if waited or lock.taken_over or not session.stands():  # what was read before the lock was held may be another build's half-done work
            session = Session(project, options.environ, warn, extra)
        running.keep(session.pipeline.settings, warn)
        work = Work(session, options, emit, warn, Decider(session), lock.fd, interrupts)
        builder = _Build(work, warnings, running.as_on_disk, library.pipeline is not None)
        if lock.taken_over:
            builder.places.remove_left(session.graph.edges)
        return builder.run(started)
    except PipefileError as error:
        if mask is not None:
            mask_error(error, mask)
        raise
    finally:
        lock.release()


@dataclass(frozen=True, slots=True)
class Library:
    """What a program asks for that builds one of its own pipelines.

    Args:
        pipeline: Which one; there need be no Pipefile then.
        config: Laid over `[global]`.
    """

    pipeline: Joined | None = None
    config: Mapping[str, Any] = field(default_factory=dict)


class _Build:
    """One build, with the lock held.

    Args:
        work: What it works with.
        warnings: What `work.warn` has taken.
        as_on_disk: The command line would build the same graph.
        library: A program asks, and wants the values.
    """

    def __init__(self, work: Work, warnings: list[str], as_on_disk: bool, library: bool) -> None:
        self.work = work
        self.library = library
        self.as_on_disk = as_on_disk
        self.session = work.session
        self.options = work.options
        self.emit = work.emit
        self.warn = work.warn
        self.warnings = warnings
        self.interrupts = work.interrupts
        self.decider = work.decider
        self.places = Places(self.session.files, self.session.pipeline.settings.outside)
        self.began = 0

    def run(self, started: float) -> RunResult:
        session, options = self.session, self.options
        requested = session.select((options.debug,) if options.debug else options.targets)
        if options.debug:
            check_debug(session, options.debug)
        nodes, extra = extra_dependencies(session, self.decider, requested)
        edges = [session.graph.edges[node] for node in nodes if node < len(session.graph.edges)]
        try:
            self.places.check([edge for edge in edges if edge.id not in session.left_out])
        except PipefileError as error:
            session.locate(error)
            raise
        may_run = [edge for edge in edges if edge.id not in session.left_out]
        needs = Needs(session, options, may_run)
        needs.check(may_run, self.decider, options.force)
        self.emit(BuildStarted(options.targets, options.jobs))
        schedule = Schedule(
            session.graph,
            nodes,
            extra,
            jobs=options.jobs,
            keep_going=options.keep_going,
            barrier=options.schedule == "waves",
            weights=self._weights(),
            lines=needs.lines,
        )
        tick = self._probe()
        discovery = Discovery(session.graph, session.files, self.decider, ancestors(session.graph, extra))
        commands = any(isinstance(edge.stage.action, Command) for edge in may_run)
        slots = Slots(needs, open_tokens(options.environ, options.jobs, commands, self.warn))
        tasks = Tasks(session, Modes(session.pipeline.settings, options.mode), slots.tokens)
        attempts = Attempts(session, self.decider, self.places, discovery, tick, tasks)
        settings = session.pipeline.settings
        writer = RunWriter(session.disk, session.store, session.project.clock, options, settings.keep_runs, __version__)
        loop = Loop(self.work, schedule, attempts, writer, Conditions(session, extra), slots)
        try:
            loop.run(len(edges))
        finally:
            loop.close()
            attempts.close()
            for path in self.places.sweep():
                self.warn(f"`{show(path)}` was left beside a temporary output and is removed; a command that names its outputs writes in place")
        self._tell_left_out(requested)
        return self._finish(loop, writer, tick, nodes, started)

    def _tell_left_out(self, requested: Sequence[int]) -> None:
        """Say of what was named on the command line that a condition has kept it from running."""
        for number in requested if self.options.targets else ():
            why = self.session.left_out.get(number)
            if why is not None:
                self.emit(Note("note", f"stage `{show(self.session.graph.edges[number].name)}` is skipped: {why}"))

    def _probe(self) -> ticks.Ticks:
        try:
            self.began = ticks.now(self.session.disk, self.session.store)
            return ticks.probe(self.session.disk, self.session.store)
        except OSError as error:
            raise StoreError(f"`{show(self.session.store)}` cannot be written: {os.strerror(error.errno or 0)}") from error

    def _weights(self) -> Mapping[int, float]:
        index = self.session.index
        if not index.edge_names:
            return {}
        found = {}
        for number, edge in enumerate(self.session.graph.edges):
            at = index.edge(edge.name)
            if at >= 0 and index.edge_seconds[at] > 0:
                found[number] = index.edge_seconds[at]
        return found

    def _finish(self, loop: Loop, writer: RunWriter, tick: ticks.Ticks, nodes: list[int], started: float) -> RunResult:
        session, options = self.session, self.options
        number = self.interrupts.number if self.interrupts is not None else 0
        status = "interrupted" if number else "failed" if loop.failed else "succeeded"
        whole = not options.targets and status == "succeeded"
        removed: list[str] = []
        gone = dead.find(session, self.decider)
        if whole:
            removed = dead.remove(session, gone, self.warn)
            for path in removed:
                why = "whose stage is skipped" if path.rstrip("/") in session.files.left_out else "which no stage makes any more"
                self.emit(Note("note", f"removed `{show(path)}`, {why}"))
        try:
            self.decider.code.save(session.pipeline.settings.durability == "full")
            saver = Saver(session, self.decider, loop.decided, tick, self.began)
            answers = status == "succeeded" and self.as_on_disk
            saver.save(request_text(options.targets) if answers else None, nodes, [path for path in gone if path not in removed])
        except OSError as error:
            self.warn(f"`{show(session.store)}/index` cannot be written: {error.strerror}; the next build takes longer")
        run = writer.finish(status, loop.counts(), loop.history.results)
        writer.close()
        seconds = session.project.clock.monotonic() - started
        self.emit(BuildFinished(status, len(loop.ran), loop.fresh, len(loop.failed), len(loop.skipped), seconds, run, len(loop.degraded)))
        _flush(self.emit)
        exit_status = 128 + number if number else 1 if loop.failed or (options.strict and self.warnings) else 0
        return RunResult(
            status,
            exit_status,
            tuple(loop.ran),
            tuple(loop.failed),
            tuple(loop.skipped),
            loop.fresh,
            len(self.warnings),
            seconds,
            run,
            abandoned=loop.abandoned,
            degraded=tuple(loop.degraded),
            errors={entry.stage: entry.error.partition("\n")[0] for entry in loop.history.results if entry.status == "failed"},
            values=self._values(loop) if self.library else {},
        )

    def _values(self, loop: Loop) -> Mapping[str, object]:
        from pipefile.engine.results import Results

        degraded = set(loop.degraded)
        return Results(self.session, [edge for edge in self.session.graph.edges if edge.id in loop.decided or edge.name in degraded])


def _interrupted(interrupts: Interrupts | None, seconds: float) -> RunResult:
    number = interrupts.number if interrupts is not None else 2
    return RunResult("interrupted", 128 + number, seconds=seconds)


def _flush(emit: Emit) -> None:
    flush = getattr(emit, "flush", None)
    if flush is not None:
        flush()
