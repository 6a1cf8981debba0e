"""What edges came to: written once, read by anybody, believed by nobody."""

import errno
import json
import os

import pytest

from pipefile.model.output import Artifact, StageOutput
from pipefile.store.outputs import OutputReader, output_path, write_output
from pipefile.testing import FaultyDisk

RUN = "20240212_100000_abc123"
OUTPUT = StageOutput(
    stage="analyze",
    version="2.0.0",
    created_at="2024-02-12T10:00:00Z",
    duration_seconds=2.5,
    input_hash="blake3:abc123",
    output_hash="blake3:def456",
    data={"info": {"width": 640}, "frames": {"path": "s/values/analyze/frames.json", "digest": "blake3:0", "size": 5000000}, "é": "\udcff\ud800"},
    by_reference=("frames",),
    artifacts=(Artifact("preview.jpg", "artifacts/preview.jpg", "image"),),
    metrics={"build/metrics.json": {"loss": 0.25, "recall.0": 1, "worst": "NaN"}},
)


def instance(name, number=1):
    return StageOutput("thumbs", name, data={"n": number})


@pytest.fixture
def disk(tmp_path):
    return FaultyDisk(str(tmp_path))


@pytest.fixture
def read(disk):
    return lambda stage="analyze", instance="": OutputReader(disk, "s").read(RUN, stage, instance)


def place(tmp_path, stage="analyze", instance=""):
    return tmp_path / output_path("s", RUN, stage, instance)


def test_as_users_read_it(tmp_path, disk, read):
    """`_meta`, `data`, `artifacts`; metrics where there are any."""
    write_output(disk, "s", RUN, OUTPUT)
    assert place(tmp_path).read_text() == (
        "{\n"
        '  "_meta": {"format": 1, "stage": "analyze", "version": "2.0.0", "created_at": "2024-02-12T10:00:00Z", "duration_seconds": 2.5, '
        '"input_hash": "blake3:abc123", "output_hash": "blake3:def456", "by_reference": ["frames"]},\n'
        '  "data": {"info": {"width": 640}, "frames": {"path": "s/values/analyze/frames.json", "digest": "blake3:0", "size": 5000000}, '
        '"\\u00e9": "\\udcff\\ud800"},\n'
        '  "artifacts": [{"name": "preview.jpg", "path": "artifacts/preview.jpg", "type": "image"}],\n'
        '  "metrics": {"build/metrics.json": {"loss": 0.25, "recall.0": 1, "worst": "NaN"}}\n'
        "}\n"
    )
    assert read() == (OUTPUT, "")
    assert read("other") == (None, "")


def test_the_least_that_one_has(tmp_path, disk, read):
    write_output(disk, "s", RUN, StageOutput("analyze"))
    assert list(json.loads(place(tmp_path).read_text())) == ["_meta", "data", "artifacts"]
    assert read() == (StageOutput("analyze"), "")


def test_names_are_encoded(tmp_path, disk, read):
    """No stage's name leads out of its run."""
    for name in ("../../x", "run.json", ".", "a b/ü", "x" * 300):
        write_output(disk, "s", RUN, StageOutput(name))
        assert place(tmp_path, name).parent.parent == tmp_path / "s/runs" / RUN
        assert read(name) == (StageOutput(name), "")


def test_instances_share_a_file(tmp_path, disk, read):
    """A line each; the last one of an instance counts."""
    for name, number in (("a", 1), ("b", 2), ("a", 3)):
        write_output(disk, "s", RUN, instance(name, number))
    assert len(place(tmp_path, "thumbs", "a").read_text().splitlines()) == 3
    assert (read("thumbs", "a"), read("thumbs", "b")) == ((instance("a", 3), ""), (instance("b", 2), ""))
    assert read("thumbs", "c") == (None, "")
    assert read("thumbs") == (None, "")


def test_a_torn_line_costs_that_line_alone(tmp_path, disk):
    """Case 70: what is appended after it is a line of its own."""
    write_output(disk, "s", RUN, instance("a"))
    path = place(tmp_path, "thumbs", "a")
    whole = path.read_bytes()
    for length in range(1, len(whole)):
        path.write_bytes(whole + whole.replace(b'"a"', b'"b"')[:length])
        torn = OutputReader(disk, "s").read(RUN, "thumbs", "a")
        write_output(disk, "s", RUN, instance("c"))
        reader = OutputReader(disk, "s")
        assert [reader.read(RUN, "thumbs", name)[0] for name in "ac"] == [instance("a"), instance("c")]
        assert torn[0] == instance("a")
        told = f"`s/runs/{RUN}/thumbs/outputs.jsonl` is damaged in 1 of its 3 lines"
        whole_line = length == len(whole) - 1  # all but its line break: nothing is lost
        assert reader.read(RUN, "thumbs", "a")[1] == ("" if whole_line else told)


