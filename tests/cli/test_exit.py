"""How the program ends when it does not end well: interrupts, faults of the machine, faults of ours."""

from __future__ import annotations

import re
from signal import SIGHUP, SIGINT, SIGTERM, Signals

import pytest
from kit import Project


@pytest.mark.parametrize(("number", "status"), [(SIGINT, 130), (SIGTERM, 143), (SIGHUP, 129)])
def test_an_interrupted_build(project: Project, number: Signals, status: int) -> None:
    """It says so, and ends with 128 and the signal's number."""
    gate = project.gate("slow")
    project.stage("slow", outputs="s.txt", run=f"{gate.shell}; echo > {{outputs}}")
    project.stage("next", inputs="s.txt", outputs="n.txt", run="cp {inputs} {outputs}")
    building = project.start()
    gate.wait()
    building.signal_group(number)
    outcome = building.wait()
    assert outcome.exit_status == status
    assert re.sub(r"\d+\.\d+ s", "T", outcome.out) == "slow  interrupted\ninterrupted: 1 skipped in T\n"
    assert outcome.err == ""


def test_an_interrupt_while_waiting_for_another_build(project: Project) -> None:
    """`clean` waits for the lock: Ctrl-C ends it without a traceback."""
    gate = project.gate("slow")
    project.stage("slow", outputs="s.txt", run=f"{gate.shell}; echo > {{outputs}}")
    building = project.start()
    gate.wait()
    cleaning = project.start("clean")
    cleaning.until(lambda: cleaning.out != "")
    cleaning.signal(SIGINT)
    outcome = cleaning.wait()
    assert (outcome.out, outcome.err, outcome.exit_status) == (f"waiting for pid {building.pid}: pipefile\n", "", 130)
    gate.release()
    assert building.wait().exit_status == 0


def broken(project: Project, error: str) -> dict[str, str]:
    """An environment in which the program meets *error* as soon as it asks where it stands."""
    project.write("sabotage/sitecustomize.py", f"import os\ndef fails():\n    raise {error}\nos.getcwd = fails\n")
    return {"PYTHONPATH": f"{project.path('sabotage')}:{project.environ['PYTHONPATH']}"}


def test_a_bug(project: Project) -> None:
    """A traceback, whose fault it is, and exit status 3."""
    outcome = project.cli("list", env=broken(project, "RuntimeError('oops \\x1b[2J')"))
    lines = outcome.err.splitlines()
    assert (lines[0], lines[-2], outcome.exit_status) == ("Traceback (most recent call last):", "RuntimeError: oops \\x1b[2J", 3)
    assert re.fullmatch(r"error: this is a bug in pipefile \S+", lines[-1])


def test_what_the_machine_refuses(project: Project) -> None:
    """Is neither a bug nor a traceback."""
    outcome = project.cli("list", env=broken(project, "OSError(28, 'No space left on device', '/tmp/x')"))
    assert (outcome.err, outcome.exit_status) == ("error: `/tmp/x`: no space left on device\n", 1)


@pytest.mark.parametrize("said", ["2 ran", "2 fresh"])
def test_whoever_wants_to_hear_of_the_end_does(project: Project, said: str) -> None:
    """A build ends its process at once, but not under a tool, or with code of the project, that has asked to be told of its end."""
    project.stage("a", outputs="a", run="echo > {outputs}")
    project.stage("b", inputs="a", outputs="b", run="cp {inputs} {outputs}")
    if said == "2 fresh":
        project.build()
    project.write("side/sitecustomize.py", f"import atexit\natexit.register(lambda: open({project.path('told')!r}, 'w').close())\n")
    outcome = project.cli(env={"PYTHONPATH": f"{project.path('side')}:{project.environ['PYTHONPATH']}"})
    assert outcome.out.splitlines()[-1].startswith(said)
    assert project.exists("told")
