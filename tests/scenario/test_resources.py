"""Resources: who runs beside whom, what a stage is given, and what can never run."""

from __future__ import annotations

import pytest
from kit import Project

STEPS = """
import os

def devices(out):
    with open(out, "w") as file:
        file.write(os.environ.get("CUDA_VISIBLE_DEVICES", "all"))
"""


def marks(project: Project, kind: str) -> int:
    """How many stages have begun (`S`) or ended (`E`)."""
    with open(project.log, encoding="utf-8") as log:
        return sum(line.startswith(kind) for line in log)


def most(marks: list[str]) -> int:
    """How many of those that wrote `S` and `E` lines ran at once."""
    running = found = 0
    for mark in marks:
        running += 1 if mark.startswith("S") else -1
        found = max(found, running)
    return found


@pytest.mark.parametrize(("needs", "at_once"), [({"license": 1}, 2), ({"license": 2}, 1), ({"cpu": 3}, 1), ({"memory": "2GB"}, 3), ({}, 4)])
def test_no_more_at_once_than_fit(project: Project, needs: dict[str, object], at_once: int) -> None:
    """The first ones meet: each waits until as many run as fit, or until it is told that no more will come."""
    project.resources(license=2, memory="7GB")
    gates = [project.gate(f"g{at}") for at in range(6)]
    for at, gate in enumerate(gates):
        project.traced(f"s{at}", outputs=f"o{at}", run=f"{gate.shell}; touch o{at}", resources=needs)
    running = project.start("-j4")
    for first in range(0, 6, at_once):
        together = gates[first : first + at_once]
        for gate in together:
            gate.wait()
        for gate in together[:-1]:
            gate.release()
        together[-1].release()
        done = first + len(together)
        running.until(lambda done=done: marks(project, "E") >= done)
    assert running.wait().exit_status == 0
    with open(project.log) as log:
        assert most(log.read().splitlines()) <= at_once


def test_threads_are_the_share_of_cpus(project: Project) -> None:
    """`{threads}` is what `cpu` says, and no part of the key, nor is anything else that is said of resources."""
    project.stage("wide", outputs="wide", run="echo {threads} > {outputs}", resources={"cpu": 3})
    project.stage("plain", outputs="plain", run="echo {threads} > {outputs}")
    assert project.build(jobs=4).exit_status == 0
    assert (project.read("wide"), project.read("plain")) == ("3\n", "1\n")

    project.resources(license=1)
    project.stage("wide", outputs="wide", run="echo {threads} > {outputs}", resources={"cpu": 2, "license": 1})
    assert project.build(jobs=4).ran == []


def test_gpus_are_bound(project: Project) -> None:
    """Commands and functions find theirs in CUDA_VISIBLE_DEVICES; functions run in a process of their own for it."""
    project.resources(gpu=2)
    project.write("steps.py", STEPS)
    meet = [project.gate("one"), project.gate("two")]
    for at, gate in enumerate(meet):
        project.stage(f"c{at}", outputs=f"c{at}", run=f'{gate.shell}; echo "$CUDA_VISIBLE_DEVICES" > {{outputs}}', resources={"gpu": 1})
    project.stage("both", outputs={"out": "both"}, call="steps:devices", after=["c0", "c1"], resources={"gpu": 2})
    project.stage("none", outputs={"out": "none"}, call="steps:devices")
    running = project.start("-j2")
    for gate in meet:
        gate.wait()
    for gate in meet:
        gate.release()
    assert running.wait().exit_status == 0
    assert sorted([project.read("c0"), project.read("c1")]) == ["0\n", "1\n"]
    assert (project.read("both"), project.read("none")) == ("0,1", "all")
    assert "mode: process (`resources` has a `gpu`)" in project.cli("runs", "show").out


def test_gpus_in_the_builder(project: Project) -> None:
    """With `mode = "function"` a function has the builder, and its environment, to itself while it runs."""
    project.resources(gpu=3)
    project.write("steps.py", STEPS)
    for at in range(3):
        project.stage(f"g{at}", outputs={"out": f"g{at}"}, call="steps:devices", mode="function", resources={"gpu": 1})
        project.stage(f"n{at}", outputs={"out": f"n{at}"}, call="steps:devices", mode="function")
    assert project.build(jobs=4).exit_status == 0
    assert [project.read(f"n{at}") for at in range(3)] == ["all"] * 3
    assert {project.read(f"g{at}") for at in range(3)} <= {"0", "1", "2"}


def test_gpus_that_the_environment_names(project: Project) -> None:
    """Where CUDA_VISIBLE_DEVICES is set already, there are no others; a variable that says so is no part of the key."""
    project.resources(gpu="auto")
    project.stage("a", outputs="a", run='echo "$CUDA_VISIBLE_DEVICES" > {outputs}', resources={"gpu": 2})
    environ = {**project.environ, "CUDA_VISIBLE_DEVICES": "GPU-7f, 3"}
    assert project.build(environ=environ).exit_status == 0
    assert project.read("a") == "GPU-7f,3\n"
    assert project.build(environ=project.environ).ran == []


