"""report/stepsummary.py: the summary of a step on GitHub Actions."""

from __future__ import annotations

import os
from pathlib import Path

from pipefile.base.errors import PipefileError
from pipefile.model.event import BuildFinished, Event, StageFinished
from pipefile.report.stepsummary import MOST, StepSummary

FINISHED = BuildFinished("failed", 1, 235, 1, 4, 34.2, degraded=1, restored=1)


def summary(path: Path, events: list[Event], limit: int = MOST) -> str:
    report = StepSummary(os.fspath(path), limit)
    for event in events:
        report(event)
    report.close()
    assert report.problem == ""
    return path.read_text(encoding="utf-8") if path.exists() else ""


def test_a_table(tmp_path: Path) -> None:
    """Failures first, then what took longest; what did nothing has no line. Nothing in a name or an error is Markdown."""
    events: list[Event] = [
        StageFinished("quick", "", "ran", 0.5),
        StageFinished("fresh", "", "fresh"),
        StageFinished("slow", "photos/a.jpg", "restored", 12.0),
        StageFinished("odd|<b>*x*`@me www.x\n", "", "failed", 3.0, error="no [link](http://x)\nmore"),
        StageFinished("left", "", "skipped"),
        StageFinished("half", "", "degraded", 1.0, error="x"),
        FINISHED,
    ]
    assert summary(tmp_path / "s.md", events) == (
        "### pipefile: 1 ran, 1 from cache, 1 degraded, 235 fresh, 1 failed, 4 skipped in 34.2 s\n\n"
        "| stage | result | time |\n| --- | --- | ---: |\n"
        "| odd&#124;&#60;b&#62;&#42;x&#42;&#96;&#64;me www&#46;x&#92;n | **failed**: no &#91;link&#93;(http&#58;//x) | 3.0 s |\n"
        "| half | degraded | 1.0 s |\n"
        "| slow&#64;photos/a.jpg | from cache | 12.0 s |\n"
        "| quick | ran | 0.50 s |\n\n"
    )


def test_nothing_to_do(tmp_path: Path) -> None:
    """A line, added to what is there."""
    (tmp_path / "s.md").write_text("before\n")
    assert summary(tmp_path / "s.md", [BuildFinished("succeeded", 0, 3, 0, 0, 0.01)]) == "before\n### pipefile: 3 fresh in 0.01 s\n\n\n"


def test_one_mebibyte_at_most(tmp_path: Path) -> None:
    """What does not fit is counted, and what others have written counts; without room for a line nothing is added."""
    path = tmp_path / "s.md"
    path.write_text("x" * 1000)
    rows: list[Event] = [StageFinished(f"stage {number:06}", "\u65e5\u672c" * 50, "ran", float(number)) for number in range(6_000)]
    text = summary(path, [*rows, FINISHED])
    assert MOST - 1000 < len(text.encode()) <= MOST
    shown = text.count("| ran |")
    assert text.endswith(f"| and {6_000 - shown} more | | |\n\n")
    assert "| stage 005999" in text
    assert summary(path, [*rows, FINISHED]) == text


def test_errors(tmp_path: Path) -> None:
    """A build that could not be begun; and a file that cannot be written."""
    report = StepSummary(os.fspath(tmp_path / "s.md"))
    report.fault(PipefileError("no\x1b", hint="h"))
    assert (tmp_path / "s.md").read_text() == "### pipefile: error\n\n    error: no\\x1b\n    hint: h\n\n\n"
    report = StepSummary(os.fspath(tmp_path))
    report(FINISHED)
    assert report.problem == f"`{tmp_path}` cannot be written: is a directory"
