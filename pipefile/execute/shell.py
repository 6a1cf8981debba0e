"""Commands, each a process in a group of its own.

A task costs one posix_spawn, one pipe and one pidfd; nothing is imported for it. Standard input is empty, standard output and standard error
go to one pipe.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from time import monotonic

from pipefile.base.paths import show
from pipefile.execute.group import own_peak_kib
from pipefile.execute.output import reason_text
from pipefile.execute.peaks import Peaks
from pipefile.execute.program import unstartable
from pipefile.execute.spawn import Spawner, above_standard
from pipefile.execute.supervise import Running, Supervisor
from pipefile.model.ports import Task


class _Command(Running):
    __slots__ = ("token",)

    def __init__(self, task: Task, pid: int, pipe: int, token: int, started: float) -> None:
        super().__init__(task, pid, pipe, started)
        self.token = token


class ShellExecutor(Supervisor[_Command]):
    """Runs the commands of tasks as processes.

    Args:
        inherit: Descriptors that every child inherits, such as the lock's.
        threads: Wait with threads, as where the system has no pidfds.
        peaks: Looks at process trees.
    """

    def __init__(self, inherit: Sequence[int] = (), threads: bool = False, peaks: Peaks | None = None) -> None:
        for fd in inherit:
            os.set_inheritable(fd, True)
        super().__init__(threads, peaks)
        self._spawner = Spawner()
        self._processes: dict[int, _Command] = {}
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
            self._reject(task, *unstartable(task, fault), started)
            return
        finally:
            if write >= 0:
                os.close(write)
        self._watch(task, pid, read, started)

    def close(self) -> None:
        if self._closed:
            return
        self._close_all()
        self._poller.close()
        self._spawner.close()

    # Supervisor

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
            self._reject(task, "lost", f"cannot watch `{show(task.argv[0])}`: {reason_text(fault)}", started)
            return
        running = self._processes[token] = _Command(task, pid, pipe, token, started)
        self._supervise(running)

    def _take(self, token: int) -> None:
        running = self._processes.pop(token, None)
        if running is not None:
            self._has_ended(running, *self._poller.reap(token, running.pid))

    def _give_up(self, running: _Command) -> None:
        del self._processes[running.token]
        self._poller.forget_process(running.token)

    def _peak(self, running: _Command) -> int:
        """The peak of a child in bytes, 0 where it is hidden.

        Linux begins a spawned process's mark at its parent's, since both shared their memory until the exec: what is not above our own peak
        tells nothing.
        """
        rss = running.usage[1]
        if sys.platform != "linux":
            return rss
        slack = 512
        if rss > self._own_peak + slack:
            self._own_peak = own_peak_kib()
        return rss * 1024 if rss > self._own_peak + slack else 0
