"""report/terminal.py: a build as a person sees it."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from kit.streams import Hand, Recorded, write_log

from pipefile.model.event import BuildFinished, BuildStarted, Event, Note, PlanMade, StageFinished, StageRetried, StageStarted, Waiting
from pipefile.model.record import Reason
from pipefile.report.terminal import TerminalReport
from pipefile.testing import FakeClock


def report_of(events: list[Event], root: str = "/nowhere", color: bool = False, **options: object) -> list[tuple[int, str]]:
    """What is written to pipes, as (descriptor, text) in order."""
    log: list[tuple[int, str]] = []
    report = TerminalReport(Recorded(1, color=color, log=log), Recorded(2, color=color, log=log), root, clock=Hand(), **options)  # type: ignore[arg-type]
    for event in events:
        report(event)
    report.flush()
    report.close()
    return log


def text_of(events: list[Event], root: str = "/nowhere", **options: object) -> str:
    return "".join(text for _, text in report_of(events, root, **options))


SHOWN_FAILURE = """\
Pipefile.toml:22:1: error: stage `train` failed: exit status 1
  python train.py --out models/
  log: pipeline_outputs/r/train/log.txt
"""
FAILURE = StageFinished(
    "train", "", "failed", 4.2, b"epoch 1\nValueError: nope\n", "pipeline_outputs/r/train/log.txt", 24, "exit status 1", "Pipefile.toml", 22,
    "python train.py --out models/",
)  # fmt: skip


def test_one_line_a_stage_in_pipes() -> None:
    """Each stage that ran has its line when it ends; the last line counts."""
    events: list[Event] = [
        BuildStarted(("report",), 2),
        PlanMade(240),
        StageStarted("thumbs", "photos/a.jpg", (Reason("input", "photos/a.jpg"),)),
        StageFinished("thumbs", "photos/a.jpg", "ran", 1.25),
        StageStarted("report", "", ()),
        StageFinished("report", "", "ran", 0.042),
        BuildFinished("succeeded", 2, 238, 0, 0, 4.24),
    ]
    assert report_of(events) == [(1, "[1/240] thumbs@photos/a.jpg  1.2 s\n[2/240] report  0.04 s\n2 ran, 238 fresh in 4.2 s\n")]


@pytest.mark.parametrize(
    ("finished", "line"),
    [
        (BuildFinished("succeeded", 0, 10, 0, 0, 0.0123), "10 fresh in 0.01 s\n"),
        (BuildFinished("succeeded", 0, 0, 0, 0, 0.0), "nothing to do in 0.00 s\n"),
        (BuildFinished("failed", 3, 235, 1, 4, 65.2), "3 ran, 235 fresh, 1 failed, 4 skipped in 1 min 5 s\n"),
        (BuildFinished("interrupted", 3, 0, 0, 0, 7300), "interrupted: 3 ran in 2 h 2 min\n"),
        (BuildFinished("interrupted", 0, 0, 0, 0, 1), "interrupted after 1.0 s\n"),
    ],
)
def test_last_line(finished: BuildFinished, line: str) -> None:
    """Parts with 0 are left out."""
    assert text_of([BuildStarted((), 1), finished]) == line


def test_output_is_shown_whole_under_its_stage() -> None:
    """What a stage printed follows its line, from the first column, without escape sequences."""
    ended = StageFinished("build", "", "ran", 1.0, b"\x1b[31mmain.c:3:5: warning: x\x1b[0m\nno end of line", "log.txt", 44)
    assert text_of([ended]) == "[1/1] build  1.0 s\nmain.c:3:5: warning: x\nno end of line\n"


def test_a_large_output_is_read_from_its_log(tmp_path: object) -> None:
    """The event has only the beginning of it."""
    root = os.fspath(tmp_path)  # type: ignore[call-overload]
    data = b"".join(b"line %d\n" % number for number in range(100_000))
    write_log(root, "log.txt", data)
    ended = StageFinished("build", "", "ran", 1.0, data[:1000], "log.txt", len(data))
    assert text_of([ended], root) == "[1/1] build  1.0 s\n" + data.decode()


def test_failures_come_last_and_on_standard_error() -> None:
    """A failure is told at once in a line, and whole at the end, with its place first so that editors can follow it."""
    log = report_of([BuildStarted((), 1), PlanMade(3), FAILURE, StageFinished("x", "", "ran", 1.0), BuildFinished("failed", 1, 0, 1, 1, 5.0)])
    assert log == [
        (1, "[1/3] train failed  4.2 s\n[2/3] x  1.0 s\n"),
        (2, SHOWN_FAILURE + "epoch 1\nValueError: nope\n"),
        (1, "1 ran, 1 failed, 1 skipped in 5.0 s\n"),
    ]


def test_a_short_output_of_a_failed_stage_is_shown_once(tmp_path: object) -> None:
    """It is in the failure, from the log."""
    root = os.fspath(tmp_path)  # type: ignore[call-overload]
    write_log(root, FAILURE.log, FAILURE.output)
    assert text_of([FAILURE, BuildFinished("failed", 0, 0, 1, 0, 5.0)], root) == (
        "[1/1] train failed  4.2 s\n"
        f"{SHOWN_FAILURE}"
        "epoch 1\n"
        "ValueError: nope\n"
        "1 failed in 5.0 s\n"
    )


def test_a_log_that_a_full_disk_has_cut_off(tmp_path: object) -> None:
    """What the stage said is shown all the same: it may be the only word on what is wrong."""
    root = os.fspath(tmp_path)  # type: ignore[call-overload]
    write_log(root, FAILURE.log, b"")
    assert text_of([FAILURE], root).endswith(SHOWN_FAILURE + "epoch 1\nValueError: nope\n")


def test_a_long_output_of_a_failed_stage(tmp_path: object) -> None:
    """It is shown whole when the stage ends, and its last twenty lines with the failure."""
    root = os.fspath(tmp_path)  # type: ignore[call-overload]
    data = b"".join(b"line %d\n" % number for number in range(30_000))
    write_log(root, "log.txt", data)
    failed = StageFinished("train", "", "failed", 1.0, data[:5000], "log.txt", len(data), "killed by SIGSEGV", "Pipefile.toml", 3, "./crash")
    last = "".join(f"line {number}\n" for number in range(29_980, 30_000))
    assert text_of([failed, BuildFinished("failed", 0, 0, 1, 0, 1.0)], root) == (
        f"[1/1] train failed  1.0 s\n{data.decode()}"
        "Pipefile.toml:3:1: error: stage `train` failed: killed by SIGSEGV\n  ./crash\n  log: log.txt, last 20 lines:\n"
        f"{last}1 failed in 1.0 s\n"
    )


def test_an_error_of_several_lines() -> None:
    """Its first line is the error, the others stand under it, a hint after all; one that goes on after the stage's name is let do so."""
    error = "ended with exit status 0 but did not write `o`\nmore\nhint: do it"
    failed = StageFinished("a", "", "failed", 1.0, error=error, file="Pipefile.toml", line=2, command="x\ny")
    assert text_of([failed, BuildFinished("failed", 0, 0, 1, 0, 1.0)], verbose=-1) == (
        "Pipefile.toml:2:1: error: stage `a` ended with exit status 0 but did not write `o`\n  x\n  y\n  more\nhint: do it\n"
    )


