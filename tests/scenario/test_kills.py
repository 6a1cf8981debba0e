"""Builds that are killed, at any instant: nothing is wrongly fresh afterwards, and nothing half-written is believed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from kit import Project
from kit.disks import DyingDisk, Killed

from pipefile.base.disk import OsDisk
from pipefile.store.record import decode, record_path
from pipefile.store.upkeep import Upkeep

STEPS = '''
def number(inputs, outputs):
    with open(inputs[0]) as source, open(outputs[0], "w") as target:
        target.writelines(f"{at} {line}" for at, line in enumerate(source))
'''


KINDS: dict[str, dict[str, object]] = {
    "temporary": {"outputs": "a", "run": "tr a-z A-Z < {inputs} > {outputs}"},
    "in place": {"outputs": "a", "run": "cat src.txt src.txt > a"},
    "directory": {"outputs": "f/a/", "run": "cp {inputs} {outputs}/copy; mkdir {outputs}/sub; wc -c < {inputs} > {outputs}/sub/size"},
    "directory in place": {"outputs": "a/", "run": "mkdir a/sub; cp src.txt a/sub/one; cp src.txt a/two"},
    "two": {"outputs": ["a", "o/b"], "run": "head -n 1 {inputs} > {outputs[0]}; tail -n 1 {inputs} > {outputs[1]}"},
    "two in place": {"outputs": ["a", "b"], "run": "cp src.txt a; tail -n 1 src.txt > b"},
    "one of two in place": {"outputs": {"a": "a", "b": "b"}, "run": "cp {inputs} {a}; tail -n 1 {inputs} > b"},
    "depfile": {
        "outputs": "a",
        "depfile": "a.d",
        "infer_inputs": False,
        "run": "cat {inputs} extra > {outputs}; echo a: extra > {depfile}",
    },
    "function": {"outputs": "a", "call": "steps:number"},
    "none": {"run": "grep -q first {inputs}"},
}


def declare(project: Project, kind: str) -> None:
    """A stage that writes in one way, and one that takes all that it writes."""
    project.write("steps.py", STEPS)
    project.stage("make", inputs=["src.txt"], **KINDS[kind])  # type: ignore[arg-type]
    if "outputs" not in KINDS[kind]:
        project.settings(default=["make"])
    else:
        project.stage("use", inputs="make.outputs", outputs="all", run="find {inputs} -type f | LC_ALL=C sort | xargs cat > {outputs}")


def set_source(project: Project, text: str) -> None:
    project.write("src.txt", f"the first {text}\nthe last {text}\n")
    project.write("extra", f"extra {text}\n")


def is_right(project: Project, expected: dict[str, object]) -> None:
    """A build makes everything as a clean one does, and the next one has nothing to do."""
    outcome = project.build(jobs=1)
    assert outcome.exit_status == 0, outcome.output
    assert project.outputs() == expected
    again = project.build(jobs=1)
    assert (again.ran, again.fresh, again.exit_status, again.output) == ([], len(project.stages()), 0, "")


def die(project: Project, changes: int) -> bool:
    """Build until the builder dies after so many changes of the disk. False if it has come to its end before."""
    project.disk = DyingDisk(project.root, changes)
    try:
        assert project.build(jobs=1).exit_status == 0
    except Killed:
        return True
    finally:
        project.disk = None
    return False


def no_record_lies(project: Project) -> None:
    """A record that stands beside a file describes it: old ones go before what they describe, new ones come after it."""
    disk = OsDisk(project.root)
    for path in project.declared():
        at = record_path(path)
        if project.exists(at):
            made = {each.path: each for each in decode(disk.read(at), at).outputs}[path]
            assert project.exists(path), path
            assert made.kind == "directory" or disk.digest(path, "blake3")[0] == made.digest, path


def from_scratch(project: Project) -> None:
    for path in [*project.declared(), "pipeline_outputs", ".pipefile.lock"]:
        if project.exists(path):
            project.remove(path)
    for path in list(project.tree()):
        if path.endswith((".hash", ".hash~")) and project.exists(path):
            project.remove(path)


def as_it_was(project: Project) -> None:
    pass


@pytest.mark.parametrize(("kind", "empty"), [(kind, number % 2 == 0) for number, kind in enumerate(KINDS)])
def test_killed_while_results_are_restored_or_kept(project: Project, kind: str, empty: bool) -> None:
    """Case 30, with the cache: whatever was half restored or half kept, a build is as a clean one, and what it finds in the cache is whole."""
    project.caching = True
    declare(project, kind)
    expected = {}
    for text in ("one", "two"):
        set_source(project, text)
        expected[text] = project.clean_outputs()
        is_right(project, expected[text])
    now, changes = "two", 0
    while True:
        now = "one" if now == "two" else "two"
        set_source(project, now)
        if empty and project.exists("pipeline_outputs/cache"):  # a builder that dies between a record and its place in the cache keeps nothing
            project.remove("pipeline_outputs/cache")
        died = die(project, changes)
        no_record_lies(project)
        is_right(project, expected[now])
        assert Upkeep(OsDisk(project.root), "pipeline_outputs").verify().damaged == () or died
        if not died:
            return
        changes += 3 if empty else 1


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize(("before", "after"), [(from_scratch, "nothing"), (as_it_was, "nothing or back")])
def test_killed_at_every_change(project: Project, kind: str, before: Callable[[Project], None], after: str) -> None:
    """Case 30: the builder dies before each change of the disk in turn; then a build is as a clean one, whatever was edited in between: nothing, or,
    before every second change, what was edited before the kill is put back."""
    declare(project, kind)
    expected = {}
    for text in ("one", "two"):
        set_source(project, text)
        expected[text] = project.clean_outputs()
    changes, now = 0, "one"
    set_source(project, now)
    is_right(project, expected[now])
    while True:
        other = "two" if now == "one" else "one"
        back = after == "nothing or back" and changes % 2 == 1
        if back:
            other = f"other {changes}"  # always a new one: what ran before the kill may be remembered, and would then not run again
        before(project)
        set_source(project, other)
        if not die(project, changes):
            break
        no_record_lies(project)
        if not back:
            now = other
        set_source(project, now)
        is_right(project, expected[now])
        changes += 1
    assert changes > 25


DYING = """
import os, signal, sys
left = int(sys.argv[1])

