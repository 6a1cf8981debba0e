"""Random batches in which some items fail: whoever runs with whom, what comes out is what each item alone would have come to.

PIPEFILE_SEEDS=100 runs more of them, PIPEFILE_FIRST_SEED=1000 others.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest
from kit import Project

SEEDS = max(1, int(os.environ.get("PIPEFILE_SEEDS", "24")) // 4)
FIRST = int(os.environ.get("PIPEFILE_FIRST_SEED", "0"))
ROUNDS = 4

STEPS = """
def each(src, dst):
    for source, target in zip(src, dst):
        with open(source) as file:
            text = file.read()
        with open(target, "w") as file:
            file.write("half of it")
        if text == "bad":
            raise ValueError(target)
        if text != "missing":
            with open(target, "w") as file:
                file.write(text.upper())
        else:
            os.unlink(target)
        yield

def all_at_once(src, dst):
    for _ in each(src, dst):
        pass

import os
"""


def names(numbers: set[int]) -> list[str]:
    return sorted([f"up@in/{number}" for number in numbers])


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_batches_that_fail(new_project: Callable[[], Project], seed: int) -> None:
    """With `-k` just those items fail that would fail alone, and all others are made; the next build runs nothing but what has not been made."""
    chance, project = random.Random(seed), new_project()
    project.write("steps.py", STEPS)
    texts: dict[int, str] = {}
    stale: set[int] = set()
    function = chance.choice(["each", "all_at_once"])
    batch = chance.choice([2, 3, 5, 64])
    project.stage("up", {"src": "{p}"}, {"dst": "out/{p.name}"}, call=f"steps:{function}", for_each={"p": "in/*"}, batch=batch)
    for round_ in range(ROUNDS):
        for number in chance.sample(range(14), chance.randint(1, 9)):
            kind = chance.choice(["good", "good", "good", "bad", "missing"]) if round_ < ROUNDS - 1 else "good"
            texts[number] = f"text {number} {round_}" if kind == "good" else kind
            project.write(f"in/{number}", texts[number])
            stale.add(number)
        if round_ == ROUNDS - 1:
            for number in sorted(stale):
                texts[number] = f"mended {number}"
                project.write(f"in/{number}", texts[number])
        bad = {number for number in stale if texts[number] in ("bad", "missing")}
        outcome = project.build(jobs=chance.randint(1, 4), keep_going=True)

        assert (sorted(outcome.ran), sorted(outcome.failed)) == (names(stale - bad), names(bad)), outcome.output
        for number in set(texts) - bad:
            assert project.read(f"out/{number}") == texts[number].upper()
        stale = bad
    assert project.outputs() == project.clean_outputs()
    assert project.build(jobs=1).ran == []


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_builds_that_stop(new_project: Callable[[], Project], seed: int) -> None:
    """Without `-k` each build stops at a failure, and what it has made by then is good: as items are mended, all come to be made."""
    chance, project = random.Random(seed), new_project()
    project.write("steps.py", STEPS)
    function = chance.choice(["each", "all_at_once"])
    project.stage("up", {"src": "{p}"}, {"dst": "out/{p.name}"}, call=f"steps:{function}", for_each={"p": "in/*"}, batch=chance.choice([3, 64]))
    left = set(range(9))
    bad = set(chance.sample(range(9), 3))
    for number in left:
        project.write(f"in/{number}", "bad" if number in bad else f"text {number}")
    while bad:
        outcome = project.build(jobs=chance.randint(1, 3))
        failed = {int(name.rpartition("/")[2]) for name in outcome.failed}
        ran = {int(name.rpartition("/")[2]) for name in outcome.ran}
        assert failed, outcome.output
        assert failed <= bad
        assert ran <= left - bad
        assert {project.read(f"out/{number}") for number in ran} == {f"TEXT {number}" for number in ran}
        left -= ran
        for number in failed:
            project.write(f"in/{number}", f"text {number}")
        bad -= failed
    assert sorted(project.build(jobs=2).ran) == names(left)
    assert project.outputs() == project.clean_outputs()
