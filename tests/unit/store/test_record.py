"""The format of records: what goes in comes out, and nothing else is believed."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3

from pipefile.base.errors import RecordError
from pipefile.model.record import Component, Made, Record
from pipefile.store.record import LIMIT, decode, edge_record_path, encode, record_path

DIGEST = "blake3:" + "0123456789abcdef" * 4
AT = "build/.a.o.hash"
GOLDEN = Path(__file__).parents[2] / "data" / "record-1.hash"
HEAD = b'{"format": 1, '


def full() -> Record:
    return Record(
        edge="compile",
        pipefile="Pipefile.toml",
        attempt="5f0c1a9b2d3e4f60",
        key="blake3:" + "ab" * 32,
        output="build/a.o",
        outputs=(Made("build/a.o", "file", DIGEST), Made("build/sub/docs", "directory", DIGEST)),
        components=(
            Component("format", "", "", "1"),
            Component("run", "", "", 'cc -c {src} -o "{out}"\n'),
            Component("input", "src", "src/a.c", DIGEST),
            Component("set", "extra", "src/*.inc", DIGEST),
        ),
        members={"src/*.inc": (("src/x.inc", DIGEST), ("build/y.inc", ""))},
        discovered={"src/a.h": DIGEST, "/usr/include/stdio.h": DIGEST, "src/none.h": ""},
        own=("build/sub/log.txt",),
        reasons=("input `src/a.c` changed",),
        duration=0.25,
        accepted="checked by hand",
    )


def signed(body: bytes, head: bytes = HEAD) -> bytes:
    """A file whose checksum is right, whatever else is in it."""
    return head + b'"checksum": "' + blake3(head + body).hexdigest(length=16).encode() + b'", ' + body


def forged(**changes: object) -> bytes:
    """The full record with some values changed, or removed where they are `...`."""
    values = json.loads(encode(full(), AT))
    del values["format"], values["checksum"]
    values.update(changes)
    values = {name: value for name, value in sorted(values.items()) if value is not ...}
    return signed(json.dumps(values)[1:].encode() + b"\n")


def test_a_record_comes_back_as_it_was():
    """All fields survive."""
    assert decode(encode(full(), AT), AT) == full()


def test_a_record_at_the_root_comes_back():
    """Without a folder, paths stay as they are."""
    record = Record("a", "Pipefile.toml", "1", "k", "a.o", (Made("a.o", "file", DIGEST),), discovered={"src/x": ""}, own=("y",))
    assert decode(encode(record, ".a.o.hash"), ".a.o.hash") == record


def test_the_file_is_one_line_that_begins_with_format_and_checksum():
    """A reader, and another version, can tell what it is before parsing."""
    data = encode(full(), AT)
    assert data.startswith(b'{"format": 1, "checksum": "')
    assert data.count(b"\n") == 1
    assert data.endswith(b"}\n")
    assert data.isascii()
    assert list(json.loads(data))[2:] == sorted(list(json.loads(data))[2:])


def test_paths_on_disk_are_relative_to_the_record():
    """A tree keeps its records when it moves; what is absolute stays."""
    values = json.loads(encode(full(), AT))
    assert values["output"] == "a.o"
    assert values["pipefile"] == "../Pipefile.toml"
    assert [item[0] for item in values["outputs"]] == ["a.o", "sub/docs"]
    assert [item[2] for item in values["components"]] == ["", "", "../src/a.c", "../src/*.inc"]
    assert values["members"] == {"src/*.inc": [["../src/x.inc", DIGEST], ["y.inc", ""]]}
    assert list(values["discovered"]) == ["../src/a.h", "/usr/include/stdio.h", "../src/none.h"]
    assert values["own"] == ["sub/log.txt"]


def test_a_record_moves_with_its_tree():
    """The same bytes one folder deeper name the same files one folder deeper."""
    moved = decode(encode(full(), AT), "x/build/.a.o.hash")
    assert (moved.output, moved.pipefile, moved.components[2].path) == ("x/build/a.o", "x/Pipefile.toml", "x/src/a.c")


def test_only_the_main_record_has_the_long_fields():
    """The records beside the other outputs say which attempt they are of, no more."""
    main = full()
    other = Record(main.edge, main.pipefile, main.attempt, main.key, "build/sub/docs", main.outputs, main=False)
    data = encode(other, "build/sub/.docs.hash")
    assert list(json.loads(data)) == ["format", "checksum", "attempt", "edge", "key", "output", "outputs", "pipefile"]
    assert decode(data, "build/sub/.docs.hash") == other


@pytest.mark.parametrize(
    "name", ["a b", "a'\"$`\\", "new\nline", "-x", "~", "*", "#", ":", "é", "e\u0301", "\U0001f600", "\udcff\udc80", "x\udce9", "\\ud800"]
)
def test_any_name_survives(name):
    """Names are bytes; those that are no UTF-8 come back as the same bytes."""
    record = Record(name, f"{name}/Pipefile.toml", "1", "k", f"{name}/{name}", (Made(f"{name}/{name}", "file", DIGEST),), discovered={name: ""})
    at = record_path(f"{name}/{name}")
    assert decode(encode(record, at), at) == record


def test_an_output_outside_the_project_keeps_absolute_paths():
    """Its record cannot know the way to the project, so paths in there are seen from the root."""
    record = Record("a", "Pipefile.toml", "1", "k", "/data/x", (Made("/data/x", "file", DIGEST),), discovered={"src/a.h": DIGEST})
    assert decode(encode(record, "/data/.x.hash"), "/data/.x.hash") == record


@pytest.mark.parametrize(
    ("output", "path"),
    [
        ("a.o", ".a.o.hash"),
        ("build/a.o", "build/.a.o.hash"),
        ("x/" + "n" * 240, "x/." + "n" * 240 + ".hash"),
        ("x/" + "n" * 241, "x/." + blake3(b"n" * 241).hexdigest(length=16) + ".hash"),
        ("x/" + "é" * 120, "x/." + "é" * 120 + ".hash"),
    ],
)
def test_record_path(output, path):
    """Beside the output; names above 240 bytes are hashed."""
    assert record_path(output) == path


@pytest.mark.parametrize("output", ["x/" + "é" * 121, "\udcff" * 241, "n" * 255])
def test_the_record_of_a_long_name_fits_the_disk(output):
    """Bytes count, not characters."""
    name = record_path(output).rpartition("/")[2]
    assert len(name) == 1 + 32 + 5


@pytest.mark.parametrize(
    ("edge", "name"),
    [
        ("lint", "lint.hash"),
        ("..", "%2E..hash"),
        (".", "%2E.hash"),
        ("a/b", "a%2Fb.hash"),
        ("thumbs@photos/a.jpg", "thumbs@photos%2Fa.jpg.hash"),
        ("50%", "50%25.hash"),
        ("\udcff", "%FF.hash"),
        ("", "%-.hash"),
    ],
)
def test_edge_record_path(edge, name):
    """The edge's name, percent-encoded, in the store."""
    assert edge_record_path("store", edge) == f"store/records/{name}"


