"""report/json_lines.py: `--json`."""

from __future__ import annotations

import json

from kit.streams import Recorded

from pipefile.model.event import BuildFinished, BuildStarted, Event, Foreseen, Note, PlanMade, StageFinished, StageRetried, StageStarted, Waiting
from pipefile.model.record import Reason
from pipefile.report.json_lines import JsonReport


def lines_of(events: list[Event]) -> list[dict[str, object]]:
    out = Recorded()
    report = JsonReport(out, None, now=lambda: 1707732000.1234567)
    for event in events:
        report(event)
    report.flush()
    return [json.loads(line) for line in out.text.splitlines()]


def test_each_event_has_its_line() -> None:
    """With name and time; what a stage printed comes before its end."""
    who = {"time": 1707732000.123457, "stage": "train", "instance": "lr=0.1"}
    assert lines_of(
        [
            BuildStarted(("report",), 8),
            PlanMade(240),
            StageStarted("train", "lr=0.1", (Reason("input", "raw/a.csv", "blake3:1", "blake3:2"),)),
            StageFinished(
                "train", "lr=0.1", "failed", 4.2, b"no \xff\n", "r/log.txt", 9, "exit status 1", "Pipefile.toml", 22, "python train.py"
            ),
            BuildFinished("failed", 2, 237, 1, 0, 4.5, "20240212_100000_abc123"),
        ]
    ) == [
        {"event": "build_started", "time": 1707732000.123457, "targets": ["report"], "jobs": 8},
        {"event": "plan", "time": 1707732000.123457, "total": 240},
        {
            "event": "stage_started", **who, "attempt": 1,
            "reasons": [{"kind": "input", "subject": "raw/a.csv", "old": "blake3:1", "new": "blake3:2", "text": "input `raw/a.csv` changed"}],
        },
        {"event": "stage_output", **who, "text": "no \ufffd\n", "truncated": True, "log": "r/log.txt", "log_size": 9},
        {
            "event": "stage_finished", **who, "status": "failed", "seconds": 4.2, "error": "exit status 1", "file": "Pipefile.toml", "line": 22,
            "command": "python train.py", "log": "r/log.txt", "log_size": 9,
        },
        {
            "event": "build_finished", "time": 1707732000.123457, "status": "failed",
            "ran": 2, "fresh": 237, "failed": 1, "skipped": 0, "degraded": 0, "restored": 0, "seconds": 4.5, "run": "20240212_100000_abc123",
        },
    ]  # fmt: skip


def test_a_silent_stage_has_no_output_event() -> None:
    """Only what was printed is told."""
    assert [line["event"] for line in lines_of([StageFinished("a", "", "ran", 1.0)])] == ["stage_finished"]


def test_what_a_dry_run_foresees() -> None:
    """Seconds are null where nothing has ever run."""
    assert lines_of([Foreseen(3, 1, 0, 4.25, 8.0, 2), Foreseen(1, 0, 1, None, 0.0, 2)]) == [
        {"event": "foreseen", "time": 1707732000.123457, "stages": 3, "unsure": 1, "unknown": 0, "jobs": 2, "seconds": 4.25, "work_seconds": 8.0},
        {"event": "foreseen", "time": 1707732000.123457, "stages": 1, "unsure": 0, "unknown": 1, "jobs": 2, "seconds": None, "work_seconds": 0.0},
    ]


def test_words_for_people_go_elsewhere() -> None:
    """Notes and waiting are no lines; all events reach the other report."""
    out = Recorded()
    told: list[Event] = []
    report = JsonReport(out, told.append)
    events: list[Event] = [Waiting(1, "x"), Note("warning", "w"), PlanMade(1)]
    for event in events:
        report(event)
    report.flush()
    report.close()
    assert told == events
    assert len(out.text.splitlines()) == 1


def test_undecodable_names_survive() -> None:
    """A name with a byte that is no UTF-8 reads back as `os.fsdecode` gives it, and the line is ASCII."""
    out = Recorded()
    report = JsonReport(out)
    report(BuildStarted(("caf\udce9",), 1))
    report.flush()
    assert out.text.isascii()
    assert json.loads(out.text)["targets"] == ["caf\udce9"]


def test_attempts_fallbacks_and_conditions() -> None:
    """What only some events have is left out of the others."""
    lines = lines_of(
        [
            StageRetried("fetch", "a", 2, 3, 0.25, "exit status 75", "r/log.1.txt"),
            StageStarted("fetch", "a", (), 4, "plain"),
            StageFinished("fetch", "a", "skipped", reason="`global.on` is false"),
        ]
    )
    assert [{name: value for name, value in line.items() if name != "time"} for line in lines] == [
        {
            "event": "stage_retried", "stage": "fetch", "instance": "a", "attempt": 2, "attempts": 3, "delay": 0.25, "error": "exit status 75",
            "log": "r/log.1.txt",
        },
        {"event": "stage_started", "stage": "fetch", "instance": "a", "attempt": 4, "fallback": "plain", "reasons": []},
        {
            "event": "stage_finished", "stage": "fetch", "instance": "a", "status": "skipped", "seconds": 0.0, "error": "", "file": "", "line": None,
            "reason": "`global.on` is false", "command": "", "log": "", "log_size": 0,
        },
    ]  # fmt: skip
