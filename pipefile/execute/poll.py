"""Waiting for processes and pipes behind one descriptor.

Both pollers speak in tokens: a pipe's token is its descriptor, a process's is what `watch_process` returned. Where the kernel has epoll and pidfds
one system call tells of everything; elsewhere (macOS) a thread waits for each process and for each pipe, and writes to a pipe of its own.
"""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from threading import Event, Thread

Usage = tuple[float, int]
"""CPU seconds and the peak of resident memory in the system's unit."""


UNKNOWN = -1
"""In place of a wait status."""


class Poller(Protocol):
    def fileno(self) -> int: ...

    def watch_pipe(self, fd: int) -> None:
        """Tell when *fd* can be read."""

    def ready_again(self, fd: int) -> None:
        """Tell of *fd* once more; it has been read since it was told of."""

    def forget_pipe(self, fd: int) -> None:
        """Tell of *fd* no more. To be called before it is closed."""

    def watch_process(self, pid: int) -> int:
        """Tell when a child has ended. Gives its token; raises OSError where that is not possible."""

    def reap(self, token: int, pid: int) -> tuple[int, Usage]:
        """Take the wait status of a child that has ended, and forget it. UNKNOWN where somebody else's wait has taken it."""

    def forget_process(self, token: int) -> None:
        """Tell of a child no more, without reaping it."""

    def poll(self, timeout: float | None) -> list[int]:
        """Tokens of what is ready, after at most *timeout* seconds; None waits for ever."""

    def wake(self) -> None:
        """Make the descriptor readable until the next `poll`."""

    def close(self) -> None: ...


class EpollPoller:
    """Linux: one epoll descriptor for pidfds and pipes."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        try:
            self._wake = os.eventfd(0)  # made now: what it is for is to tell of a task that found no free descriptor
            self._epoll.register(self._wake, select.EPOLLIN)
        except OSError:
            self._epoll.close()
            raise
        self._awake = False

    def fileno(self) -> int:
        return self._epoll.fileno()

    def watch_pipe(self, fd: int) -> None:
        self._epoll.register(fd, select.EPOLLIN)

    def ready_again(self, fd: int) -> None:
        """Level-triggered: nothing to do."""

    def forget_pipe(self, fd: int) -> None:
        # Said aloud, since closing is not enough: a process forked meanwhile may hold the same open file, and epoll would tell of it for ever.
        self._epoll.unregister(fd)

    def watch_process(self, pid: int) -> int:
        token = os.pidfd_open(pid)
        try:
            self._epoll.register(token, select.EPOLLIN)
        except OSError:
            os.close(token)
            raise
        return token

    def reap(self, token: int, pid: int) -> tuple[int, Usage]:
        self.forget_process(token)
        try:
            _, status, usage = os.wait4(pid, 0)
        except ChildProcessError:
            return UNKNOWN, (0.0, 0)
        return status, (usage.ru_utime + usage.ru_stime, usage.ru_maxrss)

    def forget_process(self, token: int) -> None:
        self._epoll.unregister(token)
        os.close(token)

    def poll(self, timeout: float | None) -> list[int]:
        ready = [fd for fd, _ in self._epoll.poll(timeout)]
        if self._awake and self._wake in ready:
            os.eventfd_read(self._wake)
            self._awake = False
            ready.remove(self._wake)
        return ready

    def wake(self) -> None:
        if not self._awake:
            self._awake = True
            os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        os.close(self._wake)
        self._epoll.close()


class ThreadPoller:
    """Where there is no pidfd: a waiting thread for each process and each pipe."""

    def __init__(self) -> None:
        import threading

        self._lock = threading.Lock()
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        self._ready: list[int] = []
        self._awake = False
        self._ended: dict[int, tuple[int, Usage]] = {}
        self._again: dict[int, tuple[Event, int, Thread]] = {}

    def fileno(self) -> int:
        return self._read

    def watch_pipe(self, fd: int) -> None:
        import threading

        again = threading.Event()
        stop, held = os.pipe()
        thread = threading.Thread(target=self._wait_for_pipe, args=(fd, again, stop), daemon=True)
        self._again[fd] = (again, held, thread)
        thread.start()

    def _wait_for_pipe(self, fd: int, again: Event, stop: int) -> None:
        watch = select.poll()
        watch.register(fd, select.POLLIN)
        watch.register(stop, select.POLLIN)
        while stop not in (ready := [found for found, _ in watch.poll()]):
            self._tell(ready[0])
            again.wait()
            again.clear()
        os.close(stop)

    def ready_again(self, fd: int) -> None:
        self._again[fd][0].set()

    def forget_pipe(self, fd: int) -> None:
        again, held, thread = self._again.pop(fd)
        os.write(held, b".")  # ends the thread; closing alone would not, while a process that is just being started has the descriptor too
        os.close(held)
        again.set()
        thread.join()
        with self._lock:  # what it told of last may not have been taken yet, and the number may be that of another pipe soon
            self._ready = [token for token in self._ready if token != fd]
            if not self._ready and not self._awake:
                self._drain()

    def watch_process(self, pid: int) -> int:
        import threading

        threading.Thread(target=self._wait_for_process, args=(pid,), daemon=True).start()
        return -pid

    def _wait_for_process(self, pid: int) -> None:
        try:
            _, status, usage = os.wait4(pid, 0)
            self._ended[pid] = (status, (usage.ru_utime + usage.ru_stime, usage.ru_maxrss))
        except ChildProcessError:
            self._ended[pid] = (UNKNOWN, (0.0, 0))
        self._tell(-pid)

    def _tell(self, token: int) -> None:
        with self._lock:
            self._ready.append(token)
            self._write_byte()

    def reap(self, token: int, pid: int) -> tuple[int, Usage]:  # noqa: ARG002  # the port's; here one of the two is enough
        return self._ended.pop(pid)

    def forget_process(self, token: int) -> None:
        """Its thread goes on waiting, so that no zombie is left."""

    def poll(self, timeout: float | None) -> list[int]:
        if not self._ready:
            watch = select.poll()
            watch.register(self._read, select.POLLIN)
            watch.poll(None if timeout is None else max(0, round(timeout * 1000 + 0.5)))
        with self._lock:
            self._drain()
            self._awake = False
            ready, self._ready = self._ready, []
        return ready

    def wake(self) -> None:
        with self._lock:
            self._awake = True
            self._write_byte()

    def _drain(self) -> None:
        try:
            os.read(self._read, 65536)
        except BlockingIOError:
            pass

    def _write_byte(self) -> None:
        if self._write >= 0:
            os.write(self._write, b".")

    def close(self) -> None:
        for fd in list(self._again):
            self.forget_pipe(fd)
        with self._lock:  # a thread that still waits for a process may write later, when the number is another file's
            os.close(self._write)
            self._write = -1
        os.close(self._read)


def new_poller(threads: bool) -> Poller:
    """The best poller of this machine; *threads* asks for the one that works everywhere."""
    if threads or not hasattr(select, "epoll") or not hasattr(os, "pidfd_open"):
        return ThreadPoller()
    return EpollPoller()