def test_quiet_shows_failures_only() -> None:
    """-q: neither stages nor notes nor the last line."""
    events: list[Event] = [
        BuildStarted((), 1), Waiting(1, "x"), Note("warning", "w"), Note("note", "n"), StageFinished("ok", "", "ran", 1.0, b"printed\n"),
        FAILURE, BuildFinished("failed", 1, 0, 1, 0, 5.0),
    ]  # fmt: skip
    assert report_of(events, verbose=-1) == [(2, SHOWN_FAILURE + "epoch 1\nValueError: nope\n")]


def test_verbose_shows_fresh_stages_and_commands() -> None:
    """-v."""
    events: list[Event] = [
        PlanMade(2),
        StageFinished("strip", "", "ran", 1.0, b"out\n", "", 4, command="sed x\n| y"),
        StageFinished("count", "", "fresh"),
    ]
    assert text_of(events, verbose=1) == "[1/2] strip  1.0 s\n  sed x\n  | y\nout\n[2/2] count  fresh\n"


@pytest.mark.parametrize(("verbose", "text"), [(0, "[2/3] c  2.0 s\n"), (1, "[1/3] a  fresh\nb  skipped\n[2/3] c  2.0 s\n")])
def test_fresh_and_skipped_stages(verbose: int, text: str) -> None:
    """A stage that turns out to be fresh counts as done, one that was not started does not; only -v gives them lines."""
    events: list[Event] = [PlanMade(3), StageFinished("a", "", "fresh"), StageFinished("b", "", "skipped"), StageFinished("c", "", "ran", 2)]
    assert text_of(events, verbose=verbose) == text


