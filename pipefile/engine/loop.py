"""The loop of a build: decide what has become final, start what is ready, take what has ended, until nothing is left."""

from __future__ import annotations

import os
import select
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pipefile.base.dataclass import dataclass
from pipefile.base.errors import InputError, PipefileError
from pipefile.base.paths import show
from pipefile.engine.attempt import Attempt, Attempts, Verdict
from pipefile.engine.decide import Decider, Decision
from pipefile.engine.history import History, instance
from pipefile.engine.interrupt import Interrupts
from pipefile.engine.session import Session
from pipefile.execute.shell import ShellExecutor
from pipefile.model.event import Event, PlanMade, StageFinished, StageStarted
from pipefile.model.graph import Edge
from pipefile.model.options import Options
from pipefile.model.ports import Completion, Executor
from pipefile.model.record import Reason
from pipefile.plan.schedule import Schedule
from pipefile.plan.stale import FORCED
from pipefile.store.runs import RunWriter

if TYPE_CHECKING:
    from pipefile.execute.function import FunctionExecutor

LOOK_AHEAD = 200  # edges decided before the first one starts, so that it is one of the longest path; a few milliseconds
_REDRAW = 0.1  # seconds between two looks at a terminal's status line while nothing happens


@dataclass(frozen=True, slots=True)
class Work:
    """What one build works with.

    Args:
        session: The project.
        options: What was asked for.
        emit: Takes events.
        warn: Takes warnings.
        decider: Fresh or stale.
        inherit: The lock's descriptor, for every stage process; -1 for none.
        interrupts: Signals, or None.
    """

    session: Session
    options: Options
    emit: Callable[[Event], None]
    warn: Callable[[str], None]
    decider: Decider
    inherit: int
    interrupts: Interrupts | None


