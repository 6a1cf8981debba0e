"""Modules that processes have imported before workers are forked from them, so that no worker imports them again.

They are the modules that the project's own modules imported in the last builds, apart from the project's: those are imported in each worker, from the
code on disk. A module that, once imported, leaves more behind than itself is not among them: a thread that a fork would lose, an open file (a
device), a changed environment, a line in the log. That is tried out once in a process of its own, and remembered.

`STORE/preload` keeps it, in two lines: a digest of the second one, and JSON:

    blake3:6f7a...
    {"format": 1, "judged": {"pandas": [["pandas"], "/usr/lib/python3/site-packages/pandas/__init__.py", 1700000000000000000, 8658, true]},
     "modules": {"steps.clean": ["pandas"]}, "python": "3.11.7 /usr"}

`modules`: by the module of a stage's function, what was imported for it; the last ones used come last. `judged`: by the outermost package, the
modules that were tried, its file with mtime and size, and whether it is fit
(true or false). A file of another format, of another Python, or damaged, counts as absent.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from pipefile.base.digest import of_text
from pipefile.execute.modules import ProjectModules

NAME = "preload"
LIMIT = 1 << 20  # bytes of the file that are read
_FORMAT = 1
_FUNCTIONS = 50  # modules of functions that are remembered
_MODULES = 300  # modules that are imported for all of them
_ROUNDS = 4  # trials: one more for each unfit module that is found
_PATIENCE = 60_000  # milliseconds for one module


class Judged(NamedTuple):
    """What a trial of an outermost package has shown."""

    names: tuple[str, ...]
    path: str
    mtime_ns: int
    size: int
    fit: bool


class Preloads:
    """What one store remembers of modules.

    Attributes:
        modules: Module of a function -> modules imported for it.
        judged: Outermost package -> what its trial has shown.
        changed: Something is not yet as it is in the store.
    """

    def __init__(self, modules: Mapping[str, Sequence[str]] | None = None, judged: Mapping[str, Judged] | None = None) -> None:
        self.modules: dict[str, tuple[str, ...]] = {name: tuple(found) for name, found in (modules or {}).items()}
        self.judged: dict[str, Judged] = dict(judged or {})
        self.changed = False
        self._asked: set[str] = set()

    @classmethod
    def parse(cls, data: bytes) -> Preloads:
        """What a file of the store says; nothing, where it cannot be believed."""
        import json

        try:
            check, _, text = data.decode().partition("\n")
            if check != of_text(text):
                return cls()
            raw = json.loads(text)
            if raw["format"] != _FORMAT or raw["python"] != _python():
                return cls()
            judged = {name: Judged(tuple(found[0]), *found[1:]) for name, found in raw["judged"].items()}
            return cls(raw["modules"], judged)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return cls()

    def dump(self) -> bytes:
        """The file."""
        import json

        kept = dict(list(self.modules.items())[-_FUNCTIONS:])
        used = {name.partition(".")[0] for names in kept.values() for name in names}
        judged = {name: found for name, found in self.judged.items() if name in used}
        raw = {"format": _FORMAT, "judged": judged, "modules": kept, "python": _python()}
        text = json.dumps({key: raw[key] for key in sorted(raw)}) + "\n"
        return f"{of_text(text)}\n{text}".encode()

    def names(self) -> list[str]:
        """All modules to import, in an order in which they have been imported."""
        return list(dict.fromkeys(name for names in reversed(self.modules.values()) for name in names))[:_MODULES]

    def ask(self, module: str) -> bool:
        """Whether a worker shall tell what it has imported for a module's functions: the first one in a build does."""
        if module in self._asked:
            return False
        self._asked.add(module)
        return True

    def learn(self, module: str, names: Sequence[str]) -> None:
        """A worker has told."""
        if self.modules.get(module) != tuple(names):
            self.changed = True
            self.modules.pop(module, None)
            self.modules[module] = tuple(names)

    def judge(self, verdicts: Mapping[str, Sequence[Any]]) -> None:
        """Trials have shown something."""
        for name, found in verdicts.items():
            self.judged[name] = Judged(tuple(found[0]), *found[1:])
            self.changed = True


def _python() -> str:
    return f"{'.'.join(map(str, sys.version_info[:3]))} {sys.prefix}"


# --- in a worker

_DECORATORS = "pipefile.api"
"""The one module of pipefile's own that the project's modules bring in, by the names that it has in `pipefile`."""


