"""What a function may leave behind in a worker that another one would find: what the project's modules hold at their top level, and what the process
has that a fork begins with.

Two looks are compared. A look holds the objects that it has seen, so that no other can have the place of one that is gone, and what in them can
change: the contents of containers, the attributes of instances and classes of the project, the defaults and variables of its functions, the state
of random numbers. Whatever it knows nothing of (an array, a connection, a cache) may have changed, so nothing can be said then: who holds such
things gets no worker again that has run.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

MOST = 20_000
"""Objects that are looked at: what takes longer than a fork is not worth it."""

_ARRAY = 1_000_000  # bytes

GROWTH = 200_000_000
"""Bytes that a worker may grow by: one that does not give back what it took would grow with each task."""

_PLAIN = (type(None), bool, int, float, complex, str, bytes, range, slice, type(Ellipsis), type(NotImplemented))
_SEQUENCES = (list, tuple, set, frozenset, bytearray)
# Instances of these never change, or not in a way that a function would notice. Names, since most of them nobody has imported.
_FIXED = frozenset(
    [
        "builtins.method_descriptor", "builtins.wrapper_descriptor", "builtins.getset_descriptor",
        "builtins.member_descriptor", "builtins.classmethod_descriptor", "builtins.method-wrapper", "builtins.code", "builtins.object",
        "types.GenericAlias", "types.UnionType", "re.Pattern", "pathlib.PosixPath", "pathlib.PurePosixPath", "datetime.date",
        "datetime.datetime", "datetime.time", "datetime.timedelta", "datetime.timezone", "decimal.Decimal", "fractions.Fraction", "uuid.UUID",
        "operator.itemgetter", "operator.attrgetter", "operator.methodcaller", "_struct.Struct", "string.Template", "__future__._Feature",
        "functools.cached_property", "_abc._abc_data", "_thread.RLock", "_collections._tuplegetter", "numpy.dtype", "numpy.ufunc",
    ]
)  # fmt: skip
_IMPORTED = frozenset(
    ["__builtins__", "__loader__", "__spec__", "__cached__", "__file__", "__path__", "__package__", "__doc__", "__name__", "__warningregistry__"]
)
"""Names in a module that are no business of its code."""

Look = tuple[object, ...]


class _UnknownError(Exception):
    """An object of which nobody can say whether it has changed."""


def look(owns: Callable[[ModuleType], bool]) -> Look | None:
    """What is held now; None where that cannot be told.

    Args:
        owns: Whether a module is the project's.
    """
    own = {name: module for name, module in list(sys.modules.items()) if isinstance(module, ModuleType) and owns(module)}
    seen = _Seen({module.__name__ for module in own.values()})
    try:
        for name in sorted(own):
            seen.text(name)
            seen.table({key: value for key, value in own[name].__dict__.items() if key not in _IMPORTED})
    except (_UnknownError, RecursionError, RuntimeError):
        return None
    return (*seen.found, _process())


def memory() -> int:
    """Bytes of memory that this process has; 0 where that is not known."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


