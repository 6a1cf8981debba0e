"""The cache in the store: its files, its size, and what damage does to it."""

import errno
import os
import random
from dataclasses import replace

import pytest

from pipefile.base.digest import of_bytes
from pipefile.model.cache import Entry, Item, Kept
from pipefile.store.cache import LocalCache, place_of, size_of
from pipefile.store.frame import sealed
from pipefile.store.shelf import VARIANTS
from pipefile.store.upkeep import Stats, Upkeep
from pipefile.testing import FaultyDisk

KEY = "blake3:" + "ab" * 32
AT = "store/cache/entries/a"


def key(number: int) -> str:
    return of_bytes(b"%d" % number)


def result(of: str = KEY, text: str = "x\n", **changes: object) -> Entry:
    item = Item("", "file", "", len(text), False, text.encode())
    return replace(Entry(of, "make", (Kept("out/a", "file", of_bytes(text.encode()), (item,)),)), **changes)


class Shelf:
    """A cache in a folder, in builds one after the other."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.disk = FaultyDisk(str(folder))
        self.warnings: list[str] = []
        self.cache = self.build()

    def build(self, limit: int = 1 << 30, now: int = 1) -> LocalCache:
        """The next build; the one before has come to its end."""
        if hasattr(self, "cache"):
            self.cache.close()
        self.cache = LocalCache(self.disk, "store", limit, "blake3", now, self.warnings.append)
        return self.cache

    def killed(self) -> None:
        """The build has written what it had, and does not come to its end."""
        self.cache._shelves.flush()
        del self.cache
        self.build()

    def big(self, number: int, size: int = 10_000) -> Entry:
        """A result with a file of its own in the cache."""
        data = random.Random(number).randbytes(size)
        (self.folder / "made").write_bytes(data)
        blob = self.cache.store(of_bytes(data), "made")
        entry = Entry(key(number), "big", (Kept("out/big", "file", blob, (Item("", "file", blob, size),)),))
        self.cache.put(entry)
        return entry

    def standing(self, *numbers: int) -> list[int]:
        return [number for number in numbers if self.cache.has_entries([key(number)])]

    def stats(self) -> Stats:
        return Upkeep(self.disk, "store").stats()


@pytest.fixture
def shelf(tmp_path) -> Shelf:
    return Shelf(tmp_path)


# --- files


def test_a_small_result_is_a_line(shelf):
    """No file of its own: no temporary one, no rename, no blob; all of a build are written at once."""
    shelf.cache.put(result())
    shelf.build()
    shelf.disk.forget()
    for number in range(100):
        shelf.cache.put(result(f"blake3:ab{number:062}"))
    shelf.cache.close()
    changes = [call for call in shelf.disk.calls.items() if call[0][0] not in ("read", "lstat", "stat", "mkdirs", "writable")]
    assert sorted(changes) == [(("append", AT), 1), (("remove", "store/cache/size"), 1), (("write", "store/cache/size"), 1)]
    assert (shelf.stats().results, shelf.stats().blobs) == (101, 0)


def test_looking_makes_nothing(shelf, tmp_path):
    """A build that finds everything fresh does not touch the cache; one that looks leaves no trace."""
    assert list(shelf.cache.entries(KEY)) == []
    shelf.cache.close()
    assert os.listdir(tmp_path) == []


def test_the_tag_and_the_ignore_file(shelf, tmp_path):
    """Backup programs and git leave it out."""
    shelf.cache.put(result())
    assert (tmp_path / "store/cache/CACHEDIR.TAG").read_bytes().startswith(b"Signature: 8a477f597d28d172789f06886806bc55\n")
    assert (tmp_path / "store/.gitignore").read_text() == "*\n"


def test_at_most_so_many_results_of_one_key(shelf):
    """The oldest go."""
    for number in range(VARIANTS + 3):
        shelf.cache.put(result(discovered={"h": key(number)}))
    found = [each.discovered["h"] for each in shelf.cache.entries(KEY)]
    assert found == [key(number) for number in range(VARIANTS + 2, 2, -1)]


def test_blobs_are_nobodys_to_write(shelf, tmp_path):
    """Case 82: a stage that finds its way there is kept from it, unless it is root."""
    entry = shelf.big(1)
    blob = next(iter(entry.blobs))
    assert os.stat(tmp_path / place_of("store/cache", blob)).st_mode & 0o777 == 0o444


def test_a_tree_that_was_copied_by_links(shelf, tmp_path):
    """`cp -al`: what is added here is not added there."""
    shelf.cache.put(result(discovered={"h": key(1)}))
    shelf.build()
    os.link(tmp_path / AT, tmp_path / "other")
    before = (tmp_path / "other").read_bytes()
    shelf.cache.put(result())
    shelf.build()
    assert (tmp_path / "other").read_bytes() == before
    assert len(shelf.cache.entries(KEY)) == 2


def test_a_torn_line_does_not_take_the_next_one_with_it(shelf, tmp_path):
    """Case 70: cut at each byte, then another result is added: that one is found, and no other that was whole is lost."""
    shelf.cache.put(result(discovered={"h": key(1)}))
    shelf.cache.put(result(discovered={"h": key(2)}))
    shelf.build()
    data = (tmp_path / AT).read_bytes()
    first = data.index(b"\n") + 1
    for cut in range(first, len(data)):
        (tmp_path / AT).write_bytes(data[:cut])
        shelf.build().put(result())
        found = [each.discovered.get("h") for each in shelf.build().entries(KEY)]
        assert found == [None, key(1)] if cut < len(data) - 1 else [None, key(2), key(1)], cut


def test_a_killed_builder_leaves_no_wrong_size(shelf, tmp_path):
    """The size is not told while a build adds to it: whoever comes next counts."""
    shelf.big(1)
    shelf.build()
    assert size_of(shelf.disk, "store") == shelf.stats().size > 12288
    shelf.big(2)
    assert size_of(shelf.disk, "store") is None
    shelf.killed()
    shelf.big(3)
    shelf.build()
    assert size_of(shelf.disk, "store") == shelf.stats().size > 3 * 12288


def test_marks_do_not_grow_without_end(shelf, tmp_path):
    """A result that is restored in every build is not told of a thousand times."""
    shelf.cache.put(result())
    for now in range(500):
        shelf.build(now=now).used(result())
    shelf.build()
    assert (tmp_path / AT).stat().st_size < 20_000
    assert list(shelf.cache.entries(KEY)) == [result()]
    assert size_of(shelf.disk, "store") == shelf.stats().size


def test_many_results_in_one_build(shelf, monkeypatch):
    """Those that were written already are found like those that wait, and after the build."""
    from pipefile.store import shelf as shelf_file

    monkeypatch.setattr(shelf_file, "_AT_ONCE", 1000)
    for number in range(300):
        shelf.cache.put(result(key(number)))
    assert all(shelf.cache.entries(key(number)) == [result(key(number))] for number in range(300))
    assert all(shelf.build().entries(key(number)) == [result(key(number))] for number in range(300))
    monkeypatch.setattr(shelf_file, "_KEPT", 0)
    assert all(shelf.build().entries(key(number)) == [result(key(number))] for number in range(0, 300, 10))


def test_a_disk_that_is_full(shelf):
    """Who ends the build is told; what is there stays."""
    shelf.cache.put(result(discovered={"h": key(1)}))
    shelf.build()
    shelf.disk.fail("append", number=errno.ENOSPC)
    shelf.cache.put(result())
    with pytest.raises(OSError, match="No space"):
        shelf.cache.close()
    shelf.disk.mend()
    assert len(shelf.build().entries(KEY)) == 1


# --- space


def test_what_was_least_recently_used_goes_first(shelf):
    """By the time of the last use; a tenth is freed beyond what has to go, so that the next builds have room."""
    entries = []
    for number, now in enumerate((30, 50, 10, 40, 20)):
        shelf.build(now=now)
        entries.append(shelf.big(number))
    shelf.build(limit=3 * 13_000, now=60)
    shelf.cache.used(entries[2])
    shelf.cache.put(result())
    shelf.build()
    assert shelf.standing(0, 1, 2, 3, 4) == [1, 2]
    assert size_of(shelf.disk, "store") == shelf.stats().size < 3 * 13_000
    assert shelf.stats().blobs == 2


def test_what_a_build_has_put_or_used_stays_although_it_is_too_much(shelf):
    """Never below what the running build needs."""
    shelf.big(1)
    used = shelf.big(2)
    shelf.build(limit=4096)
    (blob,) = used.blobs
    assert shelf.cache.fetch(blob, 10_000, "got")
    shelf.cache.used(used)
    shelf.big(3)
    shelf.build()
    assert shelf.standing(1, 2, 3) == [2, 3]
    assert shelf.stats().blobs == 2


def test_a_file_that_several_results_have_counts_once(shelf):
    """And stays while one of them does."""
    first = shelf.big(1)
    shelf.build(now=2).put(replace(first, key=key(7)))
    shelf.build()
    assert (shelf.stats().results, shelf.stats().blobs) == (2, 1)
    trimmed = Upkeep(shelf.disk, "store").trim(12288 + 700)
    assert (trimmed.keys, trimmed.blobs) == (1, 0)
    assert trimmed.left == shelf.stats().size
    shelf.build()
    assert shelf.standing(1, 7) == [7]
    assert shelf.cache.fetch(next(iter(first.blobs)), 10_000, "got")


def test_files_that_no_result_names_go(shelf, tmp_path):
    """What a builder that was killed has stored and not put, and what is nobody's."""
    shelf.big(1)
    (tmp_path / "made").write_bytes(b"x" * 5000)
    shelf.cache.store("", "made")
    shelf.build()
    (tmp_path / "store/cache/blobs/new~").write_bytes(b"half")
    (tmp_path / "store/cache/entries/nobody").mkdir()
    trimmed = Upkeep(shelf.disk, "store").trim(1 << 30)
    assert (trimmed.keys, trimmed.blobs) == (0, 2)
    assert trimmed.left == shelf.stats().size
    assert not (tmp_path / "store/cache/entries/nobody").exists()