def test_the_record_of_a_long_edge_name_fits_the_disk():
    """Encoding makes names longer; those that are too long are hashed."""
    assert edge_record_path("store", "/" * 100) == "store/records/%-" + blake3(b"/" * 100).hexdigest(length=16) + ".hash"


def test_a_record_beside_another_output_is_not_believed():
    """A copy of a record names the output that it was made for."""
    with pytest.raises(RecordError, match=r"^it is the record of another output$"):
        decode(encode(full(), AT), "build/.b.o.hash")


def test_the_record_of_another_edge_is_not_believed():
    """So it is in the store."""
    data = encode(Record("lint", "Pipefile.toml", "1", "k", None, ()), edge_record_path("store", "lint"))
    with pytest.raises(RecordError, match=r"^it is the record of another edge$"):
        decode(data, edge_record_path("store", "test"))


def test_truncated_at_each_byte():
    """Case 63: no beginning of a record is a record."""
    data = encode(full(), AT)
    for size in range(len(data)):
        with pytest.raises(RecordError):
            decode(data[:size], AT)


def test_every_flipped_bit_is_seen():
    """Case 64: no flip anywhere gives a record, or one of another format."""
    data = encode(full(), AT)
    chosen = random.Random(1)
    for place in [*range(60), *[chosen.randrange(len(data)) for _ in range(200)]]:
        for bit in range(8):
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            with pytest.raises(RecordError) as caught:
                decode(bytes(flipped), AT)
            assert caught.value.unknown_format is None


