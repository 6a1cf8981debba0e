"""Digests of bytes and of files.

A digest is text: `blake3:HEX` or `sha256:HEX`, 32 bytes of hash. A file's digest covers its bytes and its owner's exec bit: without the bit it is the
plain hash of the bytes, as `b3sum` and `sha256sum` print it; with it, the hash of that hash's hex and `+x`.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # as typing's: this module is part of every no-op build
if TYPE_CHECKING:
    from typing import Protocol

    from blake3 import blake3

    class Hash(Protocol):
        def update(self, data: bytes | memoryview | bytearray, /) -> object: ...
        def hexdigest(self) -> str: ...


BUFFER = 1 << 20
MANY_THREADS_FROM = 8 << 20  # bytes; below, starting threads costs more than it gives

ALGORITHMS = ("blake3", "sha256")

KEY_FORMAT = "1"
"""Part of every key (plan/key.py), and of what an index depends on: a change of what keys are made of makes everything stale once."""


def new(algorithm: str) -> Hash:
    """An empty hash of "blake3" or "sha256"."""
    if algorithm == "blake3":
        fresh: Hash = _blake3()()
        return fresh
    import hashlib

    return hashlib.sha256()


def _blake3() -> type[blake3]:
    """The class, which is imported when it is first wanted. An import statement that finds the module there costs as much as hashing some KB."""
    found: type[blake3] | None = getattr(sys.modules.get("blake3"), "blake3", None)
    if found is None:
        import blake3 as module

        found = module.blake3
    return found


def new_for_size(algorithm: str, size: int) -> Hash:
    """As `new`, with all cores where *size* bytes are worth it."""
    if algorithm == "blake3" and size >= MANY_THREADS_FROM:
        from blake3 import blake3

        fresh: Hash = blake3(max_threads=blake3.AUTO)
        return fresh
    return new(algorithm)


def of_bytes(data: bytes, algorithm: str = "blake3") -> str:
    if algorithm == "blake3":
        return f"blake3:{_blake3()(data).hexdigest()}"
    hasher = new(algorithm)
    hasher.update(data)
    return f"{algorithm}:{hasher.hexdigest()}"


def of_text(text: str, algorithm: str = "blake3") -> str:
    return of_bytes(text.encode("utf-8", "surrogateescape"), algorithm)


def executable(digest: str) -> str:
    """The digest of a file that has the exec bit, from the digest of its bytes."""
    algorithm = digest.partition(":")[0]
    return of_bytes(f"{digest}+x".encode(), algorithm)


def of_tree(entries: list[tuple[bytes, str]], algorithm: str) -> str:
    """The digest of a directory.

    Args:
        entries: All that is in it, in any order: the path from there, and "directory", "link TEXT" or "file DIGEST".
        algorithm: "blake3" or "sha256".
    """
    hasher = new(algorithm)
    for path, text in sorted(entries):
        hasher.update(path + b"\0" + text.encode("utf-8", "surrogateescape") + b"\0")
    return f"{algorithm}:{hasher.hexdigest()}"


def hide(name: str, value: str | None) -> str:
    """How the value of an environment variable appears in keys and on disk: a digest, since it may be secret; "" where it is not set."""
    return "" if value is None else of_text(f"pipefile env\0{name}\0{value}")[:39]


def raw(digest: str) -> bytes:
    """The 32 bytes of a digest."""
    return bytes.fromhex(digest[7:])  # both algorithm names have six letters


def from_raw(data: bytes, algorithm: str) -> str:
    return f"{algorithm}:{data.hex()}"


def is_digest(text: object) -> bool:
    """Whether *text* is a well-formed digest of a known algorithm."""
    if not isinstance(text, str) or len(text) != 71 or text[:7] not in ("blake3:", "sha256:"):
        return False
    return not text[7:].strip("0123456789abcdef")
