"""A build as a person sees it: on a terminal a block that is redrawn (report/live.py), elsewhere one line a stage when it ends; failures last.

Lines about the build go to standard output, errors and warnings to standard error. What a stage printed is shown whole and in one piece when the
stage ends, starting in the first column, so that editors find the places that compilers name. Of a failed stage a short output is shown once only,
with the failure; a long one is shown whole when the stage ends, and its last lines again with the failure. Where nothing is redrawn, a line each half
minute tells that the build goes on.

    [16/240] thumbs  1.2 s
    [16/240] train still runs after 28.8 s, and 3 more
    [17/240] train failed  34.2 s
    Pipefile.toml:22:1: error: stage `train` failed: exit status 1
      python train.py --out models/
      log: pipeline_outputs/latest/train/log.txt
    ValueError: no such column
    3 ran, 235 fresh, 1 failed in 34.2 s
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from pipefile.base.dataclass import replace
from pipefile.base.paths import show
from pipefile.model.event import (
    BuildFinished,
    BuildStarted,
    Event,
    Foreseen,
    Note,
    PlanMade,
    StageFinished,
    StageRestored,
    StageRetried,
    StageStarted,
    Traced,
    Waiting,
)
from pipefile.model.ports import Outlook
from pipefile.model.record import Reason
from pipefile.report.stream import Stream, painted_error
from pipefile.report.words import counts, duration, edge_name, foreseen, retried

if TYPE_CHECKING:
    from pipefile.report.live import LiveBlock

REDRAW = 0.1  # seconds; a terminal over a slow line takes ten redraws a second
BEAT = 30.0  # seconds between two lines that tell what runs, where nothing is redrawn
_LATE = 0.2  # seconds; with so much to do that nobody calls `flush`, events draw
_MANY = 255  # fresh edges between two looks at the clock, less one


class TerminalReport:
    """Draws the events of one build. Called with each event; `flush` at the end of a batch, and after as many seconds of waiting as `due` says.

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
        self.live = out.terminal and verbose >= 0
        self._beats = not out.terminal and verbose >= 0
        self.entering = ""
        """Said once on each stream before what names files, where the user stands elsewhere than these names start."""
        self._entered: list[Stream] = []
        self._shows = verbose >= 0
        self._done = 0
        self._total = 0
        self._running: dict[tuple[str, str], float] = {}  # stage and instance -> when it started
        self._failures: list[StageFinished] = []
        self._started = clock()
        self._beat = self._started + BEAT
        self._block: LiveBlock | None = None
        self._drawn_at = float("-inf")
        self._outlook: Outlook | None = None
        self._actions: dict[type, Callable[..., None]] = {
            BuildStarted: self._build_started,
            PlanMade: self._plan_made,
            StageStarted: self._stage_started,
            StageRestored: self._stage_restored,
            StageRetried: self._stage_retried,
            StageFinished: self._stage_finished,
            Note: self._note,
            Foreseen: self._foreseen,
            Traced: self._traced,
            Waiting: self._waiting,
            BuildFinished: self._build_finished,
        }

    def __call__(self, event: Event) -> None:
        if type(event) is StageFinished and event.status == "fresh" and self._verbose < 1:  # by the thousand, so it takes the short way
            self._done += 1
            if self.live and not self._done & _MANY:
                self._keep_up(_LATE)
            return
        self._actions[type(event)](event)

    def flush(self) -> None:
        """Bring everything out, and what is redrawn up to date."""
        if self._running:
            if self.live:
                self._keep_up(REDRAW)
            elif self._beats and self._clock() >= self._beat:
                self._tell_beat()
        self._out.flush()

    def due(self) -> float | None:
        """Seconds after which `flush` has to be called though nothing happened; None for never."""
        if not self._running:
            return None
        if self.live:
            return REDRAW
        return max(0.0, self._beat - self._clock()) if self._beats else None

    def pause(self) -> None:
        """Leave the terminal clean while somebody else has it; what is redrawn comes back with the next `flush`."""
        self._erase()
        self._out.flush()

    def close(self) -> None:
        """Leave the terminal clean, however the build ended."""
        self._erase()
        self._show_failures()  # still untold where the build did not come to its end: its history met a full disk, for example
        self._out.flush()
        self._err.flush()

    def _build_started(self, _: BuildStarted) -> None:
        self._started = self._clock()
        self._beat = self._started + BEAT

    def _plan_made(self, event: PlanMade) -> None:
        self._total = event.total
        if event.grown:
            return
        self._done = event.fresh
        self._outlook = event.outlook
        self._drawn_at = self._clock()

    def _stage_started(self, event: StageStarted) -> None:
        name, now = (event.stage, event.instance), self._clock()
        if not self._running and now - self._drawn_at >= _LATE:
            self._drawn_at = now  # what starts together is drawn together, and what takes a moment is not drawn at all
        self._running.pop(name, None)  # it begins anew: its inputs changed while it ran
        self._running[name] = now
        if self._why and self._shows and event.attempt == 1:
            self._tell_why(edge_name(event.stage, event.instance), event.reasons)
        if self.live:
            self._keep_up(_LATE)

    def _stage_restored(self, event: StageRestored) -> None:
        if self._why and self._shows:
            self._tell_why(edge_name(event.stage, event.instance), event.reasons)

    def _tell_why(self, name: str, reasons: tuple[Reason, ...]) -> None:
        from pipefile.plan.stale import describe

        self._erase()
        for reason in reasons:
            self._out.write(f"{name}: {describe(reason)}\n")

    def _stage_retried(self, event: StageRetried) -> None:
        self._running.pop((event.stage, event.instance), None)
        if self._shows:
            self._erase()
            self._out.write(retried(event) + "\n")
            if self._verbose > 0 and event.log:
                self._out.write(f"  log: {show(event.log)}\n")
            self._out.flush()

    def _stage_finished(self, event: StageFinished) -> None:
        name = edge_name(event.stage, event.instance)
        status = event.status
        self._running.pop((event.stage, event.instance), None)
        if status != "skipped":
            self._done += 1
            self._total = max(self._total, self._done)
        if status == "failed":
            self._failed(event, name)
        elif status in ("ran", "degraded", "restored"):
            if self._shows and (self._lines or event.log_size or event.output):
                word = " " + self._out.paint(status, "yellow" if status == "degraded" else "green") if status != "ran" else ""
                self._tell(event, f"[{self._done}/{self._total}] {name}{word}  {duration(event.seconds)}")
        elif status == "fresh":
            self._erase()
            self._out.write(f"[{self._done}/{self._total}] {name}  fresh\n")
        elif self._verbose > 0 or (status == "interrupted" and self._shows):  # one failure can have thousands skipped: the last line counts them
            self._tell(event, f"{name}  {status}{f': {show(event.reason)}' if event.reason else ''}")
        if self.live:
            self._keep_up(_LATE)

    def _failed(self, event: StageFinished, name: str) -> None:
        from pipefile.report.output import is_long, log_is_whole

        if self._shows:
            self._tell(event, f"[{self._done}/{self._total}] {name} {self._out.paint('failed', 'red')}  {duration(event.seconds)}", is_long(event))
        # A thousand failures shall not keep a thousand outputs in memory: what is in a log is read from it at the end.
        self._failures.append(replace(event, output=b"") if log_is_whole(event, self._root) else event)

    def _tell(self, event: StageFinished, line: str, output: bool = True) -> None:
        """The line of a stage that has ended, and what it printed."""
        out = self._out
        self._erase()
        command = event.command if self._verbose > 0 and output else ""
        output = output and bool(event.output or event.log_size)
        if not command and not output:
            out.write(f"{line}\n")
            return
        self._enter(out)
        out.group(line)
        if command:
            from pipefile.report.failures import indented

            out.write(indented(command))
        if output:
            from pipefile.report.neutral import neutral_lines
            from pipefile.report.output import chunks

            for text in neutral_lines(chunks(event, self._root), out.color):
                out.write(text)
        out.end_group()

    def _note(self, event: Note) -> None:
        if not self._shows:
            return
        self._erase()
        if event.level == "warning":
            self._out.flush()
            self._err.write(painted_error(f"warning: {event.text}", self._err) + "\n")
            self._err.annotate("warning", event.text, "pipefile")
            self._err.flush()
        else:
            text = event.text
            self._out.write((show(text) if "\n" not in text else "\n".join(map(show, text.split("\n")))) + "\n")

    def _foreseen(self, event: Foreseen) -> None:
        if self._shows:
            self._out.write(foreseen(event) + "\n")

    def _traced(self, event: Traced) -> None:
        from pipefile.report.traced import traced

        self._erase()
        self._out.write(traced(event))

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
            parts = totals(event)
            took = duration(event.seconds)
            if event.status == "interrupted":
                self._out.write(f"interrupted: {parts} in {took}\n" if parts else f"interrupted after {took}\n")
            else:
                self._out.write(f"{parts or 'nothing to do'} in {took}\n")
        self._out.flush()

    def _show_failures(self) -> None:
        failures, self._failures = self._failures, []
        if failures:
            from pipefile.report.failures import show_failure

            self._out.flush()
            self._enter(self._err)
            for failure in failures:
                show_failure(failure, self._err, self._root)
            self._err.flush()

    def _enter(self, stream: Stream) -> None:
        if self.entering and stream not in self._entered:
            self._entered.append(stream)
            stream.write(f"{self.entering}\n")

    # -- what is redrawn

    def _tell_beat(self) -> None:
        now = self._clock()
        while self._beat <= now:
            self._beat += BEAT
        (stage, instance), began = next(iter(self._running.items()))  # those before it have ended: none runs longer
        others = f", and {len(self._running) - 1} more" if len(self._running) > 1 else ""
        self._out.write(f"[{self._done}/{self._total}] {edge_name(stage, instance)} still runs after {duration(now - began)}{others}\n")

    def _erase(self) -> None:
        if self._block is not None:
            self._block.erase()

    def _keep_up(self, late: float) -> None:
        """Draw, if that was done *late* seconds ago or earlier."""
        now = self._clock()
        if now - self._drawn_at < late - 1e-6:
            return
        self._drawn_at = now
        if self._block is None:
            from pipefile.report.live import LiveBlock

            self._block = LiveBlock(self._out, self._clock)
        self._block.draw(self._running, self._outlook, (self._done, self._total), now - self._started)


def totals(event: BuildFinished) -> str:
    """`3 ran, 235 fresh, 1 failed`."""
    ended = ((event.ran, "ran"), (event.restored, "from cache"), (event.degraded, "degraded"), (event.fresh, "fresh"))
    return counts(*ended, (event.failed, "failed"), (event.skipped, "skipped"))
