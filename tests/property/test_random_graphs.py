"""Random graphs under random edits, some of them while a build runs, and builders that are killed.

After every edit: what is asked for equals what a build from scratch gives, exactly those stages ran that had to, a second build runs nothing,
and no command that only reads has changed a byte. PIPEFILE_SEEDS=100 runs more of them, PIPEFILE_FIRST_SEED=1000 others.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from kit import Project
from kit.story import Story

SEEDS = int(os.environ.get("PIPEFILE_SEEDS", "24"))
FIRST = int(os.environ.get("PIPEFILE_FIRST_SEED", "0"))
STEPS = 7  # with the first one: 8 builds a seed that have something to do, 8 that have not, and a few from scratch

READ_ONLY = (
    ("status",),
    ("status", "--json"),
    ("list",),
    ("list", "--json", "--status"),
    ("graph",),
    ("graph", "--format", "dot", "--waves"),
    ("graph", "--format", "json"),
    ("check",),
    ("build", "-n"),
    ("build", "-n", "-B", "--json"),
)


@pytest.mark.parametrize("seed", range(FIRST, FIRST + SEEDS))
def test_incremental_equals_clean_and_runs_no_more_than_it_must(project: Project, seed: int) -> None:
    """Cases 1 to 12, 15, 16, 20 to 26, 30, 60, 65 and 66, mixed at random; by waves, for one target, and with functions in processes as well."""
    story = Story(project, seed)
    story.build(story.chance.choice([1, 2, 4]))
    for _ in range(STEPS):
        story.edit()
        target = story.chance.choice(sorted(story.model.stages)) if story.chance.random() < 0.2 else ""
        schedule, mode = story.chance.choice(["eager", "eager", "waves"]), story.chance.choice(["auto", "auto", "auto", "process"])
        story.build(story.chance.choice([1, 2, 4]), target, schedule=schedule, mode=mode)
    story.build(2)
    clean = project.clean_outputs()
    assert {path: content for path, content in clean.items() if path in story.standing()} == story.standing(), story.story()


@pytest.mark.parametrize("seed", range(FIRST, FIRST + max(1, SEEDS // 6)))
def test_one_job_equals_four(new_project: Callable[[], Project], seed: int) -> None:
    """The same story with -j1 and with -j4, functions in the builder and in processes: the same stages run, the same bytes come out."""
    one, four = Story(new_project(), seed, calm=True), Story(new_project(), seed, calm=True)
    for step in range(STEPS):
        assert sorted(one.build(1)) == sorted(four.build(4, mode="process" if step % 2 else "function")), one.story()
        assert one.now() == four.now(), one.story()
        one.edit()
        four.edit()


@pytest.mark.parametrize("seed", range(FIRST, FIRST + max(1, SEEDS // 24)))
def test_commands_that_only_read_change_nothing(project: Project, seed: int) -> None:
    """Case 60: by the real program, before the first build, after it, and with half of it stale."""
    story = Story(project, seed)
    for _ in range(3):
        before = project.tree()
        target = project.declared()[0]
        for words in (*READ_ONLY, ("why", target), *(("query", what, target) for what in ("inputs", "outputs", "deps", "rdeps"))):
            outcome = project.cli(*words)
            assert "Traceback" not in outcome.err, (words, outcome.text)
            assert outcome.exit_status in (0, 1), (words, outcome.text)
            assert project.tree() == before, words
        story.build(2)
        story.edit()
