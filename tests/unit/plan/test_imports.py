"""The modules that a Python source names, read without running it."""

from __future__ import annotations

import pytest

from pipefile.plan.imports import bound_names, static_imports


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import a, b.c as d", {"a", "b.c"}),
        ("from a import b, c as d", {"a", "a.b", "a.c"}),
        ("from a.b import *", {"a.b"}),
        ("def f():\n  try:\n    import a\n  except ImportError:\n    from b import c", {"a", "b", "b.c"}),
        ("if TYPE_CHECKING:\n  import a\nclass X:\n  async def f(self):\n    import b", {"a", "b"}),
        ("import importlib\nimportlib.import_module('a.b')", {"importlib", "a.b"}),
        ("from importlib import import_module as m, import_module\nimport_module('a')", {"importlib", "importlib.import_module", "a"}),
        ("__import__('a.b')", {"a.b"}),
        ("import_module(name); import_module(); __import__(f'{x}'); import_module('')", set()),
        ("# import a\n'import b'", set()),
        ("print(1)", set()),
        ("import a\n\\q(", set()),
        ("import a\0", set()),
        ("x = '\\q'; import a", {"a"}),
        ("import " + ".".join(["a"] * 300), {".".join(["a"] * 300)}),
        ("import a\nx = " + "(" * 5000 + ")" * 5000, set()),
    ],
)
def test_absolute_imports(source, names):
    assert static_imports(source.encode(), "mod", package=False) == names


@pytest.mark.parametrize(
    ("source", "module", "package", "names"),
    [
        ("from . import b", "p.q.mod", False, {"p.q", "p.q.b"}),
        ("from .. import b", "p.q.mod", False, {"p", "p.b"}),
        ("from ..r.s import b", "p.q.mod", False, {"p.r.s", "p.r.s.b"}),
        ("from ... import b", "p.q.mod", False, set()),
        ("from . import b", "p.q", True, {"p.q", "p.q.b"}),
        ("from .b import *", "p", True, {"p.b"}),
        ("from . import b", "mod", False, set()),
        ("from . import b", "", False, set()),
        ("import_module('.b', __package__)", "p.mod", False, {"p.b"}),
        ("import_module('..b', package='x.y')", "p.mod", False, {"x.b"}),
        ("import_module('.b', 'x.y')", "p.mod", False, {"x.y.b"}),
    ],
)
def test_relative_imports(source, module, package, names):
    assert static_imports(source.encode(), module, package) == names


def test_the_encoding_that_a_source_declares():
    assert static_imports("# coding: latin-1\nimport caf\xe9".encode("latin-1"), "mod", package=False) == {"caf\xe9"}
    assert static_imports(b"\xef\xbb\xbfimport a\r\n", "mod", package=False) == {"a"}
    assert static_imports(b"import a\n\xff", "mod", package=False) == frozenset()


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import a.b, c as d\nfrom e import f, g as h\n", ["a", "d", "f", "h"]),
        ("def f():\n  x = 1\nclass G:\n  y = 2\nz = w = 3\n", ["f", "G", "z", "w"]),
        ("try:\n  import a\nexcept ImportError:\n  a = b = None\nif 1:\n  async def c(): ...\n", ["a", "b", "c"]),
        ("", []),
        ("from a import *\n", None),
        ("def __getattr__(name): ...\n", None),
        ("globals()['f'] = 1\n", None),
        ("f = (\n", None),
    ],
)
def test_names_that_a_module_binds(source, names):
    """At its own level, wherever there; None where the text does not tell."""
    assert bound_names(source.encode()) == names
