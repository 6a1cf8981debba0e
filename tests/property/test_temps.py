"""Random graphs of temporary outputs whose makers never make the same bytes twice: what is made again reaches all that had ended before.

PIPEFILE_SEEDS=100 runs more of them, PIPEFILE_FIRST_SEED=1000 others.
"""

from __future__ import annotations

import os
import random

import pytest
from kit import Project

SEEDS = int(os.environ.get("PIPEFILE_SEEDS", "24"))
FIRST = int(os.environ.get("PIPEFILE_FIRST_SEED", "0"))
ADD = 'echo "{name} $(cat "$GATES/stamp")" | cat - {{inputs}} > {{outputs}}'


class Grown:
    """A project in which each stage writes its name, a stamp that nobody declares, and all that its inputs hold."""

    def __init__(self, project: Project, seed: int) -> None:
        self.project, self.chance = project, random.Random(seed)
        self.inputs: dict[str, list[str]] = {}
        self.temps: set[str] = set()
        for number in range(self.chance.randint(4, 9)):
            name = f"s{number}"
            self.inputs[name] = self.chance.sample(sorted(self.inputs), k=min(len(self.inputs), self.chance.randint(0, 3)))
            if self.chance.random() < 0.6:
                self.temps.add(name)
            project.write(f"k/{name}", "0\n")
            inputs = [f"k/{name}", *[f"out/{each}" for each in self.inputs[name]]]
            output = {"path": f"out/{name}", "temp": name in self.temps, "atomic": self.chance.random() < 0.7}
            project.stage(name, inputs=inputs, outputs=[output], run=ADD.format(name=name))
        self.stamps = 0

    def stamp(self) -> None:
        self.stamps += 1
        self.project.write("../side/gates/stamp", f"{self.stamps}\n")

    def edit(self) -> None:
        for name in self.chance.sample(sorted(self.inputs), k=self.chance.randint(1, 2)):
            self.project.write(f"k/{name}", f"{self.chance.randint(0, 9)}\n")

    def check(self) -> None:
        """What stands of an input is what stands in all that was made of it, however deep."""
        stamps: dict[str, set[str]] = {}
        for name in self.inputs:
            assert self.project.exists(f"out/{name}") == (name not in self.temps)
            if name not in self.temps:
                for line in self.project.read(f"out/{name}").splitlines():
                    if line.startswith("s"):
                        maker, _, stamp = line.partition(" ")
                        stamps.setdefault(maker, set()).add(stamp)
        assert {maker: found for maker, found in stamps.items() if len(found) > 1} == {}


@pytest.mark.parametrize("seed", range(FIRST, FIRST + max(1, SEEDS // 3)))
def test_all_that_was_made_of_it_agrees(project: Project, seed: int) -> None:
    """No two outputs have been made from two states of one temporary output, and a second build runs nothing, with the index or without."""
    grown = Grown(project, seed)
    for _ in range(5):
        grown.stamp()
        jobs, schedule = grown.chance.choice([1, 2, 4]), grown.chance.choice(["eager", "eager", "waves"])
        would = {*project.build(dry_run=True).would_run}
        outcome = project.build(jobs=jobs, schedule=schedule)
        assert (outcome.exit_status, outcome.output) == (0, "")
        assert set(outcome.ran) <= would
        assert len(outcome.ran) + outcome.fresh == len(grown.inputs)
        grown.check()
        if grown.chance.random() < 0.5:
            project.remove("pipeline_outputs/index")
        assert project.build().ran == []
        grown.edit()
