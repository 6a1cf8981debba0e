"""How many CPUs this process may use: the default of `-j`."""

from __future__ import annotations

import os

_CGROUPS = "/sys/fs/cgroup"


def available_cpus(cgroups: str = _CGROUPS, membership: str = "/proc/self/cgroup") -> int:
    """The CPUs of our affinity, or fewer where a cgroup (version 2) grants less time than that.

    Args:
        cgroups: Where the cgroup tree is mounted.
        membership: The file that says which cgroup we are in.
    """
    try:
        count = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # not Linux
        count = os.cpu_count() or 1
    quota = _granted(cgroups, membership)
    return max(1, count if quota is None else min(count, quota))


def _granted(cgroups: str, membership: str) -> int | None:
    """CPUs that the cgroups around us grant, rounded up; None for no bound."""
    try:
        with open(membership, encoding="utf-8", errors="surrogateescape") as lines:
            own = next((line[3:].rstrip("\n") for line in lines if line.startswith("0::")), None)
    except OSError:
        return None
    if own is None:
        return None
    least = None
    folder = own.rstrip("/")
    while True:  # a bound of any group above holds as well
        found = _quota(f"{cgroups}{folder}/cpu.max")
        if found is not None and (least is None or found < least):
            least = found
        if not folder:
            return least
        folder = folder.rpartition("/")[0]


def _quota(path: str) -> int | None:
    """From a cpu.max file, as in `150000 100000` or `max 100000`."""
    try:
        with open(path, encoding="ascii") as file:
            quota, period = file.read().split()
        return None if quota == "max" else max(1, -(-int(quota) // int(period)))
    except (OSError, ValueError, ZeroDivisionError):
        return None