@pytest.mark.parametrize("data", [b"", b"\0" * 1000, b"\n", b"{}", b"null", b"[" * 100_000, b'{"format": 1, ', b'{"format": 1}\n'])
def test_what_is_no_record_at_all(data):
    """Zero-filled, empty, other JSON."""
    with pytest.raises(RecordError, match=r"^it does not begin as a record$"):
        decode(data, AT)


def test_something_after_the_record():
    """Two records in one file are none."""
    data = encode(full(), AT)
    with pytest.raises(RecordError, match=r"^its checksum does not match$"):
        decode(data + data, AT)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        b"}\n",
        b'"a": 1}',
        b'"a": 1}\n\n',
        b'"a": NaN}\n',
        b'"a": Infinity}\n',
        b'"edge": "a", "edge": "b"}\n',
        b'"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
        b'"a": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}\n",
        b'"a": ' + b"9" * 10_000 + b"}\n",
        b'"a": 1e999}\n',
        b'"a": "\xff"}\n',
        b'"a": "\xed\xb3\xbf"}\n',
        b'"a": "\xc3\xa9"}\n',
        b'"a": "\\ud800"}\n',
        b'"a": "\\uD800"}\n',
        b'"a": "\\udc41"}\n',
        b'"a": "\0"}\n',
    ],
)
def test_forged_bodies(body):
    """Cases 64 and 69: a right checksum over anything that is no record."""
    with pytest.raises(RecordError):
        decode(signed(body), AT)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"edge": "compile"', b'"edge": "compile", "edge": "compile"'),
        (b'"discovered": {', b'"discovered": {"../src/a.h": "", '),
        (b'"edge": "compile"', b'"edge": "\\ud800"'),
        (b'"edge": "compile"', b'"edge": "\\uD800"'),
        (b'"edge": "compile"', b'"edge": "\\udc41"'),
        (b'"edge": "compile"', b'"edge": "\xc3\xa9"'),
        (b'"edge": "compile"', b'"edge": "\xff"'),
        (b"0.25", b"NaN"),
        (b"0.25", b"Infinity"),
        (b"0.25", b"1e999"),
        (b"}\n", b"} \n"),
        (b"}\n", b"}"),
    ],
)
def test_forged_texts(old, new):
    """Case 69: a right checksum over a record that is right but for one thing."""
    data = encode(full(), AT)
    body = data[data.index(b'"accepted"') :]
    assert decode(signed(body), AT) == full()
    assert old in body
    with pytest.raises(RecordError):
        decode(signed(body.replace(old, new, 1)), AT)


WRONG = [
    None,
    True,
    1,
    1.5,
    "",
    "x",
    [],
    [1],
    ["x"],
    ["a", "b"],
    [["a", "b", "c", "d"]],
    [[1, 2, 3, 4]],
    {},
    {"a": 1},
    {"a": "b"},
    {"a": [["b"]]},
    [{}],
    10**400,
]
ALLOWED = {
    ("accepted", '""'), ("accepted", '"x"'),
    ("attempt", '""'), ("attempt", '"x"'),
    ("components", "[]"), ("components", '[["a", "b", "c", "d"]]'),
    ("discovered", "{}"),
    ("duration", "1.5"),
    ("edge", '""'), ("edge", '"x"'),
    ("key", '""'), ("key", '"x"'),
    ("members", "{}"),
    ("own", "[]"), ("own", '["x"]'), ("own", '["a", "b"]'),
    ("pipefile", '"x"'),
    ("reasons", "[]"), ("reasons", '["x"]'), ("reasons", '["a", "b"]'),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(set(json.loads(encode(full(), AT))) - {"format", "checksum"}))
