"""How many CPUs this process may use: the default of `-j`."""

from __future__ import annotations

import os

from pipefile.base.cgroup import CGROUPS, MEMBERSHIP, least


def available_cpus(cgroups: str = CGROUPS, membership: str = MEMBERSHIP) -> int:
    """The CPUs of our affinity, or fewer where a cgroup (version 2) grants less time than that.

    Args:
        cgroups: Where the cgroup tree is mounted.
        membership: The file that says which cgroup we are in.
    """
    try:
        count = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):  # not Linux
        count = os.cpu_count() or 1
    quota = least("cpu.max", _quota, cgroups, membership)
    return max(1, count if quota is None else min(count, quota))


def _quota(text: str) -> int | None:
    """Rounded up, from what a cpu.max file says, as in `150000 100000` or `max 100000`."""
    quota, period = text.split()
    return None if quota == "max" or period == "0" else max(1, -(-int(quota) // int(period)))
