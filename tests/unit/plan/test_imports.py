"""The modules that a Python source names, read without running it."""

from __future__ import annotations

import pytest

from pipefile.plan.imports import static_imports


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
