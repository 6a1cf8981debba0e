"""Time of one child process with all that it waited for, from posix_spawn to wait4."""

from __future__ import annotations

import compileall
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """Seconds: wall clock, and user plus system time of the process tree. `peak`: bytes of memory that its largest process had at a time."""

    wall: float
    cpu: float
    peak: int = 0


class RunError(Exception):
    """A measured command failed."""


def run(argv: Sequence[str], cwd: str, output: str, env: Mapping[str, str] | None = None) -> Sample:
    """Run *argv* in *cwd*, all that it prints going to the file *output*."""
    program = shutil.which(argv[0])
    if program is None:
        raise RunError(f"`{argv[0]}` is not installed")
    here = os.getcwd()
    os.chdir(cwd)  # posix_spawn has no working directory of its own
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), (os.POSIX_SPAWN_OPEN, 1, output, flags, 0o644), (os.POSIX_SPAWN_DUP2, 1, 2)]
        begun = time.perf_counter()
        pid = os.posix_spawn(program, list(argv), dict(os.environ if env is None else env), file_actions=actions, setsid=True)
        _, status, usage = os.wait4(pid, 0)
        wall = time.perf_counter() - begun
    finally:
        os.chdir(here)
    if status != 0:
        with open(output, encoding="utf-8", errors="replace") as file:
            raise RunError(f"`{' '.join(argv)}` ended with {os.waitstatus_to_exitcode(status)}\n{file.read()[-2000:]}")
    return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))


def compile_package() -> None:
    """Compile pipefile's modules, as installing it does: under PYTHONDONTWRITEBYTECODE each start would compile all that it imports."""
    package = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "pipefile")
    if not compileall.compile_dir(package, quiet=1):
        raise RunError(f"{package} cannot be compiled")


def stamps(root: str, paths: Sequence[str]) -> list[tuple[int, int]]:
    """(inode, mtime) of each, (0, 0) where nothing is: what a build has written moves."""
    found = []
    for path in paths:
        try:
            at = os.stat(os.path.join(root, path))
        except FileNotFoundError:
            found.append((0, 0))
        else:
            found.append((at.st_ino, at.st_mtime_ns))
    return found
