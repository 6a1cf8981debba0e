"""Starts programs on a thread of its own, so that the builder goes on while the kernel loads them.

posix_spawn returns when the new process has become its program: a good part of what a short command takes, and os.posix_spawn lets no other thread
of Python run meanwhile. Called through ctypes it does.
"""

from __future__ import annotations

import ctypes
import os
from _thread import allocate_lock, start_new_thread
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

# Of <spawn.h>, alike in glibc and musl.
_SETPGROUP = 0x02
_SETSIGDEF = 0x04
_SETSIGMASK = 0x08

_ROOM = 1024  # bytes: more than the C library's opaque structures have anywhere
_SIGSET = 128  # bytes of a sigset_t
_ENVIRONMENTS = 64


class Start:
    """One program that is being started.

    Attributes:
        done: The start is over, if `pid` is 0 without success.
        fault: Then, the number of the error.
    """

    __slots__ = ("_pid", "actions", "argv", "done", "env", "fault", "program")

    def __init__(self, program: bytes, argv: object, env: object, actions: object) -> None:
        self.program = program
        self.argv = argv
        self.env = env
        self.actions = actions
        self.done = False
        self.fault = 0
        self._pid = ctypes.c_int(0)

    @property
    def pid(self) -> int:
        """The process; 0 as long as there is none. It runs the program already: the C library tells of it then."""
        return self._pid.value


class Starter:
    """
    Args:
        ignored: Signals that are back to their defaults in every program.
        tell: Called, on the thread, when a start is over.

    Raises:
        OSError, RuntimeError, AttributeError: There can be no thread, or the C library is an odd one.
    """

    def __init__(self, ignored: Iterable[int], tell: Callable[[], None]) -> None:
        libc = ctypes.CDLL(None)
        self._spawn, self._init = libc.posix_spawn, libc.posix_spawn_file_actions_init
        self._dup2, self._destroy = libc.posix_spawn_file_actions_adddup2, libc.posix_spawn_file_actions_destroy
        self._attributes = _attributes(libc, ignored)
        self._tell = tell
        self._environments: dict[int, tuple[Mapping[bytes, bytes], object]] = {}
        self._waiting: deque[Start | None] = deque()
        self._some, self._over = allocate_lock(), allocate_lock()
        self._some.acquire()
        self._over.acquire()
        start_new_thread(self._run, ())

    def start(self, program: str, argv: Sequence[str], env: Mapping[bytes, bytes], standard: tuple[int, int, int]) -> Start | None:
        """Start a program soon.

        Args:
            program: Its path.
            argv: Its words.
            env: Its environment.
            standard: What becomes its standard input, output and error; above 2, and open until it has started.

        Returns:
            None where something cannot be handed to the C library: os.posix_spawn says what.
        """
        words = [os.fsencode(program), *map(os.fsencode, argv)]
        block = self._environment(env)
        if block is None or any(b"\0" in word for word in words):
            return None
        actions = ctypes.create_string_buffer(_ROOM)
        self._init(actions)
        for target, fd in enumerate(standard):
            self._dup2(actions, fd, target)
        start = Start(words[0], (ctypes.c_char_p * len(words))(*words[1:], None), block, actions)
        self._put(start)
        return start

    def close(self) -> None:
        """End the thread, when it has started what waits, and wait for that: it tells of nothing afterwards."""
        self._put(None)
        self._over.acquire()

    def _put(self, start: Start | None) -> None:
        self._waiting.append(start)
        try:
            self._some.release()
        except RuntimeError:  # it is awake already
            pass

    def _environment(self, env: Mapping[bytes, bytes]) -> object:
        """*env* as the C library takes it: made once for a mapping, since most programs share theirs."""
        known = self._environments.get(id(env))
        if known is None or known[0] is not env:
            if any(b"\0" in name or b"\0" in value or b"=" in name for name, value in env.items()):
                return None
            if len(self._environments) >= _ENVIRONMENTS:
                self._environments.clear()
            known = (env, (ctypes.c_char_p * (len(env) + 1))(*[name + b"=" + value for name, value in env.items()], None))
            self._environments[id(env)] = known
        return known[1]

    def _run(self) -> None:
        spawn, destroy, attributes, waiting, byref = self._spawn, self._destroy, self._attributes, self._waiting, ctypes.byref
        while True:
            self._some.acquire()
            while waiting:
                start = waiting.popleft()
                if start is None:
                    self._over.release()
                    return
                start.fault = spawn(byref(start._pid), start.program, start.actions, attributes, start.argv, start.env)
                destroy(start.actions)
                start.done = True
                self._tell()


def _attributes(libc: ctypes.CDLL, ignored: Iterable[int]) -> object:
    """A process group of its own, no signal blocked, *ignored* ones at their defaults."""
    found = ctypes.create_string_buffer(_ROOM)
    signals = ctypes.create_string_buffer(_SIGSET)
    libc.posix_spawnattr_init(found)
    libc.posix_spawnattr_setflags(found, ctypes.c_short(_SETPGROUP | _SETSIGDEF | _SETSIGMASK))
    libc.posix_spawnattr_setpgroup(found, 0)
    libc.sigemptyset(signals)
    libc.posix_spawnattr_setsigmask(found, signals)
    for number in ignored:
        libc.sigaddset(signals, int(number))
    libc.posix_spawnattr_setsigdefault(found, signals)
    return found
