"""Commands that only look: not a byte, not a stamp of the tree is another afterwards."""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable

import pytest
from kit import Project

COMMANDS = [
    ["status"],
    ["status", "b"],
    ["status", "--json"],
    ["status", "--check"],
    ["why", "b"],
    ["list"],
    ["list", "--status"],
    ["list", "--json", "--status"],
    ["query", "inputs", "b"],
    ["query", "outputs", "use"],
    ["query", "deps", "b"],
    ["query", "rdeps", "src.txt"],
    ["graph"],
    ["graph", "--format", "dot"],
    ["graph", "--format", "json", "--waves"],
    ["check"],
    ["runs", "list"],
    ["runs", "show"],
    ["runs", "log", "latest", "make"],
    ["build", "-n"],
    ["-n", "-B", "b"],
    ["clean", "-n"],
]

ALL_OF_THEM = """
import json, sys
from pipefile.cli.main import main
for words in json.loads(sys.argv[1]):
    sys.stderr.write(f"ended with {main(words)}: {words}\\n")
"""


def declare(project: Project) -> None:
    project.write("src.txt", "one\n")
    project.write("other.txt", "other\n")
    project.write("steps.py", "import extra\n\ndef copy(inputs, outputs):\n    extra.copy(inputs[0], outputs[0])\n")
    project.write("extra.py", "import shutil\n\ndef copy(a, b):\n    shutil.copyfile(a, b)\n")
    project.write(".gitignore", "x\n")
    project.stage("make", inputs="src.txt", outputs="a", run="cat {inputs} other.txt > {outputs}; echo told")
    project.stage("use", inputs="a", outputs="b", call="steps:copy")
    project.stage("folder", inputs=["*.txt"], outputs="d/", depfile="dep", run="cp {inputs} {outputs}; echo d: other.txt > {depfile}")
    project.stage("test", inputs=["d/", "b"], run="test -s {inputs[1]}")


def never_built(project: Project) -> None:
    pass


def fresh(project: Project) -> None:
    assert project.build("b", "folder", "test").exit_status == 0


def stale(project: Project) -> None:
    fresh(project)
    project.write("other.txt", "edited\n")
    project.remove("b")
    project.write("d/more", "")
    project.touch("src.txt")


def failed(project: Project) -> None:
    fresh(project)
    project.stage("make", inputs="src.txt", outputs="a", run="echo half > {outputs}; exit 1")
    assert project.build().exit_status == 1


def killed(project: Project) -> None:
    """What a build leaves that was killed: a run that says that it runs, files half-written beside their places."""
    fresh(project)
    run = os.readlink(project.path("pipeline_outputs/latest"))
    path = f"pipeline_outputs/{run}/run.json"
    project.write(path, project.read(path).replace('"status": "succeeded"', '"status": "running", "owner": {"pid": 1, "start": 1, "boot": "x"}'))
    project.write(".pipefile-tmp/a", "half")
    project.write(".b.hash~", "half")
    project.write("pipeline_outputs/index~", "half")
    project.write(".pipefile.lock", "999999\npipefile build\n")


def damaged(project: Project) -> None:
    fresh(project)
    for path in (".a.hash", ".b.hash", "pipeline_outputs/index", "pipeline_outputs/lock", "pipeline_outputs/records/test.hash"):
        project.write(path, project.read_bytes(path)[:40] + b"\xff")
    run = os.readlink(project.path("pipeline_outputs/latest"))
    for name in ("run.json", "manifest.json"):
        project.write(f"pipeline_outputs/{run}/{name}", "{")
    project.remove("pipeline_outputs/latest")


def strange(project: Project) -> None:
    """Things that are no files in the places of pipefile's own."""
    fresh(project)
    for path in (".a.hash", "pipeline_outputs/index", ".pipefile.lock"):
        project.remove(path)
        os.mkfifo(project.path(path))
    project.remove(".b.hash")
    os.mkdir(project.path(".b.hash"))
    project.remove(".d.hash")
    os.symlink("/etc/passwd", project.path(".d.hash"))


@pytest.mark.parametrize("state", [never_built, fresh, stale, failed, killed, damaged, strange])
def test_nothing_is_written(project: Project, state: Callable[[Project], None]) -> None:
    """Case 60: no command that only looks writes, touches or removes anything, whatever it finds."""
    declare(project)
    state(project)
    before = project.tree()
    words = [sys.executable, "-c", ALL_OF_THEM, json.dumps(COMMANDS)]
    done = subprocess.run(words, cwd=project.root, env=project.environ, capture_output=True, text=True, check=True)
    ends = re.findall(r"^ended with (\d): ", done.stderr, re.MULTILINE)
    assert len(ends) == len(COMMANDS)
    assert set(ends) <= {"0", "1", "2"}, done.stderr
    assert "Traceback" not in done.stderr
    assert project.tree() == before
    assert not project.exists("__pycache__")


@pytest.mark.parametrize("state", [never_built, fresh, stale, killed, damaged, strange])
def test_a_look_tells_what_a_build_does(project: Project, state: Callable[[Project], None]) -> None:
    """Case 60: `status` and a dry run name what the build then runs, and `status --check` says whether anything is."""
    declare(project)
    state(project)
    targets = ("b", "folder", "test")
    wanted = {name for name, state in project.status(*targets).items() if state == "stale"}
    possible = {name for name, state in project.status(*targets).items() if state != "fresh"}
    assert set(project.build(*targets, dry_run=True).would_run) == possible
    assert project.cli("status", "--check", *targets).exit_status == int(bool(possible))
    if state is strange:
        project.remove(".pipefile.lock")
    ran = set(project.build(*targets).ran)
    assert wanted <= ran <= possible


def test_while_another_build_runs(project: Project) -> None:
    """Cases 60 and 74: commands that only look wait for nobody."""
    gate = project.gate("slow")
    project.stage("slow", outputs="a", run=f"{gate.shell}; echo > {{outputs}}")
    running = project.start()
    gate.wait()
    assert project.cli("status").out == "stale   slow: it has no record of an earlier run\n1 stale\n"
    assert project.cli("-n").exit_status == 0
    assert "running" in project.cli("runs", "list").out
    gate.release()
    assert running.wait().exit_status == 0


def test_a_look_does_not_hold_up_a_build(project: Project) -> None:
    """Case 74: nor does a build wait for one that looks: no lock is taken."""
    declare(project)
    fresh(project)
    with open(project.path(".pipefile.lock"), "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert project.cli("status", "b", "folder", "test").out == "4 fresh\n"
        assert project.cli("-n").exit_status == 0
