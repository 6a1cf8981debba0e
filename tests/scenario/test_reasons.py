"""What `why` and `status` say, for each kind of reason."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from kit import Project


def base(project: Project, **keys: object) -> None:
    given = {"inputs": {"a": "a.txt", "g": "data/*"}, "outputs": "out.txt", "run": "cat {a} {g} > {outputs}", **keys}
    project.stage("make", **given)


@pytest.fixture
def made(project: Project) -> Project:
    base(project, params={"width": 640}, version="1")
    for path in ("a.txt", "b.txt", "data/x", "data/y"):
        project.write(path, path)
    project.build()
    return project


def redo(**keys: object) -> Callable[[Project], None]:
    return lambda project: base(project, **{"params": {"width": 640}, "version": "1", **keys})


def twice(project: Project) -> None:
    project.write("a.txt", "1")
    project.write("data/x", "2")


def damaged(project: Project) -> None:
    project.remove("pipeline_outputs/index")
    project.write(project.record("out.txt"), "{}")


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        (lambda p: p.write("a.txt", "1"), ["input `a.txt` changed"]),
        (lambda p: p.write("data/x", "1"), ["input `data/x` changed"]),
        (lambda p: p.write("data/z", "1"), ["its command changed", "input `data/z` is new"]),
        (lambda p: p.remove("data/y"), ["its command changed", "input `data/y` is gone"]),
        (twice, ["input `a.txt` changed", "input `data/x` changed"]),
        (lambda p: p.write("out.txt", "1"), ["output `out.txt` was changed since"]),
        (lambda p: p.remove("out.txt"), ["output `out.txt` is missing"]),
        (lambda p: p.remove(p.record("out.txt")), ["it has no record of an earlier run"]),
        (damaged, ["it has no record of an earlier run"]),
        (redo(run="cat {a} {g} > {outputs} "), ["its command changed"]),
        (redo(run=["cp", "{a}", "{outputs}"]), ["its action is of another kind"]),
        (redo(params={"width": 800}), ["param `width` changed: 640 -> 800"]),
        (redo(params={"width": 640, "n": "x"}), ["param `n` is new"]),
        (redo(params={}), ["param `width` is gone"]),
        (redo(version="2"), ["its version changed: 1 -> 2"]),
        (redo(version=""), ["version is gone: 1"]),
        (redo(env=["WHO"]), ["environment variable `WHO` is new"]),
        (redo(always=True), ["it is marked `always`"]),
        (redo(inputs={"a": "a.txt", "g": "data/*", "b": "b.txt"}), ["input `b.txt` is new"]),
        (redo(outputs=["out.txt", "out2.txt"], run="cat {a} {g} | tee {outputs}"), ["it has no record of an earlier run"]),
    ],
)
def test_why(made: Project, change: Callable[[Project], None], reasons: list[str]) -> None:
    """Cases 5 to 9 and 21 to 26, in words. What is said is what runs: `why` and the build read the same walk."""
    change(made)
    assert made.why("out.txt" if made.exists("out.txt") else "make") == {"make": reasons}
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    assert made.cli("status").out == f"stale   make: {reasons[0]}{more}\n1 stale\n"
    assert made.build().ran == ["make"]


def test_of_a_function(project: Project) -> None:
    """Case 21: code, function, and the change from a command to a function."""
    project.stage("make", outputs={"out": "out.txt"}, run="echo > {out}")
    project.write("steps.py", "def make(out):\n    with open(out, 'w') as file:\n        file.write('1')\n\nother = make\n")
    project.build()
    project.stage("make", outputs={"out": "out.txt"}, call="steps:make")
    assert project.why("make") == {"make": ["its action is of another kind"]}
    assert project.build().ran == ["make"]
    project.write("steps.py", project.read("steps.py").replace("'1'", "'2'"))
    assert project.why("make") == {"make": ["code `make` (steps.py) changed"]}
    project.build()
    project.stage("make", outputs={"out": "out.txt"}, call="steps:other")
    assert project.why("make") == {"make": ["its function changed: steps:make -> steps:other"]}


def test_chain(project: Project) -> None:
    """Case 12: below what is stale all is open; what is sure is said."""
    project.stage("a", inputs="src.txt", outputs="a.txt", run="cat {inputs} > {outputs}")
    project.stage("b", inputs="a.txt", outputs="b.txt", run="cat {inputs} > {outputs}")
    project.stage("c", inputs="b.txt", outputs="c.txt", run="cat {inputs} > {outputs}")
    project.write("src.txt", "1\n")
    assert project.status() == {"a": "stale", "b": "stale", "c": "stale"}
    project.build()
    assert project.status() == {"a": "fresh", "b": "fresh", "c": "fresh"}
    project.write("src.txt", "2\n")
    assert project.status() == {"a": "stale", "b": "unknown", "c": "unknown"}
    project.remove("c.txt")
    assert project.why("c") == {"a": ["input `src.txt` changed"], "b": ["input `a.txt` may change"], "c": ["output `c.txt` is missing"]}
    assert project.why("b.txt") == {"a": ["input `src.txt` changed"], "b": ["input `a.txt` may change"]}


def test_which_of_several_outputs(project: Project) -> None:
    """Of a stage that makes much, what the next one reads is named: a file, a value, a file in a folder, one that a command names, all of them."""
    outputs = {"a": "a.txt", "b": "b.txt", "d": "d/", "m": "value:int", "n": "value:int"}
    project.write("src.txt", "1\n")
    steps = "def make(src, a, b, d):\n    for path in (a, b, f'{d.path}/x'):\n        open(path, 'w').close()\n"
    project.write("steps.py", f"{steps}    return {{'m': 1, 'n': 2}}\n")
    project.stage("make", inputs={"src": "src.txt"}, outputs=outputs, call="steps:make")
    project.stage("file", inputs="make.b", outputs="o1", run="cat {inputs} > {outputs}")
    project.stage("value", inputs={"n": "make.n"}, outputs="o2", run="echo {n} > {outputs}")
    project.stage("inside", inputs="d/x", outputs="o3", run="cat {inputs} > {outputs}")
    project.stage("named", outputs="o4", run="cat b.txt > {outputs}")
    project.stage("all", inputs="make.outputs", outputs="o5", run="echo {inputs} > {outputs}")
    project.build()
    project.write("src.txt", "2\n")
    assert {name: project.why(name)[name] for name in ("file", "value", "inside", "named")} == {
        "file": ["input `b.txt` may change"],
        "value": ["input `pipeline_outputs/values/make/n.json` may change"],
        "inside": ["input `d` may change"],
        "named": ["input `b.txt` may change"],
    }
    assert len(project.why("all")["all"]) == 5
