"""Processes: what stages leave behind, what they are given, and how signals end them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest
from kit import Gate, Project


def read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


HALF = "printf half > {place}; {gate}; printf 'whole\\n' > {place}"


def halves(project: Project) -> list[Gate]:
    """Two stages that wait with half their output written, one by a temporary output and one in place, and one that comes after them."""
    gates = [project.gate("by_name"), project.gate("in_place")]
    project.stage("by_name", outputs="a", run=HALF.format(place="{outputs}", gate=gates[0].shell), infer_inputs=False)
    project.stage("in_place", outputs="b", run=HALF.format(place="b", gate=gates[1].shell), infer_inputs=False)
    project.stage("both", inputs=["a", "b"], outputs="c", run="cat {inputs} > {outputs}")
    return gates


def is_undone(project: Project) -> None:
    """Nothing lives, nothing half-written is left, and a build makes all."""
    assert project.processes() == []
    assert [path for path in ("a", "b", "c", ".pipefile-tmp") if project.exists(path)] == []
    assert project.read(".pipefile.lock") == ""
    outcome = project.build()
    assert (sorted(outcome.ran), outcome.exit_status) == (["both", "by_name", "in_place"], 0)
    assert project.read("c") == "whole\nwhole\n"
    assert project.build().ran == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("whole_group", [True, False])
def test_interrupted(project: Project, number: signal.Signals, whole_group: bool) -> None:
    """Cases 34 and 36: a signal ends the build with its stages at once; nothing half-written stays, nor is believed."""
    gates = halves(project)
    running = project.start("-j2")
    for gate in gates:
        gate.wait()
    if whole_group:
        running.signal_group(number)
    else:
        running.signal(number)
    outcome = running.wait(20)
    assert (outcome.exit_status, outcome.err) == (128 + number, "")
    assert sorted(outcome.out.splitlines()[:2]) == ["by_name  interrupted", "in_place  interrupted"]
    assert outcome.out.splitlines()[2].startswith("interrupted: 1 skipped in ")
    for gate in gates:
        gate.release()
    is_undone(project)


def test_stages_that_an_interrupt_kept_from_starting(project: Project) -> None:
    """A stage that was found to be stale, and not started since the build was interrupted, is stale in the next build as well."""
    gate = project.gate("slow")
    project.write("src", "1")
    project.stage("slow", inputs="src", outputs="a", run=f"{gate.shell}; cp {{inputs}} {{outputs}}")
    for at in range(3):
        project.traced(f"other{at}", inputs="src", outputs=f"o{at}", run="cp {inputs} {outputs}")
    gate.release()
    assert project.build(jobs=1).exit_status == 0
    gate.wait()
    project.write("src", "2")
    running = project.start("-j1")
    gate.wait()
    running.signal()
    outcome = running.wait()
    assert outcome.exit_status == 130
    gate.release()
    kept = {"other0", "other1", "other2"}.difference(outcome.ended)  # which one starts first is up to how long they took
    assert set(project.build().ran) == {"slow", *kept}
    assert set(project.outputs().values()) == {(b"2", False)}


def test_run_of_an_interrupted_build(project: Project) -> None:
    """The history says of an interrupted build what it was."""
    gates = halves(project)
    running = project.start("-j2")
    for gate in gates:
        gate.wait()
    running.signal()
    assert running.wait().exit_status == 130
    shown = project.cli("runs", "show")
    assert "interrupted" in shown.out


def test_interrupted_twice(project: Project) -> None:
    """Case 35: stages that ignore every signal are killed at the second one."""
    told, ready = project.gate("told"), project.gate("ready")
    deaf = f"trap '{told.arrive}' INT; trap '' TERM HUP; (trap '' INT TERM; {told.pause}) & {ready.arrive}; while :; do wait; done"
    project.stage("deaf", outputs="a", run=f"echo half > {{outputs}}; {deaf}")
    running = project.start()
    ready.wait()
    running.signal()
    told.wait()  # two signals sent at once could arrive as one
    running.signal()
    assert running.wait(30).exit_status == 130
    assert project.processes() == []
    assert project.cli("status").exit_status == 0
    project.stage("deaf", outputs="a", run="echo > {outputs}")
    assert project.build().ran == ["deaf"]


def test_interrupted_once_with_deaf_stages(project: Project) -> None:
    """Case 34: stages that ignore SIGINT and SIGTERM are killed a while after the first signal."""
    gate = project.gate("deaf")
    project.stage("deaf", outputs="a", run=f"trap '' INT TERM HUP; {gate.shell}; echo > {{outputs}}")
    running = project.start()
    gate.wait()
    running.signal()
    assert running.wait(20).exit_status == 130
    assert project.processes() == []
    assert not project.exists("a")


def test_interrupt_of_a_pipeline(project: Project) -> None:
    """Case 36: Ctrl-C in `pipefile 2>&1 | cat` ends the build as without the pipe."""
    gates = halves(project)
    script = f'{{ {{ trap : INT; "{sys.executable}" -m pipefile -j2; echo status $? >&3; }} 2>&1 | cat; }} 3>&1'
    with subprocess.Popen(["sh", "-c", script], cwd=project.root, env=project.environ, stdout=subprocess.PIPE, start_new_session=True) as shell:
        for gate in gates:
            gate.wait()
        os.killpg(shell.pid, signal.SIGINT)  # `cat` dies of it as well, so nobody reads any more
        out, _ = shell.communicate(timeout=60)
    assert out.splitlines()[-1] == b"status 130"
    for gate in gates:
        gate.release()
    is_undone(project)


def test_reader_that_leaves(project: Project) -> None:
    """Case 36: `pipefile | head -1` builds all, and ends as it should."""
    for at in range(5):
        project.stage(f"s{at}", outputs=f"o{at}", run=f"yes {at} | head -n 20000; echo {at} > {{outputs}}")
    script = f'{{ "{sys.executable}" -m pipefile -j1; echo $? > "$LOG.status"; }} 2>"$LOG.err" | head -n 1'
    subprocess.run(["sh", "-c", script], cwd=project.root, env=project.environ, stdout=subprocess.DEVNULL, check=True, timeout=100)
    assert (read(f"{project.log}.status"), read(f"{project.log}.err")) == ("0\n", "")
    assert project.build().ran == []


def test_daemon(project: Project) -> None:
    """Case 43: a daemon that holds the output of its stage holds up nothing, and the next build does not take it for an orphan."""
    gate = project.gate("daemon")
    project.stage("start", outputs="a", run=f"({gate.shell}) & echo started; echo > {{outputs}}")
    project.stage("next", inputs="a", outputs="b", run="cp {inputs} {outputs}")
    outcome = project.cli("-j1")
    assert (outcome.exit_status, outcome.err) == (0, "")
    assert "\nstarted\n" in outcome.out
    assert outcome.seconds < 20
    (daemon,) = project.processes()
    project.stage("more", inputs="b", outputs="c", run="cp {inputs} {outputs}")
    assert project.cli().exit_status == 0
    assert project.exists("c")
    assert project.processes() == [daemon]
    gate.release()


def test_timeout(project: Project) -> None:
    """Case 44: when a stage's time is up, its whole group is ended, and it says so."""
    gate = project.gate("child")
    project.stage("slow", outputs="a", run=f"echo begun; ({gate.shell}) & {gate.shell}; echo > {{outputs}}", timeout="500ms")
    outcome = project.cli()
    assert outcome.exit_status == 1
    assert outcome.seconds < 30
    assert project.processes() == []
    run = os.readlink(project.path("pipeline_outputs/latest"))
    assert outcome.err == (
        "Pipefile.toml:1:1: error: stage `slow` failed: timed out after 500 ms\n"
        f"  echo begun; ({gate.shell}) & {gate.shell}; echo > .pipefile-tmp/a\n"
        f"  log: pipeline_outputs/{run}/slow/log.txt\n"
        "begun\n"
    )
    assert not project.exists("a")


