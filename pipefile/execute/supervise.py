"""Tasks that run as process groups: what they print is read, they are ended in steps, and what they leave behind is told from what they are.

The end of the process that leads the group is the end of the task: a background process that it leaves behind is left alone, and may hold the pipe
as long as it likes. A task that had to be ended has ended when nothing is left of its group, nor of what has left the group but not the pipe.
"""

from __future__ import annotations

import os
import signal
from math import inf
from time import monotonic
from typing import Generic, NamedTuple, TypeVar

from pipefile.execute.group import group_is_gone, signal_group, signal_name, writers
from pipefile.execute.output import Capture, duration_text
from pipefile.execute.peaks import Peaks
from pipefile.execute.poll import UNKNOWN, Poller, new_poller
from pipefile.model.ports import Completion, Outcome, Task

CHUNK = 64 << 10  # bytes a read: what a pipe holds
HOLD = 0.5  # seconds for the rest of the output when the process has ended and something still holds its pipe
SWEEP = 0.02  # seconds between looks at a group whose leader has ended
STUCK = 10.0  # seconds after SIGKILL, then the process is given up: it hangs inside the kernel

Steps = tuple[tuple[int, float], ...]
"""Signals in order, each with the seconds until the next one is due."""

ON_TIMEOUT: Steps = ((signal.SIGTERM, 2.0), (signal.SIGKILL, STUCK))
ON_CANCEL: Steps = ((signal.SIGINT, 1.0), (signal.SIGTERM, 0.5), (signal.SIGKILL, STUCK))
AT_ONCE: Steps = ((signal.SIGKILL, STUCK),)

class Verdict(NamedTuple):
    """How a task ended, told from its process: as the fields of Completion."""

    outcome: Outcome
    error: str = ""
    exit_status: int | None = None
    signal: int = 0
    raised: tuple[str, ...] = ()


class Running:
    """A started task. `due` is the time at which something has to be done about it though nothing happened.

    `pid` leads its group; 0 while it is not known yet. `status` is its wait status; None while it runs. `why` says for what it is being ended.
    """

    __slots__ = ("capture", "due", "elapsed", "hunted", "next_signal", "pid", "pipe", "started", "status", "steps", "task", "usage", "why")

    def __init__(self, task: Task, pid: int, pipe: int, started: float) -> None:
        self.task = task
        self.pid = pid
        self.pipe = pipe
        self.started = started
        self.elapsed = 0.0
        self.due = inf
        self.capture: Capture | None = None
        self.status: int | None = None
        self.usage = (0.0, 0)
        self.why = ""
        self.steps: Steps = ()
        self.next_signal = inf
        self.hunted = False


R = TypeVar("R", bound=Running)


