"""One suite over the real Records and the fake one."""

from dataclasses import replace

import pytest

from pipefile.base.disk import OsDisk
from pipefile.model.ports import Records as RecordsPort
from pipefile.model.record import Component, Made, Record
from pipefile.model.stage import Output
from pipefile.store.record import Records
from pipefile.testing import MemoryRecords

DIGEST = "blake3:" + "0123456789abcdef" * 4
ONE = (Output(None, "build/a"),)
THREE = (Output(None, "build/a"), Output("docs", "build/docs", directory=True), Output(None, "c"))


def record(*outputs: Output, edge: str = "make", attempt: str = "1", key: str = "k") -> Record:
    made = tuple([Made(output.path, "directory" if output.directory else "file", DIGEST) for output in outputs])
    return Record(
        edge,
        "Pipefile.toml",
        attempt,
        key,
        outputs[0].path if outputs else None,
        made,
        components=(Component("input", "", "src/a", DIGEST),),
        members={"src/*": (("src/a", DIGEST),)},
        discovered={"src/h": ""},
        own=("build/log",),
        reasons=("it was never made",),
        duration=1.5,
    )


@pytest.fixture(params=["disk", "memory"])
def records(request, tmp_path) -> RecordsPort:
    if request.param == "memory":
        return MemoryRecords()
    (tmp_path / "build").mkdir()
    return Records(OsDisk(str(tmp_path)), "store", pytest.fail)


def test_nothing_is_there_at_first(records):
    """No record is no fault."""
    for outputs in (ONE, THREE, ()):
        found = records.read("make", outputs)
        assert (found.main, found.whole, found.faults) == (None, False, ())
        assert found.records == (None,) * (len(outputs) or 1)


@pytest.mark.parametrize("outputs", [ONE, THREE, ()], ids=["one", "three", "none"])
@pytest.mark.parametrize("sync", [False, True])
def test_what_is_written_is_read(records, outputs, sync):
    """The first output's record has all; the others say which attempt they are of."""
    written = record(*outputs)
    records.write(written, sync)
    found = records.read("make", outputs)
    assert found.whole
    assert found.main == written
    assert [other.output for other in found.records[1:]] == [output.path for output in outputs[1:]]
    assert [(other.main, other.components, other.attempt, other.outputs) for other in found.records[1:]] == [
        (False, (), "1", written.outputs) for _ in outputs[1:]
    ]


def test_an_optional_output_that_was_not_made(records):
    """Its record has no digest, and is one of the attempt all the same."""
    written = record(*THREE)
    written = replace(written, outputs=(replace(written.outputs[0], digest=""), *written.outputs[1:]))
    records.write(written)
    found = records.read("make", THREE)
    assert found.whole
    assert found.main == written


def test_a_second_attempt_replaces_the_first(records):
    """Writing over records leaves none of the old ones."""
    records.write(record(*THREE, attempt="1"))
    records.write(record(*THREE, attempt="2"))
    found = records.read("make", THREE)
    assert found.whole
    assert [one.attempt for one in found.records] == ["2", "2", "2"]


def test_records_of_two_attempts_are_not_whole(records):
    """What a killed build may leave: one output's record of an older attempt."""
    records.write(record(*THREE, attempt="1"))
    records.write(record(THREE[0], attempt="2"))
    found = records.read("make", THREE)
    assert found.main is not None
    assert not found.whole


def test_fewer_records_than_outputs_are_not_whole(records):
    """A stage that got a second output since, or lost one."""
    records.write(record(*ONE))
    assert not records.read("make", THREE).whole
    records.write(record(*THREE))
    assert not records.read("make", ONE).whole


def test_removed_records_are_gone(records):
    """All of them, and removing them again does nothing."""
    for outputs in (THREE, ()):
        records.write(record(*outputs))
        records.remove("make", outputs)
        records.remove("make", outputs)
        assert records.read("make", outputs).records == (None,) * (len(outputs) or 1)


def test_edges_without_outputs_are_kept_apart(records):
    """By name, whatever characters are in it."""
    for edge in ("lint", "lint/..", "..", "\udcff", "x" * 300):
        records.write(record(edge=edge, key=edge))
    for edge in ("lint", "lint/..", "..", "\udcff", "x" * 300):
        found = records.read(edge, ())
        assert found.whole
        assert found.main == replace(record(), edge=edge, key=edge)


NAMING = (Output("p", "store/values/make/p.json", value="file"), Output(None, "build/a"))


def named(attempt: str = "1") -> Record:
    """A record of an edge whose function has named `build/x` besides."""
    plain = record(*NAMING, attempt=attempt)
    return replace(plain, outputs=(*plain.outputs, Made("build/x", "file", DIGEST)))


def test_files_that_a_function_has_named(records, tmp_path):
    """They have records as declared outputs have, which are read with those; without one the edge has no whole record."""
    (tmp_path / "store/values/make").mkdir(parents=True)
    records.write(named())
    found = records.read("make", NAMING)
    assert found.whole
    assert [each.output for each in found.records] == ["store/values/make/p.json", "build/a", "build/x"]
    records.remove("make", (Output(None, "build/x"),))
    assert not records.read("make", NAMING).whole
    records.write(named("2"))
    assert records.read("make", NAMING).whole
    records.write(replace(record(Output(None, "build/x"), edge="other"), attempt="3"))
    assert not records.read("make", NAMING).whole


def test_what_is_not_declared_any_more_is_no_named_file(records):
    """Where no value names files, an output that the record has and the Pipefile has not makes it another edge's."""
    (one, *_) = THREE
    records.write(record(*THREE))
    assert len(records.read("make", (one,)).records) == 1
    assert not records.read("make", (one,)).whole
