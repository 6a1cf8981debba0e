"""Builds with worker processes that are interrupted, killed, or lose what their workers are forked from."""

from __future__ import annotations

import os
import signal
import time

import pytest
from kit import Gate, Project
from kit.fifo import PATIENCE
from kit.workers import children, command

WAITS = """
import os, signal
def meet(name):
    gates = os.environ["GATES"]
    with open(f"{gates}/{name}.here", "w") as file:
        file.write("here\\n")
    fd = os.open(f"{gates}/{name}.go", os.O_RDONLY)
    os.read(fd, 3)
    os.close(fd)

def half(out, gate):
    with open(out, "w") as file:
        file.write("half")
        file.flush()
        meet(gate)
        file.write("whole")

def deaf(out, gate):
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    half(out, gate)

def quick(out):
    with open(out, "w") as file:
        file.write("quick")
"""


def waiting(project: Project, function: str = "half", mode: str = "process", **keys: object) -> list[Gate]:
    """Two stages that wait with half their output written, and one that comes after them."""
    project.write("steps.py", WAITS)
    for name in ("a", "b"):
        project.stage(name, outputs={"out": name}, call=f"steps:{function}", params={"gate": f"g{name}"}, mode=mode, **keys)
    project.stage("both", inputs=["a", "b"], outputs="c", run="cat {inputs} > {outputs}")
    return [project.gate("ga"), project.gate("gb")]


def is_undone(project: Project, gates: list[Gate]) -> None:
    """Nothing lives, nothing half-written is left, and a build makes all."""
    assert project.processes() == []
    assert [path for path in ("a", "b", "c", ".pipefile-tmp") if project.exists(path)] == []
    for gate in gates:
        gate.release()
    outcome = project.cli()
    assert (outcome.exit_status, outcome.err) == (0, "")
    assert project.read("c") == "halfwholehalfwhole"


def until_none(project: Project) -> None:
    give_up = time.monotonic() + PATIENCE
    while project.processes():
        assert time.monotonic() < give_up


def zygotes(project: Project) -> list[int]:
    return [pid for pid in project.processes() if "pipefile.execute.zygote" in command(pid) and children(pid)]


