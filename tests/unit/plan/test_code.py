"""Which edits of a project's modules change the code that a function can reach, and which do not."""

from __future__ import annotations

import json

import pytest
from kit.sources import linked

from pipefile.plan.code import LARGEST, from_json, read_module, to_json
from pipefile.plan.link import MOST

BASE = {
    "steps.py": '''"""Stages."""
import json
import lib.util
from lib import text as words
from lib.numbers import half as halve, WIDTH

LIMIT = 10
OTHER = 20
unused = lambda: 0


class Shape:
    """A shape."""

    sides: int = 4

    def area(self, x: int) -> int:
        """Its area."""
        return x * LIMIT


class Lonely:
    pass


def go(raw, out):
    """Do it."""
    # a comment
    shape = Shape()
    return lib.util.helper(shape.area(2)) + halve(WIDTH) + words.upper("a")


def neighbour():
    return OTHER
''',
    "lib/__init__.py": "",
    "lib/util.py": '''from . import deep
from .deep import far as distant


def helper(x):
    """Help."""
    return distant(x)


def other(x):
    return deep.near(x)
''',
    "lib/deep.py": "SCALE = 3\nSPARE = 4\n\n\ndef far(x):\n    return x * SCALE\n\n\ndef near(x):\n    return x * SPARE\n",
    "lib/text.py": "def upper(text):\n    return text.upper()\n\n\ndef lower(text):\n    return text.lower()\n",
    "lib/numbers.py": "WIDTH = 6\nHEIGHT = 7\n\n\ndef half(x):\n    return x // 2\n\n\ndef third(x):\n    return x // 3\n",
}

NOTHING: dict[str, str] = {}


def changed(before: dict[str, str], path: str, old: str, new: str, start: str = "steps:go") -> bool:
    text = before.get(path, "")
    assert old in text
    return linked(before, start) != linked({**before, path: text.replace(old, new, 1)}, start)


@pytest.mark.parametrize(
    ("path", "old", "new", "matters"),
    [
        # comments, formatting, docstrings, annotations
        ("steps.py", "# a comment", "# another", False),
        ("steps.py", "    # a comment\n", "\n\n", False),
        ("steps.py", '"""Do it."""', '"""Do it well."""', False),
        ("steps.py", '    """Do it."""\n', "", False),
        ("steps.py", '"""Stages."""', '"""More stages."""', False),
        ("steps.py", '"""A shape."""', '"""No shape."""', False),
        ("steps.py", '"""Its area."""', '"""An area."""', False),
        ("steps.py", "shape.area(2)", "shape.area( 2 , )", False),
        ("steps.py", 'words.upper("a")', "words.upper('a')", False),
        ("steps.py", "shape.area(2)", "shape.area(0x2)", False),
        ("steps.py", "def go(raw, out):", "def go(raw: str, out: 'Path') -> int:", False),
        ("steps.py", "x: int) -> int", "x: float) -> float", False),
        ("steps.py", "LIMIT = 10", "LIMIT: int = 10", True),  # another statement, though it does the same
        ("lib/util.py", '"""Help."""', '"""Helps."""', False),
        ("lib/deep.py", "SCALE = 3\n", "SCALE = 3  # times\n", False),
        # itself, and what it reaches
        ("steps.py", "shape.area(2)", "shape.area(3)", True),
        ("steps.py", "shape.area(2)", "shape.area(2.0)", True),
        ("steps.py", "def go(raw, out)", "def go(raw, out=1)", True),
        ("steps.py", "def go(raw, out)", "def go(out, raw)", True),
        ("steps.py", "def go(raw, out)", "def go(raw, /, out)", True),
        ("steps.py", "LIMIT = 10", "LIMIT = 11", True),
        ("steps.py", "x * LIMIT", "x + LIMIT", True),
        ("steps.py", "sides: int = 4", "sides: int = 5", True),
        ("steps.py", "sides: int = 4", "sides: float = 4", True),
        ("steps.py", "class Shape:", "class Shape(Lonely):", True),
        ("steps.py", "half as halve", "third as halve", True),
        ("steps.py", "text as words", "numbers as words", True),
        ("steps.py", "import lib.util", "import lib.text", True),
        ("lib/util.py", "distant(x)", "distant(x + 1)", True),
        ("lib/util.py", "far as distant", "near as distant", True),
        ("lib/deep.py", "SCALE = 3", "SCALE = 4", True),
        ("lib/deep.py", "x * SCALE", "x + SCALE", True),
        ("lib/text.py", "text.upper()", "text.title()", True),
        ("lib/numbers.py", "WIDTH = 6", "WIDTH = 8", True),
        ("lib/numbers.py", "x // 2", "x / 2", True),
        # neighbours
        ("steps.py", "return OTHER", "return -OTHER", False),
        ("steps.py", "OTHER = 20", "OTHER = 21", False),
        ("steps.py", "lambda: 0", "lambda: 1", False),
        ("steps.py", "class Lonely:\n    pass", "class Lonely:\n    x = 1", False),
        ("steps.py", "def neighbour():", "def new():\n    return 1\n\n\ndef neighbour():", False),
        ("steps.py", "\n\ndef neighbour():\n    return OTHER\n", "\n", False),
        ("steps.py", "import json", "import json, os, re", False),
        ("steps.py", "import json\n", "", False),
        ("steps.py", "import json\nimport lib.util", "import lib.util\nimport json", False),
        ("lib/util.py", "deep.near(x)", "deep.near(-x)", False),
        ("lib/deep.py", "SPARE = 4", "SPARE = 5", False),
        ("lib/deep.py", "x * SPARE", "x + SPARE", False),
        ("lib/text.py", "text.lower()", "text.casefold()", False),
        ("lib/numbers.py", "HEIGHT = 7", "HEIGHT = 8", False),
        ("lib/numbers.py", "x // 3", "x / 3", False),
        ("lib/numbers.py", "HEIGHT = 7\n", "", False),
        ("lib/numbers.py", "WIDTH = 6\nHEIGHT = 7", "HEIGHT = 7\nWIDTH = 6", False),
        # what importing does
        ("lib/text.py", "", "print('hello')\n", True),
        ("lib/__init__.py", "", "import os\nos.environ['X'] = '1'\n", True),
        ("lib/__init__.py", "", "import sys\nsys.path.insert(0, 'x')\n", True),
        ("lib/deep.py", "", "import numpy as np\nnp.random.seed(0)\n", True),
        ("lib/numbers.py", "HEIGHT = 7", "HEIGHT = compute()", True),
        ("lib/__init__.py", "", "X = 1\n", False),
        ("lib/__init__.py", "", "pass\n", False),
        ("lib/__init__.py", "", "'text'\n", False),
        ("lib/text.py", "", "import nowhere\n", True),
        ("lib/text.py", "", "import lib.nowhere\n", True),
        ("lib/text.py", "", "from lib.deep import nothing\n", True),
        ("lib/text.py", "", "from lib.deep import near\n", False),
        ("lib/text.py", "def lower(text):", "def lower(text=missing):", True),
        ("lib/text.py", "def lower(text):", "def lower(text: missing):", True),
        ("lib/text.py", "def lower(text):", "def lower(text: str | None = None):", False),
        ("lib/text.py", "", "def (:\n", True),
        # a name of the builtins taken
        ("lib/deep.py", "", "def len(x):\n    return 1\n", False),
        ("steps.py", "", "def lib():\n    return 1\n", True),
    ],
)
def test_edits(path: str, old: str, new: str, matters: bool) -> None:
    assert changed(BASE, path, old, new) is matters


