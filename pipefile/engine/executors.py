"""The executors of one build, each made when the first task for it comes."""

from __future__ import annotations

import os
import select
from math import inf
from typing import TYPE_CHECKING

from pipefile.base.clock import SystemClock
from pipefile.engine.session import Session
from pipefile.execute.peaks import Peaks
from pipefile.execute.shell import ShellExecutor
from pipefile.model.ports import Completion, Executor, Task

if TYPE_CHECKING:
    from pipefile.execute.debug import DebugExecutor
    from pipefile.execute.function import FunctionExecutor
    from pipefile.execute.preload import Preloads
    from pipefile.execute.process import ProcessExecutor

class Executors:
    """Runs tasks of all kinds.

    Args:
        session: The project, whose store remembers what workers import.
        inherit: A descriptor for every process, the lock's; -1 for none.
        jobs: Most tasks at once.
        poll: Told of each executor's descriptor.
        debug: Name of the edge that runs in the debugger; "" for none.
    """

    def __init__(self, session: Session, inherit: int, jobs: int, poll: select.poll, debug: str = "") -> None:
        self._session = session
        self._inherit = (inherit,) if inherit >= 0 else ()
        self._jobs = jobs
        self._poll = poll
        self._debug = debug
        real = isinstance(session.project.clock, SystemClock)  # processes live by no other
        self._peaks = Peaks() if real else Peaks(first=inf)
        self._all: list[Executor] = []
        self._shell: ShellExecutor | None = None
        self._function: FunctionExecutor | None = None
        self._process: ProcessExecutor | None = None
        self._debugger: DebugExecutor | None = None

    @property
    def abandoned(self) -> bool:
        """A thread of a function stage still runs: the process has to end by os._exit."""
        return self._function is not None and self._function.abandoned

    def submit(self, task: Task) -> None:
        """Start a task with the executor of its kind."""
        if self._debug and task.name == self._debug:
            self._debug_executor().submit(task)
        elif task.function is None:
            self._shell_executor().submit(task)
        elif task.process:
            self._process_executor().submit(task)
        else:
            self._function_executor().submit(task)

    def ended(self) -> list[Completion]:
        """Tasks that have ended."""
        return [completion for executor in self._all for completion in executor.wait(0)]

    def latest(self, task: int) -> bytes:
        """The last bytes that a running task has printed."""
        for executor in self._all:
            if found := executor.latest(task):
                return found
        return b""

    def next_deadline(self) -> float | None:
        return min([due for executor in self._all if (due := executor.next_deadline()) is not None], default=None)

    def cancel(self, urgent: bool) -> None:
        for executor in self._all:
            executor.cancel(urgent)

    def renew(self) -> None:
        """Code has changed: functions that start from now on are imported anew."""
        if self._function is not None:
            self._function.renew()
        if self._process is not None:
            self._process.renew()

    def close(self) -> None:
        """End what still runs, at once."""
        for executor in self._all:
            executor.close()
        if self._process is not None and self._process.preloads.changed:
            self._remember(self._process.preloads)

    def _add(self, executor: Executor) -> None:
        self._all.append(executor)
        self._poll.register(executor.fileno(), select.POLLIN)

    def _shell_executor(self) -> ShellExecutor:
        if self._shell is None:
            self._shell = ShellExecutor(self._inherit, peaks=self._peaks)
            self._add(self._shell)
        return self._shell

    def _function_executor(self) -> FunctionExecutor:
        if self._function is None:
            from pipefile.execute.function import FunctionExecutor

            self._function = FunctionExecutor()
            self._add(self._function)
        return self._function

    def _process_executor(self) -> ProcessExecutor:
        if self._process is None:
            from pipefile.execute.preload import LIMIT, NAME, Preloads
            from pipefile.execute.process import ProcessExecutor

            try:
                preloads = Preloads.parse(self._session.disk.read(f"{self._session.store}/{NAME}", LIMIT, follow=False))
            except OSError:
                preloads = Preloads()
            self._process = ProcessExecutor(self._inherit, preloads, self._jobs, self._peaks)
            self._add(self._process)
        return self._process

    def _debug_executor(self) -> DebugExecutor:
        if self._debugger is None:
            from pipefile.execute.debug import DebugExecutor

            self._debugger = DebugExecutor()
            self._add(self._debugger)
        return self._debugger

    def _remember(self, preloads: Preloads) -> None:
        from pipefile.execute.preload import NAME

        try:
            self._session.disk.write(f"{self._session.store}/{NAME}", preloads.dump())
        except OSError as error:
            self._session.warn(f"`{self._session.store}/{NAME}` cannot be written: {os.strerror(error.errno or 0)}; workers start more slowly")
