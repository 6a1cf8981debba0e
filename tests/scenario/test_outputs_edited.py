"""What happens to outputs between two builds."""

from __future__ import annotations

import os

import pytest
from kit import Project


@pytest.fixture
def two(project: Project) -> Project:
    """A stage with two outputs of one size, and a consumer of each, built."""
    project.stage("split", inputs="src.txt", outputs={"a": "a.txt", "b": "b.txt"}, run="head -n1 {inputs} > {a}; tail -n1 {inputs} > {b}")
    project.stage("use_a", inputs="a.txt", outputs="out/a", run="cksum < {inputs} > {outputs}")
    project.stage("use_b", inputs="b.txt", outputs="out/b", run="cksum < {inputs} > {outputs}")
    project.write("src.txt", "one\ntwo\n")
    assert sorted(project.build().ran) == ["split", "use_a", "use_b"]
    return project


def test_tampered_with(two: Project) -> None:
    """Case 5: other bytes in an output run its producer alone."""
    two.write("a.txt", "tampered\n")
    assert two.build().ran == ["split"]
    two.settled()


def test_tampered_with_at_the_end(two: Project) -> None:
    """Case 5: the same for an output that no stage reads, and when only that target is asked for."""
    two.write("out/a", "tampered\n")
    assert two.build("out/b").ran == []
    assert two.build("out/a").ran == ["use_a"]
    two.settled()


def test_tampered_with_keeping_size_and_mtime(two: Project) -> None:
    """Case 6: size and mtime say that nothing happened."""
    before = os.stat(two.path("a.txt"))
    two.write("a.txt", "ONE\n")
    os.utime(two.path("a.txt"), ns=(before.st_atime_ns, before.st_mtime_ns))
    assert two.build().ran == ["split"]
    two.settled()


def test_truncated(two: Project) -> None:
    """Case 7: an output of no bytes."""
    os.truncate(two.path("a.txt"), 0)
    assert two.build().ran == ["split"]
    two.settled()


def test_one_of_two_deleted(two: Project) -> None:
    """Case 8: the stage that made it runs, nothing else."""
    two.remove("b.txt")
    assert two.build().ran == ["split"]
    two.settled()


def test_all_deleted(two: Project) -> None:
    """Case 9: outputs go, records stay."""
    for path in two.declared():
        two.remove(path)
    assert sorted(two.build().ran) == ["split", "use_a", "use_b"]
    two.settled()


def test_all_deleted_with_their_folder(two: Project) -> None:
    """Case 9: a whole folder of outputs goes with its records."""
    two.remove("out")
    assert sorted(two.build().ran) == ["use_a", "use_b"]
    two.settled()


def test_swapped(two: Project) -> None:
    """Case 10: two outputs change places, their records stay."""
    two.rename("a.txt", "other")
    two.rename("b.txt", "a.txt")
    two.rename("other", "b.txt")
    assert two.build().ran == ["split"]
    two.settled()


def test_swapped_with_their_records(two: Project) -> None:
    """Case 10: outputs of two stages change places, and their records with them."""
    for one, other in (("out/a", "out/b"), (two.record("out/a"), two.record("out/b"))):
        two.rename(one, "other")
        two.rename(other, one)
        two.rename("other", other)
    assert sorted(two.build().ran) == ["use_a", "use_b"]
    two.settled()


def test_touched(two: Project) -> None:
    """Case 11: an output with another mtime is as good as before."""
    for path in two.declared():
        os.utime(two.path(path))
    two.settled()
    for path in two.declared():
        two.touch(path, 1_000_000_000)
    two.settled()


def test_record_deleted(two: Project) -> None:
    """Case 8: an output without its record is made again, whichever of the two records it is."""
    for path in ("a.txt", "b.txt"):
        two.remove(two.record(path))
        assert two.build().ran == ["split"]
    two.settled()


def test_exec_bit(two: Project) -> None:
    """Case 5: an output that was made executable is not what the stage made."""
    os.chmod(two.path("a.txt"), 0o755)
    assert two.build().ran == ["split"]
    two.settled()


def test_a_link_in_its_place(two: Project) -> None:
    """Case 5: a link with the right bytes behind it is no output; it is replaced, and what it led to is left alone."""
    two.write("elsewhere", "one\n")
    two.remove("a.txt")
    os.symlink("elsewhere", two.path("a.txt"))
    assert two.build().ran == ["split"]
    assert not os.path.islink(two.path("a.txt"))
    assert two.read("elsewhere") == "one\n"
    two.settled()


def test_a_directory_in_its_place(two: Project) -> None:
    """Case 5: it is refused before anything runs."""
    two.remove("a.txt")
    two.write("a.txt/inside", "")
    two.write("src.txt", "three\nfour\n")
    outcome = two.build()
    assert (outcome.exit_status, outcome.ran) == (2, [])
    assert outcome.output == (
        "error: `a.txt` is a directory, but stage `split` makes a file there\n  Pipefile.toml:3  `split`\nhint: move `a.txt` away\n"
    )
    assert two.read("a.txt/inside") == ""


def test_a_fifo_in_its_place(two: Project) -> None:
    """Case 41: as a directory, it is refused and left alone."""
    two.remove("a.txt")
    os.mkfifo(two.path("a.txt"))
    outcome = two.build()
    assert (outcome.exit_status, outcome.ran) == (2, [])
    assert outcome.output == "error: `a.txt` is a FIFO, but stage `split` makes a file there\n  Pipefile.toml:3  `split`\nhint: move `a.txt` away\n"
    assert two.exists("a.txt")