def test_nothing_goes_that_has_room(shelf):
    """Down to just what there is: nothing has to go, and looking adds nothing."""
    entries = [shelf.big(number) for number in range(9)]
    shelf.build(now=5).used(entries[3])
    shelf.build()
    before = shelf.stats()
    assert Upkeep(shelf.disk, "store").trim(before.size).keys == 0
    assert shelf.stats() == before


def test_nothing_is_left_of_a_limit_of_nothing(shelf):
    """`cache gc --all`."""
    shelf.big(1)
    shelf.build()
    assert Upkeep(shelf.disk, "store").trim(0).left == 0
    assert shelf.stats() == Stats(0, 0, 0, 0)


def test_upkeep_where_there_is_no_cache(shelf, tmp_path):
    """Nothing is made for the sake of an answer."""
    upkeep = Upkeep(shelf.disk, "store")
    assert upkeep.stats() == Stats(0, 0, 0, 0)
    assert upkeep.trim(0).left == 0
    assert upkeep.verify().damaged == ()
    assert os.listdir(tmp_path) == []


# --- damage


def test_one_flipped_byte_in_a_blob(shelf, tmp_path):
    """Case 83: a miss, whatever byte it is; the blob is dropped."""
    for clones in (False, True):
        shelf.disk.clones = clones
        (blob,) = shelf.build() and shelf.big(1).blobs
        path = tmp_path / place_of("store/cache", blob)
        data = bytearray(path.read_bytes())
        data[5000] ^= 1
        path.unlink()
        path.write_bytes(data)
        assert not shelf.cache.fetch(blob, 10_000, "got")
        assert not (tmp_path / "got").exists()
        assert not path.exists()


