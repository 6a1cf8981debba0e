"""Two builders in one tree, and those who look on."""

from __future__ import annotations

import os
import signal
import sys

import pytest
from kit import Gate, Project

LINES = "echo 1 >> {outputs}; echo 2 >> {outputs}; cat {inputs} >> {outputs}"


def chain(project: Project, length: int = 3) -> None:
    """Stages that each append to their own output line by line, one after the other."""
    project.write("0.txt", "x\n")
    for number in range(length):
        project.traced(f"s{number}", inputs=f"{number}.txt", outputs=f"{number + 1}.txt", run=LINES)


def held(project: Project) -> Gate:
    """A stage `slow` that waits at the gate that is given back, and `last`, which needs it."""
    project.write("in.txt", "x\n")
    gate = project.gate("at")
    project.traced("slow", inputs="in.txt", outputs="slow.txt", run=f"{gate.shell}; cp {{inputs}} {{outputs}}")
    project.traced("last", inputs="slow.txt", outputs="last.txt", run="cp {inputs} {outputs}")
    return gate


@pytest.mark.parametrize("number", range(20))
def test_two_builds_at_once(project: Project, number: int) -> None:
    """Case 71: started together, each stage runs once, alone, and both end well."""
    chain(project)
    both = [project.start("-j2"), project.start("-j2")]
    outcomes = [each.wait() for each in both]
    assert [(each.exit_status, each.err) for each in outcomes] == [(0, "")] * 2
    with open(project.log, encoding="utf-8") as file:
        lines = file.read().split("\n")
    assert lines == [f"{mark} s{stage}" for stage in range(3) for mark in "SE"] + [""]
    assert project.read("3.txt") == "1\n2\n" * 3 + "x\n"
    project.settled()


def test_the_second_build_waits_and_says_for_whom(project: Project) -> None:
    """Case 71: then it does what is left, which is nothing."""
    gate = held(project)
    first = project.start()
    gate.wait()
    second = project.start("-j1")
    second.until(lambda: second.out != "")
    assert second.out == f"waiting for pid {first.pid}: pipefile\n"
    gate.release()
    assert first.wait().ended == ["slow", "last"]
    outcome = second.wait()
    assert (outcome.exit_status, outcome.err) == (0, "")
    assert outcome.out.splitlines()[1].startswith("2 fresh in ")


def test_a_build_that_must_not_wait(project: Project) -> None:
    """Case 71: --no-wait ends at once with 4, and touches nothing."""
    gate = held(project)
    first = project.start()
    gate.wait()
    before = project.tree()
    outcome = project.cli("--no-wait")
    assert (outcome.exit_status, outcome.out) == (4, "")
    assert outcome.err == f"error: `{project.root}` is locked by pid {first.pid}: pipefile\nhint: without `--no-wait` it is waited for\n"
    assert project.tree() == before
    gate.release()
    assert first.wait().exit_status == 0


def test_a_builder_that_was_killed_leaves_no_lock(project: Project) -> None:
    """Case 72: the next build starts at once, ends what the dead one left running, and builds."""
    gate = held(project)
    first = project.start()
    gate.wait()
    first.signal(signal.SIGKILL)
    first.wait()
    assert len(project.processes()) == 1
    second = project.start("--no-wait")
    gate.wait()
    assert len(project.processes()) == 2  # the builder and its stage; the other one is gone
    gate.release()
    outcome = second.wait()
    assert (outcome.exit_status, outcome.err, outcome.started, outcome.ended) == (0, "", ["slow", "last"], ["slow", "last"])
    assert project.processes() == []
    assert project.cli().started == []


