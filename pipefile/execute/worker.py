"""A worker: a process that runs functions of stages, forked for one of them, or kept for more of the same kind.

Its standard output and error lead to a pipe of each task's own. It tells how a task has ended as the last thing that it does with it: a worker that
ends without having told has not returned. One that is kept has to be as it was before the task: its folder, environment, threads and children;
and where it has no `setup`, which stays for all, in what the project's modules hold as well (execute/kept.py).
"""

from __future__ import annotations

import _thread
import ast  # noqa: F401
import atexit
import os
import resource
import signal
import sys
import traceback  # noqa: F401  # as `ast` and plan.imports: needed when a stage's code has run, which may have left no path to find it on
from collections.abc import Collection, Sequence
from typing import Any, NoReturn

from pipefile.execute import kept, wire
from pipefile.execute.audit import Inheritance, watch_of, watcher
from pipefile.execute.call import call_function
from pipefile.execute.context import Context, remove_temporary_folder
from pipefile.execute.environ import set_environ, snapshot
from pipefile.execute.modules import CallError, ProjectModules
from pipefile.execute.preload import drop_shadowed, survey
from pipefile.execute.raised import Raised
from pipefile.model.ports import Audited, FunctionCall
from pipefile.plan import imports  # noqa: F401


def serve(sock: wire.Socket, preloaded: Sequence[str], always: Collection[str]) -> NoReturn:
    """Run tasks until there is none left.

    Args:
        sock: To the builder.
        preloaded: Modules that were imported before the fork because earlier workers wanted them.
        always: Names of all that is there without them.
    """
    import faulthandler

    try:
        wire.send(sock, ("born", os.getpid()))  # before all else: a worker that the builder does not know of must not begin
    except OSError:
        os._exit(0)
    faulthandler.enable()  # where a crash happened, in the stage's log
    numbers = sys.modules.get("numpy.random")
    if numbers is not None:  # its state was made before the fork: workers would all draw the same
        numbers.seed()
    worker = _Worker(sock, preloaded, always)
    while True:
        got = wire.receive(sock)
        if got is None:
            worker.leave()
        (_, stays, wanted, *task), (pipe,) = got
        worker.run(pipe, stays, wanted, task)


class _Worker:
    def __init__(self, sock: wire.Socket, preloaded: Sequence[str], always: Collection[str]) -> None:
        self._sock = sock
        self._preloaded = preloaded
        self._always = always
        self._null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        self._modules: ProjectModules | None = None
        self._setup: list[object] = []
        self._inherited = Inheritance()
        self._watched = False
        self._before: tuple[object, ...] = ()
        self._held: kept.Look | None = None
        self._memory = 0
        self._streams = (sys.stdout, sys.stderr, sys.stdin)

    def run(self, pipe: int, stays: bool, wanted: bool, task: list[Any]) -> None:
        """Run one task, and tell how it has ended."""
        name, environ, folder, temporary, audited, packed = task
        began = os.times()
        os.dup2(pipe, 1)
        os.dup2(pipe, 2)
        os.close(pipe)
        raised = Raised()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with raised:
                call = wire.unpack(packed)
                modules = self._project(folder, environ)
                self._audit(audited)
                function = modules.function(call.call)
                if stays and call.setup is None and not self._before:
                    self._before, self._held, self._memory = self._state(), kept.look(modules.owns), kept.memory()
                call_function(function, call, lambda: Context(call.context, name, temporary), lambda: self._set_up(modules, call))
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        found = survey(self._modules, self._always) if wanted and self._modules is not None and not raised.error else None
        self._flush()
        if raised.trace:
            own = self._modules.owns_file if self._modules is not None else lambda _: False
            _write(2, raised.text(own).encode("utf-8", "backslashreplace"))
        remove_temporary_folder(temporary)
        stays = stays and _can_go_on(raised) and self._state() == self._before and (bool(self._setup) or self._left_nothing(raised))
        if stays:
            sys.stdout, sys.stderr, sys.stdin = self._streams
            os.dup2(self._null, 1)
            os.dup2(self._null, 2)
        else:
            self._finish()
        ended = os.times()
        cpu = sum(ended[:4]) - sum(began[:4])
        peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) if stays else 0
        try:
            wire.send(self._sock, ("done", raised.error, raised.exit_status, raised.names, stays, cpu, peak, found))
        except OSError:  # nobody wants to know any more
            os._exit(1)
        if not stays:
            os._exit(0)

    def leave(self) -> NoReturn:
        """End: there is nothing left to do."""
        self._finish()
        os._exit(0)

    def _project(self, folder: str, environ: dict[str, str] | None) -> ProjectModules:
        if self._modules is None:
            try:
                os.chdir(folder)
            except OSError as fault:
                raise CallError(f"cannot go to the folder `{folder}`: {os.strerror(fault.errno or 0)}") from None
            if environ is not None:
                set_environ(environ)
            drop_shadowed(folder, self._preloaded)
            self._modules = ProjectModules(folder)
            self._modules.install()
        return self._modules

    def _audit(self, audited: tuple[str, str, bool] | None) -> None:
        """Watch what this process does to files from now on, and the Python programs that it starts."""
        self._inherited.take_back(os.environ)
        if audited is not None:
            watcher().everything = watch_of(Audited(*audited))
            self._inherited.give(Audited(*audited), os.environ)
        elif self._watched:
            watcher().everything = None
        self._watched = audited is not None

    def _set_up(self, modules: ProjectModules, call: FunctionCall) -> object:
        if not self._setup:
            assert call.setup is not None
            function: Any = modules.function(call.setup)
            self._setup = [function()]
            self._before = self._state()
        return self._setup[0]

    def _state(self) -> tuple[object, ...]:
        """What a task has to leave as it was."""
        try:
            folder = os.getcwd()
        except OSError:
            folder = ""
        closed = [stream is None or stream.closed for stream in self._streams]
        return folder, snapshot(), _thread._count(), _children(), closed

    def _left_nothing(self, raised: Raised) -> bool:
        """Whether another task would find what the first one has found."""
        if raised.error or self._held is None or self._modules is None or kept.memory() - self._memory > kept.GROWTH:
            return False
        return kept.look(self._modules.owns) == self._held

    def _flush(self) -> None:
        for stream in (sys.stdout, sys.stderr, *self._streams[:2]):
            try:
                stream.flush()
            except (OSError, ValueError, AttributeError):  # closed, or something of the function's own
                pass

    def _finish(self) -> None:
        """What Python does at its end, but for waiting for threads: they end with the worker."""
        pools = sys.modules.get("multiprocessing.process")
        if pools is not None:
            for child in pools.active_children():
                child.terminate()
        atexit._run_exitfuncs()
        self._flush()


def _can_go_on(raised: Raised) -> bool:
    """Whether a worker is fit for another task: what it raised, if anything, was an ordinary exception."""
    return not raised.error or ("builtins.Exception" in raised.names and "builtins.MemoryError" not in raised.names)


def _children() -> bytes:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return b""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
            return file.read()
    except OSError:
        return b"some"


def _write(fd: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(fd, data) :]
    except OSError:
        pass