@pytest.mark.parametrize("damage", ["truncated", "empty", "longer", "directory", "link", "fifo", "gone", "unreadable"])
def test_damaged_blobs(shelf, tmp_path, damage):
    """Cases 64 and 83: a miss; what is stored there next is whole again."""
    (blob,) = shelf.big(1).blobs
    path = tmp_path / place_of("store/cache", blob)
    spoil(path, damage, path.read_bytes())
    if damage == "unreadable":
        shelf.disk.fail("copy", "*blobs*", times=1)
    assert not shelf.build().fetch(blob, 10_000, "got")
    assert not (tmp_path / "got").exists()
    shelf.big(1)
    assert shelf.cache.fetch(blob, 10_000, "got")


@pytest.mark.parametrize("damage", ["truncated", "empty", "longer", "directory", "link", "fifo", "gone", "zeros", "bomb", "unreadable"])
def test_damaged_entries(shelf, tmp_path, damage):
    """Case 64: a miss, or the result that was there; what is put there next is found. What a link leads to is left alone."""
    shelf.cache.put(result())
    shelf.build()
    path = tmp_path / AT
    spoil(path, damage, path.read_bytes())
    if damage == "unreadable":
        shelf.disk.fail("read", "*entries*", times=1)
    assert list(shelf.build().entries(KEY)) in ([], [result()])
    other = result(discovered={"h": ""})
    shelf.cache.put(other)
    assert shelf.build().entries(KEY)[0] == other
    if damage == "link":
        assert (tmp_path / "victim").read_bytes() == b"precious"


