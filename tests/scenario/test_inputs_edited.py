"""What happens to sources between two builds, and what has to run because of it."""

from __future__ import annotations

import os
import subprocess

import pytest
from kit import Project

from pipefile.testing import FakeClock, FaultyDisk

NS = 1_000_000_000


@pytest.fixture
def chain(project: Project) -> Project:
    """A chain of two stages and one stage beside it, built."""
    project.stage("strip", inputs="src.txt", outputs="s.txt", run="sed 's/#.*//' {inputs} > {outputs}")
    project.stage("sum", inputs="s.txt", outputs="out/sum.txt", run="cksum < {inputs} > {outputs}")
    project.stage("copy", inputs="other.txt", outputs="out/copy.txt", run="cp {inputs} {outputs}")
    project.write("src.txt", "one # old\n")
    project.write("other.txt", "other\n")
    assert sorted(project.build().ran) == ["copy", "strip", "sum"]
    return project


def shell(project: Project, command: str) -> None:
    subprocess.run(["sh", "-ec", command], cwd=project.root, env=project.environ, check=True, capture_output=True)


def test_same_size_and_old_mtime(chain: Project) -> None:
    """Case 1: an edit that keeps size and mtime reaches all consumers."""
    before = os.stat(chain.path("src.txt"))
    chain.write("src.txt", "two # old\n")
    os.utime(chain.path("src.txt"), ns=(before.st_atime_ns, before.st_mtime_ns))
    assert os.stat(chain.path("src.txt")).st_mtime_ns == before.st_mtime_ns

    assert chain.build().ran == ["strip", "sum"]

    chain.settled()


@pytest.mark.parametrize(
    "command",
    [
        "cp -p $SIDE/old.txt src.txt",
        "mv $SIDE/old.txt src.txt",
        "cp -pl $SIDE/old.txt new && mv new src.txt",
        "tar -C $SIDE -cf $SIDE/a.tar --transform s/old/src/ old.txt && tar -xf $SIDE/a.tar",
        "git checkout -q HEAD~1 -- src.txt",
    ],
    ids=["cp", "mv", "link", "tar", "git"],
)
def test_an_older_file_in_its_place(project: Project, command: str) -> None:
    """Case 2: an input is replaced by an older one."""
    project.stage("sum", inputs="src.txt", outputs="sum.txt", run="cksum < {inputs} > {outputs}")
    project.environ["SIDE"] = project.side
    git = "git -c user.name=a -c user.email=a@example.org -c commit.gpgsign=false"
    with open(os.path.join(project.side, "old.txt"), "w", encoding="utf-8") as file:
        file.write("older\n")
    os.utime(file.name, ns=(NS, NS))
    shell(project, f"git init -q; cp -p $SIDE/old.txt src.txt; git add src.txt; {git} commit -qm 1; echo newer > src.txt; {git} commit -qam 2")
    project.build()

    shell(project, command)

    assert project.read("src.txt") == "older\n"
    assert project.build().ran == ["sum"]
    project.settled()


def test_touch(chain: Project) -> None:
    """Case 3: a touched input is hashed once, and not again by the build after that; nothing runs."""
    os.utime(chain.path("src.txt"))
    chain.disk = FaultyDisk(chain.root)
    assert chain.build().ran == []
    assert chain.disk.bytes_read["src.txt"] == len("one # old\n")

    chain.disk.forget()

    assert chain.build().ran == []
    assert chain.disk.bytes_read["src.txt"] == 0
    chain.settled()


def test_edited_and_put_back(chain: Project) -> None:
    """Case 4: the same bytes again, without a build in between."""
    chain.write("src.txt", "two\n")
    chain.write("src.txt", "one # old\n")
    chain.settled()


def test_another_file_with_the_same_bytes(chain: Project) -> None:
    """Case 4: an input is replaced by another file of equal bytes, as editors do."""
    chain.write("new.txt", "one # old\n")
    chain.rename("new.txt", "src.txt")
    chain.settled()


def test_exec_bit(chain: Project) -> None:
    """Case 1: the exec bit of an input is part of its digest; other bits of its mode are not."""
    os.chmod(chain.path("src.txt"), 0o600)
    assert chain.build().ran == []
    os.chmod(chain.path("src.txt"), 0o700)
    assert chain.build().ran == ["strip"]
    chain.settled()


def test_early_cutoff(chain: Project) -> None:
    """Case 12: an edit that leaves the middle output as it was runs the middle stage alone."""
    chain.write("src.txt", "one # new\n")
    assert chain.build().ran == ["strip"]
    chain.settled()


