"""The loop of a build: decide what has become final, start what is ready, take what has ended, until nothing is left."""

from __future__ import annotations

import select
from collections import deque
from collections.abc import Callable, Sequence

from pipefile.base.errors import GraphError, InputError, PipefileError
from pipefile.base.paths import show
from pipefile.engine import dead
from pipefile.engine.attempt import Attempt
from pipefile.engine.batches import Batches, Hands
from pipefile.engine.decide import Decision
from pipefile.engine.executors import Executors
from pipefile.engine.history import instance
from pipefile.engine.load import Load
from pipefile.engine.outlook import Look
from pipefile.engine.parts import Parts, Work
from pipefile.engine.retry import Failure, Tries, disk_text, is_own, log_of, unready
from pipefile.engine.tally import Tally
from pipefile.engine.verdict import Verdict
from pipefile.model.event import Note, PlanMade, StageRetried, StageStarted
from pipefile.model.graph import Edge
from pipefile.model.ports import Completion
from pipefile.model.record import Reason
from pipefile.plan.fallback import name_of
from pipefile.plan.resources import Grant
from pipefile.plan.schedule import Schedule
from pipefile.plan.stale import FORCED

LOOK_AHEAD = 200  # edges decided before the first one starts, so that it is one of the longest path; a few milliseconds
_QUIET = 20  # milliseconds in which nothing ends, then there is time for what can wait
_LOOK = 0.1  # seconds between two looks at the load average while nothing happens


