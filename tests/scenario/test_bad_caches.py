"""A cache that is damaged or hostile: a build does without, and nothing outside of what stages declare is written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from kit import Project

from pipefile.base.digest import of_bytes
from pipefile.store.frame import sealed

ENTRIES, BLOBS = "pipeline_outputs/cache/entries", "pipeline_outputs/cache/blobs"


@pytest.fixture
def cached(project: Project) -> Project:
    """A project with a file and a directory, small and large, that was built for `one`, then for `two`."""
    project.caching = True
    project.stage("a", inputs="x", outputs="o/a", run="seq 3000 > {outputs}; cat {inputs} >> {outputs}")
    project.stage("b", inputs="x", outputs="o/b/", run="cp {inputs} {outputs}/small; seq 3000 > {outputs}/large")
    for text in ("one\n", "two\n"):
        project.write("x", text)
        assert project.build().exit_status == 0
    project.write("x", "one\n")
    return project


def files(project: Project, folder: str) -> list[str]:
    return [path for path in project.tree() if path.startswith(folder + "/") and not os.path.isdir(project.path(path))]


def is_right(project: Project, *, restored: bool | None = False) -> None:
    """A build makes what a clean one does; *restored* says whether by running, None: whether or not."""
    outcome = project.build()
    assert outcome.exit_status == 0, outcome.output
    assert "Traceback" not in outcome.output
    if restored is not None:
        assert bool(outcome.restored) is restored
    project.settled()


def test_as_it_is(cached):
    """What the others are compared with."""
    is_right(cached, restored=True)


@pytest.mark.parametrize("folder", [ENTRIES, BLOBS])
@pytest.mark.parametrize("damage", ["flipped", "truncated", "empty", "zeros", "directory", "link", "fifo", "gone", "bomb"])
def test_damaged_files(cached, folder, damage):
    """Cases 64 and 83: each file of the cache in turn, all of them damaged in one way; what a link leads to is left alone."""
    victim = os.path.join(cached.side, "victim")
    with open(victim, "wb") as file:
        file.write(b"precious")
    for path in files(cached, folder):
        full, data = cached.path(path), bytearray(cached.read_bytes(path))
        os.unlink(full)
        if damage == "directory":
            cached.write(f"{path}/in it", "x")
        elif damage == "link":
            os.symlink(victim, full)
        elif damage == "fifo":
            os.mkfifo(full)
        elif damage == "bomb":
            with open(full, "wb") as file:
                file.truncate((1 << 30) + 1)
        elif damage != "gone":
            data[len(data) // 2] ^= 1
            spoilt = {"flipped": data, "truncated": data[:-7], "empty": b"", "zeros": bytes(len(data))}
            cached.write(path, bytes(spoilt[damage]))
    is_right(cached)
    with open(victim, "rb") as file:
        assert file.read() == b"precious"
    cached.write("x", "two\n")
    cached.build()
    cached.write("x", "one\n")
    is_right(cached, restored=True)  # and what was kept since is whole


@pytest.mark.parametrize("what", ["file", "fifo", "link to nowhere"])
def test_something_else_in_place_of_the_cache(cached, what):
    """Case 64: one warning that says how to do without; the build is as any other."""
    cached.remove("pipeline_outputs/cache")
    if what == "fifo":
        os.mkfifo(cached.path("pipeline_outputs/cache"))
    elif what == "file":
        cached.write("pipeline_outputs/cache", "x")
    else:
        os.symlink("nowhere", cached.path("pipeline_outputs/cache"))
    outcome = cached.build()
    assert outcome.exit_status == 0
    assert outcome.ran == ["a", "b"] or sorted(outcome.ran) == ["a", "b"]
    assert outcome.output.count("warning: ") == (0 if what == "link to nowhere" and cached.exists("pipeline_outputs/nowhere") else 1)
    assert "`--no-cache` does without" in outcome.output or what == "link to nowhere"


def test_a_cache_that_lies_elsewhere(cached, tmp_path):
    """A link that leads out of the project: files of fixed names would be written there."""
    cached.remove("pipeline_outputs/cache")
    os.symlink(tmp_path, cached.path("pipeline_outputs/cache"))
    outcome = cached.build()
    assert outcome.exit_status == 1
    assert outcome.output == (
        "error: `pipeline_outputs/cache` lies outside the project, where a link leads\n"
        'hint: folders outside are named in `[pipefile] outside = ["/..."]`\n'
    )


def test_a_cache_that_cannot_be_written(cached):
    """Case 59: a warning, and the build goes on."""
    import errno

    from pipefile.testing import FaultyDisk

    cached.write("x", "three\n")
    cached.disk = FaultyDisk(cached.root)
    cached.disk.fail("*", "*pipeline_outputs/cache/*", errno.EROFS)
    outcome = cached.build()
    assert (outcome.exit_status, sorted(outcome.ran)) == (0, ["a", "b"])
    assert outcome.output.count("warning: ") == 1
    cached.disk = None
    cached.settled()


def test_a_disk_that_is_full_while_something_is_restored(cached):
    """Case 57: the stage is run instead, and says what is wrong; then all is as it should be."""
    import errno

    from pipefile.testing import FaultyDisk

    cached.disk = FaultyDisk(cached.root)
    cached.disk.fail("copy", "*.pipefile-tmp*", errno.ENOSPC)
    cached.disk.fail("write", "*.pipefile-tmp*", errno.ENOSPC)
    outcome = cached.build()
    assert outcome.restored == []
    cached.disk = None
    is_right(cached, restored=None)


# --- hostile


def hostile(project: Project, change: Callable[[dict[str, Any]], None]) -> None:
    """Change each result of the directory's stage, and give it a checksum that is right."""
    for path in files(project, ENTRIES):
        lines = []
        for line in project.read_bytes(path).splitlines():
            values = json.loads(line)
            del values["format"], values["checksum"]
            if values["edge"] == "b":
                change(values)
            lines.append(sealed(values))
        project.write(path, b"".join(lines))


