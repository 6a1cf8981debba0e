"""What has changed in the index since it was written whole: a few hundred bytes after a small build, where the index has megabytes.

One file beside the index, `STORE/index.changes`, replaced whole as that is:

    16 bytes   b"pipefile-patch" + two bytes: the format number of the index, big-endian
    32 bytes   blake3 of the table of the index that it belongs to: no other one has the same
    32 bytes   blake3 of the patches that follow
    patches    in order, each with two bytes for the number of a section, six for its length, eight for where in the section its bytes go
               (little-endian; all ones: they are the whole section), then these bytes

Whoever reads a section lays them over it. A file that is damaged, or belongs to another index, is no file: the index without it is that of an earlier
build, whose rows say of each file that has changed since that it has. When there are too many changes the index is written whole, and the file is
removed.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # as typing's: this is part of builds with nothing to do
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MAGIC = b"pipefile-patch"
LIMIT = 64 << 20  # bytes
WHOLE = (1 << 64) - 1

_HEAD = len(MAGIC) + 2 + 32 + 32


class Changes:
    """Patches by section: begin and length -> bytes, in the order in which they are laid over it."""

    def __init__(self, before: Changes | None = None) -> None:
        self.patches: dict[int, dict[tuple[int, int], bytes]] = {}
        if before is not None:
            self.patches.update({section: dict(patches) for section, patches in before.patches.items()})

    def add(self, section: int, at: int, data: bytes) -> None:
        """One more; what it hides altogether is forgotten."""
        known = self.patches.setdefault(section, {})
        if at == WHOLE:
            known.clear()
        known.pop((at, len(data)), None)
        known[at, len(data)] = data

    def apply(self, section: int, data: bytes) -> bytes:
        """The bytes of a section as they are now.

        Raises:
            ValueError: Something lies outside of it.
        """
        patches = self.patches.get(section)
        if patches is None:
            return data
        pieces: list[bytes | memoryview] = []
        end, view = 0, memoryview(data)
        for (at, length), new in sorted(patches.items()):
            if at == WHOLE or at < end:
                return self._one_by_one(data, patches)
            pieces += (view[end:at], new)
            end = at + length
        if end > len(data):
            raise ValueError("a patch outside its section")
        return b"".join([*pieces, view[end:]])

    def _one_by_one(self, data: bytes, patches: Mapping[tuple[int, int], bytes]) -> bytes:
        """As `apply`, where a patch hides a part of another one, or all."""
        changed = bytearray(data)
        for (at, length), new in patches.items():
            if at == WHOLE:
                changed = bytearray(new)
                continue
            if at + length > len(changed):
                raise ValueError("a patch outside its section")
            changed[at : at + length] = new
        return bytes(changed)

    def pack(self, number: int, table: bytes) -> bytes:
        """The bytes of the file.

        Args:
            number: Format of the index.
            table: Digest of its table.
        """
        from blake3 import blake3

        parts = []
        for section, patches in self.patches.items():
            for (at, length), data in patches.items():
                parts.append(section.to_bytes(2, "little") + length.to_bytes(6, "little") + at.to_bytes(8, "little") + data)
        joined = b"".join(parts)
        return MAGIC + number.to_bytes(2, "big") + table + blake3(joined).digest() + joined


def read(path: str, number: int, table: bytes) -> tuple[Changes | None, os.stat_result | None]:
    """What stands beside an index, if it belongs to that and is whole; and the stat of whatever is there.

    Args:
        path: Absolute path of the file.
        number: Format of the index.
        table: Digest of its table.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None, None
    try:
        seen = os.fstat(fd)
        data = os.pread(fd, seen.st_size, 0) if _HEAD <= seen.st_size <= LIMIT else b""
    except OSError:  # a folder in its place
        return None, None
    finally:
        os.close(fd)
    return _unpack(data, MAGIC + number.to_bytes(2, "big") + table), seen


def _unpack(data: bytes, head: bytes) -> Changes | None:
    from blake3 import blake3

    if not data.startswith(head) or blake3(data[_HEAD:]).digest() != data[_HEAD - 32 : _HEAD]:
        return None
    found = Changes()
    at = _HEAD
    while at < len(data):
        section, length = int.from_bytes(data[at : at + 2], "little"), int.from_bytes(data[at + 2 : at + 8], "little")
        found.add(section, int.from_bytes(data[at + 8 : at + 16], "little"), data[at + 16 : at + 16 + length])
        at += 16 + length
    return found


def differences(old: bytes | bytearray, new: bytes | bytearray, step: int = 512) -> Sequence[tuple[int, bytes]]:
    """Where two texts of one length differ, in pieces of at most *step* bytes."""
    found = []
    for at in range(0, len(new), step):
        here, there = new[at : at + step], old[at : at + step]
        if here != there:
            first = next(place for place in range(len(here)) if here[place] != there[place])
            last = next(place for place in range(len(here) - 1, -1, -1) if here[place] != there[place])
            found.append((at + first, bytes(here[first : last + 1])))
    return found