class Supervisor(Generic[R]):
    """What is alike for every executor whose tasks are process groups; how they are started and how their end is heard of is a subclass's.

    Args:
        threads: Wait with threads, as where the system has no pidfds.
        peaks: Looks at process trees; may be others' too.
    """

    def __init__(self, threads: bool = False, peaks: Peaks | None = None) -> None:
        self._peaks = peaks or Peaks()
        self._poller: Poller = new_poller(threads)
        self._pipes: dict[int, R] = {}
        self._timed: dict[R, None] = {}  # those with a `due`
        self._running: dict[R, None] = {}
        self._ended: list[Completion] = []
        self._closed = False

    # What a subclass knows

    def _take(self, token: int) -> None:
        """Something other than a task's pipe is ready."""
        raise NotImplementedError

    def _give_up(self, running: R) -> None:
        """The process of a task does not end on SIGKILL: hear of it no more."""
        raise NotImplementedError

    def _verdict(self, running: R) -> Verdict:
        """What the end of a task's process says."""
        return by_status(running.status)

    def _peak(self, running: R) -> int:
        """The most memory that a process of a task had, in bytes; 0 where that is not known."""
        raise NotImplementedError

    # Executor

    def fileno(self) -> int:
        return self._poller.fileno()

    def wait(self, timeout: float | None = None) -> list[Completion]:
        until = inf if timeout is None else monotonic() + timeout
        while True:
            if self._ended or not self._running:
                timeout = 0
            due = min([self._peaks.due(), *[running.due for running in self._timed]])
            if timeout != 0 and (until != inf or due != inf):
                timeout = max(0.0, min(until, due) - monotonic())
            for token in self._poller.poll(timeout):
                running = self._pipes.get(token)
                if running is not None:
                    self._read(running)
                else:
                    self._take(token)
            now = monotonic()
            self._peaks.tick(now)
            for running in list(self._timed):
                if running.due <= now:
                    self._tick(running, now)
            if self._ended:
                ended, self._ended = self._ended, []
                return ended
            if not self._running or (until != inf and monotonic() >= until):
                return []
            timeout = None

    def next_deadline(self) -> float | None:
        due = min([self._peaks.due(), *[running.due for running in self._timed]])
        return None if due == inf else due

    def latest(self, task: int) -> bytes:
        for running in self._running:
            if running.task.id == task:
                return running.capture.latest if running.capture is not None else b""
        return b""

    def cancel(self, urgent: bool = False) -> None:
        now = monotonic()
        for running in list(self._running):
            if running.status is not None and not running.why:
                self._finish(running)  # it had ended by itself, and only its pipe is held
            elif not running.why:
                self._end(running, "cancel", AT_ONCE if urgent else ON_CANCEL, now)
            elif urgent and running.steps:
                self._end(running, running.why, AT_ONCE, now)
        if self._ended:
            self._poller.wake()

    def _close_all(self) -> None:
        """End what still runs, at once, and wait for that."""
        self._closed = True
        self.cancel(urgent=True)
        while self._running:
            self.wait()
            self.cancel(urgent=True)

    # Starting

    def _supervise(self, running: R) -> None:
        """From now on the task is ours. Its pipe is watched by the caller."""
        self._pipes[running.pipe] = running
        self._running[running] = None
        if running.pid:
            self._peaks.watch(running.pid)
        if running.task.timeout is not None:
            running.due = running.started + running.task.timeout
            self._timed[running] = None

    def _reject(self, task: Task, outcome: Outcome, error: str, started: float) -> None:
        """A task that cannot be started has ended."""
        self._ended.append(Completion(task.id, outcome, error=error, elapsed=monotonic() - started))
        self._poller.wake()

    # Output and end

    def _read(self, running: R) -> None:
        pipe = running.pipe
        try:
            data = os.read(pipe, CHUNK)
        except BlockingIOError:
            self._poller.ready_again(pipe)
            return
        if not data:
            self._close_pipe(running)
            if running.status is not None and not running.why:
                self._finish(running)
            return
        if running.capture is None:
            running.capture = Capture(running.task.log, running.task.log_limit, running.task.mask)
        running.capture.write(data)
        self._poller.ready_again(pipe)

    def _close_pipe(self, running: R) -> None:
        pipe = running.pipe
        if pipe >= 0:
            self._poller.forget_pipe(pipe)
            del self._pipes[pipe]
            os.close(pipe)
            running.pipe = -1

    def _has_ended(self, running: R, status: int, usage: tuple[float, int]) -> None:
        """The process of a task is gone: take what it has printed, and wait a moment for what others hold back."""
        running.status, running.usage = status, usage
        now = monotonic()
        running.elapsed = now - running.started
        for _ in range(32):  # bounded: a daemon may print for ever
            if running.pipe < 0:
                break
            before = running.capture.size if running.capture else 0
            self._read(running)
            if running.pipe >= 0 and before == (running.capture.size if running.capture else 0):
                break
        if running.why:
            if not running.steps:
                running.next_signal = now + HOLD
            self._tick(running, now)
        elif running in self._running:
            if running.pipe < 0:
                self._finish(running)
            else:
                running.due = now + HOLD
                self._timed[running] = None

    def _finish(self, running: R) -> None:
        self._close_pipe(running)
        self._timed.pop(running, None)
        del self._running[running]
        output, log_size, log_error = b"", 0, ""
        if running.capture is not None:
            output, log_size = running.capture.close()
            log_error = running.capture.error
        task = running.task
        peak = self._peaks.forget(running.pid)
        if running.status is None:
            self._give_up(running)
            running.elapsed = monotonic() - running.started
            verdict = Verdict("lost", f"process {running.pid} does not end on SIGKILL")
        else:
            verdict = self._verdict(running)
        outcome, error = verdict.outcome, verdict.error
        if outcome == "ok" and log_error:
            outcome, error = "failed", log_error
        if running.why == "timeout":
            outcome = "failed"
            error = f"timed out after {duration_text(task.timeout or 0)}" + (f"; {error}" if running.status is None else "")
        elif running.why == "cancel":
            outcome = "cancelled"
        self._ended.append(
            Completion(
                task.id,
                outcome,
                verdict.exit_status,
                verdict.signal,
                running.why == "timeout",
                error,
                running.elapsed,
                running.usage[0],
                max(self._peak(running), peak),
                output,
                log_size,
                verdict.raised,
            )
        )

    # Ending what runs

    def _end(self, running: R, why: str, steps: Steps, now: float) -> None:
        running.why = why
        running.steps = steps
        running.next_signal = now
        self._timed[running] = None
        self._tick(running, now)

    def _tick(self, running: R, now: float) -> None:
        """What is due for a task: its time is up, the next signal, a look at what its group has left."""
        if not running.why:
            if running.status is None:
                self._end(running, "timeout", ON_TIMEOUT, now)
            else:
                self._finish(running)
            return
        if running.pid <= 0:  # it is being started just now, and can be signalled in a moment
            running.due = now + SWEEP
            return
        if now >= running.next_signal:
            if not running.steps:
                self._finish(running)
                return
            (number, pause), running.steps = running.steps[0], running.steps[1:]
            signal_group(running.pid, number)
            running.next_signal = now + (pause if running.steps or running.status is None else HOLD)
        if running.status is None:
            running.due = running.next_signal
        elif self._is_swept(running, now):
            self._finish(running)
        else:
            running.due = min(running.next_signal, now + SWEEP)

    def _is_swept(self, running: R, now: float) -> bool:
        """Whether nothing is left of a task that was ended and whose process is gone."""
        if not group_is_gone(running.pid):
            return False
        if running.pipe < 0:
            return True
        if not running.hunted:  # it has left the group, as setsid does, but not the pipe
            running.hunted = True
            running.steps = ()
            running.next_signal = now + HOLD
        for pid in writers(running.pipe):  # at each look: one may have forked during the last
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        return False


def by_status(status: int | None) -> Verdict:
    """What a wait status says."""
    assert status is not None
    if status == UNKNOWN:
        return Verdict("lost", "its exit status is not known: something else in the builder waited for it")
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return Verdict("failed", f"killed by {signal_name(number)}", None, number)
    if status:
        exit_status = os.WEXITSTATUS(status)
        return Verdict("failed", f"exit status {exit_status}", exit_status)
    return Verdict("ok", "", 0)