def test_another_pid_in_the_lock(project: Project) -> None:
    """Case 72: the file's text locks nothing: a living pid, one of our own, or none at all."""
    chain(project, 1)
    for text in (f"{os.getpid()}\npipefile\n", "1\ninit\n", "999999999\npipefile\n", "no pid\n", "\0" * 100, "x" * 100_000):
        project.write(".pipefile.lock", text)
        project.write("0.txt", text[:3])
        outcome = project.cli("--no-wait")
        assert (outcome.exit_status, outcome.err, outcome.ended) == (0, "", ["s0"])


def test_clean_while_a_build_is_at_work(project: Project) -> None:
    """Case 73: it waits, then removes all that was built."""
    gate = held(project)
    first = project.start()
    gate.wait()
    clean = project.start("clean")
    clean.until(lambda: clean.out != "")
    assert clean.out == f"waiting for pid {first.pid}: pipefile\n"
    assert project.exists("in.txt")
    gate.release()
    assert first.wait().exit_status == 0
    assert clean.wait().exit_status == 0
    assert [project.exists(path) for path in ("slow.txt", "last.txt", "in.txt")] == [False, False, True]
    gate.release()
    assert project.cli("--no-cache").ended == ["slow", "last"]


def test_a_build_inside_a_stage(project: Project) -> None:
    """Case 73: refused at once, from any folder of the project; the stage fails, nothing waits for ever."""
    project.traced("outer", outputs="a.txt", run='cd sub; "$PYTHON" -m pipefile b; echo > {outputs}')
    project.stage("b", outputs="b.txt", run="echo > {outputs}")
    project.write("sub/x", "")
    outcome = project.cli("outer", env={"PYTHON": sys.executable})
    assert (outcome.exit_status, outcome.started, outcome.ended) == (1, ["outer"], [])
    text = f"error: a stage of the build in `{project.root}` starts another build there, and each would wait for the other for ever\n"
    assert text in outcome.out + outcome.err
    assert not project.exists("b.txt")


def test_a_question_inside_a_stage(project: Project) -> None:
    """Case 73: whoever only reads may do so."""
    project.traced("outer", outputs="a.txt", run='"$PYTHON" -m pipefile list > {outputs}')
    outcome = project.cli("outer", env={"PYTHON": sys.executable})
    assert (outcome.exit_status, outcome.ended) == (0, ["outer"])
    assert "outer" in project.read("a.txt")


def test_a_build_of_another_project_inside_a_stage(project: Project) -> None:
    """Case 73: a project below is another project, with a lock of its own."""
    project.write("inner/Pipefile.toml", '[stage.x]\noutputs = ["x.txt"]\nrun = "echo inner > {outputs}"\n')
    project.traced("outer", outputs="a.txt", run='"$PYTHON" -m pipefile -C inner; cp inner/x.txt {outputs}')
    assert project.cli(env={"PYTHON": sys.executable}).exit_status == 0
    assert project.read("a.txt") == "inner\n"


def test_status_while_a_build_is_at_work(project: Project) -> None:
    """Case 74: it answers at once, tells what is done by then, and changes nothing."""
    gate = held(project)
    first = project.start()
    gate.wait()
    before = project.tree()
    for words in (("status",), ("why", "last.txt"), ("list", "--status"), ("build", "-n"), ("runs", "list"), ("graph",)):
        outcome = project.cli(*words)
        assert outcome.exit_status == 0, (words, outcome.text)
        assert "Traceback" not in outcome.err
        assert outcome.seconds < 20  # it does not wait for a build that ends only when we say so
    assert project.tree() == before
    gate.release()
    assert first.wait().exit_status == 0


def test_status_sees_no_half_written_record(project: Project) -> None:
    """Case 74: asked again and again while records are written, it never warns of one."""
    chain(project, 30)
    building = project.start("-j2")
    asked = 0
    while building.process.poll() is None:
        states = project.status()
        assert set(states) == {f"s{number}" for number in range(30)}
        assert set(states.values()) <= {"fresh", "stale", "unknown"}
        asked += 1
    assert asked
    assert building.wait().exit_status == 0
    assert set(project.status().values()) == {"fresh"}
