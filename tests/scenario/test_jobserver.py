"""GNU make's jobserver, both ends: pipefile under make, and make under pipefile (case 55).

All that runs make is tried with one whose jobserver is a pipe, and with one that has a fifo, as make has since 4.4: the package `gnumake` of the dev
group brings such a one where the system's is older.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from functools import cache

import pytest
from kit import Gate, Project
from kit.process import Running

WARNING = (
    "warning: MAKEFLAGS names a jobserver that is not open here: begin the line of the recipe with `+`, so that make hands it on\n"
)


class Meeting:
    """Jobs of whichever program, that say when they have come, and wait until they may go."""

    def __init__(self, project: Project, name: str = "job") -> None:
        self.project = project
        self.gate: Gate = project.gate(name)
        self.job = f'echo "S $$" >> "$LOG"; {self.gate.pause}; echo "E $$" >> "$LOG"'

    def marks(self) -> str:
        try:
            with open(self.project.log, encoding="utf-8") as log:
                return "".join(line[0] for line in log)
        except FileNotFoundError:
            return ""

    def run(self, running: Running, jobs: int, at_once: int) -> None:
        """See *jobs* of them through, of which *at_once* must come before the first one goes, and each further one when one has gone."""
        for gone in range(jobs):
            running.until(lambda gone=gone: self.marks().count("S") == min(jobs, gone + at_once))
            assert self.marks().count("E") == gone
            self.gate.release()
            running.until(lambda gone=gone: self.marks().count("E") == gone + 1)

    def most(self) -> int:
        now = found = 0
        for mark in self.marks():
            now += 1 if mark == "S" else -1
            found = max(found, now)
        return found


@cache
def installed() -> dict[str, str]:
    """The makes that are here, by the style of their jobserver."""
    found: dict[str, str] = {}
    for folder in (os.path.dirname(sys.executable), *os.get_exec_path()):
        program = shutil.which("make", path=folder)
        if program is not None:
            said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.split()
            if said[:2] == ["GNU", "Make"]:
                version = tuple(int(part) for part in said[2].split(".")[:2])
                found.setdefault("fifo" if version >= (4, 4) else "pipe", program)
    return found


@pytest.fixture(params=["pipe", "fifo"])
def style(request: pytest.FixtureRequest, project: Project) -> str:
    """Puts a make first on PATH whose jobserver is a pipe, or a fifo."""
    style: str = request.param
    program = installed().get(style)
    if program is None:
        pytest.skip("no GNU make before 4.4 is installed" if style == "pipe" else "no GNU make from 4.4 on is installed")
    folder = os.path.join(project.side, "make")
    os.mkdir(folder)
    os.symlink(program, os.path.join(folder, "make"))
    project.environ["PATH"] = f"{folder}:{project.environ['PATH']}"
    return style


def under_make(project: Project, rule: str) -> None:
    program = f"{sys.executable} -m pipefile"
    project.write("Makefile", rule.replace("PIPEFILE", program))


def test_under_make(project: Project, style: str) -> None:
    """No more jobs than `make -j3` allows, over make's own and pipefile's; without `-j`, pipefile runs as many as those."""
    meeting = Meeting(project)
    for at in range(4):
        project.stage(f"s{at}", outputs=f"o{at}", run=f"{meeting.job}; touch o{at}", infer_inputs=False)
    job = meeting.job.replace("$", "$$")
    under_make(project, f"all: tree one two\ntree:\n\t+PIPEFILE\none:\n\t{job}\ntwo:\n\t{job}\n")
    running = project.program("make", "-j3")
    meeting.run(running, 6, 3)
    outcome = running.wait()
    assert (outcome.exit_status, outcome.err) == (0, "")
    assert meeting.most() == 3


@pytest.mark.parametrize("style", ["pipe", "fifo"])
def test_tokens_of_either_style(project: Project, style: str) -> None:
    """As many as there are tokens, and one; all tokens are back at the end. With `-j` given, no more than that either."""
    meeting = Meeting(project)
    for at in range(5):
        project.stage(f"s{at}", outputs=f"o{at}", run=f"{meeting.job}; touch o{at}", infer_inputs=False)
    path = os.path.join(project.side, "fifo")
    os.mkfifo(path)
    end = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    os.write(end, b"ab")
    if style == "fifo":
        auth, argv = f"fifo:{path}", []
    else:
        auth, argv = "8,9", ["sh", "-c", f'exec "$@" 8<"{path}" 9>"{path}"', "sh"]
    flags = {"MAKEFLAGS": f" -j8 --jobserver-auth={auth}"}
    running = project.program(*argv, sys.executable, "-m", "pipefile", env=flags)
    meeting.run(running, 5, 3)
    assert running.wait().exit_status == 0
    assert sorted(os.read(end, 9)) == sorted(b"ab")
    os.close(end)


@pytest.mark.parametrize("how", ["failure", "interrupt", "kill of a stage"])
def test_tokens_are_back_however_it_ends(project: Project, how: str) -> None:
    gates = [project.gate(f"g{at}") for at in range(3)]
    for at, gate in enumerate(gates):
        project.stage(f"s{at}", outputs=f"o{at}", run=f"{gate.shell}; kill -9 $$", infer_inputs=False)
    path = os.path.join(project.side, "fifo")
    os.mkfifo(path)
    end = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    os.write(end, b"ab")
    running = project.start(env={"MAKEFLAGS": f" -j3 --jobserver-auth=fifo:{path}"})
    for gate in gates:
        gate.wait()
    with pytest.raises(BlockingIOError):
        os.read(end, 9)
    if how == "interrupt":
        running.signal()
    else:
        for gate in gates[: 1 if how == "failure" else 3]:
            gate.release()
        if how == "failure":
            running.until(lambda: "killed by SIGKILL" in running.out + running.err or project.exists("pipeline_outputs/latest"))
            for gate in gates[1:]:
                gate.release()
    assert running.wait().exit_status == (130 if how == "interrupt" else 1)
    assert sorted(os.read(end, 9)) == sorted(b"ab")
    os.close(end)


def test_the_outer_make_ends_when_pipefile_is_killed(project: Project, style: str) -> None:
    """Case 55: after `kill -9` of pipefile, which has all tokens, make has a job of its own left; as with a make below, it ends when those have ended
    that hold its pipe."""
    gate = project.gate("stage")
    project.stage("s", outputs="o", run=f"{gate.shell}", infer_inputs=False)
    project.stage("t", outputs="p", run=f"{gate.shell}", infer_inputs=False)
    under_make(project, "all: tree one\ntree:\n\t+echo $$$$ > pid; exec PIPEFILE\none: two\n\ttouch one\ntwo:\n\ttouch two\n")
    running = project.program("make", "-k", "-j2")
    gate.wait()
    os.kill(int(project.read("pid")), signal.SIGKILL)
    running.until(lambda: project.exists("one"))
    gate.release(2)
    assert running.wait().exit_status == 2


def test_the_plus_is_missing(project: Project, style: str) -> None:
    """Where make has not handed the jobserver on, a warning says how it would, and one stage runs at a time, as with a make below. A fifo is there
    for whoever knows its name."""
    meeting = Meeting(project)
    for at in range(2):
        project.stage(f"s{at}", outputs=f"o{at}", run=f"{meeting.job}; touch o{at}", infer_inputs=False)
    under_make(project, "tree:\n\tPIPEFILE\n")
    running = project.program("make", "-j4")
    at_once = 1 if style == "pipe" else 2
    meeting.run(running, 2, at_once)
    outcome = running.wait()
    assert outcome.exit_status == 0
    assert outcome.out.count(WARNING) + outcome.err.count(WARNING) == (style == "pipe")
    assert meeting.most() == at_once


def makes(project: Project, stages: int, jobs: int, meeting: Meeting) -> None:
    """Stages that each run a make with so many jobs."""
    rules = "".join(f"j{at}:\n\t@{meeting.job.replace('$', '$$')}\n" for at in range(jobs))
    project.write("sub.mk", f"all: {' '.join(f'j{at}' for at in range(jobs))}\n{rules}")
    for at in range(stages):
        project.stage(f"m{at}", outputs=f"o{at}", run=f"make -s -f {{inputs}}; touch o{at}", inputs="sub.mk")


def test_make_below(project: Project, style: str) -> None:
    """Two stages that run make with four jobs each: together as many as `-j3` says."""
    meeting = Meeting(project)
    makes(project, 2, 4, meeting)
    running = project.start("-j3")
    meeting.run(running, 8, 3)
    outcome = running.wait()
    assert (outcome.exit_status, outcome.err) == (0, "")
    assert meeting.most() == 3
    assert "warning" not in outcome.out


def test_make_below_make(project: Project, style: str) -> None:
    """One jobserver for all of them: make, pipefile, and the make that a stage runs."""
    meeting = Meeting(project)
    makes(project, 1, 4, meeting)
    job = meeting.job.replace("$", "$$")
    under_make(project, f"all: tree one\ntree:\n\t+PIPEFILE\none:\n\t{job}\n")
    running = project.program("make", "-j2")
    meeting.run(running, 5, 2)
    assert running.wait().exit_status == 0
    assert meeting.most() == 2


def test_a_make_that_is_killed(project: Project, style: str) -> None:
    """Case 55: the tokens that it had are there again for what comes after."""
    meeting = Meeting(project)
    gate = project.gate("doomed")
    rules = "".join(f"j{at}:\n\t@{gate.shell.replace('$', '$$')}\n" for at in range(3))
    project.write("doomed.mk", f"all: j0 j1 j2\n{rules}")
    project.stage("doomed", outputs="o", run="echo $$ > {store}/pid; exec make -s -f {inputs}", inputs="doomed.mk")
    makes(project, 1, 3, meeting)
    project.stage("m0", outputs="o0", run="make -s -f {inputs}; touch o0", inputs="sub.mk", after=["doomed"])
    project.stage("instead", run="touch {outputs}")
    project.stage("doomed", outputs="o", run="echo $$ > {store}/pid; exec make -s -f {inputs}", inputs="doomed.mk", fallback="instead")
    running = project.start("-j3")
    for _ in range(3):
        gate.wait()
    os.kill(int(project.read("pipeline_outputs/pid")), signal.SIGKILL)
    gate.release(3)
    meeting.run(running, 3, 3)
    assert running.wait().exit_status == 0
    assert meeting.most() == 3


def test_it_is_in_no_key(project: Project) -> None:
    """A stage that tracks MAKEFLAGS is stale by what a person says there, not by the jobserver."""
    project.stage("a", outputs="a", run="echo $MAKEFLAGS > {outputs}", env=["MAKEFLAGS"])
    assert project.build(jobs=2).ran == ["a"]
    assert "--jobserver-auth=" in project.read("a")
    assert project.build(jobs=3, environ={**project.environ, "MAKEFLAGS": " -j9 --jobserver-auth=3,4"}).ran == []
    assert project.build(jobs=3, environ={**project.environ, "MAKEFLAGS": "k"}).ran == ["a"]
    assert project.read("a").startswith("k -j3 --jobserver-auth=")


def test_one_job_has_no_jobserver(project: Project) -> None:
    project.stage("a", outputs="a", run='echo "${MAKEFLAGS-none}" > {outputs}')
    assert project.build(jobs=1).exit_status == 0
    assert project.read("a") == "none\n"


def test_cpus_are_tokens(project: Project) -> None:
    """A stage with several CPUs gets as many as there are tokens for, and `{threads}` says so."""
    project.stage("a", outputs="a", run="echo {threads} > {outputs}", resources={"cpu": 4})
    path = os.path.join(project.side, "fifo")
    os.mkfifo(path)
    end = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    os.write(end, b"ab")
    assert project.cli(env={"MAKEFLAGS": f" -j4 --jobserver-auth=fifo:{path}"}).exit_status == 0
    assert project.read("a") == "3\n"
    assert sorted(os.read(end, 9)) == sorted(b"ab")
    os.close(end)