def survey(modules: ProjectModules, always: Collection[str]) -> list[str]:
    """What the project's modules, as far as they are imported, have imported themselves, apart from each other and from what is there *always*."""
    from pipefile.plan.imports import static_imports

    own: dict[str, bytes] = {}
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and path.endswith(".py") and modules.owns(module):
            try:
                with open(path, "rb") as file:
                    own[name] = file.read()
            except OSError:
                continue
    found: set[str] = set()
    for name, source in own.items():
        found |= static_imports(source, name, hasattr(sys.modules.get(name), "__path__"))
    there = sys.modules
    names = {name for name in found if name in there and name not in own and name not in always and name.partition(".")[0] != "pipefile"}
    if _DECORATORS in there and _DECORATORS not in always:
        names.add(_DECORATORS)
    return sorted(names)


def drop_shadowed(folder: str, names: Sequence[str]) -> None:
    """Forget preloaded modules that the project has got one of the same name of: its own come first."""
    for top in {name.partition(".")[0] for name in names} - {"pipefile"}:
        place = f"{folder}/{top}"
        if os.path.isfile(f"{place}.py") or os.path.isdir(place):
            for name in [name for name in sys.modules if name == top or name.startswith(f"{top}.")]:
                del sys.modules[name]


# --- in the process that workers are forked from


def preload(names: Sequence[str], judged: Mapping[str, Sequence[Any]]) -> tuple[list[str], dict[str, Judged]]:
    """Import modules that are fit for it; those that nobody has judged yet are tried before.

    Returns:
        What was imported, and new judgements.
    """
    import importlib

    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.partition(".")[0], []).append(name)
    fit: dict[str, list[str]] = {}
    tried: dict[str, tuple[str, int, int]] = {}
    for top, members in groups.items():
        at = _stamp(top)
        if at is None:
            continue
        known = judged.get(top)
        if known is None or (tuple(known[0]), *known[1:4]) != (tuple(members), *at):
            tried[top] = at
        elif not known[4]:
            continue
        fit[top] = members
    verdicts: dict[str, Judged] = {}
    for _ in range(_ROUNDS):
        unfit = _try(fit) if tried else ""
        if not unfit:
            break
        members = fit.pop(unfit)
        if at := tried.pop(unfit, None) or _stamp(unfit):
            verdicts[unfit] = Judged(tuple(members), *at, False)
    else:
        fit = {top: members for top, members in fit.items() if top not in tried}
        tried.clear()
    verdicts.update({top: Judged(tuple(fit[top]), *at, True) for top, at in tried.items()})
    done: list[str] = []
    for members in fit.values():
        for name in members:
            try:
                importlib.import_module(name)
            except Exception:
                continue
            done.append(name)
    return done, verdicts


def single() -> bool:
    """Whether this process has one thread once it has forked: some libraries end their threads before a fork, and begin them anew when needed."""
    return _threads() == 1


def _stamp(top: str) -> tuple[str, int, int] | None:
    """The file of an outermost package, with mtime and size; None where there is none."""
    from importlib.machinery import PathFinder

    try:
        spec = PathFinder.find_spec(top)
        if spec is None or spec.origin is None or not os.path.isabs(spec.origin):
            return None
        seen = os.stat(spec.origin)
    except (OSError, ImportError, ValueError):
        return None
    return spec.origin, seen.st_mtime_ns, seen.st_size


def _try(groups: Mapping[str, Sequence[str]]) -> str:
    """Import everything in a process of its own.

    Returns:
        The first package after which something was left behind, that could not be imported, or that ended the process; "" if there is none.
    """
    import select
    import signal

    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        _import_and_look(groups, write)
        os.write(write, b"!")  # said, since a process that an import has started may hold the pipe open
        os._exit(0)
    os.close(write)
    passed = 0
    watch = select.poll()
    watch.register(read, select.POLLIN)
    while watch.poll(_PATIENCE) and (data := os.read(read, 4096)):
        passed += data.count(b".")
        if b"!" in data:
            break
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(read)
    return "" if passed >= len(groups) else list(groups)[passed]


def _import_and_look(groups: Mapping[str, Sequence[str]], write: int) -> None:
    import importlib

    try:
        before = _traces()
        for members in groups.values():
            for name in members:
                importlib.import_module(name)
            if _traces() != before:
                return
            os.write(write, b".")
    except BaseException:
        return


def _traces() -> tuple[object, ...]:
    """What an import has no business to change."""
    import signal

    sys.stdout.flush()
    sys.stderr.flush()
    handlers = tuple([signal.getsignal(number) for number in signal.valid_signals()])
    printed = [os.fstat(fd).st_size for fd in (1, 2)]
    return _threads(), dict(os.environ), os.getcwd(), sorted(os.listdir("/proc/self/fd")), handlers, printed, _children()


def _threads() -> int:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return len(os.listdir("/proc/self/task"))


def _children() -> bytes:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
            return file.read()
    except OSError:
        return b""
