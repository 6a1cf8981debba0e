"""The format of results in the cache: what goes in comes out, and nothing else is believed."""

import os
from dataclasses import replace

import pytest

from pipefile.base.digest import of_bytes
from pipefile.base.errors import RecordError
from pipefile.model.cache import Entry, Item, Kept
from pipefile.store.entry import LIMIT, decode, encode, mark
from pipefile.store.frame import sealed

KEY = "blake3:" + "ab" * 32


def result(**changes: object) -> Entry:
    item = Item("", "file", "", 2, False, b"x\n")
    return replace(Entry(KEY, "make", (Kept("out/a", "file", of_bytes(b"x\n"), (item,)),)), **changes)


def forged(**changes: object) -> bytes:
    values = {"key": KEY, "used": 1, "discovered": {}, "duration": 1.0, "edge": "make", "outputs": [], "own": []}
    return sealed({name: value for name, value in {**values, **changes}.items() if value is not ...})


def folder(*items: object) -> dict[str, object]:
    return {"outputs": [["out", "directory", KEY, list(items)]]}


def file(*item: object, path: object = "out/a", kind: object = "file") -> dict[str, object]:
    return {"outputs": [[path, kind, KEY, [list(item)]]]}


FORGED = {
    "leaves the project": file("", "file", "text", "x", path="../../.bashrc"),
    "is not normal": file("", "file", "text", "x", path="out/../a"),
    "leaves its directory": folder(["../x", "file", "text", "x"]),
    "is absolute": folder(["/x", "file", "text", "x"]),
    "is the directory": folder([".", "file", "text", "x"]),
    "goes up in between": folder(["a", "directory"], ["a/../../x", "file", "text", "x"]),
    "has a NUL": folder(["a\0b", "file", "text", "x"]),
    "goes through a link": folder(["a", "link", "/home"], ["a/x", "file", "text", "x"]),
    "goes through a file": folder(["a", "file", "text", "x"], ["a/x", "file", "text", "x"]),
    "has no folder": folder(["a/x", "file", "text", "x"]),
    "comes twice": folder(["a", "file", "text", "x"], ["a", "file", "text", "y"]),
    "is a device": folder(["a", "device", 1, 3]),
    "is a FIFO": file("", "fifo"),
    "is setuid": file("", "setuid", "text", "x"),
    "is a link in place of a file": file("", "link", "/etc/passwd"),
    "is a folder in place of a file": file("", "directory"),
    "has several files for one": {"outputs": [["a", "file", KEY, [["", "file", "text", "x"], ["b", "file", "text", "x"]]]]},
    "has a negative size": file("", "file", "blob", KEY, -1),
    "has a size that is no number": file("", "file", "blob", KEY, "1"),
    "has a size beyond all disks": file("", "file", "blob", KEY, 1 << 60),
    "has a digest that is a path": file("", "file", "blob", "blake3:../../../../../../etc/passwd", 1),
    "has bad base64": file("", "file", "base64", "%%%"),
    "is no ASCII": file("", "file", "text", "é"),
    "is of another kind": file("", "file", "text", "x", kind="device"),
    "is of another key": {"key": "blake3:" + "00" * 32},
    "takes no time": {"duration": float("1e300")},
    "has another name": {"__reduce__": "os.system"},
    "is a number": {"outputs": 7},
    "was used at no time": {"used": -1},
    "is a mark with more in it": {"outputs": ..., "own": ...},
    "discovers what is no digest": {"discovered": {"a": "x"}},
    "discovers what lies outside": {"discovered": {"../a": KEY}},
    "is absent and has something in it": {"outputs": [["a", "file", "", [["", "file", "text", "x"]]]]},
    "is absent and is not kept": {"outputs": [["a", "file", "", None]]},
    "is a thing": {"outputs": [{"__class__": "os.system"}]},
}


@pytest.mark.parametrize("what", list(FORGED))
def test_forged_entries_are_refused(what):
    """Cases 84 and 85: whatever its checksum says, a result is data about declared places, and nothing else."""
    with pytest.raises(RecordError):
        decode(forged(**FORGED[what]), KEY)


def test_an_entry_that_is_no_json_is_refused(tmp_path):
    """Case 85: a pickle that would make a file; YAML tags; nested lists without end."""
    import pickle

    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "canary"), "w"))

    for data in (pickle.dumps(Bomb()), b"!!python/object/apply:os.system [true]\n", b"[" * 100_000, b"\xff" * 100, b"\n"):
        with pytest.raises(RecordError):
            decode(data, KEY)
    assert os.listdir(tmp_path) == []


def test_an_entry_of_too_many_files_is_refused():
    """Case 84: 10^6 files."""
    items = [[f"{number:07}", "file", "text", ""] for number in range(100_001)]
    with pytest.raises(RecordError, match="too many files"):
        decode(forged(**folder(*items)), KEY)
    with pytest.raises(RecordError, match="too large"):
        decode(b" " * (LIMIT + 1), KEY)


def test_what_is_encoded_comes_back():
    """All kinds of items, and names that are no UTF-8."""
    items = (
        Item("l", "link", data="../\udcff".encode("utf-8", "surrogateescape")),
        Item("text", "file", "", 4, False, b'"\\\n}'),
        Item("\udcff", "directory"),
        Item("\udcff/a", "file", "", 3, True, b"\0\xff\n"),
        Item("\udcff/b", "file", KEY, 1 << 40, True),
    )
    whole = result(outputs=(Kept("out/\udcff", "directory", KEY, items), Kept("/elsewhere/x", "file", KEY, None)), own=("a b",), duration=2.5)
    assert decode(encode(whole, 7), KEY) == (whole, 7)
    assert decode(encode(result(outputs=())), KEY) == (result(outputs=()), 0)
    absent = result(outputs=(Kept("a", "file", "", ()), Kept("b", "directory", "", ())))
    assert decode(encode(absent), KEY) == (absent, 0)
    assert decode(mark(KEY, 9), KEY) == (None, 9)


@pytest.mark.parametrize("text", ["plain", 'a "quoted" one', "back\\slash", "line\nend\t\x01\x7f", "\u00e9\u20ac\U0001f600", "\udc80raw"])
def test_the_line_is_as_the_library_makes_it(text: str) -> None:
    """Common entries are put together by hand: byte for byte the same, whatever is in names and files."""
    data = text.encode("ascii", "replace")
    empty = Kept("b", "file", KEY, (Item("", "file", "", 0, False, b""),))
    kept = (Kept(f"out/{text}", "file", KEY, (Item("", "file", "", len(data), True, data),)), empty)
    entry = Entry(KEY, f"make@{text}", kept, duration=0.1)
    outputs = [(kept[0].path, "file", KEY, [("", "exec", "text", data.decode("ascii"))]), ("b", "file", KEY, [("", "file", "text", "")])]
    values = {"key": KEY, "used": 7, "discovered": {}, "duration": 0.1, "edge": entry.edge, "outputs": outputs, "own": []}
    assert encode(entry, 7) == sealed(values)
    assert decode(encode(entry, 7), KEY) == (entry, 7)