def test_gpus_are_counted(project: Project) -> None:
    """`auto` asks nvidia-smi, if a stage that may run needs one; without such a program there are none."""
    project.resources(gpu="auto")
    project.stage("a", outputs="a", run='echo "$CUDA_VISIBLE_DEVICES" > {outputs}', resources={"gpu": 2})
    outcome = project.build()
    assert outcome.output == (
        "error: stage `a` needs 2 of `gpu`, and there are 0\n"
        "  Pipefile.toml:7  `a`\n"
        "hint: they are counted by `nvidia-smi`, or by CUDA_VISIBLE_DEVICES\n"
    )
    project.write("bin/nvidia-smi", "#!/bin/sh\necho 0; echo 1\n", executable=True)
    path = {**project.environ, "PATH": f"{project.path('bin')}:{project.environ['PATH']}"}
    assert project.build(environ=path).ran == ["a"]
    assert project.read("a") == "0,1\n"


@pytest.mark.parametrize(
    ("needs", "message"),
    [
        ({"cpu": 3}, "stage `b` needs 3 CPUs, and `-j` is 2\n  Pipefile.toml:13  `b`\nhint: `-j 3` is enough"),
        ({"license": 2}, "stage `b` needs 2 of `license`, and there are 1\n  Pipefile.toml:13  `b`\nhint: `[resources]` says how many there are"),
        ({"memory": "8GB"}, "stage `b` needs 8GB of memory, and there are 4GB\n  Pipefile.toml:13  `b`\nhint: `[resources]` says how many there are"),
    ],
)
def test_what_can_never_run(project: Project, needs: dict[str, object], message: str) -> None:
    """It is an error before anything runs, with file and line."""
    project.resources(license=1, memory="4GB")
    project.stage("a", outputs="a", run="touch {outputs}")
    project.stage("b", inputs="a", outputs="b", resources=needs, run="cp {inputs} {outputs}")
    outcome = project.build()
    assert (outcome.exit_status, outcome.ran, outcome.output) == (2, [], f"error: {message}\n")
    assert not project.exists("a")
    dry = project.cli("-n", "-j2")
    assert (dry.exit_status, dry.out, dry.err) == (2, "", f"error: {message}\n")


def test_check_tells_of_all_that_can_never_run(project: Project) -> None:
    """Each of them, as a build would; not what is fresh, though it was made where there was more."""
    project.resources(license=1, disk=3)
    project.stage("a", outputs="a", run="touch {outputs}", resources={"license": 2})
    project.stage("b", outputs="b", run="touch {outputs}", resources={"disk": 4})
    project.stage("c", outputs="c", run="touch {outputs}", resources={"disk": 3})
    assert project.build("c").ran == ["c"]
    project.resources(license=1, disk=2)
    outcome = project.cli("check")
    assert (outcome.exit_status, outcome.out) == (1, "3 stages: 2 faults\n")
    hint = "hint: `[resources]` says how many there are\n"
    assert outcome.err == (
        f"error: stage `a` needs 2 of `license`, and there are 1\n  Pipefile.toml:8  `a`\n{hint}"
        f"error: stage `b` needs 4 of `disk`, and there are 2\n  Pipefile.toml:13  `b`\n{hint}"
    )
    assert project.cli("-n", "c").exit_status == 0


def test_memory_of_the_machine(project: Project) -> None:
    project.stage("a", outputs="a", run="touch {outputs}", resources={"memory": "900TB"})
    first, second, _ = project.build().output.splitlines() + [""]
    assert first.startswith("error: stage `a` needs 900TB of memory, and there are ")
    assert second == "  Pipefile.toml:4  `a`"
    project.stage("a", outputs="a", run="touch {outputs}", resources={"memory": "1MB"})
    assert project.build().ran == ["a"]


def test_what_is_fresh_need_not_fit(project: Project) -> None:
    """A stage that ran elsewhere, and need not run here, is in nobody's way; what turns out to be stale on the way fails."""
    project.write("src", "1\n")
    project.stage("a", inputs="src", outputs="a", run="cp {inputs} {outputs}")
    project.stage("b", inputs="a", outputs="b", run="cp {inputs} {outputs}", resources={"cpu": 3})
    project.stage("c", inputs=["b", "src"], outputs="c", run="cat {inputs} > {outputs}")
    assert project.build(jobs=3).exit_status == 0
    project.write("src", "1\n\n")
    project.stage("a", inputs="src", outputs="a", run="head -n1 {inputs} > {outputs}")
    assert project.build(jobs=2).ran == ["a", "c"]

    project.write("src", "2\n")
    outcome = project.build(jobs=2)
    assert (outcome.exit_status, outcome.ran, outcome.failed) == (1, ["a"], ["b"])
    assert "stage `b` needs 3 CPUs, and `-j` is 2" in outcome.output
    assert project.build(jobs=3).ran == ["b", "c"]


def test_a_fallback_has_needs_of_its_own(project: Project) -> None:
    project.resources(license=1)
    project.stage("main", outputs="x", run="echo {threads} > {outputs}; exit 1", fallback="plain", resources={"cpu": 2})
    project.stage("plain", run="echo {threads} > {outputs}", resources={"license": 1, "cpu": 3})
    assert project.build(jobs=3).degraded == ["main"]
    assert project.read("x") == "3\n"
    assert project.build(jobs=2).output.partition("\n")[0] == "error: stage `plain` needs 3 CPUs, and `-j` is 2"


def test_resources_are_free_between_attempts(project: Project) -> None:
    """A stage that waits for its next attempt holds nothing meanwhile."""
    project.resources(license=1)
    project.stage("fails", outputs="x", run="test -e {store}/../again && touch {outputs}", resources={"license": 1}, infer_inputs=False,
                  retry_policy={"max_attempts": 9, "delay": "50ms", "backoff": "constant"})
    project.stage("helps", outputs="y", run="touch again {outputs}", resources={"license": 1})
    assert project.build(jobs=1).exit_status == 0
