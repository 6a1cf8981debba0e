"""Outputs that no stage makes any more, where stages would read them: after a build that exits 0 all is as a clean build would have it."""

from __future__ import annotations

import sys

import pytest
from kit import Project

REMOVED = "note: removed `build/e/b.t`, which no stage makes any more\n"


@pytest.fixture
def items(project: Project) -> Project:
    """A stage `e` with the items a and b, of which b is about to go."""
    project.stage("e", {"src": "{item}"}, {"dst": "build/e/{item.stem}.t"}, "cat {src} > {dst}", for_each={"item": "src/*.txt"})
    project.write("src/a.txt", "a\n")
    project.write("src/b.txt", "b\n")
    return project


def go(project: Project) -> None:
    assert project.build().exit_status == 0
    project.remove("src/b.txt")


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("targets", [(), ("join",)])
def test_in_a_directory(items: Project, targets: tuple[str, ...], index: bool) -> None:
    """Cases 25 and 26: what has gone from a directory is removed before the directory is read, by a build of one target too, and without an index."""
    items.stage("join", "build/e/", "join.txt", "cat {inputs}/* > {outputs}")
    go(items)
    if not index:
        items.remove("pipeline_outputs/index")
    outcome = items.build(*targets)

    assert (outcome.ran, outcome.output) == (["join"], REMOVED)
    assert items.read("join.txt") == "a\n"
    items.settled()


def test_before_it_is_removed(items: Project) -> None:
    """A look at the project says that the stage may run, and why, and touches nothing."""
    items.stage("join", "build/e/", "join.txt", "cat {inputs}/* > {outputs}")
    go(items)
    before = items.tree()

    assert items.cli("status", "--check").exit_status == 1
    assert "`build/e/b.t`, which no stage makes any more, is removed before it" in items.cli("why", "join").out
    assert items.tree() == before


def test_without_its_item_again(items: Project) -> None:
    """Nothing else in the directory has changed since before the item came: nothing runs."""
    items.remove("src/b.txt")
    items.stage("join", "build/e/", "join.txt", "cat {inputs}/* > {outputs}")
    items.build()
    items.write("src/b.txt", "b\n")
    assert items.build("e").exit_status == 0
    items.remove("src/b.txt")
    outcome = items.build()

    assert (outcome.ran, outcome.output) == ([], REMOVED)
    items.settled()


def test_as_an_optional_input(items: Project) -> None:
    """Cases 25 and 26: an input that may be absent is absent."""
    items.stage("maybe", ["src/a.txt", {"path": "build/e/b.t", "optional": True}], "maybe.txt", "cat {inputs} 2>&- > {outputs} || :")
    go(items)
    outcome = items.build("maybe")

    assert (outcome.ran, outcome.output) == (["maybe"], REMOVED)
    assert items.read("maybe.txt") == "a\n"
    items.settled()


def test_as_a_discovered_input(items: Project) -> None:
    """Case 26: what a depfile has named is gone when the stage runs again."""
    run = "cat build/e/* > {outputs}; echo {outputs}: build/e/* > dep.d"
    items.stage("reads", "src/a.txt", "reads.txt", run, depfile="dep.d", after=["e"])
    go(items)
    outcome = items.build("reads")

    assert (outcome.ran, outcome.output) == (["reads"], REMOVED)
    assert items.read("reads.txt") == "a\n"
    items.settled()


def test_as_a_tracked_input(items: Project) -> None:
    """Case 26: what Python code was seen to read is gone when it runs again."""
    items.write("join.py", JOIN)
    items.stage("reads", "src/a.txt", "reads.txt", f"{sys.executable} join.py {{outputs}}", audit="track", after=["e"])
    go(items)
    outcome = items.build("reads")

    assert (outcome.ran, outcome.output) == (["reads"], REMOVED)
    assert items.read("reads.txt") == "a\n"
    items.settled()


JOIN = """
import pathlib, sys
open(sys.argv[1], "w").write("".join(path.read_text() for path in sorted(pathlib.Path("build/e").glob("*.t"))))
"""

