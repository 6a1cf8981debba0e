"""A function in the debugger: in the builder's main thread, with the terminal, alone."""

from __future__ import annotations

import os
import signal
import sys
from time import monotonic
from types import TracebackType
from typing import Any

from pipefile.execute.audit import watch_of, watcher
from pipefile.execute.call import call_function
from pipefile.execute.context import Context, remove_temporary_folder, temporary_folder
from pipefile.execute.environ import set_environ
from pipefile.execute.modules import CallError, ProjectModules
from pipefile.execute.raised import Raised
from pipefile.model.ports import Completion, Outcome, Task


class DebugExecutor:
    """Runs functions of tasks one at a time, in `wait`: it returns when the function has, and the debugger was left.

    What the function prints goes to the terminal and into no log. A timeout does not count: a person takes all the time there is.
    """

    def __init__(self) -> None:
        self._waiting: list[Task] = []
        self._ended: list[Completion] = []
        self._read, self._write = os.pipe()

    def submit(self, task: Task) -> None:
        self._waiting.append(task)
        os.write(self._write, b".")

    def fileno(self) -> int:
        return self._read

    def wait(self, timeout: float | None = None) -> list[Completion]:  # noqa: ARG002  # nothing is ever waited for
        """Run what was submitted."""
        while self._waiting:
            os.read(self._read, 1)
            self._ended.append(_run(self._waiting.pop(0)))
        ended, self._ended = self._ended, []
        return ended

    def next_deadline(self) -> float | None:
        return None

    def latest(self, task: int) -> bytes:  # noqa: ARG002  # it prints to the terminal itself
        return b""

    def cancel(self, urgent: bool = False) -> None:  # noqa: ARG002  # nothing runs between two calls of `wait`
        for task in self._waiting:
            os.read(self._read, 1)
            self._ended.append(Completion(task.id, "cancelled"))
        if self._waiting:
            os.write(self._write, b".")
        self._waiting.clear()

    def close(self) -> None:
        if self._read >= 0:
            os.close(self._read)
            os.close(self._write)
            self._read = -1


def _run(task: Task) -> Completion:
    call = task.function
    assert call is not None
    started = monotonic()
    before = os.getcwd(), dict(os.environ), signal.getsignal(signal.SIGINT)
    modules = ProjectModules(task.cwd)
    temporary = temporary_folder(task.env)
    raised = Raised()
    try:
        os.chdir(task.cwd)
        set_environ(dict(task.env))
        if task.audited is not None:
            watcher().everything = watch_of(task.audited)
        signal.signal(signal.SIGINT, signal.default_int_handler)  # Ctrl-C is the debugger's
        modules.install()
        with raised, _PostMortem(modules) as seen:
            function = modules.function(call.call)
            setup: Any = None if call.setup is None else modules.function(call.setup)
            call_function(function, call, lambda: Context(call.context, task.name, temporary), setup)
        if raised.trace and not seen.shown:
            print(raised.text(modules.owns_file), end="", file=sys.stderr, flush=True)
    finally:
        if task.audited is not None:
            watcher().everything = None
        sys.stdout.flush()
        modules.remove()
        remove_temporary_folder(temporary)
        signal.signal(signal.SIGINT, before[2])
        set_environ(before[1])
        os.chdir(before[0])
    outcome: Outcome = "failed" if raised.error else "ok"
    elapsed = monotonic() - started
    return Completion(task.id, outcome, raised.exit_status, error=raised.error, elapsed=elapsed, raised=raised.names)


class _PostMortem:
    """Stops in the debugger at what is raised in its block, at the line that raised it; then that goes on."""

    def __init__(self, modules: ProjectModules) -> None:
        self._modules = modules
        self.shown = False

    def __enter__(self) -> _PostMortem:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None) -> None:
        if fault is None or isinstance(fault, SystemExit):
            return
        import bdb
        import pdb
        import traceback

        if isinstance(fault, bdb.BdbQuit):
            raise CallError("left by `quit` in the debugger") from None
        first = trace
        while first is not None and not self._modules.owns_file(first.tb_frame.f_code.co_filename):
            first = first.tb_next
        if first is None:  # none of the project's code has run: there is nothing to look at
            return
        self.shown = True
        traceback.print_exception(kind, fault, first)
        sys.stderr.flush()
        pdb.post_mortem(first)
