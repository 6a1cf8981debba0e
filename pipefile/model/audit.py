"""What a stage does beyond its declaration, as an audit has seen it."""

from __future__ import annotations

from collections.abc import Iterator

from pipefile.base.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Beyond:
    """What an edge did beyond its declaration: paths from the project's root, in the order in which they were first touched.

    Args:
        reads: Files that it read.
        writes: Files that it made or changed, and that are there still.
        removes: Files that it found and removed.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        return iter((self.reads, self.writes, self.removes))

    def by_kind(self) -> dict[str, tuple[str, ...]]:
        """ "reads", "writes", "removes" -> paths, those of them that there are."""
        if self is NOTHING_BEYOND:  # of nearly all edges
            return {}
        return {name: paths for name, paths in zip(("reads", "writes", "removes"), self, strict=True) if paths}


NOTHING_BEYOND = Beyond()
