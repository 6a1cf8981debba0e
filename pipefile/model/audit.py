"""What a stage does beyond its declaration, as an audit has seen it."""

from __future__ import annotations

from typing import NamedTuple


class Access(NamedTuple):
    """One thing that was done to a file.

    Args:
        kind: "r": read; "w": written, or made by a rename or a link; "d": removed, or renamed away.
        path: From the project's root.
    """

    kind: str
    path: str


class Beyond(NamedTuple):
    """What an edge did beyond its declaration: paths from the project's root, in the order in which they were first touched.

    Args:
        reads: Files that it read.
        writes: Files that it made or changed, and that are there still.
        removes: Files that it found and removed.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()


NOTHING = Beyond()


def by_kind(beyond: Beyond) -> dict[str, tuple[str, ...]]:
    """"reads", "writes", "removes" -> paths, those of them that there are."""
    return {name: paths for name, paths in zip(Beyond._fields, beyond, strict=True) if paths}
