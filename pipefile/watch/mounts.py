"""Which folders lie on file systems that tell nobody of changes made elsewhere: those of other machines, and of a virtual machine's host."""

from __future__ import annotations

import os
from collections.abc import Iterable

_SILENT = frozenset(
    [
        "9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "drvfs", "fuse.gcsfuse", "fuse.glusterfs", "fuse.grpcfuse", "fuse.rclone",
        "fuse.s3fs", "fuse.sshfs", "fuse.vmhgfs-fuse", "gfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs",
        "panfs", "prl_fs", "smb2", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs", "wekafs",
    ]
)  # fmt: skip


class Mounts:
    """
    Args:
        text: `/proc/self/mountinfo`; None reads it. Where there is none, no folder is silent.
    """

    def __init__(self, text: str | None = None) -> None:
        points: dict[str, bool] = {}
        for line in (_read() if text is None else text).splitlines():
            head, dash, tail = line.partition(" - ")
            fields = head.split(" ")
            if len(fields) >= 5 and dash:
                points[_unescaped(fields[4])] = tail.split(" ", 1)[0] in _SILENT  # of several mounts on one point the last one is seen
        self._points = points
        self._any = any(points.values())
        self._known: dict[str, bool] = {}

    def is_silent(self, folder: str) -> bool:
        """Whether changes in *folder* (absolute, links resolved) may happen without an event."""
        if not self._any:
            return False
        found = self._known.get(folder)
        if found is None:
            found = self._points.get(folder)
            if found is None:
                above = os.path.dirname(folder)
                found = self.is_silent(above) if above != folder else False
            self._known[folder] = found
        return found

    def silent(self, folders: Iterable[str]) -> set[str]:
        """Those of *folders* that are."""
        return {folder for folder in folders if self.is_silent(os.path.realpath(folder))} if self._any else set()


def _read() -> str:
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def _unescaped(point: str) -> str:
    return point.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
