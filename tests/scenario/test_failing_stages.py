"""Stages that fail: what is said, what is kept, what runs again."""

from __future__ import annotations

import os

import pytest
from kit import Project

HALVES = {
    "by name": "printf half > {outputs}; test -e ok; echo whole > {outputs}",
    "in place": "printf half > a; test -e ok; echo whole > a",
}


def log_of(project: Project, stage: str) -> str:
    """Where the latest run has the log of a stage, from the root."""
    return f"pipeline_outputs/{os.readlink(project.path('pipeline_outputs/latest'))}/{stage}/log.txt"


@pytest.mark.parametrize("kind", list(HALVES))
def test_half_written(project: Project, kind: str) -> None:
    """Case 38: a stage that fails with half its output written leaves none; the next build runs it again."""
    project.stage("make", outputs="a", run=HALVES[kind], infer_inputs=False)
    project.stage("use", inputs="a", outputs="b", run="cp {inputs} {outputs}")
    outcome = project.build()
    assert (outcome.exit_status, outcome.failed, outcome.skipped) == (1, ["make"], ["use"])
    assert [path for path in ("a", ".a.hash", "b", ".pipefile-tmp") if project.exists(path)] == []
    project.write("ok", "")
    assert project.build().ran == ["make", "use"]
    assert project.read("b") == "whole\n"
    assert project.build().ran == []


@pytest.mark.parametrize("kind", list(HALVES))
def test_half_written_over_a_good_one(project: Project, kind: str) -> None:
    """Case 38: a good output stays where it was made by a temporary one, and is no reason not to run; in place it is gone."""
    project.write("ok", "")
    project.stage("make", inputs="src", outputs="a", run=HALVES[kind], infer_inputs=False)
    project.stage("use", inputs="a", outputs="b", run="cp {inputs} {outputs}")
    project.write("src", "1")
    assert project.build().ran == ["make", "use"]
    project.remove("ok")
    project.write("src", "2")
    for _ in range(2):
        outcome = project.build()
        assert (outcome.exit_status, outcome.failed, outcome.skipped) == (1, ["make"], ["use"])
        assert project.exists("a") == project.exists(".a.hash") == (kind == "by name")
        assert project.read("b") == "whole\n"
    project.write("ok", "")
    assert project.build().ran == ["make"]
    assert project.outputs() == project.clean_outputs()
    assert project.build().ran == []


def test_failed_test(project: Project) -> None:
    """A stage without outputs that has failed is not fresh, even with its inputs as they were when it last went well."""
    project.write("src", "good\n")
    project.stage("test", inputs="src", run="grep -q good {inputs}")
    assert project.build("test").ran == ["test"]
    project.write("src", "bad\n")
    assert [project.build("test").failed for _ in range(2)] == [["test"], ["test"]]
    project.write("src", "good\n")
    assert project.build("test").ran == ["test"]
    assert project.build("test").ran == []


def test_edited_back_after_a_failure(project: Project) -> None:
    """Case 38: with its inputs as before, the output that a failure has left in place is fresh again."""
    project.stage("make", inputs="src", outputs="a", run="cat {inputs} > {outputs}; ! grep -q bad {inputs}")
    project.write("src", "good\n")
    assert project.build().ran == ["make"]
    project.write("src", "bad\n")
    assert project.build().failed == ["make"]
    project.write("src", "good\n")
    outcome = project.build()
    assert (outcome.ran, project.read("a")) == ([], "good\n")


@pytest.mark.parametrize("run", ["echo whole > {outputs}; exit 1", "echo whole > a; exit 1"])
def test_complete_output_of_a_failed_stage(project: Project, run: str) -> None:
    """Case 39: a stage that writes all of its output and fails is not done."""
    project.stage("make", outputs="a", run=run, infer_inputs=False)
    for _ in range(2):
        outcome = project.build()
        assert (outcome.exit_status, outcome.failed, project.exists("a")) == (1, ["make"], False)


