"""What a build tells its run: one entry an edge that did not just stay fresh."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from pipefile.engine.attempt import Attempt, reason_texts
from pipefile.engine.decide import Decision
from pipefile.engine.secrets import masked
from pipefile.engine.session import Session
from pipefile.engine.verdict import Verdict
from pipefile.model.graph import Edge
from pipefile.model.ports import Completion
from pipefile.model.record import Component, Reason, Record
from pipefile.model.run import EdgeResult
from pipefile.model.stage import Call
from pipefile.plan.key import set_digest
from pipefile.plan.mode import Mode, Modes, mode_of
from pipefile.store.runs import RunWriter, timestamp

if TYPE_CHECKING:
    from pipefile.engine.outcome import Outcomes

DISCOVERED_KEPT = 50_000
"""Most discovered inputs of one run that the manifest lists one by one."""

_AT_ONCE = 64  # edges

_INPUTS = frozenset(["input", "set", "value"])
_CODE = frozenset(["run", "argv", "shell", "call", "setup", "python", "code", "package", "version", "env", "batch"])


def instance(edge: Edge) -> str:
    """The part of an edge's name that tells it from others of its stage; "" where the stage has one edge alone."""
    return edge.name[len(edge.stage.name) + 1 :]


class History:
    """Collects the entries of manifest.json.

    Args:
        session: The project.
        writer: The run; asking it for a log path begins it.
        warn: Takes warnings.
    """

    def __init__(self, session: Session, writer: RunWriter, warn: Callable[[str], None]) -> None:
        self._session = session
        self._warn = warn
        self._outcomes: Outcomes | None = None
        self._discovered = 0
        self._second = (-1, "")
        self._clock = session.project.clock
        self._mask = session.mask
        self._writer = writer
        self._started: dict[int, float] = {}
        self._results: list[EdgeResult] = []
        self._waiting: list[tuple[Attempt, Completion, Verdict]] = []

    @property
    def results(self) -> list[EdgeResult]:
        """The entries so far, in the order in which edges have ended."""
        self._catch_up()
        return self._results

    def started(self, edge: int) -> None:
        self._started.setdefault(edge, self._clock.now())

    def _add(self, entry: EdgeResult) -> None:
        if self._waiting:
            self._catch_up()
        self._results.append(entry if self._mask is None else masked(entry, self._mask))

    def ran(self, attempt: Attempt, completion: Completion, verdict: Verdict) -> None:
        """An edge has run. What there is to tell is put together for many edges at once: one by one, between other things, it takes twice as long."""
        self._waiting.append((attempt, completion, verdict))
        stage = attempt.edge.stage
        if len(self._waiting) >= _AT_ONCE or stage.metrics or stage.fallback or isinstance(stage.action, Call):
            self._catch_up()

    def _catch_up(self) -> None:
        waiting, self._waiting = self._waiting, []
        for attempt, completion, verdict in waiting:
            entry = self._entry(attempt.edge, attempt, completion, attempt.decision.reasons, "ran", "", verdict)
            self._add(entry)
            self.came_to(attempt.edge, entry)

    def degraded(self, attempt: Attempt, completion: Completion, verdict: Verdict, error: str) -> None:
        """A fallback has made the outputs of a stage that has failed with *error*."""
        entry = self._entry(attempt.edge, attempt, completion, attempt.decision.reasons, "degraded", error, verdict)
        self._add(entry)
        self.came_to(self._session.graph.edges[attempt.edge.id], entry)

    def restored(self, edge: Edge, decision: Decision, record: Record, seconds: float) -> None:
        """What a stale edge has made before was put back."""
        entry = EdgeResult(
            edge.stage.name,
            instance(edge),
            edge.wave,
            "restored",
            reason_texts(decision.reasons),
            mode=_undecided(edge).name,
            attempts=0,
            started_at=self._time(self._clock.now() - seconds),
            duration_seconds=round(seconds, 6),
            key=record.key,
            inputs=self._inputs(record.components, record.discovered),
            outputs={made.path: made.digest for made in record.outputs},
            params=dict(edge.stage.params),
            code=code_of(record.components),
        )
        self._add(entry)
        self._writer.begin()
        self.came_to(edge, entry)

    def came_to(self, edge: Edge, entry: EdgeResult) -> None:
        """Keep values, artifacts and metrics of an edge whose outputs are in place. Of a command without metrics its entry tells all."""
        stage = edge.stage
        if stage.metrics or stage.fallback or isinstance(stage.action, Call):
            if self._outcomes is None:
                from pipefile.engine.outcome import Outcomes

                self._outcomes = Outcomes(self._session, self._writer, self._warn)
            self._outcomes.keep(edge, entry)

    def left_out(self, edge: Edge, why: str) -> None:
        """A condition has kept an edge from running. Unlike what a failure keeps from it, that is told even if nothing runs after it."""
        self._add(EdgeResult(edge.stage.name, instance(edge), edge.wave, "skipped", (why,), mode=_undecided(edge).name, attempts=0))

    def failed(  # as Loop gives them
        self, edge: Edge, attempt: Attempt | None, completion: Completion, reasons: tuple[Reason, ...], status: str, error: str
    ) -> None:
        self._add(self._entry(edge, attempt, completion, reasons, status, error, Verdict()))

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
        verdict: Verdict,
    ) -> EdgeResult:
        mode = _undecided(edge) if attempt is None else attempt.mode
        parts = () if attempt is None else attempt.decision.parts
        return EdgeResult(
            stage=edge.stage.name,
            instance=instance(edge),
            wave=edge.wave,
            status=status,
            reasons=reason_texts(reasons),
            mode=mode.name,
            attempts=attempt.number if attempt is not None else 0,
            started_at=self._time(self._started.get(edge.id) or self._clock.now()),
            duration_seconds=round(completion.elapsed, 6),
            cpu_seconds=round(completion.cpu, 6),
            peak_rss_bytes=completion.peak_rss,
            key=attempt.decision.key if attempt is not None and status != "degraded" else "",
            inputs=self._inputs(parts, verdict.discovered),
            outputs=verdict.outputs,
            params=dict(edge.stage.params),
            exit_status=completion.exit_status,
            error=error,
            log=self.log_of(edge, attempt) if completion.log_size else "",
            mode_reason=mode.reason,
            code=code_of(parts),
            undeclared={} if attempt is None else attempt.beyond.by_kind(),
        )

    def log_of(self, edge: Edge, attempt: Attempt | None) -> str:
        """Path of an attempt's log, from the root."""
        return (attempt.log if attempt is not None else "") or self._writer.log_path(edge.name)

    def _time(self, seconds: float) -> str:
        """As `timestamp`, which costs more than all the rest of an entry: many edges start in one second."""
        whole = int(seconds)
        if whole != self._second[0]:
            self._second = (whole, timestamp(seconds))
        return self._second[1]

    def _inputs(self, parts: Sequence[Component], discovered: Mapping[str, str]) -> dict[str, str]:
        """Declared inputs; and what an edge read besides: each file, as long as there are not too many in one run."""
        inputs = {part.path or part.name: part.value for part in parts if part.kind in _INPUTS}
        if discovered:
            self._discovered += len(discovered)
            if self._discovered <= DISCOVERED_KEPT:
                inputs.update(discovered)
            else:
                algorithm = self._session.pipeline.settings.hash
                inputs[f"{len(discovered)} discovered inputs"] = set_digest(tuple(sorted(discovered)), discovered.__getitem__, algorithm)
        return inputs


def code_of(parts: Sequence[Component]) -> dict[str, str]:
    """What ran, and in which surroundings, of all that an edge's key is made of: command or function, symbols of code, packages, variables."""
    found = {}
    for kind, name, path, value in parts:
        if kind in _CODE:
            label = kind
            if kind == "code":
                label = f"{path}:{name}" if name else path or "order of imports"
            elif name:
                label = f"{kind} {name}"
            found[label] = value
    return found


def _undecided(edge: Edge) -> Mode:
    """How an edge would have run that never came to it, as far as its stage says."""
    return mode_of(edge.stage, Modes(), lambda: 0)
