"""Whatever is in the files that pipefile wrote itself: a build tells or rebuilds, with no traceback and no wrong result."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator

import pytest
from blake3 import blake3
from kit import BuildOutcome, Project

from pipefile.base.disk import OsDisk
from pipefile.base.errors import RecordError
from pipefile.store import record as record_file
from pipefile.store.history import RunReader
from pipefile.store.index import SECTIONS

STAGE = {".a.hash": "make", "o/.b.hash": "two", "o/.d.hash": "two", "pipeline_outputs/records/test.hash": "test"}
STORED = list(STAGE)
HISTORY = ["pipeline_outputs/runs/RUN/run.json", "pipeline_outputs/runs/RUN/manifest.json"]
LOCKS = [".pipefile.lock", "pipeline_outputs/lock"]
OTHERS = ["pipeline_outputs/index", "pipeline_outputs/probe", "pipeline_outputs/.gitignore", *HISTORY, *LOCKS]


@pytest.fixture
def built(project: Project) -> Project:
    """A project with a record of every kind, built, and with nothing to do."""
    project.write("src.txt", "one\ntwo\n")
    project.stage("make", inputs="src.txt", outputs="a", run="cp {inputs} {outputs}")
    project.stage("two", inputs="a", outputs=["o/b", "o/d/"], run="head -n 1 {inputs} > {outputs[0]}; cp {inputs} {outputs[1]}; echo told")
    project.stage("test", inputs=["a", "o/d/"], run="grep -q one {inputs[0]}")
    assert run(project).ran == ["make", "two", "test"]
    assert run(project).ran == []
    return project


def run(project: Project) -> BuildOutcome:
    return project.build("two", "test", jobs=1)


def damage(project: Project, path: str, data: bytes) -> None:
    """Write something else into a file. An index would have been made from the record as it was, and stand for it: there is none then."""
    project.write(path, data)
    if path in STAGE and project.exists("pipeline_outputs/index"):
        project.remove("pipeline_outputs/index")


def at(project: Project, path: str) -> str:
    return path.replace("RUN", sorted(os.listdir(project.path("pipeline_outputs/runs")))[-1])


WHOLE = {"a": (b"one\ntwo\n", False), "o/b": (b"one\n", False)}


def is_mended(project: Project) -> BuildOutcome:
    """A build says nothing of it and makes what a clean one does; the next one has nothing to do."""
    first = run(project)
    assert first.exit_status == 0, first.output
    made = project.outputs()
    assert {**made, **WHOLE} == made
    again = run(project)
    assert (again.ran, again.exit_status, again.output) == ([], 0, "")
    return first


def cuts(project: Project, path: str) -> Iterator[int]:
    """Lengths around the beginning and the end, and some between."""
    size = os.path.getsize(project.path(path))
    head = 48 + 48 * len(SECTIONS) if path.endswith("index") else 200
    return (length for length in range(size) if length < 70 or length % 11 == 0 or head - 2 < length < head + 2 or length > size - 3)


@pytest.mark.parametrize("path", [*STORED, *OTHERS])
def test_truncated(built: Project, path: str) -> None:
    """Case 63: cut off at each byte, a record makes its stage run again, and everything else nothing."""
    path = at(built, path)
    whole = built.read_bytes(path)
    for length in range(len(whole) if path in STAGE else 0):
        with pytest.raises(RecordError):
            record_file.decode(whole[:length], path)
    for length in cuts(built, path):
        damage(built, path, whole[: min(length, len(whole) - 1)])  # records of later runs can be a digit shorter
        outcome = is_mended(built)
        assert outcome.ran == ([STAGE[path]] if path in STAGE else []), f"{path} {length}"
        assert outcome.output in ("", "told\n"), f"{path} {length}"
        if path in STAGE:
            whole = built.read_bytes(path)
        else:
            built.write(path, whole)
            is_mended(built)


@pytest.mark.parametrize("path", ["pipeline_outputs/index", *STORED])
def test_torn_tail(built: Project, path: str) -> None:
    """Case 70: no file of pipefile's is ever appended to, so what is written after a torn tail is whole."""
    damage(built, path, built.read_bytes(path)[:-3])
    built.write("src.txt", "one\nthree\n")
    assert run(built).ran == ["make", "two", "test"]
    assert run(built).ran == []
    if path != "pipeline_outputs/index":
        built.remove("pipeline_outputs/index")  # each record for itself
        assert run(built).ran == []


