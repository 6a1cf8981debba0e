"""`--json`: the events of a build, one JSON object a line on standard output.

Each has `"event"` and `"time"` (seconds since the epoch); those of a stage have `"stage"` and `"instance"` (""
where the stage has one alone):

    {"event": "build_started", "time": 1707732000.0, "targets": ["report"], "jobs": 8}
    {"event": "plan", "time": ..., "total": 240}                    once more when a stage has made items for others (`for_each`): there are more now
    {"event": "stage_started", "time": ..., "stage": "train", "instance": "", "attempt": 1, "reasons": [{"kind": "input", "subject": "raw/a.csv",
     "old": "blake3:...", "new": "blake3:...", "text": "input `raw/a.csv` changed"}]}
    {"event": "stage_output", "time": ..., "stage": "train", "instance": "", "text": "...", "truncated": false, "log": "...", "log_size": 12}
    {"event": "stage_finished", "time": ..., "stage": "train", "instance": "", "status": "failed", "seconds": 4.2, "error": "exit status 1",
     "file": "Pipefile.toml", "line": 22, "command": "python train.py", "log": "...", "log_size": 12}
    {"event": "build_finished", "time": ..., "status": "failed", "ran": 2, "fresh": 237, "failed": 1, "skipped": 0, "degraded": 0, "restored": 0,
     "seconds": 4.5, "run": "..."}

Between the attempts of a stage that is tried again:

    {"event": "stage_retried", "time": ..., "stage": "train", "instance": "", "attempt": 2, "attempts": 3, "delay": 1.0, "error": "exit status 75",
     "log": "..."}

Instead of `stage_started`, for a stage whose earlier result was put back from the cache:

    {"event": "stage_restored", "time": ..., "stage": "train", "instance": "", "seconds": 0.01, "reasons": [...]}

Of a dry run, where something would run (`unsure`: so many of the stages run only if what they need changes; `unknown`: so many have never run;
`seconds`: null if none has):

    {"event": "foreseen", "time": ..., "stages": 3, "unsure": 0, "unknown": 1, "jobs": 2, "seconds": 4.2, "work_seconds": 8.0}

Of `pipefile audit` (`unread`: declared inputs that were never opened):

    {"event": "traced", "time": ..., "stage": "train", "instance": "", "read": ["raw/a.csv"], "written": ["model.pt"], "unread": [],
     "undeclared": {"reads": ["raw/a.csv"]}}

`status` of a stage is "ran", "restored", "degraded" (its fallback made the outputs; `error` says why it failed itself), "failed", "fresh", "skipped"
(with `reason` where a condition said so) or "interrupted". The `stage_started` and `stage_retried` of a fallback have its name as `fallback`.
A stage that did something beyond its declaration has `"undeclared": {"reads": [...], "writes": [...], "removes": [...]}`, of these what there is.
`text` is the beginning of what the stage printed, undecodable bytes replaced; `truncated` says that there is more in the
log. Readers ignore fields and events that they do not know.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from pipefile.model.event import (
    BuildFinished,
    BuildStarted,
    Event,
    Foreseen,
    PlanMade,
    StageFinished,
    StageRestored,
    StageRetried,
    StageStarted,
    Traced,
)
from pipefile.model.record import Reason
from pipefile.report.stream import Stream


class JsonReport:
    """Writes events as JSON lines, and hands each on to a report for people, which must not write to the same stream.

    Args:
        out: Where the lines go.
        people: The report for people, None for none.
        now: Seconds since the epoch.
    """

    every = True  # a build that starts from the index has no event for what it need not look at: readers of these lines want one for each edge

    def __init__(self, out: Stream, people: Callable[[Event], None] | None = None, now: Callable[[], float] = time.time) -> None:
        self._out = out
        self._people = people
        self._now = now
        self._encode = json.JSONEncoder(ensure_ascii=True).encode  # ASCII: names with undecodable bytes survive as lone surrogates

    @property
    def live(self) -> bool:
        """Whether the other report has something on a terminal that is redrawn."""
        return bool(getattr(self._people, "live", False))

    def due(self) -> float | None:
        """Seconds after which the other report wants `flush` to be called."""
        found: float | None = getattr(self._people, "due", lambda: None)()
        return found

    def pause(self) -> None:
        """Leave the other report's terminal clean for a while."""
        getattr(self._people, "pause", lambda: None)()

    def __call__(self, event: Event) -> None:
        stamp = round(self._now(), 6)
        for name, fields in _described(event):
            self._out.write(self._encode({"event": name, "time": stamp, **fields}) + "\n")
        if self._people is not None:
            self._people(event)

    def flush(self) -> None:
        self._out.flush()
        if self._people is not None:
            getattr(self._people, "flush", lambda: None)()

    def close(self) -> None:
        self._out.flush()
        if self._people is not None:
            getattr(self._people, "close", lambda: None)()


