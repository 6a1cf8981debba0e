"""Names of stages, values and runs as names of files in the store."""

from __future__ import annotations

LONGEST = 240  # bytes; leaves room for `.`, `.hash` and the `~` of a temporary file within the 255 of a name on disk

_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.@=,+")


def hashed(name: str) -> str:
    """32 hex digits that stand for a name too long for the disk."""
    from blake3 import blake3

    return blake3(name.encode("utf-8", "surrogateescape")).hexdigest(length=16)


def file_name(name: str) -> str:
    """*name* as the name of one file: percent-encoded, never hidden, `.` or `..`; hashed where that is too long.

    Two names give one file name only if they are both too long and their hashes collide.
    """
    if len(name) <= LONGEST and name.isascii() and name.replace("_", "").isalnum():  # nearly all names
        return name
    data = name.encode("utf-8", "surrogateescape")
    plain = "".join([chr(byte) if byte in _PLAIN else f"%{byte:02X}" for byte in data])
    if plain[:1] == ".":
        plain = "%2E" + plain[1:]
    if len(plain) > LONGEST:
        return "%-" + hashed(name)  # "%-" begins no encoded name
    return plain or "%-"
