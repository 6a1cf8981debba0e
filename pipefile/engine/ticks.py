"""How far stamps can be trusted on the store's disk, asked of the disk itself: its clock is never compared with another."""

from __future__ import annotations

import os
from typing import NamedTuple

from pipefile.model.ports import Clock, Disk

COARSE = 20_000_000  # ns: kernels before multigrain stamps (Linux 6.13) step at most every 10 ms
WHOLE_SECONDS = 2_000_000_000  # ns: FAT counts in two seconds
PROBE = "probe"

_BELIEVED = frozenset(["bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "ramfs", "reiserfs", "tmpfs", "xfs", "zfs", "apfs", "hfs"])


class Ticks(NamedTuple):
    """How stamps behave.

    Args:
        tick: Nanoseconds within which two changes can have the same stamp; 0 where a write right after a stat gets a new one.
        device: The device that was probed; others are taken as coarse.
    """

    tick: int
    device: int

    def of(self, stamp: tuple[int, ...]) -> int:
        """The tick of a file with this stamp (device, inode, size, mtime_ns, ctime_ns, mode)."""
        if stamp[3] % 1_000_000_000 == 0 and stamp[4] % 1_000_000_000 == 0:
            return WHOLE_SECONDS
        return self.tick if stamp[0] == self.device else max(self.tick, COARSE)


def probe(disk: Disk, store: str) -> Ticks:
    """Find out how stamps behave, by writing to a small file in the store."""
    path = f"{store}/{PROBE}"
    previous: os.stat_result | None = None
    fine = True
    for text in (b"1", b"2", b"3", b"4"):
        seen = _write(disk, path, text)
        if previous is not None and seen.st_mtime_ns == previous.st_mtime_ns:
            fine = False
        previous = seen
    assert previous is not None
    if fine:
        return Ticks(0, previous.st_dev)
    whole = previous.st_mtime_ns % 1_000_000_000 == 0 and _is_whole(disk.stat(store))  # one coarse stamp in a hundred is whole by chance
    return Ticks(WHOLE_SECONDS if whole else COARSE, previous.st_dev)


def now(disk: Disk, store: str) -> int:
    """The present as the store's disk stamps it, ns."""
    return _write(disk, f"{store}/{PROBE}", b"t").st_mtime_ns


def mark(disk: Disk, store: str) -> int:
    """A stamp that tells before from after: what changed earlier has an earlier one, what changes from now on has this one or a later one.

    Where stamps are fine, the kernel still gives the same one to all that changes within a few milliseconds, unless somebody has looked at a file in
    between: the second write is such a one, and no file gets an earlier stamp after it. Where stamps are coarse only the second half holds.
    """
    now(disk, store)
    return now(disk, store)


def pass_tick(ticks: int, clock: Clock) -> None:
    """Wait until changes get another stamp than those of now, and the disk's clock shows that: it lags by up to a step of the kernel's, 10 ms."""
    clock.sleep(ticks / 1e9 + 0.011)


def _is_whole(seen: os.stat_result | None) -> bool:
    return seen is None or seen.st_ctime_ns % 1_000_000_000 == 0


def _write(disk: Disk, path: str, text: bytes) -> os.stat_result:
    return disk.stamp(path, text)


def folders_tell(root: str) -> bool:
    """Whether the stamps of folders on the disk of *root* tell that no name in them has changed: not on network, FUSE and overlay disks."""
    return file_system_of(root) in _BELIEVED


def file_system_of(path: str) -> str:
    """The type of the file system that *path* is on, "" where the system does not say."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except OSError:
        return ""
    best, kind = "", ""
    real = os.path.realpath(path)
    for line in lines:
        head, _, tail = line.partition(" - ")
        fields = head.split(" ")
        if len(fields) < 5 or not tail:
            continue
        point = fields[4].replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
        inside = point in (real, "/") or real.startswith(point + "/")
        if inside and len(point) >= len(best):
            best, kind = point, tail.split(" ", 1)[0]
    return kind
