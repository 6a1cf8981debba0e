"""Which edits of a project's modules change the code that a function can reach, and which do not."""

from __future__ import annotations

import json
import os

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
        ("steps.py", "LIMIT = 10", "LIMIT: int = 10", False),
        ("steps.py", "LIMIT = 10", "LIMIT: int\nLIMIT = 10", False),
        ("steps.py", "LIMIT = 10", "LIMIT: missing = 10", True),
        ("steps.py", "shape = Shape()", "shape: Shape = Shape()", False),
        ("steps.py", "shape = Shape()", "shape: Shape\n    shape = Shape()", False),
        ("steps.py", "shape = Shape()", "other: int\n    shape = Shape()", False),
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


def _cases() -> dict[str, tuple[dict[str, str], list[tuple[str, str, str, bool]]]]:
    """What code_cases.txt holds: name -> files, and edits with whether they matter."""
    cases: dict[str, tuple[dict[str, str], list[tuple[str, str, str, bool]]]] = {}
    with open(os.path.join(os.path.dirname(__file__), "code_cases.txt"), encoding="utf-8") as file:
        blocks = file.read().split("\n=== ")[1:]
    for block in blocks:
        name, *parts = block.split("\n--- ")
        *texts, (_, edits) = [part.partition("\n")[::2] for part in parts]
        files = {path: f"{text}\n" if text else "" for path, text in texts}
        cases[name] = (files, [_edit(line) for line in edits.splitlines() if line])
    return cases


def _edit(line: str) -> tuple[str, str, str, bool]:
    path, old, new = line[2:].split(" | ")
    return path, old.replace("\\n", "\n"), new.replace("\\n", "\n"), line[0] == "!"


CASES = _cases()


@pytest.mark.parametrize("case", CASES)
def test_cases(case: str) -> None:
    files, edits = CASES[case]
    wrong = [edit for edit in edits if changed(files, *edit[:3]) is not edit[3]]
    assert wrong == []


SCRIPT = {
    "tools/go.py": (
        "'''Usage'''\nimport helper\n\n\ndef unused(): return helper.b()\n\n\ndef main(): print(helper.a())  # x\n\n\n"
        "if __name__ == '__main__':\n    main()\n"
    ),
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
    files: dict[str, str | bytes] = {"a.py": "X = 1\n", "b.py": "def f(): return 1\n"}
    files["steps.py"] = "import a\nfrom b import f\ndef go(): return 1" + " + 1" * 5000
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
