"""`pipefile audit`, and what other commands say of undeclared reads and writes."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys

import pytest
from kit import Project

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")

COMMAND = "cat {inputs} data/*.csv > {outputs}; echo seen >> seen.log; : > scratch; rm scratch"


@pytest.fixture
def files(project: Project) -> Project:
    """A stage without any Python that reads and writes more than it declares, after another one."""
    project.write("a.txt", "a\n")
    project.write("unread.txt", "")
    project.write("data/b c.csv", "b\n")
    project.stage("first", inputs="a.txt", outputs="b.txt", run="cp {inputs} {outputs}")
    project.stage("make", inputs=["b.txt"], outputs=["out/c.txt"], run=COMMAND)
    return project


def timeless(text: str) -> str:
    return re.sub(r"\d+\.\d+ s", "T", text)


def test_more_than_it_declares(files: Project) -> None:
    """Case 94: what it needs is built, it runs, and what it did is told; its outputs count, so that nothing is left to do."""
    outcome = files.cli("audit", "make")
    assert outcome.exit_status == 1
    assert timeless(outcome.out) == (
        "[1/2] first  T\n"
        "[2/2] make  T\n"
        "stage `make` touches 2 files that it does not declare: 2 files of the project read, 2 files written\n"
        "  reads data/b c.csv\n"
        "  writes seen.log\n"
        "2 ran in T\n"
    )
    assert outcome.err == (
        "warning: stage `make` reads `data/b c.csv`, which it does not declare\n"
        "  Pipefile.toml:7  `make`\n"
        'hint: add `inputs = [..., "data/b c.csv"]`\n'
        "warning: stage `make` writes `seen.log`, which it does not declare\n"
        "  Pipefile.toml:8  `make`\n"
        'hint: add `outputs = [..., "seen.log"]`\n'
    )
    assert files.read("out/c.txt") == "a\nb\n"
    files.settled()


def test_all_declared(files: Project) -> None:
    """Fresh or not, it runs; an input that is never opened is told, and is no fault."""
    files.stage("make", inputs=["b.txt", "unread.txt", "data/*.csv"], outputs=["out/c.txt"], run="cat b.txt data/*.csv > {outputs}")
    assert files.cli().exit_status == 0
    outcome = files.cli("audit", "make")
    assert (outcome.exit_status, outcome.err) == (0, "")
    assert timeless(outcome.out) == (
        "[2/2] make  T\n"
        "stage `make` declares all that it does: 2 files of the project read, 1 file written\n"
        "inputs that it never opened:\n"
        "  unread.txt\n"
        "1 ran, 1 fresh in T\n"
    )


def test_as_json(files: Project) -> None:
    """One event more, and the same in those of the stage and in the run."""
    outcome = files.cli("audit", "make", "--json")
    events = [json.loads(line) for line in outcome.out.splitlines()]
    undeclared = {"reads": ["data/b c.csv"], "writes": ["seen.log"]}
    traced = next(event for event in events if event["event"] == "traced")
    assert {name: value for name, value in traced.items() if name != "time"} == {
        "event": "traced",
        "stage": "make",
        "instance": "",
        "read": ["b.txt", "data/b c.csv"],
        "written": ["out/c.txt", "seen.log"],
        "unread": [],
        "undeclared": undeclared,
    }
    assert [event.get("undeclared") for event in events if event["event"] == "stage_finished"] == [None, undeclared]
    edges = json.loads(files.cli("runs", "show", "--json").out)["edges"]
    assert [edge["undeclared"] for edge in edges] == [{}, undeclared]
    assert "  reads undeclared: data/b c.csv\n  writes undeclared: seen.log\n" in files.cli("runs", "show").out


def test_a_function(files: Project) -> None:
    """A function runs in a process of its own; what it raises is told as of any stage."""
    make = "def make(src, dst):\n    open(dst, 'w').write(open(src).read() + open('data/b c.csv').read())\n"
    files.write("steps.py", f"{make}\ndef bad(src):\n    1 / 0\n")
    files.stage("make", inputs={"src": "b.txt"}, outputs={"dst": "c.txt"}, call="steps:make")
    outcome = files.cli("audit", "make")
    assert outcome.exit_status == 1
    assert "stage `make` touches 1 file that it does not declare: 3 files of the project read, 1 file written\n" in outcome.out
    assert "  reads data/b c.csv\n" in outcome.out
    files.stage("bad", inputs={"src": "a.txt"}, call="steps:bad")
    outcome = files.cli("audit", "bad")
    assert outcome.exit_status == 1
    assert "ZeroDivisionError: division by zero" in outcome.err
    assert "touches" not in outcome.out


def test_strict_and_tracked(files: Project) -> None:
    """What the stage's own `audit` says holds here too, for all programs: a strict stage fails, what is tracked becomes an input."""
    files.stage("make", inputs=["b.txt"], outputs=["c.txt"], run="cat {inputs} data/*.csv > {outputs}", audit="strict")
    outcome = files.cli("audit", "make")
    assert (outcome.exit_status, files.exists("c.txt")) == (1, False)
    assert "read `data/b c.csv`, which it does not declare\n" in outcome.err
    files.stage("make", inputs=["b.txt"], outputs=["c.txt"], run="cat {inputs} data/*.csv > {outputs}", audit="track")
    assert files.cli("audit", "make").exit_status == 1
    files.write("data/b c.csv", "edited\n")
    assert files.why("make") == {"make": ["file it read, `data/b c.csv` changed"]}


