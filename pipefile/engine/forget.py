"""`runs rm`: forgets runs."""

from __future__ import annotations

from collections.abc import Sequence

from pipefile.base.errors import StoreError, UsageError
from pipefile.base.paths import show
from pipefile.model.ports import Disk
from pipefile.store.history import RunReader
from pipefile.store.runs import point_latest


def check_ended(reader: RunReader, runs: Sequence[str]) -> None:
    """Refuse to touch runs that are going on.

    Raises:
        UsageError: One is.
    """
    for run in runs:
        if reader.read(run).status == "running":
            raise UsageError(f"run {run} is still going on", hint="Ctrl-C ends it")


def forget(disk: Disk, store: str, runs: Sequence[str]) -> None:
    """Remove runs with all that they hold. `latest` leads to the newest one that is left.

    Args:
        disk: The project's disk; its lock is held.
        store: The store's folder, from the root.
        runs: Ids.

    Raises:
        UsageError: One of them is going on; nothing has been removed then.
        StoreError: One cannot be removed.
    """
    reader = RunReader(disk, store)
    check_ended(reader, runs)
    left = [run for run in reader.ids() if run not in runs]
    try:
        if left and reader.resolve("latest") in runs:
            point_latest(disk, store, left[0])  # before it would lead nowhere
        elif not left:
            disk.remove(f"{store}/latest")
        for run in runs:
            disk.remove(f"{store}/runs/{run}")
    except OSError as error:
        raise StoreError(f"`{show(store)}/runs` cannot be written: {error.strerror}") from error
