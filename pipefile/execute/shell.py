"""Commands, each a process in a group of its own.

A task costs one posix_spawn, one pipe and one pidfd; nothing is imported for it. Standard input is empty, standard output and standard error
go to one pipe. The end of the process is the end of the task: a background process that it leaves behind is left alone, and may hold the pipe
as long as it likes.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from math import inf
from time import monotonic

from pipefile.base.paths import show
from pipefile.execute.group import group_is_gone, own_peak_kib, signal_group, signal_name, writers
from pipefile.execute.output import Capture, duration_text, reason_text
from pipefile.execute.poll import UNKNOWN, Poller, new_poller
from pipefile.execute.program import unstartable
from pipefile.execute.spawn import Spawner, above_standard
from pipefile.model.ports import Completion, Task

CHUNK = 64 << 10  # bytes a read: what a pipe holds
HOLD = 0.5  # seconds for the rest of the output when the process has ended and something still holds its pipe
SWEEP = 0.02  # seconds between looks at a group whose leader has ended
STUCK = 10.0  # seconds after SIGKILL, then the process is given up: it hangs inside the kernel

Steps = tuple[tuple[int, float], ...]
"""Signals in order, each with the seconds until the next one is due."""

ON_TIMEOUT: Steps = ((signal.SIGTERM, 2.0), (signal.SIGKILL, STUCK))
ON_CANCEL: Steps = ((signal.SIGINT, 1.0), (signal.SIGTERM, 0.5), (signal.SIGKILL, STUCK))
AT_ONCE: Steps = ((signal.SIGKILL, STUCK),)


class _Running:
    """A started task. `due` is the time at which something has to be done about it though nothing happened."""

    __slots__ = ("capture", "due", "elapsed", "hunted", "next_signal", "pid", "pipe", "started", "status", "steps", "task", "token", "usage", "why")

    def __init__(self, task: Task, pid: int, pipe: int, token: int, started: float) -> None:
        self.task = task
        self.pid = pid
        self.pipe = pipe
        self.token = token
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


class ShellExecutor:
    """Runs the commands of tasks as processes.

    Args:
        inherit: Descriptors that every child inherits, such as the lock's.
        threads: Wait with threads, as where the system has no pidfds.
    """

    def __init__(self, inherit: Sequence[int] = (), threads: bool = False) -> None:
        for fd in inherit:
            os.set_inheritable(fd, True)
        self._poller: Poller = new_poller(threads)
        self._spawner = Spawner()
        self._closed = False
        self._by_token: dict[int, _Running] = {}  # pipes and processes
        self._timed: dict[_Running, None] = {}  # those with a `due`
        self._running: dict[_Running, None] = {}
        self._ended: list[Completion] = []
        self._own_peak = 0

    # Executor

    def submit(self, task: Task) -> None:
        """Start the task's command; one that cannot be started ends at once."""
        started = monotonic()
        read = write = -1
        try:
            read, write = os.pipe()
            if write < 3:
                write = above_standard(write)
            os.set_blocking(read, False)
            pid = self._spawner.start(task, write)
        except (OSError, ValueError) as fault:
            if read >= 0:
                os.close(read)
            outcome, text = unstartable(task, fault)
            self._ended.append(Completion(task.id, outcome, error=text, elapsed=monotonic() - started))
            self._poller.wake()
            return
        finally:
            if write >= 0:
                os.close(write)
        self._watch(task, pid, read, started)

    def fileno(self) -> int:
        return self._poller.fileno()

    def wait(self, timeout: float | None = None) -> list[Completion]:
        until = inf if timeout is None else monotonic() + timeout
        while True:
            if self._ended:
                timeout = 0
            elif not self._running:
                return []
            due = min([running.due for running in self._timed]) if self._timed else inf
            if timeout != 0 and (until != inf or due != inf):
                timeout = max(0.0, min(until, due) - monotonic())
            for token in self._poller.poll(timeout):
                running = self._by_token.get(token)
                if running is None:
                    continue
                if token == running.pipe:
                    self._read(running)
                else:
                    self._reap(running)
            if self._timed:
                now = monotonic()
                for running in list(self._timed):
                    if running.due <= now:
                        self._tick(running, now)
            if self._ended:
                ended, self._ended = self._ended, []
                return ended
            if until != inf and monotonic() >= until:
                return []
            timeout = None

    def next_deadline(self) -> float | None:
        return min([running.due for running in self._timed]) if self._timed else None

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

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self.cancel(urgent=True)
        while self._running:
            self.wait()
            self.cancel(urgent=True)
        self._poller.close()
        self._spawner.close()

    # Starting

    def _watch(self, task: Task, pid: int, pipe: int, started: float) -> None:
        try:
            self._poller.watch_pipe(pipe)
            try:
                token = self._poller.watch_process(pid)
            except OSError:
                self._poller.forget_pipe(pipe)
                raise
        except OSError as fault:
            os.close(pipe)
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            self._ended.append(Completion(task.id, "lost", error=f"cannot watch `{show(task.argv[0])}`: {reason_text(fault)}"))
            self._poller.wake()
            return
        running = _Running(task, pid, pipe, token, started)
        self._by_token[pipe] = self._by_token[token] = running
        self._running[running] = None
        if task.timeout is not None:
            running.due = started + task.timeout
            self._timed[running] = None

    # Output and end

    def _read(self, running: _Running) -> None:
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
            running.capture = Capture(running.task.log, running.task.log_limit)
        running.capture.write(data)
        self._poller.ready_again(pipe)

    def _close_pipe(self, running: _Running) -> None:
        pipe = running.pipe
        if pipe >= 0:
            self._poller.forget_pipe(pipe)
            del self._by_token[pipe]
            os.close(pipe)
            running.pipe = -1

    def _reap(self, running: _Running) -> None:
        running.status, running.usage = self._poller.reap(running.token, running.pid)
        del self._by_token[running.token]
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

    def _finish(self, running: _Running) -> None:
        self._close_pipe(running)
        self._timed.pop(running, None)
        del self._running[running]
        output, log_size, log_error = b"", 0, ""
        if running.capture is not None:
            output, log_size = running.capture.close()
            log_error = running.capture.error
        task, status = running.task, running.status
        exit_status, number, outcome, error = None, 0, "ok", ""
        if status is None:
            del self._by_token[running.token]
            self._poller.forget_process(running.token)
            running.elapsed = monotonic() - running.started
            outcome, error = "lost", f"process {running.pid} does not end on SIGKILL"
        elif status == UNKNOWN:
            outcome, error = "lost", "its exit status is not known: something else in the builder waited for it"
        elif os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            outcome, error = "failed", f"killed by {signal_name(number)}"
        elif status:
            exit_status = os.WEXITSTATUS(status)
            outcome, error = "failed", f"exit status {exit_status}"
        else:
            exit_status = 0
            if log_error:
                outcome, error = "failed", log_error
        if running.why == "timeout":
            outcome = "failed"
            error = f"timed out after {duration_text(task.timeout or 0)}" + (f"; {error}" if status is None else "")
        elif running.why:
            outcome = "cancelled"
        self._ended.append(
            Completion(
                task.id,
                outcome,  # type: ignore[arg-type]  # one of the four literals above
                exit_status,
                number,
                running.why == "timeout",
                error,
                running.elapsed,
                running.usage[0],
                self._peak(running.usage[1]),
                output,
                log_size,
            )
        )

    def _peak(self, rss: int) -> int:
        """The peak of a child in bytes, 0 where it is hidden.

        Linux begins a spawned process's mark at its parent's, since both shared their memory until the exec: what is not above our own peak
        tells nothing.
        """
        if sys.platform != "linux":
            return rss
        slack = 512
        if rss > self._own_peak + slack:
            self._own_peak = own_peak_kib()
        return rss * 1024 if rss > self._own_peak + slack else 0

    # Ending what runs

    def _end(self, running: _Running, why: str, steps: Steps, now: float) -> None:
        running.why = why
        running.steps = steps
        running.next_signal = now
        self._timed[running] = None
        self._tick(running, now)

    def _tick(self, running: _Running, now: float) -> None:
        """What is due for a task: its time is up, the next signal, a look at what its group has left."""
        if not running.why:
            if running.status is None:
                self._end(running, "timeout", ON_TIMEOUT, now)
            else:
                self._finish(running)
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

    def _is_swept(self, running: _Running, now: float) -> bool:
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