def spoil(path, damage: str, data: bytes) -> None:
    if damage == "unreadable":
        return
    path.unlink()
    if damage == "directory":
        (path / "in it").mkdir(parents=True)
    elif damage == "link":
        victim = path.parents[3] / "victim"
        victim.write_bytes(b"precious")
        path.symlink_to(victim)
    elif damage == "fifo":
        os.mkfifo(path)
    elif damage == "bomb":
        with open(path, "wb") as file:
            file.write(b"[" * 1000)
            file.truncate((1 << 30) + 1)
    elif damage != "gone":
        spoilt = {"truncated": data[: len(data) // 2], "empty": b"", "longer": data + b"more", "zeros": b"\0" * len(data)}
        path.write_bytes(spoilt[damage])


def test_each_flipped_bit_of_an_entry(shelf, tmp_path):
    """Case 64: no bit can be another one without its result being a miss."""
    shelf.cache.put(result())
    shelf.build()
    data = (tmp_path / AT).read_bytes()
    chance = random.Random(64)
    for at in chance.sample(range(len(data) - 1), 200):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[at] ^= 1 << bit
            (tmp_path / AT).write_bytes(flipped)
            assert list(shelf.build().entries(KEY)) == []


def test_verify_finds_and_removes_what_is_damaged(shelf, tmp_path):
    """Results go with files that they lack; what is whole stays."""
    shelf.big(1)
    lacking = shelf.big(2)
    shelf.cache.put(result(discovered={"h": ""}))
    shelf.cache.put(result())
    shelf.build()
    assert Upkeep(shelf.disk, "store").verify().damaged == ()
    (blob,) = lacking.blobs
    path = place_of("store/cache", blob)
    os.chmod(tmp_path / path, 0o644)
    (tmp_path / path).write_bytes(b"x" * 10_000)
    data = (tmp_path / AT).read_bytes()
    (tmp_path / AT).write_bytes(data[:-20] + b"\n")
    checked = Upkeep(shelf.disk, "store").verify()
    assert (checked.results, checked.blobs) == (2, 1)
    assert set(checked.damaged) == {
        (path, "it has other bytes than it should"),
        (f"store/cache/entries/{key(2)[7:8]}", "files of a result are missing or damaged"),
        (AT, "a line of it does not check"),
    }
    assert Upkeep(shelf.disk, "store").verify().damaged == ()
    assert [each.discovered for each in shelf.build().entries(KEY)] == [{"h": ""}]


def test_results_of_another_version(shelf, tmp_path):
    """They are not used; one warning says so."""
    line = sealed({"key": KEY, "any": "thing"})
    body = line[line.index(b'"key"') :]
    from blake3 import blake3

    head = b'{"format": 7, '
    (tmp_path / AT).parent.mkdir(parents=True)
    signed = head + b'"checksum": "' + blake3(head + body).hexdigest(length=16).encode() + b'", ' + body
    (tmp_path / AT).write_bytes(signed * 2)
    assert list(shelf.cache.entries(KEY)) == []
    assert shelf.warnings == ["results of format 7 in the cache are of another version of pipefile: they are not used"]
