"""Running a task under strace, which sees what every program does to files, whatever it is written in."""

from __future__ import annotations

import marshal
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from pipefile.base.dataclass import replace
from pipefile.execute import wire
from pipefile.execute.program import Programs
from pipefile.model.ports import Task
from pipefile.plan.strace import CALLS

_OPTIONS = ("-f", "-y", "-xx", "-qq", "-e", "signal=none", "-e", "trace=" + ",".join([f"?{name}" for name in CALLS]))
_FASTER = "--seccomp-bpf"  # only what is traced stops the program; from 5.3 on
_CALL = "import sys; sys.path[:] = {path!r}; from pipefile.execute.alone import main; main({file!r})"


class Strace:
    """How strace is called here.

    Args:
        environ: The environment, whose PATH it is looked for on.

    Raises:
        FileNotFoundError: It is not installed.
        OSError: It cannot trace; the text says what it said.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._program = Programs().find("strace", environ.get("PATH"), "/")
        self._options: tuple[str, ...] = _OPTIONS
        said = ""
        for options in ((_FASTER, *_OPTIONS), _OPTIONS):
            found = subprocess.run(
                [self._program, *options, "-o", os.devnull, sys.executable, "-I", "-S", "-c", ""],
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                check=False,
            )
            if found.returncode == 0:
                self._options = options
                return
            said = found.stderr.decode("utf-8", "replace").strip().partition("\n")[0]
        raise OSError(said or "it failed without a word")

    def traced(self, task: Task, file: str) -> Task:
        """A task that does the same, as a command under strace.

        Args:
            task: What is to be done.
            file: Absolute path of what strace writes; beside it a function's call is kept while it runs.
        """
        argv = task.argv
        if task.function is not None:
            with open(file + ".call", "wb") as kept:
                call: tuple[Any, ...] = (task.name, wire.pack(task.function))
                kept.write(marshal.dumps(call))
            path = [folder for folder in sys.path if folder and os.path.abspath(folder) != task.cwd]
            argv = (sys.executable, "-c", _CALL.format(path=path, file=file + ".call"))
        return replace(task, argv=(self._program, *self._options, "-o", file, "--", *argv), function=None)
