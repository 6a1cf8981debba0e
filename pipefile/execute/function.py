"""Python functions, each in a thread of this process.

Threads share a working folder and an environment, so tasks that want others than those that run wait for these to end. A function that leaves
either changed fails, and so do those that ran beside it. A thread cannot be killed: an interrupt or the end of its time raises KeyboardInterrupt
in it; if that does not end it, it is left alone and `abandoned` says so.
"""

from __future__ import annotations

import os
import resource
import select
import sys
import threading
from collections import deque
from collections.abc import Mapping
from math import inf
from time import monotonic, thread_time
from typing import Any

from pipefile.base.dataclass import replace
from pipefile.execute.audit import Inheritance, label, watcher
from pipefile.execute.audited.sitecustomize import Watch
from pipefile.execute.batch import forget_report
from pipefile.execute.call import call_function
from pipefile.execute.context import Context, remove_temporary_folder, temporary_folder
from pipefile.execute.environ import encoded, is_now, set_environ
from pipefile.execute.modules import ProjectModules
from pipefile.execute.output import Capture, duration_text
from pipefile.execute.peaks import OwnMemory
from pipefile.execute.raised import Raised
from pipefile.execute.routing import Printer, Routing, belong
from pipefile.model.ports import Completion, FunctionCall, Outcome, Task
from pipefile.model.stage import Call

AGAIN = 0.02  # seconds until an interrupt is tried again that could do harm now
GRACE = 1.5  # seconds that an interrupted function has to end, as long as a command has until SIGKILL
_SHARED = 'functions share it, but for those with `mode = "process"`'


class _Running:
    __slots__ = (
        "calling", "cancelled", "cpu", "due", "failure", "interrupting", "last", "over", "peak", "printer", "started", "task", "temporary",
        "thread", "watch",
    )  # fmt: skip

    def __init__(self, task: Task, printer: Printer, started: float) -> None:
        self.task = task
        self.printer = printer
        self.started = started
        self.due = inf if task.timeout is None else started + task.timeout
        self.last = self.due  # when it is given up; `due` may be earlier
        self.calling = False  # its thread is in the function itself
        self.interrupting = False  # KeyboardInterrupt is still to be raised in it
        self.cancelled = False
        self.over = False  # its Completion has been made
        self.cpu = 0.0
        self.peak = 0
        self.failure = ""  # what was done to the process while it ran
        self.temporary = ""  # what `ctx.tmpdir` would be; "" until there is a `ctx`
        self.thread: threading.Thread
        self.watch: Watch | None = None  # what sees what it reads and writes


