"""A build as a person sees it: on a terminal one status line that is redrawn, elsewhere one line a stage when it ends; failures last.

Lines about the build go to standard output, errors and warnings to standard error. What a stage printed is shown whole and in one piece when the
stage ends, starting in the first column, so that editors find the places that compilers name. Of a failed stage a short output is shown once only,
with the failure; a long one is shown whole when the stage ends, and its last lines again with the failure.

    [16/240] thumbs  1.2 s
    [17/240] train failed  4.2 s
    Pipefile.toml:22:1: error: stage `train` failed: exit status 1
      python train.py --out models/
      log: pipeline_outputs/latest/train/log.txt
    ValueError: no such column
    3 ran, 235 fresh, 1 failed in 4.2 s
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

from pipefile.base.dataclass import replace
from pipefile.base.paths import show
from pipefile.model.event import BuildFinished, BuildStarted, Event, Note, PlanMade, StageFinished, StageRestored, StageRetried, StageStarted, Waiting
from pipefile.model.record import Reason
from pipefile.report.stream import Stream, painted_error
from pipefile.report.words import counts, duration, edge_name, retried

REDRAW = 0.1  # seconds; a terminal over a slow line takes ten redraws a second
TAIL = 20  # lines of a failed stage's output that are shown with the failure
_TAIL_BYTES = 64 << 10
_CHUNK = 256 << 10
_LONGEST, _HEAD, _TAIL = 4000, 1000, 200  # characters of a command that are shown: the most, and of a longer one those at either end
_PREDICATES = ("ended ", "returned ", "was ", "did not ", "read `")  # an error that goes on after the stage's name, rather than "exit status 1"
_ERASE = "\r\x1b[K"


class TerminalReport:
    """Draws the events of one build. Called with each event; `flush` at the end of a batch, and about ten times a second while nothing happens.

    Args:
        out: Where lines about the build go.
        err: Where errors and warnings go.
        root: Absolute path of the project root, for logs.
        verbose: 1 and more: fresh stages and commands too; -1: failures only.
        why: Print the reasons of each stage before it runs.
        clock: Monotonic seconds.
    """

    def __init__(self, out: Stream, err: Stream, root: str, verbose: int = 0, why: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._err = err
        self._root = root
        self._verbose = verbose
        self._why = why
        self._clock = clock
        self._lines = (verbose >= 0 and not out.terminal) or verbose > 0  # a lasting line for each stage that ends
        self.live = out.terminal and verbose >= 0  # whoever sends the events calls `flush` ten times a second
        self._shows = verbose >= 0
        self._done = 0
        self._total = 0
        self._running: dict[str, None] = {}
        self._failures: list[StageFinished] = []
        self._started = clock()
        self._drawn = False
        self._drawn_at = float("-inf")
        self._actions: dict[type, Callable[..., None]] = {
            BuildStarted: self._build_started,
            PlanMade: self._plan_made,
            StageStarted: self._stage_started,
            StageRestored: self._stage_restored,
            StageRetried: self._stage_retried,
            StageFinished: self._stage_finished,
            Note: self._note,
            Waiting: self._waiting,
            BuildFinished: self._build_finished,
        }

    def __call__(self, event: Event) -> None:
        if type(event) is StageFinished and event.status == "fresh" and self._verbose < 1:  # by the thousand, so it takes the short way
            self._done += 1
            return
        self._actions[type(event)](event)

    def flush(self) -> None:
        """Bring everything out, and the status line up to date."""
        if self.live and self._running and self._clock() - self._drawn_at >= REDRAW:
            self._draw()
        self._out.flush()

    def close(self) -> None:
        """Leave the terminal clean, however the build ended."""
        self._erase()
        self._show_failures()  # still untold where the build did not come to its end: its history met a full disk, for example
        self._out.flush()
        self._err.flush()

    def _build_started(self, _: BuildStarted) -> None:
        self._started = self._clock()

    def _plan_made(self, event: PlanMade) -> None:
        self._total = event.total
        self._done = event.fresh

    def _stage_started(self, event: StageStarted) -> None:
        if self.live:
            self._running[edge_name(event.stage, event.instance)] = None
        if self._why and self._shows and event.attempt == 1:
            self._tell_why(edge_name(event.stage, event.instance), event.reasons)
        if self.live and self._clock() - self._drawn_at >= REDRAW:
            self._draw()

    def _stage_restored(self, event: StageRestored) -> None:
        if self._why and self._shows:
            self._tell_why(edge_name(event.stage, event.instance), event.reasons)

    def _tell_why(self, name: str, reasons: tuple[Reason, ...]) -> None:
        from pipefile.plan.stale import describe

        self._erase()
        for reason in reasons:
            self._out.write(f"{name}: {describe(reason)}\n")

    def _stage_retried(self, event: StageRetried) -> None:
        self._running.pop(edge_name(event.stage, event.instance), None)
        if self._shows:
            self._erase()
            self._out.write(retried(event) + "\n")
            if self._verbose > 0 and event.log:
                self._out.write(f"  log: {show(event.log)}\n")
            self._out.flush()

    def _stage_finished(self, event: StageFinished) -> None:
        name = edge_name(event.stage, event.instance)
        status = event.status
        if self.live:
            self._running.pop(name, None)
        if status != "skipped":
            self._done += 1
            self._total = max(self._total, self._done)
        if status == "failed":
            self._failed(event, name)
        elif status in ("ran", "degraded", "restored"):
            if self._shows and (self._lines or event.log_size or event.output):
                self._erase()
                word = " " + self._out.paint(status, "yellow" if status == "degraded" else "green") if status != "ran" else ""
                self._out.write(f"[{self._done}/{self._total}] {name}{word}  {duration(event.seconds)}\n")
                self._after_line(event)
        elif status == "fresh":
            self._erase()
            self._out.write(f"[{self._done}/{self._total}] {name}  fresh\n")
        elif self._verbose > 0 or (status == "interrupted" and self._shows):  # one failure can have thousands skipped: the last line counts them
            self._erase()
            self._out.write(f"{name}  {status}{f': {show(event.reason)}' if event.reason else ''}\n")
            self._after_line(event)
        if self.live and self._clock() - self._drawn_at >= REDRAW:
            self._draw()

    def _failed(self, event: StageFinished, name: str) -> None:
        if self._shows:
            self._erase()
            word = self._out.paint("failed", "red")
            self._out.write(f"[{self._done}/{self._total}] {name} {word}  {duration(event.seconds)}\n")
            if self._is_long(event):
                self._after_line(event)
        # A thousand failures shall not keep a thousand outputs in memory: what is in a log is read from it at the end.
        self._failures.append(replace(event, output=b"") if self._log_is_whole(event) else event)

    def _log_is_whole(self, event: StageFinished) -> bool:
        """Whether all that a stage printed is in its log: a full disk leaves one that is empty."""
        try:
            return bool(event.log) and os.stat(os.path.join(self._root, event.log)).st_size >= event.log_size
        except OSError:
            return False

    def _is_long(self, event: StageFinished) -> bool:
        return event.log_size > len(event.output) or event.output.count(b"\n") > TAIL

    def _after_line(self, event: StageFinished) -> None:
        if self._verbose > 0 and event.command:
            self._out.write(_indented(event.command))
        if event.output or event.log_size:
            from pipefile.report.neutral import neutral_lines

            for line in neutral_lines(self._chunks(event), self._out.color):
                self._out.write(line)

    def _chunks(self, event: StageFinished) -> Iterator[bytes]:
        """All that a stage printed: from memory where that is all of it, else from its log."""
        if event.log_size <= len(event.output) or not event.log:
            yield event.output
            return
        try:
            fd = os.open(os.path.join(self._root, event.log), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:  # removed meanwhile: what is in memory is better than nothing
            yield event.output
            return
        with open(fd, "rb", buffering=0) as log:
            while chunk := log.read(_CHUNK):
                yield chunk

    def _tail(self, event: StageFinished, color: bool) -> tuple[list[str], bool]:
        """The last lines that a stage printed, and whether there were more."""
        from pipefile.report.neutral import neutral_lines

        data = event.output
        cut = False
        if event.log and not data:
            try:
                with open(os.path.join(self._root, event.log), "rb") as log:
                    size = log.seek(0, os.SEEK_END)
                    log.seek(max(0, size - _TAIL_BYTES))
                    data = log.read(_TAIL_BYTES)
                    cut = size > _TAIL_BYTES
            except OSError:
                pass
        raw = data.split(b"\n")
        if raw[-1] == b"":
            raw.pop()
        if cut and len(raw) > 1:
            del raw[0]  # the first one is only the end of a line
        cut = cut or len(raw) > TAIL
        return list(neutral_lines([b"\n".join(raw[-TAIL:])], color)), cut

    def _note(self, event: Note) -> None:
        if not self._shows:
            return
        self._erase()
        if event.level == "warning":
            self._out.flush()
            self._err.write(painted_error(f"warning: {event.text}", self._err) + "\n")
            self._err.flush()
        else:
            self._out.write("\n".join(map(show, event.text.split("\n"))) + "\n")

    def _waiting(self, event: Waiting) -> None:
        if self._shows:
            self._erase()
            self._out.write(f"waiting for pid {event.pid}: {show(event.command)}\n")
            self._out.flush()

    def _build_finished(self, event: BuildFinished) -> None:
        self._erase()
        self._running.clear()
        self.live = False
        self._show_failures()
        if self._shows:
            ended = ((event.ran, "ran"), (event.restored, "from cache"), (event.degraded, "degraded"), (event.fresh, "fresh"))
            parts = counts(*ended, (event.failed, "failed"), (event.skipped, "skipped"))
            took = duration(event.seconds)
            if event.status == "interrupted":
                self._out.write(f"interrupted: {parts} in {took}\n" if parts else f"interrupted after {took}\n")
            else:
                self._out.write(f"{parts or 'nothing to do'} in {took}\n")
        self._out.flush()

    def _show_failures(self) -> None:
        failures, self._failures = self._failures, []
        if failures:
            self._out.flush()
            for failure in failures:
                self._show_failure(failure)
            self._err.flush()

    def _show_failure(self, event: StageFinished) -> None:
        """As errors are shown: first line with the place, so that editors can follow it."""
        first, _, rest = event.error.partition("\n")
        name = edge_name(event.stage, event.instance)
        if first.startswith(_PREDICATES):
            first = f"stage `{name}` {first}"
        elif not first.startswith("stage `"):
            first = f"stage `{name}` failed: {first}" if first else f"stage `{name}` failed"
        place = f"{show(event.file)}:{event.line}:1: " if event.line is not None else f"{show(event.file)}: " if event.file else ""
        lines, cut = self._tail(event, self._err.color)
        hints = [line for line in rest.split("\n") if line.startswith("hint: ")]
        self._err.write(f"{place}{self._err.paint('error:', 'red')} {show(first)}\n")
        if event.command:
            self._err.write(_indented(event.command))
        for line in rest.split("\n"):
            if line and not line.startswith("hint: "):
                self._err.write(f"  {show(line)}\n")
        if event.log:
            self._err.write(f"  log: {show(event.log)}{f', last {TAIL} lines:' if cut else ''}\n")
        for line in hints:
            self._err.write(painted_error(line, self._err) + "\n")
        for line in lines:
            self._err.write(line)

    def _erase(self) -> None:
        if self._drawn:
            self._out.write(_ERASE)
            self._drawn = False

    def _draw(self) -> None:
        """`[17/240] 2 running: thumbs, report  4.2 s`, in one line of the terminal whatever its width."""
        now = self._clock()
        width = self._out.columns() - 1  # the last column makes some terminals wrap
        head = f"[{self._done}/{self._total}] {len(self._running)} running"
        end = f"  {duration(now - self._started)}"
        room = width - len(head) - len(end) - 2
        text = f"{head}: {_cut(self._names(room), room)}{end}" if self._running and room > 0 else head + end
        # The line is overwritten before the rest is erased, so that it does not flicker.
        self._out.write(f"\r{_cut(text, width)}\x1b[K")
        self._out.flush()
        self._drawn = True
        self._drawn_at = now

    def _names(self, room: int) -> str:
        names = []
        size = 0
        for name in self._running:
            names.append(name)
            size += len(name) + 2
            if size > room + 2:
                break
        return ", ".join(names)


def _indented(command: str) -> str:
    """A command on lines of its own, without the middle of one that nobody would read: it may name thousands of files."""
    if len(command) > _LONGEST:
        left_out = len(command) - _HEAD - _TAIL
        command = f"{command[:_HEAD]} [{left_out:,} characters more] {command[-_TAIL:]}"
    return "".join(f"  {show(line)}\n" for line in command.rstrip("\n").split("\n"))


def _cut(text: str, width: int) -> str:
    """*text* in at most *width* columns, with an ellipsis where something is missing."""
    if text.isascii():
        return text if len(text) <= width else text[: width - 1] + "…" if width > 0 else ""
    from unicodedata import combining, east_asian_width

    used = 0
    for index, char in enumerate(text):
        size = 0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1
        if used + size > width - 1 and (index < len(text) - 1 or used + size > width):
            return text[:index] + "…"
        used += size
    return text
