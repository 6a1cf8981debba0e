"""What a small build writes beside the index instead of the index: later builds go on from both, and what holds when one of the two is damaged."""

from __future__ import annotations

import os

import pytest
from kit import BuildOutcome, Project
from kit.lane import lane

INDEX = "pipeline_outputs/index"
CHANGES = "pipeline_outputs/index.changes"


@pytest.fixture
def edited(project: Project) -> Project:
    """Three independent stages, built, of which one was built once more since."""
    for letter in "abc":
        project.write(f"src/{letter}", f"{letter}\n")
        project.stage(letter, inputs=f"src/{letter}", outputs=f"o/{letter}", run="cp {inputs} {outputs}")
    project.build()
    project.write("src/a", "new a\n")
    assert project.build().ran == ["a"]
    assert project.exists(CHANGES)
    return project


def settles(project: Project) -> BuildOutcome:
    """A build says nothing of the state and makes what is right; the next one has nothing to do."""
    first = project.build()
    assert (first.exit_status, first.output) == (0, "")
    assert [project.read(f"o/{letter}") for letter in "abc"] == [project.read(f"src/{letter}") for letter in "abc"]
    again = project.build()
    assert (again.ran, again.output) == ([], "")
    return first


def test_the_index_itself_stays(edited: Project) -> None:
    """One edit after the other is told of beside it, and builds with nothing to do are answered from both."""
    index = edited.read_bytes(INDEX)
    for number in range(5):
        assert lane(edited) is not None
        edited.write("src/b", f"edit {number}\n")
        assert edited.build().ran == ["b"]
    assert edited.read_bytes(INDEX) == index
    assert lane(edited) is not None
    edited.settled()
    assert edited.status() == {"a": "fresh", "b": "fresh", "c": "fresh"}


def test_the_same_edit_again_takes_no_more_room(edited: Project) -> None:
    """Only the last of several changes of one place is kept."""
    sizes = set()
    for number in range(4):
        edited.write("src/a", f"edit {number}\n")
        edited.build()
        sizes.add(os.path.getsize(edited.path(CHANGES)))
    assert max(sizes) - min(sizes) < 300  # pieces of flags may begin and end elsewhere


def test_a_build_from_the_pipefile_writes_all_of_it(edited: Project) -> None:
    """Then nothing is left beside the index."""
    edited.stage("d", inputs="src/a", outputs="o/d", run="cp {inputs} {outputs}")
    assert edited.build().ran == ["d"]
    assert not edited.exists(CHANGES)
    assert lane(edited) is not None


def test_many_changes_are_written_into_the_index(project: Project) -> None:
    """Where they come to more than their part of it; what had changed before is not lost."""
    for number in range(300):
        project.write(f"src/{number}", f"{number}\n")
        project.stage(f"s{number}", inputs=f"src/{number}", outputs=f"o/{number}", run="cp {inputs} {outputs}")
    project.build()
    edits = 0
    while edits == 0 or project.exists(CHANGES):
        for number in range(edits, edits + 60):
            project.write(f"src/{number % 300}", f"edit {edits}\n")
        assert len(project.build().ran) == 60
        edits += 60
        assert lane(project) is not None
        assert edits < 1200
    assert project.build().ran == []
    assert project.build(cold=True).ran == []


