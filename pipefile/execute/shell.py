"""Commands, each a process in a group of its own.

A task costs one posix_spawn, one pipe and one pidfd; nothing is imported for it. Standard input is empty, standard output and standard error
go to one pipe. Where there are many tasks, and several run at once, another thread waits for the kernel to load their programs.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING

from pipefile.base.paths import show
from pipefile.execute.group import own_peak_kib
from pipefile.execute.output import reason_text
from pipefile.execute.peaks import Peaks
from pipefile.execute.poll import EpollPoller
from pipefile.execute.program import unstartable
from pipefile.execute.spawn import Spawner, above_standard
from pipefile.execute.supervise import Running, Supervisor
from pipefile.model.ports import Task

if TYPE_CHECKING:
    from pipefile.execute.starter import Start


_MANY = 32  # tasks that are started without a thread: it is not worth it for less


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
        eager: Start every task on the other thread.
    """

    def __init__(self, inherit: Sequence[int] = (), threads: bool = False, peaks: Peaks | None = None, eager: bool = False) -> None:
        for fd in inherit:
            os.set_inheritable(fd, True)
        super().__init__(threads, peaks)
        self._spawner = Spawner()
        self._processes: dict[int, _Command] = {}
        self._own_peak = 0
        self._eager = eager
        self._told = isinstance(self._poller, EpollPoller)  # the other one has threads enough
        self._count = 0
        self._starting: list[tuple[Start, _Command, int]] = []  # with the end of the pipe that is to be closed when it has started

    # Executor

    def submit(self, task: Task) -> None:
        """Start the task's command; one that cannot be started ends at once."""
        started = monotonic()
        read = write = -1
        start = None
        pid = 0
        try:
            read, write = os.pipe()
            if write < 3:
                write = above_standard(write)
            os.set_blocking(read, False)
            self._count += 1
            if self._eager or (self._count > _MANY and self._running and self._told):
                start = self._spawner.begin(task, write, self._poller.wake)
            if start is None:
                pid = self._spawner.start(task, write)
        except (OSError, ValueError) as fault:
            if read >= 0:
                os.close(read)
            self._reject(task, *unstartable(task, fault), started)
            return
        finally:
            if write >= 0 and start is None:
                os.close(write)
        running = _Command(task, 0, read, 0, started)
        self._supervise(running)
        if start is not None:
            self._starting.append((start, running, write))
        else:
            self._has_started(running, pid)

    def close(self) -> None:
        if self._closed:
            return
        self._close_all()
        self._spawner.close()
        self._poller.close()

    # Supervisor

    def _look(self) -> None:
        waiting, self._starting = self._starting, []
        for each in waiting:
            start, running, write = each
            done = start.done  # before the question for the process, which is answered first
            if start.pid:
                os.close(write)
                self._has_started(running, start.pid)
            elif done:
                self._start_again(running, write)
            else:
                self._starting.append(each)

    def _start_again(self, running: _Command, write: int) -> None:
        """The other thread could not start a task: in the plain way it can be, or it is said why not."""
        try:
            pid = self._spawner.start(running.task, write)
        except (OSError, ValueError) as fault:
            self._withdraw(running)
            self._reject(running.task, *unstartable(running.task, fault), running.started)
        else:
            self._has_started(running, pid)
        finally:
            os.close(write)

    def _has_started(self, running: _Command, pid: int) -> None:
        running.pid = pid
        try:
            running.token = self._poller.watch_process(pid)
            self._processes[running.token] = running
            self._poller.watch_pipe(running.pipe)
        except OSError as fault:
            if self._processes.pop(running.token, None) is not None:
                self._poller.forget_process(running.token)
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            self._withdraw(running)
            self._reject(running.task, "lost", f"cannot watch `{show(running.task.argv[0])}`: {reason_text(fault)}", running.started)
            return
        self._peaks.watch(pid)

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