def _outside(values: dict[str, Any]) -> None:
    values["outputs"].append(["../victim", "file", of_bytes(b"x"), [["", "file", "text", "x"]]])


def _absolute(values: dict[str, Any]) -> None:
    values["outputs"].append([f"{os.getcwd()}/victim", "file", of_bytes(b"x"), [["", "file", "text", "x"]]])


def _undeclared(values: dict[str, Any]) -> None:
    values["outputs"].append(["victim", "file", of_bytes(b"x"), [["", "file", "text", "x"]]])


def _instead(values: dict[str, Any]) -> None:
    values["outputs"][0][0] = "victim"


def _above(values: dict[str, Any]) -> None:
    values["outputs"][0][3].append(["../../victim", "file", "text", "x"])


def _through_a_link(values: dict[str, Any]) -> None:
    values["outputs"][0][3][:0] = [["a", "link", "../.."], ["a/victim", "file", "text", "x"]]


def _own(values: dict[str, Any]) -> None:
    values["outputs"][0][3].insert(0, [".x.hash", "file", "text", "x"])


def _more(values: dict[str, Any]) -> None:
    values["outputs"][0][3].append(["victim", "file", "text", "x"])


def _other_bytes(values: dict[str, Any]) -> None:
    values["outputs"][0][3][-1] = ["small", "file", "text", "x"]


def _size(values: dict[str, Any]) -> None:
    for item in values["outputs"][0][3]:
        if item[2] == "blob":
            item[4] = 1 << 50


def _kind(values: dict[str, Any]) -> None:
    values["outputs"][0][3][-1] = ["small", "device", 1, 3]


def _discovered(values: dict[str, Any]) -> None:
    values["discovered"] = {"/etc/passwd": ""}


HOSTILE = [_outside, _absolute, _undeclared, _instead, _above, _through_a_link, _own, _more, _other_bytes, _size, _kind, _discovered]


@pytest.mark.parametrize("change", HOSTILE)
def test_hostile_results(cached, change):
    """Case 84: refused; nothing outside is written, and the build falls back to running the stage."""
    hostile(cached, change)
    outcome = cached.build()
    assert (outcome.exit_status, outcome.ran, outcome.restored) == (0, ["b"], ["a"])
    found = [path for path in cached.tree() if "victim" in path or path.endswith(".x.hash")]
    assert found == []
    assert not os.path.exists(os.path.join(os.path.dirname(cached.root), "victim"))
    cached.settled()


def test_gc_while_a_build_runs(cached):
    """Case 73: `cache gc` and `cache verify` wait for the build, and one that does not want to wait says so."""
    gate = cached.gate("slow")
    cached.stage("slow", inputs="x", outputs="o/slow", run=f"{gate.shell}; cp {{inputs}} {{outputs}}")
    build = cached.start()
    gate.wait()
    for words in (("cache", "gc", "--no-wait"), ("cache", "verify", "--no-wait")):
        outcome = cached.cli(*words)
        assert outcome.exit_status == 4, outcome.text
    assert cached.cli("cache", "stats").exit_status == 0
    gc = cached.start("cache", "gc", "--all")
    gate.release()
    assert build.wait().exit_status == 0
    assert gc.wait().exit_status == 0
    assert cached.build().fresh == 3
    assert cached.read("o/slow") == "one\n"
