"""Python functions, each in a process of its own: what one does to its process reaches no other.

A worker is forked from a process that has imported everything already (execute/zygote.py), which takes a few milliseconds. Tasks whose stage has a
`setup` share workers: one that has ended its task in good order takes the next one of the same function, setup, folder and environment. So do the
instances of one stage, as long as they leave nothing behind. All other tasks have a worker each.
"""

from __future__ import annotations

import os
import signal
from _socket import SHUT_RD
from collections.abc import Mapping, Sequence
from time import monotonic
from typing import Any

from pipefile.base.paths import show
from pipefile.execute import wire
from pipefile.execute.context import remove_temporary_folder, temporary_folder
from pipefile.execute.forks import Forks, start_failure
from pipefile.execute.group import signal_group
from pipefile.execute.peaks import Peaks
from pipefile.execute.poll import UNKNOWN
from pipefile.execute.preload import Preloads
from pipefile.execute.spawn import above_standard
from pipefile.execute.supervise import AT_ONCE, STUCK, Running, Supervisor, Verdict, by_status
from pipefile.model.ports import Task
from pipefile.model.stage import Call

_ZYGOTES = 4  # for different environments; those without workers go when there are more
_WORTH = 3  # workers without preloaded modules, then a process is started that has imported what they import
# What the interpreter, the dynamic linker and the C library read when a process starts: a fork comes too late for it.
_AT_START = ("PYTHON", "LD_", "DYLD_", "LC_", "LANG", "MALLOC_", "GLIBC_")

_Kind = tuple[Call, Call | None, str, int, str]
"""Function, setup, folder, number of the environment and, without a setup, the stage: tasks that are equal in these can share a worker."""

_Start = tuple[bool, tuple[tuple[str, str], ...]]
"""What a zygote has to be started with: with preloaded modules or without, and variables that count at the start."""


class _Worker:
    __slots__ = ("forks", "kind", "number", "outdated", "pid", "running", "sock")

    def __init__(self, number: int, kind: _Kind, forks: Forks, sock: wire.Socket) -> None:
        self.number = number
        self.kind = kind
        self.forks = forks
        self.sock = sock
        self.pid = 0
        self.running: _Function | None = None
        self.outdated = False  # it has imported what is no longer on the disk


class _Function(Running):
    __slots__ = ("lost", "result", "temporary", "worker")

    def __init__(self, task: Task, worker: _Worker, pipe: int, started: float) -> None:
        super().__init__(task, worker.pid, pipe, started)
        self.worker = worker
        self.result: Verdict | None = None  # what the worker has told
        self.temporary = ""
        self.lost = ""  # why nobody knows how it has ended


