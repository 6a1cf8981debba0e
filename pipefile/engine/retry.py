"""Attempts in a row: how often each edge of a build has run, which failure is followed by another attempt or by a fallback, and when.

The numbers of an edge's attempts count every execution, those of its fallback and those repeated since an input changed meanwhile too: events,
history, logs and functions all speak of the same ones. What `max_attempts` bounds are failures.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from heapq import heappop, heappush

from pipefile.base.dataclass import dataclass
from pipefile.base.errors import InputError
from pipefile.base.paths import show
from pipefile.engine.attempt import Attempt
from pipefile.engine.decide import Decision
from pipefile.execute.output import LOG_FAULT
from pipefile.model.graph import Edge, Graph
from pipefile.model.ports import Clock, Completion, Disk
from pipefile.plan.fallback import fallback_edge, name_of
from pipefile.plan.retry import runs_again, wait_before_next


@dataclass(slots=True)
class Failure:
    """An attempt that has failed, and what is told of it if nothing better follows.

    Args:
        attempt: Which one.
        completion: How its action ended.
        text: Why it failed.
        hint: What to do about it.
        own: The stage has failed, not something around it: its inputs, the disk, an interrupt.
        log: Path of its log from the root, where another attempt follows; "" if it printed nothing.
    """

    attempt: Attempt
    completion: Completion
    text: str
    hint: str = ""
    own: bool = False
    log: str = ""


@dataclass(frozen=True, slots=True)
class Again:
    """What follows a failure.

    Args:
        delay: Seconds until the next attempt; None for the fallback, which comes at once.
        attempts: How many attempts there will be at most.
    """

    delay: float | None
    attempts: int = 0


class Tries:
    """The attempts of one build.

    Args:
        graph: Its edges.
        clock: For the waits.
    """

    def __init__(self, graph: Graph, clock: Clock) -> None:
        self._graph = graph
        self._clock = clock
        self._numbers: dict[int, int] = {}
        self._failures: dict[int, int] = {}
        self._repeated: set[int] = set()
        self._waiting: list[tuple[float, int]] = []
        self._fallen: dict[int, Failure] = {}
        self._unsettled: dict[int, Failure] = {}

    # -- beginning

    def begin(self, edge: Edge, decision: Decision) -> Attempt:
        """The next attempt of an edge: of its fallback, if the stage itself has failed for good."""
        self._unsettled.pop(edge.id, None)
        number = self._numbers[edge.id] = self._numbers.get(edge.id, 0) + 1
        rerun = edge.id in self._repeated
        if edge.id in self._fallen:
            return Attempt(fallback_edge(edge, self._graph), decision, number, rerun, name_of(edge.stage))
        return Attempt(edge, decision, number, rerun)

    def repeat(self, edge: int) -> None:
        """An edge runs once more for what is no failure of it: its inputs changed while it ran."""
        self._repeated.add(edge)

    def is_repeated(self, edge: int) -> bool:
        """Whether that has happened to it already."""
        return edge in self._repeated

    # -- after a failure

    def after(self, failure: Failure) -> Again | None:
        """What follows an attempt in which the stage has failed; None if nothing does. `begin` is called for it when it is due."""
        attempt = failure.attempt
        edge = self._graph.edges[attempt.edge.id]
        policy = attempt.edge.stage.retry
        failures = self._failures[edge.id] = self._failures.get(edge.id, 0) + 1
        if runs_again(policy, failures, failure.completion):
            self._unsettled[edge.id] = failure
            delay = wait_before_next(policy, failures, _chance() if policy.jitter else 0.0)
            heappush(self._waiting, (self._clock.monotonic() + delay, edge.id))
            return Again(delay, attempt.number + policy.max_attempts - failures)
        if edge.stage.fallback and not attempt.fallback:
            self._unsettled[edge.id] = self._fallen[edge.id] = failure
            self._failures.pop(edge.id)
            self._repeated.discard(edge.id)
            return Again(None)
        return None

    def due(self) -> list[int]:
        """Edges whose wait is over."""
        found = []
        while self._waiting and self._waiting[0][0] <= self._clock.monotonic():
            found.append(heappop(self._waiting)[1])
        return found

    def next_due(self) -> float | None:
        """The monotonic time at which the next wait is over; None if nothing waits."""
        return self._waiting[0][0] if self._waiting else None

    def give_up(self) -> list[Failure]:
        """Failures whose next attempt has not begun, and will not: no more attempts."""
        self._waiting.clear()
        found = list(self._unsettled.values())
        self._unsettled.clear()
        for failure in found:
            if self._fallen.get(failure.attempt.edge.id) is failure:  # its fallback has not begun either
                del self._fallen[failure.attempt.edge.id]
        return found

    def settle(self, edge: int) -> Failure | None:
        """An edge has ended. Gives the failure of the stage, if its fallback was to make up for it."""
        self._unsettled.pop(edge, None)
        return self._fallen.pop(edge, None)


def is_own(completion: Completion) -> bool:
    """Whether an action that did not end well is a failure of its stage: not an interrupt, a worker that could not be started, a log without room."""
    return completion.outcome == "failed" and not completion.error.startswith(LOG_FAULT)


def unready(attempt: Attempt, error: InputError | OSError) -> Completion:
    """How an attempt has ended that could not even be made ready."""
    return Completion(attempt.edge.id, "failed", error=error.message if isinstance(error, InputError) else disk_text(error))


def disk_text(error: OSError) -> str:
    """What the disk would not do, for people."""
    path = error.filename if isinstance(error.filename, str) else ""
    what = error.strerror or str(error)
    return f"cannot write `{show(path)}`: {what}" if path else f"cannot write: {what}"


def log_of(failure: Failure, disk: Disk, log: str, warn: Callable[[str], None]) -> str:
    """Put the log of an attempt that is followed by another one aside: `log.txt` becomes `log.1.txt`, `log.2.txt`; one that it shares stays.

    Args:
        failure: The attempt.
        disk: The project's disk.
        log: Where the log of its edge is, from the root.
        warn: Told where the disk does not take it.

    Returns:
        Its path now; "" for none.
    """
    attempt = failure.attempt
    if not failure.completion.log_size or attempt.log:
        return attempt.log if failure.completion.log_size else ""
    kept = f"{log.removesuffix('.txt')}.{attempt.number}.txt"
    try:
        disk.rename(log, kept)
    except OSError as error:
        warn(f"the log of an attempt is not kept: {disk_text(error)}")
        return ""
    return kept


def _chance() -> float:
    return int.from_bytes(os.urandom(4), "big") / 0xFFFFFFFF