def test_a_file_with_other_names_is_not_changed_under_them(tmp_path, disk, read):
    write_output(disk, "s", RUN, instance("a"))
    path = place(tmp_path, "thumbs", "a")
    os.link(path, tmp_path / "kept")
    before = (tmp_path / "kept").read_bytes()
    write_output(disk, "s", RUN, instance("b"))
    assert (tmp_path / "kept").read_bytes() == before
    assert (read("thumbs", "a"), read("thumbs", "b")) == ((instance("a"), ""), (instance("b"), ""))


def test_damaged(tmp_path, disk, read):
    """Cases 63, 64 and 69: truncated at each byte, other bytes, other types, another stage's: told, and passed over."""
    write_output(disk, "s", RUN, OUTPUT)
    path = place(tmp_path)
    told = (None, f"`s/runs/{RUN}/analyze/output.json` is damaged")
    whole = path.read_bytes()
    for length in range(len(whole) - 2):
        path.write_bytes(whole[:length])
        assert read() == told
    others = [
        b"\0" * len(whole), b"[" * 100_000, b"{}", b"1", b"\xff", b"9" * 5000, whole.replace(b"analyze", b"another"), whole.replace(b"2.5", b"NaN"),
        whole.replace(b"2.5", b"1e999"), whole.replace(b"0.25", b'"x"'), whole.replace(b'["frames"]', b'["none"]'),
        whole.replace(b'["frames"]', b'["info"]'), whole.replace(b'"format": 1', b'"format": "1"'), whole.replace(b'"image"', b"1"),
    ]  # fmt: skip
    for other in others:
        path.write_bytes(other)
        assert read() == told, other
    values = json.loads(whole)
    for key in values:
        path.write_text(json.dumps({**values, key: 0.5}))
        assert read() == told
    for key in values["_meta"]:
        path.write_text(json.dumps({**values, "_meta": {**values["_meta"], key: [] if key != "by_reference" else ""}}))
        assert read() == told, key
    path.write_bytes(whole.replace(b'"format": 1', b'"format": 2'))
    assert read()[1] == f"`s/runs/{RUN}/analyze/output.json` has format 2, which this version does not know"


@pytest.mark.parametrize("instance_", ["", "a"])
@pytest.mark.parametrize(
    ("kind", "text"),
    [("link", "Too many levels of symbolic links"), ("FIFO", "not a regular file"), ("directory", "not a regular file"), ("huge", "File too large")],
)
def test_something_else_there(tmp_path, disk, read, kind, text, instance_):
    """Cases 64 and 77: neither waited for nor followed, and replaced when there is something to write."""
    output = StageOutput("analyze", instance_)
    path = place(tmp_path, "analyze", instance_)
    path.parent.mkdir(parents=True)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    if kind == "link":
        path.symlink_to(victim)
    elif kind == "FIFO":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        path.touch()
        os.truncate(path, 1 << 40)
    assert read("analyze", instance_) == (None, f"`{path.relative_to(tmp_path)}` cannot be read: {text}")
    if kind != "huge":
        write_output(disk, "s", RUN, output)
        assert read("analyze", instance_) == (output, "")
    assert victim.read_text() == "mine"


def test_a_link_in_place_of_the_folder(tmp_path, disk, read):
    """Case 77: what it leads to is left alone."""
    victim = tmp_path / "victim"
    victim.mkdir()
    folder = place(tmp_path).parent
    folder.parent.mkdir(parents=True)
    folder.symlink_to(victim)
    write_output(disk, "s", RUN, OUTPUT)
    assert os.listdir(victim) == []
    assert read() == (OUTPUT, "")


def test_a_full_disk(disk):
    """Case 57: whoever asked is told."""
    disk.fail("write", "*output.json", errno.ENOSPC)
    disk.fail("append", "*", errno.ENOSPC)
    for output in (OUTPUT, instance("a")):
        with pytest.raises(OSError, match="No space left on device"):
            write_output(disk, "s", RUN, output)