@pytest.mark.parametrize(("number", "name"), [("KILL", "SIGKILL"), ("SEGV", "SIGSEGV"), ("TERM", "SIGTERM")])
def test_killed_stage(project: Project, number: str, name: str) -> None:
    """Case 40: of a stage that a signal ended, the signal is named."""
    project.stage("make", outputs="a", run=f"echo whole > {{outputs}}; test -e ok || kill -{number} $$", infer_inputs=False)
    outcome = project.cli()
    assert outcome.err == (
        f"Pipefile.toml:1:1: error: stage `make` failed: killed by {name}\n"
        f"  echo whole > .pipefile-tmp/a; test -e ok || kill -{number} $$\n"
    )
    assert outcome.exit_status == 1
    assert not project.exists("a")
    project.write("ok", "")
    assert project.build().ran == ["make"]
    assert project.outputs() == project.clean_outputs()


def test_whole_failure(project: Project) -> None:
    """A failure says where the stage is declared, its exit status, what ran, where its log is, and the last lines of that."""
    project.write("steps.sh", "seq 30\necho 'the end' >&2\nexit 7\n")
    project.stage("first", outputs="a", run="echo a > {outputs}")
    project.stage("second", inputs="a", outputs="b", run="sh steps.sh {inputs} {outputs}")
    outcome = project.cli("-j1")
    assert outcome.exit_status == 1
    lines = "".join(f"{number}\n" for number in range(12, 31))
    assert outcome.err == (
        "Pipefile.toml:5:1: error: stage `second` failed: exit status 7\n"
        "  sh steps.sh a .pipefile-tmp/b\n"
        f"  log: {log_of(project, 'second')}, last 20 lines:\n"
        f"{lines}the end\n"
    )
    assert project.read(log_of(project, "second")) == "".join(f"{number}\n" for number in range(1, 31)) + "the end\n"
    assert outcome.out.splitlines()[-1].startswith("1 ran, 1 failed in ")


def test_failing_function(project: Project) -> None:
    """An exception of a function is told by its last line; its traceback is in the log."""
    project.write("steps.py", "def make(outputs):\n    print('begun')\n    raise ValueError('no such column')\n")
    project.stage("make", outputs="a", call="steps:make")
    outcome = project.cli()
    assert outcome.exit_status == 1
    head, _, rest = outcome.err.partition("\n")
    assert head == "Pipefile.toml:1:1: error: stage `make` failed: ValueError: no such column"
    assert "begun\n" in rest
    assert 'steps.py", line 3, in make' in rest
    assert "pipefile/" not in rest.replace(log_of(project, "make"), "")


def test_program_that_is_missing(project: Project) -> None:
    """A command that cannot be started fails its stage and names the program."""
    project.stage("shell", outputs="a", run="no-such-program {outputs}")
    project.stage("argv", outputs="b", run=["no-such-program", "{outputs}"])
    outcome = project.cli("-k", "-j1")
    assert outcome.exit_status == 1
    assert "Pipefile.toml:1:1: error: stage `shell` failed: exit status 127\n  no-such-program .pipefile-tmp/a\n" in outcome.err
    assert "Pipefile.toml:5:1: error: stage `argv` failed: cannot start `no-such-program`: not found on PATH\n" in outcome.err


FORK = {"base": [], "left": ["base"], "right": ["base"], "bad": ["base"], "below": ["bad"], "further": ["below", "left"], "far": ["right"]}


def fork(project: Project) -> None:
    """`bad` fails; `below` and `further` need it, `left`, `right` and `far` do not."""
    for name, needs in FORK.items():
        project.stage(name, inputs=needs, outputs=name, run="exit 5" if name == "bad" else "echo > {outputs}")


def test_without_keep_going(project: Project) -> None:
    """After a failure nothing more is started."""
    project.stage("bad", outputs="a", run="exit 5")
    project.stage("after", inputs=["a"], outputs="b", run="echo > {outputs}")
    for at in range(3):
        project.stage(f"other{at}", after=["bad"], outputs=f"o{at}", run="echo > {outputs}")
    outcome = project.build(jobs=1)
    assert (outcome.exit_status, outcome.failed, outcome.ran) == (1, ["bad"], [])
    assert sorted(outcome.skipped) == ["after", "other0", "other1", "other2"]