def test_timeout_of_deaf_processes(project: Project) -> None:
    """Case 44: what ignores SIGTERM is killed."""
    gate = project.gate("child")
    project.stage("slow", outputs="a", run=f"trap '' TERM; (trap '' TERM; {gate.shell}) & {gate.shell}", timeout="300ms")
    outcome = project.cli()
    assert (outcome.exit_status, project.processes()) == (1, [])
    assert outcome.err.startswith("Pipefile.toml:1:1: error: stage `slow` failed: timed out after 300 ms\n")


def test_timeout_leaves_others_alone(project: Project) -> None:
    """Case 44: with -k the others go on, and what did not need the late one is made."""
    gate = project.gate("late")
    project.stage("late", outputs="a", run=gate.shell, timeout="200ms")
    project.stage("other", outputs="b", run="echo b > {outputs}")
    outcome = project.build(keep_going=True)
    assert (outcome.failed, outcome.ran) == (["late"], ["other"])


def test_standard_input(project: Project) -> None:
    """Case 48: a stage's standard input is empty, whatever pipefile's own is."""
    project.stage("read", outputs="a", run="cat > {outputs}; test ! -t 0")
    outcome = project.cli(input="not for stages\n")
    assert (outcome.exit_status, outcome.err, project.read("a")) == (0, "", "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_of_a_failing_build(project: Project, closed: str) -> None:
    """Case 49: with its streams closed, a build makes what it can and its status tells; logs have what stages print, and no file has our words."""
    project.stage("good", outputs="a", run="echo out; echo err >&2; echo a > {outputs}")
    project.stage("bad", inputs="a", outputs="b", run="echo bad; exit 3")
    script = f'"{sys.executable}" -m pipefile {closed}'
    done = subprocess.run(["sh", "-c", script], cwd=project.root, env=project.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert project.read("pipeline_outputs/latest/good/log.txt") == "out\nerr\n"
    assert project.read("pipeline_outputs/latest/bad/log.txt") == "bad\n"
    assert (project.read("a"), project.exists("b")) == ("a\n", False)
    assert "Traceback" not in done.stdout + done.stderr


def test_a_shell_with_one_program_becomes_it(project: Project) -> None:
    """`tool > file` costs one process: the program leads the stage's group itself. With more to do the shell stays."""
    project.write("who", "#!/bin/sh\nread -r pid name state parent group rest < /proc/self/stat\n[ $pid = $group ] && echo leads || echo follows\n")
    os.chmod(project.path("who"), 0o755)
    project.stage("alone", inputs="who", outputs="alone.txt", run="./who > {outputs}")
    project.stage("two", inputs="who", outputs="two.txt", run="./who > {outputs}; true")
    assert project.cli().exit_status == 0
    assert (project.read("alone.txt"), project.read("two.txt")) == ("leads\n", "follows\n")