class FunctionExecutor:
    """Runs the functions of tasks in threads."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._lock = threading.Lock()  # for what the tasks' threads touch: `_over`, and the pipe
        self._over: deque[tuple[_Running, Raised]] = deque()
        self._waiting: deque[Task] = deque()
        self._running: dict[_Running, None] = {}
        self._ended: list[Completion] = []
        self._left: list[threading.Thread] = []
        self._routing = Routing()
        self._memory = OwnMemory()
        self._modules: dict[str, ProjectModules] = {}
        self._outdated = False  # what is imported is no longer what the files say
        self._folder = ""  # of the tasks that run
        self._env: Mapping[str, str] = {}
        self._environ: dict[str, str] = {}  # what os.environ has to be: theirs, and what imported modules have set
        self._encoded: dict[bytes, bytes] = {}  # the same, as it is compared
        self._set_by_imports: dict[str, str] = {}
        self._setups: dict[tuple[str, Call], object] = {}  # what `setup` functions have given, in this environment and with this code
        self._setup_lock = threading.Lock()
        self._before: tuple[str, dict[str, str]] | None = None  # what the process had, while it is changed
        self._exact = False  # the task that runs, or ran last, has to be alone
        self._inherited = Inheritance()

    # Executor

    def submit(self, task: Task) -> None:
        """Start the task's function as soon as what runs allows it: at once, where folder and environment are the same."""
        self._waiting.append(task)
        self._start_waiting()

    def fileno(self) -> int:
        return self._read

    def wait(self, timeout: float | None = None) -> list[Completion]:
        until = inf if timeout is None else monotonic() + timeout
        watch = select.poll()
        watch.register(self._read, select.POLLIN)
        while True:
            self._collect()
            if self._ended:
                ended, self._ended = self._ended, []
                return ended
            now = monotonic()
            if now >= until or not self._running:
                return []
            limit = min(until, *(running.due for running in self._running)) - now
            watch.poll(None if limit == inf else max(0, int(limit * 1000) + 1))

    def next_deadline(self) -> float | None:
        due = min((running.due for running in self._running), default=inf)
        return None if due == inf else due

    def latest(self, task: int) -> bytes:
        for running in self._running:
            if running.task.id == task:
                return running.printer.latest
        return b""

    def cancel(self, urgent: bool = False) -> None:
        for task in self._waiting:
            self._ended.append(Completion(task.id, "cancelled"))
        self._waiting.clear()
        now = monotonic()
        due = now + (0.0 if urgent else GRACE)
        for running in self._running:
            if not running.cancelled:
                running.cancelled = running.interrupting = True
                running.last = due
            else:
                running.last = min(running.last, due)
            running.due = now
        self._wake()

    def close(self) -> None:
        if self._read < 0:
            return
        self._collect()
        self.cancel(urgent=True)
        self._collect()
        self._put_back()
        self._routing.remove()
        for modules in self._modules.values():
            modules.remove()
        with self._lock:  # an abandoned thread may end later, when the number is another file's
            os.close(self._write)
            self._write = -1
        os.close(self._read)
        self._memory.close()
        self._read = -1

    def renew(self) -> None:
        """Code has changed: what is submitted from now on imports it anew, when nothing runs that might be importing."""
        self._outdated = True

    @property
    def abandoned(self) -> bool:
        """Whether threads still run that nobody waits for. The interpreter might wait for them at its end: the program has to leave by os._exit."""
        self._left = [thread for thread in self._left if thread.is_alive()]
        return bool(self._left)

    # Starting

    def _start_waiting(self) -> None:
        while self._waiting:
            task = self._waiting[0]
            if self._running and (self._exact or _is_exact(task)):
                return
            if self._running and (self._outdated or not (task.cwd == self._folder and (task.env is self._env or task.env == self._env))):
                return
            self._waiting.popleft()
            self._start(task)

    def _start(self, task: Task) -> None:
        running = _Running(task, Printer(Capture(task.log, task.log_limit, task.mask)), monotonic())
        self._exact = _is_exact(task)
        self._outdated |= self._exact  # what it imports it has to read itself
        try:
            if not self._running:
                self._take_over(task.cwd, task.env)
            running.thread = threading.Thread(target=self._run, args=(running,), name=f"pipefile {task.name}", daemon=True)
            belong(running.thread, running.printer)
            if task.audited is not None:
                running.watch = watcher().watch(task.audited)
                label(running.thread, running.watch)
            with self._lock:
                self._running[running] = None
            self._pass_on()
            running.thread.start()
        except (OSError, RuntimeError, ValueError) as fault:  # the folder is gone; "can't start new thread"; a NUL in the environment
            with self._lock:
                self._running.pop(running, None)
            if not self._running:
                self._put_back()
            self._ended.append(Completion(task.id, "lost", error=f"cannot start `{task.name}`: {fault}"))
            self._wake()

    def _take_over(self, folder: str, env: Mapping[str, str]) -> None:
        """Give the process the folder and the environment of the tasks that come next, and our streams."""
        here = os.getcwd()
        if self._before is None:
            self._before = (here, dict(os.environ))
        if here != folder:
            os.chdir(folder)
        if self._outdated or self._env != env:
            self._setups.clear()
        self._folder = folder
        if self._env is not env:
            self._env = env
            self._environ = {**self._set_by_imports, **env}
            self._encoded = encoded(self._environ)
        set_environ(self._environ, self._encoded)
        self._routing.install()
        if folder not in self._modules:
            self._modules[folder] = ProjectModules(folder)
        self._modules[folder].install()
        if self._outdated:
            self._outdated = False
            for modules in self._modules.values():
                modules.renew()

    def _pass_on(self) -> None:
        """Programs that a function starts are watched while it runs alone: no other one can have started them."""
        alone = next(iter(self._running)).task.audited if len(self._running) == 1 else None
        if alone is not None:
            self._inherited.give(alone, self._env)
        else:
            self._inherited.take_back(self._env)

    def _put_back(self) -> None:
        self._inherited.take_back(self._env)
        if not self.abandoned:  # it may print still, and not on the terminal
            self._routing.remove()
        if self._before is not None:
            folder, environ = self._before
            self._before = None
            set_environ(environ)
            try:
                os.chdir(folder)
            except OSError:  # removed meanwhile; there is nothing to go back to
                pass

    # In the task's thread

    def _run(self, running: _Running) -> None:
        raised = Raised()
        before = _usage()
        try:
            call = running.task.function
            assert call is not None
            modules = self._modules[running.task.cwd]
            with raised:
                function = modules.function(call.call)
                self._accept_environ_of_imports()
                running.calling = not (running.cancelled or running.over)
                if running.calling:
                    call_function(function, call, lambda: _context(running, call), lambda: self._setup(modules, call))
            running.calling = False
            if raised.trace:
                running.printer.write(raised.text(modules.owns_file).encode("utf-8", "backslashreplace"))
        except BaseException as fault:  # an interrupt that comes after the function's end
            raised.error = raised.error or type(fault).__name__
        running.calling = False
        running.cpu, running.peak = self._used(before)
        if running.temporary:
            remove_temporary_folder(running.temporary)
        with self._lock:
            if running in self._running:
                self._look_at_process()
            self._over.append((running, raised))
        self._wake()

    def _used(self, before: tuple[float, int]) -> tuple[float, int]:
        """CPU seconds and peak, in bytes, since then. Where the process's peak is an older one, what it has now."""
        cpu, peak = _usage()
        return cpu - before[0], peak * (1 if sys.platform == "darwin" else 1024) if peak > before[1] else self._memory.now()

    def _setup(self, modules: ProjectModules, call: FunctionCall) -> object:
        """What the stage's `setup` gives: it is run once for all stages that have the same, whichever comes first."""
        assert call.setup is not None
        at = (modules.folder, call.setup)
        with self._setup_lock:
            if at not in self._setups:
                function: Any = modules.function(call.setup)
                self._setups[at] = function()
                self._accept_environ_of_imports()
            return self._setups[at]

    def _accept_environ_of_imports(self) -> None:
        """What modules set while they are imported (numerical libraries do) is theirs to set: it holds until the end of the build."""
        if is_now(self._encoded):
            return
        new = {name: value for name, value in os.environ.items() if name not in self._environ}
        self._set_by_imports.update(new)
        self._environ.update(new)
        self._encoded = encoded(self._environ)

    # Ending

    def _wake(self) -> None:
        with self._lock:
            if self._write >= 0:
                try:
                    os.write(self._write, b".")
                except BlockingIOError:  # so full that it is readable
                    pass

    def _collect(self) -> None:
        """Take what has ended, end what is due, start what waits for that."""
        try:
            os.read(self._read, 4096)
        except BlockingIOError:
            pass
        while self._over:
            running, raised = self._over.popleft()
            if running in self._running:
                with self._lock:
                    del self._running[running]
                self._finish(running, raised)
                self._pass_on()
        now = monotonic()
        for running in [running for running in self._running if running.due <= now]:
            if running.interrupting:
                running.interrupting = not _interrupt(running)
            if running.last <= now:
                self._give_up(running)
            else:
                running.due = min(running.last, now + AGAIN) if running.interrupting else running.last
        if not self._running and self._before is not None and self._before[0] != self._folder:  # else the next task finds all as it needs it
            self._put_back()
        self._start_waiting()

    def _finish(self, running: _Running, raised: Raised) -> None:
        self._left += [thread for thread in running.printer.threads if thread.is_alive()]
        error = raised.error or running.failure
        outcome: Outcome = "cancelled" if running.cancelled else "failed" if error else "ok"
        self._complete(running, Completion(running.task.id, outcome, raised.exit_status, error=error, raised=raised.names))

    def _give_up(self, running: _Running) -> None:
        with self._lock:
            self._look_at_process()
            del self._running[running]
        running.over = True
        if not running.cancelled:
            _interrupt(running)
        self._left += [running.thread, *(thread for thread in running.printer.threads if thread.is_alive())]
        if running.cancelled:
            self._complete(running, Completion(running.task.id, "cancelled", error="did not end when it was interrupted"))
        else:
            error = f"timed out after {duration_text(running.task.timeout or 0)}"
            self._complete(running, Completion(running.task.id, "failed", timed_out=True, error=error))

    def _complete(self, running: _Running, end: Completion) -> None:
        output, size, log_error = running.printer.close()
        if running.watch is not None:
            running.watch.close()
            end = replace(end, seen=b"".join(running.watch.seen or ()))
        if end.outcome == "ok" and log_error:
            end = replace(end, outcome="failed", error=log_error)
        elapsed = monotonic() - running.started
        self._ended.append(replace(end, elapsed=elapsed, output=output, log_size=size, cpu=running.cpu, peak_rss=running.peak))

    def _look_at_process(self) -> None:
        """Find what a function has changed for everybody, put it back, and fail all that ran meanwhile: their paths may have led elsewhere."""
        failure = ""
        try:
            folder = os.getcwd()
        except OSError:
            folder = "one that is gone"
        if folder != self._folder and not _same(self._folder):
            os.chdir(self._folder)
            failure = f"the working folder was changed to `{folder}` while it ran: {_SHARED}"
        if not is_now(self._encoded):
            now = dict(os.environ)
            names = sorted(name for name in now.keys() | self._environ.keys() if now.get(name) != self._environ.get(name))
            set_environ(self._environ, self._encoded)
            failure = f"os.environ was changed while it ran (`{'`, `'.join(names)}`): {_SHARED}"
        if failure:
            for running in self._running:
                running.failure = failure
                if running.task.function is not None:
                    forget_report(running.task.function)
        self._routing.hold()


def _usage() -> tuple[float, int]:
    """CPU seconds of this thread, and the peak of this process in the system's unit."""
    return thread_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _is_exact(task: Task) -> bool:
    return task.audited is not None and task.audited.exact


def _context(running: _Running, call: FunctionCall) -> Context:
    running.temporary = temporary_folder(running.task.env)
    return Context(call.context, running.task.name, running.temporary, running.printer.write)


def _same(folder: str) -> bool:
    try:
        return os.path.samefile(folder, ".")
    except OSError:
        return False


def _interrupt(running: _Running) -> bool:
    """Raise KeyboardInterrupt in a task's thread, at its next bytecode.

    Returns:
        False where that would do harm now: outside of the function, and inside of an import, whose lock would stay taken for ever.
    """
    import ctypes

    number = running.thread.ident
    if number is None or not running.calling:
        return False
    frame = sys._current_frames().get(number)
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return False
        frame = frame.f_back
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(number), ctypes.py_object(KeyboardInterrupt))
    return True