def test_early_cutoff_below_two(project: Project) -> None:
    """Case 12: a stage runs if one of its two inputs came out the same and the other did not; otherwise it stays as it is."""
    for name in "ab":
        project.stage(name, inputs=f"{name}.txt", outputs=f"{name}.out", run="sed 's/#.*//' {inputs} > {outputs}")
        project.write(f"{name}.txt", f"{name}\n")
    project.stage("join", inputs=["a.out", "b.out"], outputs="join.txt", run="cat {inputs} > {outputs}")
    project.build()

    project.write("a.txt", "a# note\n")
    project.write("b.txt", "b# note\n")
    assert sorted(project.build().ran) == ["a", "b"]
    project.write("a.txt", "a# other note\n")
    project.write("b.txt", "new\n")
    assert sorted(project.build().ran) == ["a", "b", "join"]
    project.settled()


@pytest.mark.parametrize("ahead", [3600, 10 * 365 * 86400], ids=["hour", "years"])
def test_mtime_in_the_future(chain: Project, ahead: int) -> None:
    """Case 14: a stamp ahead of the clock is never waited for, and hides no edit."""
    chain.clock = FakeClock()
    now = os.stat(chain.path("src.txt")).st_mtime_ns
    for path in ("src.txt", "s.txt"):
        chain.touch(path, now + ahead * NS)
    assert chain.build().ran == []
    assert chain.build().ran == []
    assert sum(chain.clock.slept) < 1

    chain.write("src.txt", "two\n")

    assert os.stat(chain.path("src.txt")).st_mtime_ns < now + ahead * NS
    assert chain.build().ran == ["strip", "sum"]
    chain.settled()


@pytest.mark.parametrize(
    "mtime", [0, -1, -40 * 365 * 86400 * NS, 1, NS - 1, 1_600_000_000 * NS + 999_999_999, (2**31 + 5) * NS, 2**32 * NS + 999_999_999]
)
def test_odd_mtimes(chain: Project, mtime: int) -> None:
    """Case 17: 0, before 1970, after 2038, the last nanosecond of a second."""
    for path in ("src.txt", "s.txt", "out/copy.txt"):
        chain.touch(path, mtime)
    chain.settled()
    chain.write("src.txt", "two # old\n")
    chain.touch("src.txt", mtime)
    assert chain.build().ran == ["strip", "sum"]
    chain.settled()


def test_edit_through_a_hard_link(chain: Project) -> None:
    """Case 18: an input that has another name elsewhere is edited there, its mtime kept."""
    other = os.path.join(chain.side, "elsewhere.txt")
    os.link(chain.path("src.txt"), other)
    assert chain.build().ran == []
    before = os.stat(other)
    with open(other, "r+b") as file:
        file.write(b"TWO")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert chain.build().ran == ["strip", "sum"]
    chain.settled()


@pytest.mark.parametrize("run", ["tr a-z A-Z < {inputs} > {outputs}", "tr a-z A-Z < in.txt > out.txt"], ids=["atomic", "in place"])
def test_output_that_is_a_hard_link_of_an_input(project: Project, run: str) -> None:
    """Case 18: making the output does not write through it into the input."""
    project.stage("upper", inputs="in.txt", outputs="out.txt", run="cat {inputs} > {outputs}")
    project.write("in.txt", "words\n")
    project.build()
    project.remove("out.txt")
    os.link(project.path("in.txt"), project.path("out.txt"))
    assert project.build().ran == []  # the bytes are right

    project.stage("upper", inputs="in.txt", outputs="out.txt", run=run)

    assert project.build().ran == ["upper"]
    assert (project.read("in.txt"), project.read("out.txt")) == ("words\n", "WORDS\n")
    project.settled()


def test_an_output_that_its_stage_makes_as_a_hard_link(project: Project) -> None:
    """Case 18: whoever wrote to one would write to the other: the error says which it is, and what to do."""
    project.stage("link", inputs="in.txt", outputs="out.txt", run="ln {inputs} {outputs}")
    project.write("in.txt", "words\n")
    outcome = project.build()
    assert (outcome.exit_status, outcome.output) == (
        1,
        "warning: `in.txt` changed while stage `link` ran: it runs again\n"
        "was made from inputs that changed while it ran: `in.txt`\nhint: output `out.txt` is a hard link of it: copy it instead\n",
    )
    project.stage("link", inputs="in.txt", outputs="out.txt", run="cp {inputs} {outputs}")
    assert project.build().ran == ["link"]
    project.settled()
