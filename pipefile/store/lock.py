"""The lock: one build at a time in a tree, and nobody writes who was started by a build that is gone.

Two files, neither of which is ever deleted:

- `.pipefile.lock` at the project root is flock-ed by the builder alone, so the lock dies with it, however it dies. Its text is for messages only:
  the owner's pid in the first line, its command in the second; empty after a clean end.
- `STORE/lock` is flock-ed through a descriptor that every process of every stage inherits. A flock belongs to all copies of a descriptor, so while
  the first lock is free and this one is held, stages of a killed builder still run: they are ended before anything is built. At a clean end the
  builder unlocks it outright, so that a daemon that a stage left on purpose does not pass for an orphan.

Stages find the roots of the builds that they are part of in PIPEFILE_LOCK, joined by `:`, with `%` and `:` in them as `%25` and `%3A`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from pipefile.base.errors import LockedError, StoreError
from pipefile.base.paths import show
from pipefile.model.ports import Clock, Disk
from pipefile.store.folder import cannot_write, prepare_store
from pipefile.store.free import NAME, is_free, open_to_look
from pipefile.store.orphans import Holders, is_alive

VARIABLE = "PIPEFILE_LOCK"

_TEXT_LIMIT = 4096
_GRACE = 0.2  # seconds for an owner to write its name, and for a passer-by who tries the lock (`is_free`) to let go
_TERMINATE = 2.0  # seconds between SIGTERM and SIGKILL, as for a timeout
_LONGEST_NAP = 0.1


class Owner(NamedTuple):
    """Who has a lock: pid 0 and command "" where that is not known. The command is escaped for a terminal."""

    pid: int
    command: str

    def __str__(self) -> str:
        return f"pid {self.pid}: {self.command}" if self.pid else "a process that is not known"


class Lock:
    """The lock of one project, for one builder.

    Args:
        disk: The project's disk, whose root is locked.
        store: The store's folder, from the root; made when the lock is taken.
        clock: Used while waiting.
        command: Our command line, for the messages of those who wait.
        also: Folders that are locked as well, from the root.
    """

    def __init__(self, disk: Disk, store: str, clock: Clock, command: tuple[str, ...], also: Sequence[str] = ()) -> None:
        self._disk = disk
        self._store = store
        self._clock = clock
        self._command = command
        self._first = -1
        self._fd = -1
        self._also = tuple(sorted(also))
        self._others: list[int] = []
        self._ours = False
        self.taken_over = False
        """The last owner did not give it back: it was killed, perhaps just now."""
        # a fork without exec (multiprocessing in a function stage) must not keep the first lock alive; the second one it shall inherit
        os.register_at_fork(after_in_child=partial(_forget_first, weakref.ref(self)))

    @property
    def fd(self) -> int:
        """The inheritable descriptor that every stage process gets; -1 while the lock is not held."""
        return self._fd

    def acquire(
        self,
        wait: bool = True,
        on_wait: Callable[[int, str], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> bool:
        """Take the lock, and end what a killed build has left running.

        Args:
            wait: Wait for another build; False raises instead.
            on_wait: Told the owner's pid and command when waiting begins, and again when the owner is another one.
            should_stop: Asked ten times a second and more while waiting; True gives up.

        Returns:
            True when it is held; False if *should_stop* said so.

        Raises:
            LockedError: Another build has it, and *wait* is false or it would be waited for for ever.
            StoreError: The files cannot be made.
        """
        try:
            self._first = _open(self._disk.at(NAME), self._disk.root)
            if not self._take(self._first, wait, on_wait, should_stop):
                self.release()
                return False
            self._ours = True
            self.taken_over = os.fstat(self._first).st_size > 0
            text = f"{os.getpid()}\n{' '.join(self._command)}\n".encode("utf-8", "surrogateescape")
            self._say(text[:_TEXT_LIMIT])
            for folder in self._also:
                if not self._take_also(folder, text[:_TEXT_LIMIT], lambda fd: self._take(fd, wait, on_wait, should_stop)):
                    self.release()
                    return False
            prepare_store(self._disk, self._store)
            path = self._disk.at(f"{self._store}/lock")
            self._fd = _open(path, os.path.dirname(path))
            if not self._take(self._fd, wait, on_wait, should_stop):
                self.release()
                return False
            os.set_inheritable(self._fd, True)
        except BaseException:
            self.release()
            raise
        return True

    def _take_also(self, folder: str, text: bytes, take: Callable[[int], bool]) -> bool:
        """Take the lock of a folder whose Pipefile is included: somebody may build it by itself."""
        path = self._disk.at(f"{folder}/{NAME}")
        fd = _open(path, os.path.dirname(path))
        taken = False
        try:
            taken = take(fd)
        finally:
            if not taken:
                os.close(fd)
        if taken:
            self._others.append(fd)
            os.ftruncate(fd, 0)
            os.pwrite(fd, text, 0)
        return taken

    def release(self) -> None:
        """Give the lock back. Does nothing when it is not held."""
        if self._fd >= 0:
            fcntl.flock(self._fd, fcntl.LOCK_UN)  # closing alone would leave it to those who inherited the descriptor
            os.close(self._fd)
            self._fd = -1
        for other in self._others:
            try:
                os.ftruncate(other, 0)
            except OSError:
                pass  # as below
            os.close(other)
        self._others.clear()
        if self._first >= 0:
            first, self._first = self._first, -1
            try:
                if self._ours:
                    os.ftruncate(first, 0)
            except OSError:
                pass  # the text is for messages alone
            self._ours = False
            os.close(first)

    def _say(self, text: bytes) -> None:
        try:
            os.ftruncate(self._first, 0)
            os.pwrite(self._first, text, 0)
        except OSError as error:
            raise cannot_write(self._disk.at(NAME), error) from error

    def _take(self, fd: int, wait: bool, on_wait: Callable[[int, str], None] | None, should_stop: Callable[[], bool] | None) -> bool:
        """Lock a descriptor. Who holds the second lock is an orphan and is ended: SIGTERM at once, SIGKILL two seconds later and again."""
        if _try(fd):
            return True
        holders = Holders(fd)
        orphans = fd == self._fd
        if holders.ourselves() and not orphans:
            raise LockedError(f"`{show(self._disk.root)}` is being built by this very process")
        if holders.ourselves() or holders.above():
            raise _nested(self._disk.root)
        patience = _TERMINATE + _GRACE if orphans else 0.0
        start, nap, signals = self._clock.monotonic(), 0.002, 0
        told: Owner | None = None
        while not _try(fd):
            waited = self._clock.monotonic() - start
            if orphans and waited >= signals * _TERMINATE:
                holders.end(urgent=signals > 0)
                signals += 1
            if waited >= patience:
                owner = Owner(*holders.first()) if orphans else _owner(fd)
                known = waited >= patience + _GRACE or is_alive(owner.pid)
                if known and not wait:
                    raise LockedError(f"`{show(self._disk.root)}` is locked by {owner}", hint="without `--no-wait` it is waited for")
                if known and owner != told:
                    told = owner
                    if on_wait is not None:
                        on_wait(*owner)
            if should_stop is not None and should_stop():
                return False
            self._clock.sleep(nap)
            nap = min(nap * 1.5, _LONGEST_NAP)
        return True


def _forget_first(reference: weakref.ref[Lock]) -> None:
    lock = reference()
    if lock is not None and lock._first >= 0:
        for fd in (lock._first, *lock._others):
            os.close(fd)
        lock._first = -1
        lock._others.clear()


def _open(path: str, folder: str) -> int:
    """Open a lock file, made where it is missing; links, folders and FIFOs are refused."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise StoreError(f"`{show(path)}` is a link, not a lock file", hint="remove it") from error
        if error.errno in (errno.EISDIR, errno.ENXIO):
            raise StoreError(f"`{show(path)}` is no file", hint="remove it") from error
        raise cannot_write(path if os.path.lexists(path) else folder, error) from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise StoreError(f"`{show(path)}` is no file", hint="remove it")
    return fd