def test_instances(files: Project) -> None:
    """One instance at a time."""
    files.stage("each", for_each={"n": ["x", "y"]}, outputs=["out/{n}.txt"], run="cat data/*.csv > {outputs}")
    refused = files.cli("audit", "each")
    assert (refused.exit_status, refused.err) == (2, "error: `audit` takes one stage, and `each` has 2 instances\nhint: `each@x` is one of them\n")
    outcome = files.cli("audit", "each@y")
    assert outcome.exit_status == 1
    assert "stage `each@y` touches 1 file that it does not declare: 1 file of the project read, 1 file written\n" in outcome.out
    assert "warning: stage `each` reads `data/b c.csv`, which it does not declare\n" in outcome.err


def test_a_stage_that_a_condition_leaves_out(files: Project) -> None:
    """It says so."""
    files.stage("make", inputs=["b.txt"], outputs=["c.txt"], run="cp {inputs} {outputs}", should_run=False)
    outcome = files.cli("audit", "make")
    assert outcome.exit_status == 0
    assert "stage `make` is skipped: " in outcome.out


def test_bad_requests(files: Project) -> None:
    """What is no stage, and a machine without strace."""
    outcome = files.cli("audit", "mak")
    assert (outcome.exit_status, outcome.err) == (2, "error: no alias, stage or output is called `mak`\nhint: did you mean `make`?\n")
    outcome = files.cli("audit", "b.txt")
    assert (outcome.exit_status, outcome.err) == (2, "error: `audit` takes one stage, and `b.txt` is none\nhint: stage `first` makes it\n")
    os.makedirs(files.path("bin"))
    for name in ("sh", "cp"):
        os.symlink(shutil.which(name) or "", files.path(f"bin/{name}"))
    outcome = files.cli("audit", "make", env={"PATH": files.path("bin")})
    assert (outcome.exit_status, outcome.err) == (
        2,
        "error: `audit` needs strace, which is not installed\nhint: `apt install strace`, `dnf install strace` or `pacman -S strace`\n",
    )
    files.write("bin/strace", "#!/bin/sh\necho 'strace: ptrace(PTRACE_TRACEME, ...): Operation not permitted' >&2\nexit 1\n", executable=True)
    outcome = files.cli("audit", "make", env={"PATH": files.path("bin")})
    assert (outcome.exit_status, outcome.err) == (
        2,
        "error: strace cannot trace here: strace: ptrace(PTRACE_TRACEME, ...): Operation not permitted\n"
        "hint: in a container it takes `--cap-add=SYS_PTRACE`; elsewhere see /proc/sys/kernel/yama/ptrace_scope\n",
    )


def test_check_knows_what_the_last_run_saw(files: Project) -> None:
    """`check` tells of it without running anything, until it is declared."""
    files.write("make.py", "import sys\nopen('data/b c.csv')\nopen(sys.argv[1], 'w').write('x')\n")
    files.stage("make", outputs=["c.txt"], run=f"{sys.executable} make.py {{outputs}}")
    assert files.build().exit_status == 0
    outcome = files.cli("check")
    assert (outcome.exit_status, outcome.out) == (0, "2 stages: 1 warning\n")
    assert outcome.err == (
        "warning: stage `make` reads `data/b c.csv`, which it does not declare\n  Pipefile.toml:6  `make`\nhint: add `inputs = [\"data/b c.csv\"]`\n"
    )
    files.stage("make", inputs=["data/*.csv"], outputs=["c.txt"], run=f"{sys.executable} make.py {{outputs}}")
    assert files.cli("check").out == "2 stages: no faults\n"