class Loop:
    """Runs one schedule to its end.

    Args:
        work: What the build works with.
        schedule: What depends on what.
        parts: What it drives.
    """

    def __init__(self, work: Work, schedule: Schedule, parts: Parts) -> None:
        session, emit, interrupts = work.session, work.emit, work.interrupts
        self._session = session
        self._options = work.options
        self._emit = emit
        self._warn = work.warn
        self._schedule = schedule
        self._decider = work.decider
        self._attempts = parts.attempts
        self._writer = parts.writer
        self._interrupts = interrupts
        self._graph = session.graph
        self._decisions: dict[int, Decision] = {}
        self._doubtful: set[int] = set()
        self._running: dict[int, Attempt] = {}
        self._landed: deque[tuple[Attempt, Completion]] = deque()  # whose action went well, and which nobody has recorded yet
        self._poll = select.poll()
        self._executors = Executors(session, work.inherit, work.options.jobs, self._poll, work.options.debug)
        self._queue: deque[int] = deque()
        self._tries = Tries(self._graph, session.project.clock)
        self._conditions = parts.conditions
        self._slots = parts.slots
        self._needs = parts.slots.needs
        self._load = Load(work.options.load, session.project.clock)
        self._reuse = parts.reuse
        self._growth = parts.growth
        self._cancelled = 0
        hands = Hands(self._start_ready, self._commit, self._clean_up, self._repeat_lost, self._failed, self._run_again, emit, self._executors.latest)
        self._batches = Batches(session, schedule, self._attempts, work.options, hands)
        self._due: Callable[[], float | None] = getattr(emit, "due", lambda: None)
        self._flush: Callable[[], None] = getattr(emit, "flush", lambda: None)
        self.tally = Tally(session, schedule, parts.writer, emit, work.warn)
        self._temps = parts.temps
        if self._temps is not None:
            self._temps.doubt = self._doubt
        if interrupts is not None:
            self._poll.register(interrupts.fileno(), select.POLLIN)

    @property
    def abandoned(self) -> bool:
        """As Executors.abandoned."""
        return self._executors.abandoned

    def run(self, total: int, passed: int = 0) -> None:
        """Run until everything that can end has ended.

        Args:
            total: How many edges the request needs.
            passed: How many of them are fresh and no part of the schedule.
        """
        schedule, queue = self._schedule, self._queue
        self.tally.fresh = passed
        outlook = Look(self._session, schedule, self._running, self._executors, self._options.jobs)
        self._emit(PlanMade(total, passed, outlook))
        while True:
            self._heed_interrupts()
            self._heed_tries()
            if self._temps is not None:
                self._temps.step()
            queue.extend(schedule.decidable())
            self._batches.release(not queue)
            if self._growth is not None and self._growth.step(queue, schedule, self._refuse, outlook):
                continue
            if not queue or self._running or len(self.tally.decided) + len(self._decisions) >= LOOK_AHEAD:
                self._start_ready()
            if queue and not schedule.stopping:
                self._decide(queue.popleft())
                if self._running or self._landed:
                    self._take(0.0)
            elif self._running or self._landed or self._tries.next_due() is not None:
                self._flush()
                idle = self._reuse.busy and not self._landed and not self._poll.poll(_QUIET)
                self._take(0.0 if self._reuse.busy or self._landed else None)
                self._reuse.step(idle)
            elif schedule.done or schedule.stopping:
                break
            self.tally.report_skipped()
        self.tally.report_skipped()
        self.tally.tell_fresh()

    # -- deciding

    def _decide(self, number: int) -> None:
        if number not in self._schedule.dropped and self._decider.unmoved(number):
            self.tally.unmoved(number)
            return
        temps = self._temps
        if temps is not None and temps.waits(number):
            return
        edge = self._graph.edges[number]
        try:
            why = self._conditions.why_left_out(edge)
            if why:
                self.tally.is_left_out(edge, why)
                return
            if self._growth is not None and self._growth.takes(number):
                return
            self._conditions.clear(edge, self._removed)
            if number in self._reuse.resume.above:
                self._put_back(edge)
                return
            decision = self._decider.decide(edge)
            if temps is not None and decision.fresh:
                decision.reasons = temps.reasons(edge)
        except (InputError, GraphError) as error:
            self._fail_undecided(edge, error)
            return
        if self._options.force or (decision.fresh and edge.name == self._options.alone):
            decision.reasons = (FORCED, *decision.reasons)
        elif number in self._reuse.resume.below:
            decision.reasons = (Reason("resumed", self._reuse.resume.stage), *decision.reasons)
        elif number in self._schedule.dropped:
            decision.reasons = (Reason("order"), *decision.reasons)
        if decision.fresh:
            self.tally.is_fresh(edge, decision)
            return
        if self._restore(edge, decision):
            return
        try:
            if temps is not None and temps.lacks(edge, decision):
                return
            if (too_much := self._needs.fault(number)) is not None:
                raise too_much
        except PipefileError as error:
            self._fail_undecided(edge, error)
            return
        self._decisions[number] = decision
        if not self._batches.hold(edge):
            self._schedule.mark_ready(number)

    def _restore(self, edge: Edge, decision: Decision) -> bool:
        """Whether a stale edge need not run, because it has what it made before."""
        dropped, below = self._schedule.dropped, self._reuse.resume.below
        if self._options.force or edge.name == self._options.alone or edge.id in dropped or edge.id in below:
            return False
        clock = self._session.project.clock
        began = clock.monotonic()
        record = self._reuse.restore(edge, decision)
        if record is None:
            return False
        self.tally.decided[edge.id] = decision
        self.tally.is_restored(edge, decision, record, began)
        return True

    def _put_back(self, edge: Edge) -> None:
        """Make an edge what it was in the run that is resumed, whatever its inputs are today: it is not decided."""
        began = self._session.project.clock.monotonic()
        restored = self._reuse.put_back(edge, self._reuse.resume.above[edge.id])
        if restored is not None:
            self.tally.is_restored(edge, *restored, began)
        else:
            self.tally.is_fresh(edge, None)

    def _removed(self, path: str) -> None:
        self._emit(Note("note", f"removed `{show(path)}`, {dead.why(self._session, path)}"))

    def _refuse(self, number: int, text: str) -> None:
        self._finish_failed(self._graph.edges[number], None, Completion(number, "failed", error=text), ())
        self.tally.report_skipped()

    def _fail_undecided(self, edge: Edge, error: PipefileError) -> None:
        text = error.message + (f"; {error.hint}" if error.hint else "")
        self._finish_failed(edge, None, Completion(edge.id, "failed", error=text), ())

    # -- starting

    def _start_ready(self) -> None:
        self._slots.starved = False
        while True:
            if self._running and self._load.is_high():
                return
            number = self._schedule.start(self._slots.take)
            if number is None:
                return
            if self._temps is not None and self._temps.put_off(number, self._decisions):
                self._slots.release(number)
                self._batches.without(number)
                continue
            grant = self._slots.granted(number)
            first = self._begin(number, grant)
            if first is None:
                self._slots.release(number)
                self._batches.without(number)
                continue
            beside = self._batches.beside(number)
            if self._temps is not None:
                beside = [each for each in beside if not self._temps.put_off(each, self._decisions)]
            others = [self._begin(each, grant) for each in beside]
            self._launch([first, *[attempt for attempt in others if attempt is not None]])

    def _begin(self, number: int, grant: Grant) -> Attempt | None:
        """The next attempt of an edge, made ready; None if the edge has failed with that."""
        edge = self._graph.edges[number]
        decision = self._decisions.pop(number)
        if number in self._doubtful:
            renewed = self._decide_again(edge, decision)
            if renewed is None:
                return None
            decision = renewed
        attempt = self._tries.begin(edge, decision)
        attempt.grant = grant
        self._emit(StageStarted(edge.stage.name, instance(edge), decision.reasons, attempt.number, attempt.fallback))
        try:
            self._attempts.prepare(attempt)
        except (InputError, OSError) as error:
            self._finish_failed(attempt.edge, None, unready(attempt, error), decision.reasons)
            return None
        return attempt

    def _launch(self, attempts: list[Attempt]) -> None:
        log = self._batches.begin(attempts, self._writer, self._slots)
        last = attempts[-1]
        number = last.edge.id
        try:
            task = self._attempts.task(attempts, log)
        except (InputError, OSError) as error:
            self._slots.release(number)
            if not self._batches.ended(unready(last, error), False):
                self._finish_failed(last.edge, None, unready(last, error), last.decision.reasons)
            return
        self._running[number] = last
        began = self._session.project.clock.monotonic()
        self._load.started()
        for attempt in attempts:
            attempt.began = began
            self.tally.history.started(attempt.edge.id)
        self._executors.submit(task)

    # -- waiting

    def _take(self, timeout: float | None) -> None:
        """Take completions; wait for one if *timeout* is None."""
        if timeout is None:
            starved = self._slots.starved and self._slots.tokens
            if starved:
                self._poll.register(starved.fileno(), select.POLLIN)
            self._session.project.clock.wait(self._poll, self._patience())
            if starved:
                self._poll.unregister(starved.fileno())
        landed = self._landed
        before = len(landed)
        for completion in self._executors.ended():
            attempt = self._running.pop(completion.id)
            self._slots.release(completion.id)
            if completion.outcome == "ok":
                self._schedule.free(completion.id)
                landed.append((attempt, completion))
            else:
                self._ended(attempt, completion)
        self._batches.look()
        if len(landed) > before:
            # other actions run while outputs are hashed and recorded: with short commands that is half of the time
            self._start_ready()
        for _ in range(max(1, len(landed) - self._options.jobs) if landed else 0):
            self._ended(*landed.popleft())

    def _patience(self) -> float | None:
        """Longest wait in seconds; None for ever."""
        times = (self._executors.next_deadline(), self._tries.next_due(), self._batches.next_look())
        deadline = min([due for due in times if due is not None], default=None)
        seconds = self._due()
        if self._options.load is not None:
            seconds = _LOOK if seconds is None else min(seconds, _LOOK)
        if deadline is not None:
            left = max(0.0, deadline - self._session.project.clock.monotonic())
            seconds = left if seconds is None else min(seconds, left)
        return seconds

    def _heed_interrupts(self) -> None:
        interrupts = self._interrupts
        if interrupts is None or interrupts.count == self._cancelled:
            return
        interrupts.drain()
        urgent = interrupts.count > 1
        self._cancelled = interrupts.count
        self._schedule.stop()
        self._executors.cancel(urgent)

    def _heed_tries(self) -> None:
        if self._schedule.stopping:
            for failure in self._tries.give_up():
                self._settle(failure)
            for number in self._batches.give_up():
                self._decisions.pop(number)
                self._schedule.end(number, "skipped")
        for number in self._tries.due():
            self._schedule.mark_ready(number)

    # -- ending

    def _ended(self, attempt: Attempt, completion: Completion) -> None:
        if self._batches.ended(completion, self._interrupted(completion)):
            return
        if completion.outcome == "ok":
            self._commit(attempt, completion)
        else:
            self._clean_up(attempt)
            if not self._repeat_lost([attempt], completion):
                self._failed(Failure(attempt, completion, completion.error, own=is_own(completion)))

    def _run_again(self, attempt: Attempt) -> None:
        """An attempt that has failed with others is no failure of its edge: it waits with its decision, which is looked at once more."""
        self._doubt(self._attempts.changed(attempt))
        self._decisions[attempt.edge.id] = attempt.decision
        self._doubtful.add(attempt.edge.id)

    def _commit(self, attempt: Attempt, completion: Completion) -> None:
        edge, decision = attempt.edge, attempt.decision
        try:
            verdict = self._attempts.commit(attempt, completion)
        except InputError as error:
            verdict = Verdict(error=error.message)
        except OSError as error:
            verdict = Verdict(error=disk_text(error))
        for text in verdict.warnings:
            self._warn(text)
        if verdict.changed:
            self._doubt(verdict.changed)
        if verdict.again and not self._schedule.stopping:
            self._repeat(edge, decision)
            return
        if verdict.error or verdict.again:
            text = verdict.error or "its inputs changed while it ran"
            if not verdict.kept:
                self._clean_up(attempt)
            self._failed(Failure(attempt, completion, text, verdict.hint, verdict.own))
            return
        self._attempts.audits.note(edge, attempt.beyond)
        if attempt.fallback:
            self._degraded(attempt, completion, verdict)
        else:
            self.tally.has_run(attempt, completion, verdict)
            self._reuse.later(edge)

    def _repeat(self, edge: Edge, decision: Decision) -> None:
        again = self._decide_again(self._graph.edges[edge.id], decision)
        if again is not None:
            self._decisions[edge.id] = again
            self._tries.repeat(edge.id)
            self._batches.mark_ready([edge.id])

    def _repeat_lost(self, attempts: list[Attempt], completion: Completion) -> bool:
        """Whether attempts are made once more of which the executor cannot tell how they ended: that is not the stage's fault."""
        if completion.outcome != "lost" or any(attempt.rerun for attempt in attempts) or self._schedule.stopping or self._cancelled:
            return False
        more = f" and {len(attempts) - 1} more of its batch run" if len(attempts) > 1 else " runs"
        self._warn(f"stage `{show(attempts[0].edge.name)}`{more} again: {completion.error}")
        self._schedule.free(completion.id)
        for attempt in attempts:
            self._repeat(attempt.edge, attempt.decision)
        return True

    def _failed(self, failure: Failure) -> None:
        """An attempt has failed: another one follows, or the fallback, or the edge has failed."""
        again = None
        if failure.own and not self._schedule.stopping and not self._interrupted(failure.completion):
            again = self._tries.after(failure)
        if again is None:
            self._settle(failure)
            return
        attempt, edge = failure.attempt, failure.attempt.edge
        self._schedule.free(edge.id)
        self._batches.leave(edge.id)
        self._run_again(attempt)
        failure.log = log_of(failure, self._session.disk, self._writer.log_path(attempt.edge.name), self._warn)
        if again.delay is None:
            self._needs.fall_back(edge.id)
            self._schedule.mark_ready(edge.id)
            return
        error = failure.text.partition("\n")[0]
        next_one = attempt.number + 1
        self._emit(StageRetried(edge.stage.name, instance(edge), next_one, again.attempts, again.delay, error, failure.log, attempt.fallback))

    def _settle(self, failure: Failure) -> None:
        attempt = failure.attempt
        self._decisions.pop(attempt.edge.id, None)
        self._finish_failed(attempt.edge, attempt, failure.completion, attempt.decision.reasons, failure.text, failure.hint)

    def _degraded(self, attempt: Attempt, completion: Completion, verdict: Verdict) -> None:
        edge = attempt.edge
        failure = self._tries.settle(edge.id)
        assert failure is not None  # it is why the fallback ran
        self.tally.is_degraded(attempt, completion, verdict, failure.text)
        text = f"stage `{show(edge.name)}` failed ({show(failure.text)}): its outputs come from fallback `{show(attempt.fallback)}`"
        self._warn(text + (f"\n  log: {show(failure.log)}" if failure.log else ""))

    def _doubt(self, changed: Sequence[str]) -> None:
        """Files have changed meanwhile: what waits with a key of the old ones gets another before it starts, and code is imported anew."""
        self._doubtful.update(self._decisions)
        if any(path.endswith(".py") for path in changed):
            self._executors.renew()

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

    def _clean_up(self, attempt: Attempt) -> None:
        try:
            self._attempts.failed(attempt)
        except OSError as error:
            self._warn(f"what stage `{show(attempt.edge.name)}` left cannot be removed: {disk_text(error)}")

    def _finish_failed(  # the last two differ only where the action itself went well
        self,
        edge: Edge,
        attempt: Attempt | None,
        completion: Completion,
        reasons: tuple[Reason, ...],
        error: str = "",
        hint: str = "",
    ) -> None:
        text = error or completion.error
        if hint:
            text += f"\nhint: {hint}"
        before = self._tries.settle(edge.id)
        if before is not None:
            name = name_of(self._graph.edges[edge.id].stage)
            log = f"\nlog of that: {show(before.log)}" if before.log else ""
            text = f"{before.text}{log}\nfallback `{show(name)}` failed: {text}" + (f"\nhint: {before.hint}" if before.hint else "")
        status = "interrupted" if self._interrupted(completion) else "failed"
        self.tally.has_failed(edge, attempt, completion, reasons, status, text)

    def _interrupted(self, completion: Completion) -> bool:
        return completion.outcome == "cancelled" or (self._interrupts is not None and self._interrupts.number > 0)

    def close(self) -> None:
        """End what still runs, at once."""
        try:
            self._executors.close()
        finally:
            self._slots.close()
