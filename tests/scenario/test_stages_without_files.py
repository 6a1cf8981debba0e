"""Stages without outputs, without inputs, without both, and those that always run."""

from __future__ import annotations

import re

import pytest
from kit import Project


def test_without_outputs(project: Project) -> None:
    """Case 3: lint and tests are remembered: fresh while their key is; not in the default set."""
    project.stage("lint", inputs="src/*.txt", run="cat {inputs}")
    project.write("src/a.txt", "a\n")
    outcome = project.build("lint")
    assert (outcome.ran, outcome.output) == (["lint"], "a\n")
    project.settled("lint")
    project.write("src/a.txt", "b\n")
    assert project.build("lint").ran == ["lint"]
    project.write("src/b.txt", "c\n")
    assert project.build("lint").output == "b\nc\n"
    project.settled("lint")
    assert project.build().ran == []


def test_without_outputs_that_fails(project: Project) -> None:
    """Case 38: a check that failed is no check: it runs again; so does one whose inputs were right before."""
    project.stage("lint", inputs="a.txt", run="grep -q good {inputs}")
    project.write("a.txt", "good\n")
    assert project.build("lint").ran == ["lint"]
    project.write("a.txt", "bad\n")
    assert project.build("lint").failed == ["lint"]
    assert project.build("lint").failed == ["lint"]
    project.write("a.txt", "good\n")
    assert project.build("lint").ran == ["lint"]
    project.settled("lint")


def test_without_inputs(project: Project) -> None:
    """Case 11: made once, and again when its output is not as it was."""
    project.stage("make", outputs="out.txt", run="echo 1 > {outputs}")
    assert project.build().ran == ["make"]
    project.settled()
    project.remove("out.txt")
    assert project.build().ran == ["make"]
    project.settled()


def test_without_both(project: Project) -> None:
    """Case 3: it runs whenever it is asked for."""
    project.traced("hello")
    for _ in range(2):
        assert project.build("hello").ran == ["hello"]
        assert project.cli("hello").started == ["hello"]
    assert project.why("hello") == {"hello": ["it has neither inputs nor outputs"]}
    assert project.status("hello") == {"hello": "stale"}


@pytest.mark.parametrize("run", ["echo hello", "true", "echo a b > /dev/null", ["echo", "hello"]])
def test_words_are_no_inputs(project: Project, run: object) -> None:
    """Case 3: words of a command that name no files do not make it remembered."""
    project.stage("hello", run=run)
    for _ in range(2):
        assert project.build("hello").ran == ["hello"]
        assert re.search(r"^1 ran in [\d.]+ s$", project.cli("hello").out, re.MULTILINE)


def test_a_script_is_an_input(project: Project) -> None:
    """Case 3: a file that the command names is an input, so the stage is remembered, until that is edited or gone."""
    project.stage("verify", run="sh check.sh")
    project.write("check.sh", "echo checked\n")
    assert project.build("verify").ran == ["verify"]
    project.settled("verify")
    project.write("check.sh", "echo checked again\n")
    assert project.build("verify").ran == ["verify"]
    project.settled("verify")


def test_always(project: Project) -> None:
    """Case 12: it runs in every build; what reads its output runs only if that has changed."""
    project.stage("now", outputs="now.txt", run="cat /dev/null src.txt > {outputs}", always=True)
    project.traced("use", inputs="now.txt", outputs="use.txt", run="cat {inputs} > {outputs}")
    project.write("src.txt", "1\n")
    assert project.build().ran == ["now", "use"]
    for _ in range(2):
        assert project.build().ran == ["now"]
        assert project.cli().started == []
    project.write("src.txt", "2\n")
    assert project.build().ran == ["now", "use"]
    assert project.why("now") == {"now": ["it is marked `always`"]}
    assert project.clean_outputs() == project.outputs()
