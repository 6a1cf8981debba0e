"""What a cache keeps of one result (store/entry.py has the format)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pipefile.base.dataclass import dataclass, field


class Item(NamedTuple):
    """A file, a link or a folder of an output.

    Args:
        path: From the output, if that is a directory; "" for an output that is a file.
        kind: "file", "link" or "directory".
        blob: Digest of a file's bytes, without the exec bit; "" where `data` has them, and for what is no file.
        size: Of a file, in bytes.
        executable: A file's owner may execute it.
        data: The bytes of a small file, or the text of a link; None for others.
    """

    path: str
    kind: str
    blob: str = ""
    size: int = 0
    executable: bool = False
    data: bytes | None = None


class Small(NamedTuple):
    """The bytes of a file that is small enough to lie in an entry, as they were when it was hashed.

    Args:
        digest: As records have it.
        executable: The file's owner may execute it.
        data: Those.
    """

    digest: str
    executable: bool
    data: bytes


class Kept(NamedTuple):
    """An output of a result.

    Args:
        path: From the project root.
        kind: "file" or "directory".
        digest: As records have it.
        items: What it consists of, folders before what is in them; None if its bytes are not kept: it can only be found where it is.
    """

    path: str
    kind: str
    digest: str
    items: tuple[Item, ...] | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One result: what an edge has made from all that its key covers, and from the inputs that it discovered.

    Args:
        key: The cache's key.
        edge: Name of the edge, for people.
        outputs: All outputs: the declared ones in their order, then files that a function has named when it returned.
        discovered: Path -> digest, ABSENT for what was looked for and was not there.
        own: Files named in the command that the stage writes itself.
        duration: Seconds that it took.
    """

    key: str
    edge: str
    outputs: tuple[Kept, ...]
    discovered: Mapping[str, str] = field(default_factory=dict)
    own: tuple[str, ...] = ()
    duration: float = 0.0

    @property
    def items(self) -> Iterator[Item]:
        for output in self.outputs:
            yield from output.items or ()

    @property
    def blobs(self) -> dict[str, int]:
        """Digest -> bytes of all that is kept besides the entry itself."""
        return {item.blob: item.size for item in self.items if item.blob}
