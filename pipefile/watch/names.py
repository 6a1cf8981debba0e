"""Names that tell by themselves what a file is."""

from __future__ import annotations

import re

from pipefile.base.paths import name_of

# Backups, swap files and write probes of editors, and what Python leaves. A file that some stage reads counts whatever its name is.
_PASSING = re.compile(
    r".*~|\..*\.sw.|\..*\.swpx|4913|\.#.*|#.*#|.*___jb_(?:tmp|old|bak)___|\.goutputstream-.*|.*\.kate-swp|\.~lock\..*"
    r"|.*\.py[co](?:\.\d+)?|__pycache__",
    re.DOTALL,
)
_CODE = (".py", ".so", ".pyd")
_OWN = frozenset([".git", ".pipefile-tmp", ".pipefile.lock"])


def is_passing(path: str) -> bool:
    """Whether a file of this name comes and goes with an editor, or a run of Python."""
    return _PASSING.fullmatch(name_of(path)) is not None


def is_own(path: str, store: str) -> bool:
    """Whether a path is pipefile's own: the store, the lock, a record, a temporary folder; or git's.

    Args:
        path: From the project's root.
        store: The store's folder, from there.
    """
    if path == store or path.startswith(store + "/") or not _OWN.isdisjoint(path.split("/")):
        return True
    name = name_of(path)
    return name[:1] == "." and name.endswith((".hash", ".hash~"))


def is_code(name: str) -> bool:
    """Whether a name, of a file or folder, can belong to a Python module."""
    return name.endswith(_CODE) or name.isidentifier()
