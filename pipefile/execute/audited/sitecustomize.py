"""Imported by a Python program that a stage starts, before all of the program's own code: watches what the program does to the files of a project.

It makes itself invisible: the program finds the search path and the environment that it would have without it, and the `sitecustomize` that it has
of its own, if it has one. The variables stay in the environment that programs inherit which it starts itself.

What it sees is appended to a file, by several processes at once. There is an entry for each kind of access and path, in the order in which they come
first:

    r data/a.csv NUL        opened for reading
    w log.txt NUL           opened for writing, or made by a rename or a link
    d old.txt NUL           removed, or renamed away

without the blanks, paths from the project's root. Files of Python installations that lie in the project are left out; a compiled module counts as
its source.

This is code that runs in programs of the users, and each of them waits for it: it never raises, imports only what every Python has imported at its
start, and nothing of ours. Any version of Python can read it; those before 3.8 have no audit hooks and are not watched.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any  # noqa: F401  # in comments

_WRITES = os.O_WRONLY | os.O_RDWR
_NEW = os.O_TRUNC | os.O_EXCL
_LOW = 64  # descriptors below are the program's: it may count on their numbers
_NO_FILE = getattr(os, "O_PATH", 0) | getattr(os, "O_DIRECTORY", 0)


class Watch(object):  # noqa: UP004  # of Python 2 as well
    """Watches one process, or what one task does in it.

    Args:
        root: Absolute path of the project's root.
        file: Absolute path of the file that is appended to.
        keep: It is kept open, to the end of the process.
        seen: What this process sees is collected here instead: only processes that are forked from it write to the file. None for nowhere.
        like: One of the same process and root, from which is taken what they have in common.
    """

    events = frozenset(
        ["open", "os.rename", "os.link", "os.symlink", "os.remove", "os.truncate", "import", "sqlite3.connect", "ctypes.dlopen"]
    )
    """Those that it heeds."""

    def __init__(self, root, file, keep=False, seen=None, like=None):
        # type: (str, str, bool, list[bytes] | None, Watch | None) -> None
        self._keeps = keep
        self.seen = seen
        self._pid = os.getpid()
        self._file = file
        if like is not None:
            self._roots = like._roots  # type: tuple[str, ...]
            self._installations = like._installations  # type: tuple[str, ...]
        else:
            self._roots = tuple({place.rstrip("/") + "/" for place in (root, os.path.realpath(root))})
            prefixes = {prefix.rstrip("/") + "/" for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix)}
            self._installations = tuple([prefix for prefix in prefixes if prefix.startswith(self._roots) and prefix not in self._roots])
        self._told = set()  # type: set[tuple[str, str]]
        self._fd = -1
        self._number = None  # type: tuple[int, int] | None
        self._actions = {
            "open": self._open,
            "os.rename": self._rename,
            "os.link": self._link,
            "os.symlink": self._link,
            "os.remove": self._remove,
            "os.truncate": self._truncate,
            "import": self._import,
            "sqlite3.connect": self._read,
            "ctypes.dlopen": self._read,
        }

    def hook(self, event, args):
        # type: (str, tuple[Any, ...]) -> None
        action = self._actions.get(event)
        if action is not None:
            try:
                action(args)
            except Exception:  # whatever it is, it must not reach the program
                pass

    def close(self):
        # type: () -> None
        """Hear of nothing more: the task is over, though threads of it may go on."""
        self._actions = {}

    # -- events

    def _open(self, args):
        # type: (tuple[Any, ...]) -> None
        path, _, flags = args
        if type(path) is int or path == self._file or flags & _NO_FILE:
            return
        if not flags & _WRITES:
            self._tell("r", path)
        elif flags & os.O_RDWR and not flags & _NEW and os.path.lexists(path):
            self._tell("r", path)
            self._tell("w", path)
        else:
            self._tell("w", path)

    def _rename(self, args):
        # type: (tuple[Any, ...]) -> None
        self._tell("d", args[0], args[2])
        self._tell("w", args[1], args[3])

    def _link(self, args):
        # type: (tuple[Any, ...]) -> None
        self._tell("w", args[1], args[-1])

    def _remove(self, args):
        # type: (tuple[Any, ...]) -> None
        self._tell("d", args[0], args[1])

    def _truncate(self, args):
        # type: (tuple[Any, ...]) -> None
        if type(args[0]) is not int:
            self._tell("w", args[0])

    def _import(self, args):
        # type: (tuple[Any, ...]) -> None
        if args[1]:  # an extension module; sources are opened
            self._tell("r", args[1])

    def _read(self, args):
        # type: (tuple[Any, ...]) -> None
        self._tell("r", args[0])

    # -- telling

    def _tell(self, kind, path, folder=-1):
        # type: (str, Any, int | None) -> None
        path = os.fsdecode(path)
        if not path.startswith("/"):
            above = os.readlink("/proc/self/fd/" + str(folder)) if folder is not None and folder >= 0 else os.getcwd()
            path = above + "/" + path
        if "/." in path or "//" in path:
            path = os.path.normpath(path)
        if not path.startswith(self._roots) or path.startswith(self._installations) or "/site-packages/" in path or "/dist-packages/" in path:
            return
        if "/__pycache__/" in path:
            if kind != "r" or not path.endswith(".pyc"):
                return
            above, _, name = path.partition("/__pycache__/")
            path = above + "/" + name.partition(".")[0] + ".py"
        item = (kind, path)
        if item in self._told:
            return
        if kind == "d" and not os.path.lexists(path):
            return
        self._told.add(item)
        root = max([len(place) for place in self._roots if path.startswith(place)])
        self._write(os.fsencode(kind + path[root:]) + b"\0")

    def _write(self, data):
        # type: (bytes) -> None
        if self.seen is not None and os.getpid() == self._pid:
            self.seen.append(data)
            return
        if self._number is not None and _number_of(self._fd) == self._number:
            os.write(self._fd, data)
            return
        fd = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            os.write(fd, data)
            if self._keeps:
                self._keep(fd)
        finally:
            os.close(fd)

    def _keep(self, fd):
        # type: (int) -> None
        """Keep the file open, as a number that nobody else uses; that a program closes it all the same is seen in `_write`."""
        try:
            import fcntl
        except ImportError:
            return
        self._fd = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _LOW)
        self._number = _number_of(fd)


def _number_of(fd):
    # type: (int) -> tuple[int, int] | None
    """Which file a descriptor leads to; None if to none."""
    try:
        seen = os.fstat(fd)
    except OSError:
        return None
    return seen.st_dev, seen.st_ino


def _begin(here):
    # type: (str) -> None
    """Watch this program, if it was asked for, and leave no trace."""
    sys.path[:] = [place for place in sys.path if place != here]
    sys.path_importer_cache.pop(here, None)
    told = os.environ.get("PIPEFILE_AUDIT", "")
    data = getattr(os.environ, "_data", None)  # as os.environ keeps it: to change that alone leaves what is inherited as it is
    if not told or type(data) is not dict:
        return
    encode = os.environ.encodekey
    others = os.environ.get("PYTHONPATH", "").partition(os.pathsep)[2]
    del data[encode("PIPEFILE_AUDIT")]
    if told[0] == "u":  # it was unset before
        data.pop(encode("PYTHONPATH"), None)
    else:
        data[encode("PYTHONPATH")] = os.environ.encodevalue(others)
    if hasattr(sys, "addaudithook"):
        size, _, file = told[1:].partition(":")
        sys.addaudithook(Watch(file[: int(size)], file, True).hook)


if __name__ == "sitecustomize":
    _begin(os.path.dirname(__file__))
    del sys.modules["sitecustomize"]
    import sitecustomize  # type: ignore[import-not-found]  # noqa: F401  # the program's own; where it has none, Python passes over this error
