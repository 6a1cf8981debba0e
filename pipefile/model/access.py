"""What an audit sees."""

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
