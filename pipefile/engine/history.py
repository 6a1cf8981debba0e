"""What a build tells its run: one entry an edge that did not just stay fresh."""

from __future__ import annotations

from pipefile.engine.attempt import Attempt, Verdict, reason_texts
from pipefile.engine.decide import Decision
from pipefile.engine.secrets import masked
from pipefile.engine.session import Session
from pipefile.model.graph import Edge
from pipefile.model.ports import Completion
from pipefile.model.record import Reason, Record
from pipefile.model.run import EdgeResult
from pipefile.plan.mode import Mode, Modes, mode_of
from pipefile.store.runs import RunWriter, timestamp


def instance(edge: Edge) -> str:
    """The part of an edge's name that tells it from others of its stage; "" where the stage has one edge alone."""
    return edge.name[len(edge.stage.name) + 1 :]


class History:
    """Collects the entries of manifest.json.

    Args:
        session: The project.
        writer: The run; asking it for a log path begins it.
    """

    def __init__(self, session: Session, writer: RunWriter) -> None:
        self._clock = session.project.clock
        self._mask = session.mask
        self._writer = writer
        self._started: dict[int, float] = {}
        self.results: list[EdgeResult] = []

    def started(self, edge: int) -> None:
        self._started.setdefault(edge, self._clock.now())

    def _add(self, entry: EdgeResult) -> None:
        self.results.append(entry if self._mask is None else masked(entry, self._mask))

    def ran(self, attempt: Attempt, completion: Completion, verdict: Verdict) -> None:
        edge = attempt.edge
        self._add(self._entry(edge, attempt, completion, attempt.decision.reasons, "ran", "", verdict.outputs))

    def degraded(self, attempt: Attempt, completion: Completion, verdict: Verdict, error: str) -> None:
        """A fallback has made the outputs of a stage that has failed with *error*."""
        self._add(self._entry(attempt.edge, attempt, completion, attempt.decision.reasons, "degraded", error, verdict.outputs))

    def restored(self, edge: Edge, decision: Decision, record: Record, seconds: float) -> None:
        """What a stale edge has made before was put back."""
        self._add(
            EdgeResult(
                edge.stage.name,
                instance(edge),
                edge.wave,
                "restored",
                reason_texts(decision.reasons),
                mode=_undecided(edge).name,
                attempts=0,
                started_at=timestamp(self._clock.now() - seconds),
                duration_seconds=round(seconds, 6),
                key=record.key,
                inputs=_inputs(decision),
                outputs={made.path: made.digest for made in record.outputs},
                params=dict(edge.stage.params),
            )
        )
        self._writer.begin()

    def left_out(self, edge: Edge, why: str) -> None:
        """A condition has kept an edge from running. Unlike what a failure keeps from it, that is told even if nothing runs after it."""
        self._add(EdgeResult(edge.stage.name, instance(edge), edge.wave, "skipped", (why,), mode=_undecided(edge).name, attempts=0))

    def failed(  # as Loop gives them
        self, edge: Edge, attempt: Attempt | None, completion: Completion, reasons: tuple[Reason, ...], status: str, error: str
    ) -> None:
        self._add(self._entry(edge, attempt, completion, reasons, status, error, {}))

    def skipped(self, edge: Edge) -> None:
        if self._writer.begun:
            self._add(EdgeResult(edge.stage.name, instance(edge), edge.wave, "skipped", mode=_undecided(edge).name, attempts=0))

    def _entry(  # noqa: PLR0913, PLR0917  # one a field of the entry
        self,
        edge: Edge,
        attempt: Attempt | None,
        completion: Completion,
        reasons: tuple[Reason, ...],
        status: str,
        error: str,
        outputs: dict[str, str],
    ) -> EdgeResult:
        mode = _undecided(edge) if attempt is None else attempt.mode
        return EdgeResult(
            stage=edge.stage.name,
            instance=instance(edge),
            wave=edge.wave,
            status=status,
            reasons=reason_texts(reasons),
            mode=mode.name,
            attempts=attempt.number if attempt is not None else 0,
            started_at=timestamp(self._started.get(edge.id, self._clock.now())),
            duration_seconds=round(completion.elapsed, 6),
            cpu_seconds=round(completion.cpu, 6),
            peak_rss_bytes=completion.peak_rss,
            key=attempt.decision.key if attempt is not None and status != "degraded" else "",
            inputs={} if attempt is None else _inputs(attempt.decision),
            outputs=outputs,
            params=dict(edge.stage.params),
            exit_status=completion.exit_status,
            error=error,
            log=self._writer.log_path(edge.name) if completion.log_size else "",
            mode_reason=mode.reason,
        )


def _inputs(decision: Decision) -> dict[str, str]:
    return {part.path or part.name: part.value for part in decision.parts if part.kind in ("input", "set")}


def _undecided(edge: Edge) -> Mode:
    """How an edge would have run that never came to it, as far as its stage says."""
    return mode_of(edge.stage, Modes(), lambda: 0)