def reason_fields(reason: Reason) -> dict[str, str]:
    """A reason as JSON has it, in `--json` events and `status --json` alike."""
    from pipefile.plan.stale import describe

    return {"kind": reason.kind, "subject": reason.subject, "old": reason.old, "new": reason.new, "text": describe(reason)}


def _described(event: Event) -> list[tuple[str, dict[str, object]]]:
    if isinstance(event, StageFinished):
        return _stage_finished(event)
    if isinstance(event, StageStarted):
        reasons = [reason_fields(reason) for reason in event.reasons]
        instead = {"fallback": event.fallback} if event.fallback else {}
        return [("stage_started", {"stage": event.stage, "instance": event.instance, "attempt": event.attempt, **instead, "reasons": reasons})]
    if isinstance(event, StageRestored):
        reasons = [reason_fields(reason) for reason in event.reasons]
        return [("stage_restored", {"stage": event.stage, "instance": event.instance, "seconds": round(event.seconds, 6), "reasons": reasons})]
    if isinstance(event, StageRetried):
        who = {"stage": event.stage, "instance": event.instance, **({"fallback": event.fallback} if event.fallback else {})}
        fields = {"attempt": event.attempt, "attempts": event.attempts, "delay": round(event.delay, 6), "error": event.error, "log": event.log}
        return [("stage_retried", {**who, **fields})]
    if isinstance(event, BuildStarted):
        return [("build_started", {"targets": list(event.targets), "jobs": event.jobs})]
    if isinstance(event, PlanMade):
        return [("plan", {"total": event.total})]
    if isinstance(event, BuildFinished):
        counts = {"ran": event.ran, "fresh": event.fresh, "failed": event.failed, "skipped": event.skipped, "degraded": event.degraded}
        counts["restored"] = event.restored
        return [("build_finished", {"status": event.status, **counts, "seconds": round(event.seconds, 6), "run": event.run})]
    if isinstance(event, Foreseen):
        left = None if event.seconds is None else round(event.seconds, 6)
        numbers = {"stages": event.stages, "unsure": event.unsure, "unknown": event.unknown, "jobs": event.jobs}
        return [("foreseen", {**numbers, "seconds": left, "work_seconds": round(event.work, 6)})]
    if isinstance(event, Traced):
        lists = {"read": list(event.read), "written": list(event.written), "unread": list(event.unread)}
        undeclared = {name: list(paths) for name, paths in event.undeclared.items()}
        return [("traced", {"stage": event.stage, "instance": event.instance, **lists, "undeclared": undeclared})]
    return []  # notes and waiting are words for people


def _stage_finished(event: StageFinished) -> list[tuple[str, dict[str, object]]]:
    who: dict[str, object] = {"stage": event.stage, "instance": event.instance}
    log: dict[str, object] = {"log": event.log, "log_size": event.log_size}
    found: list[tuple[str, dict[str, object]]] = []
    if event.output or event.log_size:
        text = event.output.decode("utf-8", "replace")
        found.append(("stage_output", {**who, "text": text, "truncated": event.log_size > len(event.output), **log}))
    fields = {"status": event.status, "seconds": round(event.seconds, 6), "error": event.error, "file": event.file, "line": event.line}
    reason = {"reason": event.reason} if event.reason else {}
    beyond = {"undeclared": {name: list(paths) for name, paths in event.undeclared.items()}} if event.undeclared else {}
    found.append(("stage_finished", {**who, **fields, **reason, "command": event.command, **log, **beyond}))
    return found
