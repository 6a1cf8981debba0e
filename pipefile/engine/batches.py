"""Stages with `batch`: which instances run together, and what becomes of each when that has ended.

A batch is put together when it starts, of what is ready then, so nothing that is kept may depend on who ran with whom: each edge has its decision,
its attempt, its input guard, its record. After a failure nobody is blamed for another's fault. Where the function has told which items are finished,
these are committed, the one that it was at has failed, and the others go on together. Where nobody knows, since files that are half written look like
whole ones, none is believed: both halves run again, until what fails is one item alone.

What a worker tells of is committed while it goes on, so that not even a builder that is killed loses it: an item as soon as the next one is
finished as well, since a function may close a file only when it is called for the next item. The last item, of which nothing is told before the end,
is the one that has the batch's place in the schedule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipefile.base.dataclass import dataclass, field, replace
from pipefile.base.paths import folder_of
from pipefile.engine.attempt import Attempt, Attempts
from pipefile.engine.retry import Failure, is_own
from pipefile.engine.session import Session
from pipefile.engine.slots import Slots
from pipefile.engine.tasks import Log
from pipefile.model.event import Event, Note
from pipefile.model.graph import Edge
from pipefile.model.options import Options
from pipefile.model.ports import Completion
from pipefile.plan.batches import finished, share
from pipefile.plan.schedule import Schedule
from pipefile.store.runs import RunWriter

LOOK = 1.0
"""Seconds between two looks at what functions have told."""

_TOGETHER = ("report", "off")  # values of `audit`; others want to know of each edge what it has read

PATIENCE = 200
"""Edges that are decided at the most while one waits for others of its stage."""


@dataclass(slots=True)
class Ended:
    """What becomes of the edges of a batch that has ended.

    Args:
        done: They are finished: to be committed.
        failed: The others that this was the last execution of, each with how it ended for it.
        again: Groups of those that run again, each group together.
    """

    done: list[tuple[Attempt, Completion]] = field(default_factory=list)
    failed: list[tuple[Attempt, Completion]] = field(default_factory=list)
    again: list[list[Attempt]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Hands:
    """What the loop of a build does with attempts that have ended.

    Args:
        start_ready: Start what is ready.
        commit: Take what an attempt has made.
        clean_up: Remove what an attempt has left.
        repeat_lost: Run attempts once more of which nobody knows how they have ended; whether that was so.
        failed: An attempt has failed: retries, the fallback and the end of the edge follow.
        run_again: Keep the decision of an attempt that was no failure of its edge.
        emit: Takes events.
        latest: The last bytes that a running edge has printed.
    """

    start_ready: Callable[[], None]
    commit: Callable[[Attempt, Completion], None]
    clean_up: Callable[[Attempt], None]
    repeat_lost: Callable[[list[Attempt], Completion], bool]
    failed: Callable[[Failure], None]
    run_again: Callable[[Attempt], None]
    emit: Callable[[Event], None]
    latest: Callable[[int], bytes]


@dataclass(slots=True)
class _Batch:
    """One that runs.

    Args:
        attempts: In the order in which its action has them.
        since: When it began, or when items of it were last committed, by the clock.
        early: Positions of the attempts that are committed already.
        spent: Seconds that these have taken.
    """

    attempts: list[Attempt]
    since: float
    early: set[int] = field(default_factory=set)
    spent: float = 0.0


class Batches:
    """The batches of one build.

    Args:
        session: The project.
        schedule: What is ready.
        attempts: Knows what functions have told.
        options: How many edges run at once, and which one alone, in the debugger or under strace.
        hands: What to do with what has ended.
    """

    def __init__(self, session: Session, schedule: Schedule, attempts: Attempts, options: Options, hands: Hands) -> None:
        self._session = session
        self._schedule = schedule
        self._attempts = attempts
        self._jobs = options.jobs
        self._alone = options.alone
        self._hands = hands
        self._stages: dict[int, tuple[str, int]] = {}  # edge -> stage and `batch`, of edges that may run with others
        self._held: list[int] = []
        self._left = 0  # edges that may still be decided while some are held
        self._ready: dict[str, dict[int, None]] = {}
        self._groups: dict[int, tuple[int, ...]] = {}
        self._running: dict[int, _Batch] = {}  # by its last edge
        self._clock = session.project.clock
        self._next_look = 0.0
        self._count = 0

    # -- becoming ready

    def hold(self, edge: Edge) -> bool:
        """Whether a stale edge is taken in, to be ready by `release`: others of its stage may follow it at once."""
        if edge.stage.batch is None or edge.name == self._alone or edge.stage.audit not in _TOGETHER:
            return False
        if not self._held:
            self._left = PATIENCE
        self._stages[edge.id] = (edge.stage.name, edge.stage.batch.most)
        self._held.append(edge.id)
        return True

    def release(self, last: bool) -> None:
        """Let those start that are held, if there are enough of them, or if they have waited for long. *last*: nothing else is to be decided now."""
        held = self._held
        if not held:
            return
        self._left -= 1
        if last or self._left <= 0 or len(held) >= self._stages[held[-1]][1] * self._jobs:
            self._held = []
            self.mark_ready(held)

    def mark_ready(self, edges: Sequence[int]) -> None:
        """Edges may start, those with a `batch` with others."""
        for edge in edges:
            known = self._stages.get(edge)
            if known is not None:
                self._ready.setdefault(known[0], {})[edge] = None
            self._schedule.mark_ready(edge)

    # -- starting

    def beside(self, edge: int) -> Sequence[int]:
        """Edges to start in one batch with one that has its place; they are taken."""
        group = self._groups.pop(edge, None)
        if group is not None:
            return group
        known = self._stages.get(edge)
        if known is None:
            return ()
        stage, most = known
        ready = self._ready.get(stage, {})
        ready.pop(edge, None)
        wanted = share(most, len(ready) + 1, self._schedule.places(edge)) - 1
        found: list[int] = []
        for other in ready if wanted else ():
            if len(found) == wanted:
                break
            if self._schedule.ride(other):
                found.append(other)
        for other in found:
            del ready[other]
        return found

    def leave(self, edge: int) -> None:
        """An edge has failed by itself: what follows, another attempt or its fallback, is for it alone."""
        self._stages.pop(edge, None)

    def without(self, edge: int) -> None:
        """An edge has not started: what would have run with it alone starts by itself."""
        known = self._stages.get(edge)
        if known is not None:
            self._ready.get(known[0], {}).pop(edge, None)
            self.mark_ready(self._groups.pop(edge, ()))

    def begin(self, attempts: list[Attempt], writer: RunWriter, slots: Slots) -> Log:
        """Attempts start as one, in the place of the first; they are put in the order of items, and the last has the place then.

        Returns:
            Where their log and their artifacts belong.
        """
        disk = self._session.disk
        if len(attempts) == 1:
            path = disk.at(writer.log_path(attempts[0].edge.name))
            return Log(path, (f"{folder_of(path)}/artifacts",))
        holder = attempts[0].edge.id
        attempts.sort(key=lambda attempt: attempt.edge.id)
        last = attempts[-1].edge.id
        if last != holder:
            self._schedule.hand_over(holder, last)
            slots.hand_over(holder, last)
        paths = [writer.log_path(attempt.edge.name) for attempt in attempts]
        artifacts = tuple([disk.at(f"{folder_of(path)}/artifacts") for path in paths])
        self._running[last] = _Batch(attempts, self._clock.monotonic())
        self._count += 1
        path = writer.shared_log_path(attempts[0].edge.stage.name, f"batch-{self._count}.txt")
        for attempt in attempts:
            attempt.log = path
        return Log(disk.at(path), artifacts)

    # -- running

    def next_look(self) -> float | None:
        """The monotonic time at which `look` may find something; None for never."""
        return self._next_look if any(map(_tells, self._running.values())) else None

    def look(self) -> None:
        """Commit the items that functions are finished with, while they go on with others."""
        telling = [batch for batch in self._running.values() if _tells(batch)] if self._running else ()
        if not telling or (now := self._clock.monotonic()) < self._next_look:
            return
        self._next_look = now + LOOK
        for batch in telling:
            told = finished(self._attempts.report(batch.attempts[-1])).items
            newest = max(told, default=0)
            new = sorted([at for at in told - batch.early if at < newest])
            if not new:
                continue
            seconds = (now - batch.since) / len(new)
            batch.spent += now - batch.since
            batch.since = now
            batch.early.update(new)
            printed = len(self._hands.latest(batch.attempts[-1].edge.id))  # the log itself is there at the end
            for at in new:
                attempt = batch.attempts[at]
                attempt.quiet = True
                self._hands.commit(attempt, Completion(attempt.edge.id, "ok", elapsed=seconds, log_size=printed))

    # -- ending

    def ended(self, completion: Completion, interrupted: bool) -> bool:
        """Whether an action that has ended was a batch; all of its edges are taken care of then.

        Args:
            completion: How it has ended.
            interrupted: The build is, so nothing runs again.
        """
        batch = self._running.pop(completion.id, None)
        if batch is None:
            return False
        hands, attempts = self._hands, batch.attempts
        found = self._sort(batch, completion, interrupted)
        if found.done:
            self._schedule.free(completion.id)
            hands.start_ready()
        for attempt, share_of_it in found.done:
            hands.commit(attempt, share_of_it)
        failed = [attempt for attempt, _ in found.failed]
        again = [attempt for group in found.again for attempt in group]
        for attempt in (*failed, *again):
            hands.clean_up(attempt)
        if failed and hands.repeat_lost(failed, completion):
            return True
        for attempt, share_of_it in found.failed:
            hands.failed(Failure(attempt, share_of_it, share_of_it.error, own=is_own(share_of_it)))
        self._schedule.free(completion.id)
        if len(found.again) > 1:
            hands.emit(Note("note", _of_parts(attempts, completion)))
        for attempt in again:
            hands.run_again(attempt)
        for group in found.again:
            self._group([attempt.edge.id for attempt in group])
        return True

    def _sort(self, batch: _Batch, completion: Completion, interrupted: bool) -> Ended:
        """What becomes of each attempt of a batch that has ended, but for those that are committed."""
        completion = replace(completion, elapsed=max(0.0, completion.elapsed - batch.spent))
        attempts = [(at, attempt) for at, attempt in enumerate(batch.attempts) if at not in batch.early]
        if completion.outcome == "ok":
            return Ended(done=_shares([attempt for _, attempt in attempts], completion, len(attempts), shown=True))
        told = finished(self._attempts.report(batch.attempts[-1]))
        left = [attempt for at, attempt in attempts if at not in told.items]
        done = [attempt for at, attempt in attempts if at in told.items]
        found = Ended(done=_shares(done, completion, len(done) + 1, shown=False))
        if interrupted or not is_own(completion):
            found.failed = _shares(left, completion, 1, shown=True)
        elif told.in_order or len(left) == 1:
            found.failed = _shares(left[:1], completion, len(done) + 1, shown=True)
            found.again = [left[1:]] if left[1:] else []
        else:
            half = (len(left) + 1) // 2
            found.again = [left[:half], left[half:]]
        return found

    def _group(self, edges: Sequence[int]) -> None:
        """Edges that have run as parts of a batch run again, together."""
        first, *others = edges
        for edge in others:
            self._schedule.take_along(edge)
        self._groups[first] = tuple(others)
        self._schedule.mark_ready(first)

    def give_up(self) -> list[int]:
        """The edges that were to run again, and will not."""
        found = [edge for first, others in self._groups.items() for edge in (first, *others)]
        self._groups.clear()
        return found


def _tells(batch: _Batch) -> bool:
    """Whether anything can be believed of a batch before its end: in the builder another function may be found to have changed the environment."""
    return len(batch.attempts) > 2 and batch.attempts[0].mode.name == "process"


def _of_parts(attempts: list[Attempt], completion: Completion) -> str:
    what = f"a batch of {len(attempts)} items of stage `{attempts[0].edge.stage.name}` failed ({completion.error.partition(chr(10))[0]})"
    log = f"\n  log: {attempts[0].log}" if completion.log_size else ""
    return f"{what}: they run again in two parts, to find the one that fails{log}"


def _shares(attempts: list[Attempt], completion: Completion, parts: int, shown: bool) -> list[tuple[Attempt, Completion]]:
    """How it ended for each: with its share of the time. What was printed is told with the first one, if it is to be told."""
    found = []
    for at, attempt in enumerate(attempts):
        attempt.quiet = at > 0 or not shown
        found.append((attempt, replace(completion, id=attempt.edge.id, elapsed=completion.elapsed / parts, cpu=completion.cpu / parts)))
    return found
