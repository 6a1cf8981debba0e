"""The process that workers are forked from: one thread, which has imported what workers need and does nothing but fork and wait.

It runs until its socket to the builder says so or is closed; with the builder gone, its workers are gone at once. It leads a process group of its
own, so that a Ctrl-C is the builder's to hear.
"""

from __future__ import annotations

import codecs
import gc
import os
import select
import signal
import sys
from time import monotonic
from typing import NoReturn

from pipefile.execute import wire
from pipefile.execute.environ import set_environ
from pipefile.execute.preload import preload, single
from pipefile.execute.worker import serve

_LEAVE = 2.0  # seconds for workers to end by themselves when the build has come to its end

_FORKS_ONLY = "main({}, True)"


def program(sock: int, path: list[str]) -> str:
    """What `python -c` has to be given."""
    return f"import sys; sys.path[:] = {path!r}; from pipefile.execute.zygote import main; main({sock})"


def main(number: int, bare: bool = False) -> NoReturn:
    """Serve the builder at the other end of a socket.

    Args:
        number: The descriptor.
        bare: This is the second start: what was imported in the first one left a thread behind.
    """
    os.set_inheritable(number, False)
    sock = wire.Socket(fileno=number)
    codecs.register_error("pipefile", _as_bytes)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="pipefile", line_buffering=True)  # type: ignore[union-attr]
    always = frozenset(sys.modules)
    modules: list[str] = []
    if bare:
        wire.send(sock, ("ready", [], {}))
    else:
        got = wire.receive(sock)
        if got is None:
            os._exit(0)
        _, env, names, judged = got[0]
        set_environ(env)  # Python may have set a variable of the locale at its start
        modules, verdicts = preload(names, judged) if names else ([], {})
        if modules and not single():
            os.set_inheritable(number, True)
            os.execv(sys.executable, [*sys.orig_argv[:-1], sys.orig_argv[-1].replace(f"main({number})", _FORKS_ONLY.format(number))])
        wire.send(sock, ("ready", modules, {top: tuple(found) for top, found in verdicts.items()}))
    gc.collect()
    gc.freeze()  # what is here stays: a collection in a worker must not copy its pages
    _Zygote(sock, modules, always).run()
    os._exit(0)


def _as_bytes(error: UnicodeError) -> tuple[str | bytes, int]:
    """Bytes of file names as they are; what else UTF-8 cannot hold is escaped."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.backslashreplace_errors(error)


class _Zygote:
    def __init__(self, sock: wire.Socket, modules: list[str], always: frozenset[str]) -> None:
        self._sock = sock
        self._modules = modules
        self._always = always
        self._workers: dict[int, int] = {}  # pid -> worker
        self._until: float | None = None
        self._wake, self._woken = os.pipe()
        for fd in (self._wake, self._woken):
            os.set_blocking(fd, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)

    def run(self) -> None:
        watch = select.poll()
        watch.register(self._wake, select.POLLIN)
        watch.register(self._sock.fileno(), select.POLLIN)
        while self._until is None or self._workers:
            left = None if self._until is None else max(0.0, self._until - monotonic()) * 1000
            ready = [fd for fd, _ in watch.poll(left)]
            if self._wake in ready:
                self._reap()
            if self._sock.fileno() in ready:
                got = wire.receive(self._sock)
                if got is None:
                    self._end_workers()
                    return
                self._obey(*got)
            if self._until is not None and monotonic() >= self._until:
                self._end_workers()
                return

    def _obey(self, message: tuple[object, ...], fds: list[int]) -> None:
        if message[0] == "fork":
            self._fork(message[1], fds[0])
        elif message[0] == "close":
            self._until = monotonic() + _LEAVE

    def _fork(self, worker: object, sock: int) -> None:
        try:
            pid = os.fork()
        except OSError as fault:
            os.close(sock)
            wire.send(self._sock, ("unforked", worker, os.strerror(fault.errno or 0)))
            return
        if pid == 0:
            self._become_worker(sock)
        try:
            os.setpgid(pid, pid)  # here too: whoever comes first, the builder may signal the group once it knows of it
        except OSError:
            pass
        os.close(sock)
        assert isinstance(worker, int)
        self._workers[pid] = worker
        wire.send(self._sock, ("forked", worker, pid))

    def _become_worker(self, sock: int) -> NoReturn:
        try:
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for fd in (self._sock.fileno(), self._wake, self._woken):
                os.close(fd)
            serve(wire.Socket(fileno=sock), self._modules, self._always)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(70)

    def _reap(self) -> None:
        try:
            while os.read(self._wake, 4096):
                pass
        except BlockingIOError:
            pass
        while self._workers:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            worker = self._workers.pop(pid, None)
            if worker is not None:
                wire.send(self._sock, ("ended", worker, status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss))

    def _end_workers(self) -> None:
        for pid in self._workers:
            try:
                os.killpg(pid, signal.SIGKILL)
            except OSError:
                pass