@pytest.mark.parametrize("value", WRONG, ids=lambda value: json.dumps(value)[:30])
def test_forged_values(name, value):
    """Case 69: a right checksum over values of wrong types."""
    data = forged(**{name: value})
    if (name, json.dumps(value)) in ALLOWED:
        decode(data, AT)
        return
    with pytest.raises(RecordError):
        decode(data, AT)


@pytest.mark.parametrize(
    "changes",
    [
        {"edge": ...},
        {"components": ...},
        {"unknown": 1},
        {"main": True},
        {"outputs": [["a.o", "link", DIGEST]]},
        {"outputs": [["a.o", "file", "md5:1"]]},
        {"outputs": [["a.o", "file", DIGEST[:-1] + "G"]]},
        {"outputs": [["b.o", "file", DIGEST]]},
        {"outputs": [["b.o", "file", DIGEST], ["a.o", "file", DIGEST]]},
        {"outputs": [["../../x", "file", DIGEST]]},
        {"outputs": [["a\0", "file", DIGEST]]},
        {"output": "../build/b.o"},
        {"output": None},
        {"output": None, "outputs": []},
        {"discovered": {"x": "blake3:"}},
        {"discovered": {"": DIGEST, "../../../x": DIGEST}},
        {"members": {"x": {"a": 1, DIGEST: 2}}},
        {"members": {"x": [{"a": 1, DIGEST: 2}]}},
        {"own": ["../../x"]},
        {"pipefile": "../../x"},
        {"duration": -1.0},
        {"duration": 1e300},
    ],
)
def test_forged_contents(changes):
    """A right checksum over values of right types that no record can have."""
    with pytest.raises(RecordError):
        decode(forged(**changes), AT)


def test_an_unknown_format_is_told_from_damage():
    """Case 68: a whole record of another version has its number; a damaged one has none."""
    data = signed(b'"anything": 1}\n', head=b'{"format": 2, ')
    with pytest.raises(RecordError, match=r"^it has format 2$") as caught:
        decode(data, AT)
    assert caught.value.unknown_format == 2
    with pytest.raises(RecordError, match=r"^its checksum does not match$") as caught:
        decode(data.replace(b"anything", b"anythinh"), AT)
    assert caught.value.unknown_format is None


def test_a_file_beyond_the_limit_is_not_parsed():
    """Case 64: a bomb costs no more than its bytes."""
    with pytest.raises(RecordError, match=r"^it is too large$"):
        decode(bytes(LIMIT + 1), AT)


def test_the_golden_record_of_format_1_reads_for_ever():
    """Format 1 as it was first written; it is written so still."""
    data = GOLDEN.read_bytes()
    assert decode(data, AT) == full()
    assert encode(full(), AT) == data


def test_a_duration_may_be_whole():
    """A clock may give whole seconds."""
    record = Record("a", "P", "1", "k", "a", (Made("a", "file", DIGEST),), duration=3)
    assert decode(encode(record, ".a.hash"), ".a.hash").duration == 3.0


def degraded() -> Record:
    return replace(full(), key="", degraded="plain")


def test_a_record_of_a_fallback_comes_back():
    """It names the fallback, and has no key."""
    data = encode(degraded(), AT)
    assert decode(data, AT) == degraded()
    assert b'"components"' in data.partition(b'"degraded": "plain"')[0]
    assert b"degraded" not in encode(full(), AT)


@pytest.mark.parametrize("changes", [{"degraded": "plain"}, {"degraded": "", "key": ""}, {"degraded": 1, "key": ""}, {"degraded": None, "key": ""}])
def test_forged_records_of_fallbacks(changes):
    """A fallback without a name, or with a key all the same."""
    with pytest.raises(RecordError):
        decode(forged(**changes), AT)
