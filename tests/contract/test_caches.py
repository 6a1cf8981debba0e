"""One suite over the cache in the store and the fake one; a shared cache joins it as one more parameter."""

import os
from dataclasses import replace

import pytest

from pipefile.base.digest import of_bytes
from pipefile.model.cache import Entry, Item, Kept
from pipefile.model.ports import Cache
from pipefile.store.cache import LocalCache
from pipefile.testing import FaultyDisk, MemoryCache

KEY, OTHER = "blake3:" + "ab" * 32, "blake3:" + "cd" * 32
BYTES = b"0123456789" * 1000
BLOB = of_bytes(BYTES)


@pytest.fixture(params=["local", "local that clones", "memory"])
def cache(request, tmp_path) -> Cache:
    disk = FaultyDisk(str(tmp_path))
    disk.clones = request.param == "local that clones"
    return MemoryCache(disk) if request.param == "memory" else LocalCache(disk, "store", 1 << 30, "blake3", 1, pytest.fail)


@pytest.fixture
def source(tmp_path) -> str:
    (tmp_path / "made").write_bytes(BYTES)
    return "made"


def result(key: str = KEY, text: str = "x\n", **changes: object) -> Entry:
    """The result of an edge with a small output, a large one, a directory, and one that is not kept."""
    folder = (Item("run", "file", "", 3, True, b"\xff\0\n"), Item("sub", "directory"), Item("sub/last", "link", data=b"../run\xff"))
    outputs = (
        Kept("out/a", "file", of_bytes(text.encode()), (Item("", "file", "", len(text), False, text.encode()),)),
        Kept("out/b", "file", BLOB, (Item("", "file", BLOB, len(BYTES)),)),
        Kept("out/c", "directory", of_bytes(b"c"), folder),
        Kept("out/huge", "file", of_bytes(b"huge"), None),
    )
    return replace(Entry(key, "make", outputs, {"src/h": of_bytes(b"h"), "src/none": ""}, ("out/log",), 1.5), **changes)


def test_nothing_is_there_at_first(cache):
    """A miss is no fault, and looking makes nothing."""
    assert list(cache.entries(KEY)) == []
    assert cache.has_entries([KEY, OTHER]) == set()
    assert cache.has({BLOB: len(BYTES)}) == set()
    assert not cache.fetch(BLOB, len(BYTES), "got")
    cache.close()


def test_what_was_put_comes_back(cache):
    """Whole, under its key alone."""
    cache.put(result())
    assert list(cache.entries(KEY)) == [result()]
    assert list(cache.entries(OTHER)) == []
    assert cache.has_entries([KEY, OTHER]) == {KEY}
    cache.close()
    assert list(cache.entries(KEY)) == [result()]


def test_results_with_other_discovered_inputs_stand_beside_each_other(cache):
    """The newest comes first."""
    first, second, third = (result(discovered={"src/h": of_bytes(text)}, text=text.decode()) for text in (b"1", b"2", b"3"))
    for each in (first, second, third):
        cache.put(each)
    assert list(cache.entries(KEY)) == [third, second, first]


def test_another_result_of_the_same_takes_its_place(cache):
    """A stage that does not do the same each time: its last result counts."""
    cache.put(result(text="one\n"))
    cache.put(result(text="two\n"))
    cache.put(result(text="two\n"))
    assert list(cache.entries(KEY)) == [result(text="two\n")]


def test_a_dropped_result_is_gone(cache):
    """The others of its key stay."""
    other = result(discovered={})
    cache.put(other)
    cache.put(result())
    cache.drop(result())
    assert list(cache.entries(KEY)) == [other]
    cache.drop(other)
    cache.drop(other)
    assert list(cache.entries(KEY)) == []
    assert cache.has_entries([KEY]) == set()


@pytest.mark.parametrize("known", [BLOB, ""])
def test_bytes_come_back(cache, source, tmp_path, known):
    """By their digest, which need not be known before; the new file is its own, and may be executable."""
    assert cache.store(known, source) == BLOB
    assert cache.has({BLOB: len(BYTES), of_bytes(b"other"): 5}) == {BLOB}
    assert cache.has({BLOB: 7}) == set()
    assert cache.fetch(BLOB, len(BYTES), "got")
    assert cache.fetch(BLOB, len(BYTES), "run", executable=True)
    assert (tmp_path / "got").read_bytes() == (tmp_path / "run").read_bytes() == BYTES
    assert [bool(os.stat(tmp_path / name).st_mode & 0o100) for name in ("got", "run")] == [False, True]
    assert os.stat(tmp_path / "got").st_mode & 0o200


def test_writing_to_what_was_taken_in_or_given_out_changes_nothing(cache, source, tmp_path):
    """Case 82: neither the file that was stored nor one that was fetched is the cache's own."""
    cache.store(BLOB, source)
    assert cache.fetch(BLOB, len(BYTES), "got")
    for name in (source, "got"):
        with open(tmp_path / name, "r+b") as file:
            file.write(b"changed")
    assert cache.fetch(BLOB, len(BYTES), "again")
    assert (tmp_path / "again").read_bytes() == BYTES


def test_a_file_that_has_other_bytes_is_not_taken_in(cache, source, tmp_path):
    """It was changed since its digest was made."""
    (tmp_path / source).write_bytes(b"changed")
    assert cache.store(BLOB, source) == ""
    assert cache.has({BLOB: len(BYTES)}) == cache.has({BLOB: 7}) == set()


def test_a_blob_of_another_size_is_a_miss(cache, source, tmp_path):
    """Case 83: a size that lies. Nothing is left at the target."""
    cache.store(BLOB, source)
    assert not cache.fetch(BLOB, len(BYTES) - 1, "got")
    assert not (tmp_path / "got").exists()
    assert cache.fetch(BLOB, len(BYTES), "got")


def test_storing_twice_is_storing_once(cache, source):
    """A result that many stages have."""
    assert cache.store(BLOB, source) == BLOB
    assert cache.store(BLOB, source) == BLOB
    assert cache.fetch(BLOB, len(BYTES), "got")


def test_only_clones(cache, source, request):
    """Where space would be needed, nothing is taken in; but what is there is there."""
    clones = request.node.callspec.params["cache"] == "local that clones"
    assert cache.store(BLOB, source, only_clone=True) == (BLOB if clones else "")
    assert cache.store(BLOB, source) == BLOB
    assert cache.store(BLOB, source, only_clone=True) == BLOB


def test_a_file_that_is_not_there_cannot_be_stored(cache):
    """Whoever stores is told."""
    with pytest.raises(FileNotFoundError):
        cache.store(BLOB, "none")
