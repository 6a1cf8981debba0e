"""Starting processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping

from pipefile.execute.program import Programs
from pipefile.model.ports import Task

# What the builder ignores or handles must not be ignored in a stage: `cmd | head` needs SIGPIPE, Ctrl-C needs SIGINT.
DEFAULT_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE, signal.SIGTERM, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGTSTP)


class Spawner:
    """Starts the commands of tasks, each in a process group of its own, with standard input empty."""

    def __init__(self) -> None:
        self._programs = Programs()
        self._null = above_standard(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        self._environments: dict[int, tuple[Mapping[str, str], dict[bytes, bytes]]] = {}

    def close(self) -> None:
        os.close(self._null)

    def start(self, task: Task, write: int) -> int:
        """Start a task's command.

        Args:
            task: Which.
            write: Where its standard output and standard error go; above 2.

        Returns:
            The process, which leads its group.

        Raises:
            OSError, ValueError: It cannot be started; `program.unstartable` has the text.
        """
        env = self._encoded(task.env)
        path = task.env.get("PATH")
        try:
            own = os.getcwd() == task.cwd
        except FileNotFoundError:
            own = False
        program = self._programs.find(task.argv[0], path, task.cwd)
        if not own and not _same_folder(task.cwd):
            return self._start_elsewhere(task, program, env, write)
        actions = ((os.POSIX_SPAWN_DUP2, self._null, 0), (os.POSIX_SPAWN_DUP2, write, 1), (os.POSIX_SPAWN_DUP2, write, 2))
        try:
            return os.posix_spawn(program, task.argv, env, file_actions=actions, setpgroup=0, setsigmask=(), setsigdef=DEFAULT_SIGNALS)
        except FileNotFoundError:
            if not self._programs.forget(task.argv[0], path, task.cwd):
                raise
            program = self._programs.find(task.argv[0], path, task.cwd)  # it stood there once: perhaps another does now
            return os.posix_spawn(program, task.argv, env, file_actions=actions, setpgroup=0, setsigmask=(), setsigdef=DEFAULT_SIGNALS)

    def _start_elsewhere(self, task: Task, program: str, env: Mapping[bytes, bytes], write: int) -> int:
        """As posix_spawn, which knows no folder."""
        import subprocess

        handlers = _handle_ignored()
        mask = signal.pthread_sigmask(signal.SIG_SETMASK, ())
        try:
            process = subprocess.Popen(
                task.argv,
                executable=program,
                cwd=task.cwd,
                env=env,
                stdin=self._null,
                stdout=write,
                stderr=write,
                process_group=0,
                close_fds=False,  # as with posix_spawn: what is inheritable is inherited
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            for number in handlers:
                signal.signal(number, signal.SIG_IGN)
        process.returncode = 0  # it is reaped here, not there
        return process.pid

    def _encoded(self, env: Mapping[str, str]) -> dict[bytes, bytes]:
        """*env* in bytes: made once for a mapping, since encoding costs as much as all else here, and most stages share theirs."""
        known = self._environments.get(id(env))
        if known is None or known[0] is not env:
            if len(self._environments) >= 64:
                self._environments.clear()
            known = (env, {os.fsencode(name): os.fsencode(value) for name, value in env.items()})
            self._environments[id(env)] = known
        return known[1]


def _same_folder(path: str) -> bool:
    """Whether *path* is the process's own folder by another name."""
    try:
        return os.path.samestat(os.stat(path), os.stat("."))
    except OSError:
        return False


def above_standard(fd: int) -> int:
    """*fd*, moved out of 0 to 2: those are free where the builder was started with `>&-`, and a child gets others in their place."""
    if fd > 2:
        return fd
    import fcntl

    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(fd)
    return moved


def _handle_ignored() -> list[int]:
    """Give the signals that are ignored a handler that does nothing, since exec resets handlers but keeps SIG_IGN.

    Returns:
        Those signals. None of them off the main thread, where handlers cannot be set.
    """
    changed: list[int] = []
    for number in DEFAULT_SIGNALS:
        if number not in (signal.SIGPIPE, signal.SIGXFSZ) and signal.getsignal(number) is signal.SIG_IGN:  # those two subprocess resets itself
            try:
                signal.signal(number, lambda *_: None)
            except ValueError:
                break
            changed.append(number)
    return changed
