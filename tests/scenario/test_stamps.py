"""What stamps are trusted for: fine ones, and those of disks on which two changes can have the same stamp."""

from __future__ import annotations

import os

import pytest
from kit import Project

from pipefile.testing import FakeClock, FaultyDisk

TICKS = {"fine": 0, "kernel": 3_999_971, "second": 1_000_000_000, "fat": 2_000_000_000}
# near the 4 ms of most kernels, and no part of a second: stamps of whole seconds would pass for those of a disk that has no others
FINE = TICKS["fine"]
COARSE = TICKS["kernel"]


@pytest.fixture(params=TICKS.values(), ids=TICKS)
def pair(request: pytest.FixtureRequest, project: Project) -> Project:
    """Two stages on a disk whose stamps have a tick, built."""
    return made(project, request.param)


def made(project: Project, tick: int) -> Project:
    project.disk = FaultyDisk(project.root, tick=tick)
    project.stage("copy", inputs="in.txt", outputs="out.txt", run="cat {inputs} > {outputs}")
    project.stage("sum", inputs="out.txt", outputs="sum.txt", run="cksum < {inputs} > {outputs}")
    project.write("in.txt", "0\n")
    assert project.build().ran == ["copy", "sum"]
    return project


def old(project: Project, path: str = "in.txt") -> None:
    """Put a file's mtime where it always was, so that ctime alone can tell."""
    project.touch(path, 1_600_000_000_000_000_000)


def test_edits_right_after_a_build(pair: Project) -> None:
    """Cases 1 and 13: same size, same mtime, as soon as the build has ended: twenty times, whatever the tick, also within one second of a disk whose
    stamps have no parts of one."""
    for letter in "abcdefghijklmnopqrst":
        pair.write("in.txt", f"{letter}\n")
        old(pair)
        assert pair.build().ran == ["copy", "sum"], letter
        assert pair.read("out.txt") == f"{letter}\n"
    pair.disk = None
    pair.settled()


def test_outputs_edited_right_after_a_build(pair: Project) -> None:
    """Case 6: the same for an output."""
    for number in range(5):
        pair.write("out.txt", f"{number + 1}\n")
        old(pair, "out.txt")
        assert pair.build().ran == ["copy"], number
        assert pair.read("out.txt") == "0\n"
    pair.disk = None
    pair.settled()


@pytest.mark.parametrize("tick", [FINE, COARSE], ids=["fine", "kernel"])
def test_the_second_build_reads_no_bytes(project: Project, tick: int) -> None:
    """Case 3: after a full build all stats are trusted; small files inside the tick were hashed once more at its end."""
    made(project, tick)
    project.disk.forget()
    assert project.build().ran == []
    assert {path: count for path, count in project.disk.bytes_read.items() if count} == {"Pipefile.toml": len(project.read("Pipefile.toml"))}


def test_a_large_output_is_read_once(project: Project) -> None:
    """Case 3: where stamps are coarse, a large output is hashed after the tick, once, instead of twice."""
    project.disk = FaultyDisk(project.root, tick=COARSE)
    size = 3 << 20
    project.stage("big", outputs="big.bin", run=f"head -c {size} /dev/zero > {{outputs}}")
    project.build()
    read = {path: count for path, count in project.disk.bytes_read.items() if path.endswith("big.bin")}
    assert read == {".pipefile-tmp/big.bin": size}
    project.disk.forget()
    assert project.build().ran == []
    assert project.disk.bytes_read["big.bin"] == 0


def test_fine_stamps_are_never_waited_for(project: Project) -> None:
    """Case 14: with fine stamps no build sleeps."""
    project.clock = FakeClock()
    made(project, FINE)
    project.write("in.txt", "1\n")
    assert project.build().ran == ["copy", "sum"]
    assert project.clock.slept == []


def test_coarse_stamps_are_waited_for_once_a_build(project: Project) -> None:
    """Case 14: one tick at the end, not one a file."""
    project.clock = FakeClock()
    project.disk = FaultyDisk(project.root, tick=COARSE)
    for number in range(8):
        project.stage(f"s{number}", inputs="in.txt", outputs=f"{number}.txt", run="cat {inputs} > {outputs}")
    project.write("in.txt", "0\n")
    project.build()
    assert len(project.clock.slept) == 1
    assert project.clock.slept[0] < 0.05


def test_a_stamp_in_the_future_is_never_trusted(project: Project) -> None:
    """Case 14: such a file is hashed by every build until its stamp has come."""
    made(project, FINE)
    project.touch("in.txt", os.stat(project.path("in.txt")).st_mtime_ns + 3600 * 10**9)
    for _ in range(3):
        project.disk.forget()
        assert project.build().ran == []
        assert project.disk.bytes_read["in.txt"] == 2
        assert project.disk.bytes_read["out.txt"] == 0
    project.settled()
