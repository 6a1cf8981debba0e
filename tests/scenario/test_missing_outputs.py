"""Stages that end well and have not made what they declare, or something else in its place."""

from __future__ import annotations

import pytest
from kit import Project


def said(project: Project) -> str:
    """What a build says on standard error; it ends with exit status 1."""
    outcome = project.cli()
    assert outcome.exit_status == 1
    return outcome.err


@pytest.mark.parametrize("outputs", ["a", "a/"])
def test_nothing_written(project: Project, outputs: str) -> None:
    """Case 41: a stage that does not make its output has failed, and what needs it is not run."""
    project.stage("make", outputs=outputs, run="rm -rf {outputs}")
    project.stage("use", inputs="make.outputs", outputs="b", run="echo > {outputs}")
    assert said(project) == (
        f"Pipefile.toml:1:1: error: stage `make` ended with exit status 0 but did not write `{outputs}`\n  rm -rf .pipefile-tmp/a\n"
    )
    assert not project.exists("b")
    assert project.build().failed == ["make"]


def test_nothing_written_in_place(project: Project) -> None:
    """Case 41: what stood there before does not count as made."""
    project.write("src", "1")
    project.stage("make", inputs="src", outputs="a", run="test -e quiet || cp src a", infer_inputs=False)
    assert project.build().ran == ["make"]
    project.write("quiet", "")
    project.write("src", "2")
    assert said(project) == (
        "Pipefile.toml:1:1: error: stage `make` ended with exit status 0 but did not write `a`\n  test -e quiet || cp src a\n"
    )
    assert not project.exists("a")


def test_one_of_three_written(project: Project) -> None:
    """Case 41: all that is missing is named, and the one that was written is not kept."""
    project.stage("make", outputs=["a", "b", "d/"], run="echo > {outputs[0]}; rmdir {outputs[2]}")
    assert said(project) == (
        "Pipefile.toml:1:1: error: stage `make` ended with exit status 0 but did not write `b`, `d/`\n"
        "  echo > .pipefile-tmp/a; rmdir .pipefile-tmp/d\n"
    )
    assert not project.exists("a")


def test_function_that_writes_nothing(project: Project) -> None:
    """Case 41: the same for a function."""
    project.write("steps.py", "def make(outputs):\n    pass\n")
    project.stage("make", outputs="a", call="steps:make")
    assert said(project) == "Pipefile.toml:1:1: error: stage `make` returned but did not write `a`\n  steps:make\n"


OTHER = {
    "directory": ("a", "mkdir {outputs}", "a directory", "file"),
    "FIFO": ("a", "mkfifo {outputs}", "a FIFO", "file"),
    "socket": ("a", 'cd .pipefile-tmp; python3 -c "import socket; socket.socket(socket.AF_UNIX).bind(\'a\')"', "a socket", "file"),
    "link": ("a", "echo > other; ln -s ../other {outputs}", "a link", "file"),
    "link in a circle": ("a", "ln -s a {outputs}", "a link", "file"),
    "file": ("a/", "rmdir {outputs}; echo > {outputs}", "a file", "directory"),
    "FIFO for a directory": ("a/", "rmdir {outputs}; mkfifo {outputs}", "a FIFO", "directory"),
}


@pytest.mark.parametrize("kind", list(OTHER))
def test_another_kind(project: Project, kind: str) -> None:
    """Case 41: something else in the place of an output is an error, never a hang, and does not stay."""
    outputs, run, what, wanted = OTHER[kind]
    project.stage("make", outputs=outputs, run=f": {{outputs}}; {run}", infer_inputs=False)
    first = said(project).partition("\n")[0]
    assert first == (
        f"Pipefile.toml:1:1: error: stage `make` ended with exit status 0 but made {what} where its output `{outputs}` should be a {wanted}"
    )
    assert [path for path in ("a", ".a.hash", ".pipefile-tmp") if project.exists(path)] == []
    project.stage("make", outputs=outputs, run="echo > {outputs}" if outputs == "a" else "echo > {outputs}/x")
    assert project.build().ran == ["make"]
    assert project.build().ran == []


def test_special_files_inside_a_directory(project: Project) -> None:
    """Case 41: what cannot be hashed inside a directory output fails its stage too."""
    project.stage("make", outputs="a/", run="echo > {outputs}/x; mkfifo {outputs}/pipe")
    assert said(project) == (
        "Pipefile.toml:1:1: error: stage `make` failed: `.pipefile-tmp/a/pipe` is neither a file nor a directory\n"
        "  echo > .pipefile-tmp/a/x; mkfifo .pipefile-tmp/a/pipe\n"
    )
    assert not project.exists("a")


def test_missing_depfile(project: Project) -> None:
    """Case 41: a depfile that is not written is an error as well: without it, nobody knows what the stage has read."""
    project.stage("make", outputs="a", depfile="a.d", run="echo > {outputs}")
    assert said(project) == "Pipefile.toml:1:1: error: stage `make` did not write its depfile `a.d`\n  echo > .pipefile-tmp/a\n"


def test_what_is_left_beside_an_output(project: Project) -> None:
    """What a stage writes beside its temporary output is removed, and it is told."""
    project.stage("make", outputs="d/a", run="echo > {outputs}; echo > {outputs}.bak")
    outcome = project.cli()
    assert outcome.exit_status == 0
    assert outcome.err.startswith(
        "warning: `d/.pipefile-tmp/a.bak` was left beside a temporary output and is removed; outputs with `atomic = false` are written in place\n"
    )
    assert not project.exists("d/.pipefile-tmp")