class Loop:
    """Runs one schedule to its end.

    Args:
        work: What the build works with.
        schedule: What depends on what.
        attempts: Prepares and commits.
        writer: The run's history.
    """

    def __init__(self, work: Work, schedule: Schedule, attempts: Attempts, writer: RunWriter) -> None:
        session, emit, interrupts = work.session, work.emit, work.interrupts
        self._session = session
        self._options = work.options
        self._emit = emit
        self._warn = work.warn
        self._schedule = schedule
        self._decider = work.decider
        self._attempts = attempts
        self._writer = writer
        self._inherit = work.inherit
        self._interrupts = interrupts
        self._graph = session.graph
        self._decisions: dict[int, Decision] = {}
        self._doubtful: set[int] = set()
        self._running: dict[int, Attempt] = {}
        self._shell: Executor | None = None
        self._function: FunctionExecutor | None = None
        self._poll = select.poll()
        self._queue: deque[int] = deque()
        self._again_for: set[int] = set()
        self._cancelled = 0
        self._reported = 0
        self._live = bool(getattr(emit, "live", False))
        self._flush: Callable[[], None] = getattr(emit, "flush", lambda: None)
        self.history = History(session, writer)
        self.decided: dict[int, Decision] = {}
        self.ran: list[str] = []
        self.failed: list[str] = []
        self.skipped: list[str] = []
        self.fresh = 0
        if interrupts is not None:
            self._poll.register(interrupts.fileno(), select.POLLIN)

    @property
    def abandoned(self) -> bool:
        """A thread of a function stage still runs: the process has to end by os._exit."""
        return self._function is not None and bool(self._function.abandoned)

    def counts(self) -> dict[str, int]:
        return {"ran": len(self.ran), "fresh": self.fresh, "failed": len(self.failed), "skipped": len(self.skipped)}

    def run(self, total: int, passed: int = 0) -> None:
        """Run until everything that can end has ended.

        Args:
            total: How many edges the request needs.
            passed: How many of them are fresh and no part of the schedule.
        """
        schedule, queue = self._schedule, self._queue
        self.fresh = passed
        self._emit(PlanMade(total, passed))
        while True:
            self._heed_interrupts()
            queue.extend(schedule.decidable())
            if not queue or self._running or len(self.decided) + len(self._decisions) >= LOOK_AHEAD:
                self._start_ready()
            if queue and not schedule.stopping:
                self._decide(queue.popleft())
                if self._running:
                    self._take(0.0)
            elif self._running:
                self._flush()
                self._take(None)
            elif schedule.done or schedule.stopping:
                break
            self._report_skipped()
        self._report_skipped()

    # -- deciding

    def _decide(self, number: int) -> None:
        if number not in self._schedule.dropped and self._decider.unmoved(number):
            self.fresh += 1
            self._schedule.end(number, "fresh")
            self._emit(StageFinished(self._session.index.edge_names[number], "", "fresh"))
            return
        edge = self._graph.edges[number]
        try:
            decision = self._decider.decide(edge)
        except InputError as error:
            self._fail_undecided(edge, error)
            return
        if self._options.force:
            decision.reasons = (FORCED, *decision.reasons)
        elif number in self._schedule.dropped:
            decision.reasons = (Reason("order"), *decision.reasons)
        if decision.fresh:
            self.decided[number] = decision
            self.fresh += 1
            self._schedule.end(number, "fresh")
            self._emit(StageFinished(edge.stage.name, instance(edge), "fresh"))
            return
        self._decisions[number] = decision
        self._schedule.mark_ready(number)

    def _fail_undecided(self, edge: Edge, error: PipefileError) -> None:
        text = error.message + (f"; {error.hint}" if error.hint else "")
        self._finish_failed(edge, None, Completion(edge.id, "failed", error=text), ())

    # -- starting

    def _start_ready(self) -> None:
        while True:
            if self._running and self._options.load is not None and os.getloadavg()[0] > self._options.load:
                return
            number = self._schedule.start()
            if number is None:
                return
            edge = self._graph.edges[number]
            decision = self._decisions.pop(number)
            if number in self._doubtful:
                renewed = self._decide_again(edge, decision)
                if renewed is None:
                    continue
                decision = renewed
            attempt = 2 if number in self._again_for else 1
            self._emit(StageStarted(edge.stage.name, instance(edge), decision.reasons, attempt))
            self._launch(edge, decision, attempt)

    def _launch(self, edge: Edge, decision: Decision, number: int) -> None:
        try:
            attempt, task = self._attempts.prepare(edge, decision, number, self._log_path)
        except InputError as error:
            self._finish_failed(edge, None, Completion(edge.id, "failed", error=error.message), decision.reasons)
            return
        except OSError as error:
            self._finish_failed(edge, None, Completion(edge.id, "failed", error=_disk_text(error)), decision.reasons)
            return
        self._running[edge.id] = attempt
        self.history.started(edge.id)
        executor = self._function_executor() if task.function is not None else self._shell_executor()
        executor.submit(task)

    def _log_path(self, edge: Edge) -> str:
        return self._session.disk.at(self._writer.log_path(edge.name))

    def _shell_executor(self) -> Executor:
        if self._shell is None:
            self._shell = ShellExecutor((self._inherit,) if self._inherit >= 0 else ())
            self._poll.register(self._shell.fileno(), select.POLLIN)
        return self._shell

    def _function_executor(self) -> Executor:
        if self._function is None:
            from pipefile.execute.function import FunctionExecutor

            self._function = FunctionExecutor()
            self._poll.register(self._function.fileno(), select.POLLIN)
        return self._function

    # -- waiting

    def _executors(self) -> list[Executor]:
        return [executor for executor in (self._shell, self._function) if executor is not None]

    def _take(self, timeout: float | None) -> None:
        """Take completions; wait for one if *timeout* is None."""
        if timeout is None:
            self._poll.poll(self._patience())
        for executor in self._executors():
            for completion in executor.wait(0):
                self._ended(completion)

    def _patience(self) -> int | None:
        """Longest wait in milliseconds; None for ever."""
        deadlines = [deadline for executor in self._executors() if (deadline := executor.next_deadline()) is not None]
        seconds = _REDRAW if self._live or self._options.load is not None else None
        if deadlines:
            left = max(0.0, min(deadlines) - self._session.project.clock.monotonic())
            seconds = left if seconds is None else min(seconds, left)
        return None if seconds is None else int(seconds * 1000) + 1

    def _heed_interrupts(self) -> None:
        interrupts = self._interrupts
        if interrupts is None or interrupts.count == self._cancelled:
            return
        interrupts.drain()
        urgent = interrupts.count > 1
        self._cancelled = interrupts.count
        self._schedule.stop()
        for executor in self._executors():
            executor.cancel(urgent)

    # -- ending

    def _ended(self, completion: Completion) -> None:
        attempt = self._running.pop(completion.id)
        edge, decision = attempt.edge, attempt.decision
        if completion.outcome == "ok":
            # another action runs while this one's outputs are hashed and recorded: with short commands that is half of the time
            self._schedule.free(edge.id)
            self._start_ready()
        else:
            self._clean_up(attempt)
            self._finish_failed(edge, attempt, completion, decision.reasons)
            return
        try:
            verdict = self._attempts.commit(attempt, completion)
        except InputError as error:
            verdict = Verdict(error=error.message)
        except OSError as error:
            verdict = Verdict(error=_disk_text(error))
        for text in verdict.warnings:
            self._warn(text)
        if verdict.changed:
            self._doubt(verdict.changed)
        if verdict.again and not self._schedule.stopping:
            again = self._decide_again(edge, decision)
            if again is not None:
                self._decisions[edge.id] = again
                self._again_for.add(edge.id)
                self._schedule.mark_ready(edge.id)
        elif verdict.error or verdict.again:
            text = verdict.error or "its inputs changed while it ran"
            self._clean_up(attempt, verdict)
            self._finish_failed(edge, attempt, completion, decision.reasons, text, verdict.hint)
        else:
            self.ran.append(edge.name)
            self.decided[edge.id] = decision
            self.history.ran(attempt, completion, verdict)
            self._emit(self._finished(edge, "ran", completion, attempt))
            self._schedule.end(edge.id, "ran")

    def _doubt(self, changed: Sequence[str]) -> None:
        """Files have changed meanwhile: what waits with a key of the old ones gets another before it starts, and code is imported anew."""
        self._doubtful.update(self._decisions)
        if self._function is not None and any(path.endswith(".py") for path in changed):
            self._function.renew()

    def _decide_again(self, edge: Edge, before: Decision) -> Decision | None:
        """The key of an edge that has to run, as it is now; None if the edge has failed with that."""
        self._doubtful.discard(edge.id)
        try:
            decision = self._decider.decide(edge)
        except InputError as error:
            self._finish_failed(edge, None, Completion(edge.id, "failed", error=error.message), before.reasons)
            return None
        decision.reasons = before.reasons
        return decision

    def _clean_up(self, attempt: Attempt, verdict: Verdict | None = None) -> None:
        if verdict is not None and verdict.error.startswith("was made from inputs"):
            return
        try:
            self._attempts.failed(attempt)
        except OSError as error:
            self._warn(f"what stage `{show(attempt.edge.name)}` left cannot be removed: {_disk_text(error)}")

    def _finish_failed(  # the last two differ only where the action itself went well
        self,
        edge: Edge,
        attempt: Attempt | None,
        completion: Completion,
        reasons: tuple[Reason, ...],
        error: str = "",
        hint: str = "",
    ) -> None:
        interrupted = completion.outcome == "cancelled" or (self._interrupts is not None and self._interrupts.number > 0)
        text = error or completion.error
        if hint:
            text += f"\nhint: {hint}"
        status = "interrupted" if interrupted else "failed"
        if not interrupted:
            self.failed.append(edge.name)
        self.decided.pop(edge.id, None)
        self.history.failed(edge, attempt, completion, reasons, status, text)
        self._emit(self._finished(edge, status, completion, attempt, text))
        self._schedule.end(edge.id, "failed")

    def _finished(self, edge: Edge, status: str, completion: Completion, attempt: Attempt | None, error: str = "") -> StageFinished:
        log = self._writer.log_path(edge.name) if completion.log_size else ""
        line = self._session.line_of(edge.stage) if error else None
        command = attempt.command if attempt is not None else ""
        return StageFinished(
            edge.stage.name,
            instance(edge),
            status,
            completion.elapsed,
            completion.output,
            log,
            completion.log_size,
            error,
            edge.stage.file,
            line,
            command,
        )

    def _report_skipped(self) -> None:
        skipped = self._schedule.skipped
        while self._reported < len(skipped):
            edge = self._graph.edges[skipped[self._reported]]
            self._reported += 1
            self.skipped.append(edge.name)
            self._emit(StageFinished(edge.stage.name, instance(edge), "skipped"))
            self.history.skipped(edge)

    def close(self) -> None:
        """End what still runs, at once."""
        for executor in self._executors():
            executor.close()


def _disk_text(error: OSError) -> str:
    path = error.filename if isinstance(error.filename, str) else ""
    what = error.strerror or str(error)
    return f"cannot write `{show(path)}`: {what}" if path else f"cannot write: {what}"
