"""What the history tells of the CPU time and the memory of stages."""

from __future__ import annotations

import json
import re
import sys

import pytest
from kit import Project

STEPS = """
def hold(out):
    kept = bytearray(150_000_000)
    for at in range(0, len(kept), 4096):
        kept[at] = 1
    number = sum(range(1_000_000))
    with open(out, "w") as file:
        file.write(str(number))
"""


def entry(project: Project, stage: str) -> dict[str, object]:
    manifest = json.loads(project.read("pipeline_outputs/latest/manifest.json"))
    found: dict[str, object] = next(edge for edge in manifest["edges"] if edge["stage"] == stage)
    return found


@pytest.mark.parametrize("mode", ["command", "process", "function"])
def test_cpu_and_memory(project: Project, mode: str) -> None:
    """Of commands and of functions in either mode."""
    project.write("steps.py", STEPS)
    if mode == "command":
        project.stage("a", outputs="a", run=[sys.executable, "-c", "import sys, steps; steps.hold(sys.argv[1])", "{outputs}"])
        project.environ["PYTHONPATH"] = f"{project.root}:{project.environ['PYTHONPATH']}"
    else:
        project.stage("a", outputs={"out": "a"}, call="steps:hold", mode=mode)
    # by way of a shell: Linux takes the memory of who starts a program for a peak of its own, and the tests have had more than the stage has
    assert project.program("sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-m", "pipefile").wait().exit_status == 0
    found = entry(project, "a")
    assert 150_000_000 < found["peak_rss_bytes"] < 400_000_000  # type: ignore[operator]
    assert 0 < found["cpu_seconds"] < 60  # type: ignore[operator]
    assert re.search(r"^  used: [\d.]+ s of CPU, \d+ MB of memory$", project.cli("runs", "show").out, re.MULTILINE)


def test_a_short_command(project: Project) -> None:
    """What ended before anybody looked, and had less than the builder itself, has no number; its CPU time is known all the same."""
    project.stage("a", outputs="a", run="touch {outputs}")
    assert project.cli().exit_status == 0
    found = entry(project, "a")
    assert found["peak_rss_bytes"] == 0
    assert found["cpu_seconds"] > 0  # type: ignore[operator]
