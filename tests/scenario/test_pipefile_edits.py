"""Edits of the Pipefile: what runs because of them, and what does not."""

from __future__ import annotations

import pytest
from kit import Project

PLAIN = """\
[stage.one]
inputs = { a = "a.txt", b = "b.txt" }
outputs = ["one.txt"]
run = "cat {a} {b} > {outputs}"
params = { width = 1, name = "n" }

[stage.two]
inputs = "one.txt"
outputs = "two.txt"
run = "cksum < {inputs} > {outputs}"
"""


@pytest.fixture
def plain(project: Project) -> Project:
    """Two stages, written as a person would, built."""
    project.pipefile(PLAIN)
    project.write("a.txt", "a\n")
    project.write("b.txt", "b\n")
    assert project.build().ran == ["one", "two"]
    return project


def test_command(plain: Project) -> None:
    """Cases 21 and 22: another command runs that stage; a command put back before a build runs nothing."""
    plain.pipefile(PLAIN.replace("cat {a}", "cat -n {a}"))
    plain.pipefile(PLAIN)
    plain.settled()
    plain.pipefile(PLAIN.replace("cat {a}", "cat -n {a}"))
    assert plain.build().ran == ["one", "two"]
    plain.settled()
    plain.pipefile(PLAIN)
    assert plain.build().ran == ["one", "two"]
    plain.settled()


def test_command_with_the_same_result(plain: Project) -> None:
    """Case 21: its dependents stay as they are."""
    plain.pipefile(PLAIN.replace("cat {a}", "cat -u {a}"))
    assert plain.build().ran == ["one"]
    plain.settled()


REWRITTEN = """\
# What two stages do, with a comment
[stage.two]
run     = "cksum < {inputs} > {outputs}"   # sums
outputs = [ "./two.txt" ]
inputs  = [
  "./one.txt",
]
description = "sums"
tags = ["x"]

[stage.one]
timeout = "10m"
params.name = "n"
params.width = 1
inputs.a = "a.txt"
inputs.b = 'x/../b.txt'
outputs = "one.txt"
run = '''cat {a} {b} > {outputs}'''
log_limit = "1MB"

[alias]
all = ["one", "two"]
"""


@pytest.mark.parametrize(
    "text",
    [
        PLAIN + "\n# a comment\n",
        PLAIN.replace(" = ", "   =  "),
        PLAIN.replace("\n", "\r\n"),
        "\ufeff" + PLAIN,
        PLAIN.replace("width = 1, name", "name").replace('"n" }', '"n", width = 1 }'),
        "\n".join(reversed(PLAIN.split("\n\n"))),
        REWRITTEN,
    ],
    ids=["comment", "spaces", "CRLF", "BOM", "order of params", "order of stages", "all"],
)
def test_what_changes_nothing(plain: Project, text: str) -> None:
    """Case 23: comments, layout, the order of tables, and keys that are in no key."""
    plain.pipefile(text)
    plain.settled()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('b = "b.txt" }', 'b = "b.txt", c = "c.txt" }'),
        ('{ a = "a.txt", b = "b.txt" }', '{ b = "b.txt", a = "a.txt" }'),
        ('{ a = "a.txt", b = "b.txt" }', '{ a = "b.txt", b = "a.txt" }'),
        ('b = "b.txt" }', 'b = "c.txt" }'),
        ("width = 1", "width = 2"),
        ("width = 1", 'width = "1"'),
        ("width = 1, ", ""),
        ("params", 'version = "2"\nparams'),
        ("params", 'shell = ["sh", "-euc"]\nparams'),
        ("params", 'env = ["TRACKED"]\nparams'),
    ],
    ids=["added", "order", "swapped", "other", "param", "type of a param", "param dropped", "version", "shell", "env"],
)
def test_what_runs_the_stage(plain: Project, old: str, new: str) -> None:
    """Case 24: inputs added, swapped, or in another order, and every other value in the key; put back, it runs once more."""
    plain.write("c.txt", "b\n")
    assert old in PLAIN
    plain.pipefile(PLAIN.replace(old, new))
    assert plain.build().ran[0] == "one"
    plain.settled()
    plain.pipefile(PLAIN)
    assert plain.build().ran[0] == "one"
    plain.settled()


