"""Outputs that no stage makes any more."""

from __future__ import annotations

import os

import pytest
from kit import Project


@pytest.fixture
def orphan(project: Project) -> Project:
    """A stage `gone` that has made `old/gone.txt` and `old/folder/`, and is gone; one that stays."""
    project.stage("gone", inputs="in.txt", outputs={"a": "old/gone.txt", "b": "old/folder/"}, run="cat {inputs} > {a}; cp {inputs} {b}/x")
    project.stage("stays", inputs="in.txt", outputs="out/stays.txt", run="cat {inputs} > {outputs}")
    project.write("in.txt", "1\n")
    project.build()
    project.drop("gone")
    return project


REMOVED = "note: removed `old/gone.txt`, which no stage makes any more\nnote: removed `old/folder/`, which no stage makes any more\n"


def test_removed(orphan: Project) -> None:
    """Case 26: a build of the whole default set removes them, says so, and leaves no empty folder and no record."""
    assert orphan.build().output == REMOVED
    assert not orphan.exists("old")
    orphan.settled()


def test_removed_without_the_index(orphan: Project) -> None:
    """Case 26: records alone are enough to find them."""
    orphan.remove("pipeline_outputs/index")
    assert sorted(orphan.build().output.splitlines()) == sorted(REMOVED.splitlines())
    assert not orphan.exists("old")


def test_kept_when_a_target_is_built(orphan: Project) -> None:
    """Case 26: a build of named targets removes nothing; the next whole one does."""
    orphan.write("in.txt", "2\n")
    assert orphan.build("stays").output == ""
    assert orphan.read("old/gone.txt") == "1\n"
    assert orphan.build().output == REMOVED


def test_kept_when_the_build_fails(orphan: Project) -> None:
    """Case 26: a failed build removes nothing."""
    orphan.stage("stays", inputs="in.txt", outputs="out/stays.txt", run="false > {outputs}")
    assert orphan.build().exit_status == 1
    assert orphan.read("old/gone.txt") == "1\n"


def test_kept_in_a_dry_run(orphan: Project) -> None:
    """Case 26: a dry run removes nothing."""
    before = orphan.tree()
    assert orphan.build(dry_run=True).exit_status == 0
    assert orphan.tree() == before


def test_kept_when_edited(orphan: Project) -> None:
    """Case 26: what was changed since is the user's."""
    orphan.write("old/gone.txt", "mine\n")
    orphan.write("old/folder/y", "mine\n")
    outcome = orphan.build()
    assert (outcome.exit_status, outcome.output) == (
        0,
        "warning: `old/gone.txt` is made by no stage any more, but was changed since: it is kept\n"
        "warning: `old/folder` is made by no stage any more, but was changed since: it is kept\n",
    )
    assert (orphan.read("old/gone.txt"), orphan.read("old/folder/y")) == ("mine\n", "mine\n")


def test_kept_when_it_becomes_a_source(orphan: Project) -> None:
    """Case 26: another stage reads what was an output, and its record was removed: it is a source now, and stays."""
    orphan.stage("reads", inputs="old/gone.txt", outputs="out/reads.txt", run="cat {inputs} > {outputs}")
    orphan.remove(orphan.record("old/gone.txt"))
    outcome = orphan.build()
    assert (outcome.exit_status, outcome.ran) == (0, ["reads"])
    assert orphan.read("old/gone.txt") == "1\n"


def test_of_another_pipefile(orphan: Project) -> None:
    """Case 26: records of another Pipefile in the same folder are not touched."""
    orphan.write("Other.toml", '[stage.other]\noutputs = "other.txt"\nrun = "echo > {outputs}"\n')
    assert orphan.cli("-f", "Other.toml").exit_status == 0
    orphan.build()
    assert orphan.exists("other.txt")
    assert orphan.exists(orphan.record("other.txt"))


def test_no_glob_matches_them(orphan: Project) -> None:
    """Case 26: a dead output is no input, also while it is still there."""
    orphan.stage("join", inputs="old/*.txt", outputs="join.txt", run="cat {inputs} > {outputs}")
    orphan.write("old/source.txt", "source\n")
    assert orphan.build("join").ran == ["join"]
    assert orphan.read("join.txt") == "source\n"
    assert orphan.exists("old/gone.txt")
    assert orphan.build().ran == []
    assert not orphan.exists("old/gone.txt")
    orphan.settled()


def test_hard_linked_elsewhere(orphan: Project) -> None:
    """Case 18: removing one name of a file leaves the other."""
    os.link(orphan.path("old/gone.txt"), os.path.join(orphan.side, "kept"))
    orphan.build()
    with open(os.path.join(orphan.side, "kept"), encoding="utf-8") as file:
        assert file.read() == "1\n"


def test_back_before_the_next_build(orphan: Project) -> None:
    """Case 26: a stage that is put back before anything was built finds its outputs fresh."""
    orphan.stage("gone", inputs="in.txt", outputs={"a": "old/gone.txt", "b": "old/folder/"}, run="cat {inputs} > {a}; cp {inputs} {b}/x")
    orphan.settled()


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("by", ["build", "clean"])
def test_outside(project: Project, by: str, named: bool) -> None:
    """Case 26: outputs go from a folder of `outside` with the folders made in it, but it stays; nothing goes from one that is named no more."""
    place = f"{project.side}/results"
    os.makedirs(f"{place}/mine")
    project.settings(outside=[place])
    project.stage("far", outputs=f"{place}/mine/made/far.txt", run="echo > {outputs}")
    project.stage("stays", outputs="near.txt", run="echo > {outputs}")
    project.build()
    project.drop("far")
    if not named:
        project.settings(outside=None)
    if by == "build":
        project.build()
    else:
        project.cli("clean", "--dead")
    if named:
        assert (os.listdir(project.side + "/results"), os.path.exists(f"{place}/mine/made")) == ([], False)
    else:
        assert sorted(os.listdir(f"{place}/mine/made")) == [".far.txt.hash", "far.txt"]
