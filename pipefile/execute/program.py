"""Finding programs, and saying why one could not be started."""

from __future__ import annotations

import errno
import os
from typing import Literal

from pipefile.base.paths import show
from pipefile.execute.output import reason_text
from pipefile.model.ports import Task


class Programs:
    """Where programs stand. What was found once is looked for no more; what was not found may be there later, made by a stage."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str | None, str], str] = {}

    def find(self, name: str, path: str | None, cwd: str) -> str:
        """The file to execute for *name*, as execvp finds it.

        Args:
            name: A first word; with a slash it is a path already.
            path: The PATH of the task; None where it has none.
            cwd: Where relative folders of that PATH begin.

        Raises:
            FileNotFoundError: It is in no folder of the PATH.
            PermissionError: It is, but may not be executed.
        """
        if "/" in name:
            return name
        key = (name, path, cwd)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = _search(name, path, cwd)
        return found

    def forget(self, name: str, path: str | None, cwd: str) -> bool:
        """Look again next time; False if nothing was known."""
        return self._found.pop((name, path, cwd), None) is not None


def _search(name: str, path: str | None, cwd: str) -> str:
    fault = errno.ENOENT
    for folder in (os.defpath if path is None else path).split(":"):
        file = os.path.join(cwd, folder, name)
        if os.path.isfile(file):
            if os.access(file, os.X_OK):
                return file
            fault = errno.EACCES
    raise OSError(fault, os.strerror(fault), name)


def unstartable(task: Task, fault: OSError | ValueError) -> tuple[Literal["failed", "lost"], str]:
    """The outcome of a task whose program could not be started, and the text for it.

    "lost" where the machine lacked something that the next try may find; "failed" where the command is wrong.
    """
    name = task.argv[0]
    outcome: Literal["failed", "lost"] = "failed"
    if not isinstance(fault, OSError):
        reason = "a NUL character in its arguments or its environment" if "null byte" in str(fault) else str(fault)
    elif not os.path.isdir(task.cwd):
        reason = f"the folder `{show(task.cwd)}` does not exist"
    elif fault.errno == errno.ENOENT and "/" not in name and fault.filename == name:
        reason = "not found on PATH"
    elif fault.errno == errno.ENOENT:
        there = "/" not in name or os.path.exists(os.path.join(task.cwd, name))
        reason = "the interpreter of its first line does not exist" if there else "no such file"
    elif fault.errno == errno.E2BIG:
        reason = "argument list too long; `{inputs.file}` and `{outputs.file}` name files that list them"
    elif fault.errno == errno.ENOEXEC:
        reason = "not a program, and no script with a first line like `#!/bin/sh`"
    elif fault.errno == errno.EAGAIN:
        reason = "too many processes"
    else:
        if fault.errno in (errno.EMFILE, errno.ENFILE, errno.ENOMEM):
            outcome = "lost"
        reason = reason_text(fault)
    return outcome, f"cannot start `{show(name)}`: {reason}"
