"""A process executor with a project folder, and questions about processes."""

from __future__ import annotations

import os
import time
from pathlib import Path

from kit.fifo import PATIENCE
from pipefile.execute.process import ProcessExecutor
from pipefile.model.fileref import FileRef
from pipefile.model.ports import CallContext, Completion, FunctionCall, StoredValue, Task
from pipefile.model.stage import Call, Value


class Workers:
    """An executor, and a project folder with modules."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.executor = ProcessExecutor()
        self.env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        self.setup: Call | None = None
        self.resources: dict[str, int] = {}
        self.count = 0
        self.ended: list[Completion] = []

    def write(self, path: str, text: str) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def task(self, call: str, timeout: float | None = None, **arguments: FileRef | list[FileRef] | StoredValue | Value) -> Task:
        self.count += 1
        module, _, function = call.partition(":")
        log = os.fspath(self.folder / "logs" / f"{self.count}.txt")
        context = CallContext(2, os.fspath(self.folder / "artifacts"), {"p": [1]})
        found = FunctionCall(Call(module, function), arguments, context=context, setup=self.setup)
        where = os.fspath(self.folder)
        return Task(self.count, call, function=found, env=self.env, cwd=where, log=log, timeout=timeout, resources=self.resources, process=True)

    def submit(self, call: str, timeout: float | None = None, **arguments: FileRef | list[FileRef] | StoredValue | Value) -> Task:
        task = self.task(call, timeout, **arguments)
        self.executor.submit(task)
        return task

    def finish(self) -> Completion:
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            if self.ended:
                return self.ended.pop(0)
            self.ended += self.executor.wait(1)
        raise AssertionError("it does not end")

    def run(self, call: str, timeout: float | None = None, **arguments: FileRef | list[FileRef] | StoredValue | Value) -> Completion:
        self.submit(call, timeout, **arguments)
        return self.finish()

    def ends(self, name: str = "gate") -> dict[str, str]:
        return {end: os.fspath(self.folder / f"{name}.{end}") for end in ("here", "go")}

    def zygotes(self) -> list[int]:
        """The processes that workers are forked from."""
        return [pid for pid in children(os.getpid()) if "pipefile.execute.zygote" in command(pid)]


def children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]


def command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline") as file:
            return file.read()
    except OSError:
        return ""


def alive(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def until_gone(pid: int) -> None:
    give_up = time.monotonic() + PATIENCE
    while alive(pid):
        assert time.monotonic() < give_up
