"""Random graphs under random edits with the cache on: what was made once does not run again, and nothing else is different.

PIPEFILE_SEEDS=100 runs more of them, PIPEFILE_FIRST_SEED=1000 others.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from kit import Project
from kit.caching import CachedStory

SEEDS = int(os.environ.get("PIPEFILE_SEEDS", "24"))
FIRST = int(os.environ.get("PIPEFILE_FIRST_SEED", "0"))
STEPS = 9


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_incremental_equals_clean_whatever_happens_to_the_cache(project: Project, seed: int) -> None:
    """Edits, undone edits, killed builders, results that are removed or spoilt in between: outputs equal those of a clean build, a second build
    runs and restores nothing, and, while the cache is whole, nothing runs that ran before with the same inputs."""
    story = CachedStory(project, seed, damage=bool(seed % 3))
    story.build(story.chance.choice([1, 2, 4]))
    for _ in range(STEPS):
        story.edit()
        target = story.chance.choice(sorted(story.model.stages)) if story.chance.random() < 0.2 else ""
        story.build(story.chance.choice([1, 2, 4]), target, schedule=story.chance.choice(["eager", "eager", "waves"]))
    story.build(2)
    clean = project.clean_outputs()
    assert {path: content for path, content in clean.items() if path in story.standing()} == story.standing(), story.story()


@pytest.mark.parametrize("seed", range(FIRST, FIRST + max(1, SEEDS // 6)))
def test_one_job_equals_four(new_project: Callable[[], Project], seed: int) -> None:
    """The same story with -j1 and with -j4: the same stages run or are restored, the same bytes come out."""
    one, four = (CachedStory(new_project(), seed, calm=True, damage=False) for _ in range(2))
    for _ in range(STEPS):
        assert sorted(one.build(1)) == sorted(four.build(4)), one.story()
        assert one.now() == four.now(), one.story()
        one.edit()
        four.edit()
