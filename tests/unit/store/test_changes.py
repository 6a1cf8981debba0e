"""What has changed in the index, beside it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipefile.store.changes import WHOLE, Changes, differences, read

TABLE = bytes(range(32))


def test_later_ones_lie_over_earlier_ones() -> None:
    """In the order in which they were added, whatever was added twice."""
    changes = Changes()
    changes.add(2, 1, b"bcd")
    changes.add(2, 2, b"X")
    assert changes.apply(2, b"aaaaa") == b"abXda"
    changes.add(2, 1, b"123")
    assert changes.apply(2, b"aaaaa") == b"a123a"
    assert changes.apply(1, b"other") == b"other"
    changes.add(2, WHOLE, b"new")
    changes.add(2, 0, b"N")
    assert changes.apply(2, b"aaaaa") == b"New"


def test_a_copy_is_its_own() -> None:
    """What is added to it is not added to the other."""
    before = Changes()
    before.add(0, 0, b"a")
    after = Changes(before)
    after.add(0, 1, b"b")
    assert (before.apply(0, b"xx"), after.apply(0, b"xx")) == (b"ax", b"ab")


def test_outside_of_a_section() -> None:
    """Is no change of it."""
    changes = Changes()
    changes.add(0, 3, b"ab")
    with pytest.raises(ValueError, match=r"^a patch outside its section$"):
        changes.apply(0, b"1234")


def test_written_and_read(tmp_path: Path) -> None:
    """All of it comes back, for the index to which it belongs and no other; a byte more, less or other and there is nothing."""
    changes = Changes()
    changes.add(3, 70, b"a")
    changes.add(3, 7, b"b" * 300)
    changes.add(1, WHOLE, b"")
    data = changes.pack(2, TABLE)
    file = tmp_path / "changes"

    def found(number: int = 2, table: bytes = TABLE) -> Changes | None:
        return read(str(file), number, table)[0]

    assert found() is None
    file.write_bytes(data)
    whole = found()
    assert whole is not None
    assert whole.patches == changes.patches
    assert found(number=3) is None
    assert found(table=bytes(32)) is None
    for damaged in (data + b"x", *[data[:length] for length in range(len(data))]):
        file.write_bytes(damaged)
        assert found() is None
    for place in range(len(data)):
        file.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert found() is None


@given(old=st.binary(max_size=40), flips=st.lists(st.integers(0, 39)), step=st.integers(1, 9))
def test_differences(old: bytes, flips: list[int], step: int) -> None:
    """Laid over the old text they give the new one, and none of them is of bytes that are the same at its ends."""
    new = bytearray(old)
    for place in flips:
        if place < len(new):
            new[place] ^= 1
    changed = bytearray(old)
    for at, data in differences(old, new, step):
        assert data[0] != old[at]
        assert data[-1] != old[at + len(data) - 1]
        changed[at : at + len(data)] = data
    assert changed == new


def test_any_patches_come_to_what_they_do_one_after_the_other() -> None:
    """Side by side, one over another, and whole: a later one hides an earlier one."""
    chance = random.Random(1)
    for _ in range(300):
        data, changes = bytes(chance.randbytes(40)), Changes()
        expected = bytearray(data)
        for _ in range(chance.randint(1, 5)):
            at = chance.randint(0, 39)
            new = chance.randbytes(chance.randint(0, 40 - at))
            if chance.random() < 0.05:
                at, new = WHOLE, chance.randbytes(40)
                expected[:] = new
            else:
                expected[at : at + len(new)] = new
            changes.add(3, at, new)
        assert changes.apply(3, data) == expected