def test_index_flipped(built: Project) -> None:
    """Case 64: a byte that is another one in any section of the index costs time, and neither a run nor a wrong answer."""
    path = "pipeline_outputs/index"
    whole = built.read_bytes(path)
    table = len(b"pipefile-index") + 2 + 32
    for number, name in enumerate(SECTIONS):
        entry = whole[table + 48 * number : table + 48 * number + 16]
        start, length = int.from_bytes(entry[:8], "little"), int.from_bytes(entry[8:], "little")
        for place in {start, start + length // 2, start + length - 1} if length else ():
            built.write(path, whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
            assert is_mended(built).ran == [], (name, place)


@pytest.mark.parametrize("path", STORED)
def test_damaged_record_runs_its_stage_alone(built: Project, path: str) -> None:
    """Case 63: what has its record damaged runs again; what depends on it stays fresh, since the bytes are the same."""
    whole = built.read_bytes(path)
    built.write(path, whole[:-1])
    assert is_mended(built).ran == []  # the index was made from the whole one
    damage(built, path, whole[:-1])
    assert is_mended(built).ran == [STAGE[path]]
    built.write("src.txt", "one\nthree\n")
    assert run(built).ran == ["make", "two", "test"]


def flipped(data: bytes) -> bytes:
    place = random.Random(len(data)).randrange(len(data)) if data else 0
    return data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :] if data else b"x"


REPLACED: dict[str, Callable[[bytes], bytes]] = {
    "flipped": flipped,
    "zeros": lambda data: bytes(len(data)),
    "empty": lambda _: b"",
    "garbage": lambda data: random.Random(1).randbytes(len(data) + 100),
    "twice": lambda data: data + data,
    "a line more": lambda data: data + b"\n",
    "brackets": lambda _: b"[" * 100_000,
    "no UTF-8": lambda data: data.replace(b"e", b"\xff"),
}


@pytest.mark.parametrize("path", [*STORED, *OTHERS])
@pytest.mark.parametrize("how", list(REPLACED))
def test_other_bytes(built: Project, path: str, how: str) -> None:
    """Case 64: the same with other bytes."""
    path = at(built, path)
    old = built.read_bytes(path)
    new = REPLACED[how](old)
    damage(built, path, new)
    outcome = is_mended(built)
    assert outcome.ran == ([STAGE[path]] if path in STAGE else [])


@pytest.mark.parametrize("path", [*STORED, "pipeline_outputs/index", "pipeline_outputs/latest", *HISTORY])
@pytest.mark.parametrize("kind", ["directory", "link", "dangling link", "FIFO"])
def test_something_else_there(built: Project, path: str, kind: str) -> None:
    """Case 64: something else in the place of a file of pipefile's own is replaced, and a link's target is left alone."""
    path = at(built, path)
    victim = os.path.join(built.side, "victim")
    with open(victim, "w", encoding="ascii") as file:
        file.write("precious\n")
    built.remove(path)
    if kind == "directory":
        built.write(f"{path}/inner/file", "x")
    elif kind == "FIFO":
        os.mkfifo(built.path(path))
    else:
        os.symlink(victim if kind == "link" else f"{victim}/none", built.path(path))
    built.write("src.txt", "one\nthree\n")
    outcome = run(built)
    assert (outcome.ran, outcome.exit_status) == (["make", "two", "test"], 0)
    assert run(built).ran == []
    with open(victim, encoding="ascii") as file:
        assert file.read() == "precious\n"
    assert not os.path.exists(f"{victim}/none")


@pytest.mark.parametrize("path", LOCKS)
@pytest.mark.parametrize("kind", ["directory", "link", "FIFO"])
def test_something_else_for_a_lock(built: Project, path: str, kind: str) -> None:
    """Case 64: a lock that is no file cannot be taken: it is said what to do."""
    built.remove(path)
    if kind == "directory":
        os.mkdir(built.path(path))
    elif kind == "FIFO":
        os.mkfifo(built.path(path))
    else:
        os.symlink(os.path.join(built.side, "victim"), built.path(path))
    outcome = run(built)
    what = "is a link, not a lock file" if kind == "link" else "is no file"
    assert (outcome.exit_status, outcome.output) == (1, f"error: `{built.path(path)}` {what}\nhint: remove it\n")
    assert not os.path.exists(os.path.join(built.side, "victim"))


def test_index_lost(built: Project) -> None:
    """Case 65: without the index everything is found again from the records."""
    built.remove("pipeline_outputs/index")
    assert is_mended(built).ran == []


def test_store_lost(built: Project) -> None:
    """Case 65: without the store only stages without outputs run."""
    built.remove("pipeline_outputs")
    assert is_mended(built).ran == ["test"]


@pytest.mark.parametrize("records", [[path] for path in STORED] + [STORED])
def test_records_lost(built: Project, records: list[str]) -> None:
    """Case 65: without its records, nothing is believed on the word of the index."""
    for path in records:
        built.remove(path)
    assert is_mended(built).ran == list(dict.fromkeys([STAGE[path] for path in records]))


def test_records_lost_and_inputs_changed(built: Project) -> None:
    """Case 65: the index knows digests of the outputs; that alone makes nothing fresh."""
    for path in STORED:
        built.remove(path)
    built.write("src.txt", "one\nthree\n")
    assert run(built).ran == ["make", "two", "test"]
    assert built.read("a") == "one\nthree\n"



def sealed(text: bytes) -> bytes:
    """*text*, which begins with `{"format": N, "checksum": "...", `, with the checksum that it ought to have."""
    head, _, rest = text.partition(b'"checksum": "')
    body = rest[35:]
    return head + b'"checksum": "' + blake3(head + body).hexdigest(length=16).encode() + b'", ' + body


FORGED: dict[str, Callable[[bytes], bytes]] = {
    "a name twice": lambda text: text.replace(b'"edge":', b'"edge": "other", "edge":'),
    "NaN": lambda text: text.replace(b'"duration": ', b'"duration": NaN, "x": '),
    "infinity": lambda text: text.replace(b'"accepted": ""', b'"accepted": -Infinity'),
    "nested": lambda text: text.replace(b'"accepted": ""', b'"accepted": ' + b"[" * 100_000 + b"]" * 100_000),
    "invalid UTF-8": lambda text: text.replace(b'"accepted": ""', b'"accepted": "\xff"'),
    "lone surrogate": lambda text: text.replace(b'"accepted": ""', b'"accepted": "\\ud800"'),
    "huge number": lambda text: text.replace(b'"accepted": ""', b'"accepted": ' + b"9" * 100_000),
    "huge exponent": lambda text: text.replace(b'"duration": ', b'"duration": 1e999999, "x": '),
    "another type": lambda text: text.replace(b'"accepted": ""', b'"accepted": {"a": 1}'),
    "a name more": lambda text: text.replace(b'"accepted": ""', b'"accepted": "", "also": ""'),
    "a path that leaves the project": lambda text: text.replace(b'"Pipefile.toml"', b'"../../Pipefile.toml"'),
    "a digest that is none": lambda text: text.replace(b"blake3:", b"blake4:"),
}


@pytest.mark.parametrize("how", list(FORGED))
def test_forged(built: Project, how: str) -> None:
    """Case 69: a record with what no record has is as good as none, though its checksum is right."""
    old = built.read_bytes(".a.hash")
    new = sealed(FORGED[how](old))
    assert new != old
    damage(built, ".a.hash", new)
    assert is_mended(built).ran == ["make"]


def test_forgeries_have_right_checksums(built: Project) -> None:
    """The test above tests what it says: sealed again as it was, a record is believed."""
    old = built.read_bytes(".a.hash")
    damage(built, ".a.hash", sealed(old.replace(b'"accepted": ""', b'"accepted": "by hand"')))
    assert is_mended(built).ran == []
    assert b'"by hand"' in built.read_bytes(".a.hash")


@pytest.mark.parametrize("name", ["run.json", "manifest.json"])
def test_truncated_history(built: Project, name: str) -> None:
    """Case 63: of a run whose files are cut off at any byte, `runs` says so, and shows what else there is."""
    path = at(built, f"pipeline_outputs/runs/RUN/{name}")
    shown = path.replace("RUN", "*")
    whole = built.read_bytes(path)
    disk, run_id = OsDisk(built.root), path.split("/")[2]
    for length in range(len(whole) - 1):  # the last byte is a newline
        built.write(path, whole[:length])
        reader = RunReader(disk, "pipeline_outputs")
        problem = reader.read(run_id).problem if name == "run.json" else reader.edges(run_id)[1]
        assert problem == f"`{shown}` is damaged", length
    built.write(path, whole)
    reader = RunReader(disk, "pipeline_outputs")
    assert (reader.read(run_id).problem, reader.edges(run_id)[1]) == ("", "")


def test_history_lost(built: Project) -> None:
    """Nothing is decided by the runs."""
    shutil.rmtree(built.path("pipeline_outputs/runs"))
    assert is_mended(built).ran == []
    assert built.cli("runs", "list").out == "no runs yet\n"
