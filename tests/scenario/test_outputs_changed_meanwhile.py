"""Outputs that somebody changes while the stages that read them run."""

from __future__ import annotations

import os

from kit import Project

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