CASES: dict[str, tuple[dict[str, str], list[tuple[str, str, str, bool]]]] = {
    "decorators of the project": (
        {
            "steps.py": "from tools import timed, plain\n\n\n@timed\ndef go(): return 1\n\n\n@timed\ndef near(): return 2\n\n\n@plain(3)\ndef by(): return 2\n",
            "tools.py": (
                "from functools import wraps\n\n\ndef timed(fn):\n    @wraps(fn)\n    def inner(*a): return fn(*a)\n    return inner\n\n\n"
                "def plain(n):\n    def outer(fn):\n        return fn\n    return outer\n"
            ),
        },
        [
            ("tools.py", "return fn(*a)", "return -fn(*a)", True),
            ("tools.py", "    return outer", "    return print", False),
            ("steps.py", "return 2", "return 3", False),
            ("steps.py", "@timed\ndef go", "def go", True),
            ("steps.py", "@plain(3)", "@plain(4)", False),
        ],
    ),
    "decorators that keep what they get": (
        {
            "steps.py": "from tools import register, known\n\n\ndef go(): return known\n\n\n@register\ndef near(): return 2\n",
            "tools.py": "known = []\n\n\ndef register(fn):\n    known.append(fn)\n    return fn\n",
        },
        [("steps.py", "return 2", "return 3", True), ("steps.py", "@register\n", "", True), ("tools.py", "append(fn)", "insert(0, fn)", True)],
    ),
    "decorators from elsewhere count by name": (
        {"steps.py": "import numba, click\n\n\n@numba.njit\ndef go(): return 1\n\n\n@numba.njit\ndef near(): return 2\n\n\n@click.command()\ndef cli(): return 3\n"},
        [
            ("steps.py", "@numba.njit\ndef go", "@numba.jit\ndef go", True),
            ("steps.py", "return 2", "return 3", False),
            ("steps.py", "return 3", "return 4", True),  # who knows what `click.command` does with it
            ("steps.py", "def go():", "def go(x: int = 1):", True),
        ],
    ),
    "annotations that somebody reads": (
        {
            "steps.py": (
                "import typed\nfrom typing import get_type_hints\n\n\n@typed.check\ndef go(x: int): return shown(helper)\n\n\n"
                "def shown(f): return f(1)\n\n\ndef helper(x: int): return 1\n\n\ndef hints(f: int): return get_type_hints(f)\n"
            )
        },
        [
            ("steps.py", "def go(x: int)", "def go(x: str)", True),
            ("steps.py", "def helper(x: int)", "def helper(x: str)", True),  # handed on as a value
            ("steps.py", "def shown(f)", "def shown(f: int)", False),
            ("steps.py", "return f(1)", "return hints(f)", True),
        ],
    ),
    "annotations, once they are read at all": (
        {"steps.py": "import inspect\n\n\ndef go(): return inspect.signature(go), other()\n\n\ndef other(x: int = 1): 'doc'\n\n\ndef by(x: int): pass\n"},
        [("steps.py", "x: int = 1", "x: str = 1", True), ("steps.py", "'doc'", "'docs'", True), ("steps.py", "def by(x: int)", "def by(x: str)", False)],
    ),
    "docstrings, once they are read": (
        {"steps.py": "'''Usage'''\nimport argparse\n\n\ndef go():\n    'doc'\n    return argparse.ArgumentParser(description=__doc__), f()\n\n\ndef f(): 'f'\n"},
        [("steps.py", "Usage", "Use", True), ("steps.py", "'doc'", "'other'", True), ("steps.py", "'f'", "'g'", True), ("steps.py", "def f()", "\ndef f()", False)],
    ),
    "a docstring of another module": (
        {"steps.py": "import tool\n\n\ndef go(): return tool.__doc__\n", "tool.py": "'''One'''\nX = 1\n"},
        [("tool.py", "One", "Two", True), ("tool.py", "X = 1", "X = 2", False)],
    ),
    "sources, once they are read": (
        {"steps.py": "import inspect\nimport tool\n\n\ndef go(): return inspect.getsource(tool.f)\n", "tool.py": "def f(): pass  # x\n"},
        [("tool.py", "# x", "# y", True), ("steps.py", "\n\n\n", "\n\n", True)],
    ),
    "the file's own path": (
        {"steps.py": "from pathlib import Path\nimport os\nHERE = Path(__file__).resolve().parent\nD = os.path.dirname(os.path.abspath(__file__))\n\n\ndef go(): return HERE, D  # x\n"},
        [("steps.py", "# x", "# y", False), ("steps.py", "return HERE", "return open(__file__), HERE", True)],
    ),
    "the file's own text": (
        {"steps.py": "def go(): return open(__file__).read()  # x\n"},
        [("steps.py", "# x", "# y", True)],
    ),
    "star imports": (
        {"steps.py": "from tools import *\n\n\ndef go(): return helper()\n\n\ndef by(): pass\n", "tools.py": "from more import far\nimport big\n\n\ndef helper(): return 1\n\n\ndef other(): return 2\n", "more.py": "def far(): return 3\n\n\ndef near(): return 4\n", "big.py": "def f(): return 5\n"},
        [
            ("tools.py", "return 1", "return 7", True),
            ("tools.py", "return 2", "return 7", True),
            ("tools.py", "return 2", "return 2  # x", False),
            ("more.py", "return 3", "return 7", True),
            ("more.py", "return 4", "return 7", False),
            ("big.py", "return 5", "return 7", False),
            ("steps.py", "pass", "return 1", False),
            ("tools.py", "", "def by(): return 9\n", True),
        ],
    ),
    "a module by star of a star": (
        {"steps.py": "from a import *\n\n\ndef go(): return f() + m.g()\n", "a.py": "from b import *\n", "b.py": "import m\n\n\ndef f(): return 1\n", "m.py": "def g(): return 2\n\n\ndef h(): return 3\n"},
        [("b.py", "return 1", "return 7", True), ("m.py", "return 2", "return 7", True), ("m.py", "return 3", "return 7", False)],
    ),
    "getattr of a module": (
        {"steps.py": "import tools\n\n\ndef go(name): return getattr(tools, name)()\n\n\ndef by(): pass\n", "tools.py": "import sub\n\n\ndef a(): return 1\n\n\ndef b(): return 2  # b\n", "sub.py": "def s(): return 3\n"},
        [
            ("tools.py", "return 2", "return 7", True),
            ("tools.py", "# b", "# c", False),
            ("sub.py", "return 3", "return 7", True),
            ("steps.py", "pass", "return 1", False),
        ],
    ),
    "a module as a value": (
        {"steps.py": "import tools, sys\n\n\ndef go(): return use(tools)\n\n\ndef use(m): return m.a()\n", "tools.py": "def a(): return 1\n\n\ndef b(): return 2\n"},
        [("tools.py", "return 2", "return 7", True)],
    ),
    "a package as a value": (
        {"steps.py": "import pkg.one, pkg\n\n\ndef go(): return vars(pkg)\n", "pkg/__init__.py": "", "pkg/one.py": "def a(): return 1\n", "pkg/two.py": "def b(): return 2\n"},
        [("pkg/one.py", "return 1", "return 7", True), ("pkg/two.py", "return 2", "return 7", False)],
    ),
    "globals": (
        {"steps.py": "import tools\n\n\ndef go(name): return globals()[name]()\n\n\ndef by(): return 1\n", "tools.py": "def a(): return 1\n"},
        [("steps.py", "return 1", "return 7", True), ("tools.py", "return 1", "return 7", True), ("steps.py", "def by", "# x\ndef by", False)],
    ),
    "locals of a function": (
        {"steps.py": "def go(name): return locals()\n\n\ndef by(): return 1\n"},
        [("steps.py", "return 1", "return 7", False)],
    ),
    "eval": ({"steps.py": "def go(x): return eval(x)\n\n\ndef by(): return 1\n"}, [("steps.py", "return 1", "return 7", True)]),
    "a method called eval": ({"steps.py": "def go(x): return x.eval()\n\n\ndef by(): return 1\n"}, [("steps.py", "return 1", "return 7", False)]),
    "exec two modules away": (
        {"steps.py": "from a import f\n\n\ndef go(): return f()\n\n\ndef by(): return 1\n", "a.py": "def f(): exec('x')\n\n\ndef g(): return 2\n"},
        [("a.py", "return 2", "return 7", True), ("steps.py", "return 1", "return 7", False)],
    ),
    "importlib": (
        {"steps.py": "import importlib\n\n\ndef go(): return importlib.import_module('plug.one').run()\n\n\ndef by(): return 1\n", "plug/one.py": "def run(): return 2\n"},
        [("plug/one.py", "return 2", "return 7", True), ("steps.py", "return 1", "return 7", True)],
    ),
    "subclasses": (
        {"steps.py": "from base import Base\nimport plugins\n\n\ndef go(): return [each().run() for each in Base.__subclasses__()]\n", "base.py": "class Base: pass\n", "plugins.py": "from base import Base\n\n\nclass One(Base):\n    def run(self): return 1\n"},
        [("plugins.py", "return 1", "return 7", True)],
    ),
    "a class that tells its base": (
        {"steps.py": "from base import known\nimport plugins\n\n\ndef go(): return known\n", "base.py": "known = []\n\n\nclass Base:\n    def __init_subclass__(cls): known.append(cls)\n", "plugins.py": "from base import Base\n\n\nclass One(Base):\n    def run(self): return 1\n"},
        [("plugins.py", "return 1", "return 7", True)],
    ),
    "metaclasses": (
        {"steps.py": "from abc import ABC, ABCMeta\n\n\nclass Meta(type):\n    pass\n\n\ndef go(): return Meta\n\n\nclass A(metaclass=Meta):\n    x = 1\n\n\nclass B(ABC):\n    x = 2\n\n\nclass C(metaclass=ABCMeta):\n    x = 3\n"},
        [("steps.py", "x = 1", "x = 7", True), ("steps.py", "x = 2", "x = 7", False), ("steps.py", "x = 3", "x = 7", False)],
    ),
    "bases": (
        {"steps.py": "from base import Base\n\n\nclass Mine(Base): pass\n\n\nclass Yours(Base):\n    y = 1\n\n\ndef go(): return Mine().run()\n", "base.py": "class Base:\n    def run(self): return helper()\n\n\ndef helper(): return 1\n\n\ndef other(): return 2\n"},
        [("base.py", "return 1", "return 7", True), ("base.py", "return 2", "return 7", False), ("steps.py", "y = 1", "y = 7", False)],
    ),
    "dataclasses and named tuples": (
        {"steps.py": "from dataclasses import dataclass, field\nfrom typing import NamedTuple\n\n\n@dataclass\nclass Mine:\n    a: int\n    b: list = field(default_factory=list)\n\n    def m(self, x: int): return 1\n\n\nclass Pair(NamedTuple):\n    a: int\n\n\nclass Other(NamedTuple):\n    o: int\n\n\ndef go(): return Mine(1), Pair(1)\n"},
        [
            ("steps.py", "    a: int\n    b", "    a: float\n    b", True),
            ("steps.py", "    a: int\n    b: list = field(default_factory=list)", "    b: list = field(default_factory=list)\n    a: int = 1", True),
            ("steps.py", "x: int", "x: float", False),
            ("steps.py", "class Pair(NamedTuple):\n    a: int", "class Pair(NamedTuple):\n    a: float", True),
            ("steps.py", "o: int", "o: float", False),
        ],
    ),
    "names bound several times": (
        {"steps.py": "def f(): return 1\n\n\ng = f\n\n\ndef f(): return 2\n\n\ndef go(): return g()\n"},
        [
            ("steps.py", "return 1", "return 7", True),
            ("steps.py", "return 2", "return 7", True),
            ("steps.py", "g = f\n\n\ndef f(): return 2\n", "def f(): return 2\n\n\ng = f\n", True),
        ],
    ),
    "conditional definitions": (
        {"steps.py": "import sys\nif sys.platform == 'linux':\n    def f(): return 1\nelse:\n    def f(): return 2\n\n\ndef go(): return f()\n"},
        [("steps.py", "return 1", "return 7", True), ("steps.py", "'linux'", "'darwin'", True)],
    ),
    "either import": (
        {"steps.py": "try:\n    from fast import f\nexcept ImportError:\n    from slow import f\n\n\ndef go(): return f()\n", "fast.py": "def f(): return 1\n\n\ndef g(): return 2\n", "slow.py": "def f(): return 3\n"},
        [("fast.py", "return 1", "return 7", True), ("slow.py", "return 3", "return 7", True), ("fast.py", "return 2", "return 7", False)],
    ),
    "type checking": (
        {"steps.py": "from __future__ import annotations\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from heavy import Thing\n\n\ndef go(x: Thing): return 1\n", "heavy.py": "print('x')\n\n\nclass Thing: pass\n"},
        [("heavy.py", "pass", "x = 1", False), ("heavy.py", "print('x')", "print('y')", False), ("steps.py", "import Thing", "import Other", False)],
    ),
    "only when it is run as a script": (
        {"steps.py": "def go(): return 1\n\n\ndef main(): return 2\n\n\nif __name__ == '__main__':\n    main()\n"},
        [("steps.py", "return 2", "return 7", False), ("steps.py", "    main()", "    main(1)", False)],
    ),
    "augmented assignment": (
        {"steps.py": "X = [1]\nX += [2]\nY = 3\n\n\ndef go(): return X\n"},
        [("steps.py", "[2]", "[7]", True), ("steps.py", "X = [1]\nX += [2]", "X += [2]\nX = [1]", True), ("steps.py", "Y = 3", "Y = 4", False)],
    ),
    "a list that is filled": (
        {"steps.py": "X = []\nX.append(f())\n\n\ndef go(): return X\n\n\ndef f(): return 1\n\n\ndef g(): return 2\n"},
        [("steps.py", "return 1", "return 7", True), ("steps.py", "return 2", "return 7", False)],
    ),
    "effects in order": (
        {"steps.py": "import a\nimport b\n\n\ndef go(): return a.X\n", "a.py": "X = []\nX.append(0)\n", "b.py": "import a\na.X.append(1)\n"},
        [("b.py", "append(1)", "append(2)", True), ("a.py", "X.append(0)\n", "", True)],
    ),
    "imports in order": (
        {"steps.py": "import b\nimport c\nimport d\nimport e\nfrom a import X\n\n\ndef go(): return X\n", "a.py": "X = []\n", "b.py": "import a\na.X.append(1)\n", "c.py": "import a\na.X.append(2)\n", "d.py": "Y = 1\n", "e.py": "Y = 1\n"},
        [("steps.py", "import b\nimport c", "import c\nimport b", True), ("steps.py", "import d\nimport e", "import e\nimport d", False)],
    ),
    "an effect before an import from outside, or after it": (
        {"steps.py": "import os\nos.environ['N'] = '1'\nimport numpy\n\n\ndef go(): return numpy.x\n"},
        [("steps.py", "os.environ['N'] = '1'\nimport numpy", "import numpy\nos.environ['N'] = '1'", True), ("steps.py", "import os\n", "import os\nimport re\n", False)],
    ),
    "monkey patches": (
        {"steps.py": "import tools\nimport patches\nfrom tools import f\n\n\ndef go(): return f() + tools.f()\n", "tools.py": "def f(): return 1\n", "patches.py": "import tools\n\n\ndef mine(): return 2\n\n\ntools.f = mine\n"},
        [("patches.py", "return 2", "return 7", True), ("steps.py", "import patches\nfrom tools import f", "from tools import f\nimport patches", True)],
    ),
    "an effect that calls what comes later": (
        {"steps.py": "def go(): return X\n\n\ndef make(): return 1\n\n\nX = make()\n\n\ndef by(): return 2\n"},
        [("steps.py", "def make(): return 1\n\n\nX = make()", "X = make()\n\n\ndef make(): return 1", True), ("steps.py", "return 2", "return 7", False)],
    ),
    "globals set by functions": (
        {"steps.py": "X = 0\n\n\ndef put():\n    global X\n    X = 1\n\n\ndef go():\n    put()\n    return X\n\n\ndef by(): return 2\n"},
        [("steps.py", "X = 1", "X = 7", True), ("steps.py", "X = 0", "X = 7", True), ("steps.py", "return 2", "return 7", False)],
    ),
    "a global that only a function binds": (
        {"steps.py": "def put():\n    global X\n    X = 1\n\n\ndef go():\n    put()\n    return X\n"},
        [("steps.py", "X = 1", "X = 7", True)],
    ),
    "closures and local names": (
        {"steps.py": "data = 1\nvalue = 2\nname = 3\n\n\ndef go(value):\n    data = 4\n    def inner(): return data + value\n    return [name for name in inner()], [x := 1]\n\n\nx = 5\n"},
        [("steps.py", "data = 1", "data = 7", False), ("steps.py", "value = 2", "value = 7", False), ("steps.py", "name = 3", "name = 7", False), ("steps.py", "x = 5", "x = 7", False), ("steps.py", "data = 4", "data = 7", True)],
    ),
    "a global beside a local of the same name": (
        {"steps.py": "data = 1\n\n\ndef go():\n    def inner():\n        data = 2\n        return data\n    return inner() + data\n"},
        [("steps.py", "data = 1", "data = 7", True)],
    ),
    "a comprehension reads its first iterable outside": (
        {"steps.py": "x = [1]\n\n\ndef go(): return [x for x in x]\n"},
        [("steps.py", "x = [1]", "x = [7]", True)],
    ),
    "class scopes": (
        {"steps.py": "limit = 1\n\n\nclass A:\n    limit = 2\n    def m(self): return limit\n\n\ndef go(): return A().m()\n"},
        [("steps.py", "limit = 1", "limit = 7", True)],
    ),
    "default arguments": (
        {"steps.py": "X = 1\nY = 2\n\n\ndef go(x=X, *, f=lambda: Y): return x\n"},
        [("steps.py", "X = 1", "X = 7", True), ("steps.py", "Y = 2", "Y = 7", True)],
    ),
    "a default that a neighbour asks of somebody": (
        {"steps.py": "def go(): return 1\n\n\ndef make(): return 1\n\n\ndef by(x=make()): return 2\n"},
        [("steps.py", "def make(): return 1", "def make(): return 7", True), ("steps.py", "return 2", "return 7", True)],
    ),
    "imports inside functions": (
        {"steps.py": "def go():\n    import tools as t\n    from more import far as f\n    return t.a() + f()\n", "tools.py": "def a(): return 1\n\n\ndef b(): return 2\n", "more.py": "def far(): return 3\n\n\ndef near(): return 4\n\n\nprint('x')\n"},
        [("tools.py", "return 1", "return 7", True), ("tools.py", "return 2", "return 7", False), ("more.py", "return 3", "return 7", True), ("more.py", "return 4", "return 7", False), ("more.py", "'x'", "'y'", True)],
    ),
    "imports inside functions that are not reached": (
        {"steps.py": "def go(): return 1\n\n\ndef by():\n    import tools\n    return tools.a()\n", "tools.py": "print('x')\n"},
        [("tools.py", "'x'", "'y'", False)],
    ),
    "relative imports": (
        {"steps.py": "from pkg.sub.one import f\n\n\ndef go(): return f()\n", "pkg/__init__.py": "TOP = 1\nREST = 2\n", "pkg/sub/__init__.py": "", "pkg/sub/one.py": "from .. import TOP, other\nfrom ..other import g\nfrom . import two\n\n\ndef f(): return TOP + g() + two.h()\n", "pkg/sub/two.py": "def h(): return 3\n\n\ndef i(): return 4\n", "pkg/other.py": "def g(): return 5\n\n\ndef j(): return 6\n"},
        [("pkg/__init__.py", "TOP = 1", "TOP = 7", True), ("pkg/__init__.py", "REST = 2", "REST = 7", False), ("pkg/sub/two.py", "return 3", "return 7", True), ("pkg/sub/two.py", "return 4", "return 7", False), ("pkg/other.py", "return 5", "return 7", True), ("pkg/other.py", "return 6", "return 7", False), ("pkg/sub/__init__.py", "", "print('x')", True)],
    ),
    "dotted names as another": (
        {"steps.py": "import a.b.c as d\n\n\ndef go(): return d.f()\n", "a/__init__.py": "", "a/b/__init__.py": "", "a/b/c.py": "def f(): return 1\n\n\ndef g(): return 2\n"},
        [("a/b/c.py", "return 1", "return 7", True), ("a/b/c.py", "return 2", "return 7", False)],
    ),
    "names handed on by packages": (
        {"steps.py": "import pkg\n\n\ndef go(): return pkg.f() + pkg.clean()\n", "pkg/__init__.py": "from .one import f, g\nfrom .clean import clean\n__all__ = ['f']\n", "pkg/one.py": "def f(): return 1\n\n\ndef g(): return 2\n", "pkg/clean.py": "def clean(): return 3\n\n\ndef other(): return 4\n"},
        [("pkg/one.py", "return 1", "return 7", True), ("pkg/one.py", "return 2", "return 7", False), ("pkg/clean.py", "return 3", "return 7", True), ("pkg/clean.py", "return 4", "return 7", False), ("pkg/__init__.py", "['f']", "['g']", False)],
    ),
    "a name that is a function and a module": (
        {"steps.py": "import pkg\nimport pkg.f\n\n\ndef go(): return pkg.f()\n", "pkg/__init__.py": "def f(): return 1\n", "pkg/f.py": "X = 2\n"},
        [("pkg/__init__.py", "return 1", "return 7", True), ("pkg/f.py", "X = 2", "X = 7", True)],
    ),
    "a submodule that nobody imports here": (
        {"steps.py": "import pkg\nimport other\n\n\ndef go(): return pkg.sub.f()\n", "other.py": "import pkg.sub\n", "pkg/__init__.py": "", "pkg/sub.py": "def f(): return 1\n\n\ndef g(): return 2\n"},
        [("pkg/sub.py", "return 1", "return 7", True), ("pkg/sub.py", "return 2", "return 7", False)],
    ),
    "circles": (
        {"steps.py": "import a\n\n\ndef go(): return a.f()\n", "a.py": "import b\n\n\ndef f(): return b.g()\n\n\ndef h(): return 1\n", "b.py": "import a\n\n\ndef g(): return a.h()\n\n\ndef i(): return 2\n"},
        [("a.py", "return 1", "return 7", True), ("b.py", "return 2", "return 7", False)],
    ),
    "circles that only just work": (
        {"steps.py": "import a\n\n\ndef go(): return a.f()\n", "a.py": "def f(): return 1\n\n\nimport b\n\n\ndef late(): return 2\n", "b.py": "from a import f\n"},
        [("a.py", "def f(): return 1\n\n\nimport b\n", "import b\n\n\ndef f(): return 1\n", True), ("a.py", "return 2", "return 7", False), ("b.py", "import f", "import late", True)],
    ),
    "a module that makes its names up": (
        {"steps.py": "import lazy\n\n\ndef go(): return lazy.thing\n", "lazy.py": "def __getattr__(name): return value()\n\n\ndef value(): return 1\n\n\ndef other(): return 2\n"},
        [("lazy.py", "return 1", "return 7", True), ("lazy.py", "return 2", "return 7", False)],
    ),
    "pickles name classes": (
        {"steps.py": "import pickle\nfrom models import Net\n\n\ndef go(f): return pickle.load(f).run()\n", "models.py": "class Net:\n    def run(self): return 1\n"},
        [("models.py", "return 1", "return 7", True)],
    ),
    "names for others": (
        {"steps.py": "import numpy as np\nfrom math import floor as f\n\n\ndef go(): return np.x + f(1)\n\n\ndef by(): return 1\n"},
        [("steps.py", "numpy as np", "cupy as np", True), ("steps.py", "floor as f", "ceil as f", True), ("steps.py", "import numpy as np\n", "import numpy as np\nimport pandas\n", True)],
    ),
    "patterns and loggers": (
        {"steps.py": "import re, logging\nA = re.compile('a')\nB = re.compile('b', re.I)\nlog = logging.getLogger(__name__)\n\n\ndef go(): return A\n"},
        [("steps.py", "'a'", "'c'", True), ("steps.py", "'b'", "'c'", False), ("steps.py", "'b'", "'('", True), ("steps.py", "getLogger(__name__)", "getLogger('x')", False)],
    ),
    "slices, matches, walruses, f-strings": (
        {"steps.py": "N = 1\nM = 2\nK = 3\n\n\ndef go(x):\n    match x:\n        case [K, *rest]: return x[N:]\n        case {'a': y, **z}: return f'{M} {y}'\n"},
        [("steps.py", "N = 1", "N = 7", True), ("steps.py", "M = 2", "M = 7", True), ("steps.py", "K = 3", "K = 7", False)],
    ),
    "async": (
        {"steps.py": "async def f(): return X\n\n\nX = 1\n\n\nasync def go():\n    async with f() as y:\n        return await y\n"},
        [("steps.py", "X = 1", "X = 7", True), ("steps.py", "await y", "y", True)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_cases(case: str) -> None:
    files, edits = CASES[case]
    wrong = [edit for edit in edits if changed(files, *edit[:3]) is not edit[3]]
    assert wrong == []


SCRIPT = {
    "tools/go.py": "'''Usage'''\nimport helper\n\n\ndef unused(): return helper.b()\n\n\ndef main(): print(helper.a())  # x\n\n\nif __name__ == '__main__':\n    main()\n",
    "helper.py": "def a(): return 1\n\n\ndef b(): return 2\n\n\ndef c(): return 3\n",
}


@pytest.mark.parametrize(
    ("path", "old", "new", "matters"),
    [
        ("tools/go.py", "# x", "# y", False),
        ("tools/go.py", "Usage", "Use", False),
        ("tools/go.py", "    main()", "    main();main()", True),
        ("tools/go.py", "helper.b()", "helper.c()", True),
        ("tools/go.py", "def main", "import argparse; argparse.ArgumentParser(__doc__)\ndef main", True),
        ("helper.py", "return 1", "return 7", True),
        ("helper.py", "return 2", "return 7", True),
        ("helper.py", "return 3", "return 7", False),
        ("helper.py", "def b", "# x\ndef b", False),
    ],
)
def test_scripts(path: str, old: str, new: str, matters: bool) -> None:
    """All of a script counts, and by symbol what it reaches."""
    assert changed(SCRIPT, path, old, new, "tools/go.py") is matters


def test_the_docstring_of_a_script_that_reads_it() -> None:
    files = {"go.py": "'''Usage'''\nprint(__doc__)\n"}
    assert changed(files, "go.py", "Usage", "Use", "go.py")


def test_what_is_told() -> None:
    """Each symbol with its file, what importing does as ``, and the packages from outside."""
    found = linked({**BASE, "lib/deep.py": BASE["lib/deep.py"] + "import numpy\nnumpy.random.seed(0)\n"})
    assert [(name, path) for name, path, _ in found.symbols] == [
        ("", ""),
        ("", "lib/deep.py"),
        ("SCALE", "lib/deep.py"),
        ("far", "lib/deep.py"),
        ("WIDTH", "lib/numbers.py"),
        ("half", "lib/numbers.py"),
        ("upper", "lib/text.py"),
        ("helper", "lib/util.py"),
        ("LIMIT", "steps.py"),
        ("Shape", "steps.py"),
        ("go", "steps.py"),
    ]
    assert found.files == tuple(sorted(BASE))
    assert found.packages == ("numpy",)


def test_what_is_not_there() -> None:
    """A function or module that does not exist has no code; its stage says so when it runs."""
    assert linked({"steps.py": "def go(): pass\n"}, "steps:gone").symbols == ()
    assert linked({}, "steps:go") == ((), (), ("steps",))
    assert linked({}, "json:dump") == ((), (), ())


@pytest.mark.parametrize(
    "data",
    [
        b"def go(:\n",
        b"\xff\xfe",
        b"x = 1\0\n",
        b"# coding: nonsense\n",
        b"def go(): return " + b"(" * 5000 + b")" * 5000,
        b"def go(): return " + b"-" * 5000 + b"1",
        b"def go(): return 1" + b" + 1" * 5000,
        b"x = " + b"a." * 50_000 + b"b\ndef go(): return x\n",
        b"def go(): pass\n" + b"if x:\n    pass\n" + b"elif y:\n    pass\n" * 1000,
        b"def go(): pass\n#" + b"x" * LARGEST,
    ],
    ids=["syntax", "encoding", "nul", "coding", "brackets", "minus", "sum", "dots", "elif", "large"],
)
def test_what_cannot_be_read_counts_by_its_bytes(data: bytes) -> None:
    before, after = linked({"steps.py": data}), linked({"steps.py": data + b"# x\n"})
    assert [(name, path) for name, path, _ in before.symbols] == [("", "steps.py")]
    assert before != after


def test_what_is_too_deep_still_imports() -> None:
    files: dict[str, str | bytes] = {"steps.py": "import a\nfrom b import f\ndef go(): return 1" + " + 1" * 5000, "a.py": "X = 1\n", "b.py": "def f(): return 1\n"}
    assert linked(files) != linked({**files, "a.py": "X = 2\n"})
    assert linked(files) != linked({**files, "b.py": "def f(): return 2\n"})
    large: dict[str, str | bytes] = {**files, "steps.py": "import a, b\n#" + "x" * LARGEST}
    assert linked(large) != linked({**large, "b.py": "def f(): return 2\n"})


def test_the_depth_of_the_caller_makes_no_difference() -> None:
    files = {"steps.py": "def go(): return 1" + " + 1" * 140 + "\n\n\ndef by(): pass\n"}

    def deep(levels: int) -> object:
        return deep(levels - 1) if levels else linked(files)

    assert deep(300) == deep(0) == linked(files)


def test_a_long_line_of_modules() -> None:
    """Nothing recurses over modules, be it imports or names handed on."""
    files = {f"m{number}.py": f"from m{number + 1} import f\n" for number in range(3000)}
    files["m3000.py"] = "def f(): return 1\n"
    files["steps.py"] = "from m0 import f\n\n\ndef go(): return f()\n"
    assert [(name, path) for name, path, _ in linked(files).symbols] == [("f", "m3000.py"), ("go", "steps.py")]
    assert changed(files, "m3000.py", "return 1", "return 2")


def test_many_symbols_are_one_digest_a_file() -> None:
    """Records stay small; an edit still shows, and in which file."""
    files = {"steps.py": "import many\n\n\ndef go(): return many\n", "many.py": "".join([f"x{number} = {number}\n" for number in range(MOST + 1)])}
    before = linked(files)
    after = linked({**files, "many.py": files["many.py"].replace("x7 = 7", "x7 = 8")})
    assert [(name, path) for name, path, _ in before.symbols] == [("", "many.py"), ("", "steps.py")]
    assert [old == new for old, new in zip(before.symbols, after.symbols, strict=True)] == [False, True]


def test_the_same_everywhere() -> None:
    """Digests are no accident of this process: the same in every checkout, on every patch version of Python."""
    found = linked({"steps.py": "X = {'a': (1, 2.5, b'x', None, ...)}\n\n\ndef go(x, *, y=X): return [i async for i in x] if y else -x\n"})
    assert found.symbols == (("X", "steps.py", "51c90332e0978c072f94"), ("go", "steps.py", "ed5355740d3241092533"))


@pytest.mark.parametrize("case", CASES)
def test_as_json(case: str) -> None:
    """What the cache keeps of a module is all of it."""
    for text in CASES[case][0].values():
        module = read_module(text.encode())
        assert from_json(json.loads(json.dumps(to_json(module)))) == module
