"""One build from request to result: the only place that joins the rooms below."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipefile import __version__
from pipefile.base.dataclass import dataclass, field
from pipefile.base.errors import PipefileError, StoreError, UsageError
from pipefile.base.paths import show
from pipefile.engine import ticks, warm
from pipefile.engine.attempt import Attempts
from pipefile.engine.audit import Audits
from pipefile.engine.cached import open_cache
from pipefile.engine.conditions import Conditions
from pipefile.engine.decide import Decider
from pipefile.engine.discover import Discovery
from pipefile.engine.extra import ancestors, extra_dependencies
from pipefile.engine.fastlane import Seen
from pipefile.engine.interrupt import Interrupts
from pipefile.engine.loop import Loop
from pipefile.engine.needs import Needs
from pipefile.engine.outlook import seconds_before
from pipefile.engine.parts import Parts, Work
from pipefile.engine.places import Places
from pipefile.engine.reuse import Reuse
from pipefile.engine.secrets import MaskedEmit, mask_error, unmasked
from pipefile.engine.session import Project, Session
from pipefile.engine.slots import Slots, open_tokens
from pipefile.engine.tasks import Tasks
from pipefile.engine.unasked import rest_on
from pipefile.engine.warm import WarmStart
from pipefile.load.loader import Extra
from pipefile.model.event import BuildFinished, BuildStarted, Event, Note, Waiting
from pipefile.model.graph import Edge
from pipefile.model.options import Options
from pipefile.model.run import RunResult
from pipefile.model.stage import Command
from pipefile.plan.mode import Modes
from pipefile.plan.schedule import Schedule
from pipefile.store.folder import check_store
from pipefile.store.lock import Lock, check_not_nested
from pipefile.store.runs import RunWriter

if TYPE_CHECKING:
    from pipefile.engine.growth import Growth
    from pipefile.load.collect import Joined

Emit = Callable[[Event], None]
Look = Callable[[], Seen | None]


def build(
    project: Project,
    options: Options,
    emit: Emit,
    interrupts: Interrupts | None = None,
    library: Library | None = None,
    look: Look | None = None,
) -> RunResult:
    """Build targets.

    Args:
        project: Which project.
        options: What was asked for.
        emit: Takes the events; if it has a `flush`, that is called when nothing more is to come for a while. If it has a `due`, that says after how
            many seconds of waiting `flush` is to be called once more; None for never.
        interrupts: Signals that end the build; None where somebody else handles them.
        library: What a program asks for that builds one of its own pipelines.
        look: Looks at the files of the request, for a build that starts from the index; None has them looked at here.

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

    check_resume(options)
    if options.dry_run and library is None:
        from pipefile.engine.inspect import dry_run

        return dry_run(project, options, emit, warn)
    from pipefile.engine.declare import Running

    library = library or Library()
    running = Running(project.disk, options.environ, options.force, library.pipeline, bool(library.config or project.overlay))
    extra = Extra(running, library.config, library.pipeline is not None)
    if options.dry_run:
        from pipefile.engine.inspect import dry_run

        return dry_run(project, options, emit, warn, extra)
    check_not_nested(options.environ, project.root)
    start = None
    if library.pipeline is None and warm.allowed(project, options, bool(getattr(emit, "every", False))):
        seen = look() if look is not None else warm.look(project, options)
        start = warm.start(project, options, warn, seen) if seen is not None else None
    session = start.session if start is not None else Session(project, options.environ, warn, extra, targets=options.asked, builds=True)
    check_store(project.disk, session.pipeline.settings)
    mask = session.mask
    if mask is not None:
        from dataclasses import replace

        emit = MaskedEmit(emit, mask)
        options = replace(options, command=mask.anything(options.command))
    for text in unmasked(session.pipeline, session.environ):
        warn(text)
    lock = Lock(project.disk, session.store, project.clock, options.command, tuple(session.pipeline.scopes))
    waited = False

    def on_wait(pid: int, command: str) -> None:
        nonlocal waited
        waited = True
        emit(Waiting(pid, command))
        _flush(emit)

    try:
        if not lock.acquire(options.wait, on_wait, lambda: interrupts is not None and interrupts.number > 0):
            return _interrupted(interrupts, project.clock.monotonic() - started)
        if waited or lock.taken_over or not session.stands():  # what was read before the lock was held may be another build's half-done work
            session = Session(project, options.environ, warn, extra, targets=options.asked, builds=True)
            _let_go(start)
            start = None
        running.keep(session.pipeline.settings, warn)
        session.disk.cancelled = lambda: interrupts is not None and interrupts.number > 0
        decider = start.decider if start is not None else Decider(session)
        work = Work(session, options, emit, warn, decider, lock.fd, interrupts)
        builder = _Build(work, warnings, running.as_on_disk, library.pipeline is not None, start)
        builder.taken_over = bool(lock.taken_over)
        if lock.taken_over:
            builder.places.remove_left(session.graph.edges)
        return builder.run(started)
    except PipefileError as error:
        if mask is not None:
            mask_error(error, mask)
        raise
    finally:
        lock.release()
        _let_go(start)