@pytest.mark.parametrize("how", ["truncated", "flipped", "longer"])
def test_damaged(edited: Project, how: str) -> None:
    """Cases 63, 64 and 70: the index without it is that of an earlier build: what has changed since is looked at, and nothing runs."""
    whole = edited.read_bytes(CHANGES)
    for place in (*range(0, 100, 9), *range(100, len(whole), 60), len(whole) - 1):
        if how == "truncated":
            edited.write(CHANGES, whole[:place])
        elif how == "flipped":
            edited.write(CHANGES, whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        else:
            edited.write(CHANGES, whole + b"x" * (place + 1))
        assert settles(edited).ran == [], place


@pytest.mark.parametrize("kind", ["directory", "link", "dangling link", "FIFO", "unreadable", "zeros", "brackets"])
def test_something_else_there(edited: Project, kind: str) -> None:
    """Case 64: it is replaced, and a link's target is left alone."""
    victim = os.path.join(edited.side, "victim")
    with open(victim, "w", encoding="ascii") as file:
        file.write("precious\n")
    if kind in ("zeros", "brackets"):
        edited.write(CHANGES, (b"\0" if kind == "zeros" else b"[") * 3_000_000)
    elif kind == "unreadable":
        os.chmod(edited.path(CHANGES), 0)
    else:
        edited.remove(CHANGES)
        if kind == "directory":
            edited.write(f"{CHANGES}/inner/file", "x")
        elif kind == "FIFO":
            os.mkfifo(edited.path(CHANGES))
        else:
            os.symlink(victim if kind == "link" else f"{victim}/none", edited.path(CHANGES))
    edited.write("src/c", "new c\n")
    assert settles(edited).ran == ["c"]
    assert os.path.isfile(edited.path(CHANGES)) or not edited.exists(CHANGES)
    with open(victim, encoding="ascii") as file:
        assert file.read() == "precious\n"
    assert not os.path.exists(f"{victim}/none")


def test_changes_of_another_index(edited: Project) -> None:
    """Case 67: they name the index that they belong to, and are nothing beside another one, nor is that without them."""
    changes, index = edited.read_bytes(CHANGES), edited.read_bytes(INDEX)
    edited.stage("b", inputs="src/b", outputs="o/b", run="cat {inputs} > {outputs}")
    assert edited.build().ran == ["b"]
    edited.write(CHANGES, changes)
    assert settles(edited).ran == []
    edited.write(INDEX, index)
    edited.write(CHANGES, changes)
    assert settles(edited).ran == []


def test_yesterdays_changes(edited: Project) -> None:
    """Case 66: those of an earlier build beside today's outputs say of each file that has changed since that it has."""
    changes = edited.read_bytes(CHANGES)
    edited.write("src/b", "new b\n")
    edited.write("src/a", "newer a\n")
    assert sorted(edited.build().ran) == ["a", "b"]
    edited.write(CHANGES, changes)
    assert settles(edited).ran == []


def test_lost_index(edited: Project) -> None:
    """Case 65: the changes alone say nothing."""
    edited.remove(INDEX)
    assert settles(edited).ran == []


def test_after_a_failure(edited: Project) -> None:
    """What has failed is told of in them: the next build runs it once more, though no file has changed."""
    edited.stage("c", inputs="src/c", outputs="o/c", run="grep -v bad {inputs} > {outputs}")
    assert edited.build().ran == ["c"]
    edited.write("src/c", "bad\n")
    assert edited.build().failed == ["c"]
    assert edited.exists(CHANGES)
    assert lane(edited) is None
    assert edited.build().failed == ["c"]
    edited.write("src/c", "good\n")
    assert settles(edited).ran == ["c"]


def test_a_build_that_came_in_between(edited: Project) -> None:
    """Who has waited for the lock looks anew, also where the other build has written nothing but changes."""
    gate = edited.gate("slow")
    edited.stage("a", inputs="src/a", outputs="o/a", run=f"{gate.shell}; cat {{inputs}} > {{outputs}}", infer_inputs=False)
    first = edited.start()
    gate.wait()
    gate.release()
    assert first.wait().exit_status == 0
    edited.write("src/a", "first\n")
    first = edited.start()
    gate.wait()
    second = edited.start()
    second.until(lambda: "waiting for pid" in second.out)
    gate.release()
    assert first.wait().exit_status == 0
    outcome = second.wait()
    assert outcome.exit_status == 0
    assert outcome.out.splitlines()[-1].startswith("3 fresh")
