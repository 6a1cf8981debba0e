"""Events from watchdog, as where there is no inotify."""

from __future__ import annotations

import os
import select
import time
from pathlib import Path

import pytest
from kit.fifo import PATIENCE

from pipefile.watch.folders import Folders, Heard
from pipefile.watch.inotify import SOURCES
from pipefile.watch.mounts import Mounts
from pipefile.watch.observer import Observed


def test_a_tree_and_a_folder_outside(tmp_path: Path) -> None:
    """Files that are written, renamed over others and removed, folders that come and go; in the project and elsewhere."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    for folder in (root / "a" / "b", outside):
        folder.mkdir(parents=True)
    folders = Folders(os.fspath(root), lambda: Observed(os.fspath(root)), Mounts(""))
    folders.want({os.fspath(folder): SOURCES for folder in (root / "a" / "b", outside)})
    told = Heard()

    def until(path: Path, act: str) -> None:
        """Do it again until it is told: the observer is on its way when we begin."""
        deadline = time.monotonic() + PATIENCE
        told.names.clear()
        told.trees.clear()
        while os.fspath(path) not in told.names | told.trees:
            assert time.monotonic() < deadline, (act, told)
            if act == "write":
                path.write_text("1")
            elif act == "replace":
                (path.parent / "new").write_text("2")
                (path.parent / "new").rename(path)
            elif act == "mkdir":
                path.mkdir(exist_ok=True)
                path.rmdir()
            select.select([folders.fileno()], [], [], 0.1)
            told.add(folders.hear())

    until(root / "a" / "b" / "x", "write")
    until(outside / "y", "write")
    until(root / "a" / "b" / "x", "replace")
    until(root / "a" / "c", "mkdir")
    with pytest.raises(FileNotFoundError):
        Observed.add(folders._queue, os.fspath(root / "none"), SOURCES)  # type: ignore[arg-type]
    folders.close()
