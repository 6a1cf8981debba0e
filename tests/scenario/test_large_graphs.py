"""Graphs of a hundred thousand stages: planned without recursion, in linear time."""

from __future__ import annotations

import pytest
from kit import Project

COUNT = 100_000


def chain() -> str:
    stages = ['[stage.s0]\ninputs = "src"\noutputs = "f0"\nrun = "cp {inputs} {outputs}"\n']
    stages += [f'[stage.s{n}]\ninputs = "f{n - 1}"\noutputs = "f{n}"\nrun = "cp {{inputs}} {{outputs}}"\n' for n in range(1, COUNT)]
    return "".join(stages)


def fan_in() -> str:
    stages = [f'[stage.s{n}]\ninputs = "src"\noutputs = "out/{n}"\nrun = "cp {{inputs}} {{outputs}}"\n' for n in range(COUNT)]
    names = ", ".join(f'"out/{n}"' for n in range(COUNT))
    return "".join(stages) + f'[stage.all]\ninputs = ["out/*", {names}]\noutputs = "all"\nrun = "cat {{inputs.file}} > {{outputs}}"\n'


@pytest.mark.parametrize("text", [chain, fan_in])
def test_planned(project: Project, text: object) -> None:
    """Case 29: a chain and a fan-in of 100,000 stages end in a plan, not in a RecursionError."""
    assert callable(text)
    project.pipefile(text())
    project.write("src", "")
    outcome = project.build(dry_run=True)
    assert outcome.exit_status == 0
    assert len(outcome.would_run) == COUNT + (text is fan_in)
    assert outcome.would_run[-1] == ("all" if text is fan_in else f"s{COUNT - 1}")
    assert not project.exists("pipeline_outputs")
