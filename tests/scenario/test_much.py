"""Stages that print much, and commands that are long."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from kit import Project

BYTES = int(os.environ.get("PIPEFILE_LARGE_OUTPUT", str(32 << 20)))

# By way of a small process: Linux begins a child's peak with that of its parent, and a long test run is large.
MEASURE = "import resource as r, subprocess, sys\nsubprocess.run(sys.argv[1:], check=True)\nprint(r.getrusage(r.RUSAGE_CHILDREN).ru_maxrss)"

STEPS = f"""
def run(out):
    for _ in range({BYTES} >> 16):
        print("x" * (1 << 16), end="")
    for _ in range({BYTES} // 200):
        print("y")
    open(out, "w").close()
"""


@pytest.mark.parametrize("kind", ["command", "function", "process"])
def test_endless_output(project: Project, kind: str) -> None:
    """Case 46: one line of many bytes, then many lines; PIPEFILE_LARGE_OUTPUT=2147483648 for 2 GB. The log is cut off, the builder stays small."""
    project.write("steps.py", STEPS)
    project.settings(log_limit="1MB")
    if kind == "command":
        run = f"head -c {BYTES} /dev/zero | tr '\\0' x; yes | head -n {BYTES // 200}; echo > {{out}}"
        project.stage("loud", outputs={"out": "a"}, run=run)
    else:
        project.stage("loud", outputs={"out": "a"}, call="steps:run", mode=kind)
    argv = [sys.executable, "-c", MEASURE, sys.executable, "-m", "pipefile"]
    done = subprocess.run(argv, cwd=project.root, env=project.environ, capture_output=True, check=True)
    *shown, last, peak = done.stdout.splitlines()
    assert last.startswith(b"1 ran in ")
    assert done.stderr == b""
    log = project.read_bytes("pipeline_outputs/latest/loud/log.txt")
    assert log.endswith(b"[pipefile: output beyond 1MB dropped]\n")
    assert len(log) < 1_000_100
    assert sum(map(len, shown)) < 1_100_000
    assert int(peak) < 100 << 10  # KiB
    assert project.build().ran == []


def test_names_of_three_megabytes(project: Project) -> None:
    """Case 50: too long for a command, and the message says the way out, which works; functions take any number."""
    names = [f"src/{number:05}-{'n' * 240}" for number in range(3 << 12)]
    for name in names:
        project.write(name, "")
    project.stage("all", inputs="src/*", outputs="all", run="ls {inputs} > {outputs}")
    outcome = project.cli()
    assert outcome.exit_status == 1
    reason = "argument list too long; `{inputs.file}` and `{outputs.file}` name files that list them"
    first, command = outcome.err.splitlines()
    assert first == f"Pipefile.toml:1:1: error: stage `all` failed: cannot start `sh`: {reason}"
    assert command.startswith("  ls src/00000-n")
    assert command.endswith(" > .pipefile-tmp/all")
    assert len(command) < 1300
    assert " characters more] " in command
    project.stage("all", inputs="src/*", outputs="all", run="cp {inputs.file} {outputs}")
    assert project.build().ran == ["all"]
    assert project.read("all").splitlines() == names
    project.write("steps.py", "def run(inputs, outputs):\n    with open(outputs[0], 'w') as out:\n        out.write(str(len(inputs)))\n")
    for mode in ("function", "process"):
        project.stage("all", inputs="src/*", outputs="all", call="steps:run", mode=mode)
        assert project.build(force=True).ran == ["all"]
        assert project.read("all") == str(len(names))


@pytest.mark.parametrize(
    ("length", "error"),
    [
        (1 << 20, "error: Pipefile.toml:3:1: `run` of stage `long` is longer than 1 MB\n"),
        (1 << 19, "Pipefile.toml:1:1: error: stage `long` failed: cannot start `sh`: argument list too long; "),
    ],
)
def test_a_command_of_a_megabyte(project: Project, length: int, error: str) -> None:
    """Case 50: one word that the system does not take."""
    project.stage("long", outputs="o", run=f": {'x' * length}; echo > {{outputs}}")
    outcome = project.cli()
    assert outcome.exit_status in (1, 2)
    assert outcome.err.startswith(error)
    assert max(map(len, outcome.err.splitlines())) < 1300
