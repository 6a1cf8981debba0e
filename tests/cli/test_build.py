"""`pipefile build`: what it prints, to pipes and to terminals."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from kit import Project
from kit.terminal import timeless


@pytest.fixture
def chain(project: Project) -> Project:
    """`first` -> `second` -> `third`; the second prints and can be made to fail."""
    project.pipefile(
        """\
[stage.first]
inputs = ["src.txt"]
outputs = ["a.txt"]
run = "cp {inputs} {outputs}"

[stage.second]
inputs = ["a.txt"]
outputs = ["b.txt"]
run = "echo looking at it; grep -v bad {inputs} > {outputs}"

[stage.third]
inputs = ["b.txt"]
outputs = ["c.txt"]
run = "cp {inputs} {outputs}"
"""
    )
    project.write("src.txt", "good\n")
    return project


def test_a_build_and_another_one(chain: Project) -> None:
    """A line a stage, its output under it, and the counts."""
    first = chain.cli("-j1")
    assert (timeless(first.out), first.err, first.exit_status) == (
        "[1/3] first  T\n[2/3] second  T\nlooking at it\n[3/3] third  T\n3 ran in T\n", "", 0,
    )  # fmt: skip
    second = chain.cli("build")
    assert (timeless(second.out), second.err, second.exit_status) == ("3 fresh in T\n", "", 0)


def test_a_failure(chain: Project) -> None:
    """It comes last, on standard error, in a form that editors follow."""
    chain.write("src.txt", "bad\n")
    outcome = chain.cli("-j1")
    assert (timeless(outcome.out), timeless(outcome.err), outcome.exit_status) == (
        "[1/3] first  T\n[2/3] second failed  T\n1 ran, 1 failed, 1 skipped in T\n",
        "Pipefile.toml:6:1: error: stage `second` failed: exit status 1\n"
        "  echo looking at it; grep -v bad a.txt > .pipefile-tmp/b.txt\n"
        "  log: pipeline_outputs/runs/RUN/second/log.txt\n"
        "looking at it\n",
        1,
    )


def test_why(chain: Project) -> None:
    """--why: the reasons before each stage."""
    assert chain.cli("-q").exit_status == 0
    chain.write("src.txt", "better\n")
    outcome = chain.cli("-j1", "--why", "first")
    assert timeless(outcome.out) == "first: input `src.txt` changed\n[1/1] first  T\n1 ran in T\n"


def test_verbose(chain: Project) -> None:
    """-v: commands, and stages that turned out to be fresh."""
    assert chain.cli("-q").exit_status == 0
    chain.write("src.txt", "good\nbad\n")
    outcome = chain.cli("-v", "-j1")
    assert timeless(outcome.out) == (
        "[1/3] first  T\n  cp src.txt .pipefile-tmp/a.txt\n"
        "[2/3] second  T\n  echo looking at it; grep -v bad a.txt > .pipefile-tmp/b.txt\nlooking at it\n"
        "[3/3] third  fresh\n2 ran, 1 fresh in T\n"
    )


def test_quiet(chain: Project) -> None:
    """-q: nothing but failures."""
    good = chain.cli("-q")
    assert (good.out, good.err, good.exit_status) == ("", "", 0)
    chain.write("src.txt", "bad\n")
    bad = chain.cli("-q")
    assert (bad.out, bad.exit_status) == ("", 1)
    assert bad.err.startswith("Pipefile.toml:6:1: error: stage `second` failed: exit status 1\n")


def test_dry_run(chain: Project) -> None:
    """-n: what would run; nothing is written."""
    before = chain.tree()
    outcome = chain.cli("-n")
    assert (outcome.out, outcome.err, outcome.exit_status) == (
        "would run first: it has no record of an earlier run\n"
        "would run second: it has no record of an earlier run\n"
        "would run third: it has no record of an earlier run\n"
        "3 would run, 0 fresh\n"
        "how long that takes is not known: none of them has ever run\n",
        "",
        0,
    )
    assert chain.tree() == before


def test_dry_run_with_history(chain: Project) -> None:
    """-n says how long it would take, by how long the stages took before, and how many never ran; it writes nothing."""
    chain.cli("-q")
    chain.write("src.txt", "better\n")
    chain.pipefile(chain.read("Pipefile.toml") + '[stage.fourth]\ninputs = ["c.txt"]\noutputs = ["d.txt"]\nrun = "cp {inputs} {outputs}"\n')
    before = chain.tree()
    outcome = chain.cli("-n", "-j2")
    assert (timeless(outcome.out), outcome.err) == (
        "would run first: input `src.txt` changed\n"
        "may run second: input `a.txt` may change\n"
        "may run third: input `b.txt` may change\n"
        "would run fourth: it has no record of an earlier run\n"
        "4 would run, 0 fresh\n"
        "takes up to T with -j2, T one after the other, by earlier runs; 1 of them has never run\n",
        "",
    )
    assert chain.tree() == before
    told = [json.loads(line) for line in chain.cli("-n", "-j2", "--json").out.splitlines()]
    assert [event["event"] for event in told] == ["build_started", "foreseen"]
    assert {name: told[1][name] for name in ("stages", "unsure", "unknown", "jobs")} == {"stages": 4, "unsure": 2, "unknown": 1, "jobs": 2}
    assert 0 < told[1]["seconds"] == told[1]["work_seconds"]
    assert chain.tree() == before
    assert chain.cli("-q").exit_status == 0
    assert chain.cli("-n").out == "0 would run, 4 fresh\n"


def test_json(chain: Project) -> None:
    """--json: events on standard output, words on standard error."""
    chain.write("src.txt", "bad\n")
    outcome = chain.cli("--json", "-j1")
    events = [json.loads(line) for line in outcome.out.splitlines()]
    assert [(event["event"], event.get("stage"), event.get("status")) for event in events] == [
        ("build_started", None, None),
        ("plan", None, None),
        ("stage_started", "first", None),
        ("stage_finished", "first", "ran"),
        ("stage_started", "second", None),
        ("stage_output", "second", None),
        ("stage_finished", "second", "failed"),
        ("stage_finished", "third", "skipped"),
        ("build_finished", None, "failed"),
    ]
    assert events[5]["text"] == "looking at it\n"
    assert outcome.exit_status == 1
    assert timeless(outcome.err).startswith("[1/3] first  T\n[2/3] second failed  T\n")


def test_targets_from_a_folder_below(chain: Project) -> None:
    """Paths are relative to where the user stands; names of stages are names everywhere."""
    chain.write("sub/x", "")
    assert chain.cli("../b.txt", cwd="sub").exit_status == 0
    assert chain.exists("b.txt")
    assert not chain.exists("c.txt")
    assert chain.cli("third", cwd="sub").exit_status == 0
    assert chain.exists("c.txt")


def test_a_file_named_like_a_stage(project: Project) -> None:
    """A stage comes before a file; `./` means the file."""
    project.stage("a", outputs="b", run="echo 1 > {outputs}")
    project.stage("b", outputs="c", run="echo 2 > {outputs}")
    assert timeless(project.cli("b").out) == "[1/1] b  T\n1 ran in T\n"
    assert timeless(project.cli("./b").out) == "[1/1] a  T\n1 ran in T\n"
    assert timeless(project.cli("../b", cwd="pipeline_outputs").out) == "1 fresh in T\n"


def test_hostile_output(project: Project) -> None:
    """Case 47: no control character of a stage reaches a pipe, and no name does; the log keeps the bytes."""
    printed = b"\x1b]0;title\x07\x1b[2J\x1b[31mred\x1b[0m nul\0 \xff \xe2\x80\xae\r\n10%\r100%"
    project.write("printed", printed)
    project.stage("evil", run="cat printed", inputs="printed")
    outcome = project.cli("evil")
    assert timeless(outcome.out) == "[1/1] evil  T\nred nul\\x00 \\xff \\u202e\n100%\n1 ran in T\n"
    assert project.read_bytes("pipeline_outputs/latest/evil/log.txt") == printed


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams(chain: Project, closed: str) -> None:
    """Case 49: the build goes on, and nothing of ours is written into files that got their numbers."""
    done = subprocess.run(
        ["sh", "-c", f'"{sys.executable}" -m pipefile {closed}'], cwd=chain.root, env=chain.environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stdout + done.stderr
    assert chain.read("c.txt") == "good\n"
    assert chain.read(".pipefile.lock") == ""


def test_a_reader_that_leaves(project: Project) -> None:
    """`| head -1` is no fault: the build goes on."""
    for number in range(200):
        project.stage(f"s{number}", outputs=f"o/{number}", run=f"echo {'x' * 2000}; echo > {{outputs}}")
    script = f'{{ "{sys.executable}" -m pipefile; echo $? >&2; }} | head -1'
    done = subprocess.run(["sh", "-c", script], cwd=project.root, env=project.environ, capture_output=True, text=True, check=False)
    assert done.stderr == "0\n"
    assert len(done.stdout.splitlines()) == 1
    assert project.exists("o/199")


def test_a_full_disk_behind_standard_output(chain: Project) -> None:
    """What cannot be written is an error, once."""
    script = f'"{sys.executable}" -m pipefile list > /dev/full'
    done = subprocess.run(["sh", "-c", script], cwd=chain.root, env=chain.environ, capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode) == ("error: standard output cannot be written: no space left on device\n", 1)
