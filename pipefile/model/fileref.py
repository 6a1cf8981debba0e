"""A file as a Python stage sees it."""

from __future__ import annotations


class FileRef:
    """A file by reference: an `os.PathLike`, so `open(ref)` works.

    Args:
        path: Where the file stands; for an output, where the function has to write it.
        digest: `blake3:HEX` of an input; "" for an output.
        size: Bytes of an input; 0 for an output.
    """

    __slots__ = ("digest", "path", "size")

    def __init__(self, path: str, digest: str = "", size: int = 0) -> None:
        self.path = path
        self.digest = digest
        self.size = size

    def __fspath__(self) -> str:
        return self.path

    def __str__(self) -> str:
        return self.path

    def __repr__(self) -> str:
        return f"FileRef({self.path!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FileRef) and (self.path, self.digest) == (other.path, other.digest)

    def __hash__(self) -> int:
        return hash(self.path)
