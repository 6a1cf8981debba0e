"""`atomic = false`: outputs that are written where they stand."""

from __future__ import annotations

from typing import Any

from kit import Project

IN_PLACE = {"path": "build/a", "atomic": False}


def test_the_command_gets_the_place_itself(project: Project) -> None:
    """Asked for by placeholder, the output is its own path, and what is written beside it stays."""
    project.stage("make", outputs=[IN_PLACE], run="echo {outputs} > {outputs}; echo > {outputs}.bak")
    outcome = project.build()
    assert (outcome.ran, outcome.output) == (["make"], "")
    assert project.read("build/a") == "build/a\n"
    assert project.exists("build/a.bak")
    project.settled()


def test_a_function_gets_the_place_itself(project: Project) -> None:
    """As a command does; the other output of the stage is made beside and renamed."""
    project.write(
        "steps.py",
        "def make(a, b):\n    for ref in (a, b):\n        with open(ref, 'w') as file:\n            file.write(ref.path.rpartition('tree/')[2])\n",
    )
    project.stage("make", outputs={"a": IN_PLACE, "b": "build/b"}, call="steps:make")
    assert project.build().ran == ["make"]
    assert (project.read("build/a"), project.read("build/b")) == ("build/a", "build/.pipefile-tmp/b")
    project.settled()


def test_record_and_output_are_gone_before_each_attempt(project: Project) -> None:
    """Also before the second: an attempt never meets what an earlier one has left."""
    project.write("x", "1")
    project.stage(
        "make",
        inputs=["x"],
        outputs=[IN_PLACE],
        run='ls -A build > "$GATES/seen"; echo half > {outputs}; if [ ! -e "$GATES/once" ]; then : > "$GATES/once"; exit 7; fi',
        retry_policy={"max_attempts": 2, "delay": "1ms"},
    )
    assert project.build().ran == ["make"]
    assert project.read("../side/gates/seen") == ""
    project.write("x", "2")
    assert project.build().ran == ["make"]
    assert project.read("../side/gates/seen") == ""


def test_a_failure_leaves_nothing(project: Project) -> None:
    """The last good output is gone with the failed attempt, as where a command names its outputs."""
    project.write("x", "1")
    project.stage("make", inputs=["x"], outputs=[IN_PLACE], run="cp {inputs} {outputs}; grep -q 1 {inputs}")
    assert project.build().ran == ["make"]
    project.write("x", "2")
    assert project.build().failed == ["make"]
    assert not project.exists("build/a")
    assert not project.exists(project.record("build/a"))


def test_a_fallback_writes_in_place_too(project: Project) -> None:
    """It has the stage's outputs as the stage has them."""
    project.stage("plain", run="echo {outputs} > {outputs}")
    project.stage("make", outputs=[IN_PLACE], run="exit 3 > {outputs}", fallback="plain")
    assert project.build().degraded == ["make"]
    assert project.read("build/a") == "build/a\n"


def test_to_write_in_place_is_in_no_key(project: Project) -> None:
    """Where an output is written changes none of its bytes."""
    project.stage("make", outputs=["build/a"], run="echo > {outputs}")
    assert project.build().ran == ["make"]
    project.stage("make", outputs=[IN_PLACE], run="echo > {outputs}")
    assert project.build().ran == []


def test_a_directory_in_place(project: Project) -> None:
    """It is empty when the attempt begins."""
    place: dict[str, Any] = {"path": "build/d/", "atomic": False}
    project.write("x", "1")
    project.stage("make", inputs=["x"], outputs=[place], run="touch {outputs}/$(cat {inputs}); ls {outputs} > {outputs}/list")
    project.build()
    project.write("x", "2")
    project.build()
    assert project.read("build/d/list") == "2\nlist\n"
    project.settled()


def test_what_was_made_in_place_is_restored(project: Project) -> None:
    """From the cache, by way of a temporary path."""
    project.caching = True
    project.write("x", "1")
    project.stage("make", inputs=["x"], outputs=[IN_PLACE], run="cp {inputs} {outputs}")
    project.build()
    project.write("x", "2")
    project.build()
    project.write("x", "1")
    assert project.build().restored == ["make"]
    assert project.read("build/a") == "1"


def test_in_python(project: Project) -> None:
    """`@stage` takes the same table."""
    project.write(
        "pipeline.py",
        "from pipefile import stage\n\n\n@stage(outputs={'a': {'path': 'a.txt', 'atomic': False}})\ndef make(a):\n"
        "    with open(a, 'w') as file:\n        file.write(a.path.rpartition('tree/')[2])\n",
    )
    project.settings(python=["pipeline.py"])
    assert project.build().ran == ["make"]
    assert project.read("a.txt") == "a.txt"