def test_why_stands_before_each_stage() -> None:
    """--why prints every reason of a stage that starts."""
    started = StageStarted("clean", "", (Reason("input", "raw/a.csv", "blake3:1", "blake3:2"), Reason("param", "width", "640", "800")))
    assert text_of([started, StageFinished("clean", "", "ran", 1.0)], why=True) == (
        "clean: input `raw/a.csv` changed\nclean: param `width` changed: 640 -> 800\n[1/1] clean  1.0 s\n"
    )


def test_notes_warnings_and_waiting() -> None:
    """Warnings go to standard error, in order with the rest."""
    assert report_of([Waiting(4711, "pipefile watch"), Note("note", "removed `x`"), Note("warning", "two\nlines"), Note("note", "after")]) == [
        (1, "waiting for pid 4711: pipefile watch\n"),
        (1, "removed `x`\n"),
        (2, "warning: two\nlines\n"),
        (1, "after\n"),
    ]


def test_names_are_escaped() -> None:
    """Nothing in a name, a command or an error reaches the terminal as a control character."""
    evil = "a\x1b[2J\n\u202e"
    failed = StageFinished(evil, "", "failed", 1.0, error=evil.replace("\n", ""), file="P\x1b.toml", line=1, command=evil)
    text = text_of([failed, BuildFinished("failed", 0, 0, 1, 0, 1.0)])
    assert text == (
        "[1/1] a\\x1b[2J\\n\\u202e failed  1.0 s\n"
        "P\\x1b.toml:1:1: error: stage `a\\x1b[2J\\n\\u202e` failed: a\\x1b[2J\\u202e\n  a\\x1b[2J\n  \\u202e\n1 failed in 1.0 s\n"
    )


def test_colours() -> None:
    """The word `error:` alone is coloured, so that what editors match stands as it is."""
    log = report_of([FAILURE, Note("warning", "w"), BuildFinished("failed", 0, 0, 1, 0, 1.0)], color=True)
    assert log[1] == (2, "\x1b[1;33mwarning:\x1b[0m w\n")
    assert log[2][1].startswith("Pipefile.toml:22:1: \x1b[1;31merror:\x1b[0m stage `train` failed: exit status 1\n")


class Piped:
    """A report to pipes, and what it has written with each step."""

    def __init__(self, **options: Any) -> None:
        self.clock = FakeClock()
        self.log: list[tuple[int, str]] = []
        self.report = TerminalReport(Recorded(1, log=self.log), Recorded(2, log=self.log), "/nowhere", clock=self.clock.monotonic, **options)

    def after(self, seconds: float, *events: Event) -> str:
        self.clock.advance(seconds)
        begun = len(self.log)
        for event in events:
            self.report(event)
        self.report.flush()
        return "".join(text for _, text in self.log[begun:])