@pytest.mark.parametrize("again", [False, True])
def test_stages_that_a_failure_kept_from_starting(project: Project, again: bool) -> None:
    """A stage that was found to be stale, and not started since another one failed, is stale in the next build as well."""
    project.write("src", "1")
    project.write("ok", "")
    project.stage("bad", inputs="src", outputs="a", run="test -e ok && cp {inputs} {outputs}", infer_inputs=False)
    for at in range(3):
        project.stage(f"other{at}", inputs="src", outputs=f"o{at}", run="cp {inputs} {outputs}")
    if again:
        assert project.build().exit_status == 0
        project.write("src", "2")
    project.remove("ok")
    outcome = project.build(jobs=1)
    assert outcome.failed == ["bad"]
    project.write("ok", "")
    kept = {"other0", "other1", "other2"}.difference(outcome.ran)  # which one starts first is up to how long they took
    assert kept or again
    assert set(project.build().ran) == {"bad", *kept}
    assert project.outputs() == project.clean_outputs()


@pytest.mark.parametrize("jobs", [1, 4])
def test_keep_going(project: Project, jobs: int) -> None:
    """With -k all that does not need the failed stage is made, and what does is named as skipped, whichever way it needs it."""
    fork(project)
    outcome = project.build(jobs=jobs, keep_going=True)
    assert (outcome.exit_status, outcome.failed) == (1, ["bad"])
    assert sorted(outcome.ran) == ["base", "far", "left", "right"]
    assert sorted(outcome.skipped) == ["below", "further"]
    project.stage("bad", inputs=["base"], outputs="bad", run="echo > {outputs}")
    outcome = project.build(jobs=jobs)
    assert (outcome.exit_status, sorted(outcome.ran)) == (0, ["bad", "below", "further"])


def test_keep_going_says_what_was_skipped(project: Project) -> None:
    """The last line counts what was skipped, -v names it; every failure is shown."""
    fork(project)
    lines = project.read("Pipefile.toml").splitlines()
    project.stage("worse", inputs=["right"], outputs="worse", run="echo why >&2; exit 6")
    outcome = project.cli("-k", "-v", "-j1")
    assert outcome.exit_status == 1
    assert sorted(line for line in outcome.out.splitlines() if line.endswith("skipped")) == ["below  skipped", "further  skipped"]
    assert outcome.out.splitlines()[-1].startswith("4 ran, 2 failed, 2 skipped in ")
    assert sorted(line for line in outcome.err.splitlines() if "error:" in line) == [
        f"Pipefile.toml:{lines.index('[stage.bad]') + 1}:1: error: stage `bad` failed: exit status 5",
        f"Pipefile.toml:{len(lines) + 2}:1: error: stage `worse` failed: exit status 6",
    ]


def test_build_after_a_failure_goes_on(project: Project) -> None:
    """What was made before a failure is not made again."""
    project.traced("first", outputs="a", run="echo > {outputs}")
    project.traced("second", inputs="a", outputs="b", run="test -e ok; echo > {outputs}", infer_inputs=False)
    assert project.cli().started == ["first", "second"]
    project.write("ok", "")
    assert project.cli().started == ["second"]
    assert project.cli().started == []


def test_history_of_a_failed_build(project: Project) -> None:
    """`runs show` and `runs log` tell of a failed build what it told itself."""
    project.stage("first", outputs="a", run="echo > {outputs}")
    project.stage("second", inputs="a", outputs="b", run="echo why; exit 9")
    project.stage("third", inputs="b", outputs="c", run="echo > {outputs}")
    project.cli()
    shown = project.cli("runs", "show").out
    assert "failed" in shown
    assert "exit status 9" in shown
    assert "third" in shown
    assert project.cli("runs", "log", "latest", "second").out == "why\n"
