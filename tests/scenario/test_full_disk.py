"""Disks that take nothing more: the build says so, and goes on from there when there is room again."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from kit import BuildOutcome, Project, contents
from kit.streams import Recorded

import pipefile
from pipefile.base.errors import StoreError
from pipefile.engine.build import build
from pipefile.engine.session import find_project
from pipefile.report.terminal import TerminalReport
from pipefile.testing import FaultyDisk

WRITES = ("write", "mkdirs", "rename", "symlink", "stamp")


def declare(project: Project) -> None:
    project.write("src.txt", "one\n")
    project.write("steps.py", "import shutil\n\ndef copy(inputs, outputs):\n    shutil.copyfile(inputs[0], outputs[0])\n")
    project.stage("by_name", inputs="src.txt", outputs="o/a", run="cp {inputs} {outputs}")
    project.stage("in_place", inputs="o/a", outputs="b", run="cp o/a b; echo copied")
    project.stage("folder", inputs="b", outputs="d/", run="cp {inputs} {outputs}")
    project.stage("function", inputs="b", outputs="f", call="steps:copy")
    project.stage("list", inputs="b", outputs="l", run="cat {inputs.file} > {outputs}")
    project.stage("test", inputs=["d/", "f", "l"], run="test -s {inputs[1]}")
    project.settings(default=["test"])


def build_on(project: Project, disk: FaultyDisk) -> BuildOutcome:
    """A build on a disk that fails. What the command line would make a line and an exit status of is that here too."""
    project.disk = disk
    try:
        return project.build(jobs=1)
    finally:
        project.disk = None


@pytest.mark.parametrize("operation", WRITES)
@pytest.mark.parametrize("edited", [False, True])
@pytest.mark.parametrize("times", [None, 1])
def test_no_space(project: Project, operation: str, edited: bool, times: int | None) -> None:
    """Case 57: whichever write meets a full disk, the build says so, and the next one makes all that a clean one does."""
    declare(project)
    expected = {}
    for text in ("one\n", "two\n"):
        project.write("src.txt", text)
        expected[text] = project.clean_outputs()
    now, after, met = "two\n", 0, True
    if edited:
        assert project.build().exit_status == 0
    while met:
        now = "one\n" if now == "two\n" else "two\n"
        if not edited:
            fresh(project)
        project.write("src.txt", now)
        disk = FaultyDisk(project.root)
        disk.fail(operation, number=errno.ENOSPC, after=after, times=times)
        outcome = build_on(project, disk)
        met = disk.total(operation) > after
        if met:
            assert "o space left on device" in outcome.output, f"{operation} {after}"
            assert outcome.exit_status == (0 if only_the_index(outcome) else 1), outcome.output
        assert "Traceback" not in outcome.output
        outcome = project.build(jobs=1)
        assert outcome.exit_status == 0, outcome.output
        assert project.outputs() == expected[now]
        again = project.build(jobs=1)
        assert (again.ran, again.fresh) == ([], 6)
        after += 1
    assert after > 1


def only_the_index(outcome: BuildOutcome) -> bool:
    """Whether nothing failed but the index, without which the next build takes longer and does the same."""
    said = [line for line in outcome.output.splitlines() if "pace left" in line]
    return all(line.startswith("warning: `pipeline_outputs/index` cannot be written: ") for line in said)


def fresh(project: Project) -> None:
    for path in [*project.declared(), "pipeline_outputs"]:
        if project.exists(path):
            project.remove(path)


def test_no_space_for_records(project: Project) -> None:
    """A stage whose record cannot be written has failed; its output is there, and not believed."""
    project.stage("make", outputs="a", run="echo > {outputs}")
    disk = FaultyDisk(project.root)
    disk.fail("write", "*.hash", errno.ENOSPC)
    outcome = build_on(project, disk)
    assert (outcome.failed, outcome.exit_status, outcome.output) == (["make"], 1, "cannot write `.a.hash`: No space left on device\n")
    assert project.build().ran == ["make"]


def test_no_space_for_the_index(project: Project) -> None:
    """Without an index all is right, but slower: a warning."""
    project.stage("make", outputs="a", run="echo > {outputs}")
    disk = FaultyDisk(project.root)
    disk.fail("write", "*/index", errno.ENOSPC)
    outcome = build_on(project, disk)
    assert (outcome.ran, outcome.exit_status) == (["make"], 0)
    assert outcome.output == "warning: `pipeline_outputs/index` cannot be written: No space left on device; the next build takes longer\n"
    outcome = project.build()
    assert (outcome.ran, outcome.output) == ([], "")


@pytest.mark.parametrize(("pattern", "after"), [("*/run.json", 0), ("*/run.json", 1), ("*/manifest.json", 0)])
def test_no_space_for_the_run(project: Project, pattern: str, after: int) -> None:
    """What cannot be put down as history is an error, and nothing that was made is made again."""
    project.stage("make", outputs="a", run="echo > {outputs}")
    disk = FaultyDisk(project.root)
    disk.fail("write", pattern, errno.ENOSPC, after=after)
    outcome = build_on(project, disk)
    assert outcome.exit_status == 1
    assert outcome.output.startswith(f"error: `{project.root}/pipeline_outputs/runs/")
    assert outcome.output.endswith("` cannot be written: No space left on device\n")
    begun = pattern == "*/manifest.json" or after > 0
    assert project.build().ran == ([] if begun else ["make"])


@pytest.mark.parametrize("pattern", ["*/run.json", "*/manifest.json"])
def test_no_space_for_the_run_of_a_failed_build(project: Project, pattern: str) -> None:
    """Failures are told although the history of the build cannot be written."""
    project.stage("make", outputs="a", run="exit 3")
    disk = FaultyDisk(project.root)
    disk.fail("write", pattern, errno.ENOSPC, after=int("run." in pattern))
    out, err = Recorded(1), Recorded(2)
    report = TerminalReport(out, err, project.root)
    with pytest.raises(StoreError):
        build(replace(find_project(project.root), disk=disk), project.options(), report)
    report.close()
    assert "error: stage `make` failed: exit status 3\n" in err.text


def test_no_space_for_a_log(project: Project) -> None:
    """Case 58: a log that cannot be written whole fails its stage: nobody would know what is missing."""
    project.stage("talk", outputs="a", run="head -c 300000 /dev/zero | tr '\\0' x; echo > {outputs}")
    script = f'ulimit -f 200; exec "{sys.executable}" -m pipefile'
    done = subprocess.run(["sh", "-c", script], cwd=project.root, env=project.environ, capture_output=True, text=True, check=False)
    run = os.readlink(project.path("pipeline_outputs/latest"))
    assert done.stderr.startswith(
        "Pipefile.toml:1:1: error: stage `talk` failed: cannot write the log "
        f"`{project.root}/pipeline_outputs/{run}/talk/log.txt`: file too large\n"
    )
    assert done.returncode == 1
    assert project.build().ran == ["talk"]


def test_files_of_no_size(project: Project) -> None:
    """Case 58: where no byte can be written, a build says so before it runs anything."""
    project.stage("make", outputs="a", run="echo > {outputs}")
    script = f'ulimit -f 0; exec "{sys.executable}" -m pipefile'
    done = subprocess.run(["sh", "-c", script], cwd=project.root, env=project.environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: `{project.root}/.pipefile.lock` cannot be written: File too large\n"
    assert project.build().ran == ["make"]


def can_mount() -> bool:
    return subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="a file system of a chosen size needs user namespaces")
@pytest.mark.parametrize("blocks", [0, 1, 2, 3, 5, 10, 20])
def test_small_disk(project: Project, blocks: int) -> None:
    """Case 57: on a file system with so many free pages left, a build ends with a line; with room again, it makes everything."""
    declare(project)
    project.stage("large", inputs="src.txt", outputs="large", run="head -c 30000 /dev/zero > {outputs}")
    project.settings(default=["test", "large"])
    expected = project.clean_outputs()
    script = f"""
        set -e
        cp -R . "$HOME/kept"
        mount -t tmpfs -o size=1m,nr_inodes=200 none .
        cd "$PWD"
        cp -R "$HOME/kept/." .
        head -c $((1048576 - $(du -sk --apparent-size . | cut -f 1) * 0)) /dev/zero > fill 2> /dev/null || :
        truncate -s -$(({blocks} * 4096)) fill
        "{sys.executable}" -m pipefile -k > "$HOME/out" 2> "$HOME/err" && echo 0 > "$HOME/status" || echo $? > "$HOME/status"
        rm fill
        "{sys.executable}" -m pipefile > "$HOME/out2" 2> "$HOME/err2"
        "{sys.executable}" -m pipefile > "$HOME/out3" 2> "$HOME/err3"
        rm -rf "$HOME/kept"
        cp -R . "$HOME/result"
    """
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script], cwd=project.root, env=project.environ, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    home = project.environ["HOME"]

    def kept(name: str) -> str:
        with open(f"{home}/{name}", encoding="utf-8") as file:
            return file.read()

    assert kept("status") == "1\n"
    assert "o space left on device" in kept("err")
    assert os.path.dirname(pipefile.__file__) not in kept("err")  # the one traceback that may be there is of the stage's own function
    assert "this is a bug" not in kept("err")
    assert (kept("err2"), kept("err3")) == ("", "")
    assert " fresh in " in kept("out3")
    assert " ran" not in kept("out3")
    assert {path: contents(f"{home}/result/{path}") for path in expected} == expected