class ProcessExecutor(Supervisor[_Function]):
    """Runs the functions of tasks in worker processes.

    Args:
        inherit: Descriptors that every process inherits, such as the lock's.
        preloads: What is imported before workers are forked; filled further.
        workers: Most workers that live at once where some of them only wait.
        peaks: Looks at process trees.
    """

    def __init__(self, inherit: Sequence[int] = (), preloads: Preloads | None = None, workers: int = 8, peaks: Peaks | None = None) -> None:
        for fd in inherit:
            os.set_inheritable(fd, True)
        super().__init__(peaks=peaks)
        self._preloads = Preloads() if preloads is None else preloads
        self._most = workers
        self._zygotes: dict[_Start, Forks] = {}
        self._listening: dict[int, Forks | _Worker] = {}  # by descriptor
        self._workers: dict[int, _Worker] = {}
        self._idle: dict[_Worker, None] = {}  # the longest idle first
        self._count = 0
        self._environments: list[Mapping[str, str]] = []
        self._preloadable = -1  # number of the environment that has preloaded modules
        self._broken = False  # a zygote has ended while it preloaded

    # Executor

    def submit(self, task: Task) -> None:
        """Start the task's function in a worker."""
        started = monotonic()
        assert task.function is not None
        read = write = -1
        try:
            read, write = os.pipe()
            write = above_standard(write)
            os.set_blocking(read, False)
            self._poller.watch_pipe(read)
            running, worker = self._hand_over(task, read, write, started)
        except (OSError, ValueError) as fault:
            if read >= 0:
                try:
                    self._poller.forget_pipe(read)
                except OSError:  # that it could not be watched was the fault
                    pass
                os.close(read)
            self._reject(task, "failed" if isinstance(fault, ValueError) else "lost", start_failure(fault), started)
            return
        finally:
            if write >= 0:
                os.close(write)
        worker.running = running
        self._supervise(running)

    def _hand_over(self, task: Task, read: int, write: int, started: float) -> tuple[_Function, _Worker]:
        while True:
            worker = self._worker(task)
            waited = worker.pid > 0
            running = _Function(task, worker, read, started)
            running.temporary = temporary_folder(task.env)
            try:
                self._send(worker, running, write)
                return running, worker
            except (OSError, ValueError) as fault:
                self._dismiss(worker)
                if not (waited and isinstance(fault, ConnectionError)):  # one that waited may have been killed meanwhile: then another one
                    raise

    def close(self) -> None:
        if self._closed:
            return
        self._close_all()
        for worker in list(self._workers.values()):
            self._dismiss(worker)
        for forks in self._zygotes.values():
            self._poller.forget_pipe(forks.fileno())
            forks.close()
        self._zygotes.clear()
        self._poller.close()

    def renew(self) -> None:
        """Code has changed: what is submitted from now on finds it anew."""
        for worker in list(self._workers.values()):
            worker.outdated = True
            if worker in self._idle:
                self._dismiss(worker)

    @property
    def preloads(self) -> Preloads:
        return self._preloads

    # Workers

    def _worker(self, task: Task) -> _Worker:
        """A worker for a task: one that waits for such, or a new one."""
        call = task.function
        assert call is not None
        number = self._environment(task.env)
        kind = (call.call, call.setup, task.cwd, number, task.shared if call.setup is None else "")
        if _may_share(task):
            for idle in reversed(self._idle):
                if idle.kind == kind:
                    del self._idle[idle]
                    return idle
        while self._idle and len(self._workers) >= self._most:
            self._dismiss(next(iter(self._idle)))
        forks = self._forks(task, number)
        ours, theirs = wire.pair()
        ours.setblocking(False)
        self._count += 1
        worker = _Worker(self._count, kind, forks, ours)
        try:
            self._poller.watch_pipe(ours.fileno())
        except OSError:
            ours.close()
            theirs.close()
            raise
        self._listening[ours.fileno()] = worker
        self._workers[worker.number] = worker
        forks.fork(worker.number, theirs)
        return worker

    def _environment(self, env: Mapping[str, str]) -> int:
        for number, known in enumerate(self._environments):
            if known is env or known == env:
                return number
        self._environments.append(env)
        return len(self._environments) - 1

    def _forks(self, task: Task, number: int) -> Forks:
        """The process to fork a task's worker from. What was preloaded with another environment, or holds a device, is not for everybody."""
        at_start = tuple(sorted([(name, value) for name, value in task.env.items() if name.startswith(_AT_START)]))
        plain = self._takes_preloaded(task, number)
        without = self._zygotes.get((False, at_start))
        if plain and self._preloads.names() and (without is None or without.forked >= _WORTH):
            preloading = self._zygotes.get((True, at_start)) or self._start_zygote((True, at_start), task)
            if preloading.ready or without is None:
                return preloading
        return without or self._start_zygote((False, at_start), task)

    def _start_zygote(self, start: _Start, task: Task) -> Forks:
        while len(self._zygotes) >= _ZYGOTES and (unused := next((at for at, each in self._zygotes.items() if not each.workers), None)):
            self._end_zygote(unused)
        preload = start[0]
        forks = Forks(task.env, self._preloads.names() if preload else [], self._preloads.judged if preload else {}, task.cwd)
        try:
            self._poller.watch_pipe(forks.fileno())
        except OSError:
            forks.close()
            raise
        self._zygotes[start] = forks
        self._listening[forks.fileno()] = forks
        return forks

    def _end_zygote(self, start: _Start) -> None:
        forks = self._zygotes.pop(start)
        del self._listening[forks.fileno()]
        self._poller.forget_pipe(forks.fileno())
        forks.close()

    def _takes_preloaded(self, task: Task, number: int) -> bool:
        if self._broken or task.function is None or task.function.setup is not None or task.resources.get("gpu"):
            return False
        if self._preloadable < 0:
            self._preloadable = number
        return number == self._preloadable

    def _send(self, worker: _Worker, running: _Function, pipe: int) -> None:
        task = running.task
        call = task.function
        assert call is not None
        env = None if task.env is worker.forks.env or task.env == worker.forks.env else dict(task.env)
        stays = _may_share(task) and not worker.outdated
        survey = self._takes_preloaded(task, worker.kind[3]) and self._preloads.ask(call.call.module)
        audited = task.audited and tuple(task.audited)
        wire.send(worker.sock, ("task", stays, survey, task.name, env, task.cwd, running.temporary, audited, wire.pack(call)), (pipe,))

    def _dismiss(self, worker: _Worker) -> None:
        """Hear of a worker no more; it ends when its socket is closed, if it has not ended yet."""
        self._idle.pop(worker, None)
        number = worker.sock.fileno()
        if number >= 0:
            self._poller.forget_pipe(number)
            del self._listening[number]
            worker.sock.close()

    # What is told

    def _take(self, token: int) -> None:
        found = self._listening.get(token)
        if isinstance(found, Forks):
            for message in found.messages():
                if message is None:
                    self._mourn(found)
                    return
                self._heed(found, message)
        elif found is not None:
            self._hear(found)

    def _heed(self, forks: Forks, message: tuple[Any, ...]) -> None:
        """A zygote has told something."""
        if message[0] == "ready":
            forks.ready = True
            self._preloads.judge(message[2])
            return
        worker = self._workers.get(message[1])
        if worker is None:
            return
        running = worker.running
        if message[0] == "forked":
            self._born(worker, message[2])
            return
        forks.workers -= 1
        del self._workers[worker.number]
        if message[0] == "unforked":
            self._dismiss(worker)
            if running is not None:
                self._lose(running, f"cannot start a worker: {message[2]}")
            return
        self._hear(worker)  # what it told as its last may still lie in its socket
        self._dismiss(worker)
        if worker.running is not None:
            running, worker.running = worker.running, None
            self._has_ended(running, message[2], (message[3], message[4]))

    def _born(self, worker: _Worker, pid: int) -> None:
        """A worker's process is known, and can be signalled."""
        running = worker.running
        if worker.pid:
            return
        worker.pid = pid
        if running is not None:
            running.pid = pid
            self._peaks.watch(pid)
            if running.why:
                self._tick(running, monotonic())

    def _hear(self, worker: _Worker) -> None:
        """What a worker has told: which process it is, how its task has ended, or nothing any more."""
        while worker.sock.fileno() >= 0:
            try:
                got = wire.receive(worker.sock)
            except BlockingIOError:
                return
            except (ValueError, EOFError, TypeError):
                got = None
            if got is not None and got[0][0] == "born":
                self._born(worker, got[0][1])
            elif got is not None and got[0][0] == "done" and worker.running is not None:
                self._done(worker, worker.running, got[0])
            else:
                self._dismiss(worker)  # its end is told by who has forked it

    def _done(self, worker: _Worker, running: _Function, message: tuple[Any, ...]) -> None:
        _, error, exit_status, names, stays, cpu, peak, surveyed = message
        running.result = Verdict("failed" if error else "ok", error, exit_status, 0, tuple(names))
        if surveyed is not None and running.task.function is not None:
            self._preloads.learn(running.task.function.call.module, surveyed)
        if not stays:
            return
        if worker.outdated or running.why:
            self._dismiss(worker)
        if running.why:
            return  # it has ended when its process has
        worker.running = None
        if not worker.outdated:
            self._idle[worker] = None
        self._has_ended(running, 0, (cpu, peak))

    def _verdict(self, running: _Function) -> Verdict:
        if running.lost:
            return running.result or Verdict("lost", running.lost)
        found = by_status(running.status)
        if found.outcome != "ok":
            return found
        return running.result or Verdict("failed", "ended without returning", 0)

    def _peak(self, running: _Function) -> int:
        return running.usage[1] * 1024

    def _give_up(self, running: _Function) -> None:
        running.worker.running = None
        self._dismiss(running.worker)

    def _finish(self, running: _Function) -> None:
        super()._finish(running)
        remove_temporary_folder(running.temporary)

    # A zygote that is gone

    def _mourn(self, forks: Forks) -> None:
        """A zygote has ended without having been asked to: its workers go with it, since nobody would hear of their ends."""
        self._zygotes = {start: each for start, each in self._zygotes.items() if each is not forks}
        del self._listening[forks.fileno()]
        self._poller.forget_pipe(forks.fileno())
        if forks.preloads and not forks.ready:
            self._broken = True
        text = forks.gone()
        for worker in [worker for worker in self._workers.values() if worker.forks is forks]:
            if worker.sock.fileno() >= 0:  # one that has not said yet that it is there cannot do so any more, and ends
                worker.sock.shutdown(SHUT_RD)
            self._hear(worker)
            del self._workers[worker.number]
            self._dismiss(worker)
            running, worker.running = worker.running, None
            if running is not None:
                self._lose(running, text)
            elif worker.pid:
                signal_group(worker.pid, signal.SIGKILL)

    def _lose(self, running: _Function, text: str) -> None:
        running.lost = show(text)
        running.status = UNKNOWN
        if running.pid and running.why:
            self._tick(running, monotonic())
        elif running.pid:
            self._end(running, "lost", AT_ONCE, monotonic())
            running.next_signal = monotonic() + STUCK
        else:
            self._finish(running)


def _may_share(task: Task) -> bool:
    """Whether it takes a worker that has run others, and leaves it to others."""
    return not _is_exact(task) and (bool(task.shared) or (task.function is not None and task.function.setup is not None))


def _is_exact(task: Task) -> bool:
    """Whether its worker must be new, and is not kept: what earlier tasks have read there, it would not read again."""
    return task.audited is not None and task.audited.exact