@pytest.mark.parametrize("mode", ["process", "function"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted(project: Project, number: signal.Signals, mode: str) -> None:
    """Cases 34 and 36: the build ends with its workers; nothing half-written stays."""
    gates = waiting(project, mode=mode)
    running = project.start("-j2")
    for gate in gates:
        gate.wait()
    running.signal_group(number)
    outcome = running.wait(20)
    assert outcome.exit_status == 128 + number
    assert sorted(line for line in outcome.out.splitlines() if line.endswith("interrupted")) == ["a  interrupted", "b  interrupted"]
    is_undone(project, gates)


def test_interrupted_twice_with_deaf_workers(project: Project) -> None:
    """Case 35."""
    gates = waiting(project, "deaf")
    running = project.start("-j2")
    for gate in gates:
        gate.wait()
    running.signal()
    running.signal()
    assert running.wait(20).exit_status == 130
    is_undone(project, gates)


def test_a_killed_worker_fails_its_stage(project: Project) -> None:
    """Cases 40 and 52: the message names the stage and the signal, the other stage is made, and the next build makes the rest."""
    gates = waiting(project)
    running = project.start("-j2", "-k")
    gates[0].wait()
    gates[1].wait()
    (zygote,) = zygotes(project)
    os.kill(children(zygote)[0], signal.SIGKILL)
    gates[0].release()
    gates[1].release()
    outcome = running.wait()
    assert outcome.exit_status == 1
    assert " failed: killed by SIGKILL\n" in outcome.err
    assert outcome.out.splitlines()[-1].startswith("1 ran, 1 failed, 1 skipped in ")
    gates[0].release()
    gates[1].release()
    assert project.cli().exit_status == 0
    assert project.read("c") == "halfwholehalfwhole"


def test_stages_are_repeated_whose_end_nobody_has_heard_of(project: Project) -> None:
    """What starts the workers dies: that is no fault of the stages, so they run again."""
    gates = waiting(project)
    running = project.start("-j2")
    for gate in gates:
        gate.wait()
    os.kill(zygotes(project)[0], signal.SIGKILL)
    for gate in gates:
        gate.wait()
        gate.release()
    outcome = running.wait()
    assert outcome.exit_status == 0
    text = "the process that starts workers has ended (killed by SIGKILL)"
    assert sorted(outcome.err.splitlines()) == [f"warning: stage `{name}` runs again: {text}" for name in ("a", "b")]
    assert project.read("c") == "halfwholehalfwhole"
    until_none(project)


@pytest.mark.parametrize("function", ["half", "deaf"])
def test_a_killed_builder_takes_its_workers_along(project: Project, function: str) -> None:
    """Case 33: no worker writes when the builder is gone."""
    gates = waiting(project, function)
    running = project.start("-j2")
    for gate in gates:
        gate.wait()
    running.signal(signal.SIGKILL)
    running.wait()
    until_none(project)
    for gate in gates:
        gate.release()
    assert project.cli().exit_status == 0
    assert project.read("c") == "halfwholehalfwhole"


def test_workers_whose_zygote_and_builder_were_killed_are_ended_by_the_next_build(project: Project) -> None:
    """Case 33: they hold the lock's descriptor."""
    gates = waiting(project, "deaf")
    running = project.start("-j2")
    for gate in gates:
        gate.wait()
    zygote = zygotes(project)
    running.signal(signal.SIGSTOP)  # it must not hear of the one before it is killed itself
    os.kill(zygote[0], signal.SIGKILL)
    running.signal(signal.SIGKILL)
    running.wait()
    assert len(project.processes()) == 2
    project.write("steps.py", WAITS)
    for name in ("a", "b"):
        project.stage(name, outputs={"out": name}, call="steps:quick", mode="process")
    outcome = project.cli()
    assert (outcome.exit_status, project.read("c")) == (0, "quickquick")
    assert project.processes() == []


def test_a_stopped_builder_goes_on(project: Project) -> None:
    """Case 37."""
    gates = waiting(project, timeout="1h")
    running = project.start("-j2")
    for gate in gates:
        gate.wait()
    running.signal(signal.SIGSTOP)
    for gate in gates:
        gate.release()
    running.signal(signal.SIGCONT)
    assert running.wait().exit_status == 0
    assert project.read("c") == "halfwholehalfwhole"


def test_a_grandchild_in_a_session_of_its_own_ends_with_its_stage(project: Project) -> None:
    """Case 45."""
    gate = project.gate("deep")
    project.write("steps.py", f"import subprocess\ndef run(out):\n    subprocess.run(['setsid', 'sh', '-c', {gate.shell!r}])\n")
    project.stage("a", outputs={"out": "a"}, call="steps:run", timeout="1s")
    running = project.start()
    gate.wait()
    outcome = running.wait(30)
    assert outcome.err.startswith("Pipefile.toml:1:1: error: stage `a` failed: timed out after 1 s\n")
    assert project.processes() == []


def test_a_daemon_of_a_worker(project: Project) -> None:
    """Case 43: it delays nothing, and the next build does not take it for an orphan."""
    gate = project.gate("daemon")
    project.write(
        "steps.py",
        f"import subprocess\ndef run(out):\n    subprocess.Popen(['sh', '-c', {gate.shell!r}], close_fds=False)\n    open(out, 'w').close()\n",
    )
    project.stage("a", outputs={"out": "a"}, call="steps:run", mode="process")
    assert project.cli().exit_status == 0
    (daemon,) = project.processes()
    project.stage("b", inputs="a", outputs="b", run="cp {inputs} {outputs}")
    assert project.cli().exit_status == 0
    assert project.processes() == [daemon]
    gate.release()
