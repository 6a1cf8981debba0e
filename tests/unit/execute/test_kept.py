"""What a function leaves at the top level of its modules, seen by comparing two looks."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Iterator

import pytest

from pipefile.execute import kept

MODULE = """
import abc, collections, dataclasses, enum, functools, logging, os, pathlib, random, re, threading
from typing import Any, NamedTuple, Optional, Protocol, TypeVar

NUMBERS = [1, 2, {"deep": (1, [3])}]
NAMES = {"a", "b"}
DATA = bytearray(b"x")
PATTERN = re.compile("x")
HERE = pathlib.Path("/")
KIND = Optional[int]
T = TypeVar("T")
LOGGER = logging.getLogger("kept")
LOCK = threading.Lock()
RANDOM = random.Random(1)
COUNTS = collections.Counter("abc")
QUEUE = collections.deque([1])
EMPTY = collections.defaultdict(list)

class Point(NamedTuple):
    x: int = 1

class Shape(abc.ABC):
    @abc.abstractmethod
    def draw(self): ...

class Colour(enum.Enum):
    RED = 1

@dataclasses.dataclass
class Box:
    size: int = 1
    parts: list = dataclasses.field(default_factory=list)

class Slotted:
    __slots__ = ("value",)

class Model:
    calls = 0
    def run(self): return 1
    @property
    def name(self): return ""
    @staticmethod
    def make(): return Model()

POINT, RED, BOX, MODEL, SLOTTED = Point(), Colour.RED, Box(), Model(), Slotted()

def remember(x, seen=[]): seen.append(x)

def counter():
    count = [0]
    def step(): count[0] += 1
    return step

step = counter()
partial = functools.partial(remember, 1)
add = [].append
run = Model().run
loop = [1]
loop.append(loop)
"""


@pytest.fixture
def module() -> Iterator[types.ModuleType]:
    made = types.ModuleType("kept_module")
    made.__file__ = "/nowhere/kept_module.py"
    sys.modules[made.__name__] = made
    mask, folder = os.umask(0o22), list(sys.path)
    os.umask(mask)
    exec(MODULE, made.__dict__)
    yield made
    del sys.modules[made.__name__]
    os.umask(mask)
    sys.path[:] = folder


def look(module: types.ModuleType) -> kept.Look | None:
    return kept.look(lambda each: each is module)


def test_nothing_has_changed(module: types.ModuleType) -> None:
    """Two looks are equal where nothing has changed, whatever was called meanwhile that leaves nothing."""
    before = look(module)

    module.MODEL.run()
    module.Model.make()
    module.PATTERN.match("x")

    assert before is not None
    assert look(module) == before


@pytest.mark.parametrize(
    "change",
    [
        "NUMBERS.append(1)", "NUMBERS[2]['deep'][1][0] = 4", "NAMES.add('c')", "DATA.append(1)", "NEW = 1", "del KIND", "HERE = pathlib.Path('/x')",
        "LOGGER.setLevel(10)", "LOCK.acquire()", "RANDOM.random()", "COUNTS['a'] += 1", "QUEUE.append(2)", "EMPTY['new']", "BOX.size = 2",
        "BOX.parts.append(1)", "SLOTTED.value = 1", "Model.calls += 1", "MODEL.extra = 1", "remember(1)", "remember.note = 1", "step()", "partial()",
        "add(1)", "run.__self__.calls = 1",
        "random.random()", "os.umask(0o77)", "sys_path.append('/x')", "FILE = os.dup(1)",
    ],
)  # fmt: skip
def test_what_has_changed_is_seen(module: types.ModuleType, change: str) -> None:
    """Contents of containers however deep, attributes, defaults and variables of functions, random numbers, what the process has."""
    module.__dict__["sys_path"] = sys.path
    before = look(module)

    exec(change, module.__dict__)

    after = look(module)
    if "FILE" in module.__dict__:
        os.close(module.FILE)
    assert before is not None
    assert after != before


@pytest.mark.parametrize("unknown", ["functools.cache(remember)", "open(os.devnull)", "threading.local()", "{Point(): 1, Box: object()}.keys()"])
def test_what_nobody_can_tell(module: types.ModuleType, unknown: str) -> None:
    """Of caches, files and whatever else has a state of its own nothing is said."""
    exec(f"THING = {unknown}", module.__dict__)

    assert look(module) is None
    if hasattr(module.THING, "close"):
        module.THING.close()


def test_arrays_by_their_bytes(module: types.ModuleType) -> None:
    """A small array of numpy is compared by what it holds."""
    numpy = types.ModuleType("numpy")

    class Array:  # numpy is not installed for tests
        nbytes, shape = 8, (1,)
        dtype = types.SimpleNamespace(hasobject=False, str="<i8")
        data = b"12345678"

        def tobytes(self) -> bytes:
            return self.data

    Array.__module__, Array.__qualname__ = numpy.__name__, "ndarray"
    module.__dict__["ARRAY"] = array = Array()
    before = look(module)
    array.data = b"87654321"

    assert before is not None
    assert look(module) != before


def test_much_is_not_looked_at(module: types.ModuleType) -> None:
    """More objects than a look is worth are not compared."""
    module.__dict__["MANY"] = [[number] for number in range(kept.MOST)]

    assert look(module) is None


def test_memory() -> None:
    """What the process has, in bytes."""
    assert kept.memory() > 1_000_000