def _let_go(start: WarmStart | None) -> None:
    """The index that a build started from is not read any more."""
    if start is not None:
        start.seen.reader.close()


def check_resume(options: Options) -> None:
    """Refuse options that contradict each other.

    Raises:
        UsageError: They do.
    """
    if options.reuse_run and not options.from_stage:
        raise UsageError("`--reuse-run` says as in which run things are, and needs `--from`, which says up to where")
    for other, option in ((options.dry_run, "--dry-run"), (options.force, "--force"), (bool(options.debug), "--pdb")):
        if options.from_stage and other:
            raise UsageError(f"`--from` does not go with `{option}`")


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
        start: What it starts from; None where it looks at the whole graph.
    """

    def __init__(self, work: Work, warnings: list[str], as_on_disk: bool, library: bool, start: WarmStart | None) -> None:
        self.work = work
        self.library = library
        self.as_on_disk = as_on_disk
        self.start = start
        self.session = work.session
        self.options = work.options
        self.emit = work.emit
        self.warn = work.warn
        self.warnings = warnings
        self.interrupts = work.interrupts
        self.decider = work.decider
        settings = self.session.pipeline.settings
        self.places = Places(self.session.files, settings.outside, self.options.force, lambda: self.session.graph.producer)
        self.began = 0
        self.taken_over = False
        self.growth: Growth | None = None
        self.beyond = False  # what was traced did something that it does not declare

    def run(self, started: float) -> RunResult:
        session, options = self.session, self.options
        plan = self._planned()
        may_run = [edge for edge in plan.edges if edge.id not in session.left_out]
        try:
            self.places.check(may_run)
        except PipefileError as error:
            session.locate(error)
            raise
        needs = Needs(session, options, may_run)
        stand_ins = {fanout.edge for fanout in session.graph.fanouts.values()}
        needs.check([edge for edge in may_run if edge.id not in stand_ins], self.decider, options.force)
        self.emit(BuildStarted(options.targets, options.jobs))
        schedule = Schedule(
            session.graph,
            plan.nodes,
            plan.extra,
            jobs=options.jobs,
            keep_going=options.keep_going,
            barrier=options.schedule == "waves",
            weights=plan.weights(),
            lines=needs.lines,
        )
        tick = self._probe()
        is_ancestor = ancestors(session.graph, plan.above)
        discovery = Discovery(session.graph, session.files, self.decider, is_ancestor)
        commands = self.start is not None or any(isinstance(edge.stage.action, Command) for edge in may_run)
        slots = Slots(needs, open_tokens(options.environ, options.jobs, commands, self.warn))
        audits = self._audits()
        tasks = Tasks(session, Modes(session.pipeline.settings, options.mode), slots.tokens, options.color, audits)
        attempts = Attempts(session, self.decider, self.places, discovery, tick, tasks)
        settings = session.pipeline.settings
        writer = RunWriter(session.disk, session.store, session.project.clock, options, settings.keep_runs, __version__)
        cache = open_cache(session, self.warn) if options.cache else None
        reuse = Reuse(session, cache, self.decider, self.places, attempts, is_ancestor, self.warn)
        if options.from_stage:
            from pipefile.engine.resume import plan_resume

            reuse.resume = plan_resume(session, self.decider, options, plan.nodes, plan.extra, reuse.found)
        temps = None
        if any(output.temp for stage in session.pipeline.stages.values() for output in stage.outputs):
            from pipefile.engine.temps import Temps

            temps = Temps(session, self.decider, options, self.places, reuse, self.warn)
        if isinstance(plan, ColdStart) and not stand_ins.isdisjoint(plan.nodes):
            from pipefile.engine.growth import Concerned, Growth, Joined

            joined = Joined(needs, self.places, reuse, attempts.naming, temps, self.taken_over)
            targets = (options.alone,) if options.alone else options.targets
            self.growth = Growth(self.work, Concerned(targets, plan.nodes, plan.extra, plan.requested), joined)
        loop = Loop(self.work, schedule, Parts(attempts, writer, Conditions(session, plan.extra, self.decider), slots, reuse, temps, self.growth))
        if temps is not None:
            temps.join(schedule, loop.tally, plan.extra)
        try:
            loop.run(plan.total, plan.passed)
            reuse.close(self.interrupts is not None and self.interrupts.number > 0)
            if temps is not None:
                temps.close()
        finally:
            loop.close()
            attempts.close()
            for path in self.places.sweep():
                self.warn(f"`{show(path)}` was left beside a temporary output and is removed; outputs with `atomic = false` are written in place")
        self._tell_left_out(plan.requested)
        for found in audits.findings():
            self.warn(str(found).removeprefix("error: "))
        if audits.traced is not None:
            self.beyond = bool(audits.traced.undeclared)
            self.emit(audits.traced)
        return self._finish(loop, writer, tick, plan.nodes, started)

    def _audits(self) -> Audits:
        if not self.options.trace:
            return Audits(self.session)
        from pipefile.engine.trace import strace

        return Audits(self.session, self.options.trace, strace(self.options.environ))

    def _tell_left_out(self, requested: Sequence[int]) -> None:
        """Say of what was named on the command line that a condition has kept it from running."""
        for number in requested if self.options.targets or self.options.trace else ():
            why = self.session.left_out.get(number)
            if why is not None:
                self.emit(Note("note", f"stage `{show(self.session.graph.edges[number].name)}` is skipped: {why}"))

    def _probe(self) -> ticks.Ticks:
        try:
            self.began = ticks.now(self.session.disk, self.session.store)
            return ticks.probe(self.session.disk, self.session.store)
        except OSError as error:
            raise StoreError(f"`{show(self.session.store)}` cannot be written: {os.strerror(error.errno or 0)}") from error

    def _planned(self) -> WarmStart | ColdStart:
        if self.start is not None:
            return self.start
        session, alone = self.session, self.options.alone
        requested = session.select((alone,) if alone else self.options.targets)
        if not requested:
            session.check_asked(self.options.targets)
        self._check_losses()
        if alone:
            from pipefile.engine.debug import check_debug, check_trace

            unknown = {fanout.edge for fanout in session.graph.fanouts.values()}
            if unknown.isdisjoint(requested):  # else it may be an instance that is made on the way
                (check_debug if self.options.debug else check_trace)(session, alone)
        nodes, extra = extra_dependencies(session, self.decider, requested)
        if session.graph.fanouts:
            from pipefile.engine.growth import leave_aside

            if leave_aside(session, nodes):
                self.decider.grown(())
                requested = session.select((alone,) if alone else self.options.targets)
                nodes, extra = extra_dependencies(session, self.decider, requested)
        return ColdStart(session, nodes, extra, list(requested))

    def _check_losses(self) -> None:
        from pipefile.engine import losses

        if not self.options.allow_removal:
            losses.check(self.session, self.decider)
        for text in losses.empty(self.session):
            self.warn(text)

    def _finish(self, loop: Loop, writer: RunWriter, tick: ticks.Ticks, nodes: list[int], started: float) -> RunResult:
        session, options = self.session, self.options
        number = self.interrupts.number if self.interrupts is not None else 0
        status = "interrupted" if number else "failed" if loop.tally.failed else "succeeded"
        try:
            self.decider.code.save(session.pipeline.settings.durability == "full")
            if self.start is not None:
                from pipefile.engine.mend import Mender

                Mender(self.start, loop.tally.decided, tick, self.began).save()
            else:
                from pipefile.engine.save import Saver

                whole = not options.targets and not options.alone and not session.project.overlay  # what is laid over it for once removes nothing
                gone, spare = self._remove_dead(whole and status == "succeeded")
                request = warm.request_of(options) if self.as_on_disk and not options.alone and not options.from_stage else None
                Saver(session, self.decider, loop.tally.decided, tick, self.began).save(request, nodes, gone, spare)
        except OSError as error:
            self.warn(f"`{show(session.store)}/index` cannot be written: {error.strerror}; the next build takes longer")
        run = writer.finish(status, loop.tally.counts(), loop.tally.history.results)
        writer.close()
        seconds = session.project.clock.monotonic() - started
        counts = (len(loop.tally.ran), loop.tally.fresh, len(loop.tally.failed), len(loop.tally.skipped))
        self.emit(BuildFinished(status, *counts, seconds, run, len(loop.tally.degraded), len(loop.tally.restored)))
        _flush(self.emit)
        refused = 2 if self.growth is not None and self.growth.refused else 1
        exit_status = 128 + number if number else refused if loop.tally.failed or self.beyond or (options.strict and self.warnings) else 0
        return RunResult(
            status,
            exit_status,
            tuple(loop.tally.ran),
            tuple(loop.tally.failed),
            tuple(loop.tally.skipped),
            loop.tally.fresh,
            len(self.warnings),
            seconds,
            run,
            abandoned=loop.abandoned,
            degraded=tuple(loop.tally.degraded),
            restored=tuple(loop.tally.restored),
            errors={entry.stage: entry.error.partition("\n")[0] for entry in loop.tally.history.results if entry.status == "failed"},
            values=self._values(loop) if self.library else {},
        )

    def _values(self, loop: Loop) -> Mapping[str, object]:
        from pipefile.engine.results import Results

        degraded = set(loop.tally.degraded)
        return Results(self.session, [edge for edge in self.session.graph.edges if edge.id in loop.tally.decided or edge.name in degraded])


    def _remove_dead(self, whole: bool) -> tuple[list[str], list[str]]:
        """Remove dead outputs after a build of the *whole* default set. Returns those that still stand, and what is not dead for its rule alone."""
        from pipefile.engine import dead

        gone, spare = dead.standing(self.session, self.decider)
        removed = dead.remove(self.session, gone, self.warn) if whole else []
        for path in removed:
            self.emit(Note("note", f"removed `{show(path)}`, {dead.why(self.session, path)}"))
        if spare:
            rest_on(self.session, spare)
        return [path for path in gone if path not in removed], spare


@dataclass(frozen=True, slots=True)
class ColdStart:
    """What a build does that looks at the whole graph (engine/warm.py has the other one).

    Args:
        session: The project.
        nodes: The closure of the request, each after what it needs.
        extra: Edges that some of these need besides, for discovered inputs.
        requested: The edges that were asked for.
    """

    session: Session
    nodes: list[int]
    extra: dict[int, tuple[int, ...]]
    requested: list[int]
    passed: int = 0

    @property
    def edges(self) -> list[Edge]:
        return [self.session.graph.edges[node] for node in self.nodes if node < len(self.session.graph.edges)]

    @property
    def above(self) -> Mapping[int, tuple[int, ...]]:
        return self.extra

    @property
    def total(self) -> int:
        return len(self.edges)

    def weights(self) -> dict[int, float]:
        return seconds_before(self.session)


def _interrupted(interrupts: Interrupts | None, seconds: float) -> RunResult:
    number = interrupts.number if interrupts is not None else 2
    return RunResult("interrupted", 128 + number, seconds=seconds)


def _flush(emit: Emit) -> None:
    flush = getattr(emit, "flush", None)
    if flush is not None:
        flush()