def hook(event, args):
    global left
    writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
    if writes or event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.symlink", "os.truncate"):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
from pipefile.cli.main import main
sys.exit(main(["-j1"]))
"""


def test_killed_for_good(project: Project) -> None:
    """Case 30: the same with the real program and a real SIGKILL before a system call, which lets nothing be tidied up."""
    declare(project, "two in place")
    set_source(project, "one")
    expected = project.clean_outputs()
    status, changes = -9, 0
    while status == -signal.SIGKILL:
        from_scratch(project)
        dying = [sys.executable, "-c", DYING, str(changes)]
        status = subprocess.run(dying, cwd=project.root, env=project.environ, stdout=subprocess.DEVNULL, check=False).returncode
        assert status in (0, -signal.SIGKILL)
        is_right(project, expected)
        changes += 5
    assert changes > 25


def test_stage_and_builder_killed(project: Project) -> None:
    """Case 32: the whole group is killed while a stage has written half its output; the half is believed neither in place nor beside it."""
    gates = [project.gate("by_name"), project.gate("in_place")]
    project.write("src.txt", "whole\n")
    project.stage("by_name", inputs="src.txt", outputs="a", run=f"printf half > {{outputs}}; {gates[0].shell}; cp {{inputs}} {{outputs}}")
    project.stage("in_place", inputs="src.txt", outputs="b", run=f"printf half > b; {gates[1].shell}; cp src.txt b")
    running = project.start("-j2")
    for gate in gates:
        gate.wait()
    running.signal_group(signal.SIGKILL)
    assert running.wait().exit_status == -signal.SIGKILL
    for pid in project.processes():
        os.kill(pid, signal.SIGKILL)
    assert not project.exists("a")
    for gate in gates:
        gate.release()
    outcome = project.build()
    assert (sorted(outcome.ran), project.outputs()) == (["by_name", "in_place"], {"a": (b"whole\n", False), "b": (b"whole\n", False)})
    assert project.build().ran == []
    assert not project.exists(".pipefile-tmp")


def test_what_had_ended_stays_done(project: Project) -> None:
    """Case 31: of fifty stages, those that ended before a kill are not run again, though the killed build wrote no index."""
    gate = project.gate("slow")
    for at in range(50):
        project.traced(f"s{at}", inputs=[f"o/{at - 1}"] if at else None, outputs=f"o/{at}", run=f"echo {at} > {{outputs}}")
    project.traced("slow", inputs="o/49", outputs="end", run=f"{gate.shell}; cp {{inputs}} {{outputs}}")
    running = project.start("-j2")
    gate.wait()
    running.signal_group(signal.SIGKILL)
    running.wait()
    gate.release(2)
    assert project.exists("o/.pipefile-tmp")
    assert project.cli().started == ["slow"]
    assert not project.exists("o/.pipefile-tmp")  # nothing ran that writes there, but the killed build did
