"""State of another time, another place or another version."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable

import pytest
from blake3 import blake3
from kit import Project

from pipefile.store.index import FORMAT

STORE = "pipeline_outputs"


def declare(project: Project) -> None:
    project.stage("make", inputs="src.txt", outputs="a", run="cp {inputs} {outputs}")
    project.stage("twin", inputs="src2.txt", outputs="b", run="cp {inputs} {outputs}")
    project.stage("use", inputs=["a", "b"], outputs="c", run="cat {inputs} > {outputs}")


def state(project: Project, text: str, other: str = "2\n") -> dict[str, bytes]:
    """All files of a project built from *text*, by path, but its Pipefile and sources."""
    project.write("src.txt", text)
    project.write("src2.txt", other)
    assert project.build().exit_status == 0
    paths = [".a.hash", ".b.hash", ".c.hash", "a", "b", "c", f"{STORE}/index"]
    return {path: project.read_bytes(path) for path in paths}


def is_mended(project: Project) -> list[str]:
    """Edges that the next build runs, after which all is right."""
    first = project.build(jobs=1)
    assert (first.exit_status, first.output) == (0, "")
    assert project.outputs() == project.clean_outputs()
    assert project.build().ran == []
    return first.ran


RECORDS = [".a.hash", ".b.hash", ".c.hash"]
OUTPUTS = ["a", "b", "c"]


@pytest.mark.parametrize("index", ["today's", "yesterday's", "none"])
@pytest.mark.parametrize("restored", [RECORDS, OUTPUTS, RECORDS + OUTPUTS, []])
@pytest.mark.parametrize("source", ["yesterday\n", "today\n"])
def test_restored(project: Project, index: str, restored: list[str], source: str) -> None:
    """Case 66: yesterday's records, outputs or index over today's, with the sources of either day: nothing stale is believed."""
    declare(project)
    yesterday = state(project, "yesterday\n")
    state(project, "today\n")
    for path in restored:
        project.write(path, yesterday[path])
    if index == "none":
        project.remove(f"{STORE}/index")
    elif index == "yesterday's":
        project.write(f"{STORE}/index", yesterday[f"{STORE}/index"])
    project.write("src.txt", source)
    ran = is_mended(project)
    whole = restored == RECORDS + OUTPUTS
    if (whole and source == "yesterday\n" and index != "today's") or (not restored and source == "today\n"):
        assert ran == []


def test_restored_with_their_stamps(project: Project) -> None:
    """Case 66: the same as a backup does it, by renaming whole folders with all their stamps."""
    project.stage("make", inputs="src.txt", outputs="out/a", run="cp {inputs} {outputs}")
    project.write("src.txt", "yesterday\n")
    assert project.build().ran == ["make"]
    shutil.copytree(project.path("out"), project.path("kept"))
    project.write("src.txt", "today\n")
    assert project.build().ran == ["make"]
    project.remove("out")
    project.rename("kept", "out")
    assert is_mended(project) == ["make"]
    assert project.read("out/a") == "today\n"


@pytest.mark.parametrize("index", [True, False])
def test_record_of_another_output(project: Project, index: bool) -> None:
    """Case 67: a record names its output; beside another one it is none."""
    declare(project)
    project.write("src.txt", "same\n")
    project.write("src2.txt", "same\n")
    assert project.build().exit_status == 0
    project.write("src2.txt", "other\n")
    shutil.copyfile(project.path(".a.hash"), project.path(".b.hash"))
    if not index:
        project.remove(f"{STORE}/index")
    assert is_mended(project) == ["twin", "use"]


def test_output_with_its_record_in_another_place(project: Project) -> None:
    """Case 67: an output that is moved with its record is another output: what makes it may depend on where it is."""
    project.stage("make", inputs="src.txt", outputs="x/a", run="echo {outputs} > {outputs}")
    project.write("src.txt", "1\n")
    assert project.build().ran == ["make"]
    project.stage("make", inputs="src.txt", outputs="y/a", run="echo {outputs} > {outputs}")
    os.makedirs(project.path("y"))
    shutil.copy2(project.path("x/a"), project.path("y/a"))
    shutil.copy2(project.path("x/.a.hash"), project.path("y/.a.hash"))
    assert project.why("y/a") == {"make": ["its outputs were made in another place"]}
    outcome = project.build()
    assert (outcome.ran, outcome.output) == (["make"], "note: removed `x/a`, which no stage makes any more\n")
    assert is_mended(project) == []


def test_records_of_another_checkout(project: Project, new_project: Callable[[], Project]) -> None:
    """Case 67: records and outputs from a checkout elsewhere are believed where the sources are the same, and nowhere else."""
    declare(project)
    other = new_project()
    declare(other)
    state(project, "one\n", "two\n")
    for source, ran in (("two\n", []), ("three\n", ["twin", "use"])):
        other.write("src.txt", "one\n")
        other.write("src2.txt", source)
        for path in RECORDS + OUTPUTS:
            shutil.copyfile(project.path(path), other.path(path))
        if other.exists(f"{STORE}/index"):
            other.remove(f"{STORE}/index")
        assert is_mended(other) == ran


def test_store_of_another_checkout(project: Project, new_project: Callable[[], Project]) -> None:
    """Case 67: an index that describes another tree makes nothing fresh here."""
    declare(project)
    other = new_project()
    declare(other)
    state(project, "one\n")
    state(other, "three\n")
    shutil.copyfile(project.path(f"{STORE}/index"), other.path(f"{STORE}/index"))
    assert is_mended(other) == []
    other.write("src.txt", "one\n")
    shutil.copyfile(project.path(f"{STORE}/index"), other.path(f"{STORE}/index"))
    assert is_mended(other) == ["make", "use"]


# --- other versions


def next_record(data: bytes) -> bytes:
    """A record as version N+1 would write it: whole, with the next format number, and something that this version does not know."""
    values = json.loads(data)
    values.pop("format")
    values.pop("checksum")
    values["zeal"] = {"new": True}
    head, body = b'{"format": 2, ', json.dumps(values)[1:].encode() + b"\n"
    return head + b'"checksum": "' + blake3(head + body).hexdigest(length=16).encode() + b'", ' + body


def next_index(data: bytes) -> bytes:
    mark = len(b"pipefile-index")
    return data[:mark] + (int.from_bytes(data[mark : mark + 2], "big") + 1).to_bytes(2, "big") + data[mark + 2 :]


def test_records_of_a_later_version(project: Project) -> None:
    """Case 68: records of version N+1 are told, once, and made anew."""
    declare(project)
    state(project, "one\n")
    for path in RECORDS:
        project.write(path, next_record(project.read_bytes(path)))
    project.remove(f"{STORE}/index")
    outcome = project.build(jobs=1)
    assert outcome.output == "warning: records of format 2 are of another version of pipefile: they are taken as absent\n"
    assert (outcome.ran, outcome.exit_status) == (["make", "twin", "use"], 0)
    again = project.build()
    assert (again.ran, again.output) == ([], "")


def test_index_of_a_later_version(project: Project) -> None:
    """Case 68: an index of version N+1 is told and made anew; records tell what is fresh."""
    declare(project)
    state(project, "one\n")
    project.write(f"{STORE}/index", next_index(project.read_bytes(f"{STORE}/index")))
    outcome = project.build()
    assert outcome.output == f"warning: `{STORE}/index` is of format {FORMAT + 1}, which this version does not know: it is made anew\n"
    assert (outcome.ran, outcome.fresh) == ([], 3)
    assert project.build().output == ""


def test_history_of_a_later_version(project: Project) -> None:
    """Case 68: a run of version N+1 is shown as what it is, and harms no build."""
    declare(project)
    state(project, "one\n")
    (run,) = os.listdir(project.path(f"{STORE}/runs"))
    for name in ("run.json", "manifest.json"):
        path = f"{STORE}/runs/{run}/{name}"
        project.write(path, project.read(path).replace('"format": 1', '"format": 2', 1))
    project.write("src.txt", "two\n")
    assert is_mended(project) == ["make", "use"]
    assert "has format 2, which this version does not know" in project.cli("runs", "show", run).text


def test_down_and_up_again(project: Project) -> None:
    """Case 68: this version, the next one, this one again: what the next one made is made anew, and nothing is misread."""
    declare(project)
    state(project, "one\n")
    index = project.read_bytes(f"{STORE}/index")
    project.write("src.txt", "two\n")
    project.write("a", "two\n")
    project.write(".a.hash", next_record(project.read_bytes(".a.hash")))
    project.write(f"{STORE}/index", next_index(index))
    assert project.build(jobs=1).ran == ["make", "use"]
    assert project.outputs() == project.clean_outputs()
    assert project.build().ran == []
