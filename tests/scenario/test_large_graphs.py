"""Graphs of a hundred thousand stages: planned without recursion, in linear time."""

from __future__ import annotations

from kit import Project

COUNT = 100_000


def test_planned(project: Project) -> None:
    """Case 29: a chain of 100,000 stages, and a fan-in of them all by name and by glob, end in a plan, not in a RecursionError."""
    stages = ['[stage.s0]\ninputs = "src"\noutputs = "f/0"\nrun = "cp {inputs} {outputs}"\n']
    stages += [f'[stage.s{n}]\ninputs = "f/{n - 1}"\noutputs = "f/{n}"\nrun = "cp {{inputs}} {{outputs}}"\n' for n in range(1, COUNT)]
    names = ", ".join(f'"f/{n}"' for n in range(COUNT))
    stages += [f'[stage.all]\ninputs = ["f/*", {names}]\noutputs = "all"\nrun = "cat {{inputs.file}} > {{outputs}}"\n']
    project.pipefile("".join(stages))
    project.write("src", "")
    outcome = project.build(dry_run=True)
    assert outcome.exit_status == 0
    assert len(outcome.would_run) == COUNT + 1
    assert outcome.would_run[-2:] == [f"s{COUNT - 1}", "all"]
    assert not project.exists("pipeline_outputs")
