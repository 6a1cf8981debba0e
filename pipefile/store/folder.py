"""The store's own folder, and what to say of disks that do not take it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from pipefile.base.errors import StoreError
from pipefile.base.paths import folder_of, show, within
from pipefile.model.ports import Disk
from pipefile.model.stage import Settings

_TAKEN = frozenset([errno.ELOOP, errno.EINVAL, errno.EISDIR, errno.EACCES, errno.ENXIO])  # another thing stands in place of a file


def cannot_write(path: str, error: OSError) -> StoreError:
    """What to tell the user when *path* could not be written."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    return StoreError(f"`{show(path)}` cannot be written: {reason}")


def make_way(disk: Disk, path: str, act: Callable[[], object]) -> None:
    """Do something that makes a file in the store, its folder made and what stands in its place removed where that has to be.

    Raises:
        OSError: It cannot be made all the same.
    """
    for _ in range(2):
        try:
            act()
        except FileNotFoundError:
            disk.mkdirs(folder_of(path))
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            disk.remove(path)
        else:
            return
    act()


def check_store(disk: Disk, settings: Settings) -> None:
    """Refuse a store that a link has put outside the project: files of fixed names are written there, over what has such a name.

    Args:
        disk: The project's disk.
        settings: Name the store, and the folders outside that are allowed.

    Raises:
        StoreError: It lies there.
    """
    allowed = [os.path.realpath(disk.at(place)) for place in (".", *settings.outside)]
    for folder in (settings.store, f"{settings.store}/runs", f"{settings.store}/records", f"{settings.store}/values", f"{settings.store}/cache"):
        real = os.path.realpath(disk.at(folder))
        if not any(real == place or within(real, place.rstrip("/")) for place in allowed):
            hint = 'folders outside are named in `[pipefile] outside = ["/..."]`'
            raise StoreError(f"`{show(folder)}` lies outside the project, where a link leads", hint=hint)


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
