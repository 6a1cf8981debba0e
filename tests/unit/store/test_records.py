"""Records on a disk that has other things in their places, or fails."""

import errno
import os

import pytest

from pipefile.base.errors import RecordError
from pipefile.model.record import Made, Record
from pipefile.model.stage import Output
from pipefile.store.record import Records, decode, encode
from pipefile.testing import FaultyDisk

DIGEST = "blake3:" + "0123456789abcdef" * 4
OUTPUTS = (Output(None, "a"), Output(None, "b"))
RECORD = Record("make", "Pipefile.toml", "1", "k", "a", (Made("a", "file", DIGEST), Made("b", "file", DIGEST)))


@pytest.fixture
def disk(tmp_path):
    return FaultyDisk(str(tmp_path))


@pytest.fixture
def warnings():
    return []


@pytest.fixture
def records(disk, warnings):
    return Records(disk, "store", warnings.append)


def put(kind, path):
    if kind == "directory":
        path.mkdir()
        (path / "file").write_bytes(b"x")
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        victim = path.with_name("victim")
        victim.write_bytes(encode(RECORD, ".a.hash"))
        path.symlink_to(victim)
    elif kind == "dangling":
        path.symlink_to("nowhere")
    else:
        path.write_bytes(b"")


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("directory", "not a regular file"),
        ("fifo", "not a regular file"),
        ("link", "too many levels of symbolic links"),
        ("dangling", "too many levels of symbolic links"),
        ("empty", "it does not begin as a record"),
    ],
)
def test_other_things_at_a_records_path(tmp_path, records, kind, fault):
    """Cases 64 and 77: they are read as damaged, without following or waiting, and replaced when a record is written."""
    put(kind, tmp_path / ".a.hash")
    victim = tmp_path / "victim"
    before = victim.read_bytes() if victim.exists() else None
    assert records.read("make", OUTPUTS).faults == ((".a.hash", fault),)
    records.write(RECORD)
    assert records.read("make", OUTPUTS).whole
    assert (victim.read_bytes() if victim.exists() else None) == before


@pytest.mark.parametrize("kind", ["directory", "fifo", "link", "dangling", "empty"])
def test_other_things_are_removed_as_records_are(tmp_path, records, kind):
    """What stood there is gone, and only that."""
    put(kind, tmp_path / ".b.hash")
    records.remove("make", OUTPUTS)
    assert not os.path.lexists(tmp_path / ".b.hash")
    assert (tmp_path / "victim").exists() == (kind == "link")


@pytest.mark.parametrize("kind", ["directory", "fifo", "dangling", "empty"])
def test_other_things_at_the_temporary_path(tmp_path, records, kind):
    """Case 77: what stands at the temporary name is replaced as well."""
    put(kind, tmp_path / ".a.hash~")
    records.write(RECORD)
    assert records.read("make", OUTPUTS).whole
    assert sorted(os.listdir(tmp_path)) == [".a.hash", ".b.hash"]


def test_the_first_outputs_record_is_written_last(disk, records):
    """A kill between two writes leaves no main record of the new attempt."""
    disk.fail("write", ".a.hash", errno.ENOSPC)
    with pytest.raises(OSError, match="No space left on device"):
        records.write(RECORD)
    found = records.read("make", OUTPUTS)
    assert found.main is None
    assert found.records[1] is not None


def test_the_first_outputs_record_is_removed_first(disk, records):
    """A kill between two removals leaves the edge stale."""
    records.write(RECORD)
    disk.fail("remove", ".b.hash", errno.EIO)
    with pytest.raises(OSError, match="Input/output error"):
        records.remove("make", OUTPUTS)
    assert records.read("make", OUTPUTS).main is None


@pytest.mark.parametrize(("number", "fault"), [(errno.EACCES, "permission denied"), (errno.EIO, "input/output error")])
def test_a_record_that_cannot_be_read_is_damaged(disk, records, number, fault):
    """Case 64: as with chmod 000; the others are read still."""
    records.write(RECORD)
    disk.fail("read", ".a.hash", number)
    found = records.read("make", OUTPUTS)
    assert found.faults == ((".a.hash", fault),)
    assert (found.main, found.whole) == (None, False)
    assert found.records[1] is not None


def test_a_record_of_256_megabytes_is_not_read(tmp_path, disk, records):
    """Case 64: a bomb costs nothing."""
    with open(tmp_path / ".a.hash", "wb") as file:
        file.truncate(1 << 30)
    assert records.read("make", OUTPUTS).faults == ((".a.hash", "file too large"),)
    assert disk.bytes_read.total() == 0


def test_an_unknown_format_is_warned_of_once(tmp_path, records, warnings):
    """Case 68: one line for all records of another version."""
    from blake3 import blake3

    head, body = b'{"format": 7, ', b'"anything": 1}\n'
    data = head + b'"checksum": "' + blake3(head + body).hexdigest(length=16).encode() + b'", ' + body
    for name in (".a.hash", ".b.hash"):
        (tmp_path / name).write_bytes(data)
    for _ in range(2):
        assert records.read("make", OUTPUTS).faults == ((".a.hash", "it has format 7"), (".b.hash", "it has format 7"))
    assert warnings == ["records of format 7 are of another version of pipefile: they are taken as absent"]


def test_a_record_copied_onto_anothers_place(tmp_path, records):
    """Case 67."""
    records.write(RECORD)
    (tmp_path / ".b.hash").write_bytes((tmp_path / ".a.hash").read_bytes())
    assert records.read("make", OUTPUTS).faults == ((".b.hash", "it is the record of another output"),)


def test_a_record_of_a_thousand_inputs_is_linear(records):
    """Much is per input: ten times the inputs make ten times the bytes."""
    sizes = []
    for count in (100, 1000):
        data = encode(
            Record("make", "P", "1", "k", "d/a", (Made("d/a", "file", DIGEST),), discovered={f"src/{n:04}": DIGEST for n in range(count)}),
            "d/.a.hash",
        )
        assert len(decode(data, "d/.a.hash").discovered) == count
        sizes.append(len(data))
    assert sizes[1] < 10 * sizes[0]
    with pytest.raises(RecordError):
        decode(data[:-1], "d/.a.hash")