def test_input_dropped(plain: Project) -> None:
    """Case 24: an input fewer, and it need not be there any more."""
    plain.pipefile(PLAIN.replace(', b = "b.txt"', "").replace(" {b}", ""))
    plain.remove("b.txt")
    assert plain.build().ran == ["one", "two"]
    plain.settled()


def test_inputs_of_a_list(project: Project) -> None:
    """Case 24: a list that grows, shrinks, and is put in another order."""
    for path in "abc":
        project.write(path, path)
    for inputs in (["a", "b"], ["a", "b", "c"], ["c", "b", "a"], ["b", "a"], ["b"]):
        project.stage("join", inputs=inputs, outputs="join.txt", run="cat {inputs} > {outputs}")
        assert project.build().ran == ["join"], inputs
        project.settled()


def test_output_renamed(plain: Project) -> None:
    """Case 25: the output has a new name, its consumer reads that, and the old file is removed, with a line that says so."""
    plain.pipefile(PLAIN.replace("one.txt", "uno.txt"))
    outcome = plain.build()
    assert (outcome.exit_status, outcome.ran) == (0, ["one", "two"])
    assert outcome.output == "note: removed `one.txt`, which no stage makes any more\n"
    assert not plain.exists("one.txt")
    assert not plain.exists(plain.record("one.txt"))
    plain.settled()


def test_stage_renamed(plain: Project) -> None:
    """Case 25: a stage under another name takes its output over; nothing is removed."""
    plain.pipefile(PLAIN.replace("stage.two", "stage.sums"))
    outcome = plain.build()
    assert (outcome.exit_status, outcome.output) == (0, "")
    assert plain.exists("two.txt")
    plain.settled()


def test_stage_removed_and_added_again(plain: Project) -> None:
    """Case 26: its output and record go; when it comes back it runs, whether its inputs have changed since or not."""
    one = PLAIN[: PLAIN.index("[stage.two]")]
    for data in ("a\n", "changed\n"):
        plain.pipefile(one)
        assert plain.build().output == "note: removed `two.txt`, which no stage makes any more\n"
        assert not plain.exists(plain.record("two.txt"))
        plain.write("a.txt", data)
        plain.pipefile(PLAIN)
        assert plain.build().ran[-1] == "two"
        plain.settled()


def test_stage_without_outputs_removed_and_added_again(project: Project) -> None:
    """Case 26: the same for a stage whose record is in the store: with changed inputs it runs, with those of before its key still holds."""
    project.write("a.txt", "1")
    project.stage("lint", inputs="a.txt", run="grep -q . a.txt")
    project.stage("copy", inputs="a.txt", outputs="b.txt", run="cp {inputs} {outputs}")
    assert sorted(project.build("lint", "copy").ran) == ["copy", "lint"]
    project.drop("lint")
    assert project.build().ran == []
    project.write("a.txt", "2")
    project.stage("lint", inputs="a.txt", run="grep -q . a.txt")
    assert sorted(project.build("lint", "copy").ran) == ["copy", "lint"]
    project.settled("lint", "copy")


def test_output_handed_to_another_stage(project: Project) -> None:
    """Case 25: what one stage made, another one makes now."""
    project.stage("a", inputs="in.txt", outputs=["x.txt", "y.txt"], run="tee x.txt < {inputs} > y.txt")
    project.write("in.txt", "1\n")
    project.build()
    project.stage("a", inputs="in.txt", outputs=["x.txt"], run="cat {inputs} > x.txt")
    project.stage("b", inputs="x.txt", outputs=["y.txt"], run="rev {inputs} > {outputs}")
    outcome = project.build()
    assert (outcome.ran, outcome.output) == (["a", "b"], "")
    project.settled()


def test_output_that_becomes_a_directory_and_back(project: Project) -> None:
    """Case 25: the kind of an output changes; the old thing has to go first, by hand."""
    project.stage("a", outputs="x", run="echo 1 > {outputs}")
    project.build()
    project.stage("a", outputs="x/", run="echo 1 > {outputs}/1")
    outcome = project.build()
    assert (outcome.exit_status, outcome.ran) == (2, [])
    assert outcome.output == "error: `x/` is a file, but stage `a` makes a directory there\n  Pipefile.toml:2  `a`\nhint: move `x` away\n"
    project.remove("x")
    assert project.build().ran == ["a"]
    project.settled()
