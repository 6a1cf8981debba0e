"""How many bytes builds read: what has been hashed once is believed while its stat stands."""

from __future__ import annotations

import os
from collections import Counter

import pytest
from kit import Project

from pipefile.engine.files import SMALL
from pipefile.testing import FaultyDisk

COARSE, WHOLE_SECONDS = 10_000_000, 1_000_000_000
BIG = b"0123456789abcdef" * (SMALL // 16 + 1)


def build(project: Project, tick: int) -> tuple[list[str], Counter[str]]:
    """Build in this process: what ran, and bytes read of each file but pipefile's own."""
    project.disk = FaultyDisk(project.root, tick)
    outcome = project.build()
    assert outcome.exit_status == 0, outcome.output
    own = ("pipeline_outputs/", "Pipefile.toml")
    return outcome.ran, Counter({path: count for path, count in project.disk.bytes_read.items() if count and not path.startswith(own)})


def some_stages(project: Project) -> dict[str, int]:
    """Inputs and outputs of all kinds; sizes of the files that are read for them."""
    project.write("in/big.bin", BIG)
    project.write("in/small.txt", "small\n")
    project.write("tree/a/1.bin", BIG)
    project.write("read.h", "h\n")
    project.stage("copy", inputs="in/*", outputs=["out/big.bin", "out/small.txt"], run="cp {inputs[0]} {outputs[0]}; cp {inputs[1]} {outputs[1]}")
    project.stage("whole", inputs="tree/", outputs="out/tree/", run="cp -r {inputs}/. {outputs}")
    run = 'cat {inputs} > {outputs}; echo "x: read.h" > {depfile}'
    project.stage("dep", inputs="out/small.txt", outputs="out/dep.o", depfile="out/dep.d", run=run)
    return {
        "in/big.bin": len(BIG), "in/small.txt": 6, "tree/a/1.bin": len(BIG), "read.h": 2,
        "out/big.bin": len(BIG), "out/small.txt": 6, "out/tree/a/1.bin": len(BIG), "out/dep.o": 6,
    }  # fmt: skip


@pytest.mark.parametrize("tick", [0, COARSE], ids=["fine", "coarse"])
def test_a_second_build_reads_nothing(project: Project, tick: int) -> None:
    """After a full build, not a byte of any output or record, nor of an input but the large ones that were written in the tick before the build.

    With coarse stamps a large output is hashed once as well, when its tick is over.
    """
    sizes = some_stages(project)
    ran, first = build(project, tick)
    assert sorted(ran) == ["copy", "dep", "whole"]
    assert {path for path in first if ".hash" not in path and ".pipefile-tmp" not in path} <= {*sizes, "out/dep.d"}
    once = {path: size for path, size in sizes.items() if size >= SMALL and not path.startswith("out/")}
    assert {path: first[path] for path in once} == once
    for path in ("out/big.bin", "out/tree/a/1.bin"):
        temporary = path.replace("out/", "out/.pipefile-tmp/")
        assert (first[path], first[temporary]) == (0, len(BIG))
    for _ in range(2):
        ran, again = build(project, tick)
        assert (ran, set(again) - (set(once) if tick else set())) == ([], set())


def test_a_second_build_with_stamps_of_whole_seconds(project: Project) -> None:
    """Such stamps stand still for too long to be waited for: the files are read again until they are two seconds old, and then never."""
    sizes = some_stages(project)
    build(project, WHOLE_SECONDS)
    ran, again = build(project, WHOLE_SECONDS)
    assert ran == []
    assert set(again) <= {*sizes}
    assert all(again[path] == sizes[path] for path in again)


def test_what_was_touched_is_read_once(project: Project) -> None:
    """Case 3: one input with another mtime and the same bytes; nothing else is read, nothing runs, and the next build reads nothing."""
    some_stages(project)
    build(project, 0)
    project.touch("in/big.bin", os.stat(project.path("in/big.bin")).st_mtime_ns - 10**12)
    ran, read = build(project, 0)
    assert (ran, set(read)) == ([], {"in/big.bin"})
    assert build(project, 0) == ([], {})


def test_what_did_not_change_is_not_read(project: Project) -> None:
    """Case 12: an edit reads the edited file and what its stage makes, and no other."""
    some_stages(project)
    build(project, 0)
    project.write("in/small.txt", "other\n")
    ran, read = build(project, 0)
    assert ran == ["copy", "dep"]
    assert "tree/a/1.bin" not in read
    assert "out/tree/a/1.bin" not in read
    assert "in/big.bin" not in read
    assert build(project, 0) == ([], {})


def test_a_lost_index_costs_one_reading(project: Project) -> None:
    """Case 65: records are believed after one look at every file."""
    sizes = some_stages(project)
    build(project, 0)
    project.remove("pipeline_outputs/index")
    ran, read = build(project, 0)
    assert ran == []
    assert {path: count for path, count in read.items() if not path.endswith(".hash")} == sizes
    assert build(project, 0) == ([], {})