class _Seen:
    """Collects what can change. Comparing two collections compares plain values by value, all else by identity.

    Args:
        modules: Names of the project's modules.
    """

    def __init__(self, modules: set[str]) -> None:
        self.found: list[object] = []
        self._modules = modules
        self._met: set[int] = set()

    def text(self, text: str) -> None:
        self.found.append(text)

    def table(self, table: dict[Any, Any]) -> None:
        self.found.append(len(table))
        for key, value in table.items():
            self.object(key)
            self.object(value)

    def object(self, value: Any) -> None:
        kind = type(value)
        if kind in _PLAIN:
            self.found.append((kind, value))
            return
        self.found.append(_Same(value))
        if id(value) in self._met:
            return
        self._met.add(id(value))
        if len(self.found) > MOST:
            raise _UnknownError
        if kind in _SEQUENCES:
            self._items(value)
        elif kind is dict:
            self.table(value)
        elif kind is FunctionType:
            self._function(value)
        elif issubclass(kind, type):  # not isinstance, which asks objects that stand for others
            if value.__module__ in self._modules and not _is_enum(value):
                self.table(dict(vars(value)))
        elif not issubclass(kind, ModuleType):
            self._instance(value, kind)

    def _items(self, value: Any) -> None:
        self.found.append(len(value))
        kind = type(value)
        if kind is bytearray:
            self.found.append(bytes(value))
        elif kind in (set, frozenset):
            for each in value:
                if type(each) not in _PLAIN:
                    raise _UnknownError  # in an order of their own
            self.found.append(frozenset(value))
        else:
            for each in value:
                self.object(each)

    def _function(self, function: FunctionType) -> None:
        if function.__module__ not in self._modules and not function.__closure__:
            return
        self.object(function.__defaults__)
        self.object(function.__kwdefaults__)
        self.table(function.__dict__)
        for cell in function.__closure__ or ():
            try:
                self.object(cell.cell_contents)
            except ValueError:
                self.found.append("empty")

    def _instance(self, value: Any, kind: type) -> None:
        name = f"{kind.__module__}.{kind.__qualname__}"
        if name in _FIXED or kind.__module__ in ("typing", "dataclasses"):
            return
        if name == "builtins.mappingproxy":
            self.table(dict(value))
        elif name in ("builtins.staticmethod", "builtins.classmethod"):
            self.object(value.__func__)
        elif name == "builtins.method":
            self.object(value.__func__)
            self.object(value.__self__)
        elif name == "builtins.builtin_function_or_method":
            self.object(value.__self__)
        elif name == "builtins.property":
            for part in (value.fget, value.fset, value.fdel):
                self.object(part)
        elif name == "functools.partial":
            self.object(value.func)
            self.object(value.args)
            self.table(value.keywords)
        elif name == "random.Random":
            self.found.append(value.getstate())
        elif name == "_thread.lock":
            self.found.append(value.locked())
        elif name == "numpy.ndarray" and value.nbytes <= _ARRAY and not value.dtype.hasobject:
            self.found.append((value.shape, value.dtype.str, value.tobytes()))
        elif name in ("logging.Logger", "logging.RootLogger"):
            self.found += [value.level, value.disabled, value.propagate, *map(_Same, value.handlers), *map(_Same, value.filters)]
        elif name in ("collections.OrderedDict", "collections.defaultdict", "collections.Counter"):
            self.table(dict(value))
        elif name == "collections.deque":
            self._items(list(value))
        elif name in ("types.SimpleNamespace", "argparse.Namespace"):
            self.table(vars(value))
        elif name.startswith("pipefile.") and hasattr(value, "__wrapped__"):
            self.object(value.__wrapped__)  # a decorated stage, which its own code alone changes
        elif _is_enum(kind):
            return
        elif issubclass(kind, tuple):  # with names
            self._items(value)
            self.table(getattr(value, "__dict__", {}))
        elif kind.__module__ in self._modules:
            self._own_instance(value, kind)
        else:
            raise _UnknownError

    def _own_instance(self, value: Any, kind: type) -> None:
        """An instance of a class of the project: its attributes. What a base in C holds besides is not seen from here."""
        for base in kind.__mro__[:-1]:
            if base.__module__ not in self._modules and base.__module__ not in ("typing", "abc", "collections.abc"):
                raise _UnknownError
        if hasattr(value, "__dict__"):
            self.table(vars(value))
        for base in kind.__mro__[:-1]:
            slots = base.__dict__.get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                if name not in ("__dict__", "__weakref__"):
                    self.object(getattr(value, name, None))


class _Same:
    """An object that is equal to itself alone, and cannot go while somebody may compare it."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other._value is self._value

    def __hash__(self) -> int:
        return id(self._value)


def _is_enum(kind: type) -> bool:
    enums = sys.modules.get("enum")
    return enums is not None and issubclass(kind, enums.Enum)


def _process() -> Look:
    """What a fork begins with, besides folder, environment, threads and children."""
    umask = os.umask(0o22)
    os.umask(umask)
    handlers = tuple([signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM, signal.SIGCHLD, signal.SIGPIPE)])
    numbers = [_random(), _numpy_random()]
    streams = [_Same(stream) for stream in (sys.excepthook, sys.displayhook, sys.gettrace(), sys.getprofile())]
    return umask, handlers, tuple(sys.path), len(os.listdir("/proc/self/fd")), signal.getitimer(signal.ITIMER_REAL)[0] > 0, *numbers, *streams


def _random() -> object:
    random = sys.modules.get("random")
    return random.getstate() if random is not None else None


def _numpy_random() -> object:
    numbers = sys.modules.get("numpy.random")
    if numbers is None:
        return None
    name, keys, *rest = numbers.get_state()
    return name, keys.tobytes(), *rest
