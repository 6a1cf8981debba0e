"""What the key of an earlier result covers: another one of any is a miss."""

from __future__ import annotations

import os

import pytest
from kit import Project
from kit.restored import chain, undone, whole


@pytest.fixture
def cached(project: Project) -> Project:
    project.caching = True
    project.write("x", "one\n")
    return project


def test_each_thing_that_the_key_covers(cached):
    """Case 87: the command, the tool, a declared variable, a param, a version, names and contents of inputs: another one of any is a miss."""
    cached.write("bin/tool", '#!/bin/sh\ncat "$1" > "$2"\n', executable=True)
    cached.environ["PATH"] = f"{cached.path('bin')}:{cached.environ['PATH']}"
    keys: dict[str, object] = {"inputs": ["x"], "outputs": ["o/a"], "run": "tool {inputs} {outputs}", "env": ["LEVEL"]}

    def build(**changes: object) -> bool:
        """Whether it is restored after it was built with *changes*, from a state in which nothing stands."""
        cached.stage("a", **{**keys, **changes})  # type: ignore[arg-type]
        for path in ("o/a", cached.record("o/a")):
            if cached.exists(path):
                cached.remove(path)
        outcome = cached.build()
        assert outcome.exit_status == 0, outcome.output
        return outcome.restored == ["a"]

    def misses_once(**changes: object) -> None:
        assert not build(**changes)
        assert build(**changes)
        assert build() is True  # and nothing of that has changed what there was

    cached.write("y", "one\n")
    assert not build()
    assert build()
    misses_once(run="tool {inputs} {outputs} more")
    misses_once(inputs=["y"])
    misses_once(inputs={"name": "x"}, run="tool {name} {outputs}")
    misses_once(version="2")
    misses_once(params={"a": 1})
    cached.environ["LEVEL"] = "2"
    assert not build()
    assert build()
    cached.write("x", "two\n")
    assert not build()
    assert build()
    cached.write("bin/tool", '#!/bin/sh\n# version 2\ncat "$1" > "$2"\n', executable=True)
    assert not build()
    assert build()


def test_another_platform(cached, monkeypatch):
    """Case 87: what was made on another kind of machine is a miss."""
    chain(cached)
    undone(cached)
    here = os.uname()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result((here.sysname, here.nodename, here.release, here.version, "other")))
    assert whole(undone(cached))[0] == ["a", "b", "c"]
