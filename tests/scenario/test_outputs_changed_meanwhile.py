"""Outputs that somebody changes while the stages that read them run."""

from __future__ import annotations

import os

import pytest
from kit import Project
from kit.disks import MeddledDisk

TICK = 9_999_971  # ns
ONCE = 'if [ -e "$GATES/armed" ]; then rm "$GATES/armed"; echo tampered > a.txt; fi'


def chain(project: Project, hook: str) -> None:
    with open(os.path.join(project.environ["GATES"], "armed"), "w", encoding="utf-8"):
        pass
    project.write("in.txt", "right\n")
    project.stage("a", inputs="in.txt", outputs="a.txt", run="cat {inputs} > {outputs}")
    project.stage("b", inputs="a.txt", outputs="b.txt", run=f"{hook}; cat {{inputs}} > {{outputs}}")
    for name in ("c", "d"):  # c starts before it is known what became of b, d after that
        project.stage(name, inputs="a.txt", outputs=f"{name}.txt", run="cat {inputs} > {outputs}")


def test_another_stage_s_output_changes(project: Project) -> None:
    """Case 15: a stage whose input is an output that was changed fails, since the bytes are nobody's; the next build puts all right."""
    chain(project, ONCE)
    first = project.build(jobs=1, keep_going=True)
    assert (first.exit_status, first.ran, sorted(first.failed), first.skipped) == (1, ["a"], ["b", "c", "d"], [])
    said = "`a.txt` was changed after stage `a` had made it"
    assert sorted(first.output.splitlines()) == [said] * 3 + ["hint: the next build makes it anew"] * 2
    assert [project.exists(f"{name}.txt") for name in "bcd"] == [False, False, False]
    assert project.status()["a"] == "stale"
    assert project.build(jobs=1).ran == ["a", "b", "c", "d"]
    project.settled()


def test_an_output_of_a_fresh_stage_changes(project: Project) -> None:
    """As above, where the stage that made the output did not run in this build."""
    chain(project, ":")
    project.build()
    chain(project, ONCE)
    assert project.build(jobs=1).failed == ["b"]
    assert project.build(jobs=1).ran == ["a", "b"]
    project.settled()


def test_an_output_is_touched_meanwhile(project: Project) -> None:
    """Case 16: the same bytes with another stamp: the stage that was reading them runs again, and that is all."""
    chain(project, ONCE.replace("echo tampered >", "touch"))
    outcome = project.build(jobs=1)
    assert (outcome.exit_status, outcome.ran) == (0, ["a", "b", "c", "d"])
    assert outcome.output.startswith("warning: `a.txt` changed while stage `b` ran: it runs again\n")
    project.settled()


@pytest.mark.parametrize("output", ["out.txt", "out/"])
def test_an_output_changes_as_soon_as_it_is_in_place(project: Project, output: str) -> None:
    """Between the end of a stage and its record somebody writes to what it has made: that is not taken for what the stage has made, whoever needs it
    fails, and the next build puts all right."""
    inner = output if output == "out.txt" else "out/x"
    project.stage("a", outputs=output, run="echo right > {outputs}" if inner == output else "mkdir -p {outputs}; echo right > {outputs}/x")
    project.stage("b", inputs=inner, outputs="b.txt", run="cat {inputs} > {outputs}")
    project.disk = MeddledDisk(project.root, output.rstrip("/"), lambda: project.write(inner, "tampered with\n"))
    first = project.build(jobs=1)
    assert (first.exit_status, first.ran, first.failed) == (1, ["a"], ["b"])
    assert first.output == f"`{inner}` was changed after stage `a` had made it\n"
    project.disk = None
    assert project.status()["a"] == "stale"
    assert project.build().ran == ["a", "b"]
    project.settled()


def test_an_output_changes_within_the_tick_in_which_it_was_made(project: Project) -> None:
    """Other bytes of the same number, under the same stamp as like as not: found out when the tick is over, made anew by the next build."""

    def meddle() -> None:
        before = os.stat(project.path("a.txt")).st_mtime_ns
        project.write("a.txt", "wrong\n")
        project.touch("a.txt", before)

    project.stage("a", outputs="a.txt", run="echo right > {outputs}")
    project.disk = MeddledDisk(project.root, "a.txt", meddle, tick=TICK)
    assert project.build().exit_status == 0
    assert project.read("a.txt") == "wrong\n"
    assert project.build().ran == ["a"]
    assert project.read("a.txt") == "right\n"