def test_a_line_each_half_minute() -> None:
    """Where nothing is redrawn, it tells what has been running the longest; never of a build in which nothing runs."""
    piped = Piped()
    assert piped.after(0, BuildStarted((), 2), PlanMade(9)) == ""
    assert piped.report.due() is None
    assert piped.after(12, StageStarted("train", "", ())) == ""
    assert piped.report.due() == 18
    assert piped.after(17.5, StageStarted("a", "x", ()), StageStarted("b", "", ())) == ""
    assert piped.after(0.5) == "[0/9] train still runs after 18.0 s, and 2 more\n"
    assert piped.report.due() == 30
    assert piped.after(29, StageFinished("train", "", "ran", 47.0)) == "[1/9] train  47.0 s\n"
    assert piped.after(1) == "[1/9] a@x still runs after 30.5 s, and 1 more\n"
    assert piped.after(65, StageFinished("a", "x", "ran", 96.0)) == "[2/9] a@x  1 min 36 s\n[2/9] b still runs after 1 min 36 s\n"
    assert piped.report.due() == 25
    assert piped.after(60, StageFinished("b", "", "ran", 156.0), BuildFinished("succeeded", 3, 0, 0, 0, 185.0)) == (
        "[3/9] b  2 min 36 s\n3 ran in 3 min 5 s\n"
    )
    assert piped.report.due() is None


def test_quiet_has_no_such_line() -> None:
    """-q."""
    piped = Piped(verbose=-1)
    assert piped.after(0, BuildStarted((), 2), PlanMade(9), StageStarted("train", "", ())) == ""
    assert piped.report.due() is None
    assert piped.after(100) == ""


def test_an_event_costs_little() -> None:
    """15 us an event in pipes; the bound here is ten times that, for a busy machine."""
    log: list[tuple[int, str]] = []
    report = TerminalReport(Recorded(1, log=log), Recorded(2, log=log), "/nowhere")
    report(PlanMade(20_000))
    begun = time.perf_counter()
    for number in range(20_000):
        report(StageStarted("stage", str(number), ()))
        report(StageFinished("stage", str(number), "ran", 0.1))
    assert (time.perf_counter() - begun) / 40_000 < 150e-6


@pytest.mark.parametrize(
    ("retried", "line"),
    [
        (StageRetried("fetch", "", 2, 3, 1.0, "exit status 75"), "stage `fetch` failed (exit status 75): attempt 2 of 3 in 1 s\n"),
        (StageRetried("fetch", "a", 3, 9, 0.6180339, "timed out"), "stage `fetch@a` failed (timed out): attempt 3 of 9 in 0.618 s\n"),
        (StageRetried("fetch", "", 2, 2, 90.0, "E: \x1b[2J"), "stage `fetch` failed (E: \\x1b[2J): attempt 2 of 2 in 1 min 30 s\n"),
        (
            StageRetried("fetch", "", 5, 5, 2.0, "exit status 1", fallback="plain"),
            "fallback `plain` of stage `fetch` failed (exit status 1): attempt 5 of 5 in 2 s\n",
        ),
    ],
)
def test_another_attempt(retried: StageRetried, line: str) -> None:
    """What failed, why, and when it is tried again; nothing with -q."""
    assert report_of([retried]) == [(1, line)]
    assert report_of([retried], verbose=-1) == []


def test_degraded_and_left_out() -> None:
    """A degraded stage has its line, one that a condition left out has one with -v; the last line counts both."""
    events: list[Event] = [
        PlanMade(3),
        StageFinished("a", "", "degraded", 1.0, error="exit status 1"),
        StageFinished("b", "", "skipped", reason="`global.on` is false"),
        StageFinished("c", "", "skipped"),
        BuildFinished("succeeded", 0, 1, 0, 2, 1.0, degraded=1),
    ]
    assert text_of(events) == "[1/3] a degraded  1.0 s\n1 degraded, 1 fresh, 2 skipped in 1.0 s\n"
    assert "b  skipped: `global.on` is false\nc  skipped\n" in text_of(events, verbose=1)
