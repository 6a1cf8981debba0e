"""What becomes of the edges of one build: counted, written into the run's history, told, and ended in the schedule."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pipefile.engine.attempt import Attempt
from pipefile.engine.decide import Decision
from pipefile.engine.files import State
from pipefile.engine.history import History, instance
from pipefile.engine.session import Session
from pipefile.engine.verdict import Verdict
from pipefile.model.event import Event, StageFinished, StageRestored
from pipefile.model.graph import Edge
from pipefile.model.ports import Completion
from pipefile.model.record import Reason, Record
from pipefile.plan.schedule import Schedule
from pipefile.store.runs import RunWriter


def _nothing(number: int) -> None:
    """Nobody wants to know."""


def _never(edge: Edge) -> bool:  # noqa: ARG001  # whoever has temporary outputs asks of each
    return False


class Tally:
    """Takes each edge when it has ended.

    Args:
        session: The project.
        schedule: What depends on what.
        writer: The run.
        emit: Takes events.
        warn: Takes warnings.

    Attributes:
        decided: Edges that are fresh now: id -> what was decided when they were, or before they ran.
        failed_on: Edges that have failed: id -> what their inputs and code were when they were tried last, as far as they came to be known.
        ran: Names of edges; so are `failed`, `skipped`, `degraded` and `restored`.
        fresh: How many were.
    """

    def __init__(self, session: Session, schedule: Schedule, writer: RunWriter, emit: Callable[[Event], None], warn: Callable[[str], None]) -> None:
        self._session = session
        self._schedule = schedule
        self._writer = writer
        self._emit = emit
        self._reported = 0
        self.history = History(session, writer, warn)
        self.decided: dict[int, Decision] = {}
        self.failed_on: dict[int, Mapping[str, State]] = {}
        self.ran: list[str] = []
        self.failed: list[str] = []
        self.skipped: list[str] = []
        self.degraded: list[str] = []
        self.restored: list[str] = []
        self.fresh = 0
        self.after: Callable[[int], None] = _nothing
        """Told of each edge that has ended well."""
        self.is_open: Callable[[Edge], bool] = _never
        """Whether a fresh edge may have to run all the same (engine/temps.py): that it is fresh is told at the end then."""
        self._untold: dict[int, Edge] = {}
        self._counted: set[int] = set()  # edges that are among `ran`, `restored` or `skipped`

    def reopen(self, number: int) -> None:
        """An edge that has ended well is decided again."""
        self.decided.pop(number, None)
        self._untold.pop(number, None)
        self.fresh -= number not in self._counted

    def counts(self) -> dict[str, int]:
        counts = {"ran": self.ran, "restored": self.restored, "degraded": self.degraded, "failed": self.failed, "skipped": self.skipped}
        return {"fresh": self.fresh, **{name: len(edges) for name, edges in counts.items()}}

    def unmoved(self, number: int) -> None:
        """An edge is fresh that was not even made (engine/warm.py)."""
        self.fresh += 1
        self._schedule.end(number, "fresh")
        self._emit(StageFinished(self._session.index.edge_names[number], "", "fresh"))

    def is_fresh(self, edge: Edge, decision: Decision | None) -> None:
        """An edge is fresh; without a decision it is only what it was in an earlier run."""
        if decision is not None:
            self.decided[edge.id] = decision
        self.fresh += edge.id not in self._counted
        self._schedule.end(edge.id, "fresh")
        if self.is_open(edge):
            self._untold[edge.id] = edge
        else:
            self._emit(StageFinished(edge.stage.name, instance(edge), "fresh"))
        self.after(edge.id)

    def tell_fresh(self) -> None:
        """Nothing more runs: tell of fresh edges that might have had to."""
        for edge in self._untold.values():
            self._emit(StageFinished(edge.stage.name, instance(edge), "fresh"))
        self._untold.clear()

    def is_restored(self, edge: Edge, decision: Decision, record: Record, began: float) -> None:
        """An edge has what it made before; since *began*, by the clock, that was put back."""
        seconds = self._session.project.clock.monotonic() - began
        self.restored.append(edge.name)
        self._counted.add(edge.id)
        self.history.restored(edge, decision, record, seconds)
        self._emit(StageRestored(edge.stage.name, instance(edge), decision.reasons, seconds))
        self._emit(StageFinished(edge.stage.name, instance(edge), "restored", seconds))
        self._schedule.end(edge.id, "fresh")
        self.after(edge.id)

    def is_left_out(self, edge: Edge, why: str) -> None:
        """A condition keeps an edge from running."""
        self.skipped.append(edge.name)
        self._counted.add(edge.id)
        self.history.left_out(edge, why)
        self._emit(StageFinished(edge.stage.name, instance(edge), "skipped", reason=why))
        self._schedule.end(edge.id, "left")
        self.after(edge.id)

    def has_run(self, attempt: Attempt, completion: Completion, verdict: Verdict) -> None:
        edge = attempt.edge
        if edge.id not in self._counted or edge.name not in self.ran:
            self.ran.append(edge.name)
        self._counted.add(edge.id)
        self.decided[edge.id] = attempt.decision
        self.history.ran(attempt, completion, verdict)
        self._emit(self._finished(edge, "ran", completion, attempt))
        self._schedule.end(edge.id, "ran")
        self.after(edge.id)

    def is_degraded(self, attempt: Attempt, completion: Completion, verdict: Verdict, error: str) -> None:
        """The fallback of an edge has made its outputs, since it has failed with *error* itself."""
        edge = attempt.edge
        self.failed_on[edge.id] = {**attempt.inputs, **attempt.discovered}
        self.degraded.append(edge.name)
        self.history.degraded(attempt, completion, verdict, error)
        self._emit(self._finished(edge, "degraded", completion, attempt, error))
        self._schedule.end(edge.id, "ran")

    def has_failed(  # one a fact
        self, edge: Edge, attempt: Attempt | None, completion: Completion, reasons: tuple[Reason, ...], status: str, text: str
    ) -> None:
        """An edge has failed, or was interrupted: *status*."""
        if status == "failed":
            self.failed.append(edge.name)
        self.decided.pop(edge.id, None)
        self.failed_on[edge.id] = {**attempt.inputs, **attempt.discovered} if attempt is not None else {}
        self.history.failed(edge, attempt, completion, reasons, status, text)
        self._emit(self._finished(edge, status, completion, attempt, text))
        self._schedule.end(edge.id, "failed")

    def report_skipped(self) -> None:
        """Tell of the edges that what failed above keeps from running."""
        skipped = self._schedule.skipped
        while self._reported < len(skipped):
            edge = self._session.graph.edges[skipped[self._reported]]
            self._reported += 1
            self.skipped.append(edge.name)
            self._emit(StageFinished(edge.stage.name, instance(edge), "skipped"))
            self.history.skipped(edge)

    def _finished(self, edge: Edge, status: str, completion: Completion, attempt: Attempt | None, error: str = "") -> StageFinished:
        log = self.history.log_of(edge, attempt) if completion.log_size else ""
        quiet = attempt is not None and attempt.quiet
        line = self._session.line_of(edge.stage) if error else None
        command = attempt.command if attempt is not None else ""
        return StageFinished(
            edge.stage.name,
            instance(edge),
            status,
            completion.elapsed,
            b"" if quiet else completion.output,
            log,
            0 if quiet else completion.log_size,
            error,
            edge.stage.file,
            line,
            command,
            undeclared={} if attempt is None else attempt.beyond.by_kind(),
        )
