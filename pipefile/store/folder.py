"""The store's own folder, and what to say of disks that do not take it."""

from __future__ import annotations

import os

from pipefile.base.errors import StoreError
from pipefile.base.paths import show
from pipefile.model.ports import Disk


def cannot_write(path: str, error: OSError) -> StoreError:
    """What to tell the user when *path* could not be written."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    return StoreError(f"`{show(path)}` cannot be written: {reason}")


def prepare_store(disk: Disk, store: str) -> None:
    """Make the store's folder with its `.gitignore`, where they are missing.

    Args:
        disk: The project's disk.
        store: The store's folder, from the root.

    Raises:
        StoreError: It cannot be made or written.
    """
    try:
        seen = disk.stat(f"{store}/.gitignore")
        if seen is None or seen.st_size == 0:  # empty: what a full disk left behind
            disk.mkdirs(store)
            disk.write(f"{store}/.gitignore", b"*\n")
        elif not disk.writable(store):
            raise PermissionError(13, os.strerror(13))
    except OSError as error:
        raise cannot_write(disk.at(store), error) from error