def _try(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise StoreError(f"this disk has no file locks: {error.strerror}") from error
    return True


def _owner(fd: int) -> Owner:
    """What a lock file says of its owner."""
    pid, _, command = os.pread(fd, _TEXT_LIMIT, 0).decode("utf-8", "surrogateescape").partition("\n")
    if not (pid.isascii() and pid.isdigit() and len(pid) < 12):
        return Owner(0, "")
    return Owner(int(pid), show(command.partition("\n")[0]))


def peek(root: str) -> Owner | None:
    """Who builds in the project at *root* right now; None if nobody does. Writes nothing and keeps nothing."""
    path = f"{root}/{NAME}"
    if is_free(path):
        return None
    try:
        fd = open_to_look(path)
        if fd is None:
            return None
        try:
            return _owner(fd)
        finally:
            os.close(fd)
    except OSError:
        return Owner(0, "")


def variable(environ: Mapping[str, str], root: str) -> str:
    """The value of PIPEFILE_LOCK for the stages of a build in *root* that itself was started with *environ*."""
    own = root.replace("%", "%25").replace(":", "%3A")
    outer = environ.get(VARIABLE, "")
    return f"{outer}:{own}" if outer else own


def check_not_nested(environ: Mapping[str, str], root: str) -> None:
    """Refuse a build that was started by a stage of a build in the same tree: it would wait for itself.

    Raises:
        LockedError: It was.
    """
    outer = environ.get(VARIABLE)
    if not outer:
        return
    here = os.path.realpath(root)
    for item in outer.split(":"):
        if os.path.realpath(item.replace("%3A", ":").replace("%25", "%")) == here:
            raise _nested(root)


def _nested(root: str) -> LockedError:
    return LockedError(f"a stage of the build in `{show(root)}` starts another build there, and each would wait for the other for ever")