ERROR = """\
error: `build/e/b.t` was made by `e@src/b.txt`, and no stage makes it any more
  Pipefile.toml:{line}  `needs` needs `build/e/b.t`
hint: name what is made now; or remove its record `build/e/.b.t.hash`, which makes it a source
"""


@pytest.mark.parametrize("named", ["inputs", "run"])
def test_said_to_be_needed(items: Project, named: str) -> None:
    """Case 25: a clean build would not find it. Whether its stage went for good nobody knows: nothing is lost; without its record it is a source."""
    if named == "inputs":
        items.stage("needs", "build/e/b.t", "needs.txt", "cat {inputs} > {outputs}")
    else:
        items.stage("needs", "src/a.txt", "needs.txt", "cat build/e/b.t > {outputs}")
    go(items)
    line = next(number for number, each in enumerate(items.read("Pipefile.toml").split("\n"), 1) if each.startswith(named) and "build/e/b.t" in each)

    for words in (["needs"], [], ["-n"], ["needs", "-n"]):
        outcome = items.cli("build", *words)
        assert (outcome.exit_status, outcome.err) == (2, ERROR.format(line=line))
    outcome = items.cli("status")
    assert (outcome.exit_status, outcome.err) == (2, ERROR.format(line=line))
    assert items.read("build/e/b.t") == "b\n"

    items.remove("build/e/.b.t.hash")
    assert (items.build().ran, items.build("needs").ran) == ([], [])
    assert items.read("build/e/b.t") == "b\n"


def test_an_output_that_is_called_otherwise_now(project: Project) -> None:
    """Case 26: who renames an output and forgets who reads it is told; the old one is not read for ever."""
    project.stage("make", "in.txt", "old.txt", "cat {inputs} > {outputs}")
    project.stage("needs", "old.txt", "needs.txt", "cat {inputs} > {outputs}")
    project.write("in.txt", "1\n")
    project.build()
    project.stage("make", "in.txt", "new.txt", "cat {inputs} > {outputs}")
    outcome = project.cli()

    assert outcome.exit_status == 2
    assert outcome.err.startswith("error: `old.txt` was made by `make`, and no stage makes it any more\n")
    assert project.exists("old.txt")
    project.write("old.txt", "mine\n")
    assert sorted(project.build().ran) == ["make", "needs"]


def test_in_a_directory_that_is_gone(project: Project) -> None:
    """Case 26: no glob matches files in a directory that no stage makes any more."""
    project.stage("gone", "in.txt", "old/folder/", "cp {inputs} {outputs}/x.txt")
    project.write("in.txt", "1\n")
    project.write("old/source.txt", "source\n")
    project.build()
    project.drop("gone")
    project.stage("join", "old/**/*.txt", "join.txt", "cat {inputs} > {outputs}")

    assert project.build("join").ran == ["join"]
    assert project.read("join.txt") == "source\n"
    assert project.build().ran == []
    project.settled()


def test_edited_since(items: Project) -> None:
    """Case 26: what was changed since is the user's, and read."""
    items.stage("join", "build/e/", "join.txt", "cat {inputs}/* > {outputs}")
    go(items)
    items.write("build/e/b.t", "mine\n")
    outcome = items.build()

    assert outcome.ran == ["join"]
    assert outcome.output == "warning: `build/e/b.t` is made by no stage any more, but was changed since: it is kept\n"
    assert items.read("join.txt") == "a\nmine\n"


def test_an_item_that_a_stage_makes(project: Project) -> None:
    """Case 30: items that are gone when their stage has run are gone from the directory that is read after it."""
    project.stage("split", "list.txt", "parts/", "for i in $(cat {inputs}); do echo $i > {outputs}/$i.txt; done")
    project.stage("e", {"src": "{item}"}, {"dst": "build/e/{item.stem}.t"}, "cat {src} > {dst}", for_each={"item": "parts/*.txt"})
    project.stage("join", "build/e/", "join.txt", "cat {inputs}/* > {outputs}")
    project.write("list.txt", "a b\n")
    project.build()
    assert project.read("join.txt") == "a\nb\n"
    project.write("list.txt", "a\n")
    outcome = project.build()

    assert (outcome.ran, outcome.output) == (["split", "join"], REMOVED)
    assert project.read("join.txt") == "a\n"
    project.settled()
