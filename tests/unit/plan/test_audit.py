"""What an audit makes of what it has seen."""

from __future__ import annotations

import os

import pytest

from pipefile.model.access import Access
from pipefile.model.audit import Beyond
from pipefile.model.stage import Call, Command, InputGroup, InputItem, Output, Stage
from pipefile.plan.audit import is_ignored, joined, line_to_add, parse, sort_out, starts_python
from pipefile.plan.template import parse as parse_word
from pipefile.plan.template import parse_shell


@pytest.mark.parametrize(
    "text",
    [
        "python a.py", "python3.12 -m pkg", "/usr/bin/python3 -c 'x'", "./tool.py {inputs}", "cd x && python y", "VAR=1 python3 z", "x | python -",
        "env A=b python3 x", "uv run x", "poetry run x", "pytest", "pypy3 x", "(python x)", "time python x", "jupyter nbconvert x",
    ],
)  # fmt: skip
def test_commands_that_start_python(text: str) -> None:
    """Words that are Python, a script, or a program that starts Python."""
    assert starts_python(Stage("a", action=Command(text, parse_shell(text))))


@pytest.mark.parametrize(
    "text",
    [
        "cp a b", "copy x", "make python-docs", "cat happy.txt", "echo pythonic", "ls python.d", "env > x; python a.py", "printenv | python a.py",
        "python a.py && env | sort > {outputs}", "export -p > x; python a.py",
    ],
)  # fmt: skip
def test_commands_that_do_not(text: str) -> None:
    """Words that merely look like it; and those that print their environment besides, which would be another one."""
    assert not starts_python(Stage("a", action=Command(text, parse_shell(text))))


def test_argument_lists() -> None:
    """Words of a list, and functions."""
    assert starts_python(Stage("a", action=Command(argv=tuple(map(parse_word, ["/opt/bin/python3", "-m", "x"])))))
    assert not starts_python(Stage("a", action=Command(argv=tuple(map(parse_word, ["cp", "{src}", "{dst}"])))))
    assert starts_python(Stage("a", action=Call("steps", "make")))


def test_entries() -> None:
    """What was cut off by a crash is left out."""
    assert parse(b"rdata/a b\0w\xff\0rcut", os.fsdecode) == [Access("r", "data/a b"), Access("w", "\udcff")]
    assert parse(b"", os.fsdecode) == []


def test_sorting() -> None:
    """Reads of what others have made; writes that are still there; removals of what was there before."""
    done = "r in|r out|r extra|w scratch|r scratch|d scratch|w log|r state|w state|d old|w made|r made|w gone|d gone|d kept"
    there = {"extra", "log", "state", "made", "kept"}
    found = sort_out([Access(*each.split(" ")) for each in done.split("|")], {"in"}.__contains__, {"out"}.__contains__, there.__contains__)
    assert found == Beyond(("extra", "state"), ("log", "state", "made"), ("old",))


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("store/values/a.json", True), ("storehouse/a", False), (".a.txt.hash", True), ("d/.pipefile-tmp/a", True), (".pipefile.lock", True),
        (".git/HEAD", True),
        ("lib/site-packages/a/b.py", True), ("src/pkg.egg-info/PKG-INFO", True), ("a/__pycache__/b.pyc", True), (".env", False), ("git/HEAD", False),
    ],
)  # fmt: skip
def test_what_nobody_declares(path: str, ignored: bool) -> None:
    """What is pipefile's own, and what tools keep for themselves."""
    assert is_ignored(path, "store") == ignored


def stage(inputs: tuple[InputGroup, ...] = (), outputs: tuple[Output, ...] = (), **keys: object) -> Stage:
    return Stage("a", inputs, outputs, **keys)  # type: ignore[arg-type]


NAMED = (InputGroup("src", (InputItem("x"),)),)
LISTED = (InputGroup(None, (InputItem("x"),), True),)


@pytest.mark.parametrize(
    ("declared", "key", "line"),
    [
        (stage(), "inputs", 'inputs = ["data/a.csv", "b\\"c"]'),
        (stage(LISTED), "inputs", 'inputs = [..., "data/a.csv", "b\\"c"]'),
        (stage(NAMED), "inputs", 'inputs = { ..., a = "data/a.csv", b_c = "b\\"c" }'),
        (stage(NAMED, params={"a": 1}), "inputs", 'inputs = { ..., a_2 = "data/a.csv", b_c = "b\\"c" }'),
        (stage(folder="data"), "inputs", 'inputs = ["a.csv", "../b\\"c"]'),
        (stage(outputs=(Output("dst", "x"),)), "outputs", 'outputs = { ..., a = "data/a.csv", b_c = "b\\"c" }'),
        (stage(outputs=(Output(None, "x"),), file="p.py"), "outputs", 'outputs=[..., "data/a.csv", "b\\"c"]'),
        (stage(NAMED, file="p.py"), "inputs", 'inputs={..., "a": "data/a.csv", "b_c": "b\\"c"}'),
    ],
)
def test_the_line_to_add(declared: Stage, key: str, line: str) -> None:
    """In the syntax of the file, as a list or a table, seen from the Pipefile's folder, with names that are free."""
    assert line_to_add(declared, key, ("data/a.csv", 'b"c')) == line


def test_many() -> None:
    """Messages name a few files, and say how many more there are."""
    paths = [f"f{number}" for number in range(7)]
    assert joined(paths) == "`f0`, `f1`, `f2`, `f3`, `f4` and 2 more"
    assert (joined(paths[:1]), joined(paths[:2]), joined(paths[:3])) == ("`f0`", "`f0` and `f1`", "`f0`, `f1` and `f2`")
    assert line_to_add(stage(), "inputs", paths) == 'inputs = ["f0", "f1", "f2", "f3", "f4", ...]'
