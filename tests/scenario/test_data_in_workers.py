"""Values, streams and named files of functions that run in worker processes: what the builder holds of them, and that all is as in threads."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from kit import Project
from kit.decorated import any_type

STEPS = '''
import os
from pipefile import FileRef

class Point:
    def __init__(self, x):
        self.x = x
    def __eq__(self, other):
        return self.x == other.x

def make(size):
    def rows():
        for number in range(1000):
            yield {"number": number}
    with open("named.txt", "w") as file:
        file.write("named")
    return {"n": 1, "t": {"a": [1]}, "text": "x" * size, "o": Point((1, 2)), "rows": rows(), "f": FileRef("named.txt")}

def check(n, t, text, o, rows, f, size, out, ctx):
    assert (n, t, len(text), o.x) == (1, {"a": [1]}, size, (1, 2))
    assert sum(row["number"] for row in rows) == sum(row["number"] for row in rows) == 499500
    with open(f) as file:
        assert file.read() == "named" and f.size == 5
    with open(ctx.artifact("note.txt"), "w") as file:
        file.write(str(ctx.attempt))
    with open(out, "w") as file:
        file.write(f"{os.path.relpath(f)} {os.getpid()}")

def breaks():
    yield 1
    os.kill(os.getpid(), 9)
'''
KINDS = {"n": "int", "t": "json", "text": "str", "o": "any", "rows": "stream", "f": "file"}


@pytest.fixture(autouse=True)
def typed(project: Project) -> Iterator[None]:
    project.write("steps.py", STEPS)
    with any_type(project):
        yield


@pytest.mark.parametrize(("maker", "checker"), [("process", "process"), ("process", "function"), ("function", "process")])
@pytest.mark.parametrize("size", [10, 3_000_000])
def test_everything_travels(project: Project, maker: str, checker: str, size: int) -> None:
    """From worker to worker, and between workers and threads; small values in memory, large ones by their files."""
    outputs = {name: f"value:{kind}" for name, kind in KINDS.items()}
    project.stage("make", outputs=outputs, params={"size": size}, call="steps:make", mode=maker)
    inputs = {name: f"make.{name}" for name in KINDS}
    project.stage("check", inputs=inputs, outputs={"out": "out.txt"}, params={"size": size}, call="steps:check", mode=checker)
    outcome = project.build()
    assert (outcome.exit_status, outcome.ran) == (0, ["make", "check"]), outcome.output
    path, pid = project.read("out.txt").split()
    assert path == "named.txt"
    assert (int(pid) == os.getpid()) == (checker == "function")
    assert project.exists("pipeline_outputs/latest/check/artifacts/note.txt")
    assert "  artifact: " in project.cli("runs", "show").out
    assert project.build().ran == []


def test_a_worker_that_dies_in_a_stream(project: Project) -> None:
    """Case 52: the stage fails, and no half stream is left."""
    project.stage("make", outputs={"rows": "value:stream"}, call="steps:breaks", mode="process")
    outcome = project.build()
    assert (outcome.failed, outcome.output) == (["make"], "killed by SIGKILL\n")
    assert not project.exists(project.value("make", "rows", "stream"))
    assert not project.exists("pipeline_outputs/values/make/.pipefile-tmp")


LARGE = '''
def large():
    return "x" * 50_000_000

def measure(text):
    return len(text)

def peak(n):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmHWM"))
'''


def test_the_builder_does_not_hold_what_workers_pass(project: Project) -> None:
    """A value of 50 MB goes from worker to worker by its file: the builder, in which the last stage runs, has stayed under 100 MB."""
    project.write("steps.py", LARGE)
    project.stage("large", outputs={"text": "value:str"}, call="steps:large", mode="process")
    project.stage("measure", inputs={"text": "large.text"}, outputs={"n": "value:int"}, call="steps:measure", mode="process")
    project.stage("peak", inputs={"n": "measure.n"}, outputs={"bytes": "value:int"}, call="steps:peak", mode="function")
    outcome = project.cli()
    assert outcome.exit_status == 0, outcome.text
    assert project.read(project.value("measure", "n")) == "50000000\n"
    assert int(project.read(project.value("peak", "bytes"))) < 100 << 20
