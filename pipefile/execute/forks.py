"""The builder's side of a process that forks workers (execute/zygote.py): started once, asked for workers, listened to."""

from __future__ import annotations

import os
import signal
import sys
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from pipefile.execute import wire
from pipefile.execute.output import reason_text
from pipefile.execute.spawn import DEFAULT_SIGNALS, above_standard
from pipefile.execute.supervise import by_status
from pipefile.execute.zygote import program

_PATIENCE = 5_000  # milliseconds for its end at a close, then it is killed


class Forks:
    """One process that forks workers.

    Args:
        env: Its environment: that of the tasks whose workers it forks, unless they bring their own.
        modules: What it imports first.
        judged: What is known of those (execute/preload.py).
        leave_out: Folder that is no place for its imports: the project's, whose modules are imported in workers alone.

    Raises:
        OSError: It cannot be started.

    Attributes:
        ready: It has told what it has imported.
        workers: How many of its workers live, or are about to.
        forked: How many it has been asked for in all.
    """

    def __init__(self, env: Mapping[str, str], modules: list[str], judged: Mapping[str, tuple[Any, ...]], leave_out: str) -> None:
        self.env = env
        self.preloads = bool(modules)
        self.ready = False
        self.workers = self.forked = 0
        self._requests: deque[tuple[int, wire.Socket]] = deque()
        self._said = above_standard(os.memfd_create("pipefile zygote", os.MFD_CLOEXEC))
        null = above_standard(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        self._sock, theirs = wire.pair()
        try:
            path = [folder for folder in sys.path if folder and os.path.abspath(folder) != leave_out]
            argv = [sys.executable, *_flags(), "-c", program(theirs.fileno(), path)]
            actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, self._said, 1), (os.POSIX_SPAWN_DUP2, self._said, 2)]
            actions.append((os.POSIX_SPAWN_DUP2, theirs.fileno(), theirs.fileno()))  # which makes it inheritable there, and there alone
            self.pid = os.posix_spawn(sys.executable, argv, env, file_actions=actions, setpgroup=0, setsigmask=(), setsigdef=DEFAULT_SIGNALS)
        except BaseException:
            self._sock.close()
            os.close(self._said)
            raise
        finally:
            theirs.close()
            os.close(null)
        self._sock.setblocking(False)
        wire.send(self._sock, ("preload", dict(env), modules, {name: tuple(found) for name, found in judged.items()}))

    def fileno(self) -> int:
        return self._sock.fileno()

    def fork(self, worker: int, sock: wire.Socket) -> None:
        """Ask for a worker that serves a socket, which is closed here when it is on its way."""
        self.workers += 1
        self.forked += 1
        self._requests.append((worker, sock))
        self._send_requests()

    def _send_requests(self) -> None:
        while self._requests:
            worker, sock = self._requests[0]
            try:
                wire.send(self._sock, ("fork", worker), (sock.fileno(),))
            except BlockingIOError:  # each request is answered, and then there is room again
                return
            except OSError:  # it is gone: that is heard of in another way
                pass
            sock.close()
            self._requests.popleft()

    def messages(self) -> Iterator[tuple[Any, ...] | None]:
        """What it has told; None at last if it is gone."""
        while True:
            try:
                got = wire.receive(self._sock)
            except BlockingIOError:
                self._send_requests()
                return
            except (ValueError, EOFError, TypeError):
                got = None
            if got is None:
                yield None
                return
            yield got[0]

    def gone(self) -> str:
        """Take what is left of it when it has ended by itself.

        Returns:
            What was wrong, for people.
        """
        try:
            os.kill(self.pid, signal.SIGKILL)
            _, status = os.waitpid(self.pid, 0)
            how = by_status(status).error
        except (ChildProcessError, ProcessLookupError):
            how = ""
        size = os.fstat(self._said).st_size
        said = os.pread(self._said, 2000, max(0, size - 2000)).decode("utf-8", "replace").strip().rpartition("\n")[2]
        self._free()
        return f"the process that starts workers has ended{f' ({how})' if how else ''}{f': {said}' if said else ''}"

    def close(self) -> None:
        """End it, with what workers are left, and wait for that."""
        import select

        try:
            if not self.ready:  # an import may take long, and nobody wants what it gives any more
                os.kill(self.pid, signal.SIGKILL)
            wire.send(self._sock, ("close",))
            watch = select.poll()
            watch.register(self._sock.fileno(), 0)  # its end closes the other side
            while watch.poll(_PATIENCE):
                if wire.receive(self._sock) is None:
                    break
        except (OSError, ValueError, EOFError, TypeError):
            pass
        try:
            if os.waitpid(self.pid, os.WNOHANG)[0] == 0:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
        except ChildProcessError:
            pass
        self._free()

    def _free(self) -> None:
        for _, sock in self._requests:
            sock.close()
        self._requests.clear()
        self._sock.close()
        if self._said >= 0:
            os.close(self._said)
            self._said = -1


def _flags() -> list[str]:
    """Options of this interpreter, for another one that shall behave as it does."""
    flags = sys.flags
    found = ["-P"]  # the current folder is no place for modules
    for name, letter in (("isolated", "-I"), ("ignore_environment", "-E"), ("no_user_site", "-s"), ("no_site", "-S"), ("dont_write_bytecode", "-B")):
        if getattr(flags, name):
            found.append(letter)
    found += ["-O"] * flags.optimize
    for option in sys.warnoptions:
        found.append(f"-W{option}")
    for key, value in sys._xoptions.items():
        if key != "importtime":
            found += ["-X", key if value is True else f"{key}={value}"]
    return found


def start_failure(fault: OSError | ValueError) -> str:
    """The text for a process that could not be started."""
    return f"cannot start a worker: {reason_text(fault) if isinstance(fault, OSError) else fault}"
